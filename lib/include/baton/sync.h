/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * sync.h - what fibers and threads wait on: mutex, rwlock, condition,
 *          semaphore, wait group, once, barrier.
 *
 * Every object here lies in memory of the caller's, and is ready for use when it
 * is all zeros (but for a barrier), or by its BATON_*_INIT. It needs no
 * destruction but for finding faults. Fields are private. Fibers, foreign code of
 * theirs and ordinary threads meet on the same objects, with or without a
 * scheduler: a fiber waits as fibers do, everybody else as a thread. Who waits is
 * served in the order in which it came, and nobody passes.
 *
 * Each function that blocks has a form with a deadline: time.h. Those that wait
 * return -ETIMEDOUT after it, or after that of a baton_deadline_push(), and
 * -ECANCELED after baton_cancel(): nothing was had then, and nothing is lost.
 * Where nothing is to be waited for, neither is looked at.
 *
 * All return 0 or a negative error number, of which baton_reason() says more:
 * -EINVAL for NULL, and for an object that was destroyed. Those said to block
 * block the fiber, or the thread; all others neither. All may be called from any
 * thread. None is async-signal-safe. Objects that fibers wait on when
 * baton_run() returns are to be made anew.
 */
#ifndef BATON_SYNC_H
#define BATON_SYNC_H

#include <baton/time.h>
#include <baton/waitq.h>
#include <stddef.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* --- mutex ------------------------------------------------------------ */

/**
 * struct baton_mutex - a lock that belongs to whoever took it: a fiber, in
 *                      whichever code, or a thread that runs none; private
 */
struct baton_mutex {
	uintptr_t baton_word;
	struct baton_waitq baton_waiters;
};

#define BATON_MUTEX_INIT	{ 0, BATON_WAITQ_INIT }

/**
 * baton_mutex_lock() - take it, and wait while another one has it
 *
 * Return: 0; -EDEADLK the caller has it; -ECANCELED; -ETIMEDOUT; -EINVAL.
 * Blocks.
 */
int baton_mutex_lock(struct baton_mutex *mutex);

/** baton_mutex_lock_until() - the same, until @deadline. */
int baton_mutex_lock_until(struct baton_mutex *mutex, int64_t deadline);

/** baton_mutex_trylock() - take it if it is free. Return: 0; -EBUSY; -EINVAL. */
int baton_mutex_trylock(struct baton_mutex *mutex);

/**
 * baton_mutex_unlock() - give it to who has waited longest, if anybody
 *
 * Return: 0; -EPERM the caller has not got it; -EINVAL.
 */
int baton_mutex_unlock(struct baton_mutex *mutex);

/**
 * baton_mutex_destroy() - any use from now on is an error
 *
 * Return: 0; -EBUSY it is locked; -EINVAL.
 */
int baton_mutex_destroy(struct baton_mutex *mutex);

/* --- rwlock ----------------------------------------------------------- */

/** struct baton_rwlock - many readers, or one writer; private */
struct baton_rwlock {
	uintptr_t baton_word;
	uintptr_t baton_owner;
	struct baton_waitq baton_waiters;
};

#define BATON_RWLOCK_INIT	{ 0, 0, BATON_WAITQ_INIT }

/**
 * baton_rwlock_rdlock() - read with others, and wait while there is a writer,
 *                         or one that waits
 *
 * To read twice at once may thus wait for a writer that waits for the caller.
 *
 * Return: 0; -EDEADLK the caller writes; -ECANCELED; -ETIMEDOUT; -EINVAL.
 * Blocks.
 */
int baton_rwlock_rdlock(struct baton_rwlock *rwlock);

/** baton_rwlock_rdlock_until() - the same, until @deadline. */
int baton_rwlock_rdlock_until(struct baton_rwlock *rwlock, int64_t deadline);

/** baton_rwlock_tryrdlock() - without waiting. Return: 0; -EBUSY; -EINVAL. */
int baton_rwlock_tryrdlock(struct baton_rwlock *rwlock);

