// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * syscalls.c - the names of system calls. The Makefile makes the table; who
 * compiles these sources by other means has numbers instead.
 */
#include "syscalls.h"

#include <stddef.h>
#include <sys/syscall.h>

static const struct {
	int nr;
	const char *name;
} syscalls[] = {
#if __has_include("lib/core/syscall_names.h")
#include "lib/core/syscall_names.h"
#endif
	{ -1, NULL },
};

const char *baton_syscall_name(int nr)
{
	for (size_t i = 0; i < sizeof(syscalls) / sizeof(*syscalls); i++)
		if (syscalls[i].nr == nr)
			return syscalls[i].name;
	return NULL;
}
