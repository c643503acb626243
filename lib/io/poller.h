/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* poller.h - the epoll set of a scheduler, and its table of descriptors. */
#ifndef BATON_IO_POLLER_H
#define BATON_IO_POLLER_H

#include "../core/polling.h"
#include "desc.h"

#define CHUNK_BITS	6
#define CHUNK_DESCS	(1 << CHUNK_BITS)
#define CHUNKS		(1 << 14)	/* numbers up to 2^20 */

#define EVENTS		128

/**
 * struct poller - the poller of a scheduler
 * @polling:     what core knows of it
 * @epoll, @event: descriptors; constant
 * @asleep:      who has the role is about to sleep, or does; A
 * @looking:     somebody has @look; A
 * @confirmed:   when all waits were last confirmed, by tick_ns(); who has @look
 * @unconfirmed: list of descriptors; A
 * @at_end:      to be called at the end; A
 * @chunk:       the table; A
 * @sleep, @look: where events are collected by the one in the role, and others
 */
struct poller {
	struct polling polling;
	int epoll;
	int event;
	uint32_t asleep;
	uint32_t looking;
	int64_t confirmed;
	struct desc *unconfirmed;
	void (*at_end)(void);
	struct epoll_event sleep[EVENTS];
	struct epoll_event look[EVENTS];
	struct desc *chunk[CHUNKS];
};

static inline struct poller *poller_of(const struct baton_rt *rt)
{
	return (struct poller *)smp_load_acquire(&rt->polling);
}

/* NULL: nobody has asked for it, or for one near it, yet. */
static inline struct desc *poller_lookup(const struct poller *p, int fd)
{
	struct desc *chunk;

	if (unlikely((unsigned int)fd >= CHUNKS * CHUNK_DESCS))
		return NULL;
	/* Acquire: pairs with chunk_make() in poller.c. */
	chunk = smp_load_acquire(&p->chunk[fd >> CHUNK_BITS]);
	return likely(chunk) ? &chunk[fd % CHUNK_DESCS] : NULL;
}

/*
 * Descriptor @fd of scheduler @rt, which runs the calling fiber. NULL: no
 * memory, no descriptors, or a number that is too high: then it cannot be waited
 * for here.
 */
struct desc *baton_desc_get(struct baton_rt *rt, int fd);

/* To be called once @rt has ended; by a fiber of it. False: no poller. */
bool baton_poller_at_end(struct baton_rt *rt, void (*fn)(void));

#endif /* BATON_IO_POLLER_H */