/**
 * baton_rwlock_wrlock() - write alone
 *
 * Return: 0; -EDEADLK the caller writes; -ECANCELED; -ETIMEDOUT; -EINVAL.
 * Blocks.
 */
int baton_rwlock_wrlock(struct baton_rwlock *rwlock);

/** baton_rwlock_wrlock_until() - the same, until @deadline. */
int baton_rwlock_wrlock_until(struct baton_rwlock *rwlock, int64_t deadline);

/** baton_rwlock_trywrlock() - without waiting. Return: 0; -EBUSY; -EINVAL. */
int baton_rwlock_trywrlock(struct baton_rwlock *rwlock);

/**
 * baton_rwlock_unlock() - read, or write, no more
 *
 * Return: 0; -EPERM another one writes, or nobody reads or writes; -EINVAL.
 */
int baton_rwlock_unlock(struct baton_rwlock *rwlock);

/** baton_rwlock_destroy() - as baton_mutex_destroy(). */
int baton_rwlock_destroy(struct baton_rwlock *rwlock);

/* --- condition -------------------------------------------------------- */

/** struct baton_cond - wait for what a mutex protects; private */
struct baton_cond {
	uintptr_t baton_word;
	struct baton_mutex *baton_mutex;
	struct baton_waitq baton_waiters;
};

#define BATON_COND_INIT		{ 0, NULL, BATON_WAITQ_INIT }

/**
 * baton_cond_wait() - let go of @mutex, wait for a signal, take it again
 * @cond:  the condition
 * @mutex: the caller's; all who wait at a time use the same one
 *
 * There are no wake-ups without a signal; but what was signaled may have been
 * undone when the mutex is had: look again. The mutex is had again, however
 * long that takes, whatever is returned but -EPERM and -EINVAL, which change
 * nothing. A signal that found this wait canceled or late went to another.
 *
 * Return: 0; -ECANCELED; -ETIMEDOUT; -EPERM the mutex is not the caller's;
 * -EINVAL, also if others wait with another mutex. Blocks.
 */
int baton_cond_wait(struct baton_cond *cond, struct baton_mutex *mutex);

/** baton_cond_wait_until() - the same, until @deadline. */
int baton_cond_wait_until(struct baton_cond *cond, struct baton_mutex *mutex,
			  int64_t deadline);

/** baton_cond_signal() - who has waited longest, if anybody, goes on. */
int baton_cond_signal(struct baton_cond *cond);

/** baton_cond_broadcast() - all who wait go on, one by one. */
int baton_cond_broadcast(struct baton_cond *cond);

/** baton_cond_destroy() - as baton_mutex_destroy(). -EBUSY: somebody waits. */
int baton_cond_destroy(struct baton_cond *cond);

/* --- semaphore -------------------------------------------------------- */

/** struct baton_sem - a count that is not negative; private */
struct baton_sem {
	uintptr_t baton_word;
	struct baton_waitq baton_waiters;
};

#define BATON_SEM_MAX		0x1fffffffu
#define BATON_SEM_INIT(value)	{ (value) * 4u, BATON_WAITQ_INIT }

/** baton_sem_init() - the count is @value. Return: 0; -EINVAL. */
int baton_sem_init(struct baton_sem *sem, unsigned int value);

/**
 * baton_sem_wait() - wait until the count is not 0, and take one of it
 *
 * Return: 0; -ECANCELED; -ETIMEDOUT; -EINVAL. Blocks.
 */
int baton_sem_wait(struct baton_sem *sem);

/** baton_sem_wait_until() - the same, until @deadline. */
int baton_sem_wait_until(struct baton_sem *sem, int64_t deadline);

/** baton_sem_trywait() - without waiting. Return: 0; -EAGAIN; -EINVAL. */
int baton_sem_trywait(struct baton_sem *sem);

/**
 * baton_sem_post() - one more, for who has waited longest, if anybody
 *
 * Return: 0; -EOVERFLOW it is BATON_SEM_MAX; -EINVAL.
 */
int baton_sem_post(struct baton_sem *sem);

