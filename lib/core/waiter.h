/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* waiter.h - who waits: the part of a fiber that wait.h is about. */
#ifndef BATON_CORE_WAITER_H
#define BATON_CORE_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base.h"

struct baton_fiber;

/* waiter.blocked */
enum {
	WAITER_OVER	= 0,	/* it does not wait, or was won */
	WAITER_BLOCKED	= 1,	/* whoever changes this has won it */
	WAITER_MASKED	= 2,	/* the same, but a cancel may not */
};

/* waiter.by, if it is no object's entry. */
#define WAITER_CANCELED	((const void *)1)
#define WAITER_TIMEOUT	((const void *)2)
#define WAITER_LAST	((uintptr_t)2)

/**
 * struct waiter - a fiber, or a thread, that waits
 * @blocked: changed by who wins it
 * @go:      a thread's futex: 1 once it was resumed
 * @since:   a fiber's: when its last wait began, by its processor's clock, see
 *           proc.h; for reports alone
 * @fiber:   NULL: a thread
 * @by:      who has won it; written before it is resumed
 * @next:    of a list of those that were won; the winner's
 * @joined:  the fiber for whose end it waits, or NULL. Then it is @joined's
 *           joiner that is won, and not @blocked
 */
struct waiter {
	uint32_t blocked;
	union {
		uint32_t go;
		uint32_t since;
	};
	struct baton_fiber *fiber;
	const void *by;
	struct waiter *next;
	struct baton_fiber *joined;
};

/*
 * True: the caller is the one that ends this wait, and has to resume @waiter.
 * Acquire: what the waiter did before it blocked. Release: what the caller did
 * before that.
 */
static inline bool waiter_win(struct waiter *waiter, const void *by)
{
	uint32_t old = READ_ONCE(waiter->blocked);

	do
		if (unlikely(old == WAITER_OVER))
			return false;
	while (unlikely(
		!try_cmpxchg_acq_rel(&waiter->blocked, &old, WAITER_OVER)));
	waiter->by = by;
	return true;
}

#endif /* BATON_CORE_WAITER_H */
