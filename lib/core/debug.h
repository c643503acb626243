/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * debug.h - what a debug build (make DEBUG=1) looks for, at a price; nothing
 * otherwise:
 *
 * A fiber that goes on on another thread with the address of a thread-local
 * variable of the one before: a compiler may keep one in a register or on the
 * stack across a call, and does so with that of errno. A call of the library
 * from a signal handler. A deadline scope or a masked section that is left open.
 * A function whose contract is broken: see debug_assert().
 */
#ifndef BATON_CORE_DEBUG_H
#define BATON_CORE_DEBUG_H

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"

struct baton_fiber;
struct baton_scope;
struct baton_worker;

#ifdef BATON_DEBUG

#define DEBUG_RANGES	16u

/**
 * struct debug - where the thread-local variables of a worker's thread are
 * @ranges:  a module's each: address and size
 * @modules: its name; "" is the program's
 * @n:       how many; what is loaded later, or needs more of them, is not seen
 */
struct debug {
	struct {
		uintptr_t start;
		size_t size;
	} ranges[DEBUG_RANGES];
	const char *modules[DEBUG_RANGES];
	unsigned int n;
};

/* The calling thread is @w. */
void baton_debug_attach(struct baton_worker *w);

/* Before the current fiber leaves its stack: clear some of what is unused. */
void baton_debug_clear(void);

/* @f is back, having left @w. */
void baton_debug_arrive(const struct baton_worker *w,
			const struct baton_fiber *f);

/* A call of the library, by fiber or foreign code of a worker. */
void baton_debug_enter(void);

/*
 * Contracts: a function that needs a state, a stack or a lock says so in its
 * first lines. In a debug build the process ends if it is not so.
 */
#define debug_assert(cond)						\
	do {								\
		if (unlikely(!(cond)))					\
			baton_debug_broken(__func__, #cond);		\
	} while (0)

_Noreturn void baton_debug_broken(const char *function, const char *what);

/* @w runs @f, in scheduler code on the stack of @f. */
void baton_debug_assert_fiber(const struct baton_worker *w,
			      const struct baton_fiber *f);
#define debug_assert_fiber(w, f)	baton_debug_assert_fiber(w, f)

/* Scheduler code, on the system stack of @w. */
void baton_debug_assert_system(const struct baton_worker *w);
#define debug_assert_system(w)		baton_debug_assert_system(w)

/*
 * What @f has called or been called for has returned: its scope and masks are to
 * be what they were. Not so when a panic or an exception passes.
 */
void baton_debug_scopes_left(const struct baton_fiber *f,
			     const struct baton_scope *scope, uint32_t masked);
#define debug_scopes_left(f, scope, masked)				\
	baton_debug_scopes_left(f, scope, masked)
/* Of a callback: it may well undo a mask of its caller's. */
#define debug_scopes_begin(f)	struct baton_scope *scope_was = (f)->scope
#define debug_scopes_end(f)						\
	baton_debug_scopes_left(f, scope_was, (f)->masked)

/* @w, in scheduler code, has a processor. */
#define debug_assert_processor(w)					\
	debug_assert((w)->proc &&					\
		     slot_state((w)->slot) == BATON_RUNTIME)

/* A mutex of a debug build knows its owner: locking it again is an error. */
#define BATON_LOCK_INITIALIZER	PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP
#define debug_assert_locked(m)						\
	debug_assert(pthread_mutex_lock(m) == EDEADLK)

#else

#define debug_assert(cond)		((void)sizeof(cond))
#define debug_assert_fiber(w, f)	((void)(w), (void)(f))
#define debug_assert_system(w)		((void)(w))
#define debug_assert_processor(w)	((void)(w))
#define debug_scopes_left(f, scope, masked)	((void)(f))
#define debug_scopes_begin(f)		((void)(f))
#define debug_scopes_end(f)		((void)(f))
#define BATON_LOCK_INITIALIZER		PTHREAD_MUTEX_INITIALIZER
#define debug_assert_locked(m)		((void)(m))

struct debug {
	char none[0];
};

static inline void baton_debug_attach(struct baton_worker *w)
{
	(void)w;
}

static inline void baton_debug_clear(void)
{
}

static inline void baton_debug_arrive(const struct baton_worker *w,
				const struct baton_fiber *f)
{
	(void)w;
	(void)f;
}

static inline void baton_debug_enter(void)
{
}

#endif /* BATON_DEBUG */

static inline void baton_lock_init(pthread_mutex_t *m)
{
	*m = (pthread_mutex_t)BATON_LOCK_INITIALIZER;
}

#endif /* BATON_CORE_DEBUG_H */
