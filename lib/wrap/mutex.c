// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * mutex.c - pthread mutexes in fiber code.
 *
 * A fiber takes the mutex itself, by the C library's trylock, so that threads
 * that know nothing of fibers find it locked, or wait for it as ever. If it is
 * not to be had, the fiber waits in the table, and whoever unlocks it wakes one
 * who waits there. That one tries again, and others may get in before: as with
 * the C library's.
 *
 * One way of unlocking is not seen: when a thread waits for a condition, the C
 * library lets go of the mutex within. While a mutex is a thread's, fibers that
 * wait for it therefore look again now and then.
 *
 * What is not plain (robust, with a priority, of several processes) is taken by
 * a foreign call. The C library knows its owner by thread, and so the fiber
 * stays on that as long as it has the mutex.
 *
 * REJECTED: to bind a fiber to its thread while it has any recursive mutex:
 * each that waits then takes a thread, and sqlite's busy handler waits so.
 * A mutex of our own behind the C library's: code that calls that directly, and
 * static initializers, would have another one.
 */
#include "mutex.h"

#include <limits.h>

#include "table.h"

/* How often who waits for a thread's mutex looks, and when no more often */
#define LOOK_MIN	BATON_MSEC
#define LOOK_MAX	(64 * BATON_MSEC)

uintptr_t baton_wrap_caller(void)
{
	/*
	 * Its word is who has taken it: a fiber, in whichever code, or a
	 * thread.
	 */
	struct baton_mutex probe = BATON_MUTEX_INIT;
	uintptr_t self = wrap_forked();

	if (unlikely(self))
		return self;
	baton_mutex_trylock(&probe);
	self = probe.baton_word;
	baton_mutex_unlock(&probe);
	return self;
}

/* A checked one that the calling fiber has: once more, if it is recursive. */
static int lock_again(pthread_mutex_t *m)
{
	if (!mutex_recursive(m))
		return EDEADLK;
	if (m->__data.__count == UINT_MAX)
		return EAGAIN;
	m->__data.__count++;
	return 0;
}

/*
 * By foreign code, or a thread: is it the fiber's that the caller is part of?
 */
static bool has_it(const pthread_mutex_t *m)
{
	uintptr_t f = mutex_fiber(m);

	return unlikely(f) && mutex_checked(m) && f == baton_wrap_caller();
}

static int try(struct baton_fiber *f, pthread_mutex_t *m)
{
	int err = real(pthread_mutex_trylock)(m);

	/* One that foreign code further out has stays the thread's. */
	if (!err && !(mutex_recursive(m) && m->__data.__count > 1))
		mutex_claim(m, (uintptr_t)f);
	return err;
}

/* Until it is had, or @clock shows @at: ETIMEDOUT. */
static int wait_for(struct baton_fiber *f, pthread_mutex_t *m, clockid_t clock,
		    int64_t at)
{
	int64_t look, pause = LOOK_MIN;
	struct place place;
	int err;

	for (;;) {
		baton_table_add(&place, m);
		err = try(f, m);
		if (err != EBUSY) {
			/* If it was woken, too, its unlock wakes the next. */
			if (baton_table_del(&place) && err)
				table_wake(m, false);
			return err;
		}
		look = mutex_fiber(m) ? BATON_NEVER : wrap_after(pause);
		if (look < baton_wrap_deadline(clock, at)) {
			baton_table_wait(&place, CLOCK_MONOTONIC, look);
			if (pause < LOOK_MAX)
				pause *= 2;
		} else if (baton_table_wait(&place, clock, at)) {
			err = try(f, m);
			/* The next one has to look at whose it is now. */
			if (err == EBUSY) {
				table_wake(m, false);
				err = ETIMEDOUT;
			}
			return err;
		}
	}
}

/* As trylock does, but one that the fiber has is an error, or had once more. */
static int try_lock(struct baton_fiber *f, pthread_mutex_t *m)
{
	if (mutex_checked(m) && mutex_fiber(m) == (uintptr_t)f)
		return lock_again(m);
	return try(f, m);
}

int baton_wrap_lock(struct baton_fiber *f, pthread_mutex_t *m)
{
	int err = try_lock(f, m);

	return unlikely(err == EBUSY) ?
		       wait_for(f, m, CLOCK_MONOTONIC, BATON_NEVER) :
		       err;
}

/* --- what the C library has to do ---------------------------------------- */

static bool locked(int err)
{
	return !err || err == EOWNERDEAD;
}

/* The fiber stays on this thread if it gets @m. Before: it must not move. */
#define PINNED(call) __extension__ ({					\
	baton_thread_lock();						\
	int __locked = (call);						\
	if (!locked(__locked))						\
		baton_thread_unlock();					\
	__locked;							\
})

