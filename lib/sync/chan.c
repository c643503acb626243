// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* chan.c - channels: send, receive, close. */
#include "chan.h"

#include "../core/reason.h"
#include "contend.h"

static int refuse_null(void)
{
	return baton_error(-EINVAL, "NULL for a channel or an element");
}

static int refuse_closed(void)
{
	return baton_error(-EPIPE, "the channel is closed");
}

int baton_chan_init(struct baton_chan *ch, size_t size, size_t capacity,
		    void *buffer)
{
	size_t bytes;

	if (!ch)
		return refuse_null();
	if (__builtin_mul_overflow(size, capacity, &bytes) ||
	    bytes > PTRDIFF_MAX)
		return baton_error(-EINVAL,
				   "%zu elements of %zu bytes: too large",
				   capacity, size);
	if (bytes && !buffer)
		return baton_error(-EINVAL, "no buffer of %zu bytes", bytes);
	*ch = (struct baton_chan)BATON_CHAN_INIT(size, capacity, buffer);
	return 0;
}

int baton_chan_destroy(struct baton_chan *ch)
{
	struct wait t;
	int err = 0;

	if (!ch)
		return refuse_null();
	wait_enter(&t);
	lock_take(&ch->baton_lock);
	if (waitq_empty(&ch->baton_senders) &&
	    waitq_empty(&ch->baton_receivers)) {
		ch->baton_closed = 1;
		WRITE_ONCE(ch->baton_count, 0);
	} else {
		err = -EBUSY;
	}
	lock_drop(&ch->baton_lock);
	wait_leave(&t);
	return err ? baton_error(err, "somebody waits on the channel") : 0;
}

/*
 * There was nothing at once: wait in @q of @ch, whose lock this drops, until
 * somebody has sent or received for us, or has closed the channel. @w: of
 * sched_enter(), which this ends.
 *
 * Never inline, and the last that its callers do: so whoever does not wait has
 * no frame for it, and who does goes home by one return less.
 */
static int __attribute__((noinline))
wait_on(struct baton_worker *w, struct baton_chan *ch, struct baton_waitq *q,
	void *elem, int64_t deadline, const void *site)
{
	struct baton_case c;
	struct wait t;
	int err;

	wait_begin(&t, w);
	c.elem = elem;
	c.result = 0;
	wait_arm(&t, wait_object(ch));
	waitq_add(q, &c.baton_entry, t.waiter);
	lock_drop(&ch->baton_lock);
	if (contend_timed())
		err = baton_contend_block(&t, deadline,
					  q == &ch->baton_senders ?
						  CONTEND_SEND :
						  CONTEND_RECV, site);
	else
		err = wait_block(&t, deadline);
	if (likely(!err)) {
		err = c.result;
	} else {
		lock_take(&ch->baton_lock);
		waitq_del(q, &c.baton_entry);
		lock_drop(&ch->baton_lock);
	}
	wait_leave(&t);
	return unlikely(err) && err == -EPIPE && q == &ch->baton_senders ?
		       refuse_closed() : err;
}

/* Is NULL a good element to send? There is nothing in those without size. */
static inline bool good_elem(const struct baton_chan *ch, const void *elem)
{
	return likely(elem) || !ch->baton_size;
}

/* Done, with the lock of @ch, or in vain: @peer goes on, if there is one. */
static inline void went(struct baton_worker *w, struct baton_chan *ch,
			struct waiter *peer)
{
	lock_drop(&ch->baton_lock);
	if (peer)
		waiter_resume(w, peer);
	wait_exit(w);
}

/* @try: without waiting; -EAGAIN then. */
static inline int send_elem(struct baton_chan *ch, const void *elem, bool try,
			    int64_t deadline)
{
	struct baton_worker *w;
	struct waiter *peer;
	int err;

	if (unlikely(!ch || !good_elem(ch, elem)))
		return refuse_null();
	w = sched_enter();
	lock_take(&ch->baton_lock);
	err = chan_send_locked(ch, elem, &peer);
	if (err == -EAGAIN && !try)
		/* A receiver only reads what is there. */
		return wait_on(w, ch, &ch->baton_senders,
			       (void *)(uintptr_t)elem, deadline,
			       __builtin_return_address(0));
	went(w, ch, peer);
	return unlikely(err == -EPIPE) ? refuse_closed() : err;
}

int baton_chan_send_until(struct baton_chan *ch, const void *elem,
			  int64_t deadline)
{
	return send_elem(ch, elem, false, deadline);
}

int baton_chan_send(struct baton_chan *ch, const void *elem)
{
	return send_elem(ch, elem, false, BATON_NEVER);
}

int baton_chan_try_send(struct baton_chan *ch, const void *elem)
{
	return send_elem(ch, elem, true, BATON_NEVER);
}

/* The same the other way round. */
static inline int recv_elem(struct baton_chan *ch, void *elem, bool try,
			    int64_t deadline)
{
	struct baton_worker *w;
	struct waiter *peer;
	int err;

	if (unlikely(!ch))
		return refuse_null();
	w = sched_enter();
	lock_take(&ch->baton_lock);
	err = chan_recv_locked(ch, elem, &peer);
	if (err == -EAGAIN && !try)
		return wait_on(w, ch, &ch->baton_receivers, elem, deadline,
			       __builtin_return_address(0));
	went(w, ch, peer);
	return err;
}

int baton_chan_recv_until(struct baton_chan *ch, void *elem, int64_t deadline)
{
	return recv_elem(ch, elem, false, deadline);
}

int baton_chan_recv(struct baton_chan *ch, void *elem)
{
	return recv_elem(ch, elem, false, BATON_NEVER);
}

int baton_chan_try_recv(struct baton_chan *ch, void *elem)
{
	return recv_elem(ch, elem, true, BATON_NEVER);
}

/* All of @q, each told that its channel was closed. */
static struct waiter *win_closed(struct baton_waitq *q)
{
	struct waiter *all = waitq_win_all(q);

	for (struct waiter *waiter = all; waiter; waiter = waiter->next)
		case_of(waiter)->result = -EPIPE;
	return all;
}

int baton_chan_close(struct baton_chan *ch)
{
	struct waiter *senders = NULL, *receivers = NULL;
	struct wait t;
	bool closed;

	if (!ch)
		return refuse_null();
	wait_enter(&t);
	lock_take(&ch->baton_lock);
	closed = ch->baton_closed;
	if (!closed) {
		ch->baton_closed = 1;
		senders = win_closed(&ch->baton_senders);
		receivers = win_closed(&ch->baton_receivers);
	}
	lock_drop(&ch->baton_lock);
	wait_resume_all(t.w, senders);
	wait_resume_all(t.w, receivers);
	wait_leave(&t);
	return closed ? refuse_closed() : 0;
}

size_t baton_chan_len(const struct baton_chan *ch)
{
	return ch ? READ_ONCE(ch->baton_count) : 0;
}

size_t baton_chan_cap(const struct baton_chan *ch)
{
	return ch ? ch->baton_capacity : 0;
}
