/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * debug.h - what a debug build (make DEBUG=1) looks for, at a price; nothing
 * otherwise:
 *
 * A fiber that goes on on another thread with the address of a thread-local
 * variable of the one before: a compiler may keep one in a register or on the
 * stack across a call, and does so with that of errno. A call of the library
 * from a signal handler.
 */
#ifndef BATON_CORE_DEBUG_H
#define BATON_CORE_DEBUG_H

#include <stddef.h>
#include <stdint.h>

struct baton_fiber;
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
void debug_attach(struct baton_worker *w);

/* Before the current fiber leaves its stack: clear some of what is unused. */
void debug_clear(void);

/* @f is back, having left @w. */
void debug_arrive(const struct baton_worker *w, const struct baton_fiber *f);

/* A call of the library, by fiber or foreign code of a worker. */
void debug_enter(void);

#else

struct debug {
	char none[0];
};

static inline void debug_attach(struct baton_worker *w)
{
	(void)w;
}

static inline void debug_clear(void)
{
}

static inline void debug_arrive(const struct baton_worker *w,
				const struct baton_fiber *f)
{
	(void)w;
	(void)f;
}

static inline void debug_enter(void)
{
}

#endif /* BATON_DEBUG */

#endif /* BATON_CORE_DEBUG_H */
