// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * monitor.c - who looks for workers to take a processor from, where nobody else
 * tells: for foreign calls that last, like Go's sysmon.
 *
 * The monitor is the watcher's tick. It looks every 20 us at first, and, after
 * 50 looks at which there was nothing to do, at twice the interval each time,
 * up to 10 ms; in the tier idle, where it comes second, every 200 us at first.
 * If no fiber waits at several such looks, none is due until one does: what
 * would a processor be taken for? See watch.h for how the watcher hears of that.
 * It then begins at 20 us again, though not for long: where fibers come and go
 * all the time this happens often.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/claim.h"
#include "../core/clock.h"
#include "../core/fence.h"
#include "../core/reason.h"
#include "../core/site.h"
#include "../core/trace.h"
#include "../core/worker.h"
#include "monitor.h"
#include "tier.h"

#define TICK_MIN_NS	20000L
#define SECOND_MIN_NS	200000L	/* where others come first */
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

static struct monitor *monitor_of(struct baton_rt *rt)
{
	return rt->tier_data;
}

int baton_monitor_open(struct baton_rt *rt, struct monitor *t)
{
	t->seen = calloc(rt->nprocs, sizeof(*t->seen));
	if (!t->seen || baton_bunks_open(rt, &t->bunks)) {
		free(t->seen);
		return baton_error(-ENOMEM, "no memory");
	}
	baton_watch_open(&rt->watch, -1);	/* a futex: cannot fail */
	t->blind = rt->handoff == HANDOFF_OFF;
	t->rested = true;
	baton_lock_init(&t->taking);
	return 0;
}

void baton_monitor_close(struct baton_rt *rt, struct monitor *t)
{
	baton_watch_close(&rt->watch);
	baton_bunks_close(rt, &t->bunks);
	pthread_mutex_destroy(&t->taking);
	free(t->seen);
}

/*
 * Is processor @p in the same foreign call as last time, or for longer than a
 * slice in calls of the same worker?
 */
static bool overdue(struct monitor *t, unsigned int p, uint32_t worker,
		    uint64_t calls, bool work)
{
	struct sighting *seen = &t->seen[p];
	bool same = seen->worker == worker && seen->calls == calls;

	if (!same)
		seen->first = now_ns();	/* it has begun before that */
	if (seen->worker != worker || !work || t->rested)
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
	struct monitor *t = monitor_of(rt);
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

bool baton_thread_sleeps(uint32_t tid)
{
	char path[48], text[128] = "";
	const char *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%u/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	/* "number (name) S ...", and the name may have any characters. */
	state = strrchr(text, ')');
	return state && (state[2] == 'S' || state[2] == 'D');
}

/*
 * Has the worker of processor @p, in @state, had its time? Of fiber code nothing
 * tells whether it goes on but the system, which is asked once in a slice.
 */
static bool due(struct monitor *t, struct baton_slot *s, unsigned int p,
		uint32_t state)
{
	struct sighting *seen = &t->seen[p];

	if (state == BATON_FOREIGN)
		return true;
	if (t->now - seen->since <= SLICE_NS)
		return false;
	seen->since = t->now;
	return baton_thread_sleeps(READ_ONCE(s->tid));
}

bool baton_monitor_take(struct baton_rt *rt, uint32_t taker,
			const struct sight *sight, int64_t since,
			struct baton_site **site)
{
	struct baton_slot *s = &rt->slots[sight->worker];
	struct monitor *t = monitor_of(rt);
	bool taken = false;

	/* One at a time: of two, the one that comes to nothing would write over
	 * what the other has said to the worker. */
	pthread_mutex_lock(&t->taking);
	/* Whose processor is gone already looks at what was said before. */
	if (READ_ONCE(s->taken) == BATON_KEPT) {
		/* What fiber code waits for is not known. */
		*site = sight->state == BATON_FOREIGN ?
				baton_site_take(rt, s, since) :
				rt->sites;
		taken = claim_take(s, taker, sight->proc, sight->state,
				   sight->calls, READ_ONCE(rt->fence));
		if (!taken)
			WRITE_ONCE(s->since, 0);
	}
	pthread_mutex_unlock(&t->taking);
	if (taken && unlikely(trace_on()))
		baton_trace_handoff(sight->proc, sight->worker);
	return taken;
}

/* Take processor @p from a worker that is in a foreign call, if it is time; or
 * from one that sleeps in fiber code. */
static bool retake(struct baton_rt *rt, unsigned int p, bool work)
{
	struct monitor *t = monitor_of(rt);
	uint32_t index = READ_ONCE(rt->recs[p].worker);
	struct baton_slot *s = &rt->slots[index];
	uint32_t state = READ_ONCE(s->state);
	struct baton_site *site;
	struct sight sight;
	uint64_t calls;

	if (idle_test(rt->hdr, p) ||
	    (state != BATON_FOREIGN && !(t->fibers && state == BATON_FIBER)))
		return false;
	calls = READ_ONCE(s->calls);
	/* No fiber has waited during the rest. */
	if (!overdue(t, p, index, calls, work) || t->blind ||
	    (t->rested && t->second) || !due(t, s, p, state))
		return false;
	sight = (struct sight){ p, index, state, calls };
	if (!baton_monitor_take(rt, CLAIM_WATCHER, &sight, t->seen[p].first,
				&site)) {
		if (!READ_ONCE(rt->fence) && !membarrier_all())
			fences_on(rt);
		return false;
	}
	if (!baton_bunk_wake(rt, p, TIER_ANY)) {
		atomic_fetch_add_relaxed(&rt->recs[p].handoffs, 1);
		atomic_fetch_add_relaxed((uint64_t *)&site->handoffs, 1);
	} else {
		atomic_fetch_add_relaxed((uint64_t *)&site->missed, 1);
	}
	return true;
}

long baton_monitor_tick(struct baton_rt *rt, bool fresh)
{
	struct monitor *t = monitor_of(rt);
	bool took = false, work = rt_has_work(rt);

	t->now = now_ns();
	for (unsigned int p = 0; p < rt->nprocs; p++)
		took |= retake(rt, p, work);
	if (took || fresh) {
		t->quiet = took ? 0 : QUIET_TICKS - FRESH_TICKS;
		t->ns = t->second ? SECOND_MIN_NS : TICK_MIN_NS;
	} else if (++t->quiet > QUIET_TICKS && t->ns < TICK_MAX_NS) {
		t->ns = t->ns * 2 > TICK_MAX_NS ? TICK_MAX_NS : t->ns * 2;
	}
	t->idle = work || t->ns < TICK_MAX_NS ? 0 : t->idle + 1;
	/* Without membarrier() nobody's look at asleep would be reliable. */
	t->rested = t->idle > IDLE_TICKS && !READ_ONCE(rt->fence);
	return t->rested ? TICK_IDLE : t->ns;
}
