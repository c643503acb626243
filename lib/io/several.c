// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * several.c - wait for several descriptors; and close one.
 *
 * poll() is asked first, without waiting. If it has nothing to say the fiber is
 * listed with each descriptor whose seq is what it was before that, and looks
 * again when any of them has won it.
 */
#include <baton/call.h>
#include <limits.h>
#include <stdlib.h>

#include "../core/reason.h"
#include "op.h"

/* More than these are had from malloc(). */
#define FEW 8

/**
 * struct place - a fiber's on the list of one side of a descriptor
 * @entry: see desc.h
 * @d:     the descriptor; NULL: not waited for
 * @gen:   when this began
 * @seq:   before poll() was asked
 * @side:  which one
 */
struct place {
	struct poller_entry entry;
	struct desc *d;
	uint32_t gen;
	uint32_t seq;
	enum side side;
};

/* Both sides of each of @fds. */
struct several {
	struct baton_rt *rt;
	struct pollfd *fds;
	nfds_t n;
	struct place *places;
};

static int __attribute__((noinline)) look(struct pollfd *fds, nfds_t n)
{
	int saved = errno, ret;

	do
		ret = poll(fds, n, 0);
	while (ret < 0 && errno == EINTR);
	return (int)op_result(ret, saved);
}

static bool wants(const struct pollfd *p, enum side side)
{
	short out = POLLOUT | POLLWRNORM | POLLWRBAND;
	short in = POLLIN | POLLPRI | POLLRDHUP | POLLRDNORM | POLLRDBAND;

	if (p->fd < 0)
		return false;
	/* Who asks for neither still hears of an error, and of the end. */
	return side == SIDE_WRITE ? p->events & out :
				    p->events & in || !(p->events & out);
}

/* False: some descriptor cannot be waited for here. */
static bool find_all(struct several *s)
{
	for (nfds_t i = 0; i < 2 * s->n; i++) {
		struct place *at = &s->places[i];

		*at = (struct place){ .side = i % 2 ? SIDE_WRITE : SIDE_READ };
		if (!wants(&s->fds[i / 2], at->side))
			continue;
		at->d = baton_desc_get(s->rt, s->fds[i / 2].fd);
		if (!at->d)
			return false;
		at->gen = READ_ONCE(at->d->gen);
	}
	return true;
}

/* How many were closed, and say POLLNVAL. */
static int closed(struct several *s)
{
	int n = 0;

	for (nfds_t i = 0; i < 2 * s->n; i++) {
		const struct place *at = &s->places[i];
		struct pollfd *p = &s->fds[i / 2];

		if (!at->d || (READ_ONCE(at->d->gen) == at->gen &&
			       !at->entry.closed))
			continue;
		n += p->revents != POLLNVAL;
		p->revents = POLLNVAL;
	}
	return n;
}

static void unlist(struct several *s, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++) {
		struct place *at = &s->places[i];

		if (!at->d)
			continue;
		lock_take(&at->d->lock);
		waitq_del(&at->d->queue[at->side], &at->entry.entry);
		lock_drop(&at->d->lock);
	}
}

/* List the waiter, which was armed, with all: how many before one that has
 * changed since poll() was asked. */
static nfds_t list(struct several *s, struct waiter *waiter)
{
	nfds_t i;

	for (i = 0; i < 2 * s->n; i++) {
		struct place *at = &s->places[i];
		bool same;

		if (!at->d)
			continue;
		lock_take(&at->d->lock);
		same = at->d->seq[at->side] == at->seq &&
		       at->d->gen == at->gen;
		if (same)
			desc_list_locked(at->d, at->side, &at->entry, waiter);
		lock_drop(&at->d->lock);
		if (!same)
			break;
	}
	return i;
}

