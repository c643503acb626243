// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* storm.c - turns of fibers and threads that do the same. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "client.h"
#include "storm.h"

#define TURNS		5u
#define STORM_CPUS	16u

static const char handoff_env[] = "BATON_HANDOFF";

static void work(struct storm *s, bool fiber)
{
	unsigned int me = s->next++;
	uint64_t n = 0;

	while (bench_now() < s->until) {
		if (s->once(s, me, fiber)) {
			s->wrong++;
			break;
		}
		n++;
	}
	s->done += n;
}

static void *fiber_work(void *arg)
{
	work(arg, true);
	return NULL;
}

static void *thread_work(void *arg)
{
	work(arg, false);
	return NULL;
}

static void begin(struct storm *s)
{
	s->next = 0;
	s->done = 0;
	s->until = bench_now() + s->ns;
}

static void *first_fiber(void *arg)
{
	struct storm *s = arg;
	struct baton_fiber *fibers[s->workers];

	bench_row_init(&s->row[STORM_FIBERS], s->c, 0);
	begin(s);
	for (unsigned int i = 0; i < s->workers; i++) {
		if (baton_spawn(&fibers[i], NULL, fiber_work, s)) {
			fibers[i] = NULL;
			s->wrong++;
		}
	}
	for (unsigned int i = 0; i < s->workers; i++)
		if (fibers[i])
			baton_join(fibers[i], NULL);
	return NULL;
}

static void run_threads(struct storm *s)
{
	pthread_t threads[s->workers];
	unsigned int n = 0;

	begin(s);
	while (n < s->workers &&
	       !pthread_create(&threads[n], NULL, thread_work, s))
		n++;
	s->wrong += s->workers - n;
	while (n--)
		pthread_join(threads[n], NULL);
}

static void *nothing(void *arg)
{
	return arg;
}

/* A library that knows the variable refuses a value that is none. */
static bool can_be_off(void)
{
	static int known = -1;

	if (known < 0) {
		setenv(handoff_env, "neither", 1);
		known = baton_run(NULL, nothing, NULL, NULL) == -EINVAL;
		unsetenv(handoff_env);
	}
	return known;
}

static int turn(struct storm *s, int side, unsigned int i)
{
	int ret = 0;

	if (side == STORM_OFF)
		setenv(handoff_env, "off", 1);
	if (side == STORM_THREADS)
		run_threads(s);
	else
		ret = bench_run(s->nprocs, first_fiber, s);
	if (side == STORM_OFF)
		unsetenv(handoff_env);
	if (!ret && s->wrong)
		ret = bench_fail(s->c, "%u calls failed", s->wrong);
	s->rate[side][i] = (double)s->done * 1e9 /
			   (double)(bench_now() - (s->until - s->ns));
	s->n[side] += s->done;
	return ret;
}

static void print(struct storm *s, int nsides)
{
	static const char *const tiers[] = {
		[STORM_THREADS] = "threads",
		[STORM_OFF] = "off",
	};
	struct bench_row *ours = &s->row[STORM_FIBERS];

	for (int side = 0; side < nsides; side++) {
		if (side) {
			s->row[side] = *ours;
			s->row[side].have = 0;
			s->row[side].tier = tiers[side];
		}
	}
	bench_row_set(ours, BENCH_RATIO_THREADS,
		      bench_median_ratio(s->rate[STORM_FIBERS],
					 s->rate[STORM_THREADS], s->turns));
	if (nsides > STORM_OFF)
		bench_row_set(ours, BENCH_RATIO_OFF,
			      bench_median_ratio(s->rate[STORM_FIBERS],
						 s->rate[STORM_OFF],
						 s->turns));
	for (int side = 0; side < nsides; side++) {
		s->row[side].n = s->n[side];
		bench_row_set(&s->row[side], BENCH_RATE,
			      bench_median(s->rate[side], s->turns));
		bench_row_print(&s->row[side]);
	}
}

static int all_turns(struct storm *s)
{
	static bool said;
	int nsides = s->off && can_be_off() ? STORM_NSIDES : STORM_OFF;

	for (unsigned int i = 0; i < s->turns; i++)
		for (int side = 0; side < nsides; side++)
			if (turn(s, side, i))
				return -1;
	if (s->off && nsides <= STORM_OFF && !said) {
		said = true;
		bench_note(s->c,
			   "no ratio_off: this library cannot switch hand-off off");
	}
	print(s, nsides);
	return 0;
}

/* All but @turns and what follows is set. Return: 0; -1 having said why not. */
int storm_run(struct storm *s)
{
	cpu_set_t before;
	int cpus[STORM_CPUS], slack = prctl(PR_GET_TIMERSLACK), ret;

	if (bench_cpus(cpus, STORM_CPUS) < s->nprocs) {
		bench_note(s->c, "left out: there are fewer CPUs");
		return 0;
	}
	s->turns = bench_opts.trials ? bench_opts.trials : TURNS;
	if (s->turns > STORM_TURNS)
		s->turns = STORM_TURNS;
	if (bench_opts.time_ms)
		s->ns = bench_opts.time_ms * BENCH_MSEC;
	sched_getaffinity(0, sizeof(before), &before);
	bench_pin(cpus, s->nprocs);
	/* A block of 2 us is to last that long. Other threads inherit it. */
	prctl(PR_SET_TIMERSLACK, 1);
	ret = all_turns(s);
	prctl(PR_SET_TIMERSLACK, slack);
	sched_setaffinity(0, sizeof(before), &before);
	return ret;
}
