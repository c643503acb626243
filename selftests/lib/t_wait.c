// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_wait.c - sleeps, deadlines and cancels of what a fiber waits for. */
#include <pthread.h>
#include <signal.h>

#include "common.h"

/* Later than any test takes. */
#define LONG (1000 * BATON_SEC)

/* --- sleep --------------------------------------------------------------- */

static int64_t woken[4], begun;
static int order, late;

static void *sleeper(void *arg)
{
	intptr_t n = (intptr_t)arg;
	int64_t due = begun + n * 20 * BATON_MSEC;

	expect_eq(baton_sleep_until(due), 0);
	store(&woken[add(&order, 1) - 1], n);
	if (baton_now() - due > 10 * BATON_MSEC)
		store(&late, 1);
	return NULL;
}

static bool woken_in_order(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(woken); i++)
		if (load(&woken[i]) != i + 1)
			return false;
	return true;
}

static void *sleepers(void *arg)
{
	static const intptr_t times[] = {3, 1, 4, 2};
	struct baton_fiber *f[ARRAY_SIZE(times)];

	/* On a busy machine one of them may be late by what is between them. */
	do {
		begun = baton_now();
		store(&late, 0);
		store(&order, 0);
		for (unsigned int i = 0; i < ARRAY_SIZE(times); i++)
			f[i] = spawn(sleeper, (void *)times[i]);
		for (unsigned int i = 0; i < ARRAY_SIZE(times); i++)
			join(f[i]);
		expect(baton_now() - begun >= 80 * BATON_MSEC);
		expect(load(&late) || woken_in_order());
	} while (!woken_in_order());
	return arg;
}

START_TEST(in_order)
{
	run_on(nprocs_list[_i], sleepers, NULL);
}
END_TEST

/* None early; from none at all to what lies in the third level of a wheel. */
static void *not_early(void *arg)
{
	static const int64_t times[] = {
		0, 1, 1000, 16000, 20000, 100000, 1100000, 5000000, 70000000};

	for (unsigned int i = 0; i < ARRAY_SIZE(times); i++) {
		int64_t start = baton_now();

		expect_eq(baton_sleep(times[i]), 0);
		expect(baton_now() - start >= times[i]);
	}
	expect_eq(baton_sleep(-1), 0);
	expect_eq(baton_sleep(INT64_MIN), 0);
	expect_eq(baton_sleep_until(INT64_MIN), 0);
	expect_eq(baton_sleep_until(0), 0);
	return arg;
}

START_TEST(none_early)
{
	run_on(nprocs_list[_i], not_early, NULL);
	/* A thread does so as well. */
	not_early(NULL);
}
END_TEST

static int many_woken;

static void *random_sleeper(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;

	for (int i = 0; i < 5; i++) {
		int64_t until =
			baton_now() + random_next(&seed) % (20 * BATON_MSEC);

		expect_eq(baton_sleep_until(until), 0);
		expect(baton_now() >= until);
	}
	add(&many_woken, 1);
	return NULL;
}

static void *many(void *arg)
{
	uint32_t seed = *(uint32_t *)arg;
	unsigned int n = scaled(5000);
	struct baton_fiber **f = calloc(n, sizeof(*f));

	for (unsigned int i = 0; i < n; i++)
		f[i] = spawn(random_sleeper,
			     (void *)(uintptr_t)random_next(&seed));
	for (unsigned int i = 0; i < n; i++)
		join(f[i]);
	expect_eq(many_woken, n);
	free(f);
	return arg;
}

START_TEST(many_sleepers)
{
	uint32_t seed = random_seed();

	run_on(nprocs_list[_i], many, &seed);
}
END_TEST

/* --- deadlines ----------------------------------------------------------- */

static void *never_ends(void *arg)
{
	int *stop = arg;

	while (!load(stop))
		baton_park();
	return arg;
}

