// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* rw.c - read and write, of any kind of descriptor. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "op.h"

/**
 * struct rw - a read or a write
 * @op:  comes first
 * @iov: the places
 * @n:   how many
 */
struct rw {
	struct op op;
	const struct iovec *iov;
	int n;
};

/* What is sure not to wait for the rest: of a pipe that poll() says has room. */
#define ROOM 4096

static struct rw *rw_of(struct op *op)
{
	return (struct rw *)op;
}

/* Each of these has an errno of its thread: never inline. */

static ssize_t __attribute__((noinline)) by_socket(const struct rw *a)
{
	struct msghdr m = {
		.msg_iov = (struct iovec *)(uintptr_t)a->iov,
		.msg_iovlen = (size_t)a->n,
	};
	int saved = errno;
	ssize_t ret;

	if (a->op.side == SIDE_READ)
		ret = a->n == 1 ? recv(a->op.fd, a->iov->iov_base,
				       a->iov->iov_len, MSG_DONTWAIT) :
				  recvmsg(a->op.fd, &m, MSG_DONTWAIT);
	else
		ret = a->n == 1 ? send(a->op.fd, a->iov->iov_base,
				       a->iov->iov_len, MSG_DONTWAIT) :
				  sendmsg(a->op.fd, &m, MSG_DONTWAIT);
	return op_result(ret, saved);
}

static ssize_t __attribute__((noinline)) by_flag(const struct rw *a)
{
	int saved = errno;

	return op_result(baton_sys_rw(a->op.fd, a->op.side == SIDE_WRITE,
				      a->iov, (unsigned int)a->n, POSITION,
				      RWF_NOWAIT),
			 saved);
}

static ssize_t __attribute__((noinline)) by_poll(struct op *op)
{
	const struct rw *a = rw_of(op);
	struct iovec first = a->iov[0];
	int saved = errno;

	if (op->side == SIDE_READ)
		return op_result(readv(op->fd, a->iov, a->n), saved);
	/* POSIX has no more than this of a pipe in one piece. */
	if (op->asked <= ROOM)
		return op_result(writev(op->fd, a->iov, a->n), saved);
	for (int i = 0; i < a->n - 1 && !first.iov_len; i++)
		first = a->iov[i + 1];
	if (first.iov_len > ROOM)
		first.iov_len = ROOM;
	return op_result(write(op->fd, first.iov_base, first.iov_len), saved);
}

/*
 * No places at all: 0, or why it can never be done. A descriptor that is not
 * for reading, such as the writing end of a pipe, or an epoll one, would never
 * become ready for it either.
 */
static ssize_t __attribute__((noinline)) by_nothing(const struct rw *a)
{
	int saved = errno;

	return op_result(a->op.side == SIDE_READ ? readv(a->op.fd, a->iov, 0) :
						   writev(a->op.fd, a->iov, 0),
			 saved);
}

/* A file, which is always ready? Most others are told by lseek(), for less. */
static bool __attribute__((noinline)) is_file(int fd)
{
	int saved = errno;
	struct stat st;
	bool is;

	is = lseek(fd, 0, SEEK_CUR) >= 0 && !fstat(fd, &st) &&
	     (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode));
	errno = saved;
	return is;
}

static ssize_t rw_attempt(struct op *op)
{
	const struct rw *a = rw_of(op);
	ssize_t ret;

	if (op->kind == KIND_SOCKET || op->kind == KIND_UNKNOWN) {
		ret = by_socket(a);
		op->kind = ret == -ENOTSOCK ? KIND_UNKNOWN : KIND_SOCKET;
		if (ret != -ENOTSOCK)
			return ret;
	}
	if (op->kind == KIND_UNKNOWN || op->kind == KIND_NOWAIT) {
		ret = by_flag(a);
		op->kind = KIND_NOWAIT;
		if (!nowait_missing(ret))
			return ret;
		op->kind = KIND_POLL;
	}
	/* Also of KIND_POLL before: the number may be another's by now. */
	if (is_file(op->fd)) {
		op->kind = KIND_UNKNOWN;
		return OP_FILE;
	}
	ret = baton_op_ready(op->fd, op->side);
	if (!ret)
		ret = by_nothing(a);
	return ret > 0 ? OP_CALL : ret < 0 ? ret : -EAGAIN;
}

/*
 * @done bytes, fewer than were asked for, are all that was to be had of a file
 * without waiting: with the rest it is as many as read() and write() say.
 */
