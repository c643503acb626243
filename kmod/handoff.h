/* SPDX-License-Identifier: GPL-2.0-only */
/* handoff.h - a worker leaves its CPU: does its processor go to another? */
#ifndef BATON_HANDOFF_H
#define BATON_HANDOFF_H

#include <linux/hrtimer.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "account.h"

struct baton_instance;
struct task_struct;

/**
 * struct baton_handoff - the hand-off of one worker's processor, which may have
 *                        to wait until its block has lasted for a while
 * @inst:  whose; constant. Whoever embeds this holds the reference.
 * @task:  the thread; constant. Whoever embeds this holds the reference.
 * @index: its slot; constant
 * @lock:  protects @due, @look, @armed. Between rq->lock and inst->lock.
 * @timer: pinned to the CPU that the worker blocked on when it was started
 * @due:   when the block in progress has lasted long enough; 0: none waits
 * @armed: @timer is started, or is about to start itself again. It is left so
 *         from block to block: a storm of short ones does not start it for each.
 * @look:  it is to be learnt from, and has not been yet
 * @late:  the block in progress was begun with @due set; the thread's own
 * @block: where it is; the thread's own, and the timer's while it is @due
 */
struct baton_handoff {
	struct baton_instance	*inst;
	struct task_struct	*task;
	u32			index;
	raw_spinlock_t		lock;
	struct hrtimer		timer;
	u64			due;
	bool			look;
	bool			armed;
	bool			late;
	struct baton_block	block;
};

void baton_handoff_init(struct baton_handoff *h, struct baton_instance *inst);

/* Nothing calls the others any more. May sleep. */
void baton_handoff_uninit(struct baton_handoff *h);

/*
 * The thread is being switched out, for good if @dead: if it does so because it
 * blocks, take its processor and pass it on, now or, if it still blocks then, a
 * little later. Under rq->lock, interrupts off, on the thread's CPU.
 */
void baton_handoff_out(struct baton_handoff *h, bool dead);

/*
 * It is back. Before it returns to user mode, by the thread, preemption off, or
 * in the switch to it, under rq->lock, interrupts off: a processor that was
 * taken was so before this returns, if it was not given back here.
 */
void baton_handoff_in(struct baton_handoff *h);

#endif /* BATON_HANDOFF_H */
