/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hog.h - fibers that compute and compute.
 *
 * A fiber keeps its processor until it comes to the scheduler. One that
 * computes for long keeps it from all others, and so does one that makes
 * foreign calls that compute. With slices (baton_config_set_slice()) it loses
 * it, in two steps:
 *
 *  1. The watcher looks, while fibers wait, who holds each processor. Whoever
 *     has for a slice, and has not come to the scheduler, has it taken, by the
 *     protocol of claim.h, and a standby gets it. That interrupts nothing: the
 *     fiber goes on, as a thread without a processor, and will find out at its
 *     next scheduling point, as one does that blocked. It does not matter where
 *     it is: in malloc(), with a lock, in vector code; nor whether it computes
 *     at all: one that sleeps in fiber code loses its processor as well.
 *  2. Foreign code may go on so, outside of the limit. Fiber code may not. A
 *     timer on the thread's own CPU clock sends it a signal, whose handler
 *     finds the processor gone, and waits for another, thread and all (turn.h):
 *     nobody else runs on that thread meanwhile, so that thread-locals, the C
 *     library's locks and all registers are what they were.
 *
 * It is the CPU clock's timer since that cannot run out while the thread
 * sleeps: the signal comes to a thread that computes, or is about to leave the
 * kernel, and no system call ends by it. (tgkill() instead: 602 of 1,722 sleeps
 * did.)
 *
 * The same is done about fiber code that has lost its processor otherwise, when
 * it blocked, and goes on without one from one look to the next: for that is
 * outside of the limit, too.
 *
 * Only FIBER is stopped by the handler. In RUNTIME the thread may have a lock
 * of the scheduler's, and will find out by itself. So a lock that RUNTIME waits
 * for must not be held in FIBER: it would be waited for with a processor, which
 * is never taken. baton_rt_lock() is the only one of the library's that is; the
 * handler asks. With locks of the C library's the worst that can happen is a
 * wait of a second: see PATIENCE_NS in sched.c.
 *
 * Who was woken goes before those that wait for a turn. When no fiber waits the
 * watcher sleeps, no timer runs, and nothing is looked at. Nothing of all this
 * costs an instruction in a switch, a call or a callback.
 *
 * REJECTED: a real-time signal, see interrupt.h. REJECTED: to let go of the
 * processor in the handler. Whoever blocks in fiber code with a lock, for which
 * others wait, would never get there: in the tier poll nobody else sees that.
 */
#ifndef BATON_CORE_HOG_H
#define BATON_CORE_HOG_H

#include <errno.h>
#include <stdint.h>

#include "reason.h"

struct baton_rt;

#define SLICE_MAX_MS	10000u

/* baton_fiber.slice: this one keeps its processor for as long as it likes. */
#define SLICE_NEVER	UINT32_MAX

/* May a slice be @ms long, 0 for as it is by default? 0, or -EINVAL, with a
 * reason. */
static inline int slice_check(unsigned int ms)
{
	return ms <= SLICE_MAX_MS ?
		       0 :
		       baton_error(-EINVAL, "slice of %u ms: not 1 to %u", ms,
				   SLICE_MAX_MS);
}

/* Slices of @ms milliseconds; 0: none. 0, -ENOMEM. */
int baton_hogs_create(struct baton_rt *rt, unsigned int ms);
void baton_hogs_destroy(struct baton_rt *rt);

/*
 * The watcher takes processors whose holders' slices are over. Nanoseconds
 * until the next look; TICK_IDLE: none is due until a fiber waits; TICK_NEVER.
 */
long baton_hogs_look(struct baton_rt *rt);

#endif /* BATON_CORE_HOG_H */
