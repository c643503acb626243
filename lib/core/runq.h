/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * runq.h - a processor's run queue: a ring that its holder fills and everybody
 * may empty, after Go's runqput, runqget and runqgrab.
 *
 * The indices are in the shared region, for the kernel to see whether there
 * is work; the entries are private. head is moved by compare-and-swap, tail by
 * the holder alone. Both run on and wrap at 2^32.
 *
 * The holder may also take a fiber out of the middle (baton_runq_remove()).
 * That leaves a gap, an entry of NULL, which whoever comes to it skips. The
 * last entry is never a gap, or the queue would look as if it had work: with it
 * go all gaps before it, and tail moves back. No thief may have read tail, or
 * copied the entry, before that: so thieves and the holder who does this
 * exclude each other, by a lock. The holder does not wait for it, but does
 * without what he wanted. His push and pop need no lock.
 *
 * REJECTED: to move the last entry into the gap. It would overtake others.
 * REJECTED: head and tail in one word, to swap both at once. The entries may
 * have changed when both are what they were.
 */
#ifndef BATON_CORE_RUNQ_H
#define BATON_CORE_RUNQ_H

#include <linux/baton.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"

#define RUNQ_SIZE	256u

struct baton_fiber;

/**
 * struct runq - the ring
 * @rec:    its indices
 * @shared: others may steal; without them no locked instruction is needed
 * @lock:   1: a thief, or baton_runq_remove(), is at work
 * @ring:   entries head to tail - 1, modulo the size
 */
struct runq {
	struct baton_proc_rec *rec;
	bool shared;
	uint32_t lock;
	struct baton_fiber *ring[RUNQ_SIZE];
};

/* By the holder: others can only make room. Acquire: pairs with who took. */
static inline bool runq_full(const struct runq *q)
{
	return q->rec->tail - smp_load_acquire(&q->rec->head) >= RUNQ_SIZE;
}

/* By the holder: others can only make it so. */
static inline bool runq_empty(const struct runq *q)
{
	return q->rec->tail == READ_ONCE(q->rec->head);
}

/* By the holder. False when full. Release: pairs with baton_runq_pop_half(). */
static inline bool runq_push(struct runq *q, struct baton_fiber *f)
{
	struct baton_proc_rec *rec = q->rec;
	__u32 tail = rec->tail;

	/* Others can only make room. Acquire: pairs with who took. */
	if (unlikely(tail - smp_load_acquire(&rec->head) >= RUNQ_SIZE))
		return false;
	WRITE_ONCE(q->ring[tail % RUNQ_SIZE], f);
	smp_store_release(&rec->tail, tail + 1);
	return true;
}

/* By the holder, @tail being its own index. NULL when empty. */
static inline struct baton_fiber *runq_pop_before(struct runq *q, __u32 tail)
{
	struct baton_proc_rec *rec = q->rec;
	__u32 head = smp_load_acquire(&rec->head);
	struct baton_fiber *f;

	while (head != tail) {
		f = READ_ONCE(q->ring[head % RUNQ_SIZE]);
		if (!q->shared)		/* nor is anybody else to be woken */
			WRITE_ONCE(rec->head, head + 1);
		else if (!try_cmpxchg_acq_rel(&rec->head, &head, head + 1))
			continue;
		if (likely(f))
			return f;
		head++;
	}
	return NULL;
}

/* By the holder. NULL when empty. */
static inline struct baton_fiber *runq_pop(struct runq *q)
{
	return runq_pop_before(q, q->rec->tail);
}

/*
 * By the holder, before a pop: a fiber that has waited for long is cold, and so
 * is the end of its stack below it. That of the one after next is fetched while
 * the others run.
 */
#define RUNQ_AHEAD	2u

static inline void runq_prefetch(const struct runq *q)
{
	__u32 at = READ_ONCE(q->rec->head) + RUNQ_AHEAD;
	uintptr_t f = (uintptr_t)READ_ONCE(q->ring[at % RUNQ_SIZE]);

	/* What is not in the queue any more, others may be using. */
	if (q->rec->tail - at - 1 >= RUNQ_SIZE)
		return;
	for (uintptr_t line = f - 128; line != f + 192; line += 64)
		__builtin_prefetch((void *)line, 1);
}

/*
 * By the holder: the current fiber @f goes to the end, and the first one comes
 * off. The push comes before the pop: between the two the queue would look empty
 * to a worker that is about to sleep, and nobody would wake one for @f.
 *
 * Returns the fiber to run next; NULL if there is no other, no room or a gap,
 * and then @f is not in the queue; @f itself if others have taken everything meanwhile,
 * @f included, which is then theirs to run.
 */
static inline struct baton_fiber *runq_rotate(struct runq *q,
					      struct baton_fiber *f)
{
	struct baton_proc_rec *rec = q->rec;
	__u32 head = smp_load_acquire(&rec->head);
	__u32 tail = rec->tail;
	struct baton_fiber *next;

	if (head == tail)
		return NULL;
	if (!q->shared) {	/* even when full */
		next = q->ring[head % RUNQ_SIZE];
		if (unlikely(!next))
			return NULL;
		if (next == f)	/* not while it runs */
			__builtin_unreachable();
		q->ring[tail % RUNQ_SIZE] = f;
		smp_store_release(&rec->tail, tail + 1);
		WRITE_ONCE(rec->head, head + 1);
		return next;
	}
	if (!runq_push(q, f))
		return NULL;
	next = runq_pop_before(q, tail + 1);
	if (unlikely(next == f))
		return NULL;
	return unlikely(!next) ? f : next;
}

/*
 * By the holder: @f, which was at @place when it was pushed here. False if it
 * is there no more, or a thief is at work.
 */
bool baton_runq_remove(struct runq *q, struct baton_fiber *f, __u32 place);

/* The same where most often it is the only entry, and nobody steals. */
static inline bool runq_remove(struct runq *q, struct baton_fiber *f,
			       __u32 place)
{
	struct baton_proc_rec *rec = q->rec;

	if (unlikely(q->shared || READ_ONCE(rec->head) != place ||
		     rec->tail != place + 1 ||
		     q->ring[place % RUNQ_SIZE] != f))
		return baton_runq_remove(q, f, place);
	WRITE_ONCE(rec->tail, place);
	return true;
}

/* By the holder. Up to half of the entries, at least one if there is any. */
unsigned int baton_runq_pop_half(struct runq *q, struct baton_fiber **out);

/* By anybody: the first. NULL when empty. */
struct baton_fiber *baton_runq_take(struct runq *q);

/*
 * By the holder of @q, which is empty: half of @victim's fibers. Returns one,
 * the others are in @q; NULL when there was none.
 */
struct baton_fiber *baton_runq_steal(struct runq *q, struct runq *victim);

#endif /* BATON_CORE_RUNQ_H */
