/* SPDX-License-Identifier: GPL-2.0-only */
/* account.h - where workers block, how often and for how long. */
#ifndef BATON_ACCOUNT_H
#define BATON_ACCOUNT_H

#include <asm/syscall.h>
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/types.h>
#include <uapi/linux/baton.h>

#include "trace.h"

struct baton_instance;

/**
 * struct baton_block - a worker's block in progress, or its last one
 * @on:    it is in progress
 * @fn:    the foreign function that blocked; 0: fiber code
 * @pc:    where in user space
 * @nr:    in which system call; BATON_SITE_FAULT: in none
 * @guess: what is known about how long such blocks are, see predict.h
 * @site:  where it is accounted
 * @since: when the thread was switched out
 * @delay: how long it had waited for CPUs until then, in its life
 *
 * All of it is the thread's own.
 */
struct baton_block {
	bool			on;
	u64			fn;
	u64			pc;
	int			nr;
	u8			*guess;
	struct baton_site	*site;
	u64			since;
	u64			delay;
};

/* So much of an instance's region, at its end, is for sites of @nprocs. */
u32 baton_account_sites(u32 nprocs);

/* Before anybody blocks; the table is zeroed. */
void baton_account_init(struct baton_instance *inst);

/* Nothing has blocked yet: worker @index of @inst. */
void baton_account_start(struct baton_block *b, struct baton_instance *inst,
			 u32 index);

/* One more of what @counter, in a site, counts. Any context. */
static inline void baton_account_count(__u64 *counter)
{
	atomic64_inc((atomic64_t *)counter);
}

/* It is not where it was last time. */
void baton_account_elsewhere(struct baton_block *b, struct baton_instance *inst,
			     struct baton_slot *slot, u64 fn, u64 pc, int nr);

/* @max is at least @value from now on. */
void baton_account_raise(__u64 *max, u64 value);

/*
 * @p, current, with @slot, whose number is @index, blocks, in the hook:
 * interrupts are off. If the slot says that it is in code that may lose its
 * processor, @b is in progress from then on; otherwise false. In line, as what
 * follows: together they are some forty instructions, and calls would add
 * twenty.
 */
static __always_inline bool
baton_account_out(struct baton_block *b, struct baton_instance *inst,
		  struct baton_slot *slot, u32 index, struct task_struct *p)
{
	u32 state = READ_ONCE(slot->state);
	struct pt_regs *regs = task_pt_regs(p);
	u64 fn = 0, pc = instruction_pointer(regs);
	int nr = syscall_get_nr(p, regs);

	if (state == BATON_FOREIGN)
		fn = READ_ONCE(slot->fn);
	else if (state != BATON_FIBER)
		return false;
	if (unlikely(b->fn != fn || b->pc != pc || b->nr != nr))
		baton_account_elsewhere(b, inst, slot, fn, pc, nr);
	b->since = baton_task_left(p);
	b->delay = baton_task_delay(p);
	b->on = true;
	trace_block(index, b);
	return true;
}

/* @b, of worker @index, is in progress, and over: @p is back, or about to be.
 * Preemption is off. */
static __always_inline void baton_account_in(struct baton_block *b, u32 index,
					     struct task_struct *p)
{
	struct baton_site *s = b->site;
	u64 delay, came = baton_task_came(p, &delay);
	u64 waited = delay - b->delay;
	s64 ns = came - waited - b->since;
	unsigned long bit;

	b->on = false;
	/* CPUs' clocks may differ. */
	if (ns < 0)
		ns = 0;
	atomic64_add(ns, (atomic64_t *)&s->total);
	atomic64_add(waited, (atomic64_t *)&s->waited);
	if (unlikely((u64)ns > READ_ONCE(s->longest)))
		baton_account_raise(&s->longest, ns);
	trace_return(index, p->pid, ns);
	/* Below 1024 ns: 0. See BATON_SITE_HIST. */
	bit = fls64((u64)ns >> 9 | 1) - 1;
	baton_account_count(&s->hist[min(bit, BATON_SITE_HIST - 1UL)]);
}

#endif /* BATON_ACCOUNT_H */
