// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* watcher.c - what the watcher looks at between two sleeps. */
#include "watcher.h"

#include "../tier/tier.h"
#include "claim.h"
#include "clock.h"
#include "deadlock.h"
#include "dump.h"
#include "hog.h"
#include "interrupt.h"
#include "polling.h"
#include "timer.h"
#include "wait.h"

/* Between two looks at the queues when membarrier() is forbidden. */
#define RECHECK_NS 10000000L

/* Of two times to wait, of which a negative one is for ever. */
static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/*
 * Nothing to look at for @ns, or for ever, until a fiber waits. The watcher
 * stores asleep, makes every running thread pass a fence, and looks at the
 * queues; whoever queues a fiber stores into a queue and then loads asleep
 * (watch_work()): one of the two sees the other's store. True: a fiber waits, or
 * did; a kick for a timer, or a doubt whether all fibers are asleep, is none.
 */
static bool wait_for_work(struct baton_rt *rt, uint32_t kicks, int64_t ns)
{
	struct watch *t = &rt->watch;
	bool passed;

	atomic_fetch_or(&t->asleep, ASLEEP_WATCHER);
	passed = membarrier_all();
	/* Without the fence a kick may be missing: look again by oneself. */
	if (!passed)
		ns = sooner(ns, RECHECK_NS);
	if (!rt_has_work(rt) && !READ_ONCE(t->wanted) && !rt_stopping(rt))
		baton_watch_sleep(t, kicks, ns);
	return !(atomic_fetch_andnot(&t->asleep, ASLEEP_WATCHER) &
		 ASLEEP_WATCHER) || rt_has_work(rt);
}

/*
 * What is due fires; nanoseconds until more is, or -1. Full barrier: until
 * before the wheels; pairs with watch_timer(), so that one of the two sees the
 * other's store.
 */
static int64_t run_timers(struct baton_rt *rt)
{
	struct watch *t = &rt->watch;
	int64_t now, next;

	do {
		next = baton_timers_next(rt);
		now = next == TIMER_NEVER ? 0 : now_ns();
		if (next <= now) {
			wait_resume_all(NULL, baton_timers_expire(rt, now));
			next = baton_timers_next(rt);
		}
		smp_store_mb(t->until, next);
	} while (baton_timers_next(rt) < next || next <= now);
	return next == TIMER_NEVER ? -1 : next - now;
}

/* The tier's tick and that of slices: nanoseconds to the next, or TICK_*. */
static long look(struct baton_rt *rt, bool fresh)
{
	long tier = rt->tier->tick ? rt->tier->tick(rt, fresh) : TICK_NEVER;
	long hogs = baton_hogs_look(rt);

	if (tier >= 0 && hogs >= 0)
		return tier < hogs ? tier : hogs;
	if (tier >= 0 || hogs >= 0)
		return tier < 0 ? hogs : tier;
	return tier == TICK_IDLE ? tier : hogs;
}

/*
 * One after the other, until a timer is due or there was a kick: each takes
 * microseconds, and there may be a hundred thousand. Nanoseconds until more are
 * to be given back, or -1.
 */
static int64_t give_back_stacks(struct baton_rt *rt, uint32_t kicks)
{
	const struct watch *t = &rt->watch;
	int64_t ns;

	do
		ns = baton_stack_pool_tick(&rt->stacks);
	while (!ns && READ_ONCE(t->kicks) == kicks && now_ns() < t->until);
	return ns;
}

bool baton_watcher_wait(struct baton_rt *rt, long retry)
{
	struct watch *t = &rt->watch;
	int64_t end = retry ? now_ns() + retry : 0;
	int64_t left = -1;
	long tick = 0;
	bool fresh = true;

	while (!rt_stopping(rt)) {
		/* Before all that a kick is to tell about. */
		uint32_t kicks = smp_load_acquire(&t->kicks);
		int64_t ns = run_timers(rt);

		baton_dump_look(rt);
		ns = sooner(ns, baton_deadlock_look(rt));
		ns = sooner(ns, baton_interrupt_watch(rt));
		ns = sooner(ns, baton_polling_watch(rt));
		ns = sooner(ns, give_back_stacks(rt, kicks));

		if (tick != TICK_IDLE || fresh)
			tick = look(rt, fresh);
		fresh = false;
		if (end)
			left = end - now_ns();
		if (xchg(&t->wanted, 0) || (end && left < 0))
			return true;
		if (rt->keep_due) {
			int64_t keep = rt->keep_due - now_ns();

			if (keep <= 0)
				return true;
			ns = sooner(ns, keep);
		}
		if (end)
			ns = sooner(ns, left);
		if (!end && tick == TICK_IDLE)
			fresh = wait_for_work(rt, kicks, ns);
		else
			baton_watch_sleep(t, kicks, sooner(ns, tick));
	}
	return false;
}
