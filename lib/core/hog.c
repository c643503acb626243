// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* hog.c - fibers that compute and compute; see hog.h. */
#include "hog.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "../tier/tier.h"
#include "clock.h"
#include "interrupt.h"
#include "lock.h"
#include "probe.h"
#include "reason.h"
#include "sched.h"

/* Looks, one after the other, at which no fiber waited, before a rest. */
#define IDLE_LOOKS	4u

#define LOOK_MIN_NS	100000L

/**
 * struct sighting - what the watcher saw of a processor when it last looked
 * @worker: whose it was
 * @head:   of its queue: who runs has not changed, or that would have, but for
 *          fibers that are joined at once, and those from other queues
 * @since:  when that was first seen, while fibers waited
 */
struct sighting {
	uint32_t worker;
	uint32_t head;
	int64_t since;
};

/**
 * struct hogs - of a scheduler with slices; the watcher's, but for @slice
 * @slice: nanoseconds; constant
 * @next:  when to look again
 * @idle:  looks, one after the other, at which no fiber waited
 * @now:   the time of this look
 * @seen:  by processor
 */
struct hogs {
	int64_t slice;
	int64_t next;
	unsigned int idle;
	int64_t now;
	struct sighting seen[];
};

/* --- the thread that computes -------------------------------------------- */

/* It is sent the signal once it has computed for @ns nanoseconds from now on. */
static void timer_set(const struct baton_worker *w, int64_t ns)
{
	struct itimerspec when = { .it_value = timespec_of(ns) };

	timer_settime(w->slicer, 0, &when, NULL);
}

/* The rest of what the timer's signal does, in its handler. */
static __attribute__((noinline)) void slice_over(void)
{
	struct baton_worker *w = baton_worker_self();
	int saved = errno;

	/* On the timer's own thread, but maybe late: any fiber may run here. */
	if (!w || slot_state(w->slot) != BATON_FIBER ||
	    READ_ONCE(w->slot->taken) != BATON_TAKEN || !w->rt->hogs)
		return;
	/* Acquire: the timer; pairs with stop_locked(). */
	if (!smp_load_acquire(&w->sliceable))
		return;
	if (baton_unstoppable())
		timer_set(w, 1);
	else if (!baton_sched_await_turn(w, w->rt->hogs->slice) &&
		 !rt_stopping(w->rt))
		timer_set(w, w->rt->hogs->slice);
	errno = saved;
}

/*
 * The CPU clock of a thread, as <linux/posix-timers.h> has it. There is a
 * function for one's own, and for a pthread_t, which adopted threads have not
 * told.
 */
static clockid_t cpu_clock(uint32_t tid)
{
	return (clockid_t)(~tid << 3 | 6);
}

/*
 * @w has no processor any more. Its timer runs out at the kernel's next tick that
 * finds it computing. It has none if the system has no more: then it goes on.
 */
static void stop_locked(struct baton_worker *w)
{
	struct sigevent event;

	baton_rt_assert_locked();
	if (!w->sliceable) {
		baton_interrupt_event(&event, w->tid);
		if (timer_create(cpu_clock(w->tid), &event, &w->slicer))
			return;
		/* Release: the timer before that; see slice_over(). */
		smp_store_release(&w->sliceable, true);
	}
	timer_set(w, 1);
}

/* --- the watcher ---------------------------------------------------------- */

/*
 * For how long the fiber of @w may go on, nanoseconds; negative: for ever. It may
 * have changed just now; records stay mapped.
 */
NO_SANITIZE static int64_t slice_of(const struct hogs *h,
				    const struct baton_worker *w)
{
	const struct baton_fiber *f = READ_ONCE(w->fiber);
	uint32_t ms = f ? READ_ONCE(f->slice) : 0;

	if (ms == SLICE_NEVER)
		return -1;
	return ms ? ms * INT64_C(1000000) : h->slice;
}

/* Take processor @p from @w. */
static bool take_locked(struct baton_rt *rt, unsigned int p,
			struct baton_worker *w)
{
	baton_rt_assert_locked();
	if (!claim_take_running(w->slot, p, READ_ONCE(rt->fence)))
		return false;
	count(&rt->sliced);
	probe2(slice, w->tid, p);
	/* Foreign code goes on, and finds out when it is over. */
	if (READ_ONCE(w->slot->state) == BATON_FIBER)
		stop_locked(w);
	return true;
}

