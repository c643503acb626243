// SPDX-License-Identifier: GPL-2.0-only
/*
 * handoff.c - a worker blocks: its processor goes to another.
 *
 * The hook runs in the worker's last instructions before the context switch,
 * with rq->lock held and interrupts off. Allowed here: raw spinlocks, the
 * region (our own pages, always present), irq_work_queue(). Not allowed: a
 * wake-up (rq->lock), user memory, printk(), anything that sleeps. The
 * interrupt comes as soon as the switch is done, on this CPU, and wakes the
 * standby.
 *
 * REJECTED: wait_queue or eventfd wake-ups from here: they take rq->lock.
 */
#include "handoff.h"

#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sched/deadline.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "instance.h"
#include "standby.h"

/*
 * Where blocks are short, one has to last for so many times the usual delay, and
 * for up to twice as many.
 */
#define SHORT_DELAYS	16

/*
 * A SCHED_DEADLINE task that has used up its time, or yielded what was left of
 * it, runs again in its next period and not before: it is on the run queue by
 * name alone. rq->lock protects the flag. Who leaves the class has it cleared.
 */
static bool throttled(struct task_struct *p)
{
	return dl_task(p) && p->dl.dl_throttled;
}

/*
 * Blocked, as opposed to preempted; and not in a way that is none of ours: a
 * contended lock of PREEMPT_RT, which is as short as a spinlock, a stop, or a
 * freezer. TASK_WAKING: its sleep, whatever it was, is over before it began; a
 * waker writes that with no lock of ours.
 */
static bool blocked(struct task_struct *p)
{
	unsigned int state = READ_ONCE(p->__state);

	if (throttled(p))
		return true;
	return baton_task_blocked(p) && !baton_task_frozen(p, state) &&
	       !(state & (TASK_RTLOCK_WAIT | __TASK_STOPPED | __TASK_TRACED |
			  TASK_PARKED | TASK_FROZEN | TASK_WAKING));
}

/*
 * @p was blocked(), and has not run since: is it still? Only a waker ends that.
 * A freezer does not: it writes a state over that of the sleep, and since
 * 8f0eed4a78a8 ("freezer,sched: Use saved_state to reduce some spurious
 * wakeups"), 6.7, puts that back without a wake-up.
 */
static bool still_blocked(struct task_struct *p)
{
	return throttled(p) ||
	       (baton_task_blocked(p) &&
		!(READ_ONCE(p->__state) & TASK_WAKING));
}

/*
 * Is @p a thread of the program that the instance belongs to? After exec() it
 * is not.
 */
static bool ours(const struct baton_instance *inst, struct task_struct *p)
{
	return READ_ONCE(p->mm) == inst->mm;
}

/*
 * On its way out, when it has left its memory already and blocks over closing a
 * file, say, @p will not come back to this slot: there is nothing better to do
 * with its processor. (A thread that did exec() and exits comes to the same end,
 * as it does when it is dead.) What it blocks in is no longer ours to tell: it
 * may be another program's.
 */
static bool exits(struct task_struct *p)
{
	return !READ_ONCE(p->mm) && (p->flags & PF_EXITING);
}

/* The processor that @slot has, in code that may lose it; -1: none. */
static int processor_of(const struct baton_instance *inst,
			const struct baton_slot *slot)
{
	u32 state = READ_ONCE(slot->state);
	u32 p = READ_ONCE(slot->proc);

	if ((state != BATON_FIBER && state != BATON_FOREIGN) ||
	    p >= inst->nprocs || READ_ONCE(slot->taken) == BATON_TAKEN)
		return -1;
	return array_index_nospec(p, inst->nprocs);
}

/* Take the processor from @slot. Its number; -1: it has none to take. */
static int take(struct baton_instance *inst, struct baton_slot *slot)
{
	int p = processor_of(inst, slot);

	/* The owner looks on this CPU, later; a taker in user space, at its
	 * compare-and-swap. Full barrier: before anybody gets @p. */
	if (p < 0 || xchg(&slot->taken, BATON_TAKEN) == BATON_TAKEN)
		return -1;
	return p;
}

/*
 * @p becomes idle. By whoever holds it, while he still does: the record's count
 * is the holder's to change, for as soon as its idle bit is set somebody else
 * may hold it, on another CPU, in this same line.
 */
static void count_idled(struct baton_instance *inst, u32 p)
{
	atomic64_inc(&inst->idled);
	WRITE_ONCE(inst->recs[p].idled, inst->recs[p].idled + 1);
}

/* It was idle for no time at all; the caller holds it again. */
static void uncount_idled(struct baton_instance *inst, u32 p)
{
	atomic64_dec(&inst->idled);
	WRITE_ONCE(inst->recs[p].idled, inst->recs[p].idled - 1);
}

/* @p to a standby; if there is none it becomes idle. */
static void pass_on_locked(struct baton_instance *inst, u32 p,
			   struct baton_site *site)
{
	struct baton_standby *heir;

