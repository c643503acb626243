// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_mutex.c - mutexes, rwlocks and conditions, on which fibers, foreign code and
 * ordinary threads meet, with cancels and deadlines at random.
 */
#include "crowd.h"

/* --- mutex ----------------------------------------------------------------- */

struct counted {
	struct baton_mutex mutex;
	struct baton_rwlock rwlock;
	unsigned int rounds;
	unsigned int inside;	/* under the lock */
	unsigned int count;	/* likewise */
	unsigned int had;	/* what they say */
};

static void mutex_body(void *arg, uint32_t *seed)
{
	struct counted *m = arg;

	for (unsigned int i = 0; i < m->rounds; i++) {
		if (!(random_next(seed) % 8)) {
			int err = baton_mutex_trylock(&m->mutex);

			if (err) {
				expect_eq(err, -EBUSY);
				continue;
			}
		} else if (in_vain(baton_mutex_lock_until(
				   &m->mutex, random_deadline(seed)))) {
			continue;
		}
		expect_eq(m->inside, 0);
		m->inside = 1;
		maybe_yield(seed);
		m->count++;
		m->inside = 0;
		expect_eq(baton_mutex_unlock(&m->mutex), 0);
		add(&m->had, 1);
	}
}

START_TEST(mutex_exact)
{
	struct counted m = { .rounds = scaled(3000) };

	crowd(crowd_nprocs[_i], mutex_body, &m);
	expect(m.had);
	expect_eq(m.count, m.had);
	expect_eq(baton_mutex_destroy(&m.mutex), 0);
}
END_TEST

#define GREEDY	2
#define MODEST	100

struct shares {
	struct baton_mutex mutex;
	unsigned int turns;	/* under the mutex */
	int modest_done;
	bool exact;
};

static void *greedy(void *arg)
{
	struct shares *s = arg;

	while (load(&s->modest_done) < MODEST) {
		expect_eq(baton_mutex_lock(&s->mutex), 0);
		s->turns++;
		baton_yield();
		expect_eq(baton_mutex_unlock(&s->mutex), 0);
	}
	return NULL;
}

static void *modest(void *arg)
{
	struct shares *s = arg;

	for (int i = 0; i < 20; i++) {
		unsigned int before = s->exact ? s->turns : 0;

		expect_eq(baton_mutex_lock(&s->mutex), 0);
		/* Everybody else once, at most. */
		if (s->exact)
			expect(s->turns - before < GREEDY + MODEST);
		s->turns++;
		expect_eq(baton_mutex_unlock(&s->mutex), 0);
		baton_yield();
	}
	add(&s->modest_done, 1);
	return NULL;
}

static void *shares_all(void *arg)
{
	struct baton_fiber *f[GREEDY + MODEST];

	for (int i = 0; i < GREEDY + MODEST; i++)
		f[i] = spawn(i < GREEDY ? greedy : modest, arg);
	for (int i = 0; i < GREEDY + MODEST; i++)
		join(f[i]);
	return NULL;
}

START_TEST(mutex_fair)
{
	struct shares s = { .exact = nprocs_list[_i] == 1 };

	if (s.exact)
		run_in_order(shares_all, &s);
	else
		run_on(nprocs_list[_i], shares_all, &s);
}
END_TEST

/* Whose it is: the fiber's, in its foreign code as well. */
static void unlocks(void *arg)
{
	expect_eq(baton_mutex_lock(arg), -EDEADLK);
	expect_eq(baton_mutex_unlock(arg), 0);
	expect_eq(baton_mutex_lock(arg), 0);
}

static void *stranger(void *arg)
{
	expect_eq(baton_mutex_unlock(arg), -EPERM);
	expect(strstr(baton_reason(), "somebody else"));
	expect_eq(baton_mutex_trylock(arg), -EBUSY);
	expect_eq(baton_mutex_lock_until(arg, baton_now() + BATON_MSEC),
		  -ETIMEDOUT);
	return NULL;
}