/** baton_sem_destroy() - as baton_mutex_destroy(). -EBUSY: somebody waits. */
int baton_sem_destroy(struct baton_sem *sem);

/* --- wait group ------------------------------------------------------- */

/** struct baton_wg - a count of things to be done; private */
struct baton_wg {
	uintptr_t baton_word;
	struct baton_waitq baton_waiters;
};

#define BATON_WG_MAX		0x1fffffff
#define BATON_WG_INIT		{ 0, BATON_WAITQ_INIT }

/**
 * baton_wg_add() - so many more are to be done; fewer if @n is negative
 *
 * Add before what is added can be done, and before waiting for it.
 *
 * Return: 0; -EINVAL the count would be below zero; -EOVERFLOW it would be
 * more than BATON_WG_MAX. An error changes nothing.
 */
int baton_wg_add(struct baton_wg *wg, int n);

/** baton_wg_done() - one is done: baton_wg_add(@wg, -1). */
int baton_wg_done(struct baton_wg *wg);

/**
 * baton_wg_wait() - wait until all is done
 *
 * Return: 0; -ECANCELED; -ETIMEDOUT; -EINVAL. Blocks.
 */
int baton_wg_wait(struct baton_wg *wg);

/** baton_wg_wait_until() - the same, until @deadline. */
int baton_wg_wait_until(struct baton_wg *wg, int64_t deadline);

/** baton_wg_destroy() - as baton_mutex_destroy(). -EBUSY: not all is done. */
int baton_wg_destroy(struct baton_wg *wg);

/* --- once ------------------------------------------------------------- */

/** struct baton_once - has it been done? private */
struct baton_once {
	struct baton_mutex baton_mutex;
	uint32_t baton_done;
};

#define BATON_ONCE_INIT		{ BATON_MUTEX_INIT, 0 }

/**
 * baton_once() - call @fn(@arg), the first time
 *
 * When this returns 0 the function has returned, to whoever called it. If it is
 * unwound, by baton_panic() or an exception, the next caller calls it anew.
 *
 * Return: 0; -EDEADLK @fn asks for itself; -ECANCELED and -ETIMEDOUT while
 * another one runs it; -EINVAL. Blocks.
 */
#pragma GCC diagnostic push
/* In C++ the function hides the constructor of the struct, as stat() does. */
#pragma GCC diagnostic ignored "-Wshadow"
int baton_once(struct baton_once *once, void (*fn)(void *arg), void *arg);
#pragma GCC diagnostic pop

/** baton_once_until() - the same; another one's call is waited for until
 * @deadline. */
int baton_once_until(struct baton_once *once, void (*fn)(void *arg), void *arg,
		     int64_t deadline);

/* --- barrier ---------------------------------------------------------- */

/** struct baton_barrier - where a number of them meet; private */
struct baton_barrier {
	uintptr_t baton_word;
	struct baton_waitq baton_waiters;
	uint32_t baton_n;
};

#define BATON_BARRIER_MAX	0x1fffffffu
#define BATON_BARRIER_INIT(n)	{ 0, BATON_WAITQ_INIT, (n) }
#define BATON_BARRIER_SERIAL	1

/** baton_barrier_init() - @n meet there, 1 at least. Return: 0; -EINVAL. */
int baton_barrier_init(struct baton_barrier *barrier, unsigned int n);

/**
 * baton_barrier_wait() - wait until as many as the barrier is for do
 *
 * It may be used again at once. A wait that was canceled or is late was not
 * counted. It may be freed when all who waited have returned.
 *
 * Return: BATON_BARRIER_SERIAL to the last one, 0 to the others; -ECANCELED;
 * -ETIMEDOUT; -EINVAL. Blocks.
 */
int baton_barrier_wait(struct baton_barrier *barrier);

/** baton_barrier_wait_until() - the same, until @deadline. */
int baton_barrier_wait_until(struct baton_barrier *barrier, int64_t deadline);

/** baton_barrier_destroy() - as baton_mutex_destroy(). -EBUSY: somebody waits. */
int baton_barrier_destroy(struct baton_barrier *barrier);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_SYNC_H */
