// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_callback.c - callbacks: nested, parked, with few workers, at the end. */
#include "common.h"

#include <pthread.h>

/* --- callbacks --------------------------------------------------------- */

struct nest {
	int depth, max, trace;
	struct baton_fiber *self;
	int helped;
};

static void *help(void *arg)
{
	struct nest *n = arg;

	/* Then it may end: it must not see before that it has been helped. */
	n->helped++;
	expect_eq(baton_ready(n->self), 0);
	return NULL;
}

static void nest_back(void *arg);

static void nest_foreign(void *arg)
{
	struct nest *n = arg;
	int depth = ++n->depth;
	volatile char room[512];

	memset((void *)room, depth, sizeof(room));
	expect_eq(baton_callback(nest_back, n), 0);
	expect_eq(n->depth, depth);
	for (size_t i = 0; i < sizeof(room); i++)
		expect_eq(room[i], (char)depth);
	n->depth--;
	errno = depth;
}

static void nest_back(void *arg)
{
	struct nest *n = arg;
	int depth = n->depth, helped = n->helped;

	expect(baton_self() == n->self);
	baton_yield();
	expect_eq(baton_spawn(NULL, NULL, help, n), 0);
	expect_eq(baton_park(), 0);
	expect_eq(n->helped, helped + 1);
	if (depth < n->max)
		expect_eq(baton_call(nest_foreign, n), depth + 1);
	baton_yield();
	expect_eq(n->depth, depth);
	n->trace++;
}

static void *nest_fiber(void *arg)
{
	struct nest n = { .max = (int)(intptr_t)arg, .self = baton_self() };

	expect_eq(baton_call(nest_foreign, &n), 1);
	expect_eq(n.trace, n.max);
	return NULL;
}

static void *nest_main(void *arg)
{
	struct baton_fiber *f[6];

	nest_fiber((void *)1);
	nest_fiber((void *)50);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(nest_fiber, (void *)(10 * i + 1));
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(nested)
{
	run_on(nprocs_list[_i], nest_main, NULL);
}
END_TEST

static struct { int parked, resumed; } pk;

static void park_back(void *arg)
{
	pthread_t self = pthread_self();

	add(&pk.parked, 1);
	while (!load((int *)arg))
		expect_eq(baton_park(), 0);
	/* Its foreign frames are on this thread's stack. */
	expect(pthread_equal(self, pthread_self()));
	add(&pk.resumed, 1);
}

struct parker {
	int go;
	struct baton_fiber *fiber;
};

static void park_foreign(void *arg)
{
	pthread_t self = pthread_self();
	volatile char room[256];

	memset((void *)room, 0x5a, sizeof(room));
	expect_eq(baton_callback(park_back, arg), 0);
	expect(pthread_equal(self, pthread_self()));
	for (size_t i = 0; i < sizeof(room); i++)
		expect_eq(room[i], 0x5a);
}

static void *park_fiber(void *arg)
{
	expect_eq(baton_call(park_foreign, arg), 0);
	return NULL;
}

static void empty(void *arg)
{
	add((int *)arg, 1);
}

static void *caller_fiber(void *arg)
{
	for (int i = 0; i < 100; i++) {
		expect_eq(baton_call(empty, arg), 0);
		baton_yield();
	}
	return NULL;
}

/* Their workers cannot run anything else meanwhile; others must. */
static void *parked_main(void *arg)
{
	struct parker p[12] = { 0 };
	struct baton_fiber *c[4];
	int calls = 0;

	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		p[i].fiber = spawn(park_fiber, &p[i]);
	while (load(&pk.parked) < (int)ARRAY_SIZE(p))
		baton_yield();
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		c[i] = spawn(caller_fiber, &calls);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		join(c[i]);
	expect_eq(calls, 400);
	expect_eq(pk.resumed, 0);
	/* In an order other than that of their coming. */
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		size_t j = (i * 5 + 3) % ARRAY_SIZE(p);

		store(&p[j].go, 1);
		baton_ready(p[j].fiber);
		if (i % 2)
			join(p[j].fiber);
	}
	for (size_t i = 0; i < ARRAY_SIZE(p); i += 2)
		join(p[(i * 5 + 3) % ARRAY_SIZE(p)].fiber);
	expect_eq(pk.resumed, ARRAY_SIZE(p));
	return arg;
}

START_TEST(callbacks_park)
{
	run_on(nprocs_list[_i], parked_main, NULL);
}
END_TEST

