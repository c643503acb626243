/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* wrapped.h - for tests of what libbaton-wrap.so makes of the C library. */
#ifndef SELFTESTS_LIB_WRAPPED_H
#define SELFTESTS_LIB_WRAPPED_H

#include <sys/socket.h>

#include "common.h"

/* What has to fail at once, or soon, and with this */
#define fails(call, err) do {						\
	errno = 0;							\
	expect_eq(call, -1);						\
	expect_eq(errno, err);						\
} while (0)

static inline void pair(int fd[2], int type)
{
	expect_eq(socketpair(AF_UNIX, type, 0, fd), 0);
}

static inline void close_both(const int fd[2])
{
	expect_eq(close(fd[0]), 0);
	expect_eq(close(fd[1]), 0);
}

#endif /* SELFTESTS_LIB_WRAPPED_H */