/* 0: look again; or -errno. */
static int wait_once(struct several *s, int64_t deadline)
{
	struct wait t;
	nfds_t listed;
	int err = 0;

	wait_enter(&t);
	wait_arm(&t, WAIT_ON_OTHER);
	listed = list(s, t.waiter);
	if (listed < 2 * s->n) {
		/* Off the lists first: who has won by one of them resumes. */
		unlist(s, listed);
		baton_wait_disarm(&t);
		wait_leave(&t);
		return 0;
	}
	baton_polling_waits(s->rt, 1);
	/* Without the lock: who confirms meanwhile makes this one superfluous. */
	for (nfds_t i = 0; i < 2 * s->n; i++)
		if (s->places[i].d)
			baton_desc_listed(
				s->rt, s->places[i].d,
				READ_ONCE(s->places[i].entry.confirmed));
	err = wait_block(&t, deadline);
	baton_polling_waits(s->rt, -1);
	unlist(s, 2 * s->n);
	wait_leave(&t);
	return err;
}

/* Each is in the epoll set, and its seq is noted. */
static int register_all(struct several *s)
{
	for (nfds_t i = 0; i < 2 * s->n; i++) {
		struct place *at = &s->places[i];
		unsigned char confirmed = at->entry.confirmed;
		int err;

		if (!at->d)
			continue;
		err = baton_desc_register(s->rt, at->d, at->side, at->gen,
					  &confirmed);
		at->entry = (struct poller_entry){ .confirmed = confirmed };
		/* A file, and not ready for what is asked: it never is. */
		if (err == -EPERM) {
			at->d = NULL;
			continue;
		}
		if (err && err != -EBADF)
			return err;
		at->seq = desc_seq(at->d, at->side);
	}
	return 0;
}

static int by_fiber(struct several *s, int64_t deadline)
{
	int err, n;

	for (;;) {
		n = look(s->fds, s->n);
		if (n)
			return n;
		err = register_all(s);
		if (err)
			return err;
		/* What came before seq was noted. */
		n = look(s->fds, s->n);
		if (n)
			return n;
		err = wait_once(s, deadline);
		n = closed(s);
		if (n)
			return n;
		if (err)
			return err;
	}
}

/* --- foreign calls --------------------------------------------------------- */

struct foreign {
	struct pollfd *fds;
	nfds_t n;
	int64_t deadline;
	int ret;
};

static void poll_call(void *arg)
{
	struct foreign *f = arg;

	f->ret = baton_op_poll(f->fds, f->n, f->deadline);
}

static int by_call(struct pollfd *fds, nfds_t n, int64_t deadline)
{
	struct foreign f = { fds, n, deadline, 0 };

	baton_call(poll_call, &f);
	return f.ret;
}

int baton_poll(struct pollfd *fds, nfds_t n, int64_t deadline)
{
	struct baton_worker *w = baton_worker_self();
	/* A debug build searches the stack, which is to hold nothing old here. */
	struct place few[2 * FEW] = { 0 };
	struct several s = { .fds = fds, .n = n, .places = few };
	int64_t scope;
	int ret;

	if (n > INT_MAX / 4 || (n && !fds))
		return baton_error(-EINVAL, "descriptors: NULL, or too many");
	if (deadline < 0)
		deadline = 0;
	ret = look(fds, n);
	if (ret || !deadline) {
		if (deadline && sched_on_fiber(w))
			fiber_unwaited(w->fiber);
		return ret;
	}
	if (!sched_on_fiber(w))
		return baton_op_poll(fds, n, deadline);
	scope = w->fiber->deadline;
	s.rt = w->rt;
	if (n > FEW)
		s.places = malloc(2 * n * sizeof(*s.places));
	if (!s.places)
		return -ENOMEM;
	/* Who waits for time alone needs the poller as well: any makes it. If
	 * there is no room a thread waits. */
	ret = baton_desc_get(s.rt, 0) && find_all(&s) ? by_fiber(&s, deadline) :
							-ENOMEM;
	if (unlikely(desc_no_room(ret))) {
		ret = by_call(fds, n, deadline < scope ? deadline : scope);
		/* Whose it was is told below. */
		if (!ret)
			ret = -ETIMEDOUT;
	}
	if (n > FEW)
		free(s.places);
	/* The end of a scope is not what was asked for. */
	if (ret == -ETIMEDOUT && deadline <= scope)
		ret = 0;
	return ret;
}

int baton_close(int fd)
{
	return baton_desc_close(fd);
}
