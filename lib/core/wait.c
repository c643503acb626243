// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* wait.c - a wait with a deadline, one that is canceled, a thread's. */
#include "wait.h"

#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "claim.h"
#include "clock.h"
#include "fence.h"
#include "futex.h"

int baton_wait_result(const struct baton_fiber *f)
{
	return f->waiter.by == WAITER_TIMEOUT  ? -ETIMEDOUT :
	       f->waiter.by == WAITER_CANCELED ? -ECANCELED :
						 0;
}

/*
 * Take @joiner back from @joined. That may be about to end, and its end tells
 * the joiner by plain stores and loads alone: joiner_win() in fiber.c.
 *
 *	who ends			who takes back
 *	ending = true			revokers + 1
 *	(the fence is the other's)	membarrier()
 *	load revokers, joiner		load ending: set? leave it
 *	joiner = FREED, if revokers	compare and swap joiner
 *	is 0				revokers - 1
 *
 * If ending is not seen here, it is stored after the fence that who ends has
 * passed by then, and revokers is loaded after that: either it is seen there,
 * or the swap has been, and so its result is.
 */
static bool take_back(struct baton_rt *rt, struct baton_fiber *joined,
		      struct baton_fiber *joiner)
{
	bool won = false;

	atomic_fetch_add(&rt->revokers, 1);
	if (baton_fence_all(rt))
		won = !smp_load_acquire(&joined->ending) &&
		      try_cmpxchg_acq_rel(&joined->joiner, &joiner, JOIN_NONE);
	/* Release: the swap before this; pairs with joiner_win(). */
	atomic_fetch_sub(&rt->revokers, 1);
	return won;
}

/*
 * End the wait of @f for the end of a fiber, if it is in one: true, and the
 * caller has to resume it. @cancel: of this scheduler, and not one that is
 * masked; NULL: by its deadline. The other fiber may have ended, and be a new
 * one by now, but its record lasts as long as the scheduler: if @f is found to
 * wait there, it does.
 */
static bool interrupt_join(struct baton_fiber *f, struct baton_rt *cancel)
{
	struct baton_fiber *joined = READ_ONCE(f->waiter.joined), *old;
	uintptr_t how;

	if (!joined)
		return false;
	old = READ_ONCE(joined->joiner);
	how = (uintptr_t)old ^ (uintptr_t)f;
	if (how & ~JOIN_HOW || (cancel && how & JOIN_MASKED))
		return false;
	/* Whoever has a deadline is told by a swap. */
	if (how & JOIN_TIMED)
		return try_cmpxchg_acq_rel(&joined->joiner, &old, JOIN_NONE);
	return cancel && take_back(cancel, joined, old);
}

/*
 * End the wait that @f is in, if it is in one: true, and the caller has to
 * resume it. @cancel: as above.
 */
static bool interrupt(struct baton_fiber *f, const void *by,
		      struct baton_rt *cancel)
{
	struct waiter *waiter = &f->waiter;
	uint32_t old;

	/* It is in one of three kinds of wait at most. */
	if (interrupt_join(f, cancel)) {
		waiter->by = by;
		return true;
	}
	old = READ_ONCE(waiter->blocked);
	if (old != WAITER_OVER && !(cancel && old == WAITER_MASKED) &&
	    try_cmpxchg_acq_rel(&waiter->blocked, &old, WAITER_OVER)) {
		waiter->by = by;
		return true;
	}
	old = READ_ONCE(f->permit);
	if (old >= PERMIT_WAITED && !(cancel && old == PERMIT_MASKED) &&
	    try_cmpxchg_acq_rel(&f->permit, &old, PERMIT_NONE)) {
		waiter->by = by;
		return true;
	}
	return false;
}

/* In a wait that a cancel may end: if there is no fence, take_back() may not. */
static bool waits_unmasked(const struct baton_rt *rt,
			   const struct baton_fiber *f)
{
	const struct baton_fiber *joined = READ_ONCE(f->waiter.joined);
	uintptr_t how;

	if (READ_ONCE(f->waiter.blocked) == WAITER_BLOCKED ||
	    READ_ONCE(f->permit) == PERMIT_WAITED)
		return true;
	if (!joined || READ_ONCE(joined->ending))
		return false;
	how = (uintptr_t)READ_ONCE(joined->joiner) ^ (uintptr_t)f;
	return how == JOIN_TIMED ||
	       (!how && READ_ONCE(rt->fenced) != FENCED_BLIND);
}

bool baton_wait_cancel(struct baton_rt *rt, struct baton_fiber *f)
{
	while (waits_unmasked(rt, f)) {
		uint32_t due = CANCEL_DUE;

		/* It is the only one that may end a wait in its name. */
		if (!try_cmpxchg(&f->canceled, &due, CANCEL_IN_HAND))
			return false;
		due = CANCEL_IN_HAND;
		if (interrupt(f, WAITER_CANCELED, rt)) {
			/* Unless there is a new one already. */
			try_cmpxchg(&f->canceled, &due, CANCEL_NONE);
			return true;
		}
		/* That wait has ended otherwise. The next one may have begun
		 * before it is seen again: look once more. */
		try_cmpxchg(&f->canceled, &due, CANCEL_DUE);
		membarrier_all();
	}
	return false;
}

