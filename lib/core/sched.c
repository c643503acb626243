// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * sched.c - what runs next.
 *
 * Protocol. A fiber that gives up its worker first makes itself findable (on a
 * queue, or in the word that its waker looks at), then leaves its stack; its
 * on_stack flag keeps the next worker off until it has left. If another fiber
 * is at hand it switches there directly, otherwise to baton_sched_loop(), which
 * is not a suspended context but a function begun anew at sys_sp, below whatever
 * foreign calls have left on the system stack (Go's mcall).
 *
 * No wake-up is lost: who makes a fiber runnable queues it, fences, and looks
 * for an idle processor; who lets a processor go sets its idle bit (a full
 * barrier), and then looks for work, in tier->park(). With nspinning counted,
 * the maker may leave the work to a worker that is looking already: it stops
 * counting itself before it parks, and looks again in park.
 *
 * Pinned fibers (in a callback) are only ever on the global queue, from where
 * they can be taken out of turn. A worker that pops another's pinned fiber
 * gives it its processor: tier->swap().
 *
 * Fibers run first in first out, with one exception: who is joined before it
 * has run is run at once, and who has joined it goes on when it ends. See
 * sched_direct(), and HACKING.md, "Decisions", for what else was tried.
 *
 * REJECTED: a saved context for the scheduler. Callbacks nest; see above.
 * REJECTED: one global queue, or a mutex per queue: a locked instruction per
 * switch is a third of its price.
 * REJECTED: counting a worker that was just woken as one that is looking
 * already, as Go does: if no standby is left, nobody would ever uncount it.
 */
#include "sched.h"

#include <errno.h>

#include "../tier/tier.h"
#include "clock.h"
#include "lock.h"
#include "polling.h"
#include "site.h"

/* Once in so many nanoseconds those that wait for a turn are let in even if others
 * wait, too. */
#define TURN_PAUSE_NS	40000000

/* Rounds over all processors before a worker parks: 1 to 2 us. */
#define SPINS		20u

/* --- making fibers runnable -------------------------------------------- */

void baton_sched_wake_one(struct baton_rt *rt, const struct baton_proc *queue)
{
	int p;

	/* Queue before queued, idle[] and nspinning; pairs with idle_set(). */
	smp_mb();
	if (queue)
		queued_set(rt->hdr, queue->index);
	if (READ_ONCE(rt->hdr->nspinning))
		return;
	p = idle_claim_any(rt->hdr, rt->nprocs);
	if (p >= 0)
		rt->tier->wake(rt, (unsigned int)p, TIER_ANY);
	else
		watch_work(&rt->watch);
}

/* Half of the queue, and @f, to where all find them. */
void baton_sched_overflow(struct baton_worker *w, struct baton_fiber *f)
{
	struct baton_fiber *batch[RUNQ_SIZE / 2 + 1];
	unsigned int n = baton_runq_pop_half(&w->proc->runq, batch);

	batch[n++] = f;
	baton_global_push(w->rt, batch, n);
	sched_queued(w);
}

/* Either a processor for its worker, or the queue. */
static __attribute__((noinline)) void ready_pinned(struct baton_rt *rt,
						   struct baton_fiber *f)
{
	int p;

	if (unlikely(trace_on()))
		baton_trace_ready(NULL, f);
	p = idle_claim_any(rt->hdr, rt->nprocs);
	if (p >= 0) {
		rt->tier->wake(rt, (unsigned int)p, f->pin->index);
		return;
	}
	/* From here on the fiber may be found, run and freed: it is not looked
	 * at any more. */
	baton_global_push_pinned(rt, f);
	smp_mb(); /* as in wake_one() */
	if (idle_any(rt->hdr, rt->nprocs))
		baton_sched_rescue(rt);
	else
		watch_work(&rt->watch);
}

/* The caller has no processor. */
static __attribute__((noinline)) void ready_global(struct baton_rt *rt,
						   struct baton_fiber *f)
{
	if (unlikely(trace_on()))
		baton_trace_ready(NULL, f);
	baton_global_push(rt, &f, 1);
	baton_sched_wake_one(rt, NULL);
}

static TRACE_COLD void ready_traced(struct baton_worker *w,
				    struct baton_fiber *f)
{
	baton_trace_ready(w, f);
	sched_queue(w, f);
}

void baton_sched_ready(struct baton_rt *rt, struct baton_worker *w,
		       struct baton_fiber *f)
{
	probe1(ready, f);
	/* What is rare stays out of here, with all that it needs on the stack. */
	if (unlikely(f->pin)) {
		ready_pinned(rt, f);
		return;
	}
	if (unlikely(!w)) {
		ready_global(rt, f);
		return;
	}
	if (unlikely(w->extra & EXTRA_TRACE)) {
		ready_traced(w, f);
		return;
	}
	sched_queue(w, f);
}

void baton_sched_ready_all(struct baton_rt *rt, struct baton_fiber **f,
			   unsigned int n)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n; i++) {
		probe1(ready, f[i]);
		if (unlikely(f[i]->pin)) {
			ready_pinned(rt, f[i]);
			continue;
		}
		if (unlikely(trace_on()))
			baton_trace_ready(NULL, f[i]);
		f[kept++] = f[i];
	}
	if (!kept)
		return;
	baton_global_push(rt, f, kept);
	smp_mb(); /* as in wake_one() */
	/* One for each; but who looks already finds them, and wakes others. */
	while (kept-- && !READ_ONCE(rt->hdr->nspinning)) {
		int p = idle_claim_any(rt->hdr, rt->nprocs);

		if (p < 0) {
			watch_work(&rt->watch);
			break;
		}
		rt->tier->wake(rt, (unsigned int)p, TIER_ANY);
	}
}

