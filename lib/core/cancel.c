// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cancel.c - end a fiber's wait from outside.
 *
 * A fiber that is about to wait stores into waiter.blocked, or permit, and then
 * loads canceled; who cancels stores canceled and then looks at the other two:
 * one sees the other's store. The fiber waits often and is canceled rarely, so
 * it has no fence between the two. Who cancels pays for it by membarrier(),
 * as a taker in claim.h does; where that is forbidden the fiber pays.
 *
 * The same with a fiber that enters foreign code, which stores its state and
 * then loads canceled: interrupt.h.
 */
#include <errno.h>

#include "claim.h"
#include "fence.h"
#include "interrupt.h"
#include "reason.h"
#include "wait.h"

/*
 * @f does not wait in the library. If it is in a foreign call, that may block.
 * Its worker is the library's, and there until the scheduler has ended; or that
 * of an adopted thread, as long as the handle is valid.
 */
static void interrupt(const struct baton_fiber *f)
{
	/* Acquire: what the worker was made of; pairs with sched_resume(). */
	struct baton_worker *at = smp_load_acquire(&f->worker);

	/*
	 * Without membarrier() the watcher has to look more than once. Since @f
	 * ran there the thread may have ended, and another one have its record:
	 * the slot is that of one of them, and to want too much does no harm.
	 */
	if (at && (READ_ONCE(at->rt->fence) ||
		   smp_load_acquire(&READ_ONCE(at->slot)->state) ==
			   BATON_FOREIGN))
		baton_interrupt_want(at);
}

void baton_cancel_held(struct baton_rt *rt, struct baton_worker *w,
		       struct baton_fiber *f)
{
	probe1(cancel, f);
	smp_store_mb(f->canceled, CANCEL_DUE);
	/* As good as seen by all then. */
	baton_fence_all(rt);
	if (baton_wait_cancel(rt, f))
		baton_sched_ready(rt, w, f);
	else
		interrupt(f);
}

int baton_cancel(struct baton_fiber *fiber)
{
	struct baton_worker *w;
	struct baton_rt *rt;
	int err = 0;

	if (!fiber)
		return baton_error(-EINVAL, "NULL for a fiber");
	w = sched_enter();
	rt = w ? w->rt : baton_rt_hold();
	if (!rt)
		return baton_error(-ESRCH, "no scheduler runs");
	if (unlikely(READ_ONCE(fiber->joiner) == JOIN_FREED))
		err = baton_error(-EINVAL, "the fiber was joined already");
	else
		baton_cancel_held(rt, w, fiber);
	if (w)
		sched_exit(w);
	else
		baton_rt_release();
	return err;
}

int baton_canceled(void)
{
	struct baton_fiber *f = baton_self();

	return f ? READ_ONCE(f->canceled) != CANCEL_NONE : -EPERM;
}

/* The worker of the calling fiber, in fiber code or @foreign code; or NULL. */
static struct baton_worker *fiber_worker(bool *foreign)
{
	struct baton_worker *w = baton_worker_self();

	*foreign = w && slot_state(w->slot) == BATON_FOREIGN;
	return *foreign || sched_on_fiber(w) ? w : NULL;
}

int baton_cancel_mask(void)
{
	bool foreign;
	struct baton_worker *w = fiber_worker(&foreign);

	if (unlikely(!w))
		return baton_error(-EPERM, "not from a fiber");
	WRITE_ONCE(w->fiber->masked, w->fiber->masked + 1);
	if (foreign && w->fiber->masked == 1)
		baton_interrupt_masked(w);
	return 0;
}

int baton_cancel_unmask(void)
{
	bool foreign;
	struct baton_worker *w = fiber_worker(&foreign);

	if (unlikely(!w))
		return baton_error(-EPERM, "not from a fiber");
	if (unlikely(!w->fiber->masked))
		return baton_error(-EINVAL, "cancels are not masked");
	WRITE_ONCE(w->fiber->masked, w->fiber->masked - 1);
	if (foreign && !w->fiber->masked)
		baton_interrupt_unmasked(w);
	return 0;
}