/* The fiber, which has been armed, leaves the worker to others. */
static void wait_switch(struct wait *t)
{
	t->w = t->first ? sched_join(t->w, t->first) : sched_block(t->w);
}

/* --- deadlines --------------------------------------------------------------- */

struct timeout {
	struct timer timer;
	struct baton_fiber *fiber;
};

static struct waiter *timed_out(struct timer *timer)
{
	struct timeout *t = container_of(timer, struct timeout, timer);
	struct baton_fiber *f = t->fiber;

	if (!interrupt(f, WAITER_TIMEOUT, NULL))
		return NULL;
	f->waiter.next = NULL;
	return &f->waiter;
}

/* The wait of the current fiber is over already, or will be by @deadline. */
static int block_until(struct wait *t, int64_t deadline)
{
	struct baton_fiber *f = t->w->fiber;
	struct timeout timeout = {
		.timer.fire = timed_out,
		.fiber = f,
	};

	baton_timers_start(t->w->rt, t->w->proc->index, &timeout.timer,
			  deadline);
	wait_switch(t);
	if (f->waiter.by != WAITER_TIMEOUT)
		baton_timers_stop(&timeout.timer);
	return baton_wait_result(f);
}

/* --- threads ----------------------------------------------------------------- */

/*
 * The fiber of the foreign call that this thread is in; NULL: it is in none. Its
 * cancel ends the wait: if it is due already, at once, and otherwise by the
 * signal of interrupt.h, which ends the system call. Nobody else takes it.
 */
static struct baton_fiber *calling_fiber(void)
{
	const struct baton_worker *w = baton_worker_self();

	return w && slot_state(w->slot) == BATON_FOREIGN ? w->fiber : NULL;
}

bool baton_wait_thread_canceled(void)
{
	struct baton_fiber *f = calling_fiber();

	if (!f || !READ_ONCE(f->canceled) || f->masked)
		return false;
	baton_cancel_heard(f);
	return true;
}

/* Never inline: its errno is the thread's, and others here switch. */
static int __attribute__((noinline))
block_thread(struct waiter *own, int64_t deadline)
{
	struct timespec ts = timespec_of(deadline < 0 ? 0 : deadline);
	struct baton_fiber *f = calling_fiber();
	int saved = errno, err = 0;

	/* Acquire: what the winner did before it resumed this thread. */
	while (!smp_load_acquire(&own->go) && !err) {
		if (f && READ_ONCE(f->canceled) && !f->masked &&
		    waiter_win(own, WAITER_CANCELED)) {
			baton_cancel_heard(f);
			err = -ECANCELED;
			break;
		}
		if (!futex_wait_until(&own->go, 0, deadline == TIMER_NEVER ?
							   NULL : &ts)) {
			/* Whoever has won it meanwhile is about to resume. */
			if (waiter_win(own, WAITER_TIMEOUT))
				err = -ETIMEDOUT;
			deadline = TIMER_NEVER;
		}
	}
	errno = saved;
	return err;
}

/* Never inline: as above, in callers elsewhere. */
void __attribute__((noinline)) baton_waiter_resume(struct waiter *waiter)
{
	struct baton_rt *rt;
	int saved = errno;

	if (waiter->fiber) {
		rt = baton_rt_hold();
		/* Otherwise its scheduler has ended, and it with that. */
		if (rt) {
			baton_sched_ready(rt, NULL, waiter->fiber);
			baton_rt_release();
		}
		return;
	}
	/* From here on the waiter may be gone: the kernel only compares the
	 * address with those that threads wait at, and one that waits there
	 * for something else looks again. */
	smp_store_release(&waiter->go, 1u);
	futex_wake(&waiter->go);
	errno = saved;
}

void baton_wait_canceled_later(const struct wait *t)
{
	struct baton_worker *w = baton_worker_self();

	WRITE_ONCE(w->fiber->canceled, CANCEL_DUE);
	/* What else this foreign call waits for is to end by it. */
	if (!t->w)
		baton_interrupt_want(w);
}

/* --- all that is rare -------------------------------------------------------- */

int baton_wait_slow(struct wait *t, int64_t deadline)
{
	struct baton_fiber *f;

	if (!t->w)
		return block_thread(t->waiter, deadline);
	f = t->w->fiber;
	if (f->deadline < deadline)
		deadline = f->deadline;
	if (READ_ONCE(t->w->rare))
		smp_mb(); /* blocked before canceled */
	if (READ_ONCE(f->canceled) && baton_wait_cancel(t->w->rt, f))
		return -ECANCELED;
	if (deadline == TIMER_NEVER) {
		wait_switch(t);
		return baton_wait_result(f);
	}
	if (deadline <= now_ns() && interrupt(f, WAITER_TIMEOUT, NULL)) {
		f->unwaited++;
		return -ETIMEDOUT;
	}
	return block_until(t, deadline);
}

void baton_wait_disarm(struct wait *t)
{
	if (likely(waiter_win(t->waiter, NULL)))
		return;
	/* Who has won it resumes it. */
	if (!t->w) {
		block_thread(t->waiter, TIMER_NEVER);
		return;
	}
	t->w = sched_block(t->w);
	if (t->waiter->by == WAITER_CANCELED)
		baton_wait_canceled_later(t);
}
