/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * desc.h - waiting until a descriptor is ready. desc.c has the protocol.
 *
 * What is known of a descriptor is in a table by its number, and is a hint: the
 * program may have closed it by close(), and have another one of this number.
 */
#ifndef BATON_IO_DESC_H
#define BATON_IO_DESC_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "../core/wait.h"

/* The two sides of a descriptor that is waited for. */
enum side {
	SIDE_READ,
	SIDE_WRITE,
};

/* How to try without waiting; see op.c. */
enum kind {
	KIND_UNKNOWN,
	KIND_SOCKET,	/* MSG_DONTWAIT */
	KIND_NOWAIT,	/* RWF_NOWAIT */
	KIND_POLL,	/* poll() first, and then as a foreign call */
};

/* desc.confirm */
#define CONFIRM_LINKED	1u	/* on the poller's list */
#define CONFIRM_NEEDED	2u	/* somebody waits unconfirmed */
#define CONFIRM_AGAIN	4u	/* somebody waits again, woken in vain */

/* poller_entry.confirmed */
enum {
	UNCONFIRMED,
	CONFIRMED,
	CONFIRMED_BEFORE,	/* by the wait before this, which was in vain */
};

/**
 * struct desc - a descriptor
 * @lock:    protects @queue, and writes of what is not said to be anybody's
 * @control: a lock, taken before @lock: one at a time puts it into the epoll
 *           set, or takes it out to close it. It is held over a system call, which does not wait, by
 *           scheduler code and the watcher: they keep what they run on
 * @gen:     changes when it is closed, as far as the library knows: who began
 *           to wait before is not to go on with the new one
 * @seq:     by side: how often it was said to be ready
 * @drained: by side: @seq before the last try that has shown that there is no
 *           more. While both are the same a try would be in vain. Anybody's
 * @busy:    tries in progress, and requests that the ring is about to hand to
 *           the kernel, which baton_close() waits for; anybody's
 * @calling: by side: a call is under way that may wait; desc_call(). Anybody's
 * @confirm: above; anybody's
 * @queue:   by side, who waits: struct poller_entry
 * @next:    of the poller's list
 * @fd:      its number; constant
 * @events:  what it is in the epoll set with, as far as is known; 0: not there
 * @kind:    enum kind; anybody's
 * @stream:  a stream socket: a short read has drained it
 * @ending:  it has been said to be at its end, or to have urgent data, or an
 *           error: nothing can be said of it before a try
 * @pause:   milliseconds to wait when accept() has failed next; anybody's
 */
struct desc {
	uint32_t lock;
	uint32_t control;
	uint32_t gen;
	uint32_t seq[2];
	uint32_t drained[2];
	uint32_t busy;
	uint32_t calling[2];
	uint32_t confirm;
	struct baton_waitq queue[2];
	struct desc *next;
	int fd;
	uint8_t events;
	uint8_t kind;
	bool stream;
	bool ending;
	uint32_t pause;
} __attribute__((aligned(128)));

/**
 * struct poller_entry - one who waits; struct baton_case has the same three
 * @entry:     of the side's queue
 * @confirmed: above: the descriptor of this number was in the epoll set while
 *             this one waited; the lock
 * @closed:    out: it was closed meanwhile
 */
struct poller_entry {
	struct baton_wait_entry entry;
	unsigned char confirmed;
	unsigned char closed;
};

/* Has a try shown that it is to be waited for, and nothing been heard since? */
static inline bool desc_drained(const struct desc *d, enum side side)
{
	return READ_ONCE(d->drained[side]) == READ_ONCE(d->seq[side]);
}

/* Before a try; acquire: the word before the try. */
static inline uint32_t desc_seq(const struct desc *d, enum side side)
{
	return smp_load_acquire(&d->seq[side]);
}

/* A try that began at @seq has shown that there is no more. */
static inline void desc_drain(struct desc *d, enum side side, uint32_t seq)
{
	WRITE_ONCE(d->drained[side], seq);
}

/* The same of one that got less than it asked for. */
static inline void desc_short(struct desc *d, enum side side, uint32_t seq)
{
	if (likely(READ_ONCE(d->stream) && !READ_ONCE(d->ending)))
		desc_drain(d, side, seq);
}

