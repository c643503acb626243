// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cancel.c - end a fiber's wait from outside.
 *
 * A fiber that is about to wait stores into waiter.blocked, or permit, and then
 * loads canceled; who cancels stores canceled and then looks at the other two:
 * one sees the other's store. The fiber waits often and is canceled rarely, so
 * it has no fence between the two. Who cancels pays for it by membarrier(),
 * as a taker in claim.h does; where that is forbidden the fiber pays.
 */
#include <errno.h>

#include "claim.h"
#include "reason.h"
#include "wait.h"

int baton_cancel(struct baton_fiber *fiber)
{
	struct baton_worker *w;
	struct baton_rt *rt;
	int err = 0;

	if (!fiber)
		return -EINVAL;
	w = sched_enter();
	rt = w ? w->rt : baton_rt_hold();
	if (!rt)
		return baton_error(-ESRCH, "no scheduler runs");
	if (unlikely(READ_ONCE(fiber->joiner) == JOIN_FREED)) {
		err = -EINVAL;
		goto out;
	}
	smp_store_mb(fiber->canceled, 1);
	if (!READ_ONCE(rt->fence))
		membarrier_all();
	if (baton_wait_cancel(fiber))
		baton_sched_ready(rt, w, fiber);
out:
	if (w)
		sched_exit(w);
	else
		baton_rt_release();
	return err;
}

int baton_canceled(void)
{
	struct baton_fiber *f = baton_self();

	return f ? (int)READ_ONCE(f->canceled) : -EPERM;
}

int baton_cancel_mask(void)
{
	struct baton_fiber *f = baton_self();

	if (unlikely(!f))
		return -EPERM;
	f->masked++;
	return 0;
}

int baton_cancel_unmask(void)
{
	struct baton_fiber *f = baton_self();

	if (unlikely(!f))
		return -EPERM;
	if (unlikely(!f->masked))
		return -EINVAL;
	f->masked--;
	return 0;
}
