// SPDX-License-Identifier: GPL-2.0-only
/*
 * worker.c - a registered thread.
 *
 * Two ways out. UNREGISTER: the thread takes its hook off and frees at once.
 * Death: the hook of a thread's last context switch finds it TASK_DEAD; nobody
 * unregisters for it and the hook is still in use, so an interrupt queues a
 * work item, which waits until the thread is off its CPU for good, and frees.
 *
 * Each worker holds the module, for the hook is code of ours that can run
 * after the file is closed; the reference goes back in the work item, and
 * module exit drains those.
 */
#include "worker.h"

#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "instance.h"
#include "limit.h"
#include "standby.h"

/* How the kernel calls us. */
static const struct baton_hook_way *hooks __ro_after_init;

/*
 * By RCU, for the irq_works in it. irq_work_sync() returns once a work is no
 * longer BUSY, and the kernel's irq_work_single() clears that flag before it
 * looks at the work a last time: at its flags on PREEMPT_RT, at its waiters
 * where irq_works have no interrupt of their own. Interrupts are off there, which is
 * as good as rcu_read_lock(), so a grace period puts the free behind it. The
 * way of the hook may need one, too: see probe.c.
 *
 * Our own functions have returned when irq_work_sync() does, and what is left
 * to run is the kernel's: irq_work_single(), and kfree_rcu(), which calls
 * nothing of ours. So the module may go before the grace period is over, and
 * its exit needs no rcu_barrier().
 */
static void worker_free(struct baton_worker *w)
{
	baton_handoff_uninit(&w->handoff);
	baton_standby_uninit(&w->standby);
	put_task_struct(w->task);
	baton_instance_put(w->inst);
	kfree_rcu(w, rcu);
	module_put(THIS_MODULE);
}

static void retire_work(struct work_struct *work)
{
	struct baton_worker *w = container_of(work, struct baton_worker,
					      retire);

	/* The thread is in its last context switch, perhaps in its hook. */
	baton_task_wait_off_cpu(w->task);
	irq_work_sync(&w->die);
	hooks->del(&w->hook);
	worker_free(w);
}

static void die_irq(struct irq_work *work)
{
	struct baton_worker *w = container_of(work, struct baton_worker, die);

	queue_work(baton_wq, &w->retire);
}

/*
 * A free slot for @w. Slots are used in turn, the one that has been free for
 * longest first: a WAKE that names a worker which has just gone is told so, and
 * does not find another one in its place. All are in a ring, the free ones from
 * free_first on, so that it takes the same few steps however many there are:
 * interrupts are off, and others wait for the lock under rq->lock.
 */
static int slot_get_locked(struct baton_instance *inst, struct baton_worker *w)
{
	u32 n = inst->max_workers;

	lockdep_assert_held(&inst->lock);
	if (inst->stopped)
		return -ESHUTDOWN;
	if (inst->nworkers == n)
		return -EAGAIN;
	w->index = inst->free[inst->free_first];
	inst->free_first = (inst->free_first + 1) % n;
	WRITE_ONCE(inst->workers[w->index], w);
	WRITE_ONCE(inst->hdr->nworkers, ++inst->nworkers);
	return w->index;
}

/* @w is out of every list; what it was given goes to another, who is woken. */
static void slot_put_locked(struct baton_worker *w)
{
	struct baton_standby *s = &w->standby, *heir;
	struct baton_instance *inst = w->inst;
	u32 free_end;

	lockdep_assert_held(&inst->lock);
	baton_standby_del_locked(s);
	WRITE_ONCE(inst->workers[w->index], NULL);
	/* Behind the last of those that are free: max_workers - nworkers. */
	free_end = inst->free_first + inst->max_workers - inst->nworkers;
	inst->free[free_end % inst->max_workers] = w->index;
	WRITE_ONCE(inst->hdr->nworkers, --inst->nworkers);
	WRITE_ONCE(inst->slots[w->index].state, BATON_DEAD);
	if (!s->granted)
		return;
	heir = baton_standby_give_locked(inst, s->granted - 1);
	s->granted = 0;
	if (heir)
		baton_standby_wake_locked(heir);
}

