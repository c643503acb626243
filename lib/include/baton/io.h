/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * io.h - sockets, pipes, terminals, processes, signals.
 *
 * What these calls do is what POSIX says of their namesakes, but that an error
 * is returned as -errno, and errno stays as it is. A fiber that has to wait
 * lets others run meanwhile; in foreign code, and on any other thread, the
 * thread waits, as it does in POSIX. No scheduler need run. Whether a
 * descriptor is O_NONBLOCK makes no difference, and is never changed: what
 * would say EAGAIN waits.
 *
 * All of them end with
 *
 *	-ECANCELED	by baton_cancel()
 *	-ETIMEDOUT	at the deadline of the forms *_until(), or of a scope
 *			(baton_deadline_push()); what can be had at once is had
 *	-EBADF		also if baton_close() closes the descriptor meanwhile
 *
 * and none with -EINTR or -EAGAIN, unless it says so. If one of these errors
 * is returned nothing was read or written. A socket or pipe that nobody reads
 * any more is -EPIPE; only baton_write() and baton_writev() raise SIGPIPE, as
 * POSIX has it, unless it is ignored.
 *
 * Any number of fibers may wait for one descriptor. A descriptor is closed by
 * baton_close(), which tells fibers that wait for it. close() does not: who
 * waits is not told at once, but looks again at the latest when a descriptor with
 * this number is next waited for; no data of the new one is lost by that.
 *
 * Unless something else is said: any thread; blocks the fiber, or the thread;
 * not async-signal-safe.
 */
#ifndef BATON_IO_H
#define BATON_IO_H

#include <baton/chan.h>
#include <baton/time.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/select.h> /* sigset_t, also with -std=c11 */
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo;

/**
 * baton_read() - read
 * @fd:  a descriptor of any kind. A regular file is read at its position, which
 *       blocks the fiber alone, too.
 * @buf: where to
 * @n:   how many bytes at most
 *
 * Return: how many bytes were read, as soon as there are any; 0 at the end;
 * -errno.
 */
ssize_t baton_read(int fd, void *buf, size_t n);

/** baton_read_until() - the same, until @deadline: -ETIMEDOUT. */
ssize_t baton_read_until(int fd, void *buf, size_t n, int64_t deadline);

/**
 * baton_write() - write
 * @fd:  a descriptor of any kind
 * @buf: what
 * @n:   how many bytes
 *
 * It waits until some can be written. To a stream it may write fewer than @n,
 * also where a blocking write() would have waited for room for the rest.
 *
 * Return: how many bytes were written; -errno.
 */
ssize_t baton_write(int fd, const void *buf, size_t n);

/** baton_write_until() - the same, until @deadline: -ETIMEDOUT. */
ssize_t baton_write_until(int fd, const void *buf, size_t n, int64_t deadline);

/**
 * baton_readv() - baton_read() to several places; baton_writev(): from
 * @fd:  a descriptor of any kind
 * @iov: the places
 * @n:   how many places, up to IOV_MAX
 *
 * Return: as baton_read() and baton_write().
 */
ssize_t baton_readv(int fd, const struct iovec *iov, int n);
ssize_t baton_writev(int fd, const struct iovec *iov, int n);

/** baton_readv_until(), baton_writev_until() - until @deadline: -ETIMEDOUT. */
ssize_t baton_readv_until(int fd, const struct iovec *iov, int n,
			  int64_t deadline);
ssize_t baton_writev_until(int fd, const struct iovec *iov, int n,
			   int64_t deadline);

/**
 * baton_recv() - receive from a socket
 * @fd:    the socket
 * @buf:   where to
 * @n:     how many bytes at most
 * @flags: MSG_* as for recv(); with MSG_DONTWAIT -EAGAIN instead of a wait.
 *         MSG_WAITALL is heeded.
 *
 * Return: how many bytes were received; 0 at the end; -errno. With MSG_WAITALL
 * fewer than @n also if an error or a deadline came after the first ones.
 */
ssize_t baton_recv(int fd, void *buf, size_t n, int flags);

