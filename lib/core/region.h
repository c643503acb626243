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

/* The number of the lowest bit that is set; @word is not 0. */
static inline unsigned int first_bit(uint64_t word)
{
	return (unsigned int)__builtin_ctzll(word);
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
			unsigned int p = i + first_bit(word);

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

static inline bool idle_all(struct baton_header *h, unsigned int nprocs)
{
	for (unsigned int i = 0; i < nprocs; i += 64) {
		unsigned int n = nprocs - i < 64 ? nprocs - i : 64;

		if (READ_ONCE(h->idle[i / 64]) != ~UINT64_C(0) >> (64 - n))
			return false;
	}
	return true;
}

/*
 * Which queues are worth a look: hdr->queued, see <linux/baton.h>. Both are for
 * the holder of processor @p alone. queued_set() comes after a push and a full
 * barrier, and is one itself if it changes anything; queued_clear() only while
 * the queue is empty, which then nobody else can change.
 */
static inline void queued_set(struct baton_header *h, unsigned int p)
{
	uint64_t bit = UINT64_C(1) << (p % 64);

	if (unlikely(!(READ_ONCE(h->queued[p / 64]) & bit)))
		atomic_fetch_or(&h->queued[p / 64], bit);
}

static inline void queued_clear(struct baton_header *h, unsigned int p)
{
	uint64_t bit = UINT64_C(1) << (p % 64);

	if (READ_ONCE(h->queued[p / 64]) & bit)
		atomic_fetch_andnot(&h->queued[p / 64], bit);
}

/* Head before tail, by acquire: a tail that is older than it would look like
 * more. Pairs with runq_rotate(), which pushes before it pops. */
static inline bool rec_has_work(struct baton_proc_rec *rec)
{
	uint32_t head = smp_load_acquire(&rec->head);

	return READ_ONCE(rec->tail) != head;
}

/*
 * Do fibers wait anywhere? The kernel's hook asks the same. A fiber moves from
 * the global queue to the others, never back while it is counted: by acquire,
 * in this order, it is not missed on its way.
 *
 * A bit in queued may be stale: that costs a look. After @looks looks in vain
 * the answer is yes, which may be wrong; it is never a no that is wrong. Both
 * callers give a constant.
 */
#define LOOKS_ALL	(~0u)

static inline __attribute__((always_inline)) bool
region_has_work(struct baton_header *h,
				   struct baton_proc_rec *recs,
				   unsigned int nprocs, unsigned int looks)
{
	if (smp_load_acquire(&h->nglobal))
		return true;
	if (nprocs == 1)
		return rec_has_work(recs);
	for (unsigned int i = 0; i < nprocs; i += 64) {
		uint64_t word = READ_ONCE(h->queued[i / 64]);

		for (; word; word &= word - 1) {
			unsigned int p = i + first_bit(word);

			if (looks != LOOKS_ALL && unlikely(!looks--))
				return true;
			if (rec_has_work(&recs[p]))
				return true;
		}
	}
	return false;
}

#endif /* BATON_CORE_REGION_H */