void baton_sched_rescue(struct baton_rt *rt)
{
	unsigned int p;
	int index = baton_global_rescue(rt, &p);
	struct turn *t;

	if (index >= 0) {
		rt->tier->wake(rt, p, (unsigned int)index);
		return;
	}
	t = baton_global_turn_rescue(rt, &p);
	if (t)
		baton_turn_grant(t, p + 1);
	else	/* The one that was idle is a worker's that has just come back. */
		watch_work(&rt->watch);
}

/* The other worker is a few instructions away from leaving. */
void baton_await_stack(struct baton_fiber *f)
{
	struct backoff b = { 0 };

	while (smp_load_acquire(&f->ctx.on_stack))
		baton_backoff(&b);
}

/* --- giving up the worker ---------------------------------------------- */

/*
 * Fibers that spawn and join for ever must not keep out those that wait in the
 * queues. They have a time slice together, to the kernel's next tick; then it is
 * the turn of the first in the processor's own queue, and after the next slice
 * that of the others' queues, at which find() looks when there is no budget.
 */
bool baton_sched_direct_slow(struct baton_worker *w)
{
	struct baton_proc *p = w->proc;
	int64_t now;

	trace_look(w);
	if (w->pinned)
		return false;
	now = tick_ns();
	WRITE_ONCE(p->now, (uint32_t)(now >> STAMP_SHIFT));
	if (p->slice != now) {
		p->slice = now;
		p->own_turn = !p->own_turn;
		if (p->own_turn)
			p->budget = SCHED_FAIRNESS;
		return false;
	}
	p->budget = SCHED_FAIRNESS;
	return true;
}

struct baton_worker *baton_switch_slow(struct baton_worker *w,
				       struct baton_fiber *f,
				       struct baton_fiber *next)
{
	sched_stack_left(next);
	if (w->extra & EXTRA_CXX) {
		cxx_leave(w, f);
		cxx_arrive(w, next);
	}
	sched_resume(w, next);
	if (w->extra & EXTRA_TRACE)
		baton_trace_switch(w, f, next);
	return switch_now(w, f, next);
}

struct baton_worker *
baton_switch_traced_to_scheduler(struct baton_worker *w, struct baton_fiber *f,
				 void (*loop)(void *))
{
	baton_trace_switch(w, f, NULL);
	return switch_now_to_scheduler(w, f, loop);
}

