// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * op.c - one operation on a descriptor; by a fiber, by a thread.
 *
 * Which way there is to try without waiting depends on the kind of descriptor,
 * and is found out by trying. Sockets have MSG_DONTWAIT, and most other kinds
 * RWF_NOWAIT, in new kernels. For what is left, poll() says whether there is
 * something; but others may take it before the try, which then waits. So that
 * one is a foreign call. O_NONBLOCK is the program's.
 *
 * A try after a wait, when the number may be that of another descriptor by now,
 * keeps baton_close() from closing it meanwhile (desc_begin()).
 */
#include "op.h"

#include <baton/call.h>
#include <poll.h>
#include <time.h>

#include "../core/clock.h"

/* --- threads --------------------------------------------------------------- */

int __attribute__((noinline)) baton_op_events(int fd, enum side side)
{
	struct pollfd p = {
		.fd = fd,
		.events = side == SIDE_READ ? POLLIN : POLLOUT,
	};
	int saved = errno, ret;

	do
		ret = poll(&p, 1, 0);
	while (ret < 0 && errno == EINTR);
	ret = (int)op_result(ret, saved);
	return ret > 0 ? p.revents : ret;
}

int baton_op_ready(int fd, enum side side)
{
	int events = baton_op_events(fd, side);

	return events > 0 ? 1 : events;
}

int __attribute__((noinline))
baton_op_poll(struct pollfd *fds, nfds_t n, int64_t deadline)
{
	int saved = errno, ret;

	do {
		int64_t left = deadline == BATON_NEVER ? 0 :
							 deadline - now_ns();
		struct timespec ts = timespec_of(left < 0 ? 0 : left);

		if (baton_wait_thread_canceled())
			return -ECANCELED;
		ret = ppoll(fds, n, deadline == BATON_NEVER ? NULL : &ts, NULL);
	} while (ret < 0 && errno == EINTR);
	return (int)op_result(ret, saved);
}

static ssize_t by_thread(struct op *op, int64_t deadline)
{
	struct pollfd p = {
		.fd = op->fd,
		.events = op->side == SIDE_READ ? POLLIN : POLLOUT,
	};
	ssize_t ret;
	int n;

	for (;;) {
		ret = op->attempt(op);
		if (ret == OP_CALL)
			ret = op->call(op);
		if (ret == -EINTR && baton_wait_thread_canceled())
			return -ECANCELED;
		if (ret == -EINTR)
			continue;
		if (ret != -EAGAIN || op->once)
			return ret;
		n = baton_op_poll(&p, 1, deadline);
		if (n <= 0)
			return n ? n : -ETIMEDOUT;
		/* The reader of a regular file is not to go round here. */
		if (op->kind == KIND_NOWAIT && baton_op_ready(op->fd, op->side))
			op->kind = KIND_POLL;
	}
}

/* --- foreign calls --------------------------------------------------------- */

struct foreign {
	struct op *op;
	int64_t deadline;
	ssize_t ret;
};

static void call_op(void *arg)
{
	struct foreign *f = arg;

	do
		f->ret = f->op->call(f->op);
	while (f->ret == -EINTR && !baton_wait_thread_canceled());
	if (f->ret == -EINTR)
		f->ret = -ECANCELED;
}

static void call_by_thread(void *arg)
{
	struct foreign *f = arg;

	f->ret = by_thread(f->op, f->deadline);
}

static ssize_t call(struct op *op, void (*fn)(void *), int64_t deadline)
{
	struct foreign f = { .op = op, .deadline = deadline };

	baton_call(fn, &f);
	return f.ret;
}

/* All of it, within the scopes of @f: where there is no room for the poller. */
static ssize_t by_call(struct op *op, const struct baton_fiber *f,
		       int64_t deadline)
{
	return call(op, call_by_thread,
		    f->deadline < deadline ? f->deadline : deadline);
}

/* --- fibers ---------------------------------------------------------------- */

/* What a try has shown. */
static ssize_t note(struct op *op, struct desc *d, uint32_t seq, ssize_t ret)
{
	if (unlikely(op->kind != READ_ONCE(d->kind)))
		WRITE_ONCE(d->kind, op->kind);
	if (ret == -EAGAIN)
		desc_drain(d, op->side, seq);
	else if (ret > 0 && (size_t)ret < op->asked)
		desc_short(d, op->side, seq);
	return ret;
}

static ssize_t attempt(struct op *op, struct desc *d)
{
	uint32_t seq = desc_seq(d, op->side);
	ssize_t ret;

	do
		ret = op->attempt(op);
	while (unlikely(ret == -EINTR));
	return note(op, d, seq, ret);
}

/*
 * As a foreign call, which may wait: baton_close() does not wait for that. But
 * of our fibers one calls at a time, and looks once more before: it waits only
 * if another process was faster.
 */
static ssize_t attempt_call(struct op *op, struct desc *d, uint32_t gen)
{
	uint32_t seq = desc_seq(d, op->side);
	ssize_t ret = -EAGAIN;

	if (!desc_call_begin(d, op->side, gen))
		return note(op, d, seq, ret);
	if (baton_op_ready(op->fd, op->side))
		ret = call(op, call_op, 0);
	note(op, d, seq, ret);
	baton_desc_call_end(d, op->side, gen);
	return ret;
}

static ssize_t by_fiber(struct op *op, struct baton_rt *rt,
			struct baton_fiber *f, struct desc *d, int64_t deadline)
{
	uint32_t gen = smp_load_acquire(&d->gen);
	ssize_t ret = -EAGAIN;
	unsigned char confirmed = UNCONFIRMED;

	op->kind = READ_ONCE(d->kind);
	/* With a deadline, which may be past, what is there is had. */
	if ((deadline & f->deadline) != BATON_NEVER || op->once ||
	    !desc_drained(d, op->side)) {
		ret = attempt(op, d);
		if (ret == OP_CALL)
			ret = attempt_call(op, d, gen);
	}
	while (unlikely(ret == -EAGAIN) && !op->once) {
		ret = baton_desc_wait(rt, d, op->side, gen, &confirmed,
				      deadline);
		if (unlikely(desc_no_room(ret)))
			return by_call(op, f, deadline);
		if (unlikely(ret))
			return ret == -EPERM ? OP_FILE : ret;
		f->unwaited = 0;
		if (!desc_begin(d, gen))
			return -EBADF;
		ret = attempt(op, d);
		desc_end(d);
		if (unlikely(ret == OP_CALL))
			ret = attempt_call(op, d, gen);
	}
	return ret;
}

ssize_t baton_op(struct op *op, int64_t deadline)
{
	struct baton_worker *w = baton_worker_self();
	struct baton_fiber *f;
	struct desc *d;
	ssize_t ret;

	if (unlikely(!sched_on_fiber(w)))
		return by_thread(op, deadline);
	f = w->fiber;
	d = baton_desc_get(w->rt, op->fd);
	if (unlikely(!d))
		return by_call(op, f, deadline);
	ret = by_fiber(op, w->rt, f, d, deadline);
	if (!op->once)
		fiber_unwaited(f);
	return ret;
}
