// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* cmd_mutex.c - mutex: what a free one costs, and one that others want. */
#include <pthread.h>

#include "bench.h"

#define FIBERS	4

/**
 * struct locking - one case while it runs
 * @c:      the case
 * @loops:  what is measured, and the reference if the case has one
 * @rows:   their results
 * @mutex:  the mutex
 * @plain:  the reference's
 * @n:      rounds of each fiber
 * @inside: of the mutex: the rounds that were made
 * @wrong:  operations that failed
 */
struct locking {
	const struct bench_case *c;
	struct bench_loop loops[2];
	struct bench_row rows[2];
	struct baton_mutex mutex;
	pthread_mutex_t plain;
	uint64_t n;
	uint64_t inside;
	uint64_t wrong;
};

/* How a case is run. */
struct setting {
	unsigned int nprocs;
	uint64_t per;
	void (*body)(void *ctx, uint64_t n);
	void (*reference)(void *ctx, uint64_t n);
};

static void free_body(void *ctx, uint64_t n)
{
	struct locking *l = ctx;

	while (n--)
		if (baton_mutex_lock(&l->mutex) || baton_mutex_unlock(&l->mutex))
			l->wrong++;
}

static void plain_body(void *ctx, uint64_t n)
{
	struct locking *l = ctx;

	while (n--)
		if (pthread_mutex_lock(&l->plain) ||
		    pthread_mutex_unlock(&l->plain))
			l->wrong++;
}

/* Whoever has it lets the others come, so that they wait for it. */
static void *wants_it(void *arg)
{
	struct locking *l = arg;

	for (uint64_t i = 0; i < l->n; i++) {
		if (baton_mutex_lock(&l->mutex))
			return arg;
		l->inside++;
		if (baton_mutex_unlock(&l->mutex))
			return arg;
	}
	return NULL;
}

/*
 * The mutex is locked until all wait for it: from then on each unlock hands it
 * over, and each lock waits.
 */
static void contended_body(void *ctx, uint64_t n)
{
	struct baton_fiber *fibers[FIBERS];
	struct locking *l = ctx;

	l->n = n;
	l->inside = 0;
	if (baton_mutex_lock(&l->mutex))
		l->wrong++;
	for (int i = 0; i < FIBERS; i++)
		if (baton_spawn(&fibers[i], NULL, wants_it, l))
			fibers[i] = NULL;
	baton_yield();
	if (baton_mutex_unlock(&l->mutex))
		l->wrong++;
	for (int i = 0; i < FIBERS; i++) {
		void *failed = l;

		if (!fibers[i] || baton_join(fibers[i], &failed) || failed)
			l->wrong++;
	}
	if (l->inside != FIBERS * n)
		l->wrong++;
}

static void *first_fiber(void *arg)
{
	struct locking *l = arg;
	int n = l->loops[1].body ? 2 : 1;

	bench_measure(l->loops, n);
	for (int i = 0; i < n; i++) {
		bench_row_init(&l->rows[i], l->c, l->loops[i].ops);
		bench_row_set(&l->rows[i], BENCH_NS_PER_OP, l->loops[i].median);
	}
	if (n == 2) {
		l->rows[1].tier = "reference";
		bench_row_set(&l->rows[0], BENCH_RATIO,
			      l->loops[0].median / l->loops[1].median);
	}
	return NULL;
}

static int run(const struct bench_case *c)
{
	const struct setting *set = c->data;
	struct locking l = {
		.c = c,
		.loops = { { .body = set->body, .per = set->per },
			   { .body = set->reference, .per = set->per } },
		.mutex = BATON_MUTEX_INIT,
		.plain = PTHREAD_MUTEX_INITIALIZER,
	};

	l.loops[0].ctx = &l;
	l.loops[1].ctx = &l;
	if (bench_run(set->nprocs, first_fiber, &l))
		return -1;
	if (l.wrong)
		return bench_fail(c, "%llu operations went wrong",
				  (unsigned long long)l.wrong);
	bench_row_print(&l.rows[0]);
	if (set->reference)
		bench_row_print(&l.rows[1]);
	return 0;
}

static const struct setting uncontended = { 1, 1, free_body, plain_body };
static const struct setting one = { 1, FIBERS, contended_body, NULL };
static const struct setting two = { 2, FIBERS, contended_body, NULL };

const struct bench_case bench_mutex_cases[] = {
	{ .scenario = "mutex", .name = "free", .run = run,
	  .data = &uncontended },
	{ .scenario = "mutex", .name = "1w", .run = run, .data = &one },
	{ .scenario = "mutex", .name = "2w", .run = run, .data = &two },
	{ .name = NULL }
};