static void thread_is_stranger(void *arg)
{
	on_thread(stranger, arg);
}

static void foreign_is_stranger(void *arg)
{
	stranger(arg);
}

static void *other_foreign(void *arg)
{
	expect_eq(baton_call(foreign_is_stranger, arg), 0);
	return NULL;
}

static void *owners(void *arg)
{
	struct baton_mutex m = BATON_MUTEX_INIT;

	expect_eq(baton_mutex_lock(&m), 0);
	expect_eq(baton_call(unlocks, &m), 0);
	expect_eq(baton_mutex_lock(&m), -EDEADLK);
	join(spawn(stranger, &m));
	join(spawn(other_foreign, &m));
	expect_eq(baton_call(thread_is_stranger, &m), 0);
	expect_eq(baton_mutex_destroy(&m), -EBUSY);
	expect_eq(baton_mutex_unlock(&m), 0);
	expect_eq(baton_mutex_unlock(&m), -EPERM);
	return arg;
}

START_TEST(mutex_owner)
{
	run_on(nprocs_list[_i], owners, NULL);
}
END_TEST

/* An adopted thread: a thread outside, and a fiber in the callback. */
static void back_inside(void *arg)
{
	expect_eq(baton_mutex_trylock(arg), -EBUSY);
	expect_eq(baton_mutex_unlock(arg), -EPERM);
}

static void *calls_back(void *arg)
{
	for (int i = 0; i < 2; i++) {
		expect_eq(baton_mutex_lock(arg), 0);
		expect_eq(baton_callback(back_inside, arg), 0);
		expect_eq(baton_mutex_unlock(arg), 0);
	}
	return NULL;
}

static void adopt(void *arg)
{
	on_thread(calls_back, arg);
}

static void *adopts(void *arg)
{
	struct baton_mutex m = BATON_MUTEX_INIT;

	expect_eq(baton_call(adopt, &m), 0);
	return arg;
}

START_TEST(adopted_owner)
{
	run_on(nprocs_list[_i], adopts, NULL);
}
END_TEST

/*
 * The mutex is unlocked, its waiter canceled, in this order and the other; the
 * waiter has it or not, and nothing is lost.
 */
static void *locks_once(void *arg)
{
	int err = baton_mutex_lock(arg);

	if (!err)
		expect_eq(baton_mutex_unlock(arg), 0);
	return (void *)(intptr_t)err;
}

static void *hand_over_canceled(void *arg)
{
	struct baton_mutex m = BATON_MUTEX_INIT;
	struct baton_fiber *a, *b;

	for (int first = 0; first < 2; first++) {
		expect_eq(baton_mutex_lock(&m), 0);
		a = spawn(locks_once, &m);
		baton_yield();
		b = spawn(locks_once, &m);
		baton_yield();
		if (first) {
			expect_eq(baton_cancel(a), 0);
			expect_eq(baton_mutex_unlock(&m), 0);
		} else {
			expect_eq(baton_mutex_unlock(&m), 0);
			expect_eq(baton_cancel(a), 0);
		}
		expect_eq((intptr_t)join(a), first ? -ECANCELED : 0);
		expect_eq((intptr_t)join(b), 0);
	}
	expect_eq(baton_mutex_destroy(&m), 0);
	return arg;
}

START_TEST(mutex_canceled)
{
	run_in_order(hand_over_canceled, NULL);
}
END_TEST

/* The last one who unlocks an object may free it, waiters or not. */
struct counted_ref {
	struct baton_mutex mutex;
	int refs;
};

static void put(struct counted_ref *r)
{
	bool last;

	expect_eq(baton_mutex_lock(&r->mutex), 0);
	last = !--r->refs;
	expect_eq(baton_mutex_unlock(&r->mutex), 0);
	if (last) {
		memset(r, 0xff, sizeof(*r));
		free(r);
	}
}

static void *puts_one(void *arg)
{
	put(arg);
	return NULL;
}

