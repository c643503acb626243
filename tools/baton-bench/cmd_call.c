// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_call.c - call and callback: what a foreign call costs that does nothing.
 *
 * The reference is an indirect call of the same function, which the compiler
 * can neither see into nor resolve.
 */
#include <pthread.h>
#include <semaphore.h>

#include "bench.h"

/* How deep the case nested goes. */
#define DEPTH	8

/**
 * struct calling - one case while it runs
 * @c:         the case
 * @loops:     [0] the reference, [1] ours
 * @rows:      their results
 * @callbacks: what is counted is callbacks, not calls
 * @done:      operations that our loop made
 * @counted:   the same as the library counted them
 * @wrong:     operations that failed, or results not as expected
 */
struct calling {
	const struct bench_case *c;
	struct bench_loop loops[2];
	struct bench_row rows[2];
	bool callbacks;
	uint64_t done;
	uint64_t counted;
	uint64_t wrong;
};

static void (*volatile empty_ptr)(void *arg) = bench_empty;

static uintptr_t (*volatile six_ptr)(uintptr_t a, uintptr_t b, uintptr_t c,
				     uintptr_t d, uintptr_t e, uintptr_t f) =
	bench_six;

static void indirect_body(void *ctx, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		empty_ptr(ctx);
}

static void call_body(void *ctx, uint64_t n)
{
	struct calling *s = ctx;
	int err = 0;

	for (uint64_t i = 0; i < n; i++)
		err |= baton_call(bench_empty, ctx);
	s->done += n;
	s->wrong += err != 0;
}

static void indirect_six_body(void *ctx, uint64_t n)
{
	struct calling *s = ctx;
	uintptr_t sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += six_ptr(i, 1, 2, 3, 4, 5);
	s->wrong += sum != n * (n - 1) / 2 + 15 * n;
}

static void call_six_body(void *ctx, uint64_t n)
{
	struct calling *s = ctx;
	uintptr_t sum = 0;
	int err, all = 0;

	for (uint64_t i = 0; i < n; i++) {
		sum += BATON_CALL(err, bench_six, i, 1, 2, 3, 4, 5);
		all |= err;
	}
	s->done += n;
	s->wrong += all || sum != n * (n - 1) / 2 + 15 * n;
}

struct callbacks {
	struct calling *s;
	uint64_t n;
};

static void foreign_loop(void *arg)
{
	struct callbacks *cb = arg;
	int err = 0;

	for (uint64_t i = 0; i < cb->n; i++)
		err |= baton_callback(bench_empty, cb);
	cb->s->wrong += err != 0;
}

/* One foreign call, @n callbacks in it. */
static void callback_body(void *ctx, uint64_t n)
{
	struct callbacks cb = { .s = ctx, .n = n };

	cb.s->wrong += baton_call(foreign_loop, &cb) != 0;
	cb.s->done += n;
}

/* DEPTH calls and callbacks, the one within the other; then @n callbacks. */
struct nested {
	struct callbacks cb;
	int depth;
};

static void nested_call(void *arg);

static void nested_back(void *arg)
{
	struct nested *d = arg;

	if (baton_call(nested_call, d))
		d->cb.s->wrong++;
}

static void nested_call(void *arg)
{
	struct nested *d = arg;

	if (++d->depth > DEPTH)
		foreign_loop(&d->cb);
	else if (baton_callback(nested_back, d))
		d->cb.s->wrong++;
}

static void nested_body(void *ctx, uint64_t n)
{
	struct nested d = { .cb = { .s = ctx, .n = n } };

	nested_back(&d);
	d.cb.s->done += n + DEPTH;
}

/* A thread that the library did not make. The fiber parks meanwhile. */
static struct {
	sem_t start;
	struct callbacks *work;
	struct baton_fiber *fiber;
	_Atomic bool done;
} outside;