struct baton_worker *baton_sched_leave(struct baton_worker *w,
				       struct baton_fiber *f)
{
	return switch_to_scheduler(w, f, (void (*)(void *))baton_sched_loop);
}

struct baton_worker *baton_sched_yield_slow(struct baton_worker *w,
					    struct baton_fiber *f)
{
	struct baton_rt *rt = w->rt;

	debug_assert_fiber(w, f);
	debug_assert_processor(w);
	trace_look(w);
	if (!rt_may_have_work(rt) && !rt_stopping(rt)) {
		/* A fiber that yields alone must not count down for ever. */
		if (w->proc->budget <= 0) {
			w->proc->budget = SCHED_FAIRNESS;
			baton_proc_look_clock(w->proc);
			polling_look(rt, w);
		}
		return w;
	}
	baton_sched_ready(rt, w, f);
	return baton_sched_leave(w, f);
}

/* The poller is looked at, too: who waits for a descriptor may be due. */
void __attribute__((noinline, cold)) baton_fiber_turn(struct baton_fiber *f)
{
	struct baton_worker *w = sched_enter();

	f->unwaited = 0;
	w->proc->budget = 0;
	sched_exit(baton_sched_yield_slow(w, f));
}

/* @f, back from @site without a processor, waits for one. */
static struct baton_worker *queue_up(struct baton_worker *w,
				     struct baton_fiber *f,
				     struct baton_site *site)
{
	int64_t since = now_ns();

	count(&w->requeued);
	w->proc = NULL;
	baton_sched_ready(w->rt, NULL, f);
	w = baton_sched_leave(w, f);
	baton_site_starved(site, since);
	return w;
}

struct baton_worker *baton_sched_begin_slow(struct baton_worker *w)
{
	struct baton_fiber *f = w->fiber;

	if (w->depth)
		sched_pin(w, f);
	if (claim_lost(w->slot, READ_ONCE(w->rare))) {
		struct baton_site *site = baton_site_back(w);

		if (!baton_proc_regain(w))
			w = queue_up(w, f, site);
	}
	return w;
}

bool baton_sched_wait_here(struct baton_worker *w)
{
	claim_enter(w->slot, BATON_RUNTIME);
	sched_pin(w, w->fiber);
	if (claim_lost(w->slot, READ_ONCE(w->rare))) {
		struct baton_site *site = baton_site_back(w);

		if (!baton_proc_regain(w)) {
			int64_t since = now_ns();

			if (!baton_sched_queue_here(w))
				return false;
			baton_site_starved(site, since);
		}
	}
	sched_exit(w);
	return true;
}

bool baton_sched_queue_here(struct baton_worker *w)
{
	debug_assert(slot_state(w->slot) == BATON_RUNTIME);
	debug_assert(w->pinned == w->fiber);
	w->proc = NULL;
	baton_sched_ready(w->rt, NULL, w->pinned);
	if (likely(baton_worker_park(w, TIER_PINNED)))
		return true;
	baton_global_remove(w->rt, w->pinned);
	return false;
}

/* --- in the middle of a fiber's code ------------------------------------ */

/*
 * How long to wait at most. That is longer than the wait ever is but for one
 * case: the fiber has a lock of the C library's, and scheduler code, or the
 * watcher, waits for that. RUNTIME is never taken, so that only to go on ends it.
 */
#define PATIENCE_NS	INT64_C(1000000000)

