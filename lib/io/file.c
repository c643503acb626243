// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * file.c - requests to files: what can be had at once, what the ring is asked
 *          for, and what a thread has to wait for.
 *
 * A request is one description (struct ring_req), which is either given to the
 * ring or carried out here as a system call: in a foreign call of the fiber, or
 * on the thread of whoever is in no fiber.
 *
 * Data is tried first with RWF_NOWAIT, on the worker: what is in the page cache
 * costs one system call. That would wait for the disk if the file was opened
 * with O_DIRECT, and so is not tried there.
 *
 * Names (open, stat, rename and the like) the kernel carries out in threads of
 * its own, if the ring has them, of which there are few: a foreign call does
 * the same in a fraction of the time. Only if there is a deadline the ring has
 * them, since that can end them there.
 *
 * What moves the position of a file goes by a foreign call if it has to wait:
 * the ring does not lock the position, so that two who write there at the same
 * time, to standard output for one, would overwrite each other.
 */
#include "file.h"

#include <baton/call.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/reason.h"
#include "../core/wait.h"
#include "../tier/tier.h"
#include "poller.h"
#include "ring.h"

/* As many as the kernel takes in one request. */
#define BYTES_MAX	0x7ffff000u

/* Vectors that are tried without waiting; more are too much to copy. */
#define VECTORS		8

/* --- as system calls ------------------------------------------------------ */

