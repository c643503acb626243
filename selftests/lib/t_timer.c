// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_timer.c - timers: none early, none lost, no drift. */
#include "sides.h"

/* Later than any test takes. */
#define LONG (1000 * BATON_SEC)

static void *refused(void *arg)
{
	struct baton_timer timer = {0};

	expect_eq(baton_timer_start(NULL, 0, 0), -EINVAL);
	expect_eq(baton_timer_start(&timer, -1, 0), -EINVAL);
	expect_eq(baton_timer_start(&timer, 0, -1), -EINVAL);
	expect(*baton_reason());
	expect_eq(baton_timer_stop(NULL), -EINVAL);
	expect_eq(baton_timer_wait(NULL, NULL), -EINVAL);
	expect_eq(baton_timer_destroy(NULL), -EINVAL);
	expect_eq(baton_timer_stop(&timer), 0);
	expect_eq(baton_timer_destroy(&timer), 0);
	return arg;
}

START_TEST(errors)
{
	run_on(1, refused, NULL);
	refused(NULL);
}
END_TEST

/* --- one tick ------------------------------------------------------------ */

static void *once(void *arg)
{
	static const int64_t times[] = {0, 1, 1000, 20000, 1100000, 20000000};
	struct baton_timer timer = {0};
	uint64_t ticks;

	expect_eq(baton_timer_wait_until(&timer, &ticks, 0), -ETIMEDOUT);
	for (unsigned int i = 0; i < ARRAY_SIZE(times); i++) {
		int64_t when = baton_now() + times[i];

		ticks = 0;
		expect_eq(baton_timer_start(&timer, when, 0), 0);
		expect_eq(baton_timer_wait(&timer, &ticks), 0);
		expect(baton_now() >= when);
		expect_eq(ticks, 1);
		/* It has been taken. */
		expect_eq(baton_timer_stop(&timer), 0);
		expect_eq(baton_timer_wait_until(&timer, NULL,
						 baton_now() + 1000),
			  -ETIMEDOUT);
	}
	/* It is kept until somebody waits, or it is stopped. */
	expect_eq(baton_timer_start(&timer, 0, 0), 0);
	expect_eq(baton_timer_wait_until(&timer, &ticks, 0), 0);
	expect_eq(baton_timer_start(&timer, 0, 0), 0);
	expect_eq(baton_timer_stop(&timer), 1);
	expect_eq(baton_timer_wait_until(&timer, &ticks, 0), -ETIMEDOUT);
	/* A deadline that comes first, and one that comes with it. */
	expect_eq(baton_timer_start(&timer, baton_now() + LONG, 0), 0);
	expect_eq(baton_timer_wait_until(&timer, NULL, baton_now() + 1000),
		  -ETIMEDOUT);
	for (int i = 0; i < 20; i++) {
		int64_t when = baton_now() + 50000;

		expect_eq(baton_timer_start(&timer, when, 0), 0);
		expect_eq(baton_timer_wait_until(&timer, NULL, when), 0);
	}
	/* The end of time. */
	expect_eq(baton_timer_start(&timer, BATON_NEVER, BATON_NEVER), 0);
	expect_eq(baton_timer_wait_until(&timer, NULL, baton_now() + 1000),
		  -ETIMEDOUT);
	expect_eq(baton_timer_start(&timer, 1, BATON_NEVER), 0);
	expect_eq(baton_timer_wait(&timer, &ticks), 0);
	expect_eq(ticks, 1);
	expect_eq(baton_timer_wait_until(&timer, NULL, baton_now() + 1000),
		  -ETIMEDOUT);
	expect_eq(baton_timer_destroy(&timer), 0);
	return arg;
}

START_TEST(one_shot)
{
	run_on(nprocs_list[_i], once, NULL);
	once(NULL);
}
END_TEST

/* --- a row of them ------------------------------------------------------- */

/*
 * The ticks up to now are as many as periods since the first: whatever the
 * machine is busy with, and however late somebody waits.
 */
static void *ticking(void *arg)
{
	struct baton_timer timer = {0};
	int64_t period = 700000, first = baton_now() + 2 * BATON_MSEC;
	uint64_t total = 0;

	expect_eq(baton_timer_start(&timer, first, period), 0);
	for (int i = 0; i < 30; i++) {
		int64_t before = baton_now(), after;
		uint64_t ticks = 0;

		expect_eq(baton_timer_wait(&timer, &ticks), 0);
		after = baton_now();
		expect(ticks >= 1);
		total += ticks;
		expect(after >= first + (int64_t)(total - 1) * period);
		expect(before < first + (int64_t)total * period);
		/* Some are missed. */
		if (i % 10 == 9) {
			expect_eq(baton_sleep(5 * period), 0);
			expect_eq(baton_timer_wait_until(&timer, &ticks, 0), 0);
			expect(ticks >= 4);
			total += ticks;
		}
	}
	expect_eq(baton_timer_stop(&timer), 1);
	return arg;
}