static void *refs(void *arg)
{
	struct baton_fiber *f[4];

	for (unsigned int i = scaled(3000); i; i--) {
		struct counted_ref *r = calloc(1, sizeof(*r));

		r->refs = 5;
		for (int n = 0; n < 4; n++)
			f[n] = spawn(puts_one, r);
		put(r);
		for (int n = 0; n < 4; n++)
			join(f[n]);
	}
	return arg;
}

START_TEST(mutex_freed)
{
	run_on(nprocs_list[_i], refs, NULL);
}
END_TEST

/* --- rwlock ---------------------------------------------------------------- */

static void rwlock_body(void *arg, uint32_t *seed)
{
	struct counted *rw = arg;

	for (unsigned int i = 0; i < rw->rounds; i++) {
		bool write = !(random_next(seed) % 4);
		int64_t deadline = random_deadline(seed);
		unsigned int seen;

		if (in_vain(write ? baton_rwlock_wrlock_until(&rw->rwlock,
							      deadline) :
				    baton_rwlock_rdlock_until(&rw->rwlock,
							      deadline)))
			continue;
		seen = rw->count;
		if (write) {
			expect_eq(add(&rw->inside, 1), 1);
			rw->count = seen + 1;
			add(&rw->had, 1);
		}
		maybe_yield(seed);
		/* Nobody else has written meanwhile. */
		expect_eq(rw->count, seen + write);
		expect_eq(load(&rw->inside), write);
		if (write)
			add(&rw->inside, -1);
		expect_eq(baton_rwlock_unlock(&rw->rwlock), 0);
	}
}

START_TEST(rwlock_exact)
{
	struct counted rw = { .rounds = scaled(3000) };

	crowd(crowd_nprocs[_i], rwlock_body, &rw);
	expect_eq(rw.count, rw.had);
	expect_eq(baton_rwlock_destroy(&rw.rwlock), 0);
}
END_TEST

struct sides {
	struct baton_rwlock rwlock;
	int stop;
};

static void *always_reads(void *arg)
{
	struct sides *s = arg;

	while (!load(&s->stop)) {
		expect_eq(baton_rwlock_rdlock(&s->rwlock), 0);
		baton_yield();
		expect_eq(baton_rwlock_unlock(&s->rwlock), 0);
	}
	return NULL;
}

static void *always_writes(void *arg)
{
	struct sides *s = arg;

	while (!load(&s->stop)) {
		expect_eq(baton_rwlock_wrlock(&s->rwlock), 0);
		baton_yield();
		expect_eq(baton_rwlock_unlock(&s->rwlock), 0);
	}
	return NULL;
}

static void *both_sides(void *arg)
{
	baton_fn fn[] = { always_reads, always_writes };

	for (int side = 0; side < 2; side++) {
		struct sides s = { 0 };
		struct baton_fiber *f[3];

		/* There is no time at which none of them has it. */
		for (int i = 0; i < 3; i++) {
			f[i] = spawn(fn[side], &s);
			baton_yield();
		}
		for (int i = 0; i < 20; i++) {
			expect_eq(side ? baton_rwlock_rdlock(&s.rwlock) :
					 baton_rwlock_wrlock(&s.rwlock), 0);
			expect_eq(baton_rwlock_unlock(&s.rwlock), 0);
		}
		store(&s.stop, 1);
		for (int i = 0; i < 3; i++)
			join(f[i]);
	}
	return arg;
}

START_TEST(rwlock_fair)
{
	run_on(nprocs_list[_i], both_sides, NULL);
}
END_TEST

/* A writer that waits keeps readers waiting; gone, it does no more. */
static void *writes_once(void *arg)
{
	return (void *)(intptr_t)baton_rwlock_wrlock(arg);
}

static void *reads_once(void *arg)
{
	expect_eq(baton_rwlock_rdlock(arg), 0);
	expect_eq(baton_rwlock_unlock(arg), 0);
	return NULL;
}

