/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * mutex.h - whose a pthread_mutex_t is, for mutex.c and cond.c.
 *
 * The C library writes the kernel's number of a thread into the mutex, and for
 * recursive and error-checking ones compares it. A fiber may go on on another
 * thread, and others on its own: so the owner of what a fiber has locked is the
 * fiber, in whichever code it is. A number that no thread has says so, and the
 * fiber's handle lies where only robust mutexes have something. Before it gives
 * the mutex back the C library finds the caller's number there.
 *
 * The layout is part of the C library's ABI, as static initializers are; a
 * constructor looks whether what is needed of it is so.
 */
#ifndef BATON_WRAP_MUTEX_H
#define BATON_WRAP_MUTEX_H

#include "real.h"

/* Not robust, with a priority or shared with other processes, nor elided */
static inline bool mutex_plain(const pthread_mutex_t *m)
{
	return !(READ_ONCE(m->__data.__kind) & ~(3 | 512));
}

static inline bool mutex_recursive(const pthread_mutex_t *m)
{
	return READ_ONCE(m->__data.__kind) == PTHREAD_MUTEX_RECURSIVE_NP;
}

/* Does it matter whose it is? */
static inline bool mutex_checked(const pthread_mutex_t *m)
{
	int kind = READ_ONCE(m->__data.__kind);

	return kind == PTHREAD_MUTEX_RECURSIVE_NP ||
	       kind == PTHREAD_MUTEX_ERRORCHECK_NP;
}

/* No thread's number: it is more than PID_MAX_LIMIT, as addresses are. */
#define OWNER_THREADS	(1u << 22)
#define OWNER_FIBER	0x7fffffff

/* The caller has locked it, for fiber @f. Release: the handle first. */
static inline void mutex_claim(pthread_mutex_t *m, uintptr_t f)
{
#if __PTHREAD_MUTEX_HAVE_PREV
	WRITE_ONCE(m->__data.__list.__prev, (void *)f);
	smp_store_release(&m->__data.__owner, OWNER_FIBER);
#else
	WRITE_ONCE(m->__data.__owner, (int)f);
#endif
}

/* The fiber that has it; 0: none. It is the caller only if that is certain. */
static inline uintptr_t mutex_fiber(const pthread_mutex_t *m)
{
#if __PTHREAD_MUTEX_HAVE_PREV
	if (likely(smp_load_acquire(&m->__data.__owner) != OWNER_FIBER))
		return 0;
	return (uintptr_t)READ_ONCE(m->__data.__list.__prev);
#else
	unsigned int owner = (unsigned int)READ_ONCE(m->__data.__owner);

	return owner > OWNER_THREADS ? owner : 0;
#endif
}

/* Of a rwlock, what the C library does not use: room for a pointer */
#if __WORDSIZE == 64
#define RWLOCK_FREE	__pad2
#else
#define RWLOCK_FREE	__pad3
#endif

/* The fiber whose code, or foreign call, the caller is in; or some thread. */
uintptr_t baton_wrap_caller(void);

/*
 * Fiber @f takes it, however long that lasts; it is plain. 0; EDEADLK, EAGAIN.
 */
int baton_wrap_lock(struct baton_fiber *f, pthread_mutex_t *m);

/* Do these objects look as we expect? @r: what is there to try it with. */
bool baton_wrap_locks_known(const struct wrap_real *r);

#endif /* BATON_WRAP_MUTEX_H */
