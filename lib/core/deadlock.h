/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * deadlock.h - all fibers wait, and nobody is left who could wake one: said on
 * standard error, with the list of them.
 *
 * The watcher finds out, and looks only when it has been told that there may be
 * something to see: by the worker that let the last busy processor go, on its
 * way to sleep (baton_sched_idled()). No fiber ever pays for this.
 */
#ifndef BATON_CORE_DEADLOCK_H
#define BATON_CORE_DEADLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base.h"

struct baton_rt;

/* What is to be done about one: BATON_DEADLOCK in the environment. */
enum deadlock_mode {
	DEADLOCK_REPORT,
	DEADLOCK_ABORT,		/* and report it before that */
	DEADLOCK_OFF,
};

/* struct deadlock.doubt */
enum {
	DOUBT_NONE,
	DOUBT_TOLD,		/* by a worker, which has kicked the watcher */
	DOUBT_SEEN,		/* the watcher will look; or it never will */
};

/**
 * struct deadlock - what the watcher knows
 * @doubt: there is something to look at; anybody, atomically
 *
 * All others are the watcher's.
 *
 * @mode:  constant
 * @due:   when it looks next, by now_ns(); 0: not before it is told to
 * @pause: how long it waits for that, in nanoseconds
 * @parks: how often workers had parked when it last looked, if all were parked
 *         then; otherwise 0
 */
struct deadlock {
	uint32_t doubt;
	enum deadlock_mode mode;
	int64_t due;
	int64_t pause;
	uint64_t parks;
};

void baton_deadlock_init(struct deadlock *d, enum deadlock_mode mode);

/*
 * By the watcher, before it waits: look, if it is time. Returns nanoseconds
 * until the next look; -1: none is due until a worker tells of a doubt.
 */
int64_t baton_deadlock_look(struct baton_rt *rt);

/* Is there a doubt that the watcher has not heard of yet? */
static inline bool deadlock_told(const struct deadlock *d)
{
	return READ_ONCE(d->doubt) == DOUBT_TOLD;
}

#endif /* BATON_CORE_DEADLOCK_H */
