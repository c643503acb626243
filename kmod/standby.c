// SPDX-License-Identifier: GPL-2.0-only
/*
 * standby.c - who may be given a processor.
 *
 * A processor is given in two steps: under inst->lock it is written into the
 * heir's `granted`, and then the heir is woken. The lock decides who gets it,
 * so that no processor is given twice and nobody is given two.
 */
#include "standby.h"

#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "instance.h"
#include "trace.h"

/* What a hand-off costs at least, and what is made of it at most. */
#define DELAY_MIN_NS	((u64)3 * NSEC_PER_USEC)
#define DELAY_MAX_NS	((u64)100 * NSEC_PER_USEC)

/* How far to look for a standby that ran last on this CPU. */
#define STANDBY_SCAN	8

static void wake_irq(struct irq_work *work)
{
	struct baton_standby *s = container_of(work, struct baton_standby, wake);

	/*
	 * Without the lock: a worker that has left the wait by itself has seen
	 * its grant, for it looked under the lock, and the grant came before
	 * this was queued. One that has begun another wait is woken for
	 * nothing, and looks once more.
	 */
	if (READ_ONCE(s->parked))
		wake_up_process(s->task);
}

void baton_standby_init(struct baton_standby *s, struct baton_instance *inst)
{
	s->inst = inst;
	s->task = current;
	INIT_LIST_HEAD(&s->list);
	s->wake = IRQ_WORK_INIT_HARD(wake_irq);
}

void baton_standby_uninit(struct baton_standby *s)
{
	irq_work_sync(&s->wake);
}

void baton_standby_add_locked(struct baton_standby *s)
{
	struct baton_instance *inst = s->inst;

	lockdep_assert_held(&inst->lock);
	list_add(&s->list, &inst->standbys);
	WRITE_ONCE(inst->hdr->nstandby, ++inst->nstandby);
}

void baton_standby_del_locked(struct baton_standby *s)
{
	struct baton_instance *inst = s->inst;

	lockdep_assert_held(&inst->lock);
	if (list_empty(&s->list))
		return;
	list_del_init(&s->list);
	WRITE_ONCE(inst->hdr->nstandby, --inst->nstandby);
}

void baton_standby_grant_locked(struct baton_standby *s, u32 p)
{
	lockdep_assert_held(&s->inst->lock);
	baton_standby_del_locked(s);
	/*
	 * Before the wake-up, which is a full barrier. Pairs with
	 * set_current_state() in park_wait() of park.c: either that sees the
	 * grant, or the wake-up finds it asleep.
	 */
	WRITE_ONCE(s->granted, p + 1);
	trace_grant(p, s->task->pid);
}

/*
 * The last to park has the warmest cache. One that ran on this CPU is better
 * still: the CPU is about to be free, and waking another costs an interrupt.
 */
static struct baton_standby *pick_locked(struct baton_instance *inst)
{
	struct baton_standby *s, *first = NULL;
	unsigned int scanned = 0;

	lockdep_assert_held(&inst->lock);
	list_for_each_entry(s, &inst->standbys, list) {
		if (task_cpu(s->task) == raw_smp_processor_id())
			return s;
		if (!first)
			first = s;
		if (++scanned == STANDBY_SCAN)
			break;
	}
	return first;
}

struct baton_standby *baton_standby_give_locked(struct baton_instance *inst,
						u32 p)
{
	struct baton_standby *s;

	lockdep_assert_held(&inst->lock);
	s = pick_locked(inst);
	if (s)
		baton_standby_grant_locked(s, p);
	else
		baton_idle_set(inst, p);
	/* One ahead of need. */
	if (list_empty(&inst->standbys))
		baton_instance_want(inst);
	return s;
}

void baton_standby_wake_locked(struct baton_standby *s)
{
	lockdep_assert_held(&s->inst->lock);
	s->given = ktime_get_mono_fast_ns();
	irq_work_queue(&s->wake);
}

/*
 * The thread that blocked comes back later, finds its processor gone, queues
 * its fiber and parks: half as much again, or so. A standby that is slow to run,
 * since others have its CPU, is no measure: hence the bounds, and steps up that
 * are smaller than those down.
 */
void baton_standby_ran_locked(struct baton_standby *s)
{
	struct baton_instance *inst = s->inst;
	u64 cost, delay;

	lockdep_assert_held(&inst->lock);
	if (!s->given)
		return;
	cost = ktime_get_mono_fast_ns() - s->given;
	s->given = 0;
	cost = clamp(cost + cost / 2, DELAY_MIN_NS, DELAY_MAX_NS);
	delay = inst->delay;
	if (cost < delay)
		delay -= (delay - cost) / 2;
	else
		delay += (cost - delay) / 16;
	WRITE_ONCE(inst->delay, delay);
}
