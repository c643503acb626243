// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* sleep.c - time, sleep, deadlines. */
#include <baton/time.h>
#include <errno.h>

#include "../core/clock.h"
#include "../core/wait.h"

int64_t baton_now(void)
{
	return now_ns();
}

int baton_sleep_until(int64_t deadline)
{
	struct wait t;
	int err;

	wait_enter(&t);
	wait_arm(&t, WAIT_ON_OTHER);
	err = wait_block(&t, deadline);
	/* The end of a scope is not what was asked for. */
	if (err == -ETIMEDOUT && (!t.w || deadline <= t.w->fiber->deadline))
		err = 0;
	wait_leave(&t);
	return err;
}

int baton_sleep(int64_t ns)
{
	int64_t now = now_ns();

	if (ns <= 0)
		ns = 0;
	return baton_sleep_until(ns < BATON_NEVER - now ? now + ns :
							  BATON_NEVER);
}

int baton_deadline_push(struct baton_scope *scope, int64_t deadline)
{
	struct baton_fiber *f = baton_self();

	if (!scope)
		return -EINVAL;
	if (!f)
		return -EPERM;
	scope->baton_outer = f->deadline;
	scope->baton_fiber = f;
	if (deadline < f->deadline)
		f->deadline = deadline;
	return 0;
}

int baton_deadline_pop(struct baton_scope *scope)
{
	struct baton_fiber *f = baton_self();

	if (!scope)
		return -EINVAL;
	if (!f)
		return -EPERM;
	if (scope->baton_fiber != f)
		return -EINVAL;
	f->deadline = scope->baton_outer;
	scope->baton_fiber = NULL;
	return 0;
}