	lockdep_assert_held(&inst->lock);
	if (list_empty(&inst->standbys)) {
		inst->starved++;
		count_idled(inst, p);
		baton_account_count(&site->missed);
	}
	heir = baton_standby_give_locked(inst, p);
	trace_handoff(p, heir ? heir->task->pid : 0);
	if (!heir)
		return;
	inst->handoffs++;
	baton_account_count(&site->handoffs);
	/* Under the lock, by which alone it is ever changed. */
	inst->recs[p].handoffs++;
	baton_standby_wake_locked(heir);
}

/* Of a worker that blocks, or did last, at @site. */
static void pass_on(struct baton_instance *inst, u32 p,
		    struct baton_site *site)
{
	if (!baton_instance_has_work(inst)) {
		count_idled(inst, p);
		/*
		 * Publish, barrier, look again: whoever made work meanwhile
		 * saw it idle, or we see the work. Pairs with wake_one() in
		 * the library's sched.c.
		 */
		baton_idle_set(inst, p);
		if (!baton_instance_has_work(inst) ||
		    !baton_idle_claim(inst, p)) {
			baton_account_count(&site->idled);
			trace_handoff(p, 0);
			return;
		}
		uncount_idled(inst, p);
	}
	raw_spin_lock(&inst->lock);
	pass_on_locked(inst, p, site);
	raw_spin_unlock(&inst->lock);
}

/* --- now, or later -------------------------------------------------------- */

/* h->due: the timer, which runs, will set a time when it fires. */
#define DUE_LATER	1

static u64 short_delay(const struct baton_instance *inst)
{
	return READ_ONCE(inst->delay) * SHORT_DELAYS;
}

static void start_locked(struct baton_handoff *h, u64 delay)
{
	lockdep_assert_held(&h->lock);
	h->due = ktime_get_mono_fast_ns() + delay;
	if (h->armed && ktime_to_ns(hrtimer_get_expires(&h->timer)) <= h->due)
		return;
	h->armed = true;
	/*
	 * Pinned, and hard: it may be started under rq->lock, as the kernel's
	 * own hrtick is, for it wakes nobody.
	 */
	hrtimer_start(&h->timer, ns_to_ktime(h->due),
		      HRTIMER_MODE_ABS_PINNED_HARD);
}

/*
 * The block has begun, and is handed off once it has lasted for as long as that
 * costs. Where blocks are short it has to last for much longer, for then the
 * timer is there for the odd one alone: it is started once for many, and no
 * clock is read.
 */
static void wait_longer(struct baton_handoff *h, bool look)
{
	h->late = true;
	raw_spin_lock(&h->lock);
	h->look = look;
	if (look)
		start_locked(h, READ_ONCE(h->inst->delay));
	else if (h->armed)
		h->due = DUE_LATER;
	else
		start_locked(h, short_delay(h->inst));
	raw_spin_unlock(&h->lock);
}

/*
 * The time is up. The processor; -1: the worker keeps it, for it is on its way
 * back already, if only waiting for its CPU.
 */
static int time_up_locked(struct baton_handoff *h)
{
	struct baton_instance *inst = h->inst;

	lockdep_assert_held(&h->lock);
	h->due = 0;
	if (READ_ONCE(inst->stopped) || !still_blocked(h->task))
		return -1;
	baton_predict_learn(h->block.guess, true);
	h->look = false;
	return take(inst, &inst->slots[h->index]);
}

/*
 * On the CPU where it was started, while the thread may be coming back on
 * another: baton_handoff_in() takes the lock before the thread is in user mode
 * again, so that either this finds no block to end, or the thread finds its
 * processor taken.
 */
static enum hrtimer_restart timer_fired(struct hrtimer *timer)
{
	struct baton_handoff *h = container_of(timer, struct baton_handoff,
					       timer);
	u64 now = ktime_get_mono_fast_ns();
	struct baton_site *site = NULL;
	unsigned long flags;
	int proc = -1;

	raw_spin_lock_irqsave(&h->lock, flags);
	/*
	 * start_locked() came first and queued the timer again, for an earlier
	 * time. It will fire again; what it is queued by must not be changed.
	 * It stays queued until we return: a timer whose function runs is moved
	 * to no other CPU, and run by none.
	 */
	if (hrtimer_is_queued(timer)) {
		raw_spin_unlock_irqrestore(&h->lock, flags);
		return HRTIMER_NORESTART;
	}
	if (h->due == DUE_LATER)
		h->due = now + short_delay(h->inst);
	if (h->due > now) {
		/* It was started for a block that is over. */
		hrtimer_set_expires(timer, ns_to_ktime(h->due));
		raw_spin_unlock_irqrestore(&h->lock, flags);
		return HRTIMER_RESTART;
	}
	h->armed = false;
	/* The block is ours to read while it is due, and the thread's after that:
	 * as soon as the lock is free it may begin another. */
	if (h->due) {
		site = h->block.site;
		proc = time_up_locked(h);
	}
	raw_spin_unlock(&h->lock);
	if (proc >= 0) {
		baton_account_count(&site->late);
		pass_on(h->inst, proc, site);
	}
	local_irq_restore(flags);
	return HRTIMER_NORESTART;
}

