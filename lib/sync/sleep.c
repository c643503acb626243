// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* sleep.c - time, sleep, deadlines. */
#include <baton/time.h>
#include <errno.h>

#include "../core/clock.h"
#include "../core/reason.h"
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

static int scope_check(const struct baton_scope *scope,
		       const struct baton_fiber *f)
{
	if (!scope)
		return baton_error(-EINVAL, "NULL for a scope");
	if (!f)
		return baton_error(-EPERM, "a scope is a fiber's");
	return 0;
}

int baton_deadline_push(struct baton_scope *scope, int64_t deadline)
{
	struct baton_fiber *f = baton_self();
	int err = scope_check(scope, f);

	if (err)
		return err;
	scope->baton_outer = f->deadline;
	scope->baton_fiber = f;
	if (deadline < f->deadline)
		f->deadline = deadline;
	return 0;
}

/*
 * A scope never allows more than the one around it. So a deadline that would
 * become earlier is one of a scope that has ended, and would be in force for
 * ever.
 */
int baton_deadline_pop(struct baton_scope *scope)
{
	struct baton_fiber *f = baton_self();
	int err = scope_check(scope, f);

	if (err)
		return err;
	if (scope->baton_fiber != f)
		return baton_error(-EINVAL, "no scope that this fiber is in");
	if (scope->baton_outer < f->deadline)
		return baton_error(-EINVAL, "the scope around it has ended");
	f->deadline = scope->baton_outer;
	scope->baton_fiber = NULL;
	return 0;
}
