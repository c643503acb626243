// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_sync.c - locks and the like, on which fibers, foreign code and ordinary
 * threads meet, with cancels and deadlines at random.
 */
#include <pthread.h>

#include "common.h"

/* Part of the binary interface: users have these in structures of theirs. */
_Static_assert(sizeof(struct baton_mutex) == 3 * sizeof(void *), "mutex");
_Static_assert(sizeof(struct baton_rwlock) == 4 * sizeof(void *), "rwlock");
_Static_assert(sizeof(struct baton_cond) == 4 * sizeof(void *), "cond");
_Static_assert(sizeof(struct baton_sem) == 3 * sizeof(void *), "sem");
_Static_assert(sizeof(struct baton_wg) == 3 * sizeof(void *), "wg");
_Static_assert(sizeof(struct baton_once) == 4 * sizeof(void *), "once");
_Static_assert(sizeof(struct baton_barrier) == 4 * sizeof(void *), "barrier");

/* --- a crowd: fibers, foreign code of fibers, threads ---------------------- */

#define EACH	4u
#define CROWD	(3 * EACH)

struct crowd {
	void (*body)(void *arg, uint32_t *seed);
	void *arg;
	uint32_t seed;
	int done;		/* fibers */
	struct baton_fiber *fibers[2 * EACH];
	pthread_t threads[EACH];
};

static void crowd_body(void *arg)
{
	struct crowd *c = arg;
	uint32_t seed = (uint32_t)add(&c->seed, 0x9e3779b9);

	c->body(c->arg, &seed);
}

static void *crowd_fiber(void *arg)
{
	crowd_body(arg);
	add(&((struct crowd *)arg)->done, 1);
	return NULL;
}

static void *crowd_foreign(void *arg)
{
	expect_eq(baton_call(crowd_body, arg), 0);
	add(&((struct crowd *)arg)->done, 1);
	return NULL;
}

static void *crowd_thread(void *arg)
{
	crowd_body(arg);
	return NULL;
}

static void threads_join(void *arg)
{
	struct crowd *c = arg;

	for (unsigned int i = 0; i < EACH; i++)
		expect_eq(pthread_join(c->threads[i], NULL), 0);
}

static void threads_create(struct crowd *c)
{
	for (unsigned int i = 0; i < EACH; i++)
		expect_eq(pthread_create(&c->threads[i], NULL, crowd_thread, c),
			  0);
}

static void *crowd_canceler(void *arg)
{
	struct crowd *c = arg;
	uint32_t seed = load(&c->seed);

	while (load(&c->done) < (int)(2 * EACH)) {
		uint32_t i = random_next(&seed) % (2 * EACH);

		expect_eq(baton_cancel(c->fibers[i]), 0);
		for (i = random_next(&seed) % 8; i; i--)
			baton_yield();
	}
	return NULL;
}

static void *crowd_all(void *arg)
{
	struct crowd *c = arg;
	struct baton_fiber *canceler;

	for (unsigned int i = 0; i < 2 * EACH; i++)
		c->fibers[i] = spawn(i % 2 ? crowd_fiber : crowd_foreign, c);
	threads_create(c);
	canceler = spawn(crowd_canceler, c);
	expect_eq(baton_call(threads_join, c), 0);
	/* Not freed before the last cancel. */
	join(canceler);
	for (unsigned int i = 0; i < 2 * EACH; i++)
		join(c->fibers[i]);
	return NULL;
}

/* @nprocs 0: threads alone, and no scheduler. */
static void crowd(unsigned int nprocs, void (*body)(void *, uint32_t *),
		  void *arg)
{
	struct crowd c = { .body = body, .arg = arg, .seed = random_seed() };

	if (nprocs) {
		run_on(nprocs, crowd_all, &c);
	} else {
		threads_create(&c);
		threads_join(&c);
	}
}

static const unsigned int crowd_nprocs[] = { 0, 1, 2, 4 };

static unsigned int crowd_size(unsigned int nprocs)
{
	return nprocs ? CROWD : EACH;
}

/* A deadline: never, past, or soon. */
static int64_t random_deadline(uint32_t *seed)
{
	switch (random_next(seed) % 4) {
	case 0:
		return 0;
	case 1:
		return baton_now() + random_next(seed) % 50000;
	default:
		return BATON_NEVER;
	}
}

static bool in_vain(int err)
{
	if (err && err != -ETIMEDOUT && err != -ECANCELED)
		ck_abort_msg("%d: %s", err, baton_reason());
	return err;
}

/* Fibers let others run; threads go on. */
static void maybe_yield(uint32_t *seed)
{
	if (random_next(seed) % 2)
		baton_yield();
}

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
	pthread_t t;

	expect_eq(pthread_create(&t, NULL, stranger, arg), 0);
	expect_eq(pthread_join(t, NULL), 0);
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
	pthread_t t;

	expect_eq(pthread_create(&t, NULL, calls_back, arg), 0);
	expect_eq(pthread_join(t, NULL), 0);
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
	run_on(1, hand_over_canceled, NULL);
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
	run_on(1, writer_leaves, NULL);
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

	/* Half of those who put begin, lest all wait for one to take. */
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
	run_on(1, signals, NULL);
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
	run_on(1, other_mutex, NULL);
}
END_TEST

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
	tcase_add_loop_test(tc, sem_exact, 0, crowds);
	tcase_add_loop_test(tc, wg_exact, 0, crowds);
	tcase_add_loop_test(tc, once_exact, 0, crowds);
	tcase_add_loop_test(tc, once_unwound, 0, n);
	tcase_add_loop_test(tc, barrier_exact, 0, crowds);
	tcase_add_loop_test(tc, misuse, 0, crowds);
	return suite_main(s);
}
