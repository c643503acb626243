// SPDX-License-Identifier: GPL-2.0-only
/*
 * park.c - waiting for a processor, and giving one.
 *
 * No wake-up is lost between a PARK and a WAKE: both decide under the lock. If
 * the WAKE comes first it finds no standby and sets the idle bit; the PARK
 * finds that bit, and the work it was for, before it sleeps.
 */
#include "park.h"

#include <linux/freezer.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "handoff.h"
#include "instance.h"
#include "worker.h"

/* Under the lock: @w waits from now on, or has been given something already. */
static int park_begin_locked(struct baton_worker *w, u32 flags)
{
	struct baton_instance *inst = w->inst;
	int p;

	if (inst->stopped)
		return -ESHUTDOWN;
	w->parked = true;
	if (w->granted || (flags & BATON_PARK_PINNED))
		return 0;
	p = baton_instance_has_work(inst) ? baton_idle_claim(inst) : -1;
	if (p < 0) {
		baton_standby_add(w);
		return 0;
	}
	baton_grant_locked(w, p);
	/* One ahead of need: there may be more processors in want. */
	if (list_empty(&inst->standby))
		baton_instance_want(inst);
	return 0;
}

static int park_wait(struct baton_worker *w)
{
	struct baton_instance *inst = w->inst;
	bool slept = false;
	int ret;

	for (;;) {
		/* Full barrier, then look: pairs with grant and wake-up. */
		set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		if (READ_ONCE(w->granted) || READ_ONCE(inst->stopped) ||
		    signal_pending(current))
			break;
		slept = true;
		schedule();
	}
	__set_current_state(TASK_RUNNING);

	raw_spin_lock_irq(&inst->lock);
	inst->parks += slept;
	w->parked = false;
	baton_standby_del(w);
	if (w->granted)
		ret = w->granted - 1;
	else
		ret = inst->stopped ? -ESHUTDOWN : -EINTR;
	w->granted = 0;
	raw_spin_unlock_irq(&inst->lock);
	return ret;
}

int baton_park(struct baton_worker *w, u32 flags)
{
	struct baton_instance *inst = w->inst;
	int err;

	raw_spin_lock_irq(&inst->lock);
	err = park_begin_locked(w, flags);
	raw_spin_unlock_irq(&inst->lock);
	return err ? err : park_wait(w);
}

/* Under the lock: the worker of slot @index, with nothing given to it yet. */
static struct baton_worker *target_locked(struct baton_instance *inst,
					  u32 index)
{
	struct baton_worker *w;

	if (inst->stopped)
		return ERR_PTR(-ESHUTDOWN);
	if (index >= inst->max_workers)
		return ERR_PTR(-EINVAL);
	w = inst->workers[array_index_nospec(index, inst->max_workers)];
	if (!w)
		return ERR_PTR(-ESRCH);
	return w->granted ? ERR_PTR(-EBUSY) : w;
}

/* Outside the lock, and with a reference: wake-ups take rq->lock. */
static void wake_and_put(struct task_struct *task)
{
	if (!task)
		return;
	wake_up_process(task);
	put_task_struct(task);
}

int baton_wake(struct baton_instance *inst, u32 p, u32 index)
{
	struct task_struct *task = NULL;
	struct baton_worker *w;
	int ret = 0;

	if (p >= inst->nprocs)
		return -EINVAL;
	raw_spin_lock_irq(&inst->lock);
	if (index != BATON_ANY) {
		w = target_locked(inst, index);
		if (!IS_ERR(w))
			baton_grant_locked(w, p);
	} else if (inst->stopped) {
		w = ERR_PTR(-ESHUTDOWN);
	} else {
		w = baton_give_locked(inst, p);
	}
	if (IS_ERR(w)) {
		ret = PTR_ERR(w);
	} else if (!w) {
		ret = 1;
	} else {
		inst->wakes++;
		if (w->parked)
			task = get_task_struct(w->task);
	}
	raw_spin_unlock_irq(&inst->lock);
	wake_and_put(task);
	return ret;
}

int baton_swap(struct baton_worker *w, u32 p, u32 index, u32 flags)
{
	struct baton_instance *inst = w->inst;
	struct task_struct *task = NULL;
	struct baton_worker *target;
	int err = 0;

	if (p >= inst->nprocs || index == w->index)
		return -EINVAL;
	raw_spin_lock_irq(&inst->lock);
	if (index != BATON_ANY)
		target = target_locked(inst, index);
	else if (inst->stopped)
		target = ERR_PTR(-ESHUTDOWN);
	else	/* grants; without a standby the processor is idle now */
		target = baton_give_locked(inst, p);
	if (IS_ERR(target)) {
		err = PTR_ERR(target);
	} else {
		inst->swaps++;
		if (index != BATON_ANY)
			baton_grant_locked(target, p);
		if (target && target->parked)
			task = get_task_struct(target->task);
		/* Can't fail: stopped was looked at. */
		park_begin_locked(w, flags);
	}
	raw_spin_unlock_irq(&inst->lock);
	wake_and_put(task);
	return err ? err : park_wait(w);
}

void baton_stop(struct baton_instance *inst)
{
	u32 i;

	raw_spin_lock_irq(&inst->lock);
	WRITE_ONCE(inst->stopped, true);
	raw_spin_unlock_irq(&inst->lock);
	/* Who begins a park from here on sees stopped; wake the others. */
	for (i = 0; i < inst->max_workers; i++) {
		struct task_struct *task = NULL;
		struct baton_worker *w;

		raw_spin_lock_irq(&inst->lock);
		w = inst->workers[i];
		if (w && w->parked)
			task = get_task_struct(w->task);
		raw_spin_unlock_irq(&inst->lock);
		wake_and_put(task);
	}
	baton_instance_want(inst);
}
