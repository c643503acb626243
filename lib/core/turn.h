/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * turn.h - a worker that waits for a processor in the middle of its fiber's
 * code: it computed for longer than a slice, lost its processor, and was
 * stopped by a signal, see hog.h. So it sleeps in a signal handler, thread,
 * fiber, locks and all, on a word of its own, and not as a standby in the tier:
 * this wait has a time limit.
 *
 * The list of those who wait is the global queue's (global.h). Whoever takes
 * one off it holds a processor, and grants that.
 */
#ifndef BATON_CORE_TURN_H
#define BATON_CORE_TURN_H

#include <stdbool.h>
#include <stdint.h>

/* turn.grant, when it is no processor's number plus one */
#define TURN_NONE	0u
#define TURN_STOP	UINT32_MAX	/* the scheduler ends */

/**
 * struct turn - of a worker
 * @grant:  what it waits for; a futex
 * @listed: it is on the list; this and the links are under the queue's lock
 */
struct turn {
	uint32_t grant;
	bool listed;
	struct turn *next;
	struct turn *prev;
};

/* @grant to the worker of @t, which was taken off the list. Any thread. */
void baton_turn_grant(struct turn *t, uint32_t grant);

/*
 * Wait until @t is granted something, at most @ns nanoseconds or, if negative,
 * for ever. What it is, or TURN_NONE. Blocks the worker; async-signal-safe.
 */
uint32_t baton_turn_wait(struct turn *t, int64_t ns);

#endif /* BATON_CORE_TURN_H */
