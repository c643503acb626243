/* SPDX-License-Identifier: GPL-2.0-only */
/* worker.h - a registered thread, and how long what we know of it lives. */
#ifndef BATON_WORKER_H
#define BATON_WORKER_H

#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "handoff.h"
#include "hook.h"
#include "standby.h"

struct baton_instance;

/**
 * struct baton_worker - a registered thread
 * @hook:    calls us at its context switches
 * @inst:    strong reference; constant
 * @task:    strong reference; constant
 * @index:   its slot; constant
 * @handoff: how its processor is taken
 * @standby: how it is given one
 * @die:     queues @retire; what the hook of a dead thread queues
 * @retire:  frees
 * @rcu:     when it is freed
 */
struct baton_worker {
	struct baton_hook	hook;
	struct baton_instance	*inst;
	struct task_struct	*task;
	u32			index;
	struct baton_handoff	handoff;
	struct baton_standby	standby;
	struct irq_work		die;
	struct work_struct	retire;
	struct rcu_head		rcu;
};

/* current becomes a worker. Its slot, or -errno. */
int baton_worker_register(struct baton_instance *inst);

/* current's worker of @inst, NULL if it is none. Valid while current lives. */
struct baton_worker *baton_worker_current(const struct baton_instance *inst);

/*
 * The worker that current can cease to be: of @inst, which may be NULL, or of
 * an instance that nobody can use any more; otherwise NULL.
 */
struct baton_worker *baton_worker_leaving(const struct baton_instance *inst);

/* @w is current's. It is gone on return. */
void baton_worker_unregister(struct baton_worker *w);

/* The hook, called by its way: see hook.h. */
void baton_worker_out(struct baton_hook *hook);
void baton_worker_in(struct baton_hook *hook);

/* When the module is loaded: how the hook is put on a thread, and off. */
void baton_worker_init(const struct baton_hook_way *way);

#endif /* BATON_WORKER_H */
