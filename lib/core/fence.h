/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* fence.h - when membarrier() has come to be forbidden. */
#ifndef BATON_CORE_FENCE_H
#define BATON_CORE_FENCE_H

#include <stdbool.h>

struct baton_rt;

/* rt.fenced: @fence is set, and the workers have heard of it */
#define FENCED_ALL	1u	/* and all have passed a fence since */
#define FENCED_BLIND	2u	/* which is not known: none can be made */

/*
 * membarrier() has come to be forbidden, by a filter of system calls, perhaps.
 * Workers are told to pay for a fence from now on. Each has heard of it when it
 * has been switched out once since, which the caller sees to: what had not
 * looked did so before that. True: thus all have passed a fence, as by
 * membarrier(). The caller has baton_rt_lock(). Blocks the thread, which visits
 * each CPU.
 */
bool __baton_fences_on(struct baton_rt *rt);

/*
 * Every thread that runs passes a fence: by membarrier(), or, where that is
 * forbidden, since workers have one in all that they do once they were told,
 * which is seen to. Whoever else is at that is waited for; the lock is taken
 * only if nobody has done it before. False: no fence can be made. By a worker,
 * or a thread that holds @rt.
 */
bool baton_fence_all(struct baton_rt *rt);

#endif /* BATON_CORE_FENCE_H */