/*
 * Blocked, with a processor: is it to be left there for now? Then the timer is
 * set, or the hand-off is switched off.
 */
static bool postponed(struct baton_handoff *h)
{
	struct baton_instance *inst = h->inst;
	enum baton_guess guess;

	if (!inst->flags)
		return false;
	if (inst->flags == BATON_CREATE_OFF)
		return true;
	guess = baton_predict(h->block.guess);
	/*
	 * While no fiber waits an idle processor costs less than a timer; but
	 * one that is about to be back keeps its own.
	 */
	if (guess == BATON_GUESS_LONG ||
	    (guess == BATON_GUESS_NONE && !baton_instance_has_work(inst)))
		return false;
	wait_longer(h, guess == BATON_GUESS_NONE);
	return true;
}

void baton_handoff_out(struct baton_handoff *h, bool dead)
{
	struct baton_instance *inst = h->inst;
	struct baton_slot *slot = &inst->slots[h->index];
	bool gone = dead;
	int proc;

	lockdep_assert_irqs_disabled();
	if (!dead) {
		if (!blocked(h->task))
			return;
		gone = exits(h->task);
		if (!gone && !ours(inst, h->task))
			return;
	}
	if (READ_ONCE(inst->stopped))
		return;
	if (!gone &&
	    !baton_account_out(&h->block, inst, slot, h->index, h->task))
		return;
	if (processor_of(inst, slot) < 0 || (!gone && postponed(h)))
		return;
	proc = take(inst, slot);
	if (proc >= 0)
		pass_on(inst, proc, h->block.site);
}

/* --- it is back ----------------------------------------------------------- */

/*
 * Fiber code that goes on without a processor, which may be given to another one
 * at any time. If its last one is idle it has that again: the thread is between
 * two of its instructions, as when it was taken, and what it has noted of the
 * processor still holds. Another one would not do for that reason.
 *
 * Nor with a signal pending: it may be on its way into a stop, in which it would
 * keep the processor. Otherwise it asks for one itself, as without this.
 *
 * Under the lock, and not after STOP: then the library makes every worker TAKEN,
 * for good.
 */
static void regain(struct baton_handoff *h, struct baton_slot *slot)
{
	struct baton_instance *inst = h->inst;
	u32 p = READ_ONCE(slot->proc);
	unsigned long flags;

	if (READ_ONCE(slot->state) != BATON_FIBER || p >= inst->nprocs ||
	    signal_pending(h->task) || !ours(inst, h->task))
		return;
	p = array_index_nospec(p, inst->nprocs);
	if (!baton_idle_test(inst, p))
		return;
	raw_spin_lock_irqsave(&inst->lock, flags);
	if (!inst->stopped && baton_idle_claim(inst, p)) {
		struct baton_proc_rec *rec = &inst->recs[p];

		/* The record is its holder's to change. */
		WRITE_ONCE(rec->worker, h->index);
		WRITE_ONCE(rec->regained, rec->regained + 1);
		/* Release: the above, before a taker in user space begins. */
		smp_store_release(&slot->taken, BATON_KEPT);
		trace_grant(p, h->task->pid);
	}
	raw_spin_unlock_irqrestore(&inst->lock, flags);
}

/* A block that was begun with a timer is over. */
static void late_over(struct baton_handoff *h)
{
	unsigned long flags;
	bool was_short;

	h->late = false;
	raw_spin_lock_irqsave(&h->lock, flags);
	was_short = h->look;
	h->due = 0;
	h->look = false;
	raw_spin_unlock_irqrestore(&h->lock, flags);
	if (was_short)
		baton_predict_learn(h->block.guess, false);
}

void baton_handoff_in(struct baton_handoff *h)
{
	struct baton_instance *inst = h->inst;
	struct baton_slot *slot = &inst->slots[h->index];

	if (h->block.on) {
		baton_account_in(&h->block, h->index, h->task);
		if (h->late)
			late_over(h);
	}
	/* After the timer, which takes no more from here on. */
	if (inst->regain && READ_ONCE(slot->taken) == BATON_TAKEN)
		regain(h, slot);
}

void baton_handoff_init(struct baton_handoff *h, struct baton_instance *inst)
{
	h->inst = inst;
	h->task = current;
	raw_spin_lock_init(&h->lock);
	baton_hrtimer_setup(&h->timer, timer_fired, CLOCK_MONOTONIC,
			    HRTIMER_MODE_ABS_PINNED_HARD);
}

void baton_handoff_uninit(struct baton_handoff *h)
{
	hrtimer_cancel(&h->timer);
}
