// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * socket.c - what sockets alone can do.
 *
 * accept() has no MSG_DONTWAIT. poll() says that there is a connection, and
 * accept() is a foreign call then, in case that another process is faster.
 *
 * connect() has none either. It is bounded by SO_SNDTIMEO, which is set for a
 * moment to the least there is: what takes longer goes on by itself
 * (EINPROGRESS), and is waited for. No other than connect() uses that option of
 * a socket that is not connected yet, where the flags of the file are shared
 * with other processes, perhaps. A unix socket whose peer's queue is full says
 * EAGAIN, and nothing tells when it is not any more: it is tried again.
 */
#include <baton/call.h>
#include <netinet/in.h>
#include <sys/time.h>

#include "../core/clock.h"
#include "op.h"

/* --- receive and send ------------------------------------------------------ */

/**
 * struct message - one of the four
 * @op:    comes first
 * @buf, @n: of recv() and send()
 * @m:     of recvmsg() and sendmsg(); NULL: of the other two
 * @flags: MSG_*
 */
struct message {
	struct op op;
	void *buf;
	size_t n;
	struct msghdr *m;
	int flags;
};

static ssize_t __attribute__((noinline)) message_attempt(struct op *op)
{
	const struct message *a = (const struct message *)op;
	int saved = errno;
	ssize_t ret;

	if (op->side == SIDE_READ)
		ret = a->m ? recvmsg(op->fd, a->m, a->flags) :
			     recv(op->fd, a->buf, a->n, a->flags);
	else
		ret = a->m ? sendmsg(op->fd, a->m, a->flags) :
			     send(op->fd, a->buf, a->n, a->flags);
	op->kind = KIND_SOCKET;
	return op_result(ret, saved);
}

/* What it says is not about the data that come next. */
#define UNUSUAL (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC)

static ssize_t message(int fd, enum side side, void *buf, size_t n,
		       struct msghdr *m, int flags, int64_t deadline)
{
	struct message a = {
		.op = {
			.attempt = message_attempt,
			.fd = fd,
			.side = side,
			.once = flags & (MSG_DONTWAIT | MSG_ERRQUEUE),
			.asked = flags & UNUSUAL ? 0 : n,
		},
		.buf = buf,
		.n = n,
		.m = m,
		.flags = flags | MSG_DONTWAIT |
			 (side == SIDE_WRITE ? MSG_NOSIGNAL : 0),
	};

	return baton_op(&a.op, deadline);
}

/* MSG_WAITALL: what came before an error is returned. */
static ssize_t recv_all(int fd, char *buf, size_t n, int flags,
			int64_t deadline)
{
	size_t got = 0;

	while (got < n) {
		ssize_t ret = message(fd, SIDE_READ, buf + got, n - got, NULL,
				      flags, deadline);

		/* What came is said; the cancel is for the next wait. */
		if (ret == -ECANCELED && got && baton_self())
			baton_cancel(baton_self());
		if (ret <= 0)
			return got ? (ssize_t)got : ret;
		got += (size_t)ret;
	}
	return (ssize_t)got;
}

ssize_t baton_recv_until(int fd, void *buf, size_t n, int flags,
			 int64_t deadline)
{
	if (unlikely(flags & MSG_WAITALL && n &&
		     !(flags & (MSG_DONTWAIT | UNUSUAL)) &&
		     desc_is_stream(fd)))
		return recv_all(fd, buf, n, flags & ~MSG_WAITALL, deadline);
	return message(fd, SIDE_READ, buf, n, NULL, flags, deadline);
}

ssize_t baton_recv(int fd, void *buf, size_t n, int flags)
{
	return baton_recv_until(fd, buf, n, flags, BATON_NEVER);
}

ssize_t baton_send_until(int fd, const void *buf, size_t n, int flags,
			 int64_t deadline)
{
	return message(fd, SIDE_WRITE, (void *)(uintptr_t)buf, n, NULL, flags,
		       deadline);
}

ssize_t baton_send(int fd, const void *buf, size_t n, int flags)
{
	return baton_send_until(fd, buf, n, flags, BATON_NEVER);
}

ssize_t baton_recvmsg_until(int fd, struct msghdr *m, int flags,
			    int64_t deadline)
{
	return m ? message(fd, SIDE_READ, NULL, 0, m, flags, deadline) :
		   -EINVAL;
}

ssize_t baton_recvmsg(int fd, struct msghdr *m, int flags)
{
	return baton_recvmsg_until(fd, m, flags, BATON_NEVER);
}

ssize_t baton_sendmsg_until(int fd, const struct msghdr *m, int flags,
			    int64_t deadline)
{
	return m ? message(fd, SIDE_WRITE, NULL, 0,
			   (struct msghdr *)(uintptr_t)m, flags, deadline) :
		   -EINVAL;
}

ssize_t baton_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return baton_sendmsg_until(fd, m, flags, BATON_NEVER);
}

/* --- accept ---------------------------------------------------------------- */

/* @len, in and out, as it was given: a try changes it. */
struct accept {
	struct op op;
	struct sockaddr *a;
	socklen_t *len;
	socklen_t size;
	int flags;
};

/* Errors of the connection, not of the socket: it is passed over. */
static bool aborted(ssize_t err)
{
	switch (-err) {
	case ECONNABORTED:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return true;
	}
	return false;
}

static ssize_t __attribute__((noinline)) accept_call(struct op *op)
{
	struct accept *a = (struct accept *)op;
	int saved = errno;
	ssize_t ret;

	do {
		if (a->len)
			*a->len = a->size;
		ret = op_result(accept4(op->fd, a->a, a->len, a->flags), saved);
	} while (aborted(ret) && baton_op_ready(op->fd, SIDE_READ) > 0);
	return aborted(ret) ? -EAGAIN : ret;
}

