// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* cmd_wait.c - chan, select, timer: what waiting costs. */
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

#define SLEEPERS 100000u
/* From one to the next; and to the first one, for all to be started. */
#define APART_NS 50000
#define START_NS (2 * BATON_SEC)

/**
 * struct waiting - one case while it runs
 * @c:      the case
 * @nprocs: processors
 * @loops:  what is measured, and its reference, if it has one
 * @nloops: how many of them there are
 * @rows:   the results
 * @wrong:  operations that failed, or results that were not as expected
 */
struct waiting {
	const struct bench_case *c;
	unsigned int nprocs;
	struct bench_loop loops[2];
	unsigned int nloops;
	struct bench_row rows[2];
	_Atomic uint64_t wrong;
};

/* --- chan: round trips -------------------------------------------------- */

/**
 * struct trips - two channels, of which each side receives from one
 * @w:        the case
 * @ch:       the channels; the other side receives from the first
 * @n:        round trips
 * @deadline: of each wait
 */
struct trips {
	struct waiting *w;
	struct baton_chan ch[2];
	uint64_t n;
	int64_t deadline;
};

static void *answer_fiber(void *arg)
{
	struct trips *t = arg;
	uint64_t value;

	for (uint64_t i = 0; i < t->n; i++)
		if (baton_chan_recv_until(&t->ch[0], &value, t->deadline) ||
		    baton_chan_send_until(&t->ch[1], &value, t->deadline))
			t->w->wrong++;
	return NULL;
}

static void trips(struct waiting *w, uint64_t n, int64_t deadline)
{
	struct trips t = {.w = w, .n = n, .deadline = deadline};
	struct baton_fiber *other;
	uint64_t value;

	for (int i = 0; i < 2; i++)
		baton_chan_init(&t.ch[i], sizeof(value), 0, NULL);
	if (baton_spawn(&other, NULL, answer_fiber, &t)) {
		w->wrong++;
		return;
	}
	for (uint64_t i = 0; i < n; i++) {
		value = 0;
		if (baton_chan_send_until(&t.ch[0], &i, deadline) ||
		    baton_chan_recv_until(&t.ch[1], &value, deadline) ||
		    value != i)
			w->wrong++;
	}
	w->wrong += baton_join(other, NULL) != 0;
}

static void trips_body(void *ctx, uint64_t n)
{
	trips(ctx, n, BATON_NEVER);
}

/* Each wait starts a timer, and stops it. */
static void deadlines_body(void *ctx, uint64_t n)
{
	trips(ctx, n, baton_now() + 1000 * BATON_SEC);
}

/* --- select ------------------------------------------------------------- */

/**
 * struct choices - two channels that hold one element together
 * @w:  the case
 * @ch: the channels
 * @n:  selects of each fiber
 */
struct choices {
	struct waiting *w;
	struct baton_chan ch[2];
	uint64_t n;
};

/* Take an element from wherever there is one, and put it elsewhere. */
static void *choose_fiber(void *arg)
{
	struct choices *s = arg;
	uint64_t value = 0;
	struct baton_case cases[2] = {
		{.kind = BATON_CASE_RECV, .object = &s->ch[0], .elem = &value},
		{.kind = BATON_CASE_RECV, .object = &s->ch[1], .elem = &value},
	};

	for (uint64_t i = 0; i < s->n; i++) {
		int got = baton_select(cases, 2, BATON_NEVER);

		if (got < 0 || baton_chan_send(&s->ch[!got], &value)) {
			s->w->wrong++;
			break;
		}
	}
	return NULL;
}

static void choices_body(void *ctx, uint64_t n)
{
	struct waiting *w = ctx;
	struct choices s = {.w = w, .n = n};
	uint64_t buffer[2][2], value = 0;
	struct baton_fiber *other[2];

	for (unsigned int i = 0; i < 2; i++)
		baton_chan_init(&s.ch[i], sizeof(value), 2, buffer[i]);
	for (unsigned int i = 0; i < w->nprocs; i++)
		w->wrong += baton_chan_send(&s.ch[i], &value) != 0;
	for (unsigned int i = 1; i < w->nprocs; i++) {
		if (baton_spawn(&other[i], NULL, choose_fiber, &s)) {
			w->wrong++;
			return;
		}
	}
	choose_fiber(&s);
	for (unsigned int i = 1; i < w->nprocs; i++)
		w->wrong += baton_join(other[i], NULL) != 0;
}

/* --- all of these ------------------------------------------------------- */