/** baton_recv_until() - the same, until @deadline: -ETIMEDOUT. */
ssize_t baton_recv_until(int fd, void *buf, size_t n, int flags,
			 int64_t deadline);

/**
 * baton_send() - send to a socket
 * @fd:    the socket
 * @buf:   what
 * @n:     how many bytes
 * @flags: MSG_* as for send(). MSG_NOSIGNAL is implied. With MSG_DONTWAIT
 *         -EAGAIN instead of a wait.
 *
 * Return: how many bytes were sent, which to a stream may be fewer than @n;
 * -errno.
 */
ssize_t baton_send(int fd, const void *buf, size_t n, int flags);

/** baton_send_until() - the same, until @deadline: -ETIMEDOUT. */
ssize_t baton_send_until(int fd, const void *buf, size_t n, int flags,
			 int64_t deadline);

/**
 * baton_recvmsg() - receive a message; baton_sendmsg(): send one
 * @fd:    the socket
 * @m:     as for recvmsg() and sendmsg()
 * @flags: as for baton_recv() and baton_send(), but that MSG_WAITALL does not
 *         wait again
 *
 * Return: as baton_recv() and baton_send().
 */
ssize_t baton_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t baton_sendmsg(int fd, const struct msghdr *m, int flags);

/** baton_recvmsg_until(), baton_sendmsg_until() - until @deadline */
ssize_t baton_recvmsg_until(int fd, struct msghdr *m, int flags,
			    int64_t deadline);
ssize_t baton_sendmsg_until(int fd, const struct msghdr *m, int flags,
			    int64_t deadline);

/**
 * baton_accept() - accept a connection
 * @fd:  a listening socket
 * @a:   where to put the peer's address; NULL: nowhere
 * @len: in and out: its size; NULL if @a is
 *
 * Return: the connection's descriptor; -errno. A connection that was aborted
 * before it was accepted is passed over. -EMFILE and the like come after a
 * pause of a few milliseconds, which grows while they go on, since a listening
 * socket stays ready meanwhile: who simply tries again does not spin.
 */
int baton_accept(int fd, struct sockaddr *a, socklen_t *len);

/** baton_accept4() - the same; @flags: SOCK_CLOEXEC, SOCK_NONBLOCK. */
int baton_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags);

/** baton_accept4_until() - the same, until @deadline: -ETIMEDOUT. */
int baton_accept4_until(int fd, struct sockaddr *a, socklen_t *len, int flags,
			int64_t deadline);

/**
 * baton_connect() - connect a socket
 * @fd:  the socket
 * @a:   the address
 * @len: its size
 *
 * After -ETIMEDOUT or -ECANCELED the connection may still come about: the
 * socket is to be closed. -ETIMEDOUT may be the network's, as with connect().
 *
 * Return: 0; -errno.
 */
int baton_connect(int fd, const struct sockaddr *a, socklen_t len);

/** baton_connect_until() - the same, until @deadline: -ETIMEDOUT. */
int baton_connect_until(int fd, const struct sockaddr *a, socklen_t len,
			int64_t deadline);

/**
 * baton_poll() - wait until one of several descriptors is ready
 * @fds:      as for poll()
 * @n:        how many
 * @deadline: until when; BATON_NEVER. One that is past, 0 say: look once, and
 *            do not wait.
 *
 * Return: how many have something in revents; 0 @deadline has come; -errno.
 * A descriptor that baton_close() closes meanwhile has POLLNVAL.
 */
int baton_poll(struct pollfd *fds, nfds_t n, int64_t deadline);

/**
 * baton_shutdown() - shutdown(): who waits for @fd goes on. Blocks neither.
 * @fd:  a socket
 * @how: SHUT_RD, SHUT_WR, SHUT_RDWR
 *
 * Return: 0; -errno.
 */
int baton_shutdown(int fd, int how);

