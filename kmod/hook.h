/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook.h - what calls us at a context switch of a worker.
 *
 * The kernel has two ways to be told of one, behind this interface:
 *
 *	notifiers	notifier.c: on a list of the worker's own task. Others
 *			pay nothing; a kernel without KVM has none
 *	tracepoint	probe.c: a probe of sched_switch, which each switch of the
 *			machine calls, and which looks whether it is a worker's
 *
 * A way calls baton_worker_out() when a worker is switched out, also for the
 * last time, under rq->lock, interrupts off, on the worker's CPU; and
 * baton_worker_in() when it is switched in, before it executes anything else of
 * its own that matters here: its system call's end, user code. It can be in the
 * switch itself, so all is as for the other, and current is somebody else; or
 * after it, by the worker, preemption off.
 */
#ifndef BATON_HOOK_H
#define BATON_HOOK_H

#include <linux/list.h>
#include <linux/preempt.h>

struct task_struct;

/**
 * struct baton_hook - on one thread
 * @pn:   notifiers: on the thread's list, which it alone touches
 * @node: tracepoint: in the table
 * @task: the thread; constant. Whoever embeds this holds the reference, until
 *        del() of the way has returned, and frees it by RCU.
 */
struct baton_hook {
	union {
#ifdef BATON_HOOK_NOTIFIERS
		struct preempt_notifier	pn;
#endif
		struct hlist_node	node;
	};
	struct task_struct		*task;
};

/**
 * struct baton_hook_way - one of the ways; all may sleep
 * @name:    of the module's parameter
 * @init:    when the module is loaded; 0, or -errno and nothing is left
 * @uninit:  when it goes; no call of ours is in progress on return
 * @add:     current, which is @hook->task, and has none, is called for
 * @del:     no more. By the thread itself; or by anybody, once it is dead and
 *           off its CPU for good.
 * @mine:    current's, NULL if it has none
 */
struct baton_hook_way {
	const char		*name;
	int			(*init)(void);
	void			(*uninit)(void);
	void			(*add)(struct baton_hook *hook);
	void			(*del)(struct baton_hook *hook);
	struct baton_hook	*(*mine)(void);
};

extern const struct baton_hook_way baton_hook_notifiers;
extern const struct baton_hook_way baton_hook_tracepoint;

/* The way that the parameter `hook` names, or the first that there is. */
int baton_hook_init(void);
void baton_hook_uninit(void);

#endif /* BATON_HOOK_H */