/* Until it is the turn of @w. True: it has a processor. */
static bool turn_wait(struct baton_worker *w, int64_t slice)
{
	struct baton_rt *rt = w->rt;
	struct turn *t = &w->turn;
	uint32_t got;

	t->grant = TURN_NONE;
	baton_global_turn_add(rt, t);
	smp_mb(); /* as in wake_one() */
	if (idle_any(rt->hdr, rt->nprocs))
		baton_sched_rescue(rt);
	else
		watch_work(&rt->watch);
	got = TURN_NONE;
	/* If it is listed after whoever stops has looked there, stopping is
	 * seen: that comes before, and both have the lock. */
	if (!rt_stopping(rt))
		got = baton_turn_wait(t, PATIENCE_NS + 2 * slice *
				      READ_ONCE(rt->global.nturns));
	if (got == TURN_NONE && !baton_global_turn_drop(rt, t))
		got = baton_turn_wait(t, -1); /* it is about to be granted */
	if (got == TURN_NONE || got == TURN_STOP)
		return false;
	san_acquire(&rt->procs[got - 1]);
	/* Before the state: a taker must not see the old processor. */
	proc_attach(w, got - 1);
	return true;
}

bool baton_sched_await_turn(struct baton_worker *w, int64_t slice)
{
	struct baton_fiber *pinned = w->pinned;
	bool got;

	claim_enter(w->slot, BATON_RUNTIME);
	got = !claim_lost(w->slot, READ_ONCE(w->rare)) || baton_proc_regain(w);
	if (!got && !rt_stopping(w->rt)) {
		count(&w->turns);
		count(&w->parks);
		/* The thread serves nobody else: see stuck() in threads.c. */
		WRITE_ONCE(w->pinned, w->fiber);
		slot_set_state(w->slot, BATON_PARKED);
		got = turn_wait(w, slice);
		WRITE_ONCE(w->pinned, pinned);
	}
	sched_exit(w);
	return got;
}

/* The processor of @w to who waits for a turn. False: nobody does. */
static bool turn_give(struct baton_worker *w)
{
	struct baton_proc *p = w->proc;
	struct turn *t = baton_global_turn_take(w->rt);

	if (!t)
		return false;
	WRITE_ONCE(w->rt->turn_ns, tick_ns());
	w->proc = NULL;
	san_release(p);
	baton_turn_grant(t, p->index + 1);
	return true;
}

/* Others come and come: is it the turn of those all the same? */
static bool turn_due(const struct baton_rt *rt)
{
	return unlikely(READ_ONCE(rt->global.nturns)) &&
	       tick_ns() - READ_ONCE(rt->turn_ns) > TURN_PAUSE_NS;
}

/* --- the end ------------------------------------------------------------ */

/*
 * Whoever runs a fiber finds its processor gone when it next enters scheduler
 * code, cannot regain it, and leaves. One that is attached too late to be in
 * the table parks first, and hears it there.
 */
void baton_sched_stop(struct baton_rt *rt)
{
	struct rt_aux *ring;
	struct turn *t;

	baton_rt_lock();
	rt->closing = true;
	ring = rt->ring;
	baton_rt_unlock();
	if (ring)
		ring->stop(ring);
	/* Full barrier: stopping before taken; see claim_keep(). */
	smp_store_mb(rt->stopping, 1);
	/* Not by way of the workers: adopted ones may go at any time. */
	for (unsigned int i = 0; i < rt->max_workers; i++)
		if (smp_load_acquire(&rt->workers[i]))
			claim_stop(&rt->slots[i]);
	rt->tier->stop(rt);
	while ((t = baton_global_turn_take(rt)))
		baton_turn_grant(t, TURN_STOP);
	polling_kick(rt);
	baton_watch_kick(&rt->watch);
}

void baton_sched_idled(struct baton_rt *rt)
{
	uint32_t none = DOUBT_NONE;

	/* Who waits for a descriptor is not dead. */
	if (polling_wanted(rt))
		return;
	/* Idle bits, which are full barriers, before doubt; pairs with
	 * baton_deadlock_look(). */
	if (READ_ONCE(rt->deadlock.doubt) == DOUBT_NONE &&
	    idle_all(rt->hdr, rt->nprocs) &&
	    try_cmpxchg(&rt->deadlock.doubt, &none, DOUBT_TOLD))
		baton_watch_kick(&rt->watch);
}

/* --- the loop ---------------------------------------------------------- */

static struct baton_fiber *steal(struct baton_rt *rt, struct baton_proc *p)
{
	unsigned int first, words = (rt->nprocs + 63) / 64;

