// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * desc.c - descriptors: who waits for which, and whether he still may.
 *
 * A descriptor is registered once, edge-triggered. Each event counts up seq of
 * its side. A try notes seq first. Has it shown that there is no more (EAGAIN,
 * or a short read of a stream), it stores what it has noted into drained: while
 * the two are the same nobody need try. A fiber is listed, with the lock, only
 * while they are; an event changes seq with the lock, and wins who is listed:
 * so none is missed.
 *
 * That is right as long as the number means the same file. close(), behind our
 * back, takes it out of the epoll set, and the next file of this number would
 * be waited for in vain. So each wait is *confirmed*, by an EPOLL_CTL_MOD,
 * before anybody sleeps in the role: ENOENT says that the file is another one,
 * and who waits tries again. MOD looks at the file as well, and an event comes
 * if it is ready: a drained that was wrong does no harm for longer than that.
 * Who waited before, and was confirmed, waited for a file that is gone: -EBADF.
 * While all are busy nobody sleeps, and nothing is paid; but after CONFIRM_NS
 * (poller.c) it is done in any case. What is left to chance is a wait that was
 * not confirmed yet: if the number is closed by close() and used again within
 * that time, it goes on with the new file.
 *
 *	who waits			who goes to sleep in the role
 *	listed				asleep = 1
 *	confirm |= NEEDED, on the list	(full barrier)
 *	(full barrier)			takes the list, confirms each
 *	asleep? a kick			epoll_wait()
 *
 * One of the two sees the other's store. Who waits while somebody sleeps there
 * for long confirms the descriptor itself, before it is listed. Who was woken
 * in vain, and waits on, is confirmed again by an EPOLL_CTL_ADD, which has to
 * fail with EEXIST: MOD would say again what woke it (an error that nobody
 * reads, data that poll() did not ask for), for ever.
 *
 * Of those who put one descriptor into the set, or confirm it, each does so
 * with desc.control held: the last call is what is in the set, so it has to be
 * one that knows of all the others.
 *
 * REJECTED: to confirm at the wait itself: a system call for each. REJECTED:
 * one-shot registration: the same. REJECTED: to take an event since the last
 * wait for proof: 4 % more requests (baton-bench echo, 64 connections), but who
 * waits for the number's next file cannot be told from who did for its last one.
 */
#include "poller.h"

#include <unistd.h>

#include "../core/descriptor.h"

#define READ_EVENTS	(EPOLLIN | EPOLLRDHUP | EPOLLPRI)
#define BOTH_EVENTS	(EPOLLHUP | EPOLLERR)

/* --- system calls, with errno let be --------------------------------------- */

static int __attribute__((noinline))
control(const struct poller *p, int op, int fd, uint32_t events)
{
	struct epoll_event e = {
		.events = events | EPOLLET,
		.data.u64 = (uint64_t)fd,
	};
	int saved = errno, err = 0;

	if (epoll_ctl(p->epoll, op, fd, &e))
		err = -errno;
	errno = saved;
	return err;
}

int __attribute__((noinline)) baton_desc_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int saved = errno, value = 0;

	getsockopt(fd, SOL_SOCKET, option, &value, &len);
	errno = saved;
	return value;
}

static int __attribute__((noinline)) close_fd(int fd)
{
	int saved = errno, err = close(fd) ? -errno : 0;

	errno = saved;
	return err;
}

/* --- registration ---------------------------------------------------------- */

/* The same for our byte and for epoll. */
#define IN	1u
#define OUT	2u

static uint32_t epoll_events(unsigned int events)
{
	return (events & IN ? (uint32_t)READ_EVENTS : 0) |
	       (events & OUT ? (uint32_t)EPOLLOUT : 0);
}

/* In the epoll set, whether or not it was: -EEXIST and -ENOENT, when the number
 * was reused behind our back, are the other operation's. */
static int put(struct poller *p, struct desc *d, unsigned int events, bool add,
	       bool *fresh)
{
	uint32_t e = epoll_events(events);
	int err;

	*fresh = add;
	err = control(p, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, d->fd, e);
	if (unlikely(err == -EEXIST || err == -ENOENT)) {
		*fresh = err == -ENOENT;
		err = control(p, *fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, d->fd,
			      e);
	}
	return err;
}

/* With the lock, a list of those of side @side: all, or those who waited for a
 * file that is gone. */
static struct waiter **win_locked(struct desc *d, enum side side, bool closed,
				  struct waiter **last)
{
	struct baton_waitq *q = &d->queue[side];
	struct baton_wait_entry *e, *next;