static ssize_t accept_attempt(struct op *op)
{
	int ready = baton_op_ready(op->fd, SIDE_READ);

	if (ready)
		return ready > 0 ? OP_CALL : ready;
	/* What does not wait for connections says so at once. */
	return baton_desc_option(op->fd, SO_ACCEPTCONN) ? -EAGAIN :
							  accept_call(op);
}

static bool exhausted(ssize_t err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS ||
	       err == -ENOMEM;
}

#define PAUSE_MIN_MS 1u
#define PAUSE_MAX_MS 100u

/* None can be had now: whoever tries again at once would find the same. */
static int pause_until(int64_t deadline)
{
	struct wait t;
	int err;

	wait_enter(&t);
	wait_arm(&t, WAIT_ON_OTHER);
	err = wait_block(&t, deadline);
	wait_leave(&t);
	return err;
}

static ssize_t back_off(struct desc *d, ssize_t err, int64_t deadline)
{
	uint32_t ms = d ? READ_ONCE(d->pause) : 10 * PAUSE_MIN_MS;
	int64_t until;

	ms = ms ? ms : PAUSE_MIN_MS;
	until = now_ns() + ms * BATON_MSEC;
	if (d)
		WRITE_ONCE(d->pause, ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS :
							     ms * 2);
	if (pause_until(until < deadline ? until : deadline) == -ECANCELED)
		return -ECANCELED;
	return err;
}

int baton_accept4_until(int fd, struct sockaddr *addr, socklen_t *len,
			int flags, int64_t deadline)
{
	struct accept a = {
		.op = {
			.attempt = accept_attempt,
			.call = accept_call,
			.fd = fd,
			.side = SIDE_READ,
		},
		.a = addr,
		.len = len,
		.size = len ? *len : 0,
		.flags = flags,
	};
	struct baton_worker *w;
	struct desc *d = NULL;
	ssize_t ret;

	/* poll() says nothing of a negative one, ever. */
	if (unlikely(fd < 0))
		return -EBADF;
	ret = baton_op(&a.op, deadline);
	w = baton_worker_self();
	if (sched_on_fiber(w)) {
		d = baton_desc_get(w->rt, fd);
		if (ret >= 0)
			baton_desc_fresh(w->rt, (int)ret);
	}
	if (unlikely(exhausted(ret)))
		ret = back_off(d, ret, deadline);
	else if (d && READ_ONCE(d->pause))
		WRITE_ONCE(d->pause, 0);
	return (int)ret;
}

int baton_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	return baton_accept4_until(fd, a, len, flags, BATON_NEVER);
}

int baton_accept(int fd, struct sockaddr *a, socklen_t *len)
{
	return baton_accept4_until(fd, a, len, 0, BATON_NEVER);
}

/* --- connect --------------------------------------------------------------- */

struct connect {
	int fd;
	const struct sockaddr *a;
	socklen_t len;
	int ret;
};

/* In foreign code, or on a thread. */
static void __attribute__((noinline)) connect_call(void *arg)
{
	struct connect *c = arg;
	struct timeval least = { .tv_usec = 1 }, old;
	socklen_t size = sizeof(old);
	int saved = errno;
	bool set;

	set = !getsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &old, &size) &&
	      !setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &least,
			  sizeof(least));
	c->ret = connect(c->fd, c->a, c->len) ? -errno : 0;
	if (set)
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &old, sizeof(old));
	errno = saved;
}

static void connect_once(struct connect *c)
{
	if (sched_on_fiber(baton_worker_self()))
		baton_call(connect_call, c);
	else
		connect_call(c);
}

/* Has the connection been made, or has that failed? */
static ssize_t __attribute__((noinline)) connect_attempt(struct op *op)
{
	socklen_t len = sizeof(int);
	int saved = errno, err = 0, ready;

	ready = baton_op_ready(op->fd, SIDE_WRITE);
	if (ready <= 0)
		return ready ? ready : -EAGAIN;
	op->kind = KIND_SOCKET;
	if (getsockopt(op->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return op_result(-1, saved);
	return -err;
}

int baton_connect_until(int fd, const struct sockaddr *a, socklen_t len,
			int64_t deadline)
{
	struct op op = {
		.attempt = connect_attempt,
		.fd = fd,
		.side = SIDE_WRITE,
	};
	struct connect c = { .fd = fd, .a = a, .len = len };
	const struct baton_fiber *f = baton_self();
	int64_t pause = BATON_MSEC;
	int err;

	if (f && f->deadline < deadline)
		deadline = f->deadline;
	for (;;) {
		connect_once(&c);
		/* A signal, maybe a cancel's: nothing goes on by itself there. */
		if (c.ret == -EINTR && a && a->sa_family == AF_UNIX)
			c.ret = -EAGAIN;
		if (c.ret != -EAGAIN)
			break;
		/* A unix socket: see the top. */
		if (now_ns() >= deadline)
			return -ETIMEDOUT;
		err = pause_until(now_ns() + pause < deadline ?
					  now_ns() + pause :
					  deadline);
		if (err == -ECANCELED)
			return err;
		if (pause < 32 * BATON_MSEC)
			pause *= 2;
	}
	/* -EALREADY: one that was given up, or was another's, goes on. */
	if (c.ret != -EINPROGRESS && c.ret != -EINTR && c.ret != -EALREADY)
		return c.ret;
	return (int)baton_op(&op, deadline);
}

int baton_connect(int fd, const struct sockaddr *a, socklen_t len)
{
	return baton_connect_until(fd, a, len, BATON_NEVER);
}

int __attribute__((noinline)) baton_shutdown(int fd, int how)
{
	int saved = errno;

	return (int)op_result(shutdown(fd, how), saved);
}
