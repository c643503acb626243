/* SPDX-License-Identifier: GPL-2.0-only */
/* standby.h - who may be given a processor, and how he is. */
#ifndef BATON_STANDBY_H
#define BATON_STANDBY_H

#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/types.h>

struct baton_instance;

/**
 * struct baton_standby - a worker, as one who may be given a processor
 * @inst:    whose; constant. Whoever embeds this holds the reference.
 * @task:    the thread; constant. Whoever embeds this holds the reference.
 * @list:    on inst->standbys while any processor may be given to it,
 *           otherwise empty; under inst->lock
 * @granted: the number of the processor it was given plus one, or 0; under
 *           inst->lock, but its own wait reads it without
 * @parked:  it waits in PARK or SWAP; under inst->lock, but wake_irq() reads it
 *           without
 * @given:   when the hook gave it a processor; 0: it did not; under inst->lock
 * @wake:    wakes @task; queued by whoever may not do that himself
 */
struct baton_standby {
	struct baton_instance	*inst;
	struct task_struct	*task;
	struct list_head	list;
	u32			granted;
	bool			parked;
	u64			given;
	struct irq_work		wake;
};

/* current, for @inst. Nobody can give it anything before it is published. */
void baton_standby_init(struct baton_standby *s, struct baton_instance *inst);

/*
 * Nobody finds @s any more: wait until a wake-up that is on its way has run.
 * The interrupt may touch @s a little longer: it is to be freed by RCU.
 */
void baton_standby_uninit(struct baton_standby *s);

/* @s waits for any processor; it does not any more, if it did. */
void baton_standby_add_locked(struct baton_standby *s);
void baton_standby_del_locked(struct baton_standby *s);

/* @s, which has none pending, is given processor @p. It must then be woken. */
void baton_standby_grant_locked(struct baton_standby *s, u32 p);

/*
 * Processor @p goes to a standby, which is returned and must then be woken; or,
 * if there is none, becomes idle: NULL.
 */
struct baton_standby *baton_standby_give_locked(struct baton_instance *inst,
						u32 p);

/*
 * Wake @s from where a wake-up is not allowed: under rq->lock, or under
 * inst->lock. The latter is needed: it keeps @s from being freed before this
 * has been queued, and whoever frees @s waits for what is queued.
 */
void baton_standby_wake_locked(struct baton_standby *s);

/*
 * @s runs again. If the hook had woken it, how long that took tells what a
 * hand-off costs on this machine.
 */
void baton_standby_ran_locked(struct baton_standby *s);

#endif /* BATON_STANDBY_H */
