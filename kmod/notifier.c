// SPDX-License-Identifier: GPL-2.0-only
/* notifier.c - the hook is a preempt notifier of each worker; see hook.h. */
#include <linux/preempt.h>
#include <linux/sched.h>

#include "hook.h"
#include "worker.h"

static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	baton_worker_out(container_of(pn, struct baton_hook, pn));
}

static void sched_in(struct preempt_notifier *pn, int cpu)
{
	baton_worker_in(container_of(pn, struct baton_hook, pn));
}

/* On the notifier list of every worker; that is how ours are known, too. */
static struct preempt_ops notifier_ops __ro_after_init = {
	.sched_in	= sched_in,
	.sched_out	= sched_out,
};

/*
 * Preempt notifiers are off until somebody wants them: a static key, whose
 * change patches code, which interrupts every CPU of the machine. So that is
 * done once, and not each time a user makes an instance. As long as the module
 * is loaded every context switch asks whether a list is empty: two calls.
 */
static int __init notifiers_init(void)
{
	preempt_notifier_inc();
	return 0;
}

/* No worker is left, and so no notifier: nothing can be in progress. */
static void notifiers_uninit(void)
{
	preempt_notifier_dec();
}

static void notifiers_add(struct baton_hook *hook)
{
	preempt_notifier_init(&hook->pn, &notifier_ops);
	preempt_disable();
	preempt_notifier_register(&hook->pn);
	preempt_enable();
}

/* The list of a thread that is dead is gone with it. */
static void notifiers_del(struct baton_hook *hook)
{
	if (hook->task != current)
		return;
	preempt_disable();
	preempt_notifier_unregister(&hook->pn);
	preempt_enable();
}

/* The notifier that is ours, if any: current alone changes this list. */
static struct baton_hook *notifiers_mine(void)
{
	struct baton_hook *hook = NULL;
	struct preempt_notifier *pn;

	preempt_disable();
	hlist_for_each_entry(pn, &current->preempt_notifiers, link) {
		if (pn->ops == &notifier_ops) {
			hook = container_of(pn, struct baton_hook, pn);
			break;
		}
	}
	preempt_enable();
	return hook;
}

const struct baton_hook_way baton_hook_notifiers = {
	.name	= "notifiers",
	.init	= notifiers_init,
	.uninit	= notifiers_uninit,
	.add	= notifiers_add,
	.del	= notifiers_del,
	.mine	= notifiers_mine,
};
