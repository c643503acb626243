// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * output.c - results on standard output, everything else on standard error.
 *
 * By the master alone, except for sum_error() and sum_complain().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "sum.h"

#define BAR_WIDTH	30
#define BAR_MIN		5
#define BAR_NS		100000000	/* at most ten times a second */

struct sum_totals sum_totals;

static _Atomic bool bar_shown;

static const char full_bar[] = "##############################";
static const char empty_bar[] = "..............................";
_Static_assert(sizeof(full_bar) == BAR_WIDTH + 1, "as wide as the bar");
_Static_assert(sizeof(empty_bar) == BAR_WIDTH + 1, "as wide as the bar");

uint64_t sum_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void sum_progress_end(void)
{
	if (bar_shown)
		fputs("\r\033[K", stderr);
	bar_shown = false;
}

void sum_complain(const char *name, const char *what)
{
	fflush(stdout);
	sum_progress_end();
	fprintf(stderr, "baton-sum: %s: %s\n", name, what);
}

void sum_error(const char *name, int err)
{
	sum_complain(name, strerror(-err));
}

/* Return: whether the line is to start with a backslash. */
static bool needs_escape(const char *name)
{
	return !sum_opts.zero && strpbrk(name, "\\\n\r");
}

static void print_name(const char *name, bool escape)
{
	if (!escape) {
		fputs(name, stdout);
		return;
	}
	for (; *name; name++) {
		if (*name == '\\')
			fputs("\\\\", stdout);
		else if (*name == '\n')
			fputs("\\n", stdout);
		else if (*name == '\r')
			fputs("\\r", stdout);
		else
			putchar(*name);
	}
}

static void print_sum(const struct sum_job *job)
{
	char hex[2 * SUM_BYTES + 1];
	bool escape = needs_escape(job->name);

	for (int i = 0; i < SUM_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", job->digest[i]);
	if (escape)
		putchar('\\');
	if (sum_opts.tag) {
		fputs("SHA256 (", stdout);
		print_name(job->name, escape);
		printf(") = %s", hex);
	} else {
		printf("%s %c", hex, sum_opts.binary ? '*' : ' ');
		print_name(job->name, escape);
	}
	putchar(sum_opts.zero ? '\0' : '\n');
}

/* Here sha256sum escapes a name only if it has a newline; then all of it. */
static void print_verdict(const struct sum_job *job)
{
	bool ok = !job->err && !memcmp(job->digest, job->want, SUM_BYTES);
	bool escape = !sum_opts.zero && strchr(job->name, '\n');

	if (!job->err && !ok)
		sum_totals.mismatched++;
	if (sum_opts.status || (ok && sum_opts.quiet))
		return;
	if (escape)
		putchar('\\');
	print_name(job->name, escape);
	if (job->err)
		fputs(": FAILED open or read\n", stdout);
	else
		puts(ok ? ": OK" : ": FAILED");
}

/* As foreign code: it may block, and printf() wants much stack. */
static void print_job(void *arg)
{
	const struct sum_job *job = arg;

	if (job->err)
		sum_error(job->name, job->err);
	if (job->expected)
		print_verdict(job);
	else if (!job->err)
		print_sum(job);
}

void sum_print(struct sum_job *job)
{
	if (job->err == -ENOENT && job->expected && sum_opts.ignore_missing)
		return;
	if (job->err)
		sum_totals.unread++;
	else
		sum_totals.files++;
	sum_totals.bytes += job->bytes;
	baton_call(print_job, job);
}

struct progress {
	uint64_t seen;
	uint64_t total;
	bool closed;
	double seconds;
};

/* How much a line holds without going on to the next one. */
static int line_width(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) || !ws.ws_col)
		return 79;
	return ws.ws_col - 1;
}

/* The bar takes what the figures leave of the line, if that is worth a bar. */
static void draw_bar(void *arg)
{
	const struct progress *p = arg;
	int width = line_width(), bar, full;
	char text[100];

	bar = width - (int)strlen("[] ") -
	      snprintf(text, sizeof(text),
		       "%llu of %llu%s files, %.1f MB, %.0f/s",
		       (unsigned long long)p->seen,
		       (unsigned long long)p->total, p->closed ? "" : "+",
		       (double)sum_totals.bytes / 1e6,
		       (double)p->seen / p->seconds);
	if (bar > BAR_WIDTH)
		bar = BAR_WIDTH;
	putc('\r', stderr);
	if (bar >= BAR_MIN) {
		full = p->total ? (int)(p->seen * (uint64_t)bar / p->total) : 0;
		fprintf(stderr, "[%.*s%.*s] ", full, full_bar, bar - full,
			empty_bar);
	}
	fprintf(stderr, "%.*s\033[K", width, text);
	fflush(stderr);
	bar_shown = true;
}

