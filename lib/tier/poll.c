// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * poll.c - the tier for any kernel, in user space alone: a monitor looks for
 * foreign calls that last, like Go's sysmon. It does not see a fiber that
 * blocks without having announced it by a foreign call.
 *
 * The monitor is the watcher's tick. It looks every 20 us at first, and, after
 * 50 looks at which there was nothing to do, at twice the interval each time,
 * up to 10 ms. If no fiber waits even then, no look is due until one does: what
 * would a processor be taken for? See watch.h for how it hears of that.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/claim.h"
#include "../core/reason.h"
#include "../core/worker.h"
#include "bunk.h"
#include "tier.h"

#define TICK_MIN_NS	20000L
#define TICK_MAX_NS	10000000L
#define QUIET_TICKS	50u

/* What the monitor saw of a processor when it last looked. */
struct sighting {
	uint32_t worker;
	uint64_t calls;
};

/**
 * struct poll - the tier's data; all but @bunks is the watcher's own
 * @bunks: where workers wait
 * @seen:  by processor
 * @quiet: looks, one after the other, at which nothing was taken
 * @ns:    until the next look
 */
struct poll {
	struct bunks bunks;
	struct sighting *seen;
	unsigned int quiet;
	long ns;
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
	/* Where the kernel has no membarrier() every call pays for a fence. */
	rt->fence = syscall(SYS_membarrier,
			    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
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

/* Is processor @p in the same foreign call as last time, and is there work? */
static bool retake(struct baton_rt *rt, unsigned int p)
{
	struct sighting *seen = &poll_of(rt)->seen[p];
	uint32_t index = READ_ONCE(rt->recs[p].worker);
	struct baton_slot *s = &rt->slots[index];
	uint64_t calls;

	if (idle_test(rt->hdr, p) || READ_ONCE(s->state) != BATON_FOREIGN)
		return false;
	calls = READ_ONCE(s->calls);
	if (seen->worker != index || seen->calls != calls) {
		*seen = (struct sighting){ index, calls };
		return false;
	}
	if (!rt_has_work(rt) || !claim_take(s, p, calls, rt->fence))
		return false;
	if (!baton_bunk_wake(rt, p, TIER_ANY))
		count((uint64_t *)&rt->recs[p].handoffs);
	return true;
}

static long poll_tick(struct baton_rt *rt, bool fresh)
{
	struct poll *t = poll_of(rt);
	bool took = false;

	for (unsigned int p = 0; p < rt->nprocs; p++)
		took |= retake(rt, p);
	t->quiet = took || fresh ? 0 : t->quiet + 1;
	if (!t->quiet)
		t->ns = TICK_MIN_NS;
	else if (t->quiet > QUIET_TICKS && t->ns < TICK_MAX_NS)
		t->ns = t->ns * 2 > TICK_MAX_NS ? TICK_MAX_NS : t->ns * 2;
	/* Without membarrier() nobody's look at asleep would be reliable. */
	if (t->ns == TICK_MAX_NS && !rt->fence && !rt_has_work(rt))
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
	.stop = baton_bunks_stop,
	.tick = poll_tick,
};
