// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * move.c - splice and sendfile.
 *
 * Both ends are waited for by baton_poll(), and the call itself is a foreign
 * one: a file may have to be read, and others may be faster. What is sent at
 * once to a socket is what it has room for when poll() says so, so that a slow
 * peer does not hold the call up.
 */
#include <baton/call.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "op.h"

/**
 * struct move - one call of either
 * @off_in, @off_out: as the caller has them; the latter of splice() alone
 * @splice: which one
 */
struct move {
	int in;
	int64_t *off_in;
	int out;
	int64_t *off_out;
	size_t n;
	unsigned int flags;
	bool splice;
	ssize_t ret;
};

/* A pipe that has room has at least this. */
#define ROOM 4096

/* How much @fd takes at once without waiting, since poll() has said that it is
 * writable: a third of its buffer is free, then. */
static size_t __attribute__((noinline)) room(int fd)
{
	socklen_t len = sizeof(int);
	int saved = errno, size = 0;
	size_t n = ROOM;
	struct stat st;

	if (!getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len))
		n = size / 4 > ROOM ? (size_t)size / 4 : ROOM;
	else if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		n = SSIZE_MAX;
	errno = saved;
	return n;
}

static ssize_t move_once(const struct move *m)
{
	return m->splice ?
		       splice(m->in, (loff_t *)m->off_in, m->out,
			      (loff_t *)m->off_out, m->n, m->flags) :
		       sendfile64(m->out, m->in, (off64_t *)m->off_in, m->n);
}

/*
 * Neither has a MSG_NOSIGNAL. The SIGPIPE of a write goes to the thread that
 * writes: blocked, it waits there, and is taken from there. One that waited
 * before stays: signals of one number do not add up.
 */
static void __attribute__((noinline)) move_call(void *arg)
{
	static const struct timespec now;
	struct move *m = arg;
	sigset_t set, old, before;
	int saved = errno;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigemptyset(&before);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	if (unlikely(sigismember(&old, SIGPIPE)))
		sigpending(&before);
	do {
		m->ret = op_result(move_once(m), saved);
		/* It may come after a part, too. */
		if (m->ret != (ssize_t)m->n && !sigismember(&before, SIGPIPE))
			sigtimedwait(&set, NULL, &now);
	} while (m->ret == -EINTR && !baton_wait_thread_canceled());
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	if (m->ret == -EINTR)
		m->ret = -ECANCELED;
}

static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = baton_poll(&p, 1, BATON_NEVER);

	return n < 0 ? n : p.revents & POLLNVAL ? -EBADF : 0;
}

static ssize_t move(struct move *m)
{
	bool once = m->splice && m->flags & SPLICE_F_NONBLOCK;
	int err;

	/* poll() says nothing of these, ever. */
	if (m->in < 0 || m->out < 0)
		return -EBADF;
	for (int vain = 0;; vain++) {
		err = once ? 0 : wait_for(m->in, POLLIN);
		if (!err && !once)
			err = wait_for(m->out, POLLOUT);
		if (err)
			return err;
		/* It is ready, and has nothing to give: let the kernel wait. */
		if (m->splice && !once && vain < 2)
			m->flags |= SPLICE_F_NONBLOCK;
		else if (!once)
			m->flags &= ~(unsigned int)SPLICE_F_NONBLOCK;
		if (sched_on_fiber(baton_worker_self()))
			baton_call(move_call, m);
		else
			move_call(m);
		if (m->ret != -EAGAIN || once)
			return m->ret;
	}
}

ssize_t baton_splice(int in, int64_t *off_in, int out, int64_t *off_out,
		     size_t n, unsigned int flags)
{
	struct move m = {
		.in = in,
		.off_in = off_in,
		.out = out,
		.off_out = off_out,
		.n = n < room(out) ? n : room(out),
		.flags = flags,
		.splice = true,
	};

	return move(&m);
}

ssize_t baton_sendfile(int out, int in, int64_t *off, size_t n)
{
	struct move m = {
		.in = in,
		.off_in = off,
		.out = out,
		.n = n < room(out) ? n : room(out),
	};

	return move(&m);
}
