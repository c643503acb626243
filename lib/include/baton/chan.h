/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * chan.h - channels, and waiting for one of several things.
 *
 * Channels are Go's: they carry elements of one size from who sends to who
 * receives, in order. One with a capacity holds that many meanwhile; without,
 * an element goes straight from the one to the other, who wait for each other.
 *
 * A channel lies in memory of the caller's. Fibers, foreign code of theirs and
 * ordinary threads may be at either end; a fiber waits as fibers do, everybody
 * else as a thread. A scheduler need not run. Who waits is served in the order
 * in which it came. What was written before an element was sent is visible to
 * who has received it.
 *
 * A channel that fibers wait on when baton_run() returns is to be made anew.
 * None of these calls is async-signal-safe.
 */
#ifndef BATON_CHAN_H
#define BATON_CHAN_H

#include <baton/time.h>
#include <baton/waitq.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/** struct baton_chan - a channel; private. Not to be copied or moved. */
struct baton_chan {
	uint32_t baton_lock;
	uint32_t baton_closed;
	size_t baton_size;
	size_t baton_capacity;
	size_t baton_count;
	size_t baton_first;
	void *baton_buffer;
	struct baton_waitq baton_senders;
	struct baton_waitq baton_receivers;
};

/**
 * BATON_CHAN_INIT() - what a static channel is initialised with
 * @size:     of an element, in bytes
 * @capacity: how many it holds; 0: none
 * @buffer:   memory for them, @size * @capacity bytes; NULL for none
 *
 * The same as baton_chan_init(), but nothing is checked.
 */
#define BATON_CHAN_INIT(size, capacity, buffer)				\
	{ 0, 0, (size), (capacity), 0, 0, (buffer), { 0, 0 }, { 0, 0 } }

/**
 * baton_chan_init() - make a channel
 * @ch:       memory of the caller's
 * @size:     of an element, in bytes; may be 0, for mere signals
 * @capacity: how many elements it holds; 0: none
 * @buffer:   memory of the caller's for them, @size * @capacity bytes, for as
 *            long as the channel is used; NULL if that is 0
 *
 * Return: 0; -EINVAL @ch NULL, no @buffer, or more than there is memory, see
 * baton_reason(). Any thread. Blocks neither.
 */
int baton_chan_init(struct baton_chan *ch, size_t size, size_t capacity,
		    void *buffer);

/**
 * baton_chan_destroy() - find out whether nobody waits there any more
 * @ch: the channel, which is closed from then on. What it still holds is lost.
 *
 * It has nothing to free. Return: 0; -EBUSY somebody waits there, and nothing
 * was done; -EINVAL @ch NULL. Any thread. Blocks neither.
 */
int baton_chan_destroy(struct baton_chan *ch);

/**
 * baton_chan_send() - send an element
 * @ch:   the channel
 * @elem: the element, which is copied
 *
 * Waits until there is room, or somebody receives it. With anything but 0 it
 * was not sent.
 *
 * Return: 0; -EPIPE the channel is closed, or was while this waited; -ECANCELED;
 * -ETIMEDOUT at the end of a scope, see baton_deadline_push(); -EINVAL @ch or
 * @elem NULL. Any thread. Blocks the fiber, or the thread.
 */
int baton_chan_send(struct baton_chan *ch, const void *elem);

/** baton_chan_send_until() - the same, until @deadline: -ETIMEDOUT. */
int baton_chan_send_until(struct baton_chan *ch, const void *elem,
			  int64_t deadline);

/** baton_chan_try_send() - the same at once: -EAGAIN. Blocks neither. */
int baton_chan_try_send(struct baton_chan *ch, const void *elem);

/**
 * baton_chan_recv() - receive an element
 * @ch:   the channel
 * @elem: where to put it; NULL: nowhere
 *
 * Waits until there is one. With anything but 0 none was received.
 *
 * Return: 0; -EPIPE the channel is closed and holds none any more; -ECANCELED;
 * -ETIMEDOUT at the end of a scope, see baton_deadline_push(); -EINVAL @ch
 * NULL. Any thread. Blocks the fiber, or the thread.
 */
