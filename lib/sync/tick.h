/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * tick.h - a timer with its lock held: is there a tick?
 *
 * A timer is a time to look at the clock, and no more: it is in no wheel. Who
 * waits for it waits with that time as deadline, and looks at the timer once
 * more then; and so it does when the timer is started anew, which wins all who
 * wait. So a timer needs no scheduler, nor does its end have to wait for
 * anything that is about to fire.
 *
 * REJECTED: a timer in the wheel that hands its ticks to who waits: it is one
 * more thing that can fire while its memory is given up, and it has no wheel to
 * be in before baton_run().
 */
#ifndef BATON_SYNC_TICK_H
#define BATON_SYNC_TICK_H

#include <baton/time.h>

#include "../core/clock.h"
#include "../core/wait.h"

/* At time @now: true, and how many in @ticks, if not NULL; they are taken. */
static inline bool timer_take_locked(struct baton_timer *timer, int64_t now,
				     uint64_t *ticks)
{
	int64_t n = 1;

	if (!timer->baton_armed || now < timer->baton_when)
		return false;
	if (!timer->baton_period) {
		timer->baton_armed = 0;
	} else if (timer->baton_period > BATON_NEVER - now) {
		timer->baton_when = BATON_NEVER;
	} else {
		n += (now - timer->baton_when) / timer->baton_period;
		timer->baton_when += n * timer->baton_period;
	}
	if (ticks)
		*ticks = (uint64_t)n;
	return true;
}

/* When to look again. */
static inline int64_t timer_next_locked(const struct baton_timer *timer)
{
	return timer->baton_armed ? timer->baton_when : BATON_NEVER;
}

#endif /* BATON_SYNC_TICK_H */