	for (e = q->first; e; e = next) {
		struct poller_entry *at =
			container_of(e, struct poller_entry, entry);
		struct waiter *waiter = e->waiter;

		next = e->next;
		if (closed && !at->confirmed)
			continue;
		waitq_del(q, e);
		if (!waiter_win(waiter, e))
			continue;
		at->closed = closed;
		*last = waiter;
		last = &waiter->next;
		*last = NULL;
	}
	return last;
}

/* The same of both sides. */
static struct waiter **win_both_locked(struct desc *d, bool closed,
				       struct waiter **last)
{
	last = win_locked(d, SIDE_READ, closed, last);
	return win_locked(d, SIDE_WRITE, closed, last);
}

/*
 * In the epoll set for @events more. Who waited for another file of this
 * number, which is not there any more, is told. -EBADF: the file of @gen is
 * closed; while its number is used here tell() waits for @d->control.
 */
static int register_for(struct poller *p, struct desc *d, uint32_t gen,
			unsigned int events)
{
	struct waiter *all = NULL;
	bool fresh, stream;
	unsigned int before;
	struct wait t;
	int err = -EBADF;

	wait_enter(&t);
	lock_take(&d->control);
	lock_take(&d->lock);
	before = d->events;
	stream = d->stream;
	if (likely(d->gen == gen))
		err = 0;
	lock_drop(&d->lock);
	if (!err)
		err = put(p, d, events | before, !before, &fresh);
	if (!err && fresh)
		stream = desc_is_stream(d->fd);
	lock_take(&d->lock);
	if (!err && d->gen == gen) {
		if (fresh && before)
			win_both_locked(d, true, &all);
		WRITE_ONCE(d->events, (uint8_t)(d->events | events));
		WRITE_ONCE(d->stream, stream);
		if (fresh)
			WRITE_ONCE(d->ending, false);
	}
	lock_drop(&d->lock);
	lock_drop(&d->control);
	wait_resume_all(t.w, all);
	wait_leave(&t);
	return err;
}

static unsigned int side_events(enum side side)
{
	return side == SIDE_READ ? IN : OUT;
}

int baton_desc_register(struct baton_rt *rt, struct desc *d, enum side side,
			uint32_t gen, unsigned char *confirmed)
{
	struct poller *p = poller_of(rt);
	unsigned int events = side_events(side);

	/* While somebody sleeps in the role it has to be confirmed at once. */
	if (READ_ONCE(d->events) & events &&
	    (*confirmed || !READ_ONCE(p->asleep))) {
		if (*confirmed)
			*confirmed = CONFIRMED_BEFORE;
		return 0;
	}
	*confirmed = CONFIRMED;
	return register_for(p, d, gen, events);
}

static void changed_locked(struct desc *d, enum side side)
{
	WRITE_ONCE(d->seq[side], d->seq[side] + 1);
}

static void confirmed_locked(struct desc *d)
{
	for (int side = 0; side < 2; side++)
		for (struct baton_wait_entry *e = d->queue[side].first; e;
		     e = e->next)
			WRITE_ONCE(container_of(e, struct poller_entry, entry)
					   ->confirmed, CONFIRMED);
}

/* It is another file, or may be: whoever looks next has to try. */
static void unknown_locked(struct desc *d)
{
	WRITE_ONCE(d->events, 0);
	WRITE_ONCE(d->kind, KIND_UNKNOWN);
	WRITE_ONCE(d->ending, false);
	changed_locked(d, SIDE_READ);
	changed_locked(d, SIDE_WRITE);
}

/* Nothing is known of the file any more. A list of who waited for it. */
static void gone_locked(struct desc *d, struct waiter **all)
{
	WRITE_ONCE(d->gen, d->gen + 1);
	WRITE_ONCE(d->stream, false);
	WRITE_ONCE(d->pause, 0);
	unknown_locked(d);
	win_both_locked(d, true, all);
}

/* Is @d in the epoll set? 0: it is, and says so again if it is ready, or, if
 * @again, does not; -ENOENT, and other -errno: it is not. */
static int still_there(const struct poller *p, const struct desc *d,
		       uint32_t events, bool again)
{
	int err;

	if (likely(!again))
		return control(p, EPOLL_CTL_MOD, d->fd, events);
	err = control(p, EPOLL_CTL_ADD, d->fd, events);
	if (err)
		return err == -EEXIST ? 0 : err;
	/* Who tries once more learns what kind it is of when he puts it in. */
	control(p, EPOLL_CTL_DEL, d->fd, 0);
	return -ENOENT;
}

/*
 * Who waits for @d waits for what is in the epoll set. @again: all who do were
 * confirmed before. Returns who is to be resumed.
 */
static struct waiter *confirm(struct poller *p, struct desc *d, bool again)
{
	struct waiter *all = NULL, **last = &all;
	unsigned int events;
	uint32_t gen;
	int err;