START_TEST(no_drift)
{
	run_on(nprocs_list[_i], ticking, NULL);
	ticking(NULL);
}
END_TEST

/* --- many who wait ------------------------------------------------------- */

struct shared {
	struct baton_timer timer;
	int64_t first;
	int64_t period;
	uint64_t limit;
	uint64_t total;
};

static void *shares(void *arg)
{
	struct shared *s = arg;

	while (load(&s->total) < s->limit) {
		uint64_t ticks = 0, total;
		int err = baton_timer_wait_until(&s->timer, &ticks,
						 baton_now() + BATON_MSEC);

		if (err) {
			expect_eq(err, -ETIMEDOUT);
			continue;
		}
		total = add(&s->total, ticks);
		/* No tick was had twice, or early. */
		expect(baton_now() >=
		       s->first + (int64_t)(total - 1) * s->period);
	}
	return NULL;
}

static void *all_share(void *arg)
{
	struct shared s = {
		.first = baton_now(),
		.period = 100000,
		.limit = scaled(200),
	};
	struct side sides[3 * SIDE_KINDS];
	uint64_t ticks = 0;
	int64_t before, after;

	expect_eq(baton_timer_start(&s.timer, s.first, s.period), 0);
	for (int i = 0; i < 3 * SIDE_KINDS; i++)
		side_start(&sides[i], (enum side_kind)(i % SIDE_KINDS), shares,
			   &s);
	for (int i = 0; i < 3 * SIDE_KINDS; i++)
		side_join(&sides[i]);
	/* Nor was one lost. */
	before = baton_now();
	if (baton_timer_wait_until(&s.timer, &ticks, 0))
		ticks = 0;
	after = baton_now();
	s.total += ticks;
	expect(after >= s.first + (int64_t)(s.total - 1) * s.period);
	expect(before < s.first + (int64_t)s.total * s.period);
	expect_eq(baton_timer_destroy(&s.timer), 0);
	return arg;
}

START_TEST(shared_ticks)
{
	run_on(nprocs_list[_i], all_share, NULL);
}
END_TEST

/* --- started while it is waited for -------------------------------------- */

static void *takes_one(void *arg)
{
	struct shared *s = arg;
	uint64_t ticks = 0;

	expect_eq(baton_timer_wait(&s->timer, &ticks), 0);
	expect_eq(ticks, 1);
	expect(baton_now() >= s->first);
	return NULL;
}

static void *starts(void *arg)
{
	for (int kind = 0; kind < SIDE_KINDS; kind++) {
		for (int i = 0; i < 20; i++) {
			struct shared s = {.first = 0};
			struct side side;

			side_start(&side, (enum side_kind)kind, takes_one, &s);
			/* Some wait already. */
			while (i % 3 && !baton_timer_destroy(&s.timer))
				baton_yield();
			/* Stopped as yet, or for a time that never comes. */
			if (i % 2)
				expect_eq(baton_timer_start(&s.timer,
							    baton_now() + LONG,
							    0),
					  0);
			if (i % 3 == 2)
				expect_eq(baton_timer_stop(&s.timer), i % 2);
			s.first = baton_now() + 100000;
			expect_eq(baton_timer_start(&s.timer, s.first, 0), 0);
			side_join(&side);
			expect_eq(baton_timer_destroy(&s.timer), 0);
		}
	}
	return arg;
}

START_TEST(started_late)
{
	run_on(nprocs_list[_i], starts, NULL);
}
END_TEST

/* --- in a select --------------------------------------------------------- */

struct pace {
	struct baton_chan ch;
	int64_t first;
	int n;
};

static void *paced(void *arg)
{
	struct pace *p = arg;

	for (int i = 0; i < p->n; i++) {
		expect_eq(baton_sleep(20000), 0);
		expect_eq(baton_chan_send(&p->ch, &i), 0);
	}
	expect_eq(baton_chan_close(&p->ch), 0);
	return NULL;
}