	p->random = p->random * 1664525u + 1013904223u;
	first = (p->random >> 8) % rt->nprocs;
	/* From a random processor upwards, and once around. The first word is
	 * looked at twice: from the bit on, and up to it. */
	for (unsigned int i = 0; i <= words; i++) {
		unsigned int at = (first / 64 + i) % words;
		uint64_t word = READ_ONCE(rt->hdr->queued[at]);
		uint64_t from = ~UINT64_C(0) << (first % 64);

		if (!i)
			word &= from;
		else if (i == words)
			word &= ~from;
		for (; word; word &= word - 1) {
			unsigned int n = at * 64 + first_bit(word);
			struct baton_fiber *f;

			if (n == p->index)
				continue;
			f = baton_runq_steal(&p->runq, &rt->procs[n].runq);
			if (f) {
				probe3(steal, p->index, n, f);
				if (!runq_empty(&p->runq))
					proc_mark_queued(rt, p);
				count(&p->steals);
				return f;
			}
		}
	}
	return NULL;
}

/* Look at everything for a while, so that a short gap costs no park. */
static struct baton_fiber *spin(struct baton_rt *rt, struct baton_proc *p)
{
	struct baton_fiber *f = NULL;

	atomic_fetch_add(&rt->hdr->nspinning, 1);
	for (unsigned int i = 0; i < SPINS && !f && !rt_stopping(rt); i++) {
		f = baton_global_pop(rt, p, 1);
		if (!f)
			f = steal(rt, p);
		if (!f)
			baton_cpu_relax();
	}
	/*
	 * Full barrier: whoever relied on our looking queued its fiber before
	 * this, and tier->park() looks after it. If we found one, there may
	 * be more that nobody was woken for.
	 */
	if (atomic_fetch_sub(&rt->hdr->nspinning, 1) == 1 && f &&
	    rt_has_work(rt))
		baton_sched_wake_one(rt, NULL);
	return f;
}

/*
 * A fiber from the queue of a processor that nobody runs. There is such a
 * fiber if as many workers as there may be exist, and one of them waits in a
 * callback: it has let its processor go, with a queue that was not empty.
 */
static struct baton_fiber *take_orphan(struct baton_rt *rt)
{
	struct baton_fiber *f = NULL;

	for (unsigned int i = 0; i < rt->nprocs && !f; i += 64) {
		uint64_t word = READ_ONCE(rt->hdr->idle[i / 64]) &
				READ_ONCE(rt->hdr->queued[i / 64]);

		for (; word && !f; word &= word - 1)
			f = baton_runq_take(
				&rt->procs[i + first_bit(word)].runq);
	}
	return f;
}

/* The next fiber; NULL: none, or the processor went to who waits for a turn. */
static struct baton_fiber *find(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	struct baton_proc *p = w->proc;
	struct baton_fiber *f = NULL;

	debug_assert_system(w);
	debug_assert_processor(w);
	/* Our own queue may never be empty: the others' turn. */
	if (--p->budget <= 0) {
		p->budget = SCHED_FAIRNESS;
		baton_proc_look_clock(p);
		polling_look(rt, w);
		f = baton_global_pop(rt, p, 1);
		if (!f)
			f = take_orphan(rt);
		if (!f && turn_due(rt) && turn_give(w))
			return NULL;
	}
	if (!f)
		f = runq_pop(&p->runq);
	if (!f)
		f = baton_global_pop(rt, p,
			       READ_ONCE(rt->hdr->nglobal) / rt->nprocs + 1);
	if (!f && polling_look(rt, w)) {
		f = runq_pop(&p->runq);
		/* What comes next most likely comes to the poller. */
		if (rt->nprocs == 1)
			return f;
	}
	if (f)
		return f;
	/* Who was woken goes first. */
	if (unlikely(READ_ONCE(rt->global.nturns))) {
		f = steal(rt, p);
		if (f || turn_give(w))
			return f;
	}
	return spin(rt, p);
}

