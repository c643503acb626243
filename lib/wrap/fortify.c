// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fortify.c - other names of what is wrapped: what _FORTIFY_SOURCE makes of it,
 *             with the size of the buffer; and the C library's own.
 */
#include "real.h"

/* The C library's: ends the process. */
extern void __chk_fail(void) __attribute__((noreturn));

static void fits(size_t n, size_t size)
{
	if (unlikely(n > size))
		__chk_fail();
}

WRAP ssize_t __read_chk(int fd, void *buf, size_t n, size_t size);
WRAP ssize_t __read_chk(int fd, void *buf, size_t n, size_t size)
{
	fits(n, size);
	return read(fd, buf, n);
}

WRAP ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags);
WRAP ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags)
{
	fits(n, size);
	return recv(fd, buf, n, flags);
}

WRAP ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags,
			    struct sockaddr *a, socklen_t *len);
WRAP ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags,
			    struct sockaddr *a, socklen_t *len)
{
	fits(n, size);
	return recvfrom(fd, buf, n, flags, a, len);
}

WRAP int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size);
WRAP int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size)
{
	fits(n, size / sizeof(*fds));
	return poll(fds, n, ms);
}

WRAP int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts,
		     const sigset_t *mask, size_t size);
WRAP int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts,
		     const sigset_t *mask, size_t size)
{
	fits(n, size / sizeof(*fds));
	return ppoll(fds, n, ts, mask);
}

#define SAME(type, f, params, args)					\
	WRAP type __##f params;						\
	WRAP type __##f params						\
	{								\
		return f args;						\
	}

/* What these are called with */
#define SEND	(int fd, const void *buf, size_t n, int flags)
#define CONNECT	(int fd, const struct sockaddr *a, socklen_t len)
#define SELECT	(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *tv)
#define SLEEP	(const struct timespec *req, struct timespec *rem)
#define POLL	(struct pollfd *fds, nfds_t n, int ms)

SAME(int, close, (int fd), (fd))
SAME(int, connect, CONNECT, (fd, a, len))
SAME(int, nanosleep, SLEEP, (req, rem))
SAME(int, poll, POLL, (fds, n, ms))
SAME(int, pthread_mutex_lock, (pthread_mutex_t *m), (m))
SAME(int, pthread_mutex_trylock, (pthread_mutex_t *m), (m))
SAME(int, pthread_mutex_unlock, (pthread_mutex_t *m), (m))
SAME(int, pthread_rwlock_rdlock, (pthread_rwlock_t *l), (l))
SAME(int, pthread_rwlock_trywrlock, (pthread_rwlock_t *l), (l))
SAME(int, pthread_rwlock_unlock, (pthread_rwlock_t *l), (l))
SAME(int, pthread_rwlock_wrlock, (pthread_rwlock_t *l), (l))
SAME(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
SAME(int, select, SELECT, (n, r, w, x, tv))
SAME(ssize_t, send, SEND, (fd, buf, n, flags))
SAME(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