static ssize_t __attribute__((noinline))
rest_of_file(int fd, bool write, const struct iovec *iov, int n, ssize_t done,
	     int64_t deadline)
{
	size_t skip = (size_t)done;
	struct iovec first;
	ssize_t ret;

	while (skip >= iov->iov_len) {
		skip -= iov++->iov_len;
		n--;
	}
	first.iov_base = (char *)iov->iov_base + skip;
	first.iov_len = iov->iov_len - skip;
	ret = baton_file_rw(fd, write, &first, 1, -1, deadline);
	if (ret > 0)
		done += ret;
	if (ret == (ssize_t)first.iov_len && n > 1) {
		ret = baton_file_rw(fd, write, iov + 1, n - 1, -1, deadline);
		if (ret > 0)
			done += ret;
	}
	/* A part is done, and is said; the cancel is for the next wait. */
	if (ret == -ECANCELED && baton_self())
		baton_cancel(baton_self());
	return done;
}

static ssize_t rw(int fd, enum side side, const struct iovec *iov, int n,
		  size_t asked, int64_t deadline)
{
	struct rw a = {
		.op = {
			.attempt = rw_attempt,
			.call = by_poll,
			.fd = fd,
			.side = side,
			.asked = asked,
		},
		.iov = iov,
		.n = n,
	};
	ssize_t ret = baton_op(&a.op, deadline);

	if (unlikely(ret == OP_FILE))
		ret = baton_file_rw(fd, side == SIDE_WRITE, iov, n, -1,
				    deadline);
	else if (unlikely(a.op.kind == KIND_NOWAIT && ret > 0 &&
			  (size_t)ret < asked && is_file(fd)))
		ret = rest_of_file(fd, side == SIDE_WRITE, iov, n, ret,
				   deadline);
	return ret;
}

/* No bytes, or none of several buffers: what POSIX says of that. */
static ssize_t __attribute__((noinline))
none(int fd, enum side side, const struct iovec *iov, int n)
{
	int saved = errno;

	return op_result(side == SIDE_READ ? readv(fd, iov, n) :
					     writev(fd, iov, n),
			 saved);
}

/* write(), but not writev(), sends an empty datagram. */
static ssize_t write_none(int fd, const struct iovec *iov, int64_t deadline)
{
	ssize_t ret = baton_send_until(fd, iov->iov_base, 0, 0, deadline);

	return ret == -ENOTSOCK ? none(fd, SIDE_WRITE, iov, 1) : ret;
}

static ssize_t rw_one(int fd, enum side side, void *buf, size_t n,
		      int64_t deadline)
{
	struct iovec iov = { buf, n };

	if (unlikely(!n))
		return side == SIDE_WRITE ? write_none(fd, &iov, deadline) :
					    none(fd, side, &iov, 1);
	return rw(fd, side, &iov, 1, n, deadline);
}

static ssize_t rw_many(int fd, enum side side, const struct iovec *iov, int n,
		       int64_t deadline)
{
	size_t asked = 0;

	if (n < 0 || (n && !iov))
		return -EINVAL;
	for (int i = 0; i < n; i++)
		asked += iov[i].iov_len;
	if (unlikely(!asked))
		return none(fd, side, iov, n);
	return rw(fd, side, iov, n, asked, deadline);
}

ssize_t baton_read_until(int fd, void *buf, size_t n, int64_t deadline)
{
	return rw_one(fd, SIDE_READ, buf, n, deadline);
}

ssize_t baton_read(int fd, void *buf, size_t n)
{
	return rw_one(fd, SIDE_READ, buf, n, BATON_NEVER);
}

ssize_t baton_write_until(int fd, const void *buf, size_t n, int64_t deadline)
{
	return rw_one(fd, SIDE_WRITE, (void *)(uintptr_t)buf, n, deadline);
}

ssize_t baton_write(int fd, const void *buf, size_t n)
{
	return rw_one(fd, SIDE_WRITE, (void *)(uintptr_t)buf, n, BATON_NEVER);
}

ssize_t baton_readv_until(int fd, const struct iovec *iov, int n,
			  int64_t deadline)
{
	return rw_many(fd, SIDE_READ, iov, n, deadline);
}

ssize_t baton_readv(int fd, const struct iovec *iov, int n)
{
	return rw_many(fd, SIDE_READ, iov, n, BATON_NEVER);
}

ssize_t baton_writev_until(int fd, const struct iovec *iov, int n,
			   int64_t deadline)
{
	return rw_many(fd, SIDE_WRITE, iov, n, deadline);
}

ssize_t baton_writev(int fd, const struct iovec *iov, int n)
{
	return rw_many(fd, SIDE_WRITE, iov, n, BATON_NEVER);
}
