// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * sleep.c - sleep() and the like; and waits for which a fiber has nothing
 *           better than a foreign call.
 *
 * A signal ends no sleep of a fiber. A cancel and the end of a scope do, with
 * ECANCELED and ETIMEDOUT, and with the time that is left.
 */
#include "real.h"

/* Until @clock shows @at. 0; an error number, which is not yet in errno. */
static int sleep_until(clockid_t clock, int64_t at)
{
	struct wrap_errno e;
	int err;

	baton_wrap_enter(&e);
	do
		err = -baton_sleep_until(baton_wrap_deadline(clock, at));
	while (!err && !wrap_come(clock, at));
	baton_wrap_leave(&e, 0);
	return err;
}

/* What was not slept of a wait until @end. */
static int64_t left(int64_t end)
{
	int64_t ns = end - baton_now();

	return ns > 0 ? ns : 0;
}

static int sleep_for(int64_t ns, struct timespec *rem)
{
	int64_t end = wrap_after(ns);
	int err = sleep_until(CLOCK_MONOTONIC, end);

	if (err && rem) {
		ns = left(end);
		rem->tv_sec = (time_t)(ns / BATON_SEC);
		rem->tv_nsec = (long)(ns % BATON_SEC);
	}
	return err;
}

/* Never inline: errno is where the fiber is now. */
static int __attribute__((noinline)) failed(int err)
{
	if (!err)
		return 0;
	errno = err;
	return -1;
}

static bool valid(const struct timespec *ts)
{
	return ts->tv_sec >= 0 && wrap_valid(ts);
}

WRAP unsigned int sleep(unsigned int seconds)
{
	struct timespec rem;

	if (!wrap_fiber())
		return real(sleep)(seconds);
	if (!sleep_for((int64_t)seconds * BATON_SEC, &rem))
		return 0;
	/* As the C library: to the nearest second */
	return (unsigned int)rem.tv_sec + (rem.tv_nsec >= BATON_SEC / 2);
}

WRAP int usleep(useconds_t usec)
{
	if (!wrap_fiber())
		return real(usleep)(usec);
	return failed(sleep_for((int64_t)usec * BATON_USEC, NULL));
}

WRAP int nanosleep(const struct timespec *req, struct timespec *rem)
{
	if (!wrap_fiber() || !valid(req))
		return real(nanosleep)(req, rem);
	return failed(sleep_for(wrap_ns(req), rem));
}

WRAP int clock_nanosleep(clockid_t clock, int flags, const struct timespec *req,
			 struct timespec *rem)
{
	if (!wrap_fiber() || !valid(req) || (flags & ~TIMER_ABSTIME))
		return real(clock_nanosleep)(clock, flags, req, rem);
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return wrap_foreign(&real(clock_nanosleep), clock, flags, req,
				    rem);
	if (flags & TIMER_ABSTIME)
		return sleep_until(clock, wrap_ns(req));
	return sleep_for(wrap_ns(req), rem);
}

/* --- foreign calls ------------------------------------------------------- */

WRAP int pthread_join(pthread_t thread, void **result)
{
	if (!wrap_fiber())
		return real(pthread_join)(thread, result);
	return wrap_foreign(&real(pthread_join), thread, result);
}

/*
 * sem_post() may be called by a signal handler, which must not touch what
 * fibers wait in.
 */
WRAP int sem_wait(sem_t *sem)
{
	struct wrap_errno e;

	if (!wrap_fiber())
		return real(sem_wait)(sem);
	baton_wrap_enter(&e);
	if (!real(sem_trywait)(sem))
		return 0;
	baton_wrap_leave(&e, 0);
	return wrap_foreign(&real(sem_wait), sem);
}

WRAP int sem_timedwait(sem_t *sem, const struct timespec *ts)
{
	if (!wrap_fiber())
		return real(sem_timedwait)(sem, ts);
	return wrap_foreign(&real(sem_timedwait), sem, ts);
}

WRAP int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *ts)
{
	if (!wrap_fiber())
		return real(sem_clockwait)(sem, clock, ts);
	return wrap_foreign(&real(sem_clockwait), sem, clock, ts);
}
