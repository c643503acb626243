// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_lock.c - lock: a fiber that is locked to its thread and a free one take
 * turns. The reference: two threads do, by a futex each.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/**
 * struct turns - what two sides share
 * @other: the fibers; [1] is locked
 * @turn:  whose it is
 * @flag:  the threads' futexes: 1 it may go on
 * @n:     turns of each
 * @wrong: calls that failed
 */
struct turns {
	struct baton_fiber *other[2];
	_Atomic int turn;
	_Atomic uint32_t flag[2];
	uint64_t n;
	uint64_t wrong;
};

struct locking {
	const struct bench_case *c;
	struct bench_loop loops[2];
	struct bench_row rows[2];
	uint64_t wrong;
};

static void fibers_play(struct turns *t, int me)
{
	for (uint64_t i = 0; i < t->n; i++) {
		while (t->turn != me)
			t->wrong += baton_park() != 0;
		t->turn = !me;
		t->wrong += baton_ready(t->other[!me]) != 0;
	}
}

static void *locked_fiber(void *arg)
{
	struct turns *t = arg;

	t->wrong += baton_thread_lock() != 0;
	fibers_play(t, 1);
	/* Or its thread would end with it. */
	t->wrong += baton_thread_unlock() != 0;
	return NULL;
}

static void fibers_body(void *ctx, uint64_t n)
{
	struct locking *l = ctx;
	struct turns t = { .n = n };

	t.other[0] = baton_self();
	if (baton_spawn(&t.other[1], NULL, locked_fiber, &t)) {
		l->wrong++;
		return;
	}
	fibers_play(&t, 0);
	t.wrong += baton_join(t.other[1], NULL) != 0;
	l->wrong += t.wrong;
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static void threads_play(struct turns *t, int me)
{
	for (uint64_t i = 0; i < t->n; i++) {
		while (!atomic_exchange(&t->flag[me], 0))
			futex(&t->flag[me], FUTEX_WAIT_PRIVATE, 0);
		t->flag[!me] = 1;
		futex(&t->flag[!me], FUTEX_WAKE_PRIVATE, 1);
	}
}

static void *other_thread(void *arg)
{
	threads_play(arg, 1);
	return NULL;
}

/* The main one is this worker, which has nothing else to do. */
static void threads_body(void *ctx, uint64_t n)
{
	struct locking *l = ctx;
	struct turns t = { .flag = { 1, 0 }, .n = n };
	pthread_t thread;

	if (pthread_create(&thread, NULL, other_thread, &t)) {
		l->wrong++;
		return;
	}
	threads_play(&t, 0);
	pthread_join(thread, NULL);
}

static void *first_fiber(void *arg)
{
	struct locking *l = arg;

	bench_measure(l->loops, 2);
	for (int i = 0; i < 2; i++) {
		bench_row_init(&l->rows[i], l->c, l->loops[i].ops);
		bench_row_set(&l->rows[i], BENCH_NS_PER_OP, l->loops[i].median);
	}
	l->rows[0].tier = "reference";
	bench_row_set(&l->rows[1], BENCH_RATIO,
		      l->loops[1].median / l->loops[0].median);
	return NULL;
}

static int run_ping_pong(const struct bench_case *c)
{
	struct locking l = {
		.c = c,
		.loops = { { .body = threads_body }, { .body = fibers_body } },
	};

	for (int i = 0; i < 2; i++) {
		l.loops[i].ctx = &l;
		l.loops[i].per = 1;
	}
	if (bench_run(1, first_fiber, &l))
		return -1;
	if (l.wrong)
		return bench_fail(c, "turns that failed");
	bench_row_print(&l.rows[1]);
	bench_row_print(&l.rows[0]);
	return 0;
}

const struct bench_case bench_lock_cases[] = {
	{ .scenario = "lock", .name = "ping-pong", .run = run_ping_pong },
	{ .name = NULL }
};
