// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_group.c - groups: all have ended when the wait is over, the first error is
 * the one that counts, and whatever ends the wait, or fails, cancels the others,
 * none of which is missed, nor touched once it has ended.
 */
#include "crowd.h"

_Static_assert(sizeof(struct baton_group) ==
	       (sizeof(void *) == 8 ? 24 + 6 * 8 : 20 + 6 * 4), "group");

#define MEMBERS	20

struct job {
	struct baton_group group;
	struct baton_fiber *waiter;
	int running;		/* members */
	int most;		/* of them at once */
	int canceled;
	int ended;
	int go;
};

static const struct job fresh = { .group = BATON_GROUP_INIT };

static int begin(struct job *j)
{
	int n = add(&j->running, 1), most = load(&j->most);

	while (n > most &&
	       !__atomic_compare_exchange_n(&j->most, &most, n, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return n;
}

static int end(struct job *j, int err)
{
	if (err == -ECANCELED)
		add(&j->canceled, 1);
	add(&j->running, -1);
	add(&j->ended, 1);
	return err;
}

/* Until it is canceled. */
static int sleeps(void *arg)
{
	begin(arg);
	return end(arg, baton_sleep(BATON_NEVER));
}

static void sleep_as_thread(void *arg)
{
	int *err = arg;

	*err = baton_sleep(BATON_NEVER);
}

static int sleeps_in_call(void *arg)
{
	int err;

	begin(arg);
	baton_call(sleep_as_thread, &err);
	return end(arg, err);
}

static int yields(void *arg)
{
	begin(arg);
	baton_yield();
	return end(arg, 0);
}

/* Once all the others are there. */
static int fails(void *arg)
{
	struct job *j = arg;

	begin(j);
	while (load(&j->running) <= MEMBERS)
		baton_yield();
	return end(j, -EIO);
}

static void start(struct job *j, baton_group_fn fn)
{
	expect_eq(baton_group_spawn(&j->group, NULL, fn, j), 0);
}

static void start_all(struct job *j)
{
	for (int i = 0; i < MEMBERS; i++)
		start(j, i % 4 ? sleeps : sleeps_in_call);
}

static void wait_begun(struct job *j)
{
	while (load(&j->running) < MEMBERS)
		baton_yield();
}

/* All have ended, each by a cancel. */
static void check_canceled(struct job *j)
{
	expect_eq(load(&j->running), 0);
	expect_eq(load(&j->canceled), MEMBERS);
	/* No more join. */
	expect_eq(baton_group_spawn(&j->group, NULL, yields, j), -ECANCELED);
	expect_eq(baton_group_destroy(&j->group), 0);
}

/* --- how it ends ------------------------------------------------------------ */

static void *all_end(void *arg)
{
	struct job j = fresh;

	expect_eq(baton_group_wait(&j.group), 0);
	for (int i = 0; i < MEMBERS; i++)
		start(&j, yields);
	expect_eq(baton_group_wait(&j.group), 0);
	expect_eq(j.ended, MEMBERS);
	expect_eq(baton_group_wait(&j.group), 0);
	return arg;
}

static void *first_error(void *arg)
{
	struct job j = fresh;

	start_all(&j);
	start(&j, fails);
	expect_eq(baton_group_wait(&j.group), -EIO);
	expect_eq(j.ended, MEMBERS + 1);
	check_canceled(&j);
	return arg;
}

static void *cancels_waiter(void *arg)
{
	struct job *j = arg;

	wait_begun(j);
	expect_eq(baton_cancel(j->waiter), 0);
	return arg;
}

static void *waiter_canceled(void *arg)
{
	struct job j = fresh;
	struct baton_fiber *f;

	j.waiter = baton_self();
	start_all(&j);
	f = spawn(cancels_waiter, &j);
	expect_eq(baton_group_wait(&j.group), -ECANCELED);
	check_canceled(&j);
	join(f);
	return arg;
}

/* The first cancel finds it in a wait that goes on. */
static int sleeps_twice(void *arg)
{
	struct job *j = arg;

	begin(j);
	expect_eq(baton_sleep(BATON_NEVER), -ECANCELED);
	store(&j->go, 1);
	return end(j, baton_sleep(BATON_NEVER));
}

static void *cancels_waiter_twice(void *arg)
{
	struct job *j = arg;

	while (!load(&j->running))
		baton_yield();
	expect_eq(baton_cancel(j->waiter), 0);
	yield_until(&j->go);
	expect_eq(baton_cancel(j->waiter), 0);
	return arg;
}

static void *waiter_canceled_twice(void *arg)
{
	struct job j = fresh;
	struct baton_fiber *f;

	j.waiter = baton_self();
	start(&j, sleeps_twice);
	f = spawn(cancels_waiter_twice, &j);
	expect_eq(baton_group_wait(&j.group), -ECANCELED);
	expect_eq(j.canceled, 1);
	join(f);
	return arg;
}

static void *at_deadline(void *arg)
{
	struct baton_scope scope;
	struct job j = fresh;

	start_all(&j);
	wait_begun(&j);
	expect_eq(baton_group_wait_until(&j.group, baton_now() + BATON_MSEC),
		  -ETIMEDOUT);
	check_canceled(&j);
	j = fresh;
	start_all(&j);
	wait_begun(&j);
	/* A scope is still there afterwards, with its deadline. */
	expect_eq(baton_deadline_push(&scope, baton_now() + BATON_MSEC), 0);
	expect_eq(baton_group_wait(&j.group), -ETIMEDOUT);
	expect_eq(baton_sleep(BATON_NEVER), -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&scope), 0);
	check_canceled(&j);
	return arg;
}

static void *from_outside(void *arg)
{
	struct job j = fresh;

	start_all(&j);
	wait_begun(&j);
	expect_eq(baton_group_cancel(&j.group), 0);
	expect_eq(baton_group_wait(&j.group), -ECANCELED);
	check_canceled(&j);
	return arg;
}

/* --- who waits ------------------------------------------------------------- */

static void outside(void *arg)
{
	struct job *j = arg;

	start(j, fails);
	expect_eq(baton_group_wait(&j->group), -EIO);
}

static void *thread_outside(void *arg)
{
	outside(arg);
	return arg;
}

static void thread_run(void *arg)
{
	on_thread(thread_outside, arg);
}

static void *waits_elsewhere(void *arg)
{
	static void (*const who[])(void *) = { outside, thread_run };

	for (unsigned int i = 0; i < ARRAY_SIZE(who); i++) {
		struct job j = fresh;

		start_all(&j);
		wait_begun(&j);
		expect_eq(baton_call(who[i], &j), 0);
		check_canceled(&j);
	}
	return arg;
}

static void wait_in_call(void *arg)
{
	struct job *j = arg;

	expect_eq(baton_group_wait(&j->group), -ECANCELED);
}

static void *foreign_waiter(void *arg)
{
	expect_eq(baton_call(wait_in_call, arg), 0);
	return arg;
}

/* Who waits in foreign code is canceled there. */
static void *foreign_canceled(void *arg)
{
	struct job j = fresh;

	start_all(&j);
	j.waiter = spawn(foreign_waiter, &j);
	join(spawn(cancels_waiter, &j));
	join(j.waiter);
	check_canceled(&j);
	return arg;
}

/* --- the limit ------------------------------------------------------------- */

static int works(void *arg)
{
	begin(arg);
	for (int i = 0; i < 3; i++)
		baton_yield();
	return end(arg, 0);
}

static void *limited(void *arg)
{
	struct job j = fresh;

	expect_eq(baton_group_set_limit(&j.group, 3), 0);
	for (int i = 0; i < MEMBERS; i++)
		start(&j, works);
	expect_eq(baton_group_wait(&j.group), 0);
	expect_eq(j.ended, MEMBERS);
	expect(j.most <= 3);
	for (int i = 0; i < 3; i++)
		start(&j, sleeps);
	expect_eq(baton_group_set_limit(&j.group, 4), -EBUSY);
	expect_eq(baton_group_spawn_until(&j.group, NULL, works, &j, 0),
		  -ETIMEDOUT);
	expect_eq(baton_group_spawn_until(&j.group, NULL, works, &j,
					  baton_now() + BATON_MSEC),
		  -ETIMEDOUT);
	expect_eq(baton_group_cancel(&j.group), 0);
	expect_eq(baton_group_wait(&j.group), -ECANCELED);
	return arg;
}

static void *waits_for_place(void *arg)
{
	struct job *j = arg;

	store(&j->go, 1);
	expect_eq(baton_group_spawn(&j->group, NULL, works, j), -ECANCELED);
	return arg;
}

/* Who waits for a place hears of the cancel; so does who is itself canceled. */
static void *limit_canceled(void *arg)
{
	for (int i = 0; i < 2; i++) {
		struct job j = fresh;
		struct baton_fiber *f;

		expect_eq(baton_group_set_limit(&j.group, 1), 0);
		start(&j, sleeps);
		f = spawn(waits_for_place, &j);
		yield_until(&j.go);
		baton_yield();
		if (i)
			expect_eq(baton_cancel(f), 0);
		else
			expect_eq(baton_group_cancel(&j.group), 0);
		join(f);
		expect_eq(baton_group_cancel(&j.group), 0);
		expect_eq(baton_group_wait(&j.group), -ECANCELED);
		expect_eq(j.ended, 1);
	}
	return arg;
}

/* --- mistakes -------------------------------------------------------------- */

static int waits_for_own(void *arg)
{
	struct job *j = arg;

	expect_eq(baton_group_wait(&j->group), -EDEADLK);
	expect(strstr(baton_reason(), "of the group"));
	expect_eq(baton_group_destroy(&j->group), -EBUSY);
	return 0;
}

static void *mistakes(void *arg)
{
	struct job j = fresh;

	start(&j, waits_for_own);
	expect_eq(baton_group_wait(&j.group), 0);
	expect_eq(baton_group_spawn(&j.group, NULL, NULL, NULL), -EINVAL);
	expect_eq(baton_group_spawn(NULL, NULL, works, NULL), -EINVAL);
	expect_eq(baton_group_wait(NULL), -EINVAL);
	expect_eq(baton_group_cancel(NULL), -EINVAL);
	expect_eq(baton_group_set_limit(NULL, 1), -EINVAL);
	expect_eq(baton_group_destroy(NULL), -EINVAL);
	expect_eq(baton_group_destroy(&j.group), 0);
	expect_eq(baton_group_spawn(&j.group, NULL, works, &j), -EINVAL);
	expect_eq(baton_group_wait(&j.group), -EINVAL);
	expect_eq(baton_group_cancel(&j.group), -EINVAL);
	expect_eq(baton_group_set_limit(&j.group, 1), -EINVAL);
	expect_eq(baton_group_destroy(&j.group), -EINVAL);
	return arg;
}

/*
 * The last member fails while a thread waits to spawn the next one, and a fiber
 * for all: the thread, which is told that the group was canceled, lets the fiber
 * go on.
 */
static int fails_later(void *arg)
{
	struct job *j = arg;

	while (!load(&j->go))
		baton_yield();
	return -EIO;
}

static void *spawns_as_thread(void *arg)
{
	struct job *j = arg;

	expect_eq(baton_group_spawn(&j->group, NULL, sleeps, j), -ECANCELED);
	return NULL;
}

static void *waits_for_all(void *arg)
{
	struct job *j = arg;

	expect_eq(baton_group_wait(&j->group), -EIO);
	return NULL;
}

static void join_thread(void *arg)
{
	expect_eq(pthread_join(*(pthread_t *)arg, NULL), 0);
}

/* Looks from outside, without the lock. */
static bool __attribute__((noinline, no_sanitize("thread")))
both_wait(const struct baton_group *g)
{
	const volatile struct baton_waitq *spawners = &g->baton_spawners;
	const volatile struct baton_waitq *waiters = &g->baton_waiters;

	return spawners->first && waiters->first;
}

static void *thread_feeds(void *arg)
{
	struct job j = fresh;
	struct baton_fiber *f;
	pthread_t t;

	expect_eq(baton_group_set_limit(&j.group, 1), 0);
	expect_eq(baton_group_spawn(&j.group, NULL, fails_later, &j), 0);
	expect_eq(pthread_create(&t, NULL, spawns_as_thread, &j), 0);
	f = spawn(waits_for_all, &j);
	while (!both_wait(&j.group))
		baton_yield();
	store(&j.go, 1);
	join(f);
	expect_eq(baton_call(join_thread, &t), 0);
	return arg;
}

static baton_fn const tests[] = {
	all_end,	 first_error, waiter_canceled, waiter_canceled_twice,
	at_deadline,	 from_outside, waits_elsewhere, foreign_canceled,
	limited,	 limit_canceled, thread_feeds,	 mistakes,
};

START_TEST(groups)
{
	run_on(nprocs_list[_i % (int)ARRAY_SIZE(nprocs_list)],
	       tests[_i / (int)ARRAY_SIZE(nprocs_list)], NULL);
}
END_TEST

START_TEST(no_scheduler)
{
	struct job j = fresh;

	expect_eq(baton_group_spawn(&j.group, NULL, works, &j), -ESRCH);
	expect_eq(baton_group_wait(&j.group), 0);
	expect_eq(baton_group_cancel(&j.group), 0);
	expect_eq(baton_group_spawn(&j.group, NULL, works, &j), -ECANCELED);
}
END_TEST

/* --- members that end while they are canceled ------------------------------- */

static int random_life(void *arg)
{
	struct job *j = arg;
	uint32_t seed = (uint32_t)add(&j->go, 0x9e3779b9);

	begin(j);
	for (uint32_t n = random_next(&seed) % 4; n; n--)
		if (random_next(&seed) % 2)
			baton_yield();
		else
			baton_sleep(random_next(&seed) % 20000);
	return end(j, random_next(&seed) % 64 ? 0 : -EIO);
}

/* Each has a group in memory that is another one's right after. */
static void random_body(void *arg, uint32_t *seed)
{
	unsigned int rounds = *(unsigned int *)arg;

	for (unsigned int i = 0; i < rounds; i++) {
		struct job *j = malloc(sizeof(*j));
		int started = 0, err;

		*j = fresh;
		j->go = (int)random_next(seed);
		if (random_next(seed) % 2)
			expect_eq(baton_group_set_limit(&j->group, 3), 0);
		for (int n = 0; n < 8; n++) {
			err = baton_group_spawn_until(&j->group, NULL,
						      random_life, j,
						      random_deadline(seed));
			started += !err;
			if (err)
				expect(err == -ECANCELED || err == -ETIMEDOUT);
		}
		if (random_next(seed) % 2)
			expect_eq(baton_group_cancel(&j->group), 0);
		err = baton_group_wait_until(&j->group, random_deadline(seed));
		expect(!err || err == -EIO || err == -ECANCELED ||
		       err == -ETIMEDOUT);
		expect_eq(load(&j->ended), started);
		memset(j, 0xff, sizeof(*j));
		free(j);
	}
}

START_TEST(random_ends)
{
	unsigned int rounds = scaled(150);

	crowd(crowd_nprocs[1 + _i], random_body, &rounds);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("group");
	TCase *tc = test_case(s, "group");

	tcase_add_loop_test(tc, groups, 0,
			    ARRAY_SIZE(tests) * ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, no_scheduler);
	tcase_add_loop_test(tc, random_ends, 0, ARRAY_SIZE(crowd_nprocs) - 1);
	return suite_main(s);
}
