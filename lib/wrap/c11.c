// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * c11.c - the mutexes, conditions and waits of <threads.h>, which are those of
 *         pthreads under other names.
 */
#include <threads.h>

#include "real.h"

static int thrd_result(int err)
{
	switch (err) {
	case 0:
		return thrd_success;
	case ENOMEM:
		return thrd_nomem;
	case ETIMEDOUT:
		return thrd_timedout;
	case EBUSY:
		return thrd_busy;
	default:
		return thrd_error;
	}
}

/* They have the same memory in the C library, too. */
static pthread_mutex_t *mutex(mtx_t *m)
{
	return (pthread_mutex_t *)m;
}

static pthread_cond_t *cond(cnd_t *c)
{
	return (pthread_cond_t *)c;
}

WRAP int mtx_lock(mtx_t *m)
{
	return thrd_result(pthread_mutex_lock(mutex(m)));
}

WRAP int mtx_trylock(mtx_t *m)
{
	return thrd_result(pthread_mutex_trylock(mutex(m)));
}

WRAP int mtx_timedlock(mtx_t *restrict m, const struct timespec *restrict ts)
{
	return thrd_result(pthread_mutex_timedlock(mutex(m), ts));
}

WRAP int mtx_unlock(mtx_t *m)
{
	return thrd_result(pthread_mutex_unlock(mutex(m)));
}

WRAP int cnd_wait(cnd_t *c, mtx_t *m)
{
	return thrd_result(pthread_cond_wait(cond(c), mutex(m)));
}

WRAP int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m,
		       const struct timespec *restrict ts)
{
	return thrd_result(pthread_cond_timedwait(cond(c), mutex(m), ts));
}

WRAP int cnd_signal(cnd_t *c)
{
	return thrd_result(pthread_cond_signal(cond(c)));
}

WRAP int cnd_broadcast(cnd_t *c)
{
	return thrd_result(pthread_cond_broadcast(cond(c)));
}

/* What ends it early, a signal or a cancel, is one word there. */
WRAP int thrd_sleep(const struct timespec *ts, struct timespec *rem)
{
	int err = clock_nanosleep(CLOCK_REALTIME, 0, ts, rem);

	if (err == EINTR || err == ECANCELED || err == ETIMEDOUT)
		return -1;
	return err ? -2 : 0;
}

WRAP int thrd_join(thrd_t thread, int *result)
{
	void *value;
	int err = pthread_join(thread, &value);

	if (!err && result)
		*result = (int)(uintptr_t)value;
	return thrd_result(err);
}