static void *in_time(void *arg)
{
	int stop = 0;
	struct baton_fiber *f = spawn(never_ends, &stop);
	struct baton_scope scope, inner;
	int64_t start = baton_now();
	void *result;

	expect_eq(baton_join_until(f, NULL, 0), -ETIMEDOUT);
	expect_eq(baton_join_until(f, NULL, start + 10 * BATON_MSEC),
		  -ETIMEDOUT);
	expect(baton_now() - start >= 10 * BATON_MSEC);
	expect_eq(baton_park_until(baton_now() + BATON_MSEC), -ETIMEDOUT);
	expect_eq(baton_ready(baton_self()), 0);
	expect_eq(baton_park_until(0), 0);

	expect_eq(baton_deadline_push(NULL, 0), -EINVAL);
	expect_eq(baton_deadline_pop(NULL), -EINVAL);
	expect_eq(baton_deadline_push(&scope, baton_now() + 5 * BATON_MSEC), 0);
	/* A later one within it changes nothing. */
	expect_eq(baton_deadline_push(&inner, BATON_NEVER), 0);
	expect_eq(baton_join(f, NULL), -ETIMEDOUT);
	expect_eq(baton_park(), -ETIMEDOUT);
	expect_eq(baton_sleep(LONG), -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&inner), 0);
	expect_eq(baton_park(), -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&scope), 0);
	expect_eq(baton_deadline_pop(&scope), -EINVAL);
	expect(strstr(baton_reason(), "no scope"));
	expect_eq(baton_sleep(BATON_MSEC), 0);

	/* The outer one first: that changes nothing. */
	expect_eq(baton_deadline_push(&scope, baton_now()), 0);
	expect_eq(baton_deadline_push(&scope, BATON_NEVER), -EINVAL);
	expect(strstr(baton_reason(), "begun already"));
	expect_eq(baton_deadline_push(&inner, BATON_NEVER), 0);
	expect_eq(baton_deadline_pop(&scope), -EINVAL);
	expect(strstr(baton_reason(), "not the innermost"));
	expect_eq(baton_park(), -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&inner), 0);
	expect_eq(baton_deadline_pop(&inner), -EINVAL);
	expect_eq(baton_park(), -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&scope), 0);
	expect_eq(baton_sleep(BATON_MSEC), 0);
	expect_eq(baton_cancel_unmask(), -EINVAL);
	expect(strstr(baton_reason(), "not masked"));

	/* The handle has remained good. */
	store(&stop, 1);
	expect_eq(baton_ready(f), 0);
	expect_eq(baton_join_until(f, &result, baton_now() + LONG), 0);
	expect(result == &stop);
	return arg;
}

START_TEST(deadlines)
{
	run_on(nprocs_list[_i], in_time, NULL);
	expect_eq(baton_deadline_push(&(struct baton_scope){ 0 }, 0), -EPERM);
	expect_eq(baton_deadline_pop(&(struct baton_scope){ 0 }), -EPERM);
}
END_TEST

#ifndef BATON_DEBUG /* which ends the process where a scope is left open */
static struct baton_scope open_scope;

static void leaves_open(void *arg)
{
	(void)arg;
	expect_eq(baton_deadline_push(&open_scope, BATON_NEVER), 0);
}

static void calls_back(void *arg)
{
	expect_eq(baton_callback(leaves_open, arg), 0);
}

static void *dies_within(void *arg)
{
	leaves_open(arg);
	return arg;
}

static void *has_none(void *arg)
{
	expect_eq(baton_deadline_pop(&open_scope), -EINVAL);
	expect(strstr(baton_reason(), "no scope"));
	return arg;
}

static void *strangers_scope(void *arg)
{
	expect_eq(baton_deadline_pop(arg), -EINVAL);
	expect_eq(baton_deadline_push(&open_scope, BATON_NEVER), 0);
	expect_eq(baton_deadline_pop(arg), -EINVAL);
	expect_eq(baton_deadline_pop(&open_scope), 0);
	return arg;
}

static void *leave_open(void *arg)
{
	struct baton_scope scope;

	/* Neither what a fiber leaves open, nor what another one has, is its. */
	join(spawn(dies_within, NULL));
	memset(&open_scope, 0xa5, sizeof(open_scope));
	join(spawn(has_none, NULL));
	expect_eq(baton_deadline_push(&scope, BATON_NEVER), 0);
	join(spawn(strangers_scope, &scope));
	expect_eq(baton_deadline_pop(&scope), 0);

	/* One within it is open, wherever that has begun. */
	expect_eq(baton_deadline_push(&scope, baton_now()), 0);
	expect(baton_call(calls_back, NULL) >= 0);
	expect_eq(baton_deadline_pop(&scope), -EINVAL);
	expect_eq(baton_park(), -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&open_scope), 0);
	expect_eq(baton_deadline_pop(&scope), 0);
	expect_eq(baton_sleep(BATON_MSEC), 0);
	return arg;
}

START_TEST(scopes_left_open)
{
	run_on(1, leave_open, NULL);
}
END_TEST
#endif

/* The end and the deadline of a join meet, again and again. */
static void *short_life(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;

	baton_sleep(random_next(&seed) % 200000);
	return arg;
}

