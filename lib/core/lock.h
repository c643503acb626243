/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * lock.h - a lock of four bytes, zero when free, for a few instructions.
 *
 * It is what the objects are built on that fibers and threads wait on, and has
 * to lie in them without a constructor. Who holds it is in scheduler code, or
 * is a thread that is no fiber's, and neither waits nor calls anything that
 * does. If the holder is preempted, others do not spin for long, but let it
 * run: see baton_backoff(). Not async-signal-safe.
 *
 * REJECTED: a mutex of the C library: 40 bytes, and two locked instructions
 * where this has one.
 */
#ifndef BATON_CORE_LOCK_H
#define BATON_CORE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base.h"
#include "debug.h"

/**
 * struct backoff - how long somebody has waited for a few instructions of
 *                  another thread; zero at first
 * @spins: looks so far
 * @ns:    of the next sleep
 */
struct backoff {
	unsigned int spins;
	long ns;
};

/*
 * Before the next look at a word that another thread is about to change. Spins
 * at first, then lets other threads run, then sleeps for longer and longer, up
 * to a millisecond: a lower thread of a real-time class needs that. Blocks the
 * worker. errno stays as it is.
 */
void baton_backoff(struct backoff *b);

static inline bool lock_try(uint32_t *lock)
{
	uint32_t free = 0;

	return try_cmpxchg_acq_rel(lock, &free, 1);
}

/* What lock_take() leaves over: somebody has it. */
void baton_lock_wait(uint32_t *lock) __attribute__((cold));

static inline void lock_take(uint32_t *lock)
{
	if (unlikely(!lock_try(lock)))
		baton_lock_wait(lock);
}

static inline void lock_drop(uint32_t *lock)
{
	debug_assert(READ_ONCE(*lock));
	smp_store_release(lock, 0u);
}

/*
 * Around what scheduler code elsewhere waits for with a processor, and fiber
 * code does, too: the lock of rt.h, say. A slice does not end the fiber in
 * between: others would wait for as long. They nest, with no switch of fibers
 * in between. The last says whether the calling thread is in one, or about to be;
 * async-signal-safe.
 */
void baton_unstoppable_begin(void);
void baton_unstoppable_end(void);
bool baton_unstoppable(void);

/* In the child of fork(). */
void baton_unstoppable_forked(void);

#endif /* BATON_CORE_LOCK_H */