/* The slice of whoever has @p is over. Nanoseconds until it really is, or 0. */
static int64_t slice_end(struct baton_rt *rt, unsigned int p)
{
	struct sighting *seen = &rt->hogs->seen[p];
	struct baton_worker *w;
	int64_t left = 0;
	bool took = false;

	baton_rt_lock();
	w = rt->workers[seen->worker];
	if (w) {
		left = slice_of(rt->hogs, w);
		if (left >= 0)
			left -= rt->hogs->now - seen->since;
		else
			left = rt->hogs->slice;
		took = left <= 0 && take_locked(rt, p, w);
	}
	baton_rt_unlock();
	if (took)
		rt->tier->wake(rt, p, TIER_ANY);
	if (left > 0)
		return left;
	seen->since = rt->hogs->now;
	return 0;
}

/*
 * Fiber code that goes on without a processor, for any reason, and has since the
 * last look: it has blocked, and came back. While others wait it waits as well.
 */
static void stop_others(struct baton_rt *rt)
{
	baton_rt_lock();
	for (unsigned int i = 0; i < rt->max_workers; i++) {
		struct baton_worker *w = rt->workers[i];
		uint64_t over = 0;

		if (!w)
			continue;
		if (READ_ONCE(w->slot->state) == BATON_FIBER &&
		    READ_ONCE(w->slot->taken) == BATON_TAKEN)
			over = READ_ONCE(w->parks) + 1;
		if (over && over == w->over)
			stop_locked(w);
		w->over = over;
	}
	baton_rt_unlock();
}

/* Nanoseconds until whoever has @p is to be looked at again. */
static int64_t look_at(struct baton_rt *rt, unsigned int p)
{
	struct hogs *h = rt->hogs;
	struct sighting *seen = &h->seen[p];
	struct sighting now = {
		.worker = READ_ONCE(rt->recs[p].worker),
		.head = READ_ONCE(rt->recs[p].head),
		.since = h->now,
	};
	uint32_t state = READ_ONCE(rt->slots[now.worker].state);
	int64_t left;

	if (seen->worker != now.worker || seen->head != now.head ||
	    (state != BATON_FIBER && state != BATON_FOREIGN) ||
	    READ_ONCE(rt->slots[now.worker].taken) != BATON_KEPT ||
	    idle_test(rt->hdr, p))
		*seen = now;
	/* One with a shorter slice of its own is seen at the next look. */
	left = seen->since + h->slice / 2 - h->now;
	if (left <= 0)
		left = slice_end(rt, p);
	return left > 0 && left < h->slice / 2 ? left : h->slice / 2;
}

static long look_idle(const struct baton_rt *rt)
{
	struct hogs *h = rt->hogs;

	/* Without membarrier() nobody's look at asleep would be reliable. */
	if (++h->idle > IDLE_LOOKS && !READ_ONCE(rt->fence))
		return TICK_IDLE;
	return (long)h->slice;
}

long baton_hogs_look(struct baton_rt *rt)
{
	struct hogs *h = rt->hogs;
	int64_t next;

	if (!h)
		return TICK_NEVER;
	h->now = now_ns();
	if (!rt_has_work(rt))
		return look_idle(rt);
	/* Other looks of the watcher's are no reason for one here. */
	if (!h->idle && h->now < h->next)
		return (long)(h->next - h->now);
	next = h->slice;
	for (unsigned int p = 0; p < rt->nprocs; p++) {
		int64_t left;

		/* It begins when others wait. */
		if (h->idle)
			h->seen[p].since = h->now;
		left = look_at(rt, p);
		if (left < next)
			next = left;
	}
	h->idle = 0;
	stop_others(rt);
	if (next < LOOK_MIN_NS)
		next = LOOK_MIN_NS;
	h->next = h->now + next;
	return (long)next;
}

/* --- life ---------------------------------------------------------------- */

int baton_hogs_create(struct baton_rt *rt, unsigned int ms)
{
	struct hogs *h;

	if (!ms)
		return 0;
	h = calloc(1, sizeof(*h) + rt->nprocs * sizeof(h->seen[0]));
	if (!h)
		return -ENOMEM;
	h->slice = ms * INT64_C(1000000);
	rt->hogs = h;
	baton_interrupt_timers(slice_over);
	return 0;
}

void baton_hogs_destroy(struct baton_rt *rt)
{
	free(rt->hogs);
	rt->hogs = NULL;
}