/* -1: it is the C library's to do. */
static int timed_lock(pthread_mutex_t *m, clockid_t clock,
		      const struct timespec *ts)
{
	struct baton_fiber *f = wrap_locker();
	int err;

	if (!f && has_it(m))
		return lock_again(m);
	if (!f || !mutex_plain(m))
		return -1;
	err = try_lock(f, m);
	if (err != EBUSY)
		return err;
	return wrap_valid(ts) ? wait_for(f, m, clock, wrap_ns(ts)) : EINVAL;
}

/* --- what is called ------------------------------------------------------ */

WRAP int pthread_mutex_lock(pthread_mutex_t *m)
{
	struct baton_fiber *f = wrap_locker();

	if (!f)
		return has_it(m) ? lock_again(m) : real(pthread_mutex_lock)(m);
	if (mutex_plain(m))
		return baton_wrap_lock(f, m);
	return PINNED(wrap_foreign(&real(pthread_mutex_lock), m));
}

WRAP int pthread_mutex_trylock(pthread_mutex_t *m)
{
	struct baton_fiber *f = wrap_locker();

	int err;

	if (!f && !has_it(m))
		return real(pthread_mutex_trylock)(m);
	if (f && !mutex_plain(m))
		return PINNED(real(pthread_mutex_trylock)(m));
	err = f ? try_lock(f, m) : lock_again(m);
	return err == EDEADLK ? EBUSY : err;
}

WRAP int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *ts)
{
	int err = timed_lock(m, CLOCK_REALTIME, ts);

	if (err >= 0)
		return err;
	if (!wrap_locker())
		return real(pthread_mutex_timedlock)(m, ts);
	return PINNED(wrap_foreign(&real(pthread_mutex_timedlock), m, ts));
}

WRAP int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock,
				 const struct timespec *ts)
{
	int err = -1;

	if (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC)
		err = timed_lock(m, clock, ts);
	if (err >= 0)
		return err;
	if (!wrap_locker())
		return real(pthread_mutex_clocklock)(m, clock, ts);
	return PINNED(wrap_foreign(&real(pthread_mutex_clocklock), m, clock,
				   ts));
}

WRAP int pthread_mutex_unlock(pthread_mutex_t *m)
{
	uintptr_t f = mutex_fiber(m);
	bool plain = mutex_plain(m);
	int err;

	if (unlikely(f) && mutex_checked(m)) {
		if (f != baton_wrap_caller())
			return EPERM;
		if (mutex_recursive(m) && m->__data.__count > 1) {
			m->__data.__count--;
			return 0;
		}
		WRITE_ONCE(m->__data.__owner, gettid());
	}
	err = real(pthread_mutex_unlock)(m);
	/* From here on it may be gone. */
	if (unlikely(!plain) && !err && wrap_locker())
		baton_thread_unlock();
	table_wake(m, false);
	return err;
}

/* --- does it look so? ---------------------------------------------------- */

static bool mutex_known(const struct wrap_real *r, int type)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;
	bool known;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutex_init(&m, &attr);
	pthread_mutexattr_destroy(&attr);
	known = mutex_plain(&m) && m.__data.__kind == type &&
		!r->pthread_mutex_lock(&m) && m.__data.__owner == gettid();
	mutex_claim(&m, (uintptr_t)&m);
	known = known && mutex_fiber(&m) == (uintptr_t)&m;
	WRITE_ONCE(m.__data.__owner, gettid());
	return !r->pthread_mutex_unlock(&m) && known && !mutex_fiber(&m);
}

static bool cond_known(clockid_t clock, int shared, unsigned int refs)
{
	pthread_condattr_t attr;
	pthread_cond_t c;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, clock);
	pthread_condattr_setpshared(&attr, shared);
	pthread_cond_init(&c, &attr);
	pthread_condattr_destroy(&attr);
	return c.__data.__wrefs == refs;
}

static bool rwlock_known(const struct wrap_real *r)
{
	pthread_rwlock_t l = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

	l.__data.RWLOCK_FREE = gettid();
	return l.__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP &&
	       !r->pthread_rwlock_wrlock(&l) &&
	       l.__data.__cur_writer == gettid() &&
	       !r->pthread_rwlock_unlock(&l) && !l.__data.__cur_writer &&
	       l.__data.RWLOCK_FREE == (uintptr_t)gettid();
}

bool baton_wrap_locks_known(const struct wrap_real *r)
{
	return mutex_known(r, PTHREAD_MUTEX_RECURSIVE_NP) &&
	       mutex_known(r, PTHREAD_MUTEX_ERRORCHECK_NP) &&
	       rwlock_known(r) &&
	       cond_known(CLOCK_REALTIME, PTHREAD_PROCESS_PRIVATE, 0) &&
	       cond_known(CLOCK_MONOTONIC, PTHREAD_PROCESS_PRIVATE, 2) &&
	       cond_known(CLOCK_MONOTONIC, PTHREAD_PROCESS_SHARED, 3);
}