/**
 * baton_close() - close a descriptor
 * @fd: it; any descriptor
 *
 * A fiber that waits for it goes on with -EBADF, a case of baton_select() and
 * an entry of baton_poll() with POLLNVAL. None of them reads from, or writes to,
 * a descriptor that is given the same number later. A thread that waits, or
 * foreign code, waits in the kernel and is not told, as by close(): it is to
 * end first.
 *
 * Return: 0; -errno, and @fd is closed unless that is -EBADF. Blocks neither,
 * unless close() does.
 */
int baton_close(int fd);

/**
 * baton_splice() - splice(): move bytes, one end being a pipe
 * @in:      from where
 * @off_in:  from which offset, in and out; NULL: the position, or no file
 * @out:     where to
 * @off_out: to which offset, in and out; NULL: as above
 * @n:       how many bytes at most
 * @flags:   SPLICE_F_*; with SPLICE_F_NONBLOCK -EAGAIN instead of a wait
 *
 * A regular file at one of the ends blocks the fiber alone, too.
 *
 * Return: how many bytes were moved; 0 at the end; -errno.
 */
ssize_t baton_splice(int in, int64_t *off_in, int out, int64_t *off_out,
		     size_t n, unsigned int flags);

/**
 * baton_sendfile() - send part of a file
 * @out: where to; any descriptor
 * @in:  a file
 * @off: from which offset, in and out; NULL: the position
 * @n:   how many bytes at most
 *
 * Return: how many bytes were sent, which may be fewer than @n; 0 at the end;
 * -errno.
 */
ssize_t baton_sendfile(int out, int in, int64_t *off, size_t n);

/**
 * baton_getaddrinfo() - look up names, as a foreign call
 * @node, @service, @hints, @res: as for getaddrinfo(); what it finds is freed
 *                                by freeaddrinfo()
 *
 * A deadline does not end it, nor does a cancel, unless the resolver heeds
 * signals.
 *
 * Return: 0; EAI_*, as getaddrinfo() does; EAI_SYSTEM: errno says which error,
 * and is to be read at once.
 */
int baton_getaddrinfo(const char *node, const char *service,
		      const struct addrinfo *hints, struct addrinfo **res);

/**
 * baton_waitpid() - wait for a child
 * @pid:     which, as for waitpid(): one, any of some group, or any
 * @status:  out: how it has ended; or NULL
 * @options: WNOHANG, WUNTRACED, WCONTINUED
 *
 * Return: the child's number; 0 with WNOHANG and none; -errno.
 */
pid_t baton_waitpid(pid_t pid, int *status, int options);

/** baton_waitpid_until() - the same, until @deadline: -ETIMEDOUT. */
pid_t baton_waitpid_until(pid_t pid, int *status, int options,
			  int64_t deadline);

/**
 * baton_signal_notify() - signals as elements of a channel
 * @ch:  a channel of struct signalfd_siginfo (<sys/signalfd.h>), with a
 *       capacity
 * @set: which signals; more of them, if there were some for @ch already
 *
 * From now on each of these signals that comes is sent to @ch, unless that is
 * full: then it is lost, as in Go. Signals that come while one of the same
 * number waits to be received by the library are one. A signal that several
 * channels are to have comes to each. What was sent to this process comes, not
 * what was sent to one of its threads.
 *
 * The signals have to be blocked in all threads of the process, or a thread
 * that has not blocked them may have them instead: block them by
 * pthread_sigmask() before baton_run(), whose threads inherit that.
 *
 * Return: 0; -EINVAL an argument NULL, the channel's elements of another size
 * or none held, or @set has none or one that cannot be blocked; -EPERM some thread
 * has not blocked them, or this is not called by a fiber; see baton_reason().
 * -ENOMEM, -EMFILE. From a fiber. Blocks neither.
 */
int baton_signal_notify(struct baton_chan *ch, const sigset_t *set);

/**
 * baton_signal_stop() - no more signals to a channel
 * @ch: the channel: when this returns it is not touched any more. It stays
 *      open, and the signals stay blocked.
 *
 * Return: 0; -EINVAL no signals were to come to @ch; -EPERM not from a fiber.
 * From a fiber. Blocks the fiber for a moment.
 */
int baton_signal_stop(struct baton_chan *ch);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_IO_H */
