/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * held.h - in a debug build (make DEBUG=1), pthread mutexes that fiber code
 *          holds while others run; nothing otherwise.
 *
 * Such a mutex belongs to the thread: another fiber there that locks it waits
 * for its own thread, for ever. It is said on standard error when the fiber
 * that has it lets others run, once for each time that it was locked.
 */
#ifndef BATON_CORE_HELD_H
#define BATON_CORE_HELD_H

struct baton_fiber;
struct baton_worker;

#ifdef BATON_DEBUG

/* @f is about to leave @w to others, to resume later, or has returned. */
void baton_held_leave(const struct baton_worker *w,
		      const struct baton_fiber *f);

/* In the child of fork(). */
void baton_held_forked(void);

#else

static inline void baton_held_leave(const struct baton_worker *w,
				    const struct baton_fiber *f)
{
	(void)w;
	(void)f;
}

static inline void baton_held_forked(void)
{
}

#endif /* BATON_DEBUG */

#endif /* BATON_CORE_HELD_H */
