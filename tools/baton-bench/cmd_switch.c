// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* cmd_switch.c - yield, spawn, skynet: what fibers cost among themselves. */
#include <stdlib.h>

#include "bench.h"

#define BATCH	10000
#define LEAVES	UINT64_C(1000000)
#define CHILDREN	10

/**
 * struct switching - one case while it runs
 * @c:       the case
 * @loop:    what is measured
 * @row:     its result
 * @fibers:  handles of a batch
 * @wrong:   operations that failed, or results that were not as expected
 */
struct switching {
	const struct bench_case *c;
	struct bench_loop loop;
	struct bench_row row;
	struct baton_fiber **fibers;
	uint64_t wrong;
};

/* Not inlined: both fibers are to yield from the same place. */
__attribute__((noinline)) static void *yield_fiber(void *arg)
{
	uint64_t n = (uintptr_t)arg;
	uintptr_t done = 0;

	while (done < n && !baton_yield())
		done++;
	return (void *)done;
}

/* @n yields of the caller and as many of another fiber, in turns. */
static void yield_body(void *ctx, uint64_t n)
{
	struct switching *s = ctx;
	struct baton_fiber *other;
	void *mine, *theirs = NULL;

	if (baton_spawn(&other, NULL, yield_fiber, (void *)(uintptr_t)n)) {
		s->wrong++;
		return;
	}
	mine = yield_fiber((void *)(uintptr_t)n);
	s->wrong += baton_join(other, &theirs) != 0;
	s->wrong += (uintptr_t)mine != n || (uintptr_t)theirs != n;
}

static void *echo_fiber(void *arg)
{
	return arg;
}

static void join_body(void *ctx, uint64_t n)
{
	struct switching *s = ctx;
	struct baton_fiber *f;
	void *result;

	for (uint64_t i = 1; i <= n; i++) {
		result = NULL;
		if (baton_spawn(&f, NULL, echo_fiber, (void *)(uintptr_t)i) ||
		    baton_join(f, &result) || (uintptr_t)result != i)
			s->wrong++;
	}
}

static void spawn_batch(struct switching *s)
{
	for (uintptr_t i = 0; i < BATCH; i++) {
		if (baton_spawn(&s->fibers[i], NULL, echo_fiber,
				(void *)(i + 1))) {
			s->fibers[i] = NULL;
			s->wrong++;
		}
	}
}

static void join_batch(struct switching *s)
{
	void *result;

	for (uintptr_t i = 0; i < BATCH; i++) {
		result = NULL;
		if (!s->fibers[i] || baton_join(s->fibers[i], &result) ||
		    (uintptr_t)result != i + 1)
			s->wrong++;
	}
}

static void batch_body(void *ctx, uint64_t n)
{
	while (n--) {
		spawn_batch(ctx);
		join_batch(ctx);
	}
}

/* A node of the tree: the sum of the leaves @first to @first + @n - 1. */
struct node {
	uint64_t first;
	uint64_t n;
};

/* On 32 bits the sum wraps. */
static void *node_fiber(void *arg)
{
	const struct node *node = arg;
	struct node nodes[CHILDREN];
	struct baton_fiber *fibers[CHILDREN];
	uintptr_t sum = 0;

	if (node->n == 1)
		return (void *)(uintptr_t)node->first;
	for (unsigned int i = 0; i < CHILDREN; i++) {
		uint64_t n = node->n / CHILDREN;

		nodes[i] = (struct node) { node->first + i * n, n };
		if (baton_spawn(&fibers[i], NULL, node_fiber, &nodes[i]))
			fibers[i] = NULL;
	}
	for (unsigned int i = 0; i < CHILDREN; i++) {
		void *part = NULL;

		if (fibers[i] && !baton_join(fibers[i], &part))
			sum += (uintptr_t)part;
	}
	return (void *)sum;
}

/* A fiber that is missing makes the sum wrong. */
static void skynet_body(void *ctx, uint64_t n)
{
	struct switching *s = ctx;
	struct node root = { 0, LEAVES };

	while (n--)
		s->wrong += node_fiber(&root) !=
			    (void *)(uintptr_t)(LEAVES * (LEAVES - 1) / 2);
}

static void *first_fiber(void *arg)
{
	struct switching *s = arg;

	bench_measure(&s->loop, 1);
	bench_row_init(&s->row, s->c, s->loop.ops);
	bench_row_set(&s->row, BENCH_NS_PER_OP, s->loop.median);
	return NULL;
}

static int run(struct switching *s, unsigned int nprocs)
{
	s->loop.ctx = s;
	if (bench_run(nprocs, first_fiber, s))
		return -1;
	if (s->wrong)
		return bench_fail(s->c, "%llu operations went wrong",
				  (unsigned long long)s->wrong);
	bench_row_print(&s->row);
	return 0;
}

static int run_yield(const struct bench_case *c)
{
	struct switching s = {
		.c = c,
		.loop = { .body = yield_body, .per = 2 },
	};

	return run(&s, 1);
}

static int run_join(const struct bench_case *c)
{
	struct switching s = {
		.c = c,
		.loop = { .body = join_body, .per = 1 },
	};

	return run(&s, bench_opts.nprocs);
}

static int run_batch(const struct bench_case *c)
{
	struct switching s = {
		.c = c,
		.loop = { .body = batch_body, .per = BATCH },
	};
	int ret;

	s.fibers = calloc(BATCH, sizeof(struct baton_fiber *));
	if (!s.fibers)
		return bench_fail(c, "out of memory");
	ret = run(&s, bench_opts.nprocs);
	free(s.fibers);
	return ret;
}

/* On as many processors as the case says, or else the command line. */
static int run_skynet(const struct bench_case *c)
{
	const unsigned int *nprocs = c->data;
	struct switching s = {
		.c = c,
		.loop = { .body = skynet_body, .per = LEAVES },
	};

	return run(&s, nprocs ? *nprocs : bench_opts.nprocs);
}

static const unsigned int one = 1, two = 2;

const struct bench_case bench_switch_cases[] = {
	{ .scenario = "yield", .name = "pair", .run = run_yield },
	{ .scenario = "spawn", .name = "join", .run = run_join },
	{ .scenario = "spawn", .name = "batch", .run = run_batch },
	{ .scenario = "skynet", .name = "one", .run = run_skynet, .data = &one },
	{ .scenario = "skynet", .name = "two", .run = run_skynet, .data = &two },
	{ .scenario = "skynet", .name = "nprocs", .run = run_skynet },
	{ .name = NULL }
};
