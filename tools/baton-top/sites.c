// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* sites.c - where the fibers of a process have blocked, as lines or as JSON. */
#include <inttypes.h>

#include "../../lib/core/syscalls.h"
#include "top.h"

#define SITES_SHOWN	10

/* What kept it; NULL: nobody knows. @text has room for a number. */
static const char *cause(const struct baton_profile *s, char *text, size_t size)
{
	const char *name;

	if (s->nr == BATON_PROFILE_FAULT)
		return "page fault";
	if (s->nr < 0)
		return NULL;
	name = baton_syscall_name(s->nr);
	if (name)
		return name;
	snprintf(text, size, "system call %d", s->nr);
	return text;
}

/* The function that a call was of. */
static const char *whose(const struct target *t, const struct baton_profile *s)
{
	if (s->nr == BATON_PROFILE_OTHER)
		return "other places";
	return s->fn ? target_function(t, s->fn) : "fiber code";
}

/* The one that has made the system call, or the fault; NULL: not known. A
 * system call's instruction, behind which it is, may be a function's last. */
static const char *where(const struct target *t, const struct baton_profile *s)
{
	return s->pc ? target_code(t, s->pc - (s->nr >= 0)) : NULL;
}

/* Milliseconds, as all of them are that anybody looks for here. */
static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static void line(FILE *out, const struct target *t,
		 const struct baton_profile *s)
{
	const char *why, *in = where(t, s);
	char text[32];

	why = cause(s, text, sizeof(text));
	fprintf(out, "%8" PRIu64 " %12.1f %12.1f  ", s->count, ms(s->total),
		ms(s->longest));
	show_text(out, whose(t, s));
	if (why)
		fprintf(out, ": %s", why);
	if (in) {
		fputs(why ? " in " : ": ", out);
		show_text(out, in);
	}
	fputc('\n', out);
}

void sites_lines(FILE *out, const struct top *top)
{
	const struct view *v = &top->now;
	unsigned int n = 0;

	/* The last ones may have a first block in progress, and none yet. */
	while (n < v->nsites && v->sites[n].count)
		n++;
	if (!n)
		return;
	fputs("\n  BLOCKS     TOTAL MS   LONGEST MS  WHERE\n", out);
	for (unsigned int i = 0; i < n && i < SITES_SHOWN; i++)
		line(out, &top->target, &v->sites[i]);
	if (n > SITES_SHOWN)
		fprintf(out, "%8s %u more places\n", "", n - SITES_SHOWN);
}

static void json_site(FILE *out, const struct target *t,
		      const struct baton_profile *s)
{
	const char *why, *in = where(t, s);
	char text[32];

	why = cause(s, text, sizeof(text));
	fputs("{\"function\": ", out);
	show_json_text(out, whose(t, s));
	if (why) {
		fputs(", \"cause\": ", out);
		show_json_text(out, why);
	}
	if (in) {
		fputs(", \"in\": ", out);
		show_json_text(out, in);
	}
	fprintf(out,
		", \"count\": %" PRIu64 ", \"total_ns\": %" PRIu64
		", \"longest_ns\": %" PRIu64 ", \"waited_ns\": %" PRIu64
		", \"starved_ns\": %" PRIu64 ", \"handoffs\": %" PRIu64
		", \"idled\": %" PRIu64 ", \"missed\": %" PRIu64 "}",
		s->count, s->total, s->longest, s->waited, s->starved,
		s->handoffs, s->idled, s->missed);
}

void sites_json(FILE *out, const struct top *top)
{
	const struct view *v = &top->now;

	fputs(", \"sites\": [", out);
	for (unsigned int i = 0; i < v->nsites; i++) {
		fputs(i ? ", " : "", out);
		json_site(out, &top->target, &v->sites[i]);
	}
	fputc(']', out);
}
