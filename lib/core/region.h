/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * region.h - the region shared with the kernel, as the library reads and writes
 * it: a worker's state, and which processors are free.
 *
 * The words and their rules are those of <linux/baton.h>; in the tiers without
 * a module the region is plain memory of the same layout.
 */
#ifndef BATON_CORE_REGION_H
#define BATON_CORE_REGION_H

#include <linux/baton.h>
#include <stdbool.h>
#include <stdint.h>

#include "base.h"

/*
 * Written by the worker alone. Release: what it did to its processor's queue
 * must be seen by whoever takes the processor because of this state.
 */
static inline void slot_set_state(struct baton_slot *s, uint32_t state)
{
	smp_store_release(&s->state, state);
}

/* By the worker itself: nobody else writes it. */
static inline uint32_t slot_state(const struct baton_slot *s)
{
	return READ_ONCE(s->state);
}

/* The right to processor @p: true if it was free, and is now the caller's. */
static inline bool idle_claim(struct baton_header *h, unsigned int p)
{
	uint64_t bit = UINT64_C(1) << (p % 64);

	/* Not free is the common case on the way home: look before locking. */
	if (!(READ_ONCE(h->idle[p / 64]) & bit))
		return false;
	return atomic_fetch_andnot(&h->idle[p / 64], bit) & bit;
}

static inline bool idle_test(const struct baton_header *h, unsigned int p)
{
	return READ_ONCE(h->idle[p / 64]) >> (p % 64) & 1;
}

/* Any free processor, or -1. */
static inline int idle_claim_any(struct baton_header *h, unsigned int nprocs)
{
	for (unsigned int i = 0; i < nprocs; i += 64) {
		uint64_t word;

		while ((word = READ_ONCE(h->idle[i / 64]))) {
			unsigned int p = i + (unsigned int)__builtin_ctzll(word);

			if (p >= nprocs)
				return -1;
			if (idle_claim(h, p))
				return (int)p;
		}
	}
	return -1;
}

/* Let go of @p. Full barrier: the caller looks for work afterwards. */
static inline void idle_set(struct baton_header *h, unsigned int p)
{
	atomic_fetch_or(&h->idle[p / 64], UINT64_C(1) << (p % 64));
}

static inline bool idle_any(struct baton_header *h, unsigned int nprocs)
{
	for (unsigned int i = 0; i < nprocs; i += 64)
		if (READ_ONCE(h->idle[i / 64]))
			return true;
	return false;
}

/*
 * Fibers wait somewhere: what the kernel's hook looks at, too. A fiber moves
 * from the global queue to the others, and one that yields is pushed before the
 * next is popped: by acquire, in that order, neither is missed on its way.
 */
static inline bool region_has_work(struct baton_header *h,
				   struct baton_proc_rec *recs,
				   unsigned int nprocs)
{
	if (smp_load_acquire(&h->nglobal))
		return true;
	for (unsigned int i = 0; i < nprocs; i++) {
		uint32_t head = smp_load_acquire(&recs[i].head);

		if (READ_ONCE(recs[i].tail) != head)
			return true;
	}
	return false;
}

#endif /* BATON_CORE_REGION_H */
