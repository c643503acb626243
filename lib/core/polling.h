/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * polling.h - what the scheduler knows of descriptors that fibers wait for:
 * whom to ask, and when. lib/io/poller.c is behind it, which also has the
 * protocol. A program whose fibers use no descriptors pays for one look at a
 * pointer where a queue runs dry.
 */
#ifndef BATON_CORE_POLLING_H
#define BATON_CORE_POLLING_H

#include <stdbool.h>
#include <stdint.h>

#include "rt.h"

/**
 * struct polling_ops - what the poller does
 * @look:   make fibers runnable whose descriptors are ready, without waiting. @w:
 *          the caller's worker, in scheduler code with a processor; or NULL
 * @wait:   @w, without a processor and with the role, sleeps until there is
 *          something for it. Either it has a processor then, or is to park,
 *          or to leave. The role is free again
 * @kick:   who sleeps in @wait looks around. Any thread
 * @close:  the scheduler has ended, and its fibers are no more
 * @forked: in the child of fork(): the descriptors are the parent's
 */
struct polling_ops {
	void (*look)(struct baton_rt *rt, struct baton_worker *w);
	void (*wait)(struct baton_worker *w);
	void (*kick)(struct baton_rt *rt);
	void (*close)(struct baton_rt *rt);
	void (*forked)(struct baton_rt *rt);
};

/**
 * struct polling - the poller, as core knows it; all but @ops: A, as in rt.h
 * @ops:     constant
 * @waiting: how many fibers wait for descriptors
 * @role:    a worker has the poller's role, without a processor
 * @resting: the watcher does not look after the poller until it is kicked
 * @seen:    the watcher's: @turns when it last looked
 * @turns:   how often somebody has looked, or has taken or left the role. Not
 *           exact: of two who count at once one may be lost
 * @quiet:   the watcher's: looks in a row at which @turns was the same
 */
struct polling {
	const struct polling_ops *ops;
	uint32_t waiting;
	uint32_t role;
	uint32_t resting;
	uint32_t turns;
	uint32_t seen;
	uint32_t quiet;
};

/* Does a fiber wait for a descriptor? */
static inline struct polling *polling_wanted(const struct baton_rt *rt)
{
	/* Acquire: all of the poller before the pointer to it. */
	struct polling *p = smp_load_acquire(&rt->polling);

	return unlikely(p) && READ_ONCE(p->waiting) ? p : NULL;
}

/* True: there may be more runnable fibers now. */
static inline bool polling_look(struct baton_rt *rt, struct baton_worker *w)
{
	struct polling *p = polling_wanted(rt);

	if (likely(!p))
		return false;
	p->ops->look(rt, w);
	return true;
}

/* Take the role, if a fiber waits and nobody has it; ops->wait follows. */
static inline struct polling *polling_take(struct baton_rt *rt)
{
	struct polling *p = polling_wanted(rt);
	uint32_t none = 0;

	return p && !READ_ONCE(p->role) && try_cmpxchg(&p->role, &none, 1u) ?
		       p :
		       NULL;
}

/* A processor is idle that has work, and no standby is there for it. */
static inline void polling_kick(struct baton_rt *rt)
{
	struct polling *p = smp_load_acquire(&rt->polling);

	if (p && READ_ONCE(p->role))
		p->ops->kick(rt);
}

/*
 * By the watcher, before it waits: nobody may have looked for a while, as when
 * all processors run code that makes no decisions, or went idle when their
 * workers blocked. Nanoseconds until the next look; -1: none is due before a
 * kick.
 */
int64_t baton_polling_watch(struct baton_rt *rt);

/* Fibers wait for descriptors, @n more than before. There is a poller. */
void baton_polling_waits(struct baton_rt *rt, int n);

#endif /* BATON_CORE_POLLING_H */
