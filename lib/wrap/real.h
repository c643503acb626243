/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * real.h - what all wrappers share: who calls, the C library's own functions,
 *          and errno.
 *
 * libbaton-wrap.so defines functions of the C library's names, and comes before
 * that where the dynamic linker looks. Each of them asks first who calls:
 *
 *	if (!wrap_fiber())
 *		return real(read)(fd, buf, n);
 *
 * Fiber code waits by what <baton/baton.h> has. Foreign code, ordinary threads,
 * scheduler code, and a process without a scheduler get the C library's own.
 * What no fiber can wait for (a signal mask, a robust mutex) fiber code does by
 * a foreign call of the C library's own, wrap_foreign(): others run meanwhile.
 *
 * This is a client of libbaton.so's: nothing here looks into a fiber. What that
 * library itself calls is the C library's own, too, so that nothing is asked of
 * it while it is at it.
 *
 * errno: who calls one of these functions need not know that it may end on
 * another thread, and compilers keep the address of errno across calls, since
 * the C library says that it never changes. So wrap_leave() makes it true:
 * where the fiber has changed threads, every copy of the old errno's address,
 * in registers and in the frames of the fiber, becomes that of the new one. It
 * then sets errno as the function would have, or leaves what there was.
 */
#ifndef BATON_WRAP_REAL_H
#define BATON_WRAP_REAL_H

#include <baton/baton.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../core/base.h"

/* What others see of this library */
#define WRAP	__attribute__((visibility("default")))

#define WRAP_REAL(X)			\
	X(accept)			\
	X(accept4)			\
	X(clock_nanosleep)		\
	X(close)			\
	X(connect)			\
	X(epoll_pwait)			\
	X(epoll_pwait2)			\
	X(epoll_wait)			\
	X(getaddrinfo)			\
	X(nanosleep)			\
	X(poll)				\
	X(ppoll)			\
	X(pselect)			\
	X(pthread_cond_broadcast)	\
	X(pthread_cond_clockwait)	\
	X(pthread_cond_signal)		\
	X(pthread_cond_timedwait)	\
	X(pthread_cond_wait)		\
	X(pthread_join)			\
	X(pthread_mutex_clocklock)	\
	X(pthread_mutex_lock)		\
	X(pthread_mutex_timedlock)	\
	X(pthread_mutex_trylock)	\
	X(pthread_mutex_unlock)		\
	X(pthread_rwlock_clockrdlock)	\
	X(pthread_rwlock_clockwrlock)	\
	X(pthread_rwlock_rdlock)	\
	X(pthread_rwlock_timedrdlock)	\
	X(pthread_rwlock_timedwrlock)	\
	X(pthread_rwlock_tryrdlock)	\
	X(pthread_rwlock_trywrlock)	\
	X(pthread_rwlock_unlock)	\
	X(pthread_rwlock_wrlock)	\
	X(read)				\
	X(readv)			\
	X(recv)				\
	X(recvfrom)			\
	X(recvmmsg)			\
	X(recvmsg)			\
	X(select)			\
	X(sem_clockwait)		\
	X(sem_timedwait)		\
	X(sem_trywait)			\
	X(sem_wait)			\
	X(send)				\
	X(sendmmsg)			\
	X(sendmsg)			\
	X(sendto)			\
	X(sleep)			\
	X(usleep)			\
	X(write)			\
	X(writev)

/**
 * struct wrap_real - the C library's own
 * @ready:  the pointers are valid
 * @forked: this is a child of fork(), made by this fiber, or its foreign code;
 *          there it is none, and the library is not to be asked
 * @rare:   how many threads are in fork(), and whether @forked is set
 * @locks:  mutexes and conditions look as mutex.h expects
 * @pid:    the process; who shares its memory and has another is a vfork()'s
 *          child
 * @own, @own_size: where libbaton.so's code is
 */
struct wrap_real {
	bool ready;
	uintptr_t forked;
	uint32_t rare;
	bool locks;
	pid_t pid;
	uintptr_t own;
	size_t own_size;
#define X(f) __typeof__(f) *f;
	WRAP_REAL(X)
#undef X
};

extern struct wrap_real baton_wrap_real;

/*
 * Looks them up. A constructor does, before there are fibers; what runs before
 * that is the start of the process.
 */