static void *writer_leaves(void *arg)
{
	struct baton_rwlock rw = BATON_RWLOCK_INIT;
	struct baton_fiber *w, *r;

	expect_eq(baton_rwlock_rdlock(&rw), 0);
	expect_eq(baton_rwlock_tryrdlock(&rw), 0);
	expect_eq(baton_rwlock_unlock(&rw), 0);
	w = spawn(writes_once, &rw);
	baton_yield();
	r = spawn(reads_once, &rw);
	baton_yield();
	expect_eq(baton_rwlock_tryrdlock(&rw), -EBUSY);
	expect_eq(baton_join_until(r, NULL, 0), -ETIMEDOUT);
	expect_eq(baton_cancel(w), 0);
	expect_eq((intptr_t)join(w), -ECANCELED);
	join(r);
	expect_eq(baton_rwlock_unlock(&rw), 0);
	expect_eq(baton_rwlock_destroy(&rw), 0);
	return arg;
}

START_TEST(rwlock_canceled)
{
	run_in_order(writer_leaves, NULL);
}
END_TEST

/* --- condition ------------------------------------------------------------- */

/* A ring of which everybody puts and takes as much. */
#define ROOM	3

struct ring {
	struct baton_mutex mutex;
	struct baton_cond filled;
	struct baton_cond emptied;
	unsigned int rounds;
	unsigned int n;		/* under the mutex */
	unsigned int in;	/* likewise */
	unsigned int out;
};

static void lock_always(struct baton_mutex *m)
{
	while (in_vain(baton_mutex_lock(m)))
		;
}

static void ring_put(struct ring *r, uint32_t *seed)
{
	lock_always(&r->mutex);
	while (r->n == ROOM)
		in_vain(baton_cond_wait_until(&r->emptied, &r->mutex,
					      random_deadline(seed)));
	r->n++;
	r->in++;
	expect_eq(baton_cond_signal(&r->filled), 0);
	expect_eq(baton_mutex_unlock(&r->mutex), 0);
}

static void ring_take(struct ring *r, uint32_t *seed)
{
	lock_always(&r->mutex);
	while (!r->n)
		in_vain(baton_cond_wait_until(&r->filled, &r->mutex,
					      random_deadline(seed)));
	r->n--;
	r->out++;
	maybe_yield(seed);
	expect_eq(baton_cond_broadcast(&r->emptied), 0);
	expect_eq(baton_mutex_unlock(&r->mutex), 0);
}

static void ring_body(void *arg, uint32_t *seed)
{
	struct ring *r = arg;

	for (unsigned int i = 0; i < r->rounds; i++) {
		ring_put(r, seed);
		ring_take(r, seed);
	}
}

START_TEST(cond_exact)
{
	struct ring r = { .rounds = scaled(1000) };

	crowd(crowd_nprocs[_i], ring_body, &r);
	expect_eq(r.in, r.out);
	expect_eq(r.in, r.rounds * crowd_size(crowd_nprocs[_i]));
	expect_eq(r.n, 0);
	expect_eq(baton_cond_destroy(&r.filled), 0);
	expect_eq(baton_cond_destroy(&r.emptied), 0);
	expect_eq(baton_mutex_destroy(&r.mutex), 0);
}
END_TEST

struct signaled {
	struct baton_mutex mutex;
	struct baton_cond cond;
};

static void *waits_once(void *arg)
{
	struct signaled *s = arg;
	int err;

	expect_eq(baton_mutex_lock(&s->mutex), 0);
	err = baton_cond_wait(&s->cond, &s->mutex);
	/* Had, whatever it was. */
	expect_eq(baton_mutex_unlock(&s->mutex), 0);
	return (void *)(intptr_t)err;
}

static void *waits_in_scope(void *arg)
{
	struct signaled *s = arg;
	struct baton_scope scope;
	int err;

	expect_eq(baton_mutex_lock(&s->mutex), 0);
	baton_deadline_push(&scope, baton_now() + BATON_MSEC);
	err = baton_cond_wait(&s->cond, &s->mutex);
	baton_deadline_pop(&scope);
	expect_eq(baton_mutex_unlock(&s->mutex), 0);
	return (void *)(intptr_t)err;
}