	lock_take(&d->control);
	lock_take(&d->lock);
	events = (waitq_empty(&d->queue[SIDE_READ]) ? 0 : IN) |
		 (waitq_empty(&d->queue[SIDE_WRITE]) ? 0 : OUT);
	/* What else it is there for stays: who has registered it for that may
	 * be about to be listed. */
	if (events)
		events |= d->events;
	gen = d->gen;
	lock_drop(&d->lock);
	if (!events) {
		lock_drop(&d->control);
		return NULL;
	}
	err = still_there(p, d, epoll_events(events), again);
	lock_take(&d->lock);
	if (d->gen != gen) {
		/* It is another file by now, whose opener has told them; who
		 * closes waits for @control. */
	} else if (!err) {
		if (!again)
			WRITE_ONCE(d->events, (uint8_t)events);
		confirmed_locked(d);
	} else {
		/* The others try once more, and register what they find. */
		last = win_both_locked(d, true, last);
		unknown_locked(d);
		win_both_locked(d, false, last);
	}
	lock_drop(&d->lock);
	lock_drop(&d->control);
	return all;
}

/* All who wait. Returns who is to be resumed. */
struct waiter *baton_desc_confirm_all(struct poller *p)
{
	struct waiter *all = NULL, **last = &all;
	struct desc *d = READ_ONCE(p->unconfirmed) ?
				 xchg(&p->unconfirmed, NULL) :
				 NULL;

	while (d) {
		struct desc *next = d->next;
		/* From here on it may be on the list again. Full barrier: that
		 * before the look at who waits. */
		uint32_t how = xchg(&d->confirm, 0u);

		if (how & (CONFIRM_NEEDED | CONFIRM_AGAIN))
			*last = confirm(p, d, !(how & CONFIRM_NEEDED));
		while (*last)
			last = &(*last)->next;
		d = next;
	}
	return all;
}

/* --- events ---------------------------------------------------------------- */

static struct waiter **event_locked(struct desc *d, uint32_t events,
				    struct waiter **last)
{
	if (events & (EPOLLRDHUP | EPOLLPRI | BOTH_EVENTS))
		WRITE_ONCE(d->ending, true);
	if (events & (READ_EVENTS | BOTH_EVENTS)) {
		changed_locked(d, SIDE_READ);
		last = win_locked(d, SIDE_READ, false, last);
	}
	if (events & (EPOLLOUT | BOTH_EVENTS)) {
		changed_locked(d, SIDE_WRITE);
		last = win_locked(d, SIDE_WRITE, false, last);
	}
	return last;
}

/* A list of who is to be resumed. */
struct waiter *baton_desc_events(const struct poller *p,
				 const struct epoll_event *e, int n)
{
	struct waiter *all = NULL, **last = &all;

	for (; n > 0; n--, e++) {
		/* None of the eventfd's. */
		struct desc *d = poller_lookup(p, (int)e->data.u64);

		if (!d)
			continue;
		lock_take(&d->lock);
		last = event_locked(d, e->events, last);
		lock_drop(&d->lock);
	}
	return all;
}

/* --- waiting --------------------------------------------------------------- */

void baton_desc_listed(struct baton_rt *rt, struct desc *d,
		       unsigned char confirmed)
{
	struct poller *p = poller_of(rt);
	struct desc *first;
	uint32_t old;

	if (confirmed == CONFIRMED)
		return;
	old = atomic_fetch_or(&d->confirm,
			      CONFIRM_LINKED | (confirmed ? CONFIRM_AGAIN :
							    CONFIRM_NEEDED));
	if (!(old & CONFIRM_LINKED)) {
		first = READ_ONCE(p->unconfirmed);
		do
			d->next = first;
		while (!try_cmpxchg(&p->unconfirmed, &first, d));
	}
	/* Full barriers above: on the list before asleep. */
	if (unlikely(READ_ONCE(p->asleep)))
		baton_event_set(p->event);
}

int baton_desc_wait(struct baton_rt *rt, struct desc *d, enum side side,
		    uint32_t gen, unsigned char *confirmed, int64_t deadline)
{
	struct poller_entry e = { .closed = false };
	struct wait t;
	int err;

	err = baton_desc_register(rt, d, side, gen, confirmed);
	e.confirmed = *confirmed;
	if (unlikely(err))
		return err;
	wait_enter(&t);
	lock_take(&d->lock);
	if (unlikely(d->gen != gen || !desc_drained(d, side))) {
		err = d->gen != gen ? -EBADF : 0;
		lock_drop(&d->lock);
		wait_leave(&t);
		return err;
	}
	wait_arm(&t, wait_fd(d->fd));
	desc_list_locked(d, side, &e, t.waiter);
	lock_drop(&d->lock);
	baton_polling_waits(rt, 1);
	baton_desc_listed(rt, d, *confirmed);
	err = wait_block(&t, deadline);
	baton_polling_waits(rt, -1);
	if (unlikely(err)) {
		lock_take(&d->lock);
		waitq_del(&d->queue[side], &e.entry);
		lock_drop(&d->lock);
	}
	wait_leave(&t);
	*confirmed = e.confirmed;
	return err ? err : e.closed ? -EBADF : 0;
}

