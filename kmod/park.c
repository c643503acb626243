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

#include "instance.h"
#include "standby.h"
#include "worker.h"

/* @s waits from now on, or has been given something already. */
static int begin_locked(struct baton_standby *s, u32 flags)
{
	struct baton_instance *inst = s->inst;
	int p;

	lockdep_assert_held(&inst->lock);
	if (inst->stopped)
		return -ESHUTDOWN;
	s->parked = true;
	if (s->granted || (flags & BATON_PARK_PINNED))
		return 0;
	p = baton_instance_has_work(inst) ? baton_idle_claim_any(inst) : -1;
	if (p < 0) {
		baton_standby_add_locked(s);
		return 0;
	}
	baton_standby_grant_locked(s, p);
	/* One ahead of need: there may be more processors in want. */
	if (list_empty(&inst->standbys))
		baton_instance_want(inst);
	return 0;
}

static int park_wait(struct baton_standby *s)
{
	struct baton_instance *inst = s->inst;
	bool slept = false;
	int ret;

	for (;;) {
		/*
		 * Full barrier, then look. Pairs with the wake-up after
		 * baton_standby_grant_locked() and after baton_instance_stop().
		 */
		set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
		if (READ_ONCE(s->granted) || READ_ONCE(inst->stopped) ||
		    signal_pending(current))
			break;
		slept = true;
		schedule();
	}
	__set_current_state(TASK_RUNNING);

	raw_spin_lock_irq(&inst->lock);
	inst->parks += slept;
	s->parked = false;
	baton_standby_ran_locked(s);
	baton_standby_del_locked(s);
	if (s->granted)
		ret = s->granted - 1;
	else
		ret = inst->stopped ? -ESHUTDOWN : -EINTR;
	s->granted = 0;
	raw_spin_unlock_irq(&inst->lock);
	return ret;
}

int baton_worker_park(struct baton_worker *w, u32 flags)
{
	struct baton_instance *inst = w->inst;
	int err;

	raw_spin_lock_irq(&inst->lock);
	err = begin_locked(&w->standby, flags);
	raw_spin_unlock_irq(&inst->lock);
	return err ? err : park_wait(&w->standby);
}

/*
 * The worker of slot @index, which has been given nothing yet; with
 * BATON_WAKE_STANDBY in @flags, only if it is a standby.
 */
static struct baton_standby *named_locked(struct baton_instance *inst,
					  u32 index, u32 flags)
{
	struct baton_worker *w;

	lockdep_assert_held(&inst->lock);
	if (index >= inst->max_workers)
		return ERR_PTR(-EINVAL);
	w = inst->workers[array_index_nospec(index, inst->max_workers)];
	if (!w)
		return ERR_PTR(-ESRCH);
	if (w->standby.granted ||
	    (flags & BATON_WAKE_STANDBY && list_empty(&w->standby.list)))
		return ERR_PTR(-EBUSY);
	return &w->standby;
}

/*
 * Give @p to the worker of slot @index, or to any. Who was given it, and must
 * be woken; NULL, if there was no standby and @p is idle now; or an ERR_PTR.
 */
static struct baton_standby *give_locked(struct baton_instance *inst, u32 p,
					 u32 index, u32 flags)
{
	struct baton_standby *s;

	lockdep_assert_held(&inst->lock);
	if (inst->stopped)
		return ERR_PTR(-ESHUTDOWN);
	if (index == BATON_ANY)
		return baton_standby_give_locked(inst, p);
	s = named_locked(inst, index, flags);
	if (!IS_ERR(s))
		baton_standby_grant_locked(s, p);
	return s;
}

/* The thread of @s if it sleeps, with a reference, for wake_and_put(). */
static struct task_struct *sleeper_locked(const struct baton_standby *s)
{
	lockdep_assert_held(&s->inst->lock);
	return s->parked ? get_task_struct(s->task) : NULL;
}

/* Outside the lock, and with a reference: wake-ups take rq->lock. */
static void wake_and_put(struct task_struct *task)
{
	if (!task)
		return;
	wake_up_process(task);
	put_task_struct(task);
}

int baton_instance_wake(struct baton_instance *inst, u32 p, u32 index,
			u32 flags)
{
	struct task_struct *task = NULL;
	struct baton_standby *s;
	int ret = 0;

	if (p >= inst->nprocs)
		return -EINVAL;
	raw_spin_lock_irq(&inst->lock);
	s = give_locked(inst, p, index, flags);
	if (IS_ERR(s)) {
		ret = PTR_ERR(s);
	} else if (!s) {
		ret = 1;
	} else {
		inst->wakes++;
		task = sleeper_locked(s);
	}
	raw_spin_unlock_irq(&inst->lock);
	wake_and_put(task);
	return ret;
}

int baton_worker_swap(struct baton_worker *w, u32 p, u32 index, u32 flags)
{
	struct baton_instance *inst = w->inst;
	struct task_struct *task = NULL;
	struct baton_standby *s;
	int err = 0;

	if (p >= inst->nprocs || index == w->index)
		return -EINVAL;
	raw_spin_lock_irq(&inst->lock);
	s = give_locked(inst, p, index, 0);
	if (IS_ERR(s)) {
		err = PTR_ERR(s);
	} else {
		inst->swaps++;
		if (s)
			task = sleeper_locked(s);
		/* It cannot fail: give_locked() has looked at `stopped`. */
		begin_locked(&w->standby, flags);
	}
	raw_spin_unlock_irq(&inst->lock);
	wake_and_put(task);
	if (err)
		return err;
	/*
	 * The other may be to run before us: go while runnable. What it gives us
	 * meanwhile is then found without a sleep and a wake-up.
	 */
	cond_resched();
	return park_wait(&w->standby);
}

void baton_instance_stop(struct baton_instance *inst)
{
	u32 i;

	raw_spin_lock_irq(&inst->lock);
	WRITE_ONCE(inst->stopped, true);
	raw_spin_unlock_irq(&inst->lock);
	/*
	 * A worker that begins a park from here on sees `stopped`; wake the
	 * others. An entry is looked at without the lock first: whoever was
	 * there, and parked, when `stopped` was set did that under the lock
	 * before us, so it cannot be missed.
	 */
	for (i = 0; i < inst->max_workers; i++) {
		struct task_struct *task = NULL;
		struct baton_worker *w;

		cond_resched();
		if (!READ_ONCE(inst->workers[i]))
			continue;
		raw_spin_lock_irq(&inst->lock);
		w = inst->workers[i];
		if (w)
			task = sleeper_locked(&w->standby);
		raw_spin_unlock_irq(&inst->lock);
		wake_and_put(task);
	}
	baton_instance_want(inst);
}
