/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* descs.h - for tests of descriptors that fibers wait for. */
#ifndef SELFTESTS_LIB_DESCS_H
#define SELFTESTS_LIB_DESCS_H

#include <sys/socket.h>

#include "common.h"

static const unsigned int procs[] = { 1, 4 };

#define LOOP(name) \
	tcase_add_loop_test(tc, name, 0, (int)ARRAY_SIZE(procs))

static inline void *run(int i, baton_fn fn, void *arg)
{
	return run_on(procs[i], fn, arg);
}

static inline void pair(int *fds)
{
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static inline void close_pair(const int *fds)
{
	for (int i = 0; i < 2; i++)
		expect_eq(baton_close(fds[i]), 0);
}

/* Until another fiber waits, or has done something. */
static inline void let_run(void)
{
	for (int i = 0; i < 5; i++)
		baton_yield();
	baton_sleep(2 * BATON_MSEC);
}
static inline void *later_write(void *arg)
{
	let_run();
	expect_eq(baton_write(*(int *)arg, "12345678", 8), 8);
	return NULL;
}
struct reading {
	int fd;
	int begun;
	ssize_t got;
	char buf[16];
};

static inline void *reads(void *arg)
{
	struct reading *r = arg;

	store(&r->begun, 1);
	store(&r->got, baton_read(r->fd, r->buf, sizeof(r->buf)));
	return NULL;
}
#endif /* SELFTESTS_LIB_DESCS_H */
