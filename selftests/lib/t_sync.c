// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_sync.c - semaphores, wait groups, once, barriers, on which fibers, foreign
 * code and ordinary threads meet, with cancels and deadlines at random; and the
 * mistakes and sizes of all such objects.
 */
#include "crowd.h"

/* Part of the binary interface: users have these in structures of theirs. */
_Static_assert(sizeof(struct baton_mutex) == 3 * sizeof(void *), "mutex");
_Static_assert(sizeof(struct baton_rwlock) == 4 * sizeof(void *), "rwlock");
_Static_assert(sizeof(struct baton_cond) == 4 * sizeof(void *), "cond");
_Static_assert(sizeof(struct baton_sem) == 3 * sizeof(void *), "sem");
_Static_assert(sizeof(struct baton_wg) == 3 * sizeof(void *), "wg");
_Static_assert(sizeof(struct baton_once) == 4 * sizeof(void *), "once");
_Static_assert(sizeof(struct baton_barrier) == 4 * sizeof(void *), "barrier");

/* --- semaphore ------------------------------------------------------------- */

struct tickets {
	struct baton_sem sem;
	unsigned int rounds;
	int free;
};

static void sem_body(void *arg, uint32_t *seed)
{
	struct tickets *t = arg;

	for (unsigned int i = 0; i < t->rounds; i++) {
		if (!(random_next(seed) % 8)) {
			int err = baton_sem_trywait(&t->sem);

			if (err) {
				expect_eq(err, -EAGAIN);
				continue;
			}
		} else if (in_vain(baton_sem_wait_until(
				   &t->sem, random_deadline(seed)))) {
			continue;
		}
		expect(add(&t->free, -1) >= 0);
		maybe_yield(seed);
		add(&t->free, 1);
		expect_eq(baton_sem_post(&t->sem), 0);
	}
}

START_TEST(sem_exact)
{
	struct tickets t = { .rounds = scaled(3000), .free = 3 };

	expect_eq(baton_sem_init(&t.sem, 3), 0);
	crowd(crowd_nprocs[_i], sem_body, &t);
	for (int i = 0; i < 3; i++)
		expect_eq(baton_sem_trywait(&t.sem), 0);
	expect_eq(baton_sem_trywait(&t.sem), -EAGAIN);
	expect_eq(baton_sem_destroy(&t.sem), 0);
}
END_TEST

/* --- wait group ------------------------------------------------------------ */

struct work {
	struct baton_wg wg;
	struct baton_wg turn;
	unsigned int rounds;
	int undone;
};

static void wg_body(void *arg, uint32_t *seed)
{
	struct work *w = arg;

	for (unsigned int i = 0; i < w->rounds; i++) {
		struct baton_wg mine = BATON_WG_INIT;

		/* One's own is never waited for in vain. */
		expect_eq(baton_wg_add(&mine, 2), 0);
		expect(in_vain(baton_wg_wait_until(&mine, 0)));
		expect_eq(baton_wg_done(&mine), 0);
		expect_eq(baton_wg_done(&mine), 0);
		expect_eq(baton_wg_wait(&mine), 0);
		expect_eq(baton_wg_done(&mine), -EINVAL);

		expect_eq(baton_wg_add(&w->wg, 1), 0);
		maybe_yield(seed);
		expect_eq(baton_wg_done(&w->wg), 0);
		in_vain(baton_wg_wait_until(&w->wg, random_deadline(seed)));
	}
	add(&w->undone, -1);
	expect_eq(baton_wg_done(&w->turn), 0);
	/* Nobody goes on before all have come here. */
	while (in_vain(baton_wg_wait_until(&w->turn, random_deadline(seed))))
		;
	expect_eq(load(&w->undone), 0);
}

START_TEST(wg_exact)
{
	unsigned int n = crowd_size(crowd_nprocs[_i]);
	struct work w = { .rounds = scaled(2000), .undone = (int)n };

	expect_eq(baton_wg_add(&w.turn, (int)n), 0);
	expect_eq(baton_wg_destroy(&w.turn), -EBUSY);
	crowd(crowd_nprocs[_i], wg_body, &w);
	expect_eq(baton_wg_destroy(&w.wg), 0);
	expect_eq(baton_wg_destroy(&w.turn), 0);
}
END_TEST

/* --- once ------------------------------------------------------------------ */

#define ONCES	200

struct onces {
	struct baton_once once[ONCES];
	int times[ONCES];
	int i;			/* of whose function runs */
};

static void first_time(void *arg)
{
	int *times = arg;

	baton_yield();
	++*times;
}

static void once_body(void *arg, uint32_t *seed)
{
	struct onces *o = arg;

	for (int i = 0; i < ONCES; i++) {
		while (in_vain(baton_once_until(&o->once[i], first_time,
						&o->times[i],
						random_deadline(seed))))
			;
		expect_eq(o->times[i], 1);
	}
}

START_TEST(once_exact)
{
	struct onces *o = calloc(1, sizeof(*o));

	crowd(crowd_nprocs[_i], once_body, o);
	free(o);
}
END_TEST