static void *joins_late(void *arg)
{
	uint32_t seed = *(uint32_t *)arg;
	unsigned int late = 0;

	for (unsigned int i = scaled(3000); i; i--) {
		void *expected = (void *)(uintptr_t)random_next(&seed);
		struct baton_fiber *f = spawn(short_life, expected);
		void *result = NULL;
		int err = baton_join_until(
			f, &result, baton_now() + random_next(&seed) % 300000);

		if (err) {
			late++;
			expect_eq(err, -ETIMEDOUT);
			expect_eq(baton_join(f, &result), 0);
		}
		expect(result == expected);
	}
	expect(late);
	return arg;
}

START_TEST(late_joins)
{
	uint32_t seed = random_seed();

	run_on(nprocs_list[_i], joins_late, &seed);
}
END_TEST

/* --- cancel -------------------------------------------------------------- */

enum wait_for {
	SLEEP,
	PARK,
	JOIN,
	KINDS
};

static void *waits(void *arg)
{
	enum wait_for kind = (enum wait_for)(intptr_t)arg;
	struct baton_fiber *f;
	int err = 0, stop = 0;

	switch (kind) {
	case SLEEP:
		err = baton_sleep(LONG);
		break;
	case PARK:
		err = baton_park();
		break;
	case JOIN:
		f = spawn(never_ends, &stop);
		err = baton_join(f, NULL);
		store(&stop, 1);
		expect_eq(baton_ready(f), 0);
		join(f);
		break;
	case KINDS:
		break;
	}
	/* One cancel, one wait. */
	expect_eq(baton_canceled(), 0);
	expect_eq(baton_sleep(1000), 0);
	return (void *)(intptr_t)err;
}

static void *cancels(void *arg)
{
	for (intptr_t kind = 0; kind < KINDS; kind++) {
		struct baton_fiber *f = spawn(waits, (void *)kind);

		/* Before it has begun, or while it waits. */
		for (int i = 0; i < 3; i++)
			baton_yield();
		expect_eq(baton_cancel(f), 0);
		expect_eq((intptr_t)join(f), -ECANCELED);
		f = spawn(waits, (void *)kind);
		expect_eq(baton_cancel(f), 0);
		expect_eq((intptr_t)join(f), -ECANCELED);
	}
	expect_eq(baton_cancel(NULL), -EINVAL);
	expect_eq(baton_cancel_unmask(), -EINVAL);
	return arg;
}

START_TEST(canceled)
{
	run_on(nprocs_list[_i], cancels, NULL);
	expect_eq(baton_canceled(), -EPERM);
	expect_eq(baton_cancel_mask(), -EPERM);
	expect_eq(baton_cancel_unmask(), -EPERM);
}
END_TEST

static void *masked(void *arg)
{
	int *state = arg;

	expect_eq(baton_cancel_mask(), 0);
	store(state, 1);
	expect_eq(baton_park(), 0);
	expect_eq(baton_sleep(5 * BATON_MSEC), 0);
	expect_eq(baton_park_until(baton_now() + BATON_MSEC), -ETIMEDOUT);
	expect_eq(baton_canceled(), 1);
	expect_eq(baton_cancel_unmask(), 0);
	expect_eq(baton_sleep(LONG), -ECANCELED);
	expect_eq(baton_canceled(), 0);
	return arg;
}

/* --- masks in foreign code --------------------------------------------------- */

/**
 * struct section - what foreign code masks
 * @begun:    how far it is
 * @canceled: baton_cancel() has returned
 * @fds:      a pipe that stays empty
 */
struct section {
	int begun, canceled;
	int fds[2];
};

static bool naps(long ns)
{
	struct timespec ts = { 0, ns };

	return !nanosleep(&ts, NULL);
}

static void reads_empty(struct section *s)
{
	char c;

	expect_eq(read(s->fds[0], &c, 1), -1);
	expect_eq(errno, EINTR);
}

/* The cancel comes before the mask, at the same time, or within. */
static void masks_foreign(void *arg)
{
	struct section *s = arg;

	store(&s->begun, 1);
	expect_eq(baton_cancel_mask(), 0);
	do
		expect(naps(1000));
	while (!load(&s->canceled));
	expect_eq(baton_cancel_mask(), 0);
	expect(naps(50000));
	expect_eq(baton_cancel_unmask(), 0);
	expect(naps(50000));
	/* A wait of the library's is not ended either. */
	expect_eq(baton_sleep(1000), 0);
	expect_eq(baton_cancel_unmask(), 0);
	reads_empty(s);

	/* The cleanup of a call that was interrupted; it still says so. */
	expect_eq(baton_cancel_mask(), 0);
	expect_eq(errno, EINTR);
	expect(naps(50000));
	expect_eq(baton_cancel_unmask(), 0);
	expect_eq(baton_cancel_unmask(), -EINVAL);
	errno = EINTR;
}

