// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* tick.c - timers: start, stop, wait. */
#include "tick.h"

#include <baton/chan.h>
#include <errno.h>

#include "../core/reason.h"

static int refuse_null(void)
{
	return baton_error(-EINVAL, "NULL for a timer");
}

int baton_timer_start(struct baton_timer *timer, int64_t when, int64_t period)
{
	struct waiter *all;
	struct wait t;

	if (!timer)
		return refuse_null();
	if (when < 0 || period < 0)
		return baton_error(-EINVAL, "a time or a period is negative");
	wait_enter(&t);
	lock_take(&timer->baton_lock);
	timer->baton_armed = 1;
	timer->baton_when = when;
	timer->baton_period = period;
	/* Each looks at it once more. */
	all = waitq_win_all(&timer->baton_waiters);
	lock_drop(&timer->baton_lock);
	wait_resume_all(t.w, all);
	wait_leave(&t);
	return 0;
}

int baton_timer_stop(struct baton_timer *timer)
{
	struct wait t;
	int armed;

	if (!timer)
		return refuse_null();
	wait_enter(&t);
	lock_take(&timer->baton_lock);
	armed = (int)timer->baton_armed;
	timer->baton_armed = 0;
	lock_drop(&timer->baton_lock);
	wait_leave(&t);
	return armed;
}

int baton_timer_destroy(struct baton_timer *timer)
{
	struct wait t;
	bool busy;

	if (!timer)
		return refuse_null();
	wait_enter(&t);
	lock_take(&timer->baton_lock);
	busy = !waitq_empty(&timer->baton_waiters);
	if (!busy)
		timer->baton_armed = 0;
	lock_drop(&timer->baton_lock);
	wait_leave(&t);
	return busy ? baton_error(-EBUSY, "somebody waits for the timer") : 0;
}

int baton_timer_wait_until(struct baton_timer *timer, uint64_t *ticks,
			   int64_t deadline)
{
	struct baton_case c = {
		.kind = BATON_CASE_TIMER,
		.object = timer,
		.elem = ticks,
	};

	if (!timer)
		return refuse_null();
	return baton_select(&c, 1, deadline);
}

int baton_timer_wait(struct baton_timer *timer, uint64_t *ticks)
{
	return baton_timer_wait_until(timer, ticks, BATON_NEVER);
}
