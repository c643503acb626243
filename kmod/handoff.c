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

#include "instance.h"
#include "worker.h"

/* How far to look for a standby that ran last on this CPU. */
#define STANDBY_SCAN	8

void baton_standby_add(struct baton_worker *w)
{
	struct baton_instance *inst = w->inst;

	lockdep_assert_held(&inst->lock);
	list_add(&w->standby, &inst->standby);
	WRITE_ONCE(inst->hdr->nstandby, ++inst->nstandby);
}

void baton_standby_del(struct baton_worker *w)
{
	struct baton_instance *inst = w->inst;

	lockdep_assert_held(&inst->lock);
	if (list_empty(&w->standby))
		return;
	list_del_init(&w->standby);
	WRITE_ONCE(inst->hdr->nstandby, --inst->nstandby);
}

void baton_grant_locked(struct baton_worker *w, u32 p)
{
	lockdep_assert_held(&w->inst->lock);
	baton_standby_del(w);
	/* Before the wake-up, which is a full barrier: pairs with
	 * set_current_state() in park_wait(). */
	WRITE_ONCE(w->granted, p + 1);
}

/*
 * The last to park has the warmest cache. One that ran on this CPU is better
 * still: the CPU is about to be free, and waking another costs an interrupt.
 */
static struct baton_worker *standby_pick(struct baton_instance *inst)
{
	struct baton_worker *w, *first = NULL;
	unsigned int scanned = 0;

	list_for_each_entry(w, &inst->standby, standby) {
		if (task_cpu(w->task) == raw_smp_processor_id())
			return w;
		if (!first)
			first = w;
		if (++scanned == STANDBY_SCAN)
			break;
	}
	return first;
}

struct baton_worker *baton_give_locked(struct baton_instance *inst, u32 p)
{
	struct baton_worker *w;

	lockdep_assert_held(&inst->lock);
	w = standby_pick(inst);
	if (w)
		baton_grant_locked(w, p);
	else
		baton_idle_set(inst, p);
	/* One ahead of need. */
	if (list_empty(&inst->standby))
		baton_instance_want(inst);
	return w;
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

	return baton_task_blocked(p) && !baton_task_frozen(p, state) &&
	       !(state & (TASK_RTLOCK_WAIT | __TASK_STOPPED | __TASK_TRACED |
			  TASK_PARKED | TASK_FROZEN | TASK_WAKING));
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

static void count_idled(struct baton_instance *inst, u32 p)
{
	atomic64_inc(&inst->idled);
	inst->recs[p].idled++;
}

/* Under rq->lock. */
static void pass_on(struct baton_instance *inst, u32 p)
{
	struct baton_worker *heir = NULL;

	if (!baton_instance_has_work(inst)) {
		/* Publish, barrier, look again: whoever made work meanwhile
		 * saw it idle, or we see the work. Pairs with wake_one() in
		 * the library's sched.c. */
		baton_idle_set(inst, p);
		if (!baton_instance_has_work(inst) ||
		    !baton_idle_claim_one(inst, p)) {
			count_idled(inst, p);
			return;
		}
	}
	raw_spin_lock(&inst->lock);
	heir = baton_give_locked(inst, p);
	if (heir) {
		inst->handoffs++;
		inst->recs[p].handoffs++;
		/* Under the lock: it cannot be freed before this has run. */
		irq_work_queue(&heir->wake);
	} else {
		inst->starved++;
		count_idled(inst, p);
	}
	raw_spin_unlock(&inst->lock);
}

static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct baton_worker *w = container_of(pn, struct baton_worker, pn);
	struct baton_instance *inst = w->inst;
	bool dead = READ_ONCE(w->task->__state) == TASK_DEAD;
	int p;

	if (!dead) {
		if (!blocked(w->task))
			return;
		/* After exec() the instance is not this program's. */
		if (READ_ONCE(w->task->mm) != inst->mm)
			return;
	}
	if (!READ_ONCE(inst->stopped)) {
		p = take(inst, &inst->slots[w->index]);
		if (p >= 0)
			pass_on(inst, p);
	}
	if (dead)
		baton_worker_dead(w);
}

static void sched_in(struct preempt_notifier *pn, int cpu)
{
}

struct preempt_ops baton_hook_ops = {
	.sched_in	= sched_in,
	.sched_out	= sched_out,
};