/* --- the hook ------------------------------------------------------------ */

/* Its thread is in its last context switch, and the hook in its last call. */
static void worker_dead(struct baton_worker *w)
{
	struct baton_instance *inst = w->inst;

	lockdep_assert_irqs_disabled();
	raw_spin_lock(&inst->lock);
	slot_put_locked(w);
	raw_spin_unlock(&inst->lock);
	irq_work_queue(&w->die);
}

void baton_worker_out(struct baton_hook *hook)
{
	struct baton_worker *w = container_of(hook, struct baton_worker, hook);
	bool dead = READ_ONCE(w->task->__state) == TASK_DEAD;

	lockdep_assert_irqs_disabled();
	baton_handoff_out(&w->handoff, dead);
	if (dead)
		worker_dead(w);
}

void baton_worker_in(struct baton_hook *hook)
{
	struct baton_worker *w = container_of(hook, struct baton_worker, hook);

	baton_handoff_in(&w->handoff);
}

/* --- a thread comes and goes --------------------------------------------- */

static struct baton_worker *current_worker(void)
{
	struct baton_hook *hook = hooks->mine();

	return hook ? container_of(hook, struct baton_worker, hook) : NULL;
}

struct baton_worker *baton_worker_current(const struct baton_instance *inst)
{
	struct baton_worker *w = current_worker();

	return w && w->inst == inst ? w : NULL;
}

/*
 * Is @w, which is current's, a worker of nothing that can be used any more: of
 * a file that is closed, or of the program before an exec()? `closed` without a
 * lock: who closes the file in one thread while another registers may find that
 * one a little early, and -EBUSY, as if it had come first.
 */
static bool stale(const struct baton_worker *w)
{
	return READ_ONCE(w->inst->closed) || w->inst->mm != current->mm;
}

struct baton_worker *baton_worker_leaving(const struct baton_instance *inst)
{
	struct baton_worker *w = current_worker();

	return w && (w->inst == inst || stale(w)) ? w : NULL;
}

static void slot_reset(struct baton_instance *inst, u32 i)
{
	struct baton_slot *slot = &inst->slots[i];

	memset(slot, 0, sizeof(*slot));
	slot->tid = task_pid_vnr(current);
}

int baton_worker_register(struct baton_instance *inst)
{
	struct baton_worker *w = current_worker();
	int slot;

	if (w && !stale(w))
		return -EBUSY;
	if (w)
		baton_worker_unregister(w);
	w = kzalloc(sizeof(*w), BATON_GFP);
	if (!w)
		return -ENOMEM;
	baton_handoff_init(&w->handoff, inst);
	baton_standby_init(&w->standby, inst);
	INIT_WORK(&w->retire, retire_work);
	w->die = IRQ_WORK_INIT_HARD(die_irq);
	w->inst = inst;
	w->task = current;

	raw_spin_lock_irq(&inst->lock);
	slot = slot_get_locked(inst, w);
	raw_spin_unlock_irq(&inst->lock);
	if (slot < 0) {
		kfree(w);
		return slot;
	}
	slot_reset(inst, slot);
	w->handoff.index = slot;
	baton_account_start(&w->handoff.block, inst, slot);

	/* Can't fail: the file that the caller holds open holds the module. */
	__module_get(THIS_MODULE);
	baton_instance_get(inst);
	get_task_struct(current);
	w->hook.task = current;
	hooks->add(&w->hook);
	return slot;
}

void baton_worker_unregister(struct baton_worker *w)
{
	struct baton_instance *inst = w->inst;

	hooks->del(&w->hook);

	raw_spin_lock_irq(&inst->lock);
	slot_put_locked(w);
	raw_spin_unlock_irq(&inst->lock);
	worker_free(w);
}

/* --- load ---------------------------------------------------------------- */

void __init baton_worker_init(const struct baton_hook_way *way)
{
	hooks = way;
}
