/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * tier.h - how a blocked worker is found out and a waiting one is woken: the
 * one interface that the scheduler sees. kmod.c, idle.c and poll.c are behind it.
 */
#ifndef BATON_TIER_TIER_H
#define BATON_TIER_TIER_H

#include <baton/runtime.h>
#include <linux/baton.h>
#include <stdbool.h>

struct baton_rt;
struct baton_worker;

#define TIER_ANY		BATON_ANY
#define TIER_PINNED		BATON_PARK_PINNED

/* What a tick returns instead of a time. */
#define TICK_NEVER		(-1L)	/* there is no tick */
#define TICK_IDLE		(-2L)	/* none is due until a fiber waits */

/**
 * struct tier_ops - a tier
 * @id:     which
 * @open:   make the region and fill in rt->hdr, recs and slots; processor 0 is
 *          the caller's, the others are idle; and open rt->watch, with the
 *          descriptor to wait for, if there is one. 0, or -errno with a reason.
 * @close:  undo it; no worker is attached any more
 * @attach: the calling thread becomes worker @w: fills in w->index, w->slot
 * @detach: it is one no more
 * @park:   wait for a processor, return its number, -ESHUTDOWN, or -ECANCELED:
 *          see @rouse. Before it
 *          sleeps it claims an idle one itself if there is work, unless flags
 *          has TIER_PINNED: then only a wake or swap naming @w ends the wait.
 * @wake:   give @proc, which the caller holds, to worker @index or, TIER_ANY,
 *          to any standby. 0; or 1 when there was none: it is idle now, and
 *          one more worker is wanted. Any thread.
 * @swap:   wake(@proc, @index) and park(@w, @flags) at once
 * @rouse:  the park of worker @index ends, if it waits as a standby: with a
 *          processor that was idle, or with -ECANCELED. 0; or -EBUSY, when it
 *          was no standby, or it takes a processor and none is idle.
 * @stop:   every park returns -ESHUTDOWN from now on
 * @forked: in the child of fork(): the region is there, whatever it says. NULL:
 *          it is in any case
 * @tick:   the watcher looks for workers to take a processor from. @fresh: for
 *          the first time since it slept. Returns nanoseconds until the next
 *          look, or TICK_IDLE. NULL: the kernel does the looking.
 */
struct tier_ops {
	enum baton_tier id;
	int (*open)(struct baton_rt *rt);
	void (*close)(struct baton_rt *rt);
	int (*attach)(struct baton_worker *w);
	void (*detach)(struct baton_worker *w);
	int (*park)(struct baton_worker *w, unsigned int flags);
	int (*wake)(struct baton_rt *rt, unsigned int proc, unsigned int index);
	int (*swap)(struct baton_worker *w, unsigned int proc,
		    unsigned int index, unsigned int flags);
	int (*rouse)(struct baton_rt *rt, unsigned int index);
	void (*stop)(struct baton_rt *rt);
	void (*forked)(struct baton_rt *rt);
	long (*tick)(struct baton_rt *rt, bool fresh);
};

extern const struct tier_ops baton_tier_idle;
extern const struct tier_ops baton_tier_kmod;
extern const struct tier_ops baton_tier_poll;

#endif /* BATON_TIER_TIER_H */