/* The processor is with somebody else when foreign code calls back. */
struct taken {
	int fd[2], stop, back;
};

static void taken_back(void *arg)
{
	struct taken *t = arg;

	expect_eq(baton_yield(), 0);
	t->back++;
}

static void taken_foreign(void *arg)
{
	struct taken *t = arg;
	char c;

	expect_eq(read(t->fd[0], &c, 1), 1);
	for (int i = 0; i < 3; i++)
		expect_eq(baton_callback(taken_back, t), 0);
}

static void *taken_other(void *arg)
{
	struct taken *t = arg;

	expect_eq(write(t->fd[1], "z", 1), 1);
	while (!load(&t->stop))
		baton_yield();
	return NULL;
}

static void *taken_main(void *arg)
{
	unsigned int rounds = scaled(100);
	struct taken t = { 0 };

	expect_eq(pipe(t.fd), 0);
	for (unsigned int i = 0; i < rounds; i++) {
		struct baton_fiber *f;

		store(&t.stop, 0);
		f = spawn(taken_other, &t);
		expect(baton_call(taken_foreign, &t) >= 0);
		store(&t.stop, 1);
		join(f);
	}
	expect_eq(t.back, rounds * 3);
	return arg;
}

START_TEST(processor_taken)
{
	run_on(nprocs_list[_i], taken_main, NULL);
}
END_TEST

/* Foreign code has an errno of its own: waiting for a processor leaves it. */
static void errno_foreign(void *arg)
{
	struct taken *t = arg;
	char c;

	expect_eq(read(t->fd[0], &c, 1), 1);
	errno = 4711;
	for (int i = 0; i < 3; i++) {
		expect_eq(baton_callback(taken_back, t), 0);
		expect_eq(errno, 4711);
	}
}

static void *errno_main(void *arg)
{
	unsigned int rounds = scaled(100);
	struct taken t = { 0 };

	expect_eq(pipe(t.fd), 0);
	for (unsigned int i = 0; i < rounds; i++) {
		struct baton_fiber *f;

		store(&t.stop, 0);
		f = spawn(taken_other, &t);
		expect_eq(baton_call(errno_foreign, &t), 4711);
		store(&t.stop, 1);
		join(f);
	}
	return arg;
}

START_TEST(callback_keeps_errno)
{
	run_on(nprocs_list[_i], errno_main, NULL);
}
END_TEST

/* --- few workers ------------------------------------------------------- */

static void short_block(void *arg)
{
	struct timespec ts = { .tv_nsec = 200000 };

	nanosleep(&ts, NULL);
	add((int *)arg, 1);
}

static void yield_back(void *arg)
{
	baton_yield();
	add((int *)arg, 1);
	baton_yield();
}

static void block_and_back(void *arg)
{
	short_block(arg);
	expect_eq(baton_callback(yield_back, arg), 0);
}

static void *capped_fiber(void *arg)
{
	unsigned int rounds = scaled(20);

	for (unsigned int i = 0; i < rounds; i++) {
		expect(baton_call(short_block, arg) >= 0);
		expect(baton_call(block_and_back, arg) >= 0);
		baton_yield();
	}
	return NULL;
}

static void *capped_main(void *arg)
{
	unsigned int cap = (unsigned int)(uintptr_t)arg;
	struct baton_fiber *f[10];
	struct baton_stats st;
	int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(capped_fiber, &count);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	expect_eq(count, ARRAY_SIZE(f) * scaled(20) * 3);
	expect_eq(baton_stats(&st, sizeof(st)), 0);
	expect(st.workers_max <= cap);
	return NULL;
}

START_TEST(few_workers)
{
	unsigned int cap = 1 + (unsigned int)_i % 3;

	run_with(1 + (unsigned int)_i / 3, cap, capped_main,
		 (void *)(uintptr_t)cap);
}
END_TEST

/* All workers pinned by callbacks that park; a plain thread readies them. */
static struct { int stop; struct parker p[6]; } waker;

static void *wake_all(void *arg)
{
	while (!load(&waker.stop))
		for (size_t i = 0; i < ARRAY_SIZE(waker.p); i++) {
			struct baton_fiber *f = load(&waker.p[i].fiber);

			/* Not once it may be joined. */
			if (f && load(&waker.p[i].go) < 10)
				baton_ready(f);
			sched_yield();
		}
	return arg;
}

static void pinned_back(void *arg)
{
	struct parker *p = arg;

	expect_eq(baton_park(), 0);
	baton_yield();
	add(&p->go, 1);
}

