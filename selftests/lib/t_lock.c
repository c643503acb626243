// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_lock.c - fibers that are locked to their threads. */
#include "common.h"

#include <pthread.h>

static __thread int mine;

/* Looked up anew each time: the compiler would keep its address over a yield. */
static __attribute__((noinline)) int get_mine(void)
{
	__asm__ volatile("");
	return mine;
}

static __attribute__((noinline)) void set_mine(int n)
{
	__asm__ volatile("");
	mine = n;
}

/* --- the rules ------------------------------------------------------------ */

static void *rules_main(void *arg)
{
	expect_eq(baton_thread_unlock(), -EINVAL);
	expect_eq(baton_thread_lock(), 0);
	expect_eq(baton_thread_lock(), 0);
	expect_eq(baton_thread_unlock(), 0);
	expect_eq(baton_thread_unlock(), 0);
	expect_eq(baton_thread_unlock(), -EINVAL);
	return arg;
}

START_TEST(rules)
{
	expect_eq(baton_thread_lock(), -EPERM);
	expect_eq(baton_thread_unlock(), -EPERM);
	run_on(nprocs_list[_i], rules_main, NULL);
}
END_TEST

/* --- it stays, and nobody else comes ---------------------------------------- */

static void noop(void *arg)
{
	(void)arg;
}

static void back(void *arg)
{
	baton_callback(noop, arg);
	baton_callback((void (*)(void *))(void (*)(void))baton_yield, arg);
}

static void *free_fiber(void *arg)
{
	int *locked = arg;

	while (load(locked)) {
		/* A locked one's thread is its own. */
		expect_eq(get_mine(), 0);
		baton_yield();
		expect(baton_call(noop, NULL) >= 0);
	}
	return NULL;
}

static void *locked_fiber(void *arg)
{
	int *locked = arg;
	pthread_t self;

	for (unsigned int r = 0; r < scaled(20); r++) {
		expect_eq(baton_thread_lock(), 0);
		self = pthread_self();
		expect_eq(get_mine(), 0);
		set_mine(1);
		for (int i = 0; i < 50; i++) {
			baton_yield();
			expect(pthread_equal(self, pthread_self()));
			if (i == 20)
				expect_eq(baton_thread_lock(), 0);
			if (i == 30)
				expect_eq(baton_thread_unlock(), 0);
			expect(baton_call(back, NULL) >= 0);
			expect(pthread_equal(self, pthread_self()));
		}
		set_mine(0);
		expect_eq(baton_thread_unlock(), 0);
		for (int i = 0; i < 10; i++)
			baton_yield();
	}
	/* It may end without unlocking: its thread ends with it. */
	expect_eq(baton_thread_lock(), 0);
	set_mine(1);
	add(locked, -1);
	return NULL;
}

static void *stays_main(void *arg)
{
	struct baton_fiber *f[10];
	int locked = 4;

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(i < 4 ? locked_fiber : free_fiber, &locked);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(stays)
{
	run_on(nprocs_list[_i], stays_main, NULL);
}
END_TEST

/* As many threads as there may be, all but one of them locked. */
static void *hold(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	for (int i = 0; i < 20; i++)
		baton_yield();
	add((int *)arg, 1);
	return NULL;
}

static void *few_main(void *arg)
{
	struct baton_fiber *f[7];
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(hold, &n);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	expect_eq(n, ARRAY_SIZE(f));
	return arg;
}

START_TEST(few_workers)
{
	run_with(nprocs_list[_i], 8, few_main, NULL);
}
END_TEST

/* --- within callbacks ----------------------------------------------------------- */

static void lock_in(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	*(pthread_t *)arg = pthread_self();
}

static void unlock_in(void *arg)
{
	expect_eq(baton_thread_unlock(), 0);
	expect(pthread_equal(*(pthread_t *)arg, pthread_self()));
	baton_yield();
	expect(pthread_equal(*(pthread_t *)arg, pthread_self()));
}

static void lock_cb(void *arg)
{
	baton_callback(lock_in, arg);
}

static void unlock_cb(void *arg)
{
	baton_callback(unlock_in, arg);
}

static void *within_fiber(void *arg)
{
	pthread_t t;

	for (unsigned int r = 0; r < scaled(100); r++) {
		expect_eq(baton_call(lock_cb, &t), 0);
		for (int i = 0; i < 10; i++) {
			baton_yield();
			expect(pthread_equal(t, pthread_self()));
		}
		expect_eq(baton_call(unlock_cb, &t), 0);
		baton_yield();
		expect_eq(baton_thread_unlock(), -EINVAL);
	}
	return arg;
}

static void *within_main(void *arg)
{
	struct baton_fiber *f[6];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(within_fiber, arg);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

/* A lock outlives the callback that took it; a callback outlives the lock. */
START_TEST(within_callbacks)
{
	run_on(nprocs_list[_i], within_main, NULL);
}
END_TEST

/* --- handing over ------------------------------------------------------------------ */

struct pair {
	struct baton_fiber *other[2];
	int turn, rounds;
	bool lock[2];
};

static void play(struct pair *p, int me)
{
	for (int i = 0; i < p->rounds; i++) {
		while (load(&p->turn) != me)
			expect_eq(baton_park(), 0);
		store(&p->turn, !me);
		expect_eq(baton_ready(p->other[!me]), 0);
	}
}

static void *player(void *arg)
{
	struct pair *p = arg;

	if (p->lock[1])
		expect_eq(baton_thread_lock(), 0);
	play(p, 1);
	return NULL;
}

static void *pair_main(void *arg)
{
	struct pair *p = arg;

	p->other[0] = baton_self();
	p->other[1] = spawn(player, p);
	if (p->lock[0])
		expect_eq(baton_thread_lock(), 0);
	play(p, 0);
	join(p->other[1]);
	return arg;
}

START_TEST(ping_pong)
{
	struct pair p = {
		.rounds = (int)scaled(5000),
		.lock = { _i & 1, _i & 2 },
	};

	run_on(1 + (unsigned int)(_i / 4), pair_main, &p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lock");
	TCase *tc = test_case(s, "lock");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, rules, 0, n);
	tcase_add_loop_test(tc, stays, 0, n);
	tcase_add_loop_test(tc, few_workers, 0, n);
	tcase_add_loop_test(tc, within_callbacks, 0, n);
	tcase_add_loop_test(tc, ping_pong, 0, 8);
	return suite_main(s);
}