static void waits_unmasked(void *arg)
{
	masks_foreign(arg);
	expect_eq(baton_sleep(LONG), -ECANCELED);
	errno = 0;
}

static void *foreign_section(void *arg)
{
	struct section *s = arg;

	for (int i = 0; i < 2; i++) {
		store(&s->begun, 0);
		store(&s->canceled, 0);
		baton_call(i ? waits_unmasked : masks_foreign, s);
		expect_eq(baton_canceled(), 0);
		expect_eq(baton_sleep(1000), 0);
	}
	return NULL;
}

static void *cancels_foreign(void *arg)
{
	uint32_t *seed = arg;
	struct section s = { 0 };

	expect_eq(pipe(s.fds), 0);
	for (unsigned int i = scaled(200); i; i--) {
		struct baton_fiber *f = spawn(foreign_section, &s);

		for (int k = 0; k < 2; k++) {
			while (!load(&s.begun) || load(&s.canceled))
				baton_yield();
			for (uint32_t n = random_next(seed) % 10000; n; n--)
				__asm__ volatile("" ::: "memory");
			expect_eq(baton_cancel(f), 0);
			store(&s.canceled, 1);
		}
		join(f);
	}
	close(s.fds[0]);
	close(s.fds[1]);
	return arg;
}

START_TEST(foreign_masks)
{
	uint32_t seed = random_seed();

	run_on(nprocs_list[_i], cancels_foreign, &seed);
}
END_TEST

static void *cancels_masked(void *arg)
{
	int state = 0;
	struct baton_fiber *f = spawn(masked, &state);

	yield_until(&state);
	for (int i = 0; i < 10; i++) {
		expect_eq(baton_cancel(f), 0);
		baton_yield();
	}
	expect_eq(baton_ready(f), 0);
	join(f);
	return arg;
}

START_TEST(masks)
{
	run_on(nprocs_list[_i], cancels_masked, NULL);
}
END_TEST

/*
 * Readies, cancels and deadlines at random. No permit is lost: as many parks
 * return 0 as the partner hands out, one at a time.
 */
struct pair {
	struct baton_fiber *waiter;
	unsigned int rounds;
	int taken;
	int given;
	int done;
};

static void *takes(void *arg)
{
	struct pair *p = arg;
	uint32_t seed = (uint32_t)(uintptr_t)p;

	for (unsigned int i = 0; i < p->rounds;) {
		int err = random_next(&seed) % 2 ?
				  baton_park() :
				  baton_park_until(baton_now() +
						   random_next(&seed) % 50000);

		if (!err) {
			/* The permit before it was taken. Read before ours is
			 * seen to be, after which there is a next one. */
			int given = load(&p->given);

			expect_eq(add(&p->taken, 1), given);
			i++;
		} else {
			expect(err == -ECANCELED || err == -ETIMEDOUT);
		}
	}
	store(&p->done, 1);
	return NULL;
}

static void *canceler(void *arg)
{
	struct pair *p = arg;
	uint32_t seed = ~(uint32_t)(uintptr_t)p;

	while (!load(&p->done)) {
		expect_eq(baton_cancel(p->waiter), 0);
		for (uint32_t i = random_next(&seed) % 8; i; i--)
			baton_yield();
	}
	return NULL;
}

static void *gives(void *arg)
{
	struct pair *p = arg;
	struct baton_fiber *c;

	p->waiter = spawn(takes, p);
	c = spawn(canceler, p);
	for (unsigned int i = 0; i < p->rounds; i++) {
		add(&p->given, 1);
		expect_eq(baton_ready(p->waiter), 0);
		while (load(&p->taken) != (int)i + 1)
			baton_yield();
	}
	/* Not freed before the last cancel. */
	join(c);
	join(p->waiter);
	return NULL;
}

static void *pairs(void *arg)
{
	struct pair p[4];
	struct baton_fiber *f[4];

	memset(p, 0, sizeof(p));
	for (int i = 0; i < 4; i++) {
		p[i].rounds = scaled(5000);
		f[i] = spawn(gives, &p[i]);
	}
	for (int i = 0; i < 4; i++)
		join(f[i]);
	return arg;
}

