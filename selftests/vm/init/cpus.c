// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cpus.c - bring the other CPUs up, with preempt notifiers switched on first
 *
 * The first instance of baton switches preempt notifiers on and the last one
 * off, which patches the kernel's context switch while other CPUs run it.
 * QEMU's emulation on several threads can lose such a change of code: a CPU
 * goes on to execute the breakpoint that was there for an instant, and the
 * kernel dies of it.  (Debian 12's QEMU, 7.2: it may translate code while
 * another CPU is writing it.)
 *
 * A virtual machine of KVM uses preempt notifiers as well, so one that does
 * nothing keeps them on, if the emulated CPU has what KVM wants.
 */
#include "init.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool have_kvm(void)
{
	static const char command[] =
		"exec >/dev/null 2>&1; modprobe kvm_amd || modprobe kvm_intel";

	return !access("/dev/kvm", F_OK) ||
		(!system(command) && !access("/dev/kvm", F_OK));
}

/* Never closed: it lasts as long as the machine */
static void switch_notifiers_on(void)
{
	int kvm;

	if (!have_kvm())
		return;
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	/* Without it tests run all the same, and can die of the above */
	if (kvm < 0 || fcntl(ioctl(kvm, KVM_CREATE_VM, 0), F_SETFD,
			     FD_CLOEXEC))
		dprintf(console, "init: preempt notifiers will be switched\n");
	if (kvm >= 0)
		close(kvm);
}

void start_cpus(void)
{
	char path[64];
	int cpu;

	if (conf.emulated && conf.ko[0])
		switch_notifiers_on();
	for (cpu = 1; cpu < conf.cpus; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		if (!put_file(path, "1"))
			die(path);
	}
}