static void *outside_thread(void *arg)
{
	for (;;) {
		while (sem_wait(&outside.start))
			;
		if (!outside.work)
			return arg;
		foreign_loop(outside.work);
		outside.done = true;
		baton_ready(outside.fiber);
	}
}

static void outside_body(void *ctx, uint64_t n)
{
	struct callbacks cb = { .s = ctx, .n = n };

	outside.work = &cb;
	outside.fiber = baton_self();
	outside.done = false;
	sem_post(&outside.start);
	while (!outside.done)
		baton_park();
	cb.s->done += n;
}

static uint64_t count_so_far(const struct calling *s)
{
	struct baton_stats st;

	if (baton_stats(&st, sizeof(st)))
		return 0;
	return s->callbacks ? st.callbacks : st.calls;
}

static void *first_fiber(void *arg)
{
	struct calling *s = arg;
	uint64_t before = count_so_far(s);

	bench_measure(s->loops, 2);
	s->counted = count_so_far(s) - before;
	for (int i = 0; i < 2; i++) {
		bench_row_init(&s->rows[i], s->c, s->loops[i].ops);
		bench_row_set(&s->rows[i], BENCH_NS_PER_OP,
			      s->loops[i].median);
	}
	s->rows[0].tier = "reference";
	bench_row_set(&s->rows[1], BENCH_OVERHEAD_NS,
		      s->loops[1].median - s->loops[0].median);
	return NULL;
}

static int run(struct calling *s)
{
	s->loops[0].ctx = s->loops[1].ctx = s;
	s->loops[0].per = s->loops[1].per = 1;
	if (bench_run(bench_opts.nprocs, first_fiber, s))
		return -1;
	if (s->wrong)
		return bench_fail(s->c, "calls failed or returned nonsense");
	if (s->done != s->counted)
		return bench_fail(s->c, "%llu made but %llu counted",
				  (unsigned long long)s->done,
				  (unsigned long long)s->counted);
	bench_row_print(&s->rows[1]);
	bench_row_print(&s->rows[0]);
	return 0;
}

static int run_empty(const struct bench_case *c)
{
	struct calling s = {
		.c = c,
		.loops = { { .body = indirect_body }, { .body = call_body } },
	};

	return run(&s);
}

static int run_args(const struct bench_case *c)
{
	struct calling s = {
		.c = c,
		.loops = {
			{ .body = indirect_six_body },
			{ .body = call_six_body },
		},
	};

	return run(&s);
}

static int run_callback(const struct bench_case *c)
{
	struct calling s = {
		.c = c,
		.loops = {
			{ .body = indirect_body },
			{ .body = callback_body },
		},
		.callbacks = true,
	};

	return run(&s);
}

static int run_nested(const struct bench_case *c)
{
	struct calling s = {
		.c = c,
		.loops = {
			{ .body = indirect_body },
			{ .body = nested_body },
		},
		.callbacks = true,
	};

	return run(&s);
}

static int run_foreign_thread(const struct bench_case *c)
{
	struct calling s = {
		.c = c,
		.loops = {
			{ .body = indirect_body },
			{ .body = outside_body },
		},
		.callbacks = true,
	};
	pthread_t thread;
	int ret;

	sem_init(&outside.start, 0, 0);
	if (pthread_create(&thread, NULL, outside_thread, NULL))
		return bench_fail(c, "no thread");
	ret = run(&s);
	outside.work = NULL;
	sem_post(&outside.start);
	pthread_join(thread, NULL);
	sem_destroy(&outside.start);
	return ret;
}

const struct bench_case bench_call_cases[] = {
	{ .scenario = "call", .name = "empty", .run = run_empty },
	{ .scenario = "call", .name = "args", .run = run_args },
	{ .scenario = "callback", .name = "empty", .run = run_callback },
	{ .scenario = "callback", .name = "nested", .run = run_nested },
	{ .scenario = "callback", .name = "foreign-thread",
	  .run = run_foreign_thread },
	{ .name = NULL }
};