static void again(void *arg)
{
	expect_eq(baton_once(arg, again, arg), -EDEADLK);
}

static void panics(void *arg)
{
	baton_panic(arg, "once");
}

static void panics_once(void *arg)
{
	baton_once(arg, panics, arg);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void *onces(void *arg)
{
	static struct baton_once once = BATON_ONCE_INIT, twice;
	int times = 0;
	void *value;

	expect_eq(baton_once(&once, again, &once), 0);
	expect_eq(baton_once(&once, again, &once), 0);
	/* Unwound, it is not done. */
	expect(baton_try(panics_once, &twice, &value));
	expect_eq(baton_once(&twice, first_time, &times), 0);
	expect_eq(times, 1);
	return arg;
}

START_TEST(once_unwound)
{
	run_on(nprocs_list[_i], onces, NULL);
}
END_TEST

/* --- barrier --------------------------------------------------------------- */

struct meeting {
	struct baton_barrier barrier;
	unsigned int rounds;
	unsigned int n;
	int come;
	int serial;
};

static void barrier_body(void *arg, uint32_t *seed)
{
	struct meeting *m = arg;

	for (unsigned int i = 1; i <= m->rounds; i++) {
		int err;

		add(&m->come, 1);
		do
			err = baton_barrier_wait_until(&m->barrier,
						       random_deadline(seed));
		while (err < 0 && in_vain(err));
		if (err)
			expect_eq(err, BATON_BARRIER_SERIAL);
		add(&m->serial, err);
		/* All have come as often, and nobody has gone further. */
		expect(load(&m->come) >= (int)(i * m->n));
		expect(load(&m->come) <= (int)((i + 1) * m->n));
	}
}

START_TEST(barrier_exact)
{
	struct meeting m = {
		.rounds = scaled(1000),
		.n = crowd_size(crowd_nprocs[_i]),
	};

	expect_eq(baton_barrier_init(&m.barrier, m.n), 0);
	crowd(crowd_nprocs[_i], barrier_body, &m);
	expect_eq(m.serial, m.rounds);
	expect_eq(baton_barrier_destroy(&m.barrier), 0);
}
END_TEST

/* --- mistakes -------------------------------------------------------------- */

#define refused(call, error) do {					\
	baton_mutex_unlock(&unlocked);	/* another reason */		\
	expect_eq(call, error);						\
	expect(strcmp(baton_reason(), before));				\
} while (0)

