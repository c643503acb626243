// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* syscalls.c - the names of system calls; the Makefile makes the table. */
#include "syscalls.h"

#include <stddef.h>
#include <sys/syscall.h>

static const struct {
	int nr;
	const char *name;
} syscalls[] = {
#include "lib/core/syscall_names.h"
};

const char *baton_syscall_name(int nr)
{
	for (size_t i = 0; i < sizeof(syscalls) / sizeof(*syscalls); i++)
		if (syscalls[i].nr == nr)
			return syscalls[i].name;
	return NULL;
}
