/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* syscalls.h - the names of this machine's system calls, for people. */
#ifndef BATON_CORE_SYSCALLS_H
#define BATON_CORE_SYSCALLS_H

/* Of number @nr; NULL: the C library knew none when this was built. */
const char *baton_syscall_name(int nr);

#endif /* BATON_CORE_SYSCALLS_H */
