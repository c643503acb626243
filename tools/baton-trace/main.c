// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* main.c - baton-trace: record what the fibers of another process do. */
#include "trace.h"

#include <baton/version.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../usage/usage.h"

#define PAUSE_NS	2000000	/* between two looks at the rings */
#define MAX_EVENTS	((size_t)1 << 25)
#define BUCKETS		4096u

const int usage_status = 1;

static const char usage_text[] =
"Usage: baton-trace [OPTION]... PID\n"
"Record what the fibers of a program that runs libbaton do, until its end, or\n"
"that of the time, or an interrupt; and write a timeline for ui.perfetto.dev.\n"
"\n"
"  -d, --duration S  record for S seconds\n"
"  -o, --output F    write to file F (baton-trace.json)\n"
"      --help        this text\n"
"      --version     the version\n"
"\n"
"Exit status: 0; 1 if the process cannot be read, the file cannot be written,\n"
"or the command line is wrong.\n";

static const struct option options[] = {
	{ "duration", required_argument, NULL, 'd' },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

struct known {
	struct known *next;
	uint64_t fiber;
};

/**
 * struct recording - what is going on
 * @region: the process's rings; NULL: it has none yet
 * @seen:   of each, entries that were read
 * @known:  fibers that were asked for their names, or need not be
 * @begin:  what there was at the beginning, and fibers whose beginning was not
 *          recorded
 */
struct recording {
	struct target target;
	const struct trace_region *region;
	size_t bytes;
	uint64_t nrings;	/* the other process may change its own */
	uint64_t *seen;
	struct known *known[BUCKETS];
	struct view begin;
	struct events events;
};

static volatile sig_atomic_t enough;

static void stop(int sig)
{
	(void)sig;
	enough = 1;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* --- the rings ---------------------------------------------------------------- */

/*
 * A descriptor of the rings, or -1. The process says which of its own they are,
 * and may lie: that could be anything that we may open and it may not, or that
 * does something by being opened. So the file is taken hold of first, which
 * opens nothing, and then opened if it is memory of that name.
 */
static int open_rings(pid_t pid, int theirs)
{
	static const char name[] = "/memfd:baton-trace (deleted)";
	char path[64], is[sizeof(name)];
	int held, fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, theirs);
	held = open(path, O_PATH | O_CLOEXEC);
	if (held < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
	if (readlink(path, is, sizeof(is)) == (ssize_t)sizeof(name) - 1 &&
	    !memcmp(is, name, sizeof(name) - 1))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	else
		errno = EBADF;
	close(held);
	return fd;
}

/* The process has made them, maybe. -1: it cannot, or they cannot be had. */
static int map_rings(struct recording *r)
{
	struct stat st;
	int32_t rings;
	void *at;
	int fd;

	if (!target_read(&r->target, r->target.at + offsetof(struct door, rings),
			 &rings, sizeof(rings)) || !rings)
		return 0;
	if (rings < 0) {
		fprintf(stderr, "baton-trace: process %d has no memory for it: %s\n",
			(int)r->target.pid, strerror(-rings));
		return -1;
	}
	fd = open_rings(r->target.pid, rings);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(*r->region)) {
		fprintf(stderr, "baton-trace: descriptor %d of process %d: %s\n",
			(int)rings, (int)r->target.pid,
			fd < 0 ? strerror(errno) : "not what it was");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	r->bytes = (size_t)st.st_size;
	at = mmap(NULL, r->bytes, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED) {
		perror("baton-trace: mmap");
		return -1;
	}
	r->region = at;
	r->nrings = __atomic_load_n(&r->region->nrings, __ATOMIC_RELAXED);
	if (r->nrings > (r->bytes - sizeof(*r->region)) /
				sizeof(struct trace_ring)) {
		fputs("baton-trace: these are no rings\n", stderr);
		return -1;
	}
	r->seen = calloc(r->nrings, sizeof(*r->seen));
	return r->seen ? 0 : -1;
}

static bool keep(struct events *all, const struct trace_entry *e,
		 uint32_t ring)
{
	if (all->n == all->room) {
		size_t more = all->room ? 2 * all->room : 4096;
		struct event *p;

		if (more > MAX_EVENTS)
			return false;
		p = realloc(all->all, more * sizeof(*p));
		if (!p)
			return false;
		all->all = p;
		all->room = more;
	}
	all->all[all->n] = (struct event){ .e = *e,
					   .ring = ring,
					   .order = (uint32_t)all->n };
	all->n++;
	return true;
}

/*
 * What ring @n has got since. Its writer does not wait: what it has written over
 * by the time that it was copied, or may be writing over now, is lost.
 */
static void drain(struct recording *r, uint32_t n)
{
	static struct trace_entry copy[TRACE_ENTRIES];
	const struct trace_ring *ring = &r->region->rings[n];
	uint64_t from = r->seen[n], first;
	uint64_t to = __atomic_load_n(&ring->count, __ATOMIC_ACQUIRE);

	if (to == from)
		return;
	if (to - from > TRACE_ENTRIES)
		from = to - TRACE_ENTRIES;
	for (uint64_t i = from; i != to; i++)
		copy[i % TRACE_ENTRIES] = ring->entries[i % TRACE_ENTRIES];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	first = __atomic_load_n(&ring->count, __ATOMIC_RELAXED) + 1;
	first = first > TRACE_ENTRIES ? first - TRACE_ENTRIES : 0;
	if (first < from)
		first = from;
	if (first > to)
		first = to;
	r->events.lost += first - r->seen[n];
	for (uint64_t i = first; i != to; i++)
		if (!keep(&r->events, &copy[i % TRACE_ENTRIES], n))
			r->events.lost++;
	r->seen[n] = to;
}

/* False: it was not, until now. */
static bool is_known(struct recording *r, uint64_t fiber)
{
	struct known **p = &r->known[(fiber >> 6) * 2654435761u % BUCKETS];

	for (; *p; p = &(*p)->next)
		if ((*p)->fiber == fiber)
			return true;
	*p = calloc(1, sizeof(**p));
	if (*p)
		(*p)->fiber = fiber;
	return false;
}

/* The process is asked about @fiber, which says what it is called, if it began
 * to be recorded too late to have been seen to be spawned. */
static void ask(struct recording *r, uint64_t fiber)
{
	struct fiber f = { 0 };

	if (!fiber || is_known(r, fiber) ||
	    !view_fiber(&r->target, (uintptr_t)fiber, &f))
		return;
	view_add(&r->begin, &f);
	target_function(&r->target, f.fn);
}

/* Names are asked for while the process is there to tell. */
static void drain_all(struct recording *r)
{
	size_t was = r->events.n;

	for (uint32_t i = 0; i < r->nrings; i++)
		drain(r, i);
	for (; was < r->events.n; was++) {
		const struct event *e = &r->events.all[was];

		if (event_type(e) == TRACE_CALL)
			target_function(&r->target, e->e.a);
		else if (event_type(e) == TRACE_SPAWN)
			target_function(&r->target, e->e.b);
		if (event_type(e) == TRACE_SPAWN)
			is_known(r, e->e.fiber);
		else
			ask(r, e->e.fiber);
		if (event_type(e) == TRACE_SWITCH)
			ask(r, e->e.a);
	}
}

static bool trace(const struct recording *r, uint32_t on)
{
	return target_write(&r->target,
			    r->target.at + offsetof(struct door, trace), &on,
			    sizeof(on));
}

/* 0, or -1. */
static int record(struct recording *r, int64_t end)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	if (!trace(r, TRACE_ON)) {
		perror("baton-trace: it cannot be switched on");
		return -1;
	}
	fputs("baton-trace: recording\n", stderr);
	while (!enough && now_ns() < end && trace(r, TRACE_ON)) {
		if (!r->region && map_rings(r)) {
			trace(r, 0);
			return -1;
		}
		if (r->region)
			drain_all(r);
		nanosleep(&pause, NULL);
	}
	trace(r, 0);
	if (r->region)
		drain_all(r);
	return 0;
}

/* --- the program ---------------------------------------------------------------- */

static int write_file(struct recording *r, const char *path)
{
	FILE *out = fopen(path, "we");
	bool well = out && timeline_write(out, &r->target, &r->events, &r->begin);

	if (out && fclose(out))
		well = false;
	if (!well) {
		fprintf(stderr, "baton-trace: %s: %s\n", path, strerror(errno));
		return 1;
	}
	printf("%s: %zu events, %" PRIu64 " lost\n", path, r->events.n,
	       r->events.lost);
	return usage_flush();
}

int main(int argc, char **argv)
{
	const struct sigaction on_stop = { .sa_handler = stop };
	const char *path = "baton-trace.json";
	static struct recording r;
	int64_t end = INT64_MAX;
	double seconds = 0;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, "d:o:", options, NULL)) != -1)
		switch (opt) {
		case 'd':
			seconds = usage_real("--duration", optarg, 0.001,
					     86400);
			break;
		case 'o':
			path = optarg;
			break;
		case 'h':
			usage_help(usage_text);
			return usage_flush();
		case 'V':
			printf("baton-trace %s\n", baton_version());
			return usage_flush();
		default:
			usage_try();
		}
	if (optind + 1 != argc)
		usage_error("one process is to be named: %s",
			    optind < argc ? argv[optind + 1] : "none was");
	if (target_open(&r.target,
			(pid_t)usage_number("PID", argv[optind], 4194304),
			true))
		return 1;
	sigaction(SIGINT, &on_stop, NULL);
	sigaction(SIGTERM, &on_stop, NULL);
	/* It is to be switched off in the other process in any case. */
	sigaction(SIGHUP, &on_stop, NULL);
	sigaction(SIGQUIT, &on_stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	view_take(&r.target, &r.begin);
	for (size_t i = 0; i < r.begin.nfibers; i++) {
		is_known(&r, r.begin.fibers[i].at);
		target_function(&r.target, r.begin.fibers[i].fn);
	}
	if (seconds > 0)
		end = now_ns() + (int64_t)(seconds * 1e9);
	ret = record(&r, end) ? 1 : write_file(&r, path);
	view_free(&r.begin);
	free(r.events.all);
	free(r.seen);
	target_close(&r.target);
	return ret;
}
