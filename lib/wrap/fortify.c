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

#define SAME(type, name, f, params, ...)				\
	WRAP type name params;						\
	WRAP type name params						\
	{								\
		return f(__VA_ARGS__);					\
	}

SAME(int, __close, close, (int fd), fd)
SAME(int, __connect, connect, (int fd, const struct sockaddr *a, socklen_t len),
     fd, a, len)
SAME(int, __nanosleep, nanosleep,
     (const struct timespec *req, struct timespec *rem), req, rem)
SAME(int, __poll, poll, (struct pollfd *fds, nfds_t n, int ms), fds, n, ms)
SAME(int, __pthread_mutex_lock, pthread_mutex_lock, (pthread_mutex_t *m), m)
SAME(int, __pthread_mutex_trylock, pthread_mutex_trylock, (pthread_mutex_t *m),
     m)
SAME(int, __pthread_mutex_unlock, pthread_mutex_unlock, (pthread_mutex_t *m), m)
SAME(int, __pthread_rwlock_rdlock, pthread_rwlock_rdlock, (pthread_rwlock_t *l),
     l)
SAME(int, __pthread_rwlock_trywrlock, pthread_rwlock_trywrlock,
     (pthread_rwlock_t *l), l)
SAME(int, __pthread_rwlock_unlock, pthread_rwlock_unlock, (pthread_rwlock_t *l),
     l)
SAME(int, __pthread_rwlock_wrlock, pthread_rwlock_wrlock, (pthread_rwlock_t *l),
     l)
SAME(ssize_t, __read, read, (int fd, void *buf, size_t n), fd, buf, n)
SAME(int, __select, select,
     (int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *tv), n, in,
     out, except, tv)
SAME(ssize_t, __send, send, (int fd, const void *buf, size_t n, int flags), fd,
     buf, n, flags)
SAME(ssize_t, __write, write, (int fd, const void *buf, size_t n), fd, buf, n)
