// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* cpus.c - the other CPUs, once nothing patches the kernel's code any more */
#include "init.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* See notifiers/notifiers.c */
static void switch_notifiers_on(void)
{
	int fd = open(conf.notifiers, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die(conf.notifiers);
	close(fd);
}

void start_cpus(void)
{
	char path[64];
	int cpu;

	if (conf.notifiers[0])
		switch_notifiers_on();
	for (cpu = 1; cpu < conf.cpus; cpu++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", cpu);
		if (!put_file(path, "1"))
			die(path);
	}
}