/*
 * Around a try after a wait, since when the number may be another's; around what
 * hands a request to the kernel, which holds the file from then on. False, and
 * desc_end() is not to be called: it is. Full barrier: busy before gen; pairs
 * with desc.c tell().
 */
static inline bool desc_begin(struct desc *d, uint32_t gen)
{
	/* Who closes it waits for that. */
	baton_unstoppable_begin();
	atomic_fetch_add(&d->busy, 1u);
	if (likely(READ_ONCE(d->gen) == gen))
		return true;
	atomic_fetch_sub(&d->busy, 1u);
	baton_unstoppable_end();
	return false;
}

static inline void desc_end(struct desc *d)
{
	atomic_fetch_sub(&d->busy, 1u);
	baton_unstoppable_end();
}

/* What desc.calling says of a file that is there since @gen. Never 0. */
static inline uint32_t desc_call(uint32_t gen)
{
	return gen << 1 | 1;
}

/*
 * Around a call that waits if another one has taken what there was: on a side
 * of a file there is one at a time. False, and baton_desc_call_end() is not to
 * be called: one is under way, and whoever has noted seq before, and waits, is
 * resumed when it is over. A call that is still under way for a file which was
 * closed by baton_close() does not count.
 */
static inline bool desc_call_begin(struct desc *d, enum side side, uint32_t gen)
{
	uint32_t old = READ_ONCE(d->calling[side]);

	return old != desc_call(gen) &&
	       try_cmpxchg(&d->calling[side], &old, desc_call(gen));
}

/* From a fiber. */
void baton_desc_call_end(struct desc *d, enum side side, uint32_t gen);

/*
 * The descriptor is in the epoll set for @side. 0; -EPERM it is of a kind that
 * is always ready; -EBADF its file of @gen is closed; or another -errno.
 * @confirmed, in: UNCONFIRMED; or, if the wait before this was in vain, what it
 * said then. Out: what baton_desc_listed(), which has to follow, is to be told.
 * From a fiber.
 */
int baton_desc_register(struct baton_rt *rt, struct desc *d, enum side side,
			uint32_t gen, unsigned char *confirmed);

/* A socket's @option, an int; 0 where it is none. Leaves errno as it is. */
int baton_desc_option(int fd, int option);

/* Is it a socket whose messages have no bounds? */
static inline bool desc_is_stream(int fd)
{
	return baton_desc_option(fd, SO_TYPE) == SOCK_STREAM;
}

/* That failed for want of room in the set, which is limited for each user: a
 * thread can wait for it. */
static inline bool desc_no_room(ssize_t err)
{
	return err == -ENOSPC || err == -ENOMEM;
}

/* With the lock: list @e, whose waiter was armed. */
static inline void desc_list_locked(struct desc *d, enum side side,
				    struct poller_entry *e,
				    struct waiter *waiter)
{
	waitq_add(&d->queue[side], &e->entry, waiter);
}

/* Somebody waits for @d, whom the poller has yet to confirm, unless he is.
 * @confirmed: what he is so far. */
void baton_desc_listed(struct baton_rt *rt, struct desc *d,
		       unsigned char confirmed);

/*
 * The current fiber waits until side @side of @d may be ready, unless it is
 * drained no more. 0: try again; -EBADF it was closed since @gen; -EPERM as
 * above; -ECANCELED; -ETIMEDOUT. @confirmed: as above; the same for each wait of
 * an operation.
 */
int baton_desc_wait(struct baton_rt *rt, struct desc *d, enum side side,
		    uint32_t gen, unsigned char *confirmed, int64_t deadline);

/* close(@fd), with all that baton_close() says of it. 0, -errno. */
int baton_desc_close(int fd);

/* @fd was just made: what is known of its number is of another one. */
void baton_desc_fresh(struct baton_rt *rt, int fd);

/* --- for poller.c --------------------------------------------------------- */

struct poller;

/* Whoever waits waits for what is in the epoll set. A list of who is to be
 * resumed. */
struct waiter *baton_desc_confirm_all(struct poller *p);

/* @n events have come. The same. */
struct waiter *baton_desc_events(const struct poller *p,
				 const struct epoll_event *e, int n);

#endif /* BATON_IO_DESC_H */
