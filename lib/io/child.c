// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * child.c - wait for child processes.
 *
 * A pidfd is readable when its process has ended. Whoever waits for any child,
 * or for one that stops, has none to wait for, and neither has an old kernel:
 * that is a foreign call; with a deadline it is looked for again and again, with
 * growing pauses.
 */
#include <baton/call.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/clock.h"
#include "op.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define PAUSE_MAX (20 * BATON_MSEC)

struct child {
	pid_t pid;
	int *status;
	int options;
	pid_t ret;
};

static void __attribute__((noinline)) wait_call(void *arg)
{
	struct child *c = arg;
	int saved = errno;

	do
		c->ret = (pid_t)op_result(waitpid(c->pid, c->status,
						  c->options), saved);
	while (c->ret == -EINTR && !baton_wait_thread_canceled());
	if (c->ret == -EINTR)
		c->ret = -ECANCELED;
}

static pid_t look(struct child c)
{
	c.options |= WNOHANG;
	wait_call(&c);
	return c.ret;
}

static int __attribute__((noinline)) pidfd(pid_t pid)
{
	int saved = errno;

	return (int)op_result(syscall(SYS_pidfd_open, pid, 0), saved);
}

static pid_t by_call(struct child *c)
{
	if (sched_on_fiber(baton_worker_self()))
		baton_call(wait_call, c);
	else
		wait_call(c);
	return c->ret;
}

static pid_t by_looking(const struct child *c, int64_t deadline)
{
	int64_t pause = BATON_MSEC;

	for (;;) {
		pid_t ret = look(*c);
		int64_t now = now_ns();
		int n;

		if (ret)
			return ret;
		if (now >= deadline)
			return -ETIMEDOUT;
		n = baton_poll(NULL, 0, now + pause < deadline ? now + pause :
								 deadline);
		if (n < 0)
			return n;
		if (pause < PAUSE_MAX)
			pause *= 2;
	}
}

static pid_t by_pidfd(const struct child *c, int fd, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int n = baton_poll(&p, 1, deadline);
		pid_t ret = n < 0 ? n : look(*c);

		if (ret)
			return ret;
		if (!n)
			return -ETIMEDOUT;
	}
}

pid_t baton_waitpid_until(pid_t pid, int *status, int options,
			  int64_t deadline)
{
	struct child c = { pid, status, options, 0 };
	const struct baton_fiber *f = baton_self();
	pid_t ret = look(c);
	int fd;

	if (ret || options & WNOHANG)
		return ret;
	fd = pid > 0 && !(options & (WUNTRACED | WCONTINUED)) ? pidfd(pid) :
								-ENOSYS;
	if (fd >= 0) {
		ret = by_pidfd(&c, fd, deadline);
		baton_close(fd);
		return ret;
	}
	if (deadline != BATON_NEVER || (f && f->deadline != BATON_NEVER))
		return by_looking(&c, deadline);
	return by_call(&c);
}

pid_t baton_waitpid(pid_t pid, int *status, int options)
{
	return baton_waitpid_until(pid, status, options, BATON_NEVER);
}
