/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* refuse.h - system calls that the kernel is to refuse from now on. */
#ifndef SELFTESTS_LIB_REFUSE_H
#define SELFTESTS_LIB_REFUSE_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common.h"

/* Where the lower half of a call's third argument is. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define REFUSE_ARG	(offsetof(struct seccomp_data, args[2]) + 4)
#else
#define REFUSE_ARG	offsetof(struct seccomp_data, args[2])
#endif

/*
 * System call @nr fails with @err, for all threads; if @arg is not 0, only with
 * that as third argument. False: it cannot be made to.
 */
static inline bool refuse(long nr, uint32_t arg, int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, REFUSE_ARG),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arg, 0, !!arg),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return false;
	return !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_TSYNC, &prog);
}

#endif /* SELFTESTS_LIB_REFUSE_H */
