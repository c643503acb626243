// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * io.c - read(), send(), accept() and the like in fiber code.
 *
 * What needs no wait is done by the C library's own, with MSG_DONTWAIT where it
 * is a socket's. Then it matters whether the descriptor is O_NONBLOCK: its
 * caller expects EAGAIN; or has a time-out (SO_RCVTIMEO, SO_SNDTIMEO).
 * Otherwise the fiber waits, by the functions of <baton/io.h>; and as a
 * blocking write() writes all of it, so does this one.
 *
 * A signal handler that interrupts fiber code may write() what is written
 * without a wait, as a pipe's or a terminal's: that does not enter the
 * scheduler.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>

#include "real.h"

/* --- whether to wait ----------------------------------------------------- */

/**
 * struct wait_io - one call that a fiber is to wait in
 * @e:        around all of it
 * @deadline: the socket's time-out
 */
struct wait_io {
	struct wrap_errno e;
	int64_t deadline;
};

static int64_t timeout_of(int fd, int option)
{
	struct timeval tv = { 0 };
	socklen_t len = sizeof(tv);

	if (getsockopt(fd, SOL_SOCKET, option, &tv, &len) ||
	    (!tv.tv_sec && !tv.tv_usec))
		return BATON_NEVER;
	return wrap_after(wrap_ns(&(struct timespec){ tv.tv_sec,
						      tv.tv_usec * 1000 }));
}

/*
 * False: the caller, a fiber, is not to wait for @fd, and does what the C
 * library does. True: wait_over() follows.
 */
static bool wait_begin(struct wait_io *io, int fd, int option)
{
	int flags;

	baton_wrap_enter(&io->e);
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK)) {
		io->deadline = timeout_of(fd, option);
		return true;
	}
	baton_wrap_leave(&io->e, 0);
	return false;
}

/* The result; of a socket that ran into its time-out, -@err. */
static ssize_t late(const struct wait_io *io, ssize_t ret, int err)
{
	return ret == -ETIMEDOUT && io->deadline <= baton_now() ? -err : ret;
}

/* The same as POSIX returns it. */
static ssize_t wait_over(const struct wait_io *io, ssize_t ret, int err)
{
	return baton_wrap_result(&io->e, late(io, ret, err));
}

/* What is said of @done bytes, or messages, if it ended by @ret: that, if there
 * are none; a cancel is for the next wait otherwise. */
static ssize_t part(ssize_t done, ssize_t ret)
{
	if (!done)
		return ret;
	if (ret == -ECANCELED && baton_self())
		baton_cancel(baton_self());
	return done;
}

/* Never inline, as the next ones: errno is where the fiber is now. */
static int __attribute__((noinline)) errno_now(void)
{
	return errno;
}

/* What a try has returned, or -errno; errno is what it @was before. */
static ssize_t __attribute__((noinline)) tried(ssize_t ret, int was)
{
	if (likely(ret >= 0))
		return ret;
	ret = -errno;
	errno = was;
	return ret;
}

/* What POSIX returns. */
static ssize_t __attribute__((noinline)) posix(ssize_t ret)
{
	if (likely(ret >= 0))
		return ret;
	errno = (int)-ret;
	return -1;
}

static size_t iov_bytes(const struct iovec *iov, size_t n)
{
	size_t bytes = 0;

	while (n--)
		bytes += iov[n].iov_len;
	return bytes;
}

/* --- receive ------------------------------------------------------------- */

/* These do not wait, whatever the socket is. */
#define NO_WAIT	(MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)

WRAP ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	int was = errno_now();
	struct wait_io io;
	ssize_t ret;

	if ((flags & NO_WAIT) || !wrap_waiter())
		return real(recvmsg)(fd, m, flags);
	if (flags & MSG_WAITALL)
		return wrap_foreign(&real(recvmsg), fd, m, flags);
	ret = tried(real(recvmsg)(fd, m, flags | MSG_DONTWAIT), was);
	if (ret != -EAGAIN || !wait_begin(&io, fd, SO_RCVTIMEO))
		return posix(ret);
	ret = baton_recvmsg_until(fd, m, flags, io.deadline);
	return wait_over(&io, ret, EAGAIN);
}

WRAP ssize_t recvfrom(int fd, void *restrict buf, size_t n, int flags,
		      struct sockaddr *restrict a, socklen_t *restrict len)
{
	struct iovec iov = { buf, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int was = errno_now();
	struct wait_io io;
	ssize_t ret;