/* Each signal is somebody's, also where one who waits is canceled. */
static void *signals(void *arg)
{
	struct signaled s = { BATON_MUTEX_INIT, BATON_COND_INIT };
	struct baton_fiber *a, *b;

	for (int first = 0; first < 2; first++) {
		a = spawn(waits_once, &s);
		baton_yield();
		b = spawn(waits_once, &s);
		baton_yield();
		expect_eq(baton_cond_destroy(&s.cond), -EBUSY);
		/* The mutex is had by us: they wait for it, masked. */
		expect_eq(baton_mutex_lock(&s.mutex), 0);
		if (first) {
			expect_eq(baton_cancel(a), 0);
			expect_eq(baton_cond_signal(&s.cond), 0);
		} else {
			expect_eq(baton_cond_signal(&s.cond), 0);
			expect_eq(baton_cancel(a), 0);
		}
		for (int i = 0; i < 3; i++) {
			baton_yield();
			expect_eq(baton_cancel(a), 0);
		}
		expect_eq(baton_mutex_unlock(&s.mutex), 0);
		expect_eq((intptr_t)join(a), first ? -ECANCELED : 0);
		if (!first)
			expect_eq(baton_cond_signal(&s.cond), 0);
		expect_eq((intptr_t)join(b), 0);
	}
	/* A deadline that is over ends no wait for the mutex, either. */
	a = spawn(waits_in_scope, &s);
	baton_yield();
	expect_eq(baton_mutex_lock(&s.mutex), 0);
	baton_sleep(5 * BATON_MSEC);
	expect_eq(baton_mutex_unlock(&s.mutex), 0);
	expect_eq((intptr_t)join(a), -ETIMEDOUT);
	expect_eq(baton_cond_destroy(&s.cond), 0);
	return arg;
}

START_TEST(cond_canceled)
{
	run_in_order(signals, NULL);
}
END_TEST

static void *other_mutex(void *arg)
{
	struct signaled s = { BATON_MUTEX_INIT, BATON_COND_INIT };
	struct baton_mutex m = BATON_MUTEX_INIT;
	struct baton_fiber *f = spawn(waits_once, &s);

	baton_yield();
	expect_eq(baton_mutex_lock(&m), 0);
	expect_eq(baton_cond_wait(&s.cond, &m), -EINVAL);
	expect_eq(baton_cond_broadcast(&s.cond), 0);
	join(f);
	/* Had as before. */
	expect_eq(baton_cond_wait_until(&s.cond, &m, 0), -ETIMEDOUT);
	expect_eq(baton_mutex_unlock(&m), 0);
	return arg;
}

START_TEST(cond_mutexes)
{
	run_in_order(other_mutex, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mutex");
	TCase *tc = test_case(s, "mutex");
	int n = (int)ARRAY_SIZE(nprocs_list);
	int crowds = (int)ARRAY_SIZE(crowd_nprocs);

	tcase_add_loop_test(tc, mutex_exact, 0, crowds);
	tcase_add_loop_test(tc, mutex_fair, 0, n);
	tcase_add_loop_test(tc, mutex_owner, 0, n);
	tcase_add_loop_test(tc, adopted_owner, 0, n);
	tcase_add_test(tc, mutex_canceled);
	tcase_add_loop_test(tc, mutex_freed, 0, n);
	tcase_add_loop_test(tc, rwlock_exact, 0, crowds);
	tcase_add_loop_test(tc, rwlock_fair, 0, n);
	tcase_add_test(tc, rwlock_canceled);
	tcase_add_loop_test(tc, cond_exact, 0, crowds);
	tcase_add_test(tc, cond_canceled);
	tcase_add_test(tc, cond_mutexes);
	return suite_main(s);
}
