// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * rwlock.c - pthread rwlocks in fiber code, as mutex.c.
 *
 * The C library tells by the writer's thread whether who unlocks has read or
 * written. Of a fiber that writes it finds its own thread there, then.
 *
 * A writer that waits in the table keeps no reader out. Where it is to, by the
 * lock's attribute, it waits as a thread.
 */
#include "mutex.h"
#include "table.h"

/* The caller has locked it to write, for fiber @f. Release: the handle first. */
static void claim(pthread_rwlock_t *l, uintptr_t f)
{
	WRITE_ONCE(l->__data.RWLOCK_FREE, f);
	smp_store_release(&l->__data.__cur_writer, OWNER_FIBER);
}

/* Does the fiber that the caller is part of write? */
static bool has_it(const pthread_rwlock_t *l)
{
	return unlikely(smp_load_acquire(&l->__data.__cur_writer) ==
			OWNER_FIBER) &&
	       READ_ONCE(l->__data.RWLOCK_FREE) == baton_wrap_caller();
}

static bool prefers_writers(const pthread_rwlock_t *l)
{
	return READ_ONCE(l->__data.__flags) ==
	       PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
}

static int try(struct baton_fiber *f, pthread_rwlock_t *l, bool write)
{
	int err;

	if (!write)
		return real(pthread_rwlock_tryrdlock)(l);
	err = real(pthread_rwlock_trywrlock)(l);
	if (!err)
		claim(l, (uintptr_t)f);
	return err;
}

/* Until it is had, or @clock shows @at: ETIMEDOUT. */
static int wait_for(struct baton_fiber *f, pthread_rwlock_t *l, bool write,
		    clockid_t clock, int64_t at)
{
	struct place place;
	int err;

	for (;;) {
		baton_table_add(&place, l);
		err = try(f, l, write);
		if (err != EBUSY) {
			baton_table_del(&place);
			return err;
		}
		if (baton_table_wait(&place, clock, at))
			return ETIMEDOUT;
	}
}

/* A fiber takes it; -1: the C library is to do it, on a thread. */
static int take(pthread_rwlock_t *l, bool write, clockid_t clock,
		const struct timespec *ts)
{
	struct baton_fiber *f = wrap_locker();
	int err;

	if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) ||
	    (ts && !wrap_valid(ts)))
		return EINVAL;
	if (has_it(l))
		return EDEADLK;
	if (!f || READ_ONCE(l->__data.__shared))
		return -1;
	err = try(f, l, write);
	if (err != EBUSY)
		return err;
	if (write && prefers_writers(l))
		return -1;
	return wait_for(f, l, write, clock, ts ? wrap_ns(ts) : BATON_NEVER);
}

/*
 * What take() leaves over: by a foreign call, if a fiber calls. A writer that
 * has waited in vain has kept readers out.
 */
#define TAKE_AS_THREAD(l, write, f, ...) __extension__ ({		\
	struct baton_fiber *__fiber = wrap_locker();			\
	int __taken;							\
									\
	if (__fiber)							\
		__taken = wrap_foreign(&real(f), l, ##__VA_ARGS__);	\
	else								\
		__taken = real(f)(l, ##__VA_ARGS__);			\
	if (__fiber && (write) && !__taken)				\
		claim(l, (uintptr_t)__fiber);				\
	else if ((write) && __taken)					\
		table_wake(l, true);					\
	__taken;							\
})

WRAP int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	int err = take(l, false, CLOCK_MONOTONIC, NULL);

	return err >= 0 ? err :
			  TAKE_AS_THREAD(l, false, pthread_rwlock_rdlock);
}

WRAP int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	int err = take(l, true, CLOCK_MONOTONIC, NULL);

	return err >= 0 ? err : TAKE_AS_THREAD(l, true, pthread_rwlock_wrlock);
}

WRAP int pthread_rwlock_trywrlock(pthread_rwlock_t *l)
{
	struct baton_fiber *f = wrap_locker();

	return f ? try(f, l, true) : real(pthread_rwlock_trywrlock)(l);
}

WRAP int pthread_rwlock_timedrdlock(pthread_rwlock_t *l,
				    const struct timespec *ts)
{
	int err = take(l, false, CLOCK_REALTIME, ts);

	return err >= 0 ? err :
			  TAKE_AS_THREAD(l, false, pthread_rwlock_timedrdlock,
					 ts);
}

WRAP int pthread_rwlock_timedwrlock(pthread_rwlock_t *l,
				    const struct timespec *ts)
{
	int err = take(l, true, CLOCK_REALTIME, ts);

	return err >= 0 ? err :
			  TAKE_AS_THREAD(l, true, pthread_rwlock_timedwrlock,
					 ts);
}

WRAP int pthread_rwlock_clockrdlock(pthread_rwlock_t *l, clockid_t clock,
				    const struct timespec *ts)
{
	int err = take(l, false, clock, ts);

	return err >= 0 ? err :
			  TAKE_AS_THREAD(l, false, pthread_rwlock_clockrdlock,
					 clock, ts);
}

WRAP int pthread_rwlock_clockwrlock(pthread_rwlock_t *l, clockid_t clock,
				    const struct timespec *ts)
{
	int err = take(l, true, clock, ts);

	return err >= 0 ? err :
			  TAKE_AS_THREAD(l, true, pthread_rwlock_clockwrlock,
					 clock, ts);
}

WRAP int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
	int err;

	/* Nobody else has it while a fiber writes. */
	if (unlikely(READ_ONCE(l->__data.__cur_writer) == OWNER_FIBER))
		WRITE_ONCE(l->__data.__cur_writer, gettid());
	err = real(pthread_rwlock_unlock)(l);
	table_wake(l, true);
	return err;
}