static void pinned_foreign(void *arg)
{
	expect_eq(baton_callback(pinned_back, arg), 0);
}

static void *pinned_fiber(void *arg)
{
	struct parker *p = arg;

	store(&p->fiber, baton_self());
	while (load(&p->go) < 9)
		expect(baton_call(pinned_foreign, p) >= 0);
	/* Nobody readies it from here on. */
	store(&p->fiber, NULL);
	return NULL;
}

static void *pinned_main(void *arg)
{
	pthread_t thread;

	expect(!pthread_create(&thread, NULL, wake_all, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(waker.p); i++)
		baton_spawn(NULL, NULL, pinned_fiber, &waker.p[i]);
	for (size_t i = 0; i < ARRAY_SIZE(waker.p); i++)
		while (load(&waker.p[i].go) < 9)
			baton_yield();
	store(&waker.stop, 1);
	pthread_join(thread, NULL);
	return arg;
}

START_TEST(few_workers_parked)
{
	run_with(1 + (unsigned int)_i / 3, 1 + (unsigned int)_i % 3,
		 pinned_main, NULL);
}
END_TEST

/* --- the end ----------------------------------------------------------- */

struct late {
	int fd[2], in, err, calls, back;
};

static void late_back(void *arg)
{
	add((int *)arg, 1);
}

static void late_foreign(void *arg)
{
	struct late *l = arg;
	char c;

	store(&l->in, 1);
	expect_eq(read(l->fd[0], &c, 1), 1);
	while (!l->err)
		l->err = baton_callback(late_back, &l->back);
}

static void *late_fiber(void *arg)
{
	baton_call(late_foreign, arg);
	/* Gone meanwhile: it never comes back here and on. */
	for (;;)
		baton_yield();
	return NULL;
}

static void *late_main(void *arg)
{
	struct late *l = arg;

	baton_spawn(NULL, NULL, late_fiber, l);
	yield_until(&l->in);
	expect_eq(write(l->fd[1], "s", 1), 1);
	return arg;
}

/* Foreign code outlives the first fiber, and calls back. */
START_TEST(stop_in_foreign_code)
{
	struct late l = { 0 };

	expect_eq(pipe(l.fd), 0);
	run_on(nprocs_list[_i], late_main, &l);
	expect_eq(l.err, -ESHUTDOWN);
}
END_TEST

static void parked_back(void *arg)
{
	store(&((struct late *)arg)->in, 1);
	for (;;)
		baton_park();
}

static void parked_foreign(void *arg)
{
	baton_callback(parked_back, arg);
}

static void *parked_fiber(void *arg)
{
	baton_call(parked_foreign, arg);
	return NULL;
}

static void *parked_stop_main(void *arg)
{
	struct late *l = arg;

	for (int i = 0; i < 3; i++) {
		store(&l->in, 0);
		baton_spawn(NULL, NULL, parked_fiber, arg);
		yield_until(&l->in);
	}
	return arg;
}

START_TEST(stop_in_callbacks)
{
	struct late l = { 0 };

	run_on(nprocs_list[_i], parked_stop_main, &l);
}
END_TEST

static void *call_for_ever(void *arg)
{
	struct late *l = arg;

	for (;;) {
		baton_call(empty, &l->calls);
		store(&l->in, 1);
	}
	return NULL;
}

static void *busy_main(void *arg)
{
	struct late *l = arg;

	baton_spawn(NULL, NULL, call_for_ever, l);
	while (!load(&l->in))
		baton_yield();
	return arg;
}

/* A foreign call is a scheduling point: this one ends there. */
START_TEST(stop_while_calling)
{
	struct late l = { 0 };

	run_on(2 + 2 * (unsigned int)_i, busy_main, &l);
	expect(l.calls > 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("callback");
	TCase *tc = test_case(s, "callback");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, nested, 0, n);
	tcase_add_loop_test(tc, callbacks_park, 0, n);
	tcase_add_loop_test(tc, processor_taken, 0, n);
	tcase_add_loop_test(tc, callback_keeps_errno, 0, n);
	tcase_add_loop_test(tc, few_workers, 0, 6);
	tcase_add_loop_test(tc, few_workers_parked, 0, 6);
	tcase_add_loop_test(tc, stop_in_foreign_code, 0, n);
	tcase_add_loop_test(tc, stop_in_callbacks, 0, n);
	tcase_add_loop_test(tc, stop_while_calling, 0, 2);
	return suite_main(s);
}