static void *pointer(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

long baton_sys_rw(int fd, bool write, const struct iovec *iov, unsigned int n,
		  uint64_t off, int flags)
{
	long low = (long)off, high = sizeof(long) == 8 ? 0 : (long)(off >> 32);

	if (flags)
		return syscall(write ? SYS_pwritev2 : SYS_preadv2, fd, iov,
			       (unsigned long)n, low, high, flags);
	if (off == POSITION)
		return write ? writev(fd, iov, (int)n) : readv(fd, iov, (int)n);
	return syscall(write ? SYS_pwritev : SYS_preadv, fd, iov,
		       (unsigned long)n, low, high);
}

static long sys_request(const struct ring_req *q)
{
	struct iovec iov = { pointer(q->addr), q->len };
	bool write = q->op == RING_WRITE || q->op == RING_WRITEV;

	switch (q->op) {
	case RING_READ:
	case RING_WRITE:
		return baton_sys_rw(q->fd, write, &iov, 1, q->off, 0);
	case RING_READV:
	case RING_WRITEV:
		return baton_sys_rw(q->fd, write, pointer(q->addr), q->len, q->off,
			      0);
	case RING_FSYNC:
		return q->flags ? fdatasync(q->fd) : fsync(q->fd);
	case RING_OPENAT:
		return openat(q->fd, pointer(q->addr), (int)q->flags, q->len);
	case RING_STATX:
		return syscall(SYS_statx, q->fd, pointer(q->addr), q->flags,
			       q->len, pointer(q->off));
	case RING_RENAMEAT:
		return renameat(q->fd, pointer(q->addr), (int)q->len,
				pointer(q->off));
	case RING_UNLINKAT:
		return unlinkat(q->fd, pointer(q->addr), (int)q->flags);
	case RING_MKDIRAT:
		return mkdirat(q->fd, pointer(q->addr), q->len);
	case RING_GETDENTS:
		return syscall(SYS_getdents64, q->fd, pointer(q->addr), q->len);
	default:
		errno = ENOSYS;
		return -1;
	}
}

/* Never inline, as the next ones: errno is the thread's, which may change. */
static long __attribute__((noinline)) sys_nowait(int fd, bool write,
						 const struct iovec *iov,
						 unsigned int n, uint64_t off)
{
	int saved = errno;
	long ret;

	do
		ret = baton_sys_rw(fd, write, iov, n, off, RWF_NOWAIT);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		ret = -errno;
	errno = saved;
	return ret;
}

static bool __attribute__((noinline)) is_direct(int fd)
{
	int saved = errno, flags = fcntl(fd, F_GETFL);

	errno = saved;
	return flags >= 0 && (flags & O_DIRECT);
}

struct call {
	const struct ring_req *req;
	long ret;
};

/*
 * Blocks the thread. Of the signals that end a system call early, one may be a
 * cancel of the fiber whose foreign code this is.
 */
static void __attribute__((noinline)) carry_out(void *arg)
{
	struct call *c = arg;
	struct baton_worker *w = baton_worker_self();
	struct baton_fiber *f = w && slot_state(w->slot) == BATON_FOREIGN ?
					w->fiber :
					NULL;
	int saved = errno;

	do {
		if (f && READ_ONCE(f->canceled) && !f->masked) {
			baton_cancel_heard(f);
			c->ret = -ECANCELED;
			break;
		}
		c->ret = sys_request(c->req);
		if (c->ret < 0)
			c->ret = -errno;
	} while (c->ret == -EINTR);
	errno = saved;
}

/* --- who waits, and where ------------------------------------------------- */

static bool on_fiber(void)
{
	return sched_on_fiber(baton_worker_self());
}

/*
 * May the ring have it? What thread a fiber is locked to may have rights and a
 * working directory of its own.
 */
static bool may_ring(const struct ring_req *q)
{
	const char *why;

	return !baton_worker_self()->fiber->locks &&
	       baton_ring_carries(q->op, &why);
}

/*
 * The descriptor is the kernel's once the ring's thread has got round to it:
 * until then it has to be known. A directory's, too, though there the kernel
 * looks it up by its number when one of its own threads does.
 */
static bool know(struct ring_req *q)
{
	if (q->fd < 0)
		return true; /* AT_FDCWD: it is none */
	q->desc = baton_desc_get(baton_worker_self()->rt, q->fd);
	if (!q->desc)
		return false;
	q->gen = READ_ONCE(q->desc->gen);
	return true;
}

static bool is_closed(const struct ring_req *q)
{
	return q->desc && READ_ONCE(q->desc->gen) != q->gen;
}

enum where {
	BY_RING,
	BY_CALL,
	BY_EITHER,		/* by the ring if there is a deadline */
};

/* Wait for @q. What the system call would have returned, or -errno. */
static long request(struct ring_req *q, enum where where, int64_t deadline)
{
	struct call c = { .req = q };
	int64_t scope;

	if (!on_fiber()) {
		carry_out(&c);
		return c.ret;
	}
	scope = baton_worker_self()->fiber->deadline;
	if (scope < deadline)
		deadline = scope;
	if (deadline != TIMER_NEVER && deadline <= now_ns())
		return -ETIMEDOUT;
	if (where == BY_EITHER && deadline == TIMER_NEVER)
		where = BY_CALL;
	if (where != BY_CALL && may_ring(q) && (q->desc || know(q))) {
		baton_ring_do(q, deadline);
		/* -EAGAIN: an operation has to wait, and the descriptor says
		 * that it must not, which a file takes no notice of. */
		if (q->res != -EAGAIN && q->res != -EINTR)
			return q->res;
		if (is_closed(q))
			return -EBADF;
	}
	baton_call(carry_out, &c);
	return c.ret;
}

/* --- data ----------------------------------------------------------------- */

/* @done bytes of @iov are done: take them off. The vectors left over. */
static unsigned int advance(struct iovec *iov, unsigned int n, size_t done)
{
	unsigned int first = 0;

	while (first < n && done >= iov[first].iov_len)
		done -= iov[first++].iov_len;
	memmove(iov, iov + first, (n - first) * sizeof(*iov));
	if (n > first) {
		iov->iov_base = (char *)iov->iov_base + done;
		iov->iov_len -= done;
	}
	return n - first;
}

static long rw_wait(struct ring_req *q, bool write, const struct iovec *iov,
		    unsigned int n, uint64_t off, int64_t deadline)
{
	q->off = off;
	if (n == 1) {
		q->op = write ? RING_WRITE : RING_READ;
		q->addr = (uintptr_t)iov->iov_base;
		q->len = iov->iov_len < BYTES_MAX ? (uint32_t)iov->iov_len :
						    BYTES_MAX;
	} else {
		q->op = write ? RING_WRITEV : RING_READV;
		q->addr = (uintptr_t)iov;
		q->len = n;
	}
	return request(q, off == POSITION ? BY_CALL : BY_RING, deadline);
}

/* Is it no use to ask for it without waiting? */
static bool must_wait(int fd, const struct iovec *iov, unsigned int n)
{
	if (n > VECTORS || !on_fiber())
		return true;
	/* No less will do for O_DIRECT. */
	if (!n || ((uintptr_t)iov->iov_base | iov->iov_len) % 512)
		return false;
	return is_direct(fd);
}

/*
 * What can be had at once of @iov, which is made shorter by it. Bytes, all that
 * there are if *@left is 0; or -errno.
 */
static long rw_now(int fd, bool write, struct iovec *iov, unsigned int *left,
		   uint64_t off)
{
	long sum = 0, ret;

	do {
		ret = sys_nowait(fd, write, iov, *left,
				 off == POSITION ? off :
						   off + (uint64_t)sum);
		if (ret == -EAGAIN || ret == -EINVAL || nowait_missing(ret))
			return sum;
		if (ret <= 0) {
			*left = 0;
			return sum ? sum : ret;
		}
		sum += ret;
		*left = advance(iov, *left, (size_t)ret);
	} while (*left);
	return sum;
}

ssize_t baton_file_rw(int fd, bool write, const struct iovec *iov, int n,
		      int64_t off, int64_t deadline)
{
	struct iovec copy[VECTORS];
	struct ring_req q = { .fd = fd };
	unsigned int left = (unsigned int)n;
	uint64_t at = (uint64_t)off;
	long sum, ret;

	if (n < 0 || n > IOV_MAX || (n && !iov))
		return baton_error(-EINVAL, "%d buffers: not 0 to %d", n,
				   IOV_MAX);
	if (off < -1)
		return baton_error(-EINVAL, "an offset that is negative");
	if (must_wait(fd, iov, left))
		return rw_wait(&q, write, iov, left, at, deadline);
	memcpy(copy, iov, left * sizeof(*copy));
	/* Before the first look: what is closed from here on is not read. */
	if (at != POSITION)
		know(&q);
	sum = rw_now(fd, write, copy, &left, at);
	if (sum < 0 || !left) {
		fiber_unwaited(baton_worker_self()->fiber);
		return sum;
	}
	ret = rw_wait(&q, write, copy, left,
		      at == POSITION ? at : at + (uint64_t)sum, deadline);
	if (ret >= 0)
		return sum + ret;
	if (!sum)
		return ret;
	/* A part is done, and is said; the cancel is for the next wait. */
	if (ret == -ECANCELED)
		baton_cancel(baton_self());
	return sum;
}

static ssize_t at_place(int fd, bool write, const struct iovec *iov, int n,
			int64_t off)
{
	if (off < 0)
		return baton_error(-EINVAL, "an offset that is negative");
	return baton_file_rw(fd, write, iov, n, off, TIMER_NEVER);
}

ssize_t baton_pread(int fd, void *buf, size_t n, int64_t off)
{
	struct iovec iov = { buf, n };

	return at_place(fd, false, &iov, 1, off);
}

ssize_t baton_pwrite(int fd, const void *buf, size_t n, int64_t off)
{
	struct iovec iov = { (void *)(uintptr_t)buf, n };

	return at_place(fd, true, &iov, 1, off);
}

ssize_t baton_preadv(int fd, const struct iovec *iov, int n, int64_t off)
{
	return at_place(fd, false, iov, n, off);
}

ssize_t baton_pwritev(int fd, const struct iovec *iov, int n, int64_t off)
{
	return at_place(fd, true, iov, n, off);
}

/* --- all else ------------------------------------------------------------- */

int baton_fsync(int fd)
{
	struct ring_req q = { .op = RING_FSYNC, .fd = fd };

	return (int)request(&q, BY_RING, TIMER_NEVER);
}

int baton_fdatasync(int fd)
{
	struct ring_req q = { .op = RING_FSYNC, .fd = fd, .flags = 1 };

	return (int)request(&q, BY_RING, TIMER_NEVER);
}

int baton_openat(int dir, const char *path, int flags, mode_t mode)
{
	struct ring_req q = {
		.op = RING_OPENAT,
		.fd = dir,
		.flags = (uint32_t)flags | O_LARGEFILE,
		.len = mode,
		.addr = (uintptr_t)path,
	};

	return (int)request(&q, BY_EITHER, TIMER_NEVER);
}

int baton_statx(int dir, const char *path, int flags, unsigned int mask,
		struct statx *st)
{
	struct ring_req q = {
		.op = RING_STATX,
		.fd = dir,
		.flags = (uint32_t)flags,
		.len = mask,
		.addr = (uintptr_t)path,
		.off = (uintptr_t)st,
	};

	return (int)request(&q, BY_EITHER, TIMER_NEVER);
}

int baton_renameat(int olddir, const char *oldpath, int newdir,
		   const char *newpath)
{
	struct ring_req q = {
		.op = RING_RENAMEAT,
		.fd = olddir,
		.len = (uint32_t)newdir,
		.addr = (uintptr_t)oldpath,
		.off = (uintptr_t)newpath,
	};

	return (int)request(&q, BY_EITHER, TIMER_NEVER);
}

int baton_unlinkat(int dir, const char *path, int flags)
{
	struct ring_req q = {
		.op = RING_UNLINKAT,
		.fd = dir,
		.flags = (uint32_t)flags,
		.addr = (uintptr_t)path,
	};

	return (int)request(&q, BY_EITHER, TIMER_NEVER);
}

int baton_mkdirat(int dir, const char *path, mode_t mode)
{
	struct ring_req q = {
		.op = RING_MKDIRAT,
		.fd = dir,
		.len = mode,
		.addr = (uintptr_t)path,
	};

	return (int)request(&q, BY_EITHER, TIMER_NEVER);
}

ssize_t baton_getdents(int fd, void *buf, size_t n)
{
	struct ring_req q = {
		.op = RING_GETDENTS,
		.fd = fd,
		.len = n < BYTES_MAX ? (uint32_t)n : BYTES_MAX,
		.addr = (uintptr_t)buf,
	};

	return request(&q, BY_CALL, TIMER_NEVER);
}

enum baton_io baton_io(const char **why)
{
	const char *reason = "no fiber asks";
	enum baton_io io = BATON_IO_AUTO;

	if (on_fiber()) {
		io = baton_ring_carries(RING_READ, &reason) ? BATON_IO_URING :
							      BATON_IO_CALL;
		if (io == BATON_IO_URING)
			reason = "";
	}
	if (why)
		*why = reason;
	return io;
}