static void *first_fiber(void *arg)
{
	struct waiting *w = arg;

	bench_measure(w->loops, w->nloops);
	for (unsigned int i = 0; i < w->nloops; i++) {
		bench_row_init(&w->rows[i], w->c, w->loops[i].ops);
		bench_row_set(&w->rows[i], BENCH_NS_PER_OP, w->loops[i].median);
	}
	if (w->nloops > 1) {
		w->rows[1].tier = "reference";
		bench_row_set(&w->rows[0], BENCH_OVERHEAD_NS,
			      w->loops[0].median - w->loops[1].median);
	}
	return NULL;
}

static int run(struct waiting *w, const struct bench_case *c)
{
	w->c = c;
	w->nprocs = (unsigned int)(uintptr_t)c->data;
	for (unsigned int i = 0; i < w->nloops; i++)
		w->loops[i].ctx = w;
	if (bench_run(w->nprocs, first_fiber, w))
		return -1;
	if (w->wrong)
		return bench_fail(c, "%llu operations went wrong",
				  (unsigned long long)w->wrong);
	for (unsigned int i = 0; i < w->nloops; i++)
		bench_row_print(&w->rows[i]);
	return 0;
}

static int run_chan(const struct bench_case *c)
{
	struct waiting w = {
		.nloops = 1,
		.loops = {{.body = trips_body, .per = 1}},
	};

	return run(&w, c);
}

static int run_select(const struct bench_case *c)
{
	struct waiting w = {
		.nloops = 1,
		.loops = {{.body = choices_body, .per = (uintptr_t)c->data}},
	};

	return run(&w, c);
}

static int run_timer(const struct bench_case *c)
{
	struct waiting w = {
		.nloops = 2,
		.loops = {{.body = deadlines_body, .per = 2},
			  {.body = trips_body, .per = 2}},
	};

	return run(&w, c);
}

/* --- timer late: many sleepers ------------------------------------------ */

/**
 * struct sleepers - many fibers that sleep at once
 * @c:       the case
 * @samples: how late each of them woke
 * @row:     the result
 * @start:   when the first one is to wake
 * @next:    the number of the next one
 * @early:   how many woke early
 * @n:       how many there are
 */
struct sleepers {
	const struct bench_case *c;
	struct bench_samples samples;
	struct bench_row row;
	int64_t start;
	_Atomic unsigned int next;
	_Atomic unsigned int early;
	unsigned int n;
};

static void *sleep_fiber(void *arg)
{
	struct sleepers *s = arg;
	unsigned int me = s->next++;
	int64_t until = s->start + (int64_t)me * APART_NS, now;

	baton_sleep_until(until);
	now = baton_now();
	s->early += now < until;
	s->samples.ns[me] = now < until ? 0 : (uint64_t)(now - until);
	return NULL;
}

static void *sleepers_fiber(void *arg)
{
	struct sleepers *s = arg;
	unsigned int max = (unsigned int)s->samples.size;
	struct baton_fiber **fibers = calloc(max, sizeof(*fibers));
	struct baton_attr *attr;

	if (!fibers || baton_attr_create(&attr))
		return NULL;
	baton_attr_set_stack_size(attr, 16384);
	/* As many as the system lets us have. */
	s->start = baton_now() + START_NS;
	while (s->n < max && !baton_spawn(&fibers[s->n], attr, sleep_fiber, s))
		s->n++;
	for (unsigned int i = 0; i < s->n; i++)
		baton_join(fibers[i], NULL);
	baton_attr_destroy(attr);
	free(fibers);
	bench_row_init(&s->row, s->c, 0);
	return NULL;
}

static int run_late(const struct bench_case *c)
{
	struct sleepers s = {.c = c};
	int ret = -1;

	if (bench_samples_init(&s.samples, bench_opts.trials ?
						   bench_opts.trials :
						   SLEEPERS))
		return bench_fail(c, "out of memory");
	if (!bench_run(bench_opts.nprocs, sleepers_fiber, &s)) {
		s.samples.n = s.n;
		if (!s.n || s.early) {
			bench_fail(c, "of %u sleepers %u woke early", s.n,
				   s.early);
		} else {
			bench_samples_row(&s.samples, &s.row);
			bench_row_print(&s.row);
			ret = 0;
		}
	}
	bench_samples_uninit(&s.samples);
	return ret;
}

const struct bench_case bench_wait_cases[] = {
	{"chan", "1w", run_chan, (void *)1},
	{"chan", "2w", run_chan, (void *)2},
	{"select", "1w", run_select, (void *)1},
	{"select", "2w", run_select, (void *)2},
	{"timer", "1w", run_timer, (void *)1},
	{"timer", "2w", run_timer, (void *)2},
	{"timer", "late", run_late, NULL},
	{.name = NULL}};
