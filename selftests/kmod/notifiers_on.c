// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * notifiers_on.c - run a command while preempt notifiers are switched on
 *
 * usage: notifiers_on COMMAND [ARGUMENT...]
 *
 * The first instance of baton switches preempt notifiers on and the last one
 * off, which patches the kernel's context switch while other CPUs run it.
 * QEMU's emulation on several threads can lose such a change of code: a CPU
 * goes on to execute the breakpoint that was there for an instant, for ever,
 * and with it the machine hangs.  Tests that open and close instances all the
 * time run into that after a minute or so.
 *
 * A virtual machine of KVM uses preempt notifiers as well, so one that does
 * nothing keeps them on, if the emulated CPU has what KVM wants.  They are
 * switched when there is only one CPU.  Where any of this is not to be had the
 * command runs all the same.
 */

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPUS_MAX	64

/* All CPUs but the first */
static void others(bool online)
{
	char path[64];
	int cpu, fd;

	for (cpu = 1; cpu < CPUS_MAX; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, online ? "1" : "0", 1) != 1)
			perror(path);
		close(fd);
	}
}

/* The machine, or -1 */
static int machine_create(void)
{
	int kvm, vm;

	if (access("/dev/kvm", F_OK) &&
	    system("modprobe kvm_amd 2>/dev/null || "
		   "modprobe kvm_intel 2>/dev/null"))
		return -1;
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return -1;
	others(false);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	others(true);
	close(kvm);
	return vm;
}

static void machine_destroy(int vm)
{
	others(false);
	close(vm);
	others(true);
}

int main(int argc, char **argv)
{
	int status, vm;
	pid_t pid;

	if (argc < 2)
		return 1;
	vm = machine_create();
	if (vm < 0)
		printf("# no KVM: an emulated machine may hang\n");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	if (vm >= 0)
		machine_destroy(vm);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
