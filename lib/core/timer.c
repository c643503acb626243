// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* timer.c - a wheel of timers for each processor. */
#include "timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "probe.h"
#include "region.h"
#include "rt.h"
#include "waiter.h"

#define NONE UINT64_MAX

/* Later than this, some 70 years after the machine's start, is never. */
#define LATEST ((uint64_t)1 << (TIMER_BITS * TIMER_LEVELS - 1))

int baton_timers_create(struct baton_rt *rt)
{
	size_t size = rt->nprocs * sizeof(*rt->timers);

	rt->timers = aligned_alloc(_Alignof(struct timers), size);
	if (!rt->timers)
		return -ENOMEM;
	memset(rt->timers, 0, size);
	for (unsigned int i = 0; i < rt->nprocs; i++)
		rt->timers[i].next = NONE;
	return 0;
}

void baton_timers_destroy(struct baton_rt *rt)
{
	free(rt->timers);
}

/* --- one wheel; its lock is held ------------------------------------------ */

static void insert_locked(struct timers *ts, struct timer *t)
{
	uint64_t differs = (ts->now ^ t->when) | (TIMER_SLOTS - 1);
	unsigned int level =
		(63 - (unsigned int)__builtin_clzll(differs)) / TIMER_BITS;
	unsigned int at = (t->when >> (level * TIMER_BITS)) % TIMER_SLOTS;
	struct timer **slot = &ts->slot[level][at];

	debug_assert(t->when > ts->now && level < TIMER_LEVELS);
	t->next = *slot;
	if (t->next)
		t->next->pprev = &t->next;
	t->pprev = slot;
	*slot = t;
	ts->used[level] |= (uint64_t)1 << at;
}

static void remove_locked(struct timers *ts, struct timer *t)
{
	*t->pprev = t->next;
	if (t->next) {
		t->next->pprev = t->pprev;
	} else if (t->pprev >= &ts->slot[0][0] &&
		   t->pprev <= &ts->slot[TIMER_LEVELS - 1][TIMER_SLOTS - 1]) {
		/* It was alone there. */
		size_t n = (size_t)(t->pprev - &ts->slot[0][0]);

		ts->used[n / TIMER_SLOTS] &=
			~((uint64_t)1 << (n % TIMER_SLOTS));
	}
	t->pprev = NULL;
}

/*
 * When the first slot in use begins, which is the first of the lowest level in
 * use: all of a level lies before the next slot of the level above it.
 */
static uint64_t first_locked(const struct timers *ts, unsigned int *level,
			     unsigned int *at)
{
	for (unsigned int i = 0; i < TIMER_LEVELS; i++) {
		uint64_t before;

		if (!ts->used[i])
			continue;
		*level = i;
		*at = first_bit(ts->used[i]);
		before = ts->now >> (i * TIMER_BITS) >> TIMER_BITS;
		return (before << TIMER_BITS | *at) << (i * TIMER_BITS);
	}
	return NONE;
}

/* All that is due in granule @now; the waiters that were won follow @last. */
static struct waiter **advance_locked(struct timers *ts, uint64_t now,
				      struct waiter **last)
{
	unsigned int level, at;
	uint64_t begin;

	while ((begin = first_locked(ts, &level, &at)) <= now) {
		struct timer *t = ts->slot[level][at], *next;

		ts->now = begin;
		ts->slot[level][at] = NULL;
		ts->used[level] &= ~((uint64_t)1 << at);
		for (; t; t = next) {
			next = t->next;
			t->pprev = NULL;
			if (t->when > begin) {
				insert_locked(ts, t);
				continue;
			}
			probe2(timer, t, t->when << TIMER_SHIFT);
			*last = t->fire(t);
			while (*last)
				last = &(*last)->next;
		}
	}
	ts->now = now > ts->now ? now : ts->now;
	WRITE_ONCE(ts->next, first_locked(ts, &level, &at));
	return last;
}

static uint64_t granules(int64_t deadline)
{
	return ((uint64_t)deadline + (1 << TIMER_SHIFT) - 1) >> TIMER_SHIFT;
}

static void start_locked(struct timers *ts, struct timer *t, int64_t deadline)
{
	uint64_t when = deadline > 0 ? granules(deadline) : 0;

	t->wheel = ts;
	t->when = when > ts->now ? when : ts->now + 1;
	if (t->when <= ts->now + LATEST)
		insert_locked(ts, t);
}

/*
 * The wheel's time stands still while nothing is due. Before a timer that will
 * be the first it catches up: a level too high would have the watcher look
 * once in vain.
 */
static void catch_up_locked(struct timers *ts)
{
	uint64_t now = (uint64_t)now_ns() >> TIMER_SHIFT;
	unsigned int level, at;

	if (now > ts->now && now < first_locked(ts, &level, &at))
		ts->now = now;
}

/* --- all of them ----------------------------------------------------------- */

void baton_timers_start(struct baton_rt *rt, unsigned int p, struct timer *t,
		       int64_t deadline)
{
	struct timers *ts = &rt->timers[p];
	unsigned int level, at;
	uint64_t next;
	bool first;

	debug_assert(!t->pprev);
	lock_take(&ts->lock);
	first = granules(deadline) < ts->next;
	if (first)
		catch_up_locked(ts);
	start_locked(ts, t, deadline);
	/* One that never comes is in no slot, and nobody is to look for it. */
	first = first && t->pprev;
	if (first) {
		next = first_locked(ts, &level, &at);
		WRITE_ONCE(ts->next, next);
	}
	lock_drop(&ts->lock);
	if (unlikely(first))
		watch_timer(&rt->watch, (int64_t)(next << TIMER_SHIFT));
}

bool baton_timers_stop(struct timer *t)
{
	struct timers *ts = t->wheel;
	bool pending;

	if (!ts)
		return false;
	lock_take(&ts->lock);
	pending = t->pprev;
	if (pending)
		remove_locked(ts, t);
	lock_drop(&ts->lock);
	return pending;
}

struct waiter *baton_timers_expire(struct baton_rt *rt, int64_t now)
{
	uint64_t granule = (uint64_t)now >> TIMER_SHIFT;
	struct waiter *won = NULL, **last = &won;

	for (unsigned int i = 0; i < rt->nprocs; i++) {
		struct timers *ts = &rt->timers[i];

		/* Without the lock: who starts an earlier one kicks us. */
		if (READ_ONCE(ts->next) > granule)
			continue;
		lock_take(&ts->lock);
		last = advance_locked(ts, granule, last);
		lock_drop(&ts->lock);
	}
	return won;
}

int64_t baton_timers_next(const struct baton_rt *rt)
{
	uint64_t first = NONE;

	for (unsigned int i = 0; i < rt->nprocs; i++) {
		uint64_t next = READ_ONCE(rt->timers[i].next);

		first = next < first ? next : first;
	}
	return first == NONE ? TIMER_NEVER : (int64_t)(first << TIMER_SHIFT);
}
