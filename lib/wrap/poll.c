// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * poll.c - poll(), select() and epoll_wait() in fiber code.
 *
 * All of them wait by baton_poll(), and have the answer from the C library's
 * own with a time-out of 0. With a signal mask they are foreign calls: the mask
 * is the thread's, and is to be another one for this wait alone.
 */
#include <stdlib.h>
#include <string.h>

#include "real.h"

static int64_t after_ms(int ms)
{
	return ms < 0 ? BATON_NEVER : wrap_after(ms * BATON_MSEC);
}

static int64_t after_ts(const struct timespec *ts)
{
	return ts ? wrap_after(wrap_ns(ts)) : BATON_NEVER;
}

/* As baton_poll(). errno is as it was. */
static int wait_until(struct pollfd *fds, nfds_t n, int64_t deadline)
{
	struct wrap_errno e;
	int ret;

	baton_wrap_enter(&e);
	ret = baton_poll(fds, n, deadline);
	baton_wrap_leave(&e, 0);
	return ret;
}

static int poll_until(struct pollfd *fds, nfds_t n, int64_t deadline)
{
	struct wrap_errno e;

	baton_wrap_enter(&e);
	return (int)baton_wrap_result(&e, wait_until(fds, n, deadline));
}

WRAP int poll(struct pollfd *fds, nfds_t n, int ms)
{
	if (!ms || (!fds && n) || !wrap_waiter())
		return real(poll)(fds, n, ms);
	return poll_until(fds, n, after_ms(ms));
}

WRAP int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts,
	       const sigset_t *mask)
{
	if ((!fds && n) || !wrap_waiter() ||
	    (ts && (ts->tv_sec < 0 || !wrap_valid(ts))))
		return real(ppoll)(fds, n, ts, mask);
	if (mask)
		return wrap_foreign(&real(ppoll), fds, n, ts, mask);
	return poll_until(fds, n, after_ts(ts));
}

/* --- select() ------------------------------------------------------------ */

/* Bits of as many words as the system reads of a set for @n descriptors. */
static size_t set_size(int n)
{
	return ((size_t)n + NFDBITS - 1) / NFDBITS * sizeof(fd_mask);
}

static bool in_set(const void *set, int fd)
{
	const fd_mask *word = set;

	return word && (word[fd / NFDBITS] >> (fd % NFDBITS) & 1);
}

/**
 * struct sets - what select() is asked, which each look overwrites
 * @n:     as select()'s
 * @set:   in and out, as the caller's
 * @saved: what was asked; NULL: no such set
 * @fds:   the same for poll()
 */
struct sets {
	int n;
	fd_set *set[3];
	void *saved[3];
	struct pollfd *fds;
};

static struct pollfd *sets_fds(const struct sets *s, nfds_t *n)
{
	static const short events[] = { POLLIN, POLLOUT, POLLPRI };
	short wanted;

	*n = 0;
	for (int fd = 0; fd < s->n; fd++) {
		wanted = 0;
		for (unsigned int i = 0; i < 3; i++)
			if (in_set(s->saved[i], fd))
				wanted |= events[i];
		if (wanted)
			s->fds[(*n)++] = (struct pollfd){ fd, wanted, 0 };
	}
	return s->fds;
}

/* As the caller has asked. */
static void sets_ask(struct sets *s)
{
	for (unsigned int i = 0; i < 3; i++)
		if (s->saved[i])
			memcpy(s->set[i], s->saved[i], set_size(s->n));
}

/* What is ready now, as select(). */
static int sets_look(struct sets *s)
{
	struct timeval none = { 0 };

	sets_ask(s);
	return real(select)(s->n, s->set[0], s->set[1], s->set[2], &none);
}

/*
 * poll() says of each descriptor that it has an error or has ended, select() of
 * a set does not of each set: what poll() says of @events, but no set.
 */
static short of_no_set(short events)
{
	return events & POLLIN	? 0 :
	       events & POLLOUT ? POLLHUP :
				  POLLHUP | POLLERR;
}

/*
 * Of whom nothing else is said, which would be for ever, nothing is to be had.
 * What has been over before select() looked is to be waited for again: a FIFO
 * that had no writer, and has one.
 */
static void sets_forget(struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents &&
		    !(fds[i].revents & ~of_no_set(fds[i].events)))
			fds[i].fd = -1;
}

static int sets_wait(struct sets *s, int64_t deadline)
{
	struct pollfd *fds;
	nfds_t n;
	int ret;

	fds = sets_fds(s, &n);
	for (;;) {
		struct wrap_errno e;

		baton_wrap_enter(&e);
		ret = wait_until(fds, n, deadline);
		if (ret < 0)
			return (int)baton_wrap_result(&e, ret);
		/* Another one may have been faster. */
		ret = sets_look(s);
		if (ret || baton_now() >= deadline)
			return ret;
		sets_forget(fds, n);
	}
}

