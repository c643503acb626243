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
 * of milliseconds, pays for the fence by membarrier().
 */
#ifndef BATON_CORE_WATCH_H
#define BATON_CORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base.h"

struct baton_rt;

/**
 * struct watch - the watcher's wait
 * @kicks:  how often it was kicked; the futex it waits on, where the tier has
 *          no descriptor
 * @event:  otherwise, an eventfd; -1: none
 * @wanted: one more worker would be of use
 * @asleep: it waits without a time limit until it is kicked
 * @fd:     the tier's descriptor, or -1
 */
struct watch {
	uint32_t kicks;
	uint32_t wanted;
	uint32_t asleep;
	int event;
	int fd;
};

/* @fd: readable when one more worker would be of use; -1: a futex will do.
 * 0, or -errno with a reason. */
int baton_watch_open(struct watch *t, int fd);
void baton_watch_close(struct watch *t);

/* Its wait ends, and the tier's tick runs. Any thread; async-signal-safe. */
void baton_watch_kick(struct watch *t);

/* One more worker would be of use. Any thread. */
void baton_watch_want(struct watch *t);

/*
 * The watcher waits until one more worker would be of use: true; or until the
 * scheduler stops: false. @retry, unless 0: nanoseconds after which the answer
 * is true in any case, because the last wish could not be met.
 */
bool baton_watch_wait(struct baton_rt *rt, long retry);

/* A fiber was queued, and no processor is idle. */
static inline void watch_work(struct watch *t)
{
	if (unlikely(READ_ONCE(t->asleep)))
		baton_watch_kick(t);
}

#endif /* BATON_CORE_WATCH_H */