static void *mistakes(void *arg)
{
	static struct baton_mutex unlocked, mutex;
	struct baton_rwlock rw = BATON_RWLOCK_INIT;
	struct baton_cond cond = BATON_COND_INIT;
	struct baton_sem sem = BATON_SEM_INIT(BATON_SEM_MAX);
	struct baton_wg wg = BATON_WG_INIT;
	struct baton_once once = BATON_ONCE_INIT;
	struct baton_barrier barrier = { 0 };
	char before[160];

	memset(&mutex, 0, sizeof(mutex));
	memset(&unlocked, 0, sizeof(unlocked));
	expect_eq(baton_mutex_unlock(&unlocked), -EPERM);
	snprintf(before, sizeof(before), "%s", baton_reason());

	refused(baton_mutex_lock(NULL), -EINVAL);
	refused(baton_mutex_lock_until(NULL, 0), -EINVAL);
	refused(baton_mutex_trylock(NULL), -EINVAL);
	refused(baton_mutex_unlock(NULL), -EINVAL);
	refused(baton_mutex_destroy(NULL), -EINVAL);
	refused(baton_rwlock_rdlock(NULL), -EINVAL);
	refused(baton_rwlock_wrlock(NULL), -EINVAL);
	refused(baton_rwlock_tryrdlock(NULL), -EINVAL);
	refused(baton_rwlock_trywrlock(NULL), -EINVAL);
	refused(baton_rwlock_rdlock_until(NULL, 0), -EINVAL);
	refused(baton_rwlock_wrlock_until(NULL, 0), -EINVAL);
	refused(baton_rwlock_unlock(NULL), -EINVAL);
	refused(baton_rwlock_destroy(NULL), -EINVAL);
	refused(baton_cond_wait(NULL, &mutex), -EINVAL);
	refused(baton_cond_wait(&cond, NULL), -EINVAL);
	refused(baton_cond_wait_until(NULL, NULL, 0), -EINVAL);
	refused(baton_cond_signal(NULL), -EINVAL);
	refused(baton_cond_broadcast(NULL), -EINVAL);
	refused(baton_cond_destroy(NULL), -EINVAL);
	refused(baton_sem_init(NULL, 0), -EINVAL);
	refused(baton_sem_wait(NULL), -EINVAL);
	refused(baton_sem_wait_until(NULL, 0), -EINVAL);
	refused(baton_sem_trywait(NULL), -EINVAL);
	refused(baton_sem_post(NULL), -EINVAL);
	refused(baton_sem_destroy(NULL), -EINVAL);
	refused(baton_wg_add(NULL, 1), -EINVAL);
	refused(baton_wg_done(NULL), -EINVAL);
	refused(baton_wg_wait(NULL), -EINVAL);
	refused(baton_wg_wait_until(NULL, 0), -EINVAL);
	refused(baton_wg_destroy(NULL), -EINVAL);
	refused(baton_once(NULL, nothing, NULL), -EINVAL);
	refused(baton_once(&once, NULL, NULL), -EINVAL);
	refused(baton_barrier_init(NULL, 1), -EINVAL);
	refused(baton_barrier_init(&barrier, 0), -EINVAL);
	refused(baton_barrier_wait(NULL), -EINVAL);
	refused(baton_barrier_wait(&barrier), -EINVAL);
	refused(baton_barrier_destroy(NULL), -EINVAL);

	expect_eq(baton_cond_wait(&cond, &mutex), -EPERM);
	expect_eq(baton_rwlock_unlock(&rw), -EPERM);
	expect_eq(baton_rwlock_wrlock(&rw), 0);
	refused(baton_rwlock_wrlock(&rw), -EDEADLK);
	refused(baton_rwlock_rdlock(&rw), -EDEADLK);
	expect_eq(baton_rwlock_trywrlock(&rw), -EBUSY);
	refused(baton_rwlock_destroy(&rw), -EBUSY);
	expect_eq(baton_rwlock_unlock(&rw), 0);
	refused(baton_sem_post(&sem), -EOVERFLOW);
	refused(baton_sem_init(&sem, BATON_SEM_MAX + 1), -EINVAL);
	refused(baton_wg_done(&wg), -EINVAL);
	refused(baton_wg_add(&wg, INT32_MIN), -EINVAL);
	expect_eq(baton_wg_add(&wg, BATON_WG_MAX), 0);
	refused(baton_wg_add(&wg, 1), -EOVERFLOW);
	refused(baton_wg_add(&wg, INT32_MAX), -EOVERFLOW);
	refused(baton_wg_destroy(&wg), -EBUSY);
	expect_eq(baton_wg_add(&wg, -BATON_WG_MAX), 0);
	expect_eq(baton_barrier_init(&barrier, 1), 0);
	expect_eq(baton_barrier_wait(&barrier), BATON_BARRIER_SERIAL);

	/* Use after the end */
	expect_eq(baton_mutex_destroy(&mutex), 0);
	refused(baton_mutex_destroy(&mutex), -EINVAL);
	refused(baton_mutex_lock(&mutex), -EINVAL);
	refused(baton_mutex_trylock(&mutex), -EINVAL);
	refused(baton_mutex_unlock(&mutex), -EINVAL);
	refused(baton_cond_wait(&cond, &mutex), -EINVAL);
	expect_eq(baton_rwlock_destroy(&rw), 0);
	refused(baton_rwlock_rdlock(&rw), -EINVAL);
	refused(baton_rwlock_wrlock(&rw), -EINVAL);
	refused(baton_rwlock_tryrdlock(&rw), -EINVAL);
	refused(baton_rwlock_unlock(&rw), -EINVAL);
	expect_eq(baton_cond_destroy(&cond), 0);
	refused(baton_cond_signal(&cond), -EINVAL);
	refused(baton_cond_broadcast(&cond), -EINVAL);
	mutex = (struct baton_mutex)BATON_MUTEX_INIT;
	expect_eq(baton_mutex_lock(&mutex), 0);
	refused(baton_cond_wait(&cond, &mutex), -EINVAL);
	expect_eq(baton_mutex_unlock(&mutex), 0);
	expect_eq(baton_sem_destroy(&sem), 0);
	refused(baton_sem_wait(&sem), -EINVAL);
	refused(baton_sem_trywait(&sem), -EINVAL);
	refused(baton_sem_post(&sem), -EINVAL);
	expect_eq(baton_wg_destroy(&wg), 0);
	refused(baton_wg_add(&wg, 1), -EINVAL);
	refused(baton_wg_wait(&wg), -EINVAL);
	expect_eq(baton_barrier_destroy(&barrier), 0);
	refused(baton_barrier_wait(&barrier), -EINVAL);
	return arg;
}

START_TEST(misuse)
{
	if (crowd_nprocs[_i])
		run_on(crowd_nprocs[_i], mistakes, NULL);
	else
		mistakes(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sync");
	TCase *tc = test_case(s, "sync");
	int n = (int)ARRAY_SIZE(nprocs_list);
	int crowds = (int)ARRAY_SIZE(crowd_nprocs);

	tcase_add_loop_test(tc, sem_exact, 0, crowds);
	tcase_add_loop_test(tc, wg_exact, 0, crowds);
	tcase_add_loop_test(tc, once_exact, 0, crowds);
	tcase_add_loop_test(tc, once_unwound, 0, n);
	tcase_add_loop_test(tc, barrier_exact, 0, crowds);
	tcase_add_loop_test(tc, misuse, 0, crowds);
	return suite_main(s);
}
