// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cond.c - pthread conditions in fiber code.
 *
 * A fiber lists itself in the table before it lets go of the mutex, so that who
 * changes the condition with the mutex finds it there. A thread waits by the C
 * library's function. A signal goes to a fiber and to a thread, where there are
 * both: POSIX has one wake-up "at least", and so who waits looks again.
 */
#include "mutex.h"
#include "table.h"

/* Of __wrefs, see baton_wrap_locks_known() */
#define COND_SHARED	1u
#define COND_MONOTONIC	2u

static unsigned int flags(const pthread_cond_t *c)
{
	return READ_ONCE(c->__data.__wrefs);
}

static clockid_t clock_of(const pthread_cond_t *c)
{
	return flags(c) & COND_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

/* The fiber that is to wait in the table, the mutex being its own. */
static struct baton_fiber *waiter(const pthread_cond_t *c,
				  const pthread_mutex_t *m)
{
	struct baton_fiber *f = wrap_locker();

	if (!f || flags(c) & COND_SHARED || !mutex_plain(m))
		return NULL;
	/* Or it is an error, or its foreign code's further out. */
	if (mutex_checked(m) && mutex_fiber(m) != (uintptr_t)f)
		return NULL;
	return f;
}

static int wait_on(struct baton_fiber *f, pthread_cond_t *c, pthread_mutex_t *m,
		   clockid_t clock, int64_t at)
{
	struct place place;
	int err, lost;

	baton_table_add(&place, c);
	err = pthread_mutex_unlock(m);
	if (err) {
		if (baton_table_del(&place))
			table_wake(c, false);
		return err;
	}
	err = -baton_table_wait(&place, clock, at);
	lost = baton_wrap_lock(f, m);
	return lost ? lost : err;
}

/*
 * If the caller's fiber has @m, it is the thread's now: the C library checks that,
 * and lets go of it unseen. Fibers that wait for what a fiber has wait to be
 * woken; they look again, and from then on now and then. Returns the fiber.
 */
static uintptr_t give_to_thread(pthread_mutex_t *m)
{
	uintptr_t f = mutex_fiber(m);

	if (likely(!f) || f != baton_wrap_caller())
		return 0;
	WRITE_ONCE(m->__data.__owner, gettid());
	table_wake(m, true);
	return f;
}

/* The C library's own, for a thread, or foreign code, by @call. */
#define WAIT_AS_THREAD(m, call) __extension__ ({			\
	uintptr_t __f = give_to_thread(m);				\
	int __ret = (call);						\
									\
	if (__f)							\
		mutex_claim(m, __f);					\
	__ret;								\
})

WRAP int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	struct baton_fiber *f = waiter(c, m);

	if (f)
		return wait_on(f, c, m, CLOCK_MONOTONIC, BATON_NEVER);
	if (wrap_locker())
		return wrap_foreign(pthread_cond_wait, c, m);
	return WAIT_AS_THREAD(m, real(pthread_cond_wait)(c, m));
}

WRAP int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
				const struct timespec *ts)
{
	struct baton_fiber *f = waiter(c, m);

	if (f && !wrap_valid(ts))
		return EINVAL;
	if (f)
		return wait_on(f, c, m, clock_of(c), wrap_ns(ts));
	if (wrap_locker())
		return wrap_foreign(pthread_cond_timedwait, c, m, ts);
	return WAIT_AS_THREAD(m, real(pthread_cond_timedwait)(c, m, ts));
}

WRAP int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m,
				clockid_t clock, const struct timespec *ts)
{
	struct baton_fiber *f = waiter(c, m);

	if (f && (!wrap_valid(ts) ||
		  (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)))
		return EINVAL;
	if (f)
		return wait_on(f, c, m, clock, wrap_ns(ts));
	if (wrap_locker())
		return wrap_foreign(pthread_cond_clockwait, c, m, clock, ts);
	return WAIT_AS_THREAD(m, real(pthread_cond_clockwait)(c, m, clock, ts));
}

WRAP int pthread_cond_signal(pthread_cond_t *c)
{
	int err = real(pthread_cond_signal)(c);

	table_wake(c, false);
	return err;
}

WRAP int pthread_cond_broadcast(pthread_cond_t *c)
{
	int err = real(pthread_cond_broadcast)(c);

	table_wake(c, true);
	return err;
}