START_TEST(random_cancels)
{
	run_on(nprocs_list[_i], pairs, NULL);
}
END_TEST

/* --- other threads ------------------------------------------------------- */

static void *cancels_from_outside(void *arg)
{
	expect_eq(baton_cancel(arg), 0);
	return NULL;
}

static void foreign_thread(void *arg)
{
	on_thread(cancels_from_outside, arg);
}

static void sleeps_in_call(void *arg)
{
	int64_t start = baton_now();

	expect_eq(baton_sleep(5 * BATON_MSEC), 0);
	expect(baton_now() - start >= 5 * BATON_MSEC);
	*(int *)arg = 1;
}

static void *outside(void *arg)
{
	struct baton_fiber *f = spawn(waits, (void *)(intptr_t)SLEEP);
	int slept = 0;

	baton_yield();
	expect_eq(baton_call(foreign_thread, f), 0);
	expect_eq((intptr_t)join(f), -ECANCELED);
	expect_eq(baton_call(sleeps_in_call, &slept), 0);
	expect(slept);
	return arg;
}

START_TEST(other_threads)
{
	run_on(nprocs_list[_i], outside, NULL);
	expect_eq(baton_cancel((struct baton_fiber *)&order), -ESRCH);
}
END_TEST

/* --- what the program does with the signal later on -------------------------- */

static int urgent, first_urgent, pipe_fds[2];

/* As some do, it hands what it gets to what it has found. */
static struct sigaction found;

static void on_urgent(int sig, siginfo_t *info, void *context)
{
	add(&urgent, 1);
	if (found.sa_flags & SA_SIGINFO)
		found.sa_sigaction(sig, info, context);
}

static void *reads_forever(void *arg)
{
	char byte;
	int err;

	expect_eq(BATON_CALL(err, read, pipe_fds[0], &byte, 1), -1);
	expect_eq(err, EINTR);
	return arg;
}

static void cancel_read(void)
{
	struct baton_fiber *f = spawn(reads_forever, NULL);

	baton_yield();
	expect_eq(baton_cancel(f), 0);
	join(f);
}

/* What the program had before the library came. */
static void on_first_urgent(int sig)
{
	(void)sig;
	add(&first_urgent, 1);
}

/* Each handler hears of a signal of the program's once. */
static void raise_urgent(const struct sigaction *later)
{
	bool handled = later->sa_flags & SA_SIGINFO;

	store(&urgent, 0);
	store(&first_urgent, 0);
	raise(SIGURG);
	expect_eq(urgent, handled);
	expect_eq(first_urgent, handled);
}

static void *handlers_later(void *arg)
{
	struct sigaction later = *(const struct sigaction *)arg;

	expect_eq(pipe(pipe_fds), 0);
	/* The library's comes with the first one. */
	cancel_read();
	for (int i = 1; i <= 3; i++) {
		expect_eq(sigaction(SIGURG, &later, i == 1 ? &found : NULL),
			  0);
		raise_urgent(&later);
		cancel_read();
		raise_urgent(&later);
	}
	return arg;
}

/* Nothing by which a system call goes on keeps cancels from getting through. */
START_TEST(program_sets_handler)
{
	struct sigaction later[3] = {
		{ .sa_handler = SIG_DFL },
		{ .sa_handler = SIG_IGN },
		{ .sa_flags = SA_SIGINFO | SA_RESTART },
	};

	later[2].sa_sigaction = on_urgent;
	signal(SIGURG, on_first_urgent);
	for (int i = 0; i < 2; i++) {
		run_on(2, handlers_later, &later[_i]);
		raise_urgent(&later[_i]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wait");
	TCase *tc = test_case(s, "wait");
	int n = (int)ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, in_order, 0, n);
	tcase_add_loop_test(tc, none_early, 0, n);
	tcase_add_loop_test(tc, many_sleepers, 0, n);
	tcase_add_loop_test(tc, deadlines, 0, n);
#ifndef BATON_DEBUG
	tcase_add_test(tc, scopes_left_open);
#endif
	tcase_add_loop_test(tc, late_joins, 0, n);
	tcase_add_loop_test(tc, canceled, 0, n);
	tcase_add_loop_test(tc, foreign_masks, 0, n);
	tcase_add_loop_test(tc, masks, 0, n);
	tcase_add_loop_test(tc, random_cancels, 0, n);
	tcase_add_loop_test(tc, other_threads, 0, n);
	tcase_add_loop_test(tc, program_sets_handler, 0, 3);
	return suite_main(s);
}
