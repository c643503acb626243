// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_storm.c - short, faults: many fibers that do nothing but block, against as
 * many threads.
 *
 * Blocks that are over before a processor could have been handed on are where
 * handing it on costs most, and gains least.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "storm.h"

#define BLOCKERS	16
#define FAULTERS	64
#define PAGES		16	/* of each, touched one after the other */
#define SHORT_NS	(200 * BENCH_MSEC)
#define FAULTS_NS	(500 * BENCH_MSEC)

/* --- short -------------------------------------------------------------- */

struct blocks {
	unsigned int us;
	unsigned int nprocs;
};

/* Of 0 us: enters the kernel, and comes back at once. */
static void block(void *arg)
{
	const struct blocks *b = arg;

	if (b->us)
		bench_sleep(b->us * UINT64_C(1000));
	else
		getppid();
}

static int block_once(struct storm *s, unsigned int i, bool fiber)
{
	void *arg = (void *)s->c->data;

	(void)i;
	if (fiber)
		return baton_call(block, arg) < 0 ? -1 : 0;
	block(arg);
	return 0;
}

static int run_short(const struct bench_case *c)
{
	const struct blocks *b = c->data;
	struct storm s = {
		.c = c,
		.workers = BLOCKERS,
		.nprocs = b->nprocs,
		.ns = SHORT_NS,
		.once = block_once,
		.off = true,
	};

	return storm_run(&s);
}

/* --- faults ------------------------------------------------------------- */

/**
 * struct faults - one case while it runs
 * @s:     the storm
 * @slow:  the pages
 * @next:  for each fiber or thread, which of its pages is next
 */
struct faults {
	struct storm s;
	struct slow *slow;
	unsigned int next[FAULTERS];
};

static int fault_once(struct storm *s, unsigned int i, bool fiber)
{
	struct faults *f = (struct faults *)s;

	(void)fiber;
	return slow_touch(f->slow, i * PAGES + f->next[i]++ % PAGES);
}

static int run_faults(const struct bench_case *c)
{
	const unsigned int *us = c->data;
	struct faults f = {
		.s = {
			.c = c,
			.workers = FAULTERS,
			.nprocs = 1,
			.ns = FAULTS_NS,
			.once = fault_once,
		},
	};
	int cpus[2], ret;
	unsigned int n = bench_cpus(cpus, 2);

	if (!us && !bench_opts.dir) {
		bench_note(c, "left out: --dir says in which folder, on a disk that is slow");
		return 0;
	}
	f.slow = us ? slow_create(FAULTERS * PAGES, *us * UINT64_C(1000),
				  cpus[n > 1]) :
		      slow_create_file(FAULTERS * PAGES, bench_opts.dir);
	if (!f.slow)
		return bench_fail(c, "%s: %s", us ? "userfaultfd" :
				  bench_opts.dir, strerror(errno));
	ret = storm_run(&f.s);
	slow_destroy(f.slow);
	return ret;
}

#define SHORT(us, nprocs)						\
	{ "short", #us "us-" #nprocs "p", run_short,			\
	  &(const struct blocks){ us, nprocs } }
#define SHORTS(nprocs)							\
	SHORT(0, nprocs), SHORT(2, nprocs), SHORT(5, nprocs),		\
	SHORT(7, nprocs), SHORT(10, nprocs), SHORT(20, nprocs),		\
	SHORT(50, nprocs), SHORT(100, nprocs), SHORT(500, nprocs),	\
	SHORT(5000, nprocs)

const struct bench_case bench_storm_cases[] = {
	SHORTS(1),
	SHORTS(2),
	{ "faults", "100us", run_faults, &(const unsigned int){ 100 } },
	{ "faults", "1ms", run_faults, &(const unsigned int){ 1000 } },
	{ "faults", "4ms", run_faults, &(const unsigned int){ 4000 } },
	{ "faults", "disk", run_faults, NULL },
	{ .name = NULL }
};