	if ((flags & NO_WAIT) || !wrap_waiter())
		return real(recvfrom)(fd, buf, n, flags, a, len);
	/* As recvmsg(); nor is there a rest to wait for where nothing is taken. */
	if (flags & MSG_WAITALL && ((a && len) || flags & MSG_PEEK))
		return wrap_foreign(&real(recvfrom), fd, buf, n, flags, a, len);
	if (!(flags & MSG_WAITALL)) {
		ret = tried(real(recvfrom)(fd, buf, n, flags | MSG_DONTWAIT, a,
					   len), was);
		if (ret != -EAGAIN)
			return posix(ret);
	}
	if (!wait_begin(&io, fd, SO_RCVTIMEO))
		return real(recvfrom)(fd, buf, n, flags, a, len);
	if (!a || !len) {
		ret = baton_recv_until(fd, buf, n, flags, io.deadline);
	} else {
		m.msg_name = a;
		m.msg_namelen = *len;
		ret = baton_recvmsg_until(fd, &m, flags, io.deadline);
		if (ret >= 0)
			*len = m.msg_namelen;
	}
	return wait_over(&io, ret, EAGAIN);
}

WRAP ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	return recvfrom(fd, buf, n, flags, NULL, NULL);
}

WRAP int recvmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags,
		  struct timespec *ts)
{
	int was = errno_now();
	struct wait_io io;
	int ret, more;

	if ((flags & NO_WAIT) || !wrap_waiter())
		return real(recvmmsg)(fd, m, n, flags, ts);
	ret = (int)tried(real(recvmmsg)(fd, m, n, flags | MSG_DONTWAIT, ts),
			 was);
	if (ret > 0 && ((unsigned int)ret == n || (flags & MSG_WAITFORONE)))
		return ret;
	if ((ret < 0 && ret != -EAGAIN) || !wait_begin(&io, fd, SO_RCVTIMEO))
		return (int)posix(ret);
	baton_wrap_leave(&io.e, 0);
	/* What there is counts: the rest is waited for as long as it takes. */
	if (ret < 0)
		return wrap_foreign(&real(recvmmsg), fd, m, n, flags, ts);
	baton_wrap_enter(&io.e);
	more = wrap_foreign(&real(recvmmsg), fd, m + ret,
			    n - (unsigned int)ret, flags, ts);
	baton_wrap_leave(&io.e, 0);
	return more < 0 ? ret : ret + more;
}

WRAP ssize_t read(int fd, void *buf, size_t n)
{
	int was = errno_now();
	struct wait_io io;
	ssize_t ret;

	if (!n || !wrap_waiter())
		return real(read)(fd, buf, n);
	ret = tried(real(recv)(fd, buf, n, MSG_DONTWAIT), was);
	if (ret != -EAGAIN && ret != -ENOTSOCK)
		return posix(ret);
	if (!wait_begin(&io, fd, SO_RCVTIMEO))
		return real(read)(fd, buf, n);
	return wait_over(&io, baton_read_until(fd, buf, n, io.deadline),
			 EAGAIN);
}

WRAP ssize_t readv(int fd, const struct iovec *iov, int n)
{
	struct wait_io io;

	if (n <= 0 || n > IOV_MAX || !wrap_waiter() ||
	    !wait_begin(&io, fd, SO_RCVTIMEO))
		return real(readv)(fd, iov, n);
	return wait_over(&io, baton_readv_until(fd, iov, n, io.deadline),
			 EAGAIN);
}

/* --- send ---------------------------------------------------------------- */

/*
 * The rest of what is to be sent, of which @done bytes are: of an element that
 * is partly sent, what is left of it; otherwise all that follow. @one has room
 * for the former. 0: nothing is left.
 */
static size_t rest(const struct iovec **iov, size_t n, size_t done,
		   struct iovec *one)
{
	while (n && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		n--;
	}
	if (!n || !done)
		return n;
	*one = (struct iovec){
		.iov_base = (char *)(*iov)->iov_base + done,
		.iov_len = (*iov)->iov_len - done,
	};
	*iov = one;
	return 1;
}

/* What follows @done bytes of it, or all if none could be sent: -1. */
static ssize_t send_rest(const struct wait_io *io, int fd,
			 const struct msghdr *m, int flags, ssize_t done)
{
	struct msghdr next = *m;
	const struct iovec *iov;
	struct iovec one;
	ssize_t ret;

	do {
		iov = m->msg_iov;
		next.msg_iovlen = rest(&iov, m->msg_iovlen,
				       done > 0 ? (size_t)done : 0, &one);
		next.msg_iov = (struct iovec *)iov;
		if (done >= 0 && !next.msg_iovlen)
			return done;
		/* It has gone with the first bytes. */
		if (done > 0) {
			next.msg_control = NULL;
			next.msg_controllen = 0;
		}
		ret = baton_sendmsg_until(fd, &next, flags, io->deadline);
		if (ret >= 0)
			done = (done > 0 ? done : 0) + ret;
	} while (ret > 0);
	if (done >= 0)
		return done ? part(done, ret) : 0;
	if (ret == -EPIPE && !(flags & MSG_NOSIGNAL))
		raise(SIGPIPE);
	return ret;
}

/* To a socket; or -errno. errno is as it was. */
static ssize_t send_all(int fd, const struct msghdr *m, int flags)
{
	size_t bytes = iov_bytes(m->msg_iov, m->msg_iovlen);
	int was = errno_now();
	struct wait_io io;
	ssize_t ret;

	ret = tried(real(sendmsg)(fd, m, flags | MSG_DONTWAIT), was);
	if (ret < 0 ? ret != -EAGAIN : (size_t)ret >= bytes)
		return ret;
	if (!wait_begin(&io, fd, SO_SNDTIMEO))
		return ret;
	ret = late(&io, send_rest(&io, fd, m, flags, ret), EAGAIN);
	baton_wrap_leave(&io.e, 0);
	return ret;
}

