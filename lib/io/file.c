// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* file.c - regular files, by foreign calls. */
#include "file.h"

#include <baton/call.h>
#include <errno.h>

#include "../core/wait.h"

struct rw {
	int fd;
	bool write;
	const struct iovec *iov;
	int n;
	int64_t off;
	ssize_t ret;
};

static void rw(struct rw *a)
{
	if (a->off < 0)
		a->ret = a->write ? writev(a->fd, a->iov, a->n) :
				    readv(a->fd, a->iov, a->n);
	else
		a->ret = a->write ? pwritev(a->fd, a->iov, a->n, (off_t)a->off) :
				    preadv(a->fd, a->iov, a->n, (off_t)a->off);
	if (a->ret < 0)
		a->ret = -errno;
}

static void rw_all(void *arg)
{
	struct rw *a = arg;

	do
		rw(a);
	while (a->ret == -EINTR && !baton_wait_thread_canceled());
	if (a->ret == -EINTR)
		a->ret = -ECANCELED;
}

static void __attribute__((noinline)) rw_thread(struct rw *a)
{
	int saved = errno;

	rw_all(a);
	errno = saved;
}

ssize_t baton_file_rw(int fd, bool write, const struct iovec *iov, int n,
		      int64_t off, int64_t deadline)
{
	struct rw a = { fd, write, iov, n, off, 0 };

	(void)deadline;
	if (sched_on_fiber(baton_worker_self()))
		baton_call(rw_all, &a);
	else
		rw_thread(&a);
	return a.ret;
}