void baton_desc_call_end(struct desc *d, enum side side, uint32_t gen)
{
	uint32_t call = desc_call(gen);
	struct waiter *all = NULL;
	struct wait t;

	/* Full barrier: no call before seq; pairs with desc_seq(). */
	try_cmpxchg(&d->calling[side], &call, 0u);
	smp_mb();
	wait_enter(&t);
	lock_take(&d->lock);
	changed_locked(d, side);
	win_locked(d, side, false, &all);
	lock_drop(&d->lock);
	wait_resume_all(t.w, all);
	wait_leave(&t);
}

/* --- closing --------------------------------------------------------------- */

/*
 * wait_resume_all() for one who closes. A thread that is no worker's holds @rt,
 * by a mutex that is not to be taken again.
 */
static void resume_held(struct baton_rt *rt, struct baton_worker *w,
			struct waiter *all)
{
	while (all) {
		struct waiter *waiter = all;

		all = waiter->next;
		if (waiter->fiber)
			baton_sched_ready(rt, w, waiter->fiber);
		else
			baton_waiter_resume(waiter);
	}
}

/*
 * Nobody is about to use the number for the file that it still is. The ring's
 * thread may sleep with requests in hand that the kernel has taken: it is woken.
 */
static void wait_busy(const struct baton_rt *rt, const struct desc *d)
{
	struct rt_aux *ring = smp_load_acquire(&rt->ring);
	struct backoff b = { 0 };

	while (smp_load_acquire(&d->busy)) {
		/* Again: it may have been awake, and be asleep by now. */
		if (ring)
			ring->kick(ring);
		baton_backoff(&b);
	}
}

/*
 * Who waits is told; nobody tries meanwhile, but who has only begun to. That is
 * waited for: a try does not wait, and takes no lock that the caller has.
 */
static void tell(struct baton_rt *rt, struct desc *d, struct baton_worker *w)
{
	struct waiter *all = NULL;
	bool registered;

	/* Who puts it into the epoll set has done so, or finds it gone. */
	lock_take(&d->control);
	lock_take(&d->lock);
	registered = d->events;
	confirmed_locked(d);
	gone_locked(d, &all);
	lock_drop(&d->lock);
	/* Others may have the file, too: a child, say. */
	if (registered)
		control(poller_of(rt), EPOLL_CTL_DEL, d->fd, 0);
	lock_drop(&d->control);
	resume_held(rt, w, all);
	/* Full barrier: gen before busy; pairs with desc_begin(). */
	smp_mb();
	wait_busy(rt, d);
}

/* Who has begun to wait since then has a look at what there is now. */
static void tell_late(struct baton_rt *rt, struct desc *d,
		      struct baton_worker *w)
{
	struct waiter *all = NULL;

	lock_take(&d->lock);
	changed_locked(d, SIDE_READ);
	changed_locked(d, SIDE_WRITE);
	win_both_locked(d, false, &all);
	lock_drop(&d->lock);
	resume_held(rt, w, all);
}

/* Before close(), which may wait, and after it. */
static void closing(int fd, bool late)
{
	struct baton_worker *w = sched_enter();
	struct baton_rt *rt = w ? w->rt : baton_rt_hold();
	struct poller *p = rt ? poller_of(rt) : NULL;
	struct desc *d = p ? poller_lookup(p, fd) : NULL;

	if (d && late)
		tell_late(rt, d, w);
	else if (d)
		tell(rt, d, w);
	if (w)
		sched_exit(w);
	else if (rt)
		baton_rt_release();
}

int baton_desc_close(int fd)
{
	int err;

	closing(fd, false);
	err = close_fd(fd);
	closing(fd, true);
	return err;
}

void baton_desc_fresh(struct baton_rt *rt, int fd)
{
	struct poller *p = poller_of(rt);
	struct desc *d = p ? poller_lookup(p, fd) : NULL;
	struct waiter *all = NULL;
	struct wait t;

	if (!d)
		return;
	wait_enter(&t);
	lock_take(&d->lock);
	confirmed_locked(d);
	gone_locked(d, &all);
	lock_drop(&d->lock);
	wait_resume_all(t.w, all);
	wait_leave(&t);
}
