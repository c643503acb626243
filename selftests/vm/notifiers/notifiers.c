// SPDX-License-Identifier: GPL-2.0-only
/*
 * notifiers.c - a module that switches on what baton.ko hooks into, for good
 *
 * baton.ko switches preempt notifiers, or the tracepoint sched_switch, on when
 * it is loaded and off when it is removed, which patches the kernel's context
 * switch while other CPUs run it. QEMU's emulation on several threads can lose
 * such a change of code: a CPU goes on to execute the breakpoint that was there
 * for an instant, and the kernel hangs or dies. (Debian 12's QEMU, 7.2: it may
 * translate code while another CPU writes it.) So a machine that is emulated
 * loads this before its second CPU comes up. The freezer, which the tests start
 * again and again, has a switch of the same kind.
 */
#include <linux/freezer.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

static void switched(void *data, bool preempt, struct task_struct *prev,
		     struct task_struct *next, unsigned int prev_state)
{
}

static void is_sched_switch(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "sched_switch"))
		*(struct tracepoint **)found = tp;
}

/*
 * Two probes: how a tracepoint calls its only one is patched in, too, and a
 * third changes nothing.
 */
static int tracepoint_on(void)
{
	static int numbers[2];
	struct tracepoint *tp = NULL;
	size_t i;
	int err;

	for_each_kernel_tracepoint(is_sched_switch, &tp);
	if (!tp)
		return -ENOENT;
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		err = tracepoint_probe_register(tp, switched, &numbers[i]);
		if (err)
			return err;
	}
	return 0;
}

static int __init notifiers_init(void)
{
	/* Not all kernels have them */
#ifdef CONFIG_PREEMPT_NOTIFIERS
	preempt_notifier_inc();
#endif
#ifdef CONFIG_FREEZER
	static_branch_inc(&freezer_active);
#endif
	return tracepoint_on();
}
module_init(notifiers_init);

/* No exit function: it stays. */

MODULE_DESCRIPTION("What baton.ko hooks into, on for emulated machines");
MODULE_LICENSE("GPL");
