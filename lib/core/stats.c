// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* stats.c - what a running scheduler tells of itself: tier and counters. */
#include "stats.h"

#include <baton/runtime.h>
#include <errno.h>
#include <string.h>

#include "../tier/tier.h"
#include "proc.h"
#include "worker.h"

enum baton_tier baton_tier(const char **why)
{
	const struct baton_rt *rt = baton_rt_hold();
	enum baton_tier tier = rt ? rt->tier->id : BATON_TIER_AUTO;

	if (why)
		*why = rt ? rt->why : "no scheduler runs";
	if (rt)
		baton_rt_release();
	return tier;
}

unsigned int baton_nprocs(void)
{
	const struct baton_rt *rt = baton_rt_hold();
	unsigned int n = rt ? rt->nprocs : 0;

	if (rt)
		baton_rt_release();
	return n;
}

static uint64_t get(const void *counter)
{
	return READ_ONCE(*(const uint64_t *)counter);
}

void baton_stats_add_worker(const struct baton_worker *w,
			    struct baton_stats *st)
{
	unsigned int depth = READ_ONCE(w->depth);

	st->calls += get(&w->slot->calls);
	st->callbacks += get(&w->callbacks);
	st->regained += get(&w->regained);
	st->requeued += get(&w->requeued);
	st->parks += get(&w->parks);
	st->turns += get(&w->turns);
	/* Each callback is within a call, but for an adopted thread's first. */
	st->calls_now += depth - (w->adopted && depth) +
			 (slot_state(w->slot) == BATON_FOREIGN);
}

int baton_stats(struct baton_stats *st, size_t size)
{
	const struct baton_rt *rt;
	struct baton_stats s;

	if (!st)
		return -EINVAL;
	baton_rt_lock();
	rt = rt_running();
	if (!rt) {
		baton_rt_unlock();
		return -ESRCH;
	}
	s = rt->gone;
	for (unsigned int i = 0; i < rt->max_workers; i++) {
		if (rt->workers[i])
			baton_stats_add_worker(rt->workers[i], &s);
	}
	s.workers = rt->nworkers;
	s.workers_max = rt->nworkers_max;
	s.adopted = READ_ONCE(rt->adopted);
	s.spawns = READ_ONCE(rt->spawns);
	s.waits_for_worker = get(&rt->waits_for_worker);
	s.sliced = get(&rt->sliced);
	for (unsigned int i = 0; i < rt->nprocs; i++) {
		s.handoffs += get(&rt->recs[i].handoffs);
		s.idled += get(&rt->recs[i].idled);
		s.regained += get(&rt->recs[i].regained);
		s.steals += get(&rt->procs[i].steals);
		s.spawns += get(&rt->procs[i].spawns);
	}
	baton_rt_unlock();
	memset(st, 0, size);
	memcpy(st, &s, size < sizeof(s) ? size : sizeof(s));
	return 0;
}
