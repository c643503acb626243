/* SPDX-License-Identifier: GPL-2.0-only */
/* handoff.h - the hook, and who is given a processor. */
#ifndef BATON_HANDOFF_H
#define BATON_HANDOFF_H

#include <linux/preempt.h>
#include <linux/types.h>

struct baton_instance;
struct baton_worker;

/* On the notifier list of every worker; read only by its address. */
extern struct preempt_ops baton_hook_ops;

/* Under inst->lock: @w waits for any processor; it does not any more. */
void baton_standby_add(struct baton_worker *w);
void baton_standby_del(struct baton_worker *w);

/* Under inst->lock: @w, which has none pending, is given @p. */
void baton_grant_locked(struct baton_worker *w, u32 p);

/*
 * Under inst->lock: @p goes to a standby, which is returned and has to be
 * woken before the lock is let go (by irq_work) or with a reference to its
 * task; or, without one, becomes idle: NULL.
 */
struct baton_worker *baton_give_locked(struct baton_instance *inst, u32 p);

#endif /* BATON_HANDOFF_H */
