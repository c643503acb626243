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
	/* Who is late for each of its periods never sleeps. */
	if (t.w)
		fiber_turn(t.w->fiber);
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
	if (f->scope == scope)
		return baton_error(-EINVAL, "the scope has begun already");
	scope->baton_deadline = f->deadline;
	scope->baton_outer = f->scope;
	f->scope = scope;
	if (deadline < f->deadline)
		f->deadline = deadline;
	return 0;
}

/*
 * Of scopes, only the one that the caller names is looked into: any other may
 * have been in a frame that is gone, as when a callback has left one open.
 */
int baton_deadline_pop(struct baton_scope *scope)
{
	struct baton_fiber *f = baton_self();
	int err = scope_check(scope, f);

	if (err)
		return err;
	if (!f->scope)
		return baton_error(-EINVAL, "no scope that this fiber is in");
	if (f->scope != scope)
		return baton_error(-EINVAL, "not the innermost scope of this fiber");
	f->deadline = scope->baton_deadline;
	f->scope = scope->baton_outer;
	return 0;
}
