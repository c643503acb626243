/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * chan.h - a channel with its lock held: what sends and receives at once, for
 * baton_chan_send() and the like, and for baton_select().
 *
 * Who waits on a channel does so with a struct baton_case, on its own stack or
 * in an array of its own. Who wins it copies the element from or to it, for both
 * of them; the winner alone looks at it, until it has resumed the other.
 *
 * What waits where:
 *
 *	senders		the channel is full, and not closed
 *	receivers	it is empty, and not closed
 *
 * so that a close leaves nobody behind. Of either list those may be left who
 * have lost interest, by a deadline or a cancel, but have yet to leave it.
 */
#ifndef BATON_SYNC_CHAN_H
#define BATON_SYNC_CHAN_H

#include <baton/chan.h>
#include <errno.h>
#include <string.h>

#include "../core/wait.h"

/* As whose case @waiter was won; by its winner, or by itself. */
static inline struct baton_case *case_of(const struct waiter *waiter)
{
	return container_of(waiter->by, struct baton_case, baton_entry);
}

static inline void chan_copy(const struct baton_chan *ch, void *to,
			     const void *from)
{
	if (unlikely(!to))
		return;
	/* Most elements are a word: no call for that. */
	if (likely(ch->baton_size == sizeof(void *)))
		memcpy(to, from, sizeof(void *));
	else if (ch->baton_size)
		memcpy(to, from, ch->baton_size);
}

/* The place of element @i, counted from the first one in the buffer. */
static inline char *chan_place(const struct baton_chan *ch, size_t i)
{
	i += ch->baton_first;
	if (i >= ch->baton_capacity)
		i -= ch->baton_capacity;
	return (char *)ch->baton_buffer + i * ch->baton_size;
}

static inline void chan_append(struct baton_chan *ch, const void *elem)
{
	chan_copy(ch, chan_place(ch, ch->baton_count), elem);
	WRITE_ONCE(ch->baton_count, ch->baton_count + 1);
}

/*
 * Send @elem: 0; -EPIPE; -EAGAIN it has to wait. In @peer who is to be resumed
 * once the lock was dropped, or NULL.
 */
static inline int chan_send_locked(struct baton_chan *ch, const void *elem,
				   struct waiter **peer)
{
	*peer = NULL;
	if (unlikely(ch->baton_closed))
		return -EPIPE;
	*peer = waitq_win(&ch->baton_receivers);
	if (*peer) {
		chan_copy(ch, case_of(*peer)->elem, elem);
		return 0;
	}
	if (ch->baton_count == ch->baton_capacity)
		return -EAGAIN;
	chan_append(ch, elem);
	return 0;
}

/* Receive to @elem: the same. */
static inline int chan_recv_locked(struct baton_chan *ch, void *elem,
				   struct waiter **peer)
{
	*peer = NULL;
	if (!ch->baton_count) {
		*peer = waitq_win(&ch->baton_senders);
		if (!*peer)
			return ch->baton_closed ? -EPIPE : -EAGAIN;
		chan_copy(ch, elem, case_of(*peer)->elem);
		return 0;
	}
	chan_copy(ch, elem, chan_place(ch, 0));
	if (++ch->baton_first == ch->baton_capacity)
		ch->baton_first = 0;
	WRITE_ONCE(ch->baton_count, ch->baton_count - 1);
	/* The place that is free now is the first sender's. */
	*peer = waitq_win(&ch->baton_senders);
	if (*peer)
		chan_append(ch, case_of(*peer)->elem);
	return 0;
}

#endif /* BATON_SYNC_CHAN_H */
