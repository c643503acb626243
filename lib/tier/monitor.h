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

struct baton_site;
struct sighting;

/**
 * struct sight - what a taker saw of the worker of a processor
 */
struct sight {
	unsigned int proc;
	uint32_t worker;
	uint32_t state;
	uint64_t calls;
};

/**
 * struct monitor - a tier's data begins with it; all but @bunks and @taking is
 *                  the watcher's own
 * @bunks:  where workers wait
 * @taking: whoever is about to take says so first, to whose worker and as what
 *          site; no other lock is taken within
 * @seen:  by processor
 * @quiet: looks, one after the other, at which nothing was taken
 * @idle:  looks, one after the other, at which no fiber waited
 * @ns:    until the next look
 * @rested: no look is due until a fiber waits, or none has been yet
 * @fibers: it takes from fibers whose threads sleep, too; constant
 * @second: others take as well, and sooner: after a rest its first look is to
 *          see only; constant
 * @blind: nothing can be taken any more, see fences_on(), or is not to be
 * @now:   the time of this look, in nanoseconds
 */
struct monitor {
	struct bunks bunks;
	pthread_mutex_t taking;
	struct sighting *seen;
	unsigned int quiet;
	unsigned int idle;
	long ns;
	bool rested;
	bool fibers;
	bool second;
	bool blind;
	int64_t now;
};

/* @t, which is zeroed; the region; rt->watch. 0, or -ENOMEM with a reason. */
int baton_monitor_open(struct baton_rt *rt, struct monitor *t);
void baton_monitor_close(struct baton_rt *rt, struct monitor *t);

/*
 * Take the processor of @sight, by the protocol of claim.h, as @taker. The block
 * was first seen at @since, as now_ns() has it. False: its worker keeps it.
 * Otherwise *@site is where to count what becomes of the processor, by atomic
 * instructions.
 */
bool baton_monitor_take(struct baton_rt *rt, uint32_t taker,
			const struct sight *sight, int64_t since,
			struct baton_site **site);

/* Does thread @tid of this process sleep? No, if the system does not tell. It
 * takes some 10 us. */
bool baton_thread_sleeps(uint32_t tid);

/* See tier.h. */
long baton_monitor_tick(struct baton_rt *rt, bool fresh);

#endif /* BATON_TIER_MONITOR_H */
