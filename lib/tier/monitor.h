/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * monitor.h - who looks for workers to take a processor from, in the tiers
 * without a module: the watcher's tick.
 */
#ifndef BATON_TIER_MONITOR_H
#define BATON_TIER_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "bunk.h"

struct sighting;

/**
 * struct monitor - a tier's data begins with it; all but @bunks is the
 *                  watcher's own
 * @bunks: where workers wait
 * @seen:  by processor
 * @quiet: looks, one after the other, at which nothing was taken
 * @idle:  looks, one after the other, at which no fiber waited
 * @ns:    until the next look
 * @fibers: it takes from fibers whose threads sleep, too; constant
 * @second: others take as well, and sooner: after a rest its first look is to
 *          see only; constant
 * @blind: nothing can be taken any more, see fences_on(), or is not to be
 * @now:   the time of this look, in nanoseconds
 */
struct monitor {
	struct bunks bunks;
	struct sighting *seen;
	unsigned int quiet;
	unsigned int idle;
	long ns;
	bool fibers;
	bool second;
	bool blind;
	int64_t now;
};

/* @t, which is zeroed; the region; rt->watch. 0, or -ENOMEM with a reason. */
int baton_monitor_open(struct baton_rt *rt, struct monitor *t);
void baton_monitor_close(struct baton_rt *rt, struct monitor *t);

/* Does thread @tid of this process sleep? No, if the system does not tell. It
 * takes some 10 us. */
bool baton_thread_sleeps(uint32_t tid);

/* See tier.h. */
long baton_monitor_tick(struct baton_rt *rt, bool fresh);

#endif /* BATON_TIER_MONITOR_H */
