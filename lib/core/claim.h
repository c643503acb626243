/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * claim.h - whose processor it is: every transition of slot.taken that the
 * library makes, in one place.
 *
 * A worker that leaves scheduler code keeps its processor, but others may take
 * it: the kernel's hook when the thread blocks, a tier in user space when a
 * foreign call lasts. slot.taken says whether that has happened.
 *
 *	KEPT    the worker's, as before
 *	TAKING  a taker in user space has begun, and may still withdraw
 *	TAKEN   the taker's; the worker finds out when it next looks
 *
 *	from           to      who                         here
 *	KEPT           TAKING  taker in user space         claim_begin()
 *	TAKING         TAKEN   the same, as it should be   claim_end()
 *	TAKING         KEPT    the same, it is not         claim_end()
 *	TAKING         KEPT    the worker, on its way home claim_settle()
 *	KEPT, TAKING   TAKEN   the hook                    kmod/handoff.c
 *	TAKEN          KEPT    the worker, once it has a   claim_keep()
 *	                       processor again
 *	TAKEN          KEPT    the hook, for a worker in   kmod/handoff.c
 *	                       FIBER, if it was idle
 *	any            TAKEN   the end of the scheduler    claim_stop()
 *
 * Several may take in user space, as in the tier idle, where standbys do. Each
 * has a TAKING of its own, CLAIM_TAKER(), and goes on from that alone: or one
 * that the worker has settled with, and that was slow to see it, would take what
 * another has begun on since, without having looked for itself.
 *
 * Whoever makes it TAKEN holds the processor and passes it on. The end of the
 * scheduler is the exception: then nobody holds anything any more.
 *
 * The worker pays nothing for this but one load on each way in. It stores its
 * state and then loads taken, with no fence between the two. The hook runs on
 * the worker's own CPU, between two of its instructions, so that the compiler's
 * order is enough. A taker in user space pays for the fence that is missing:
 * it stores TAKING, makes every running thread of the process pass a fence by
 * membarrier(), and then reads state. One of the two sees the other's store.
 * Where there is no membarrier() (rt->fence), the worker does pay.
 */
#ifndef BATON_CORE_CLAIM_H
#define BATON_CORE_CLAIM_H

#include <linux/membarrier.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "region.h"

/* Who is TAKING: the watcher, or the @n-th of others, from 1 on. */
#define CLAIM_TAKER(n)	((uint32_t)(n) << 8 | BATON_TAKING)
#define CLAIM_WATCHER	CLAIM_TAKER(0)

/*
 * The worker enters scheduler code (RUNTIME), or goes from foreign code
 * straight into fiber code (FIBER), on which way it touches no queue. Returns
 * taken: if that is not KEPT, or if there is no membarrier(), claim_lost() says
 * whether the processor may be gone. The two are apart so that a fast path can
 * ask about everything that is rare in one branch. Pairs with claim_begin().
 */
static inline uint32_t claim_enter(struct baton_slot *s, uint32_t state)
{
	_Static_assert(!BATON_KEPT, "KEPT is 0: see sched_enter()");
	slot_set_state(s, state);
	barrier();
	return READ_ONCE(s->taken);
}

/* The second look; without membarrier() (@fence), the first that counts. */
static inline bool claim_lost(struct baton_slot *s, uint32_t fence)
{
	if (fence)
		smp_mb();
	return READ_ONCE(s->taken) != BATON_KEPT;
}

/*
 * The worker settles with a taker that may have only begun. True: the processor
 * is the worker's as before, either because it won or because the taker has
 * withdrawn since. One of this swap and claim_end()'s wins.
 */
static inline bool claim_settle(struct baton_slot *s)
{
	uint32_t old = BATON_TAKING;

	do {
		if (try_cmpxchg_acq_rel(&s->taken, &old, BATON_KEPT))
			return true;
	} while (old != BATON_KEPT && old != BATON_TAKEN);
	return old == BATON_KEPT;
}

/*
 * The worker, whose last processor was taken, has one again. If the scheduler
 * is stopping (@stopping), TAKEN stays: claim_stop() may have stored it just
 * now, and this must not write over it. The exchange is a full barrier: taken
 * before stopping; claim_stop()'s caller has it the other way round.
 */
static inline void claim_keep(struct baton_slot *s, const int *stopping)
{
	xchg(&s->taken, BATON_KEPT);
	if (unlikely(READ_ONCE(*stopping)))
		smp_store_release(&s->taken, BATON_TAKEN);
}

/* Ask for membarrier_all(), once. False: the kernel has none. */
static inline bool membarrier_register(void)
{
	return !syscall(SYS_membarrier,
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

/*
 * Every thread of the process that runs passes a full barrier. False: none has;
 * a filter of system calls, which may come at any time, forbids it.
 */
static inline bool membarrier_all(void)
{
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0,
			0);
}

/*
 * A taker in user space has begun, and withdraws, or has seen that the worker
 * @still does what it is taken for. True: the processor is the caller's.
 */
static inline bool claim_end(struct baton_slot *s, uint32_t taker, bool still)
{
	uint32_t old = taker;

	return try_cmpxchg_acq_rel(&s->taken, &old,
				   still ? BATON_TAKEN : BATON_KEPT) &&
	       still;
}

/*
 * A taker in user space begins. True: it is to look at the worker's state now,
 * by acquire, for what the worker did to the processor's queue; and claim_end()
 * has to follow. In whatever state that look finds the worker, the worker's next
 * look at taken is yet to come: it will find us, and the two swaps decide.
 */
static inline bool claim_begin(struct baton_slot *s, uint32_t taker,
			       uint32_t fence)
{
	uint32_t old = BATON_KEPT;

	if (!try_cmpxchg(&s->taken, &old, taker))
		return false;
	if (fence) {
		smp_mb();
	} else if (!membarrier_all()) {
		claim_end(s, taker, false);
		return false;
	}
	return true;
}

/*
 * A taker in user space takes processor @p from the worker of @s, if that is
 * still in @state, FOREIGN or FIBER, and has made @calls foreign calls so far.
 * In both it keeps its hands off the processor, and looks at taken before it
 * touches that again: a taker that is wrong about its being blocked does no
 * harm. True: the caller holds @p.
 */
static inline bool claim_take(struct baton_slot *s, uint32_t taker,
			      unsigned int p, uint32_t state, uint64_t calls,
			      uint32_t fence)
{
	return claim_begin(s, taker, fence) &&
	       claim_end(s, taker,
			 smp_load_acquire(&s->state) == state &&
				 READ_ONCE(s->calls) == calls &&
				 READ_ONCE(s->proc) == p);
}

/* The same by the watcher, if it runs fiber code or foreign code, whichever. */
static inline bool claim_take_running(struct baton_slot *s, unsigned int p,
				      uint32_t fence)
{
	uint32_t state;

	if (!claim_begin(s, CLAIM_WATCHER, fence))
		return false;
	state = smp_load_acquire(&s->state);
	return claim_end(s, CLAIM_WATCHER,
			 (state == BATON_FIBER || state == BATON_FOREIGN) &&
				 READ_ONCE(s->proc) == p);
}

/* The end of the scheduler: the worker is to find its processor gone. */
static inline void claim_stop(struct baton_slot *s)
{
	smp_store_mb(s->taken, BATON_TAKEN);
}

#endif /* BATON_CORE_CLAIM_H */
