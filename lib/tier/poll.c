// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * poll.c - the tier for any kernel, in user space alone: a monitor looks for
 * foreign calls that last, like Go's sysmon. It does not see a fiber that
 * blocks without having announced it by a foreign call.
 *
 * The monitor is the watcher's tick. It looks every 20 us at first, and, after
 * 50 looks at which there was nothing to do, at twice the interval each time,
 * up to 10 ms. If no fiber waits at several such looks, none is due until one
 * does: what would a processor be taken for? See watch.h for how the watcher
 * hears of that. It then begins at 20 us again, though not for long: where
 * fibers come and go all the time this happens often.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/claim.h"
#include "../core/clock.h"
#include "../core/fence.h"
#include "../core/reason.h"
#include "../core/site.h"
#include "../core/worker.h"
#include "bunk.h"
#include "tier.h"

/* More than any kernel has. */
#define CPUS_MAX	65536

#define TICK_MIN_NS	20000L
#define TICK_MAX_NS	10000000L
#define QUIET_TICKS	50u
#define FRESH_TICKS	5u	/* of these, after a rest */
#define IDLE_TICKS	4u	/* at the longest interval, before a rest */

/*
 * How long the same worker may keep a processor by short calls alone, while
 * fibers wait. A fiber that makes one after the other never enters the
 * scheduler: where a few serve a connection each, all others would wait for
 * ever.
 */
#define SLICE_NS	10000000

/**
 * struct sighting - what the monitor saw of a processor when it last looked
 * @worker: whose it was
 * @calls:  in which of its calls
 * @first:  when it was first seen there
 * @since:  when it was first seen with this worker, while fibers waited
 */
struct sighting {
	uint32_t worker;
	uint64_t calls;
	int64_t first;
	int64_t since;
};

/**
 * struct poll - the tier's data; all but @bunks is the watcher's own
 * @bunks: where workers wait
 * @seen:  by processor
 * @quiet: looks, one after the other, at which nothing was taken
 * @idle:  looks, one after the other, at which no fiber waited
 * @ns:    until the next look
 * @blind: nothing can be taken any more, see fences_on(), or is not to be
 * @now:   the time of this look, in nanoseconds
 */
struct poll {
	struct bunks bunks;
	struct sighting *seen;
	unsigned int quiet;
	unsigned int idle;
	long ns;
	bool blind;
	int64_t now;
};

static struct poll *poll_of(struct baton_rt *rt)
{
	return rt->tier_data;
}

static int poll_open(struct baton_rt *rt)
{
	struct poll *t = calloc(1, sizeof(*t));

	if (!t)
		return baton_error(-ENOMEM, "no memory");
	t->seen = calloc(rt->nprocs, sizeof(*t->seen));
	if (!t->seen || baton_bunks_open(rt, &t->bunks)) {
		free(t->seen);
		free(t);
		return baton_error(-ENOMEM, "no memory");
	}
	baton_watch_open(&rt->watch, -1);	/* a futex: cannot fail */
	t->blind = rt->handoff == HANDOFF_OFF;
	rt->tier_data = t;
	return 0;
}

static void poll_close(struct baton_rt *rt)
{
	struct poll *t = poll_of(rt);

	baton_watch_close(&rt->watch);
	baton_bunks_close(rt, &t->bunks);
	free(t->seen);
	free(t);
}

/*
 * Is processor @p in the same foreign call as last time, or for longer than a
 * slice in calls of the same worker?
 */
static bool overdue(struct poll *t, unsigned int p, uint32_t worker,
		    uint64_t calls, bool work)
{
	struct sighting *seen = &t->seen[p];
	bool same = seen->worker == worker && seen->calls == calls;

	if (!same)
		seen->first = now_ns();	/* it has begun before that */
	if (seen->worker != worker || !work)
		seen->since = t->now;
	seen->worker = worker;
	seen->calls = calls;
	return work && (same || t->now - seen->since > SLICE_NS);
}

/* membarrier() has come to be forbidden: without that, or another way, no look
 * at a worker tells anything. */
static void fences_on(struct baton_rt *rt)
{
	static const char blind[] =
		"baton: membarrier() is forbidden: foreign calls that block keep their processors\n";
	struct poll *t = poll_of(rt);
	bool passed;

	if (t->blind)
		return;
	baton_rt_lock();
	passed = __baton_fences_on(rt);
	baton_rt_unlock();
	if (passed)
		return;
	t->blind = true;
	if (write(STDERR_FILENO, blind, sizeof(blind) - 1) < 0)
		return;
}

/* Take processor @p from a worker that is in a foreign call, if it is time. */
static bool retake(struct baton_rt *rt, unsigned int p, bool work)
{
	struct poll *t = poll_of(rt);
	uint32_t index = READ_ONCE(rt->recs[p].worker);
	struct baton_slot *s = &rt->slots[index];
	struct baton_site *site;
	uint64_t calls;

	if (idle_test(rt->hdr, p) || READ_ONCE(s->state) != BATON_FOREIGN)
		return false;
	calls = READ_ONCE(s->calls);
	if (!overdue(t, p, index, calls, work) || t->blind)
		return false;
	/* Whose processor is gone already looks at what was said before. */
	if (READ_ONCE(s->taken) != BATON_KEPT)
		return false;
	site = baton_site_take(rt, s, t->seen[p].first);
	if (!claim_take(s, p, calls, READ_ONCE(rt->fence))) {
		if (!READ_ONCE(rt->fence) && !membarrier_all())
			fences_on(rt);
		WRITE_ONCE(s->since, 0);
		return false;
	}
	if (!baton_bunk_wake(rt, p, TIER_ANY)) {
		count((uint64_t *)&rt->recs[p].handoffs);
		count((uint64_t *)&site->handoffs);
	} else {
		count((uint64_t *)&site->missed);
	}
	return true;
}

static long poll_tick(struct baton_rt *rt, bool fresh)
{
	struct poll *t = poll_of(rt);
	bool took = false, work = rt_has_work(rt);

	t->now = now_ns();
	for (unsigned int p = 0; p < rt->nprocs; p++)
		took |= retake(rt, p, work);
	if (took || fresh) {
		t->quiet = took ? 0 : QUIET_TICKS - FRESH_TICKS;
		t->ns = TICK_MIN_NS;
	} else if (++t->quiet > QUIET_TICKS && t->ns < TICK_MAX_NS) {
		t->ns = t->ns * 2 > TICK_MAX_NS ? TICK_MAX_NS : t->ns * 2;
	}
	t->idle = work || t->ns < TICK_MAX_NS ? 0 : t->idle + 1;
	/* Without membarrier() nobody's look at asleep would be reliable. */
	if (t->idle > IDLE_TICKS && !READ_ONCE(rt->fence))
		return TICK_IDLE;
	return t->ns;
}

const struct tier_ops baton_tier_poll = {
	.id = BATON_TIER_POLL,
	.open = poll_open,
	.close = poll_close,
	.attach = baton_bunk_attach,
	.detach = baton_bunk_detach,
	.park = baton_bunk_park,
	.wake = baton_bunk_wake,
	.swap = baton_bunk_swap,
	.rouse = baton_bunk_rouse,
	.stop = baton_bunks_stop,
	.tick = poll_tick,
};