WRAP ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if ((flags & MSG_DONTWAIT) || !wrap_waiter())
		return real(sendmsg)(fd, m, flags);
	return posix(send_all(fd, m, flags));
}

WRAP ssize_t sendto(int fd, const void *buf, size_t n, int flags,
		    const struct sockaddr *a, socklen_t len)
{
	struct iovec iov = { (void *)buf, n };
	struct msghdr m = {
		.msg_name = (void *)a,
		.msg_namelen = a ? len : 0,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	if ((flags & MSG_DONTWAIT) || !wrap_waiter())
		return real(sendto)(fd, buf, n, flags, a, len);
	return posix(send_all(fd, &m, flags));
}

WRAP ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	return sendto(fd, buf, n, flags, NULL, 0);
}

WRAP int sendmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags)
{
	ssize_t ret = 0;
	unsigned int i;

	if ((flags & MSG_DONTWAIT) || !wrap_waiter())
		return real(sendmmsg)(fd, m, n, flags);
	for (i = 0; i < n && i < IOV_MAX; i++) {
		ret = send_all(fd, &m[i].msg_hdr, flags);
		if (ret < 0)
			break;
		m[i].msg_len = (unsigned int)ret;
	}
	return (int)(ret < 0 ? posix(part(i, ret)) : (ssize_t)i);
}

/* Is there room now? What a pipe takes at once is written as a whole. */
static bool has_room(int fd, size_t bytes)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return bytes <= PIPE_BUF && real(poll)(&p, 1, 0) > 0;
}

/* To anything else, all of it. */
static ssize_t write_all(int fd, const struct iovec *iov, int n)
{
	const struct iovec *left;
	ssize_t ret, done = 0;
	struct wait_io io;
	struct iovec one;
	size_t count;

	if (has_room(fd, iov_bytes(iov, (size_t)n)) ||
	    !wait_begin(&io, fd, SO_SNDTIMEO))
		return real(writev)(fd, iov, n);
	do {
		left = iov;
		count = rest(&left, (size_t)n, (size_t)done, &one);
		ret = count ? baton_writev(fd, left, (int)count) : 0;
		if (ret > 0)
			done += ret;
	} while (ret > 0);
	return wait_over(&io, part(done, ret), EAGAIN);
}

WRAP ssize_t writev(int fd, const struct iovec *iov, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)iov };
	ssize_t ret;

	/* Of nothing it sends no datagram. */
	if (n <= 0 || n > IOV_MAX || !wrap_waiter() ||
	    !iov_bytes(iov, (size_t)n))
		return real(writev)(fd, iov, n);
	m.msg_iovlen = (size_t)n;
	ret = send_all(fd, &m, 0);
	return ret == -ENOTSOCK ? write_all(fd, iov, n) : posix(ret);
}

WRAP ssize_t write(int fd, const void *buf, size_t n)
{
	struct iovec iov = { (void *)buf, n };

	if (!n || !wrap_waiter())
		return real(write)(fd, buf, n);
	return writev(fd, &iov, 1);
}

/* --- connections --------------------------------------------------------- */

WRAP int accept4(int fd, struct sockaddr *restrict a, socklen_t *restrict len,
		 int flags)
{
	struct wait_io io;

	if (!wrap_waiter() || !wait_begin(&io, fd, SO_RCVTIMEO))
		return real(accept4)(fd, a, len, flags);
	return (int)wait_over(&io,
			      baton_accept4_until(fd, a, len, flags,
						  io.deadline),
			      EAGAIN);
}

WRAP int accept(int fd, struct sockaddr *restrict a, socklen_t *restrict len)
{
	return wrap_waiter() ? accept4(fd, a, len, 0) :
			       real(accept)(fd, a, len);
}

WRAP int connect(int fd, const struct sockaddr *a, socklen_t len)
{
	struct wait_io io;

	if (!wrap_waiter() || !wait_begin(&io, fd, SO_SNDTIMEO))
		return real(connect)(fd, a, len);
	/* What is in progress then goes on; the wait for room does not. */
	return (int)wait_over(&io, baton_connect_until(fd, a, len, io.deadline),
			      a && a->sa_family == AF_UNIX ? EAGAIN :
							     EINPROGRESS);
}

WRAP int close(int fd)
{
	struct wrap_errno e;

	if (!wrap_waiter())
		return real(close)(fd);
	baton_wrap_enter(&e);
	return (int)baton_wrap_result(&e, baton_close(fd));
}

WRAP int getaddrinfo(const char *restrict node, const char *restrict service,
		     const struct addrinfo *restrict hints,
		     struct addrinfo **restrict res)
{
	if (!wrap_waiter())
		return real(getaddrinfo)(node, service, hints, res);
	return wrap_foreign(&real(getaddrinfo), node, service, hints, res);
}
