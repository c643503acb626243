// SPDX-License-Identifier: GPL-2.0-only
/*
 * notifiers.c - a module that switches preempt notifiers on, for good
 *
 * baton.ko switches them on when it is loaded and off when it is removed, which
 * patches the kernel's context switch while other CPUs run it. QEMU's emulation
 * on several threads can lose such a change of code: a CPU goes on to execute
 * the breakpoint that was there for an instant, and the kernel hangs or dies.
 * (Debian 12's QEMU, 7.2: it may translate code while another CPU writes it.)
 * So a machine that is emulated loads this before its second CPU comes up.
 */
#include <linux/module.h>
#include <linux/preempt.h>

static int __init notifiers_init(void)
{
	preempt_notifier_inc();
	return 0;
}
module_init(notifiers_init);

/* No exit function: it stays. */

MODULE_DESCRIPTION("Preempt notifiers switched on, for emulated machines");
MODULE_LICENSE("GPL");
