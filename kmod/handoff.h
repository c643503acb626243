/* SPDX-License-Identifier: GPL-2.0-only */
/* handoff.h - a worker leaves its CPU: does its processor go to another? */
#ifndef BATON_HANDOFF_H
#define BATON_HANDOFF_H

#include <linux/types.h>

struct baton_instance;
struct task_struct;

/*
 * @p, the worker of slot @index, is being switched out, for good if @dead: if
 * it does so because it blocks, take its processor and pass it on. Under
 * rq->lock, interrupts off, on @p's CPU.
 */
void baton_handoff(struct baton_instance *inst, struct task_struct *p,
		   u32 index, bool dead);

#endif /* BATON_HANDOFF_H */