void sum_progress(struct sum_queue *q)
{
	struct progress p;
	uint64_t now;

	if (!sum_opts.progress)
		return;
	now = sum_now();
	if (now - sum_totals.shown_ns < BAR_NS)
		return;
	sum_totals.shown_ns = now;
	p.seen = sum_totals.files + sum_totals.unread;
	p.total = sum_queue_total(q, &p.closed);
	p.seconds = (double)(now - sum_totals.start_ns) / 1e9;
	baton_call(draw_bar, &p);
}

/* A line of a list that is no checksum. */
void sum_warn_line(const char *list, uint64_t number)
{
	char what[100];

	snprintf(what, sizeof(what),
		 "%llu: improperly formatted SHA256 checksum line",
		 (unsigned long long)number);
	sum_complain(list, what);
}

static void warn(uint64_t n, const char *one, const char *many)
{
	if (n)
		fprintf(stderr, "baton-sum: WARNING: %llu %s\n",
			(unsigned long long)n, n == 1 ? one : many);
}

/* What sha256sum says at the end of a check. */
void sum_warnings(void)
{
	if (!sum_opts.check || sum_opts.status)
		return;
	fflush(stdout);
	warn(sum_totals.malformed, "line is improperly formatted",
	     "lines are improperly formatted");
	warn(sum_totals.unread, "listed file could not be read",
	     "listed files could not be read");
	warn(sum_totals.mismatched, "computed checksum did NOT match",
	     "computed checksums did NOT match");
	if (sum_opts.ignore_missing && !sum_totals.files)
		fputs("baton-sum: no file was verified\n", stderr);
}

static void summary_json(const struct baton_stats *st, double seconds)
{
	fprintf(stderr, "{\"files\":%llu,\"bytes\":%llu,\"errors\":%llu,",
		(unsigned long long)sum_totals.files,
		(unsigned long long)sum_totals.bytes,
		(unsigned long long)sum_totals.unread);
	fprintf(stderr, "\"seconds\":%.6f,\"files_per_s\":%.1f,", seconds,
		(double)sum_totals.files / seconds);
	fprintf(stderr, "\"tier\":\"%s\",\"nprocs\":%u,",
		baton_tier_name(baton_tier(NULL)), baton_nprocs());
	fprintf(stderr, "\"calls\":%llu,\"handoffs\":%llu,\"idled\":%llu,",
		(unsigned long long)st->calls,
		(unsigned long long)st->handoffs,
		(unsigned long long)st->idled);
	fprintf(stderr, "\"workers\":%llu}\n",
		(unsigned long long)st->workers_max);
}

static void summary_text(const struct baton_stats *st, double seconds)
{
	const char *why;
	enum baton_tier tier = baton_tier(&why);

	fprintf(stderr, "%llu files, %.1f MB in %.2f s: %.0f files/s\n",
		(unsigned long long)sum_totals.files,
		(double)sum_totals.bytes / 1e6, seconds,
		(double)sum_totals.files / seconds);
	fprintf(stderr, "tier %s%s%s%s, %u processor%s, ",
		baton_tier_name(tier), *why ? " (" : "", why,
		*why ? ")" : "", baton_nprocs(),
		baton_nprocs() == 1 ? "" : "s");
	fprintf(stderr, "%llu hand-offs, %llu workers\n",
		(unsigned long long)st->handoffs,
		(unsigned long long)st->workers_max);
}

/* While the scheduler runs. */
void sum_summary(void)
{
	double seconds = (double)(sum_now() - sum_totals.start_ns) / 1e9;
	struct baton_stats st;

	if (!sum_opts.summary || baton_stats(&st, sizeof(st)))
		return;
	fflush(stdout);
	if (sum_opts.json)
		summary_json(&st, seconds);
	else
		summary_text(&st, seconds);
}
