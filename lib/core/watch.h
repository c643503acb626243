/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * watch.h - the one wait of the watcher, the thread that looks after the
 * others: it starts workers ahead of need (threads.c), and in a tier without
 * the module it is the monitor.
 *
 * The tier says what to wait for: a descriptor, or nothing; and what to look at
 * now and then: its tick. Everybody else wakes the watcher by a kick.
 *
 * While no fiber waits, there is nothing to look at: the watcher then sleeps
 * without a time limit, and says so in @asleep. Whoever queues a fiber that no
 * idle processor is there for looks at that word (watch_work()). The look costs
 * one load and no fence: the watcher, which does this at most once in some tens
 * of milliseconds, pays for the fence by membarrier(). The tier may have threads
 * that sleep meanwhile, too, and are told in the same way.
 */
#ifndef BATON_CORE_WATCH_H
#define BATON_CORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base.h"

/* watch.asleep: who waits for a fiber that waits */
#define ASLEEP_WATCHER	1u
#define ASLEEP_TIER	2u

/**
 * struct watch - the watcher's wait
 * @kicks:  how often it was kicked; the futex it waits on, where the tier has
 *          no descriptor
 * @event:  otherwise, an eventfd; -1: none
 * @wanted: one more worker would be of use
 * @asleep: ASLEEP_WATCHER: it looks at no worker until a fiber waits;
 *          ASLEEP_TIER: @arm is to be called when one does
 * @until:  when it wakes for timers' sake, see timer.h
 * @fd:     the tier's descriptor, or -1
 * @arm:    set by a tier that sets ASLEEP_TIER. By any thread; blocks neither
 */
struct watch {
	uint32_t kicks;
	uint32_t wanted;
	uint32_t asleep;
	int64_t until;
	int event;
	int fd;
	void (*arm)(struct watch *t);
};

/* @fd: readable when one more worker would be of use; -1: a futex will do.
 * 0, or -errno with a reason. */
int baton_watch_open(struct watch *t, int fd);
void baton_watch_close(struct watch *t);

/* Its wait ends, and the tier's tick runs. Any thread; async-signal-safe. */
void baton_watch_kick(struct watch *t);

/* A fiber waits: whoever is asleep until one does is told. Any thread. */
void baton_watch_rouse(struct watch *t);

/* One more worker would be of use. Any thread. */
void baton_watch_want(struct watch *t);

/*
 * The watcher waits for the tier's descriptor, or a kick since @kicks was read,
 * at most @ns nanoseconds or, if negative, for ever.
 */
void baton_watch_sleep(struct watch *t, uint32_t kicks, int64_t ns);

/*
 * A wheel has to be looked at at time @ns, earlier than was said before: full
 * barrier, that store before until; the watcher has it the other way round.
 */
static inline void watch_timer(struct watch *t, int64_t ns)
{
	smp_mb();
	if (ns < READ_ONCE(t->until))
		baton_watch_kick(t);
}

/* A fiber was queued, and no processor is idle. */
static inline void watch_work(struct watch *t)
{
	if (unlikely(READ_ONCE(t->asleep)))
		baton_watch_rouse(t);
}

#endif /* BATON_CORE_WATCH_H */
