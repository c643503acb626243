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
 * REJECTED: the sched_switch tracepoint, which taxes all tasks. REJECTED:
 * wait_queue or eventfd wake-ups from here: they take rq->lock.
 */
#include "handoff.h"

#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sched/deadline.h>

#include "instance.h"
#include "standby.h"

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
 * Is @p a thread of the program that the instance belongs to? After exec() it
 * is not. On its way out it still is, when it has left its memory already and
 * blocks over closing a file, say: it will not come back to this slot, so there
 * is nothing better to do with its processor. (A thread that did exec() and
 * exits comes to the same end, as it does when it is dead.)
 */
static bool ours(const struct baton_instance *inst, struct task_struct *p)
{
	struct mm_struct *mm = READ_ONCE(p->mm);

	return mm == inst->mm || (!mm && (p->flags & PF_EXITING));
}

/* Take the processor from @slot. Its number; -1: it has none to take. */
static int take(struct baton_instance *inst, struct baton_slot *slot)
{
	u32 state = READ_ONCE(slot->state);
	u32 p = READ_ONCE(slot->proc);

	if ((state != BATON_FIBER && state != BATON_FOREIGN) ||
	    p >= inst->nprocs)
		return -1;
	/* The owner looks on this CPU, later; a taker in user space, at its
	 * compare-and-swap. Full barrier: before anybody gets @p. */
	if (xchg(&slot->taken, BATON_TAKEN) == BATON_TAKEN)
		return -1;
	return array_index_nospec(p, inst->nprocs);
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
static void pass_on_locked(struct baton_instance *inst, u32 p)
{
	struct baton_standby *heir;

	lockdep_assert_held(&inst->lock);
	if (list_empty(&inst->standbys)) {
		inst->starved++;
		count_idled(inst, p);
	}
	heir = baton_standby_give_locked(inst, p);
	if (!heir)
		return;
	inst->handoffs++;
	/* Under the lock, by which alone it is ever changed. */
	inst->recs[p].handoffs++;
	baton_standby_wake_locked(heir);
}

static void pass_on(struct baton_instance *inst, u32 p)
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
		    !baton_idle_claim(inst, p))
			return;
		uncount_idled(inst, p);
	}
	raw_spin_lock(&inst->lock);
	pass_on_locked(inst, p);
	raw_spin_unlock(&inst->lock);
}

void baton_handoff(struct baton_instance *inst, struct task_struct *p,
		   u32 index, bool dead)
{
	int proc;

	lockdep_assert_irqs_disabled();
	if (!dead && (!blocked(p) || !ours(inst, p)))
		return;
	if (READ_ONCE(inst->stopped))
		return;
	proc = take(inst, &inst->slots[index]);
	if (proc >= 0)
		pass_on(inst, proc);
}