void baton_wrap_init(void);

static inline const struct wrap_real *wrap_real(void)
{
	if (unlikely(!smp_load_acquire(&baton_wrap_real.ready)))
		baton_wrap_init();
	return &baton_wrap_real;
}

#define real(f)	(*wrap_real()->f)

/* In a wrapper: does libbaton.so call it? */
static __always_inline bool wrap_own(void)
{
	return (uintptr_t)__builtin_return_address(0) - baton_wrap_real.own <
	       baton_wrap_real.own_size;
}

/* As wrap_forked(), @rare being set; sees to it if this is a child just now. */
uintptr_t baton_wrap_forked(void);

/* The fiber that has made this child of fork(); 0: it is none, or a thread's. */
static __always_inline uintptr_t wrap_forked(void)
{
	return unlikely(READ_ONCE(baton_wrap_real.rare)) ? baton_wrap_forked() :
							   0;
}

/* The fiber whose code the caller is; NULL: the C library's own is wanted. */
static __always_inline struct baton_fiber *wrap_fiber(void)
{
	struct baton_fiber *f;

	if (unlikely(wrap_forked()))
		return NULL;
	f = baton_self();
	return unlikely(f && wrap_own()) ? NULL : f;
}

/* The same for what the system is asked about. */
static __always_inline struct baton_fiber *wrap_waiter(void)
{
	struct baton_fiber *f = wrap_fiber();

	return unlikely(f && getpid() != baton_wrap_real.pid) ? NULL : f;
}

/* The same for mutexes and the like. */
static __always_inline struct baton_fiber *wrap_locker(void)
{
	return likely(READ_ONCE(baton_wrap_real.locks)) ? wrap_fiber() : NULL;
}

/* --- errno --------------------------------------------------------------- */

/**
 * struct wrap_errno - one call of a fiber's
 * @not_at: the complement of the address of errno, lest it be found as a copy
 * @was:    errno
 */
struct wrap_errno {
	uintptr_t not_at;
	int was;
};

/* Around all that may let others run. */
void baton_wrap_enter(struct wrap_errno *e);

/* @err: an error number that becomes errno; 0: errno is as it was. */
void baton_wrap_leave(const struct wrap_errno *e, int err);

/* Of a result of libbaton's, -errno, what POSIX returns; between the two. */
ssize_t baton_wrap_result(const struct wrap_errno *e, ssize_t result);

/* @f(...) as a foreign call; its result. errno is as that has left it. */
#define wrap_foreign(f, ...) __extension__({				\
	struct wrap_errno __e;						\
	int __err;							\
									\
	baton_wrap_enter(&__e);						\
	__auto_type __ret = BATON_CALL(__err, f, __VA_ARGS__);		\
	baton_wrap_leave(&__e, __err > 0 ? __err : 0);			\
	__ret;								\
})

/* --- time ---------------------------------------------------------------- */

static inline bool wrap_valid(const struct timespec *ts)
{
	return ts->tv_nsec >= 0 && ts->tv_nsec < BATON_SEC;
}

/* Nanoseconds of @ts, which is valid: from 0 to BATON_NEVER. */
static inline int64_t wrap_ns(const struct timespec *ts)
{
	int64_t ns;

	if (ts->tv_sec < 0)
		return 0;
	if (__builtin_mul_overflow((int64_t)ts->tv_sec, BATON_SEC, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)ts->tv_nsec, &ns))
		return BATON_NEVER;
	return ns;
}

/* So long from now. */
static inline int64_t wrap_after(int64_t ns)
{
	int64_t now = baton_now();

	return ns < BATON_NEVER - now ? now + ns : BATON_NEVER;
}

/*
 * The deadline at which @clock, CLOCK_MONOTONIC or CLOCK_REALTIME, shows @at,
 * as far as is known now: if somebody sets the clock back, it is too early.
 */
int64_t baton_wrap_deadline(clockid_t clock, int64_t at);

/* A wait until that deadline is over: has @at come? */
static inline bool wrap_come(clockid_t clock, int64_t at)
{
	return clock != CLOCK_REALTIME ||
	       baton_wrap_deadline(clock, at) <= baton_now();
}

#endif /* BATON_WRAP_REAL_H */