/* A ticker and a channel; then a timeout by a timer. */
static void *selects(void *arg)
{
	struct pace p = {.n = (int)scaled(200)};
	struct baton_timer ticker = {0}, limit = {0};
	int64_t first = baton_now(), period = 50000;
	uint64_t ticks = 0, total = 0;
	int value = -1, next = 0, got;
	struct baton_case cases[] = {
		{.kind = BATON_CASE_TIMER, .object = &limit},
		{.kind = BATON_CASE_RECV, .object = &p.ch, .elem = &value},
		{.kind = BATON_CASE_TIMER, .object = &ticker, .elem = &ticks},
	};
	struct baton_fiber *f;

	expect_eq(baton_chan_init(&p.ch, sizeof(int), 0, NULL), 0);
	expect_eq(baton_timer_start(&ticker, first, period), 0);
	expect_eq(baton_timer_start(&limit, first + LONG, 0), 0);
	f = spawn(paced, &p);
	for (;;) {
		got = baton_select(cases, 3, BATON_NEVER);
		if (got == 2) {
			expect_eq(cases[2].result, 0);
			total += ticks;
			expect(baton_now() >=
			       first + (int64_t)(total - 1) * period);
			continue;
		}
		expect_eq(got, 1);
		if (cases[1].result)
			break;
		expect_eq(value, next++);
	}
	expect_eq(cases[1].result, -EPIPE);
	expect_eq(next, p.n);
	join(f);
	expect_eq(baton_timer_start(&limit, baton_now() + BATON_MSEC, 0), 0);
	expect_eq(baton_timer_stop(&ticker), 1);
	cases[1].kind = BATON_CASE_NONE;
	expect_eq(baton_select(cases, 3, BATON_NEVER), 0);
	expect_eq(baton_select(cases, 3, baton_now() + 1000), -ETIMEDOUT);
	expect_eq(baton_timer_destroy(&ticker), 0);
	expect_eq(baton_timer_destroy(&limit), 0);
	return arg;
}

START_TEST(selected)
{
	run_on(nprocs_list[_i], selects, NULL);
}
END_TEST

/* --- ended by something else --------------------------------------------- */

static void *waits_for_ever(void *arg)
{
	struct baton_scope scope;

	expect_eq(baton_timer_wait(arg, NULL), -ECANCELED);
	expect_eq(baton_deadline_push(&scope, baton_now() + BATON_MSEC), 0);
	expect_eq(baton_timer_wait(arg, NULL), -ETIMEDOUT);
	expect_eq(baton_timer_wait_until(arg, NULL, baton_now() + LONG),
		  -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&scope), 0);
	return NULL;
}

static void *cancels(void *arg)
{
	struct baton_timer timer = {0};

	for (int i = 0; i < 2; i++) {
		struct baton_fiber *f = spawn(waits_for_ever, &timer);

		for (int k = 0; k < 3; k++)
			baton_yield();
		expect_eq(baton_cancel(f), 0);
		join(f);
		expect_eq(baton_timer_start(&timer, baton_now() + LONG, 1), 0);
	}
	expect_eq(baton_timer_destroy(&timer), 0);
	return arg;
}

START_TEST(canceled)
{
	run_on(nprocs_list[_i], cancels, NULL);
}
END_TEST

/* --- started just as the watcher goes to sleep --------------------------- */

/*
 * Short waits of a few fibers: now and then one begins just when the watcher
 * has found that no timer is left.
 */
static void *naps(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;

	for (unsigned int i = scaled(10000); i; i--) {
		struct baton_timer timer = {0};

		expect_eq(baton_timer_start(
				  &timer,
				  baton_now() + random_next(&seed) % 60000, 0),
			  0);
		expect_eq(baton_timer_wait(&timer, NULL), 0);
		for (uint32_t k = random_next(&seed) % 50; k; k--)
			baton_yield();
	}
	return NULL;
}

static void *nappers(void *arg)
{
	uint32_t seed = *(uint32_t *)arg;
	struct baton_fiber *f[3];

	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(naps, (void *)(uintptr_t)random_next(&seed));
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(none_forgotten)
{
	uint32_t seed = random_seed();

	run_on(nprocs_list[_i], nappers, &seed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timer");
	TCase *tc = test_case(s, "timer");
	int n = (int)ARRAY_SIZE(nprocs_list);

	tcase_add_test(tc, errors);
	tcase_add_loop_test(tc, one_shot, 0, n);
	tcase_add_loop_test(tc, no_drift, 0, n);
	tcase_add_loop_test(tc, shared_ticks, 0, n);
	tcase_add_loop_test(tc, started_late, 0, n);
	tcase_add_loop_test(tc, selected, 0, n);
	tcase_add_loop_test(tc, canceled, 0, n);
	tcase_add_loop_test(tc, none_forgotten, 0, n);
	return suite_main(s);
}