int baton_chan_recv(struct baton_chan *ch, void *elem);

/** baton_chan_recv_until() - the same, until @deadline: -ETIMEDOUT. */
int baton_chan_recv_until(struct baton_chan *ch, void *elem, int64_t deadline);

/** baton_chan_try_recv() - the same at once: -EAGAIN. Blocks neither. */
int baton_chan_try_recv(struct baton_chan *ch, void *elem);

/**
 * baton_chan_close() - nothing more will be sent
 * @ch: the channel
 *
 * What it holds can still be received. Who waits there goes on with -EPIPE.
 *
 * Return: 0; -EPIPE it is closed already; -EINVAL @ch NULL. Any thread. Blocks
 * neither.
 */
int baton_chan_close(struct baton_chan *ch);

/**
 * baton_chan_len() - how many elements @ch holds; baton_chan_cap(): can hold
 *
 * The former may be out of date at once. Any thread. Block neither.
 */
size_t baton_chan_len(const struct baton_chan *ch);
size_t baton_chan_cap(const struct baton_chan *ch);

/**
 * enum baton_case_kind - what a case of baton_select() is about
 * @BATON_CASE_NONE:  nothing: it is never ready, as if it were left out
 * @BATON_CASE_SEND:  sending an element
 * @BATON_CASE_RECV:  receiving one
 * @BATON_CASE_TIMER: a tick of a timer
 * @BATON_CASE_READ:  a descriptor from which can be read, or accepted
 * @BATON_CASE_WRITE: one to which can be written
 */
enum baton_case_kind {
	BATON_CASE_NONE = 0,
	BATON_CASE_SEND = 1,
	BATON_CASE_RECV = 2,
	BATON_CASE_TIMER = 3,
	BATON_CASE_READ = 4,
	BATON_CASE_WRITE = 5,
};

/**
 * struct baton_case - one of the things that baton_select() waits for
 * @kind:   what it is about
 * @result: out, if this case was chosen: what the call would have returned of
 *          which it takes the place: 0 or -EPIPE; of a descriptor POLLIN and
 *          the like, what poll() would have said: POLLNVAL if it is closed
 * @object: the struct baton_chan, or struct baton_timer
 * @elem:   the element, or where to put it, as for baton_chan_send() and
 *          baton_chan_recv(); of a timer where to put the number of ticks, an
 *          uint64_t, or NULL
 * @fd:     the descriptor. Nothing is read or written: it was ready, and who
 *          reads next may have to wait if others read, too
 *
 * The other fields are the library's. They need not be initialised.
 */
struct baton_case {
	enum baton_case_kind kind;
	int result;
	void *object;
	void *elem;
	int fd;
	struct baton_wait_entry baton_entry;
	unsigned char baton_confirmed;
	unsigned char baton_over;
	unsigned int baton_turn;
	unsigned int baton_order;
	uint32_t baton_gen;
	uint32_t baton_seq;
	void *baton_desc;
};

/**
 * baton_select() - wait for one of several things, and do it
 * @cases:    the things, in memory of the caller's; a channel may be in several
 * @n:        how many
 * @deadline: until when; BATON_NEVER. One that is past, 0 say: look once, and
 *            do not wait.
 *
 * If several are ready one of them is chosen at random. Nothing was sent or
 * received but by the case that was chosen. A send on a closed channel is
 * ready, and so is a receive there, with result -EPIPE.
 *
 * Return: the number of the case that was chosen, from 0 on; -ETIMEDOUT; also
 * at the end of a scope, see baton_deadline_push(); -ECANCELED; -EINVAL @cases
 * or something in them NULL, an unknown kind, or @n more than INT_MAX; -EPERM a
 * descriptor, but not from a fiber; -ENOMEM, -EMFILE: it cannot be waited for;
 * see baton_reason(). Any thread. Blocks the fiber, or the thread.
 */
int baton_select(struct baton_case *cases, size_t n, int64_t deadline);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_CHAN_H */
