/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * storm.h - the same work done by many fibers on few processors, and by as many
 * threads on as many CPUs: how often they do it in a while.
 */
#ifndef BATON_BENCH_STORM_H
#define BATON_BENCH_STORM_H

#include "bench.h"

#define STORM_TURNS	50u

/* Fibers first, then what to compare them with */
enum { STORM_FIBERS, STORM_THREADS, STORM_OFF, STORM_NSIDES };

/**
 * struct storm - one case while it runs
 * @c:        the case
 * @workers:  how many fibers or threads there are
 * @nprocs:   on how many processors or CPUs
 * @ns:       for how long in each turn
 * @once:     what is done: by the worker of number @i, in a fiber or not
 * @off:      also with hand-off switched off, if the library can
 * @turns:    how many each side has
 * @until:    when the turn ends
 * @next:     the number of the next worker
 * @done:     how often it was done in the turn
 * @wrong:    calls that failed
 * @rate:     of all turns, how often in a second
 * @n:        how often in all
 * @row:      the results
 */
struct storm {
	const struct bench_case *c;
	unsigned int workers;
	unsigned int nprocs;
	uint64_t ns;
	int (*once)(struct storm *s, unsigned int i, bool fiber);
	bool off;
	unsigned int turns;
	uint64_t until;
	_Atomic unsigned int next;
	_Atomic uint64_t done;
	_Atomic unsigned int wrong;
	double rate[STORM_NSIDES][STORM_TURNS];
	uint64_t n[STORM_NSIDES];
	struct bench_row row[STORM_NSIDES];
};

int storm_run(struct storm *s);

/* slow.c - memory whose pages come late */
struct slow;

struct slow *slow_create(size_t pages, uint64_t ns, int cpu);
struct slow *slow_create_file(size_t pages, const char *dir);
void slow_destroy(struct slow *m);
int slow_touch(struct slow *m, size_t page);

#endif /* BATON_BENCH_STORM_H */