void baton_sched_release(struct baton_worker *w)
{
	/* Touches the region and @w->rt alone: see call/adopt.c. */
	w->proc = NULL;
	san_release(&w->rt->procs[w->slot->proc]);
	idle_set(w->rt->hdr, w->slot->proc);
	if (rt_has_work(w->rt))
		baton_sched_wake_one(w->rt, NULL);
}

/*
 * Give the processor away, and wait until somebody serves the pinned fiber.
 *
 * If it is a pinned fiber's turn, the processor goes straight to its worker: a
 * standby would find that fiber, and do the same, one wake-up later. It may be
 * the turn of our own: then the processor stays.
 */
static void wait_pinned(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	int index = -1;

	debug_assert_system(w);
	debug_assert(w->pinned);
	if (w->proc && runq_empty(&w->proc->runq))
		index = baton_global_pop_pinned(rt);
	if (index == (int)w->index)
		return;
	if (index >= 0) {
		baton_worker_swap(w, w->proc->index, (unsigned int)index,
				  TIER_PINNED);
		return;
	}
	if (w->proc && rt_has_work(rt)) {
		baton_worker_swap(w, w->proc->index, TIER_ANY, TIER_PINNED);
		return;
	}
	if (w->proc) {
		baton_sched_release(w);
		baton_sched_idled(rt);
	}
	baton_worker_park(w, TIER_PINNED);
}

/*
 * The fiber of @w ended while it was locked to it: whatever that fiber has made
 * of the thread, no other is to find. Or it was idle for long, and was woken
 * for that. It leaves. PARKED, and on no list of standbys, it is given nothing
 * on its way out.
 */
static void retire(struct baton_worker *w)
{
	debug_assert_system(w);
	WRITE_ONCE(w->retired, true);
	if (w->proc) {
		baton_sched_release(w);
		baton_sched_idled(w->rt);
	}
	slot_set_state(w->slot, BATON_PARKED);
}

/* @w runs no fiber any more: back to baton_asm_start(). */
NO_SANITIZE static _Noreturn void finish(struct baton_worker *w)
{
	san_dropped(&w->san, w->base_sp);
	/* Our own has the frames that are gone to. */
	if (w->adopted)
		baton_shadow_resume(&w->fiber->ctx);
	baton_asm_finish(w->base_sp);
}

/* @w has nothing to run: the poller's role, or that of a standby. */
static void rest(struct baton_worker *w)
{
	struct polling *p = polling_take(w->rt);

	if (p)
		p->ops->wait(w);
	else
		baton_worker_park(w, 0);
}

NO_SANITIZE _Noreturn void baton_sched_loop(void *arg)
{
	struct baton_worker *w = arg;
	struct baton_rt *rt = w->rt;
	struct baton_fiber *f;

	san_arrive(&w->san);
	for (;;) {
		trace_look(w);
		if (rt_stopping(rt))
			finish(w);
		if (w->pinned) {
			if (unlikely(w->retired)) {
				retire(w);
				finish(w);
			}
			wait_pinned(w);
			f = w->pinned;
			if (!w->proc)
				continue;
			baton_proc_look_clock(w->proc);
			break;
		}
		if (unlikely(READ_ONCE(w->leaves))) {
			retire(w);
			finish(w);
		}
		if (!w->proc) {
			rest(w);
			if (!w->proc)
				continue;
			baton_proc_look_clock(w->proc);
		}
		f = find(w);
		if (unlikely(!w->proc))
			continue;
		if (!f) {
			unsigned int p = w->proc->index;

			w->proc = NULL;
			/* Its queue is empty, and nobody else fills it. */
			if (rt->nprocs > 1)
				queued_clear(rt->hdr, p);
			san_release(&rt->procs[p]);
			idle_set(rt->hdr, p);
			baton_sched_idled(rt);
		} else if (f->pin) {
			unsigned int p = w->proc->index;

			baton_worker_swap(w, p, f->pin->index, 0);
		} else {
			break;
		}
	}
	switch_from_scheduler(w, f);
}
