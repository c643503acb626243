// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe.c - the hook is a probe of the tracepoint sched_switch; see hook.h.
 *
 * Every context switch of the machine calls it, so it must be quick to find out
 * that neither thread is a worker: workers are in a table, by their tasks, and
 * most places of that are empty.
 *
 * Lifetimes. The probe is called, and looks, with interrupts off, which is as
 * good as rcu_read_lock(). An entry is freed by RCU, and until del() its task
 * is held, so that no other task can have its address. What the probe finds it
 * uses for one of the threads of this switch; a thread's entry is taken out by
 * itself, which it cannot do while it is being switched, or once it is off its
 * CPU for good. So what is found stays for as long as it is used.
 *
 * Locks. The probe takes none here. `lock` is for those who change the table,
 * threads that sleep if they have to.
 *
 * A dead thread's last switch is one as any other: it needs no probe of
 * sched_process_exit. REJECTED: to ask for the task's mm first, and only then
 * for the task. It would tell others apart by a word or two; but a thread that
 * exits has none, for as long as it closes files, and dies without one: that
 * would need the other probe, and still leave a gap.
 */
#include <linux/hash.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#include "hook.h"
#include "worker.h"

/*
 * 128 KiB on machines of 64 bits. A chain is long where there are many times as
 * many workers as this: 100,000, and the probe looks at 6 entries.
 */
#define TABLE_BITS	14

static struct hlist_head *table __ro_after_init;
static struct tracepoint *sched_switch __ro_after_init;

/* Protects the chains of @table. */
static DEFINE_SPINLOCK(lock);

static struct hlist_head *chain(const struct task_struct *task)
{
	return &table[hash_ptr(task, TABLE_BITS)];
}

static __always_inline struct baton_hook *
find(const struct task_struct *task)
{
	struct baton_hook *hook;

	hlist_for_each_entry_rcu(hook, chain(task), node) {
		if (hook->task == task)
			return hook;
	}
	return NULL;
}

static void switched(void *data, bool preempt, struct task_struct *prev,
		     struct task_struct *next, unsigned int prev_state)
{
	struct baton_hook *hook;

	hook = find(prev);
	if (unlikely(hook))
		baton_worker_out(hook);
	hook = find(next);
	if (unlikely(hook))
		baton_worker_in(hook);
}

/* Tracepoints of the kernel are not exported, but may be asked for. */
static void is_sched_switch(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "sched_switch"))
		*(struct tracepoint **)found = tp;
}

static int __init tracepoint_init(void)
{
	int err;

	/* Compiles if the probe's arguments are what this kernel gives it. */
	check_trace_callback_type_sched_switch(switched);

	for_each_kernel_tracepoint(is_sched_switch, &sched_switch);
	if (!sched_switch)
		return -ENOENT;
	table = kvcalloc(1 << TABLE_BITS, sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	err = tracepoint_probe_register(sched_switch, switched, NULL);
	if (err)
		kvfree(table);
	return err;
}

static void tracepoint_uninit(void)
{
	tracepoint_probe_unregister(sched_switch, switched, NULL);
	/* A switch may be in the probe still, having found nothing. */
	tracepoint_synchronize_unregister();
	kvfree(table);
}

static void tracepoint_add(struct baton_hook *hook)
{
	spin_lock(&lock);
	hlist_add_head_rcu(&hook->node, chain(hook->task));
	spin_unlock(&lock);
}

static void tracepoint_del(struct baton_hook *hook)
{
	spin_lock(&lock);
	hlist_del_rcu(&hook->node);
	spin_unlock(&lock);
}

/* Only current can take out what is found here, or those who bury it. */
static struct baton_hook *tracepoint_mine(void)
{
	struct baton_hook *hook;

	rcu_read_lock();
	hook = find(current);
	rcu_read_unlock();
	return hook;
}

const struct baton_hook_way baton_hook_tracepoint = {
	.name	= "tracepoint",
	.init	= tracepoint_init,
	.uninit	= tracepoint_uninit,
	.add	= tracepoint_add,
	.del	= tracepoint_del,
	.mine	= tracepoint_mine,
};