/* Never inline: errno is where the fiber is now. */
static int __attribute__((noinline)) no_memory(void)
{
	errno = ENOMEM;
	return -1;
}

/* What is ready, or will be by @deadline. */
static int select_until(int n, fd_set *in, fd_set *out, fd_set *except,
			int64_t deadline)
{
	struct sets s = { .n = n, .set = { in, out, except } };
	size_t size = set_size(n);
	char *copy;
	int ret;

	/* Mostly it is more than a stack has room for. */
	s.fds = malloc((size_t)n * sizeof(*s.fds) + 3 * size + 1);
	if (!s.fds)
		return no_memory();
	copy = (char *)(s.fds + n);
	for (unsigned int i = 0; i < 3; i++, copy += size)
		if (s.set[i])
			s.saved[i] = memcpy(copy, s.set[i], size);
	ret = sets_look(&s);
	if (!ret && baton_now() < deadline)
		ret = sets_wait(&s, deadline);
	/* A failure leaves the sets as they were. */
	if (ret < 0)
		sets_ask(&s);
	free(s.fds);
	return ret;
}

WRAP int select(int n, fd_set *in, fd_set *out, fd_set *except,
		struct timeval *tv)
{
	int64_t deadline = BATON_NEVER, left;
	int ret;

	if (!wrap_waiter() || n < 0 || (tv && (tv->tv_sec < 0 ||
	    tv->tv_usec < 0 || tv->tv_usec >= 1000000)))
		return real(select)(n, in, out, except, tv);
	/* The kernel looks at no more of it than there are descriptors. */
	if (n > FD_SETSIZE)
		return wrap_foreign(&real(select), n, in, out, except, tv);
	if (tv)
		deadline = after_ts(&(struct timespec){ tv->tv_sec,
							tv->tv_usec * 1000 });
	ret = select_until(n, in, out, except, deadline);
	/* Linux says how much is left. */
	if (tv && ret >= 0) {
		left = deadline - baton_now();
		left = left > 0 ? left / BATON_USEC : 0;
		tv->tv_sec = (time_t)(left / 1000000);
		tv->tv_usec = (suseconds_t)(left % 1000000);
	}
	return ret;
}

WRAP int pselect(int n, fd_set *in, fd_set *out, fd_set *except,
		 const struct timespec *ts, const sigset_t *mask)
{
	if (!wrap_waiter() || n < 0 || (ts && (ts->tv_sec < 0 ||
					       !wrap_valid(ts))))
		return real(pselect)(n, in, out, except, ts, mask);
	if (mask || n > FD_SETSIZE)
		return wrap_foreign(&real(pselect), n, in, out, except, ts,
				    mask);
	return select_until(n, in, out, except, after_ts(ts));
}

/* --- epoll --------------------------------------------------------------- */

/* The epoll descriptor is ready while it has events. */
static int epoll_until(int epfd, struct epoll_event *events, int max,
		       int64_t deadline)
{
	struct pollfd fd = { .fd = epfd, .events = POLLIN };
	int ret;

	for (;;) {
		struct wrap_errno e;

		ret = real(epoll_wait)(epfd, events, max, 0);
		if (ret || baton_now() >= deadline)
			return ret;
		baton_wrap_enter(&e);
		ret = wait_until(&fd, 1, deadline);
		if (ret < 0)
			return (int)baton_wrap_result(&e, ret);
	}
}

WRAP int epoll_wait(int epfd, struct epoll_event *events, int max, int ms)
{
	if (!ms || !wrap_waiter())
		return real(epoll_wait)(epfd, events, max, ms);
	return epoll_until(epfd, events, max, after_ms(ms));
}

WRAP int epoll_pwait(int epfd, struct epoll_event *events, int max, int ms,
		     const sigset_t *mask)
{
	if (!ms || !wrap_waiter())
		return real(epoll_pwait)(epfd, events, max, ms, mask);
	if (mask)
		return wrap_foreign(&real(epoll_pwait), epfd, events, max, ms,
				    mask);
	return epoll_until(epfd, events, max, after_ms(ms));
}

WRAP int epoll_pwait2(int epfd, struct epoll_event *events, int max,
		      const struct timespec *ts, const sigset_t *mask)
{
	if (!wrap_waiter() || (ts && (ts->tv_sec < 0 || !wrap_valid(ts))))
		return real(epoll_pwait2)(epfd, events, max, ts, mask);
	if (mask)
		return wrap_foreign(&real(epoll_pwait2), epfd, events, max, ts,
				    mask);
	return epoll_until(epfd, events, max, after_ts(ts));
}
