// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * poll.c - the tier for any kernel, in user space alone: standbys sleep on
 * futexes, and a monitor looks for foreign calls that last, like Go's sysmon.
 *
 * The monitor is the watcher thread. It looks every 20 us at first, and, after
 * 50 looks at which there was nothing to do, at twice the interval each time,
 * up to 10 ms. It sleeps while all processors are idle. What it cannot see: a
 * fiber that blocks without having announced it.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../core/worker.h"
#include "tier.h"

#define TICK_MIN_NS	20000L
#define TICK_MAX_NS	10000000L
#define QUIET_TICKS	50u

/* bunk.grant: none, a processor's number plus one, or the end */
#define GRANT_NONE	0u
#define GRANT_STOP	UINT_MAX

/**
 * struct bunk - where a worker sleeps
 * @grant:  the futex; written under the lock
 * @listed: on the standby list
 * @next:   towards older standbys
 */
struct bunk {
	uint32_t grant;
	bool listed;
	struct bunk *next;
};

/* What the monitor saw of a processor when it last looked. */
struct sighting {
	uint32_t worker;
	uint64_t calls;
};

struct poll {
	pthread_mutex_t lock;		/* standby, grants, stopped, slots */
	struct bunk *standby;		/* the last to park is the first out */
	bool stopped;
	struct bunk *bunks;		/* by slot */
	unsigned int nslots;		/* slots given out, ever */
	struct bunk *vacant;		/* of those, the ones given back */

	uint32_t kick;			/* futex: the monitor's bed */
	uint32_t wanted;		/* atomic: one more worker, please */
	uint32_t asleep;		/* atomic: the monitor sleeps for
					 * good */
	struct sighting *seen;		/* the monitor's, by processor */
	size_t bytes;
};

static struct poll *poll_of(struct baton_rt *rt)
{
	return rt->tier_data;
}

static void futex_wait(uint32_t *word, uint32_t val, const struct timespec *ts)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, ts, NULL, 0);
}

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void kick(struct poll *t)
{
	atomic_fetch_add(&t->kick, 1);
	futex_wake(&t->kick);
}

static void want(struct poll *t)
{
	smp_store_mb(t->wanted, 1);
	kick(t);
}

size_t baton_region_layout(struct baton_rt *rt, void *region)
{
	size_t procs = sizeof(struct baton_header);
	size_t slots = procs + rt->nprocs * sizeof(struct baton_proc_rec);

	if (region) {
		rt->hdr = region;
		rt->recs = (void *)((char *)region + procs);
		rt->slots = (void *)((char *)region + slots);
		rt->hdr->abi = BATON_ABI;
		rt->hdr->nprocs = rt->nprocs;
		rt->hdr->max_workers = rt->max_workers;
		rt->hdr->proc_offset = (uint32_t)procs;
		rt->hdr->slot_offset = (uint32_t)slots;
		for (unsigned int p = 1; p < rt->nprocs; p++)
			idle_set(rt->hdr, p);
	}
	return slots + rt->max_workers * sizeof(struct baton_slot);
}

static int poll_open(struct baton_rt *rt)
{
	struct poll *t = calloc(1, sizeof(*t));
	void *region;

	if (!t)
		return baton_error(-ENOMEM, "no memory");
	t->bytes = baton_region_layout(rt, NULL);
	region = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->bunks = calloc(rt->max_workers, sizeof(*t->bunks));
	t->seen = calloc(rt->nprocs, sizeof(*t->seen));
	if (region == MAP_FAILED || !t->bunks || !t->seen) {
		if (region != MAP_FAILED)
			munmap(region, t->bytes);
		free(t->bunks);
		free(t->seen);
		free(t);
		return baton_error(-ENOMEM, "no memory");
	}
	baton_region_layout(rt, region);
	pthread_mutex_init(&t->lock, NULL);
	/* Where the kernel has no membarrier() every call pays for a fence. */
	rt->fence = syscall(SYS_membarrier,
			    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	rt->tier_data = t;
	return 0;
}

static void poll_close(struct baton_rt *rt)
{
	struct poll *t = poll_of(rt);

	munmap(rt->hdr, t->bytes);
	pthread_mutex_destroy(&t->lock);
	free(t->bunks);
	free(t->seen);
	free(t);
}

static int poll_attach(struct baton_worker *w)
{
	struct poll *t = poll_of(w->rt);
	struct bunk *b = NULL;

	pthread_mutex_lock(&t->lock);
	if (t->vacant) {
		b = t->vacant;
		t->vacant = b->next;
	} else if (t->nslots < w->rt->max_workers) {
		b = &t->bunks[t->nslots++];
	}
	pthread_mutex_unlock(&t->lock);
	if (!b)
		return -EAGAIN;
	w->index = (unsigned int)(b - t->bunks);
	w->slot = &w->rt->slots[w->index];
	/* As it was left, a dead worker's, but for what tells a new one; the
	 * monitor may be looking at it for a processor that one had. */
	slot_set_state(w->slot, BATON_RUNTIME);
	WRITE_ONCE(w->slot->taken, BATON_KEPT);
	WRITE_ONCE(w->slot->calls, 0);
	w->slot->tid = (uint32_t)gettid();
	atomic_fetch_add_relaxed(&w->rt->hdr->nworkers, 1);
	return 0;
}

static void poll_detach(struct baton_worker *w)
{
	struct poll *t = poll_of(w->rt);
	struct bunk *b = &t->bunks[w->index];

	slot_set_state(w->slot, BATON_DEAD);
	atomic_fetch_sub_relaxed(&w->rt->hdr->nworkers, 1);
	pthread_mutex_lock(&t->lock);
	b->next = t->vacant;
	t->vacant = b;
	pthread_mutex_unlock(&t->lock);
}

static void poll_busy(struct baton_rt *rt)
{
	struct poll *t = poll_of(rt);

	/*
	 * idle[] was changed by a locked instruction: pairs with sleep_for().
	 */
	if (READ_ONCE(t->asleep))
		kick(t);
}

/* Under the lock. Returns whose futex to wake, or NULL: no standby. */
static struct bunk *grant(struct baton_rt *rt, unsigned int proc,
			  unsigned int index)
{
	struct poll *t = poll_of(rt);
	struct bunk *b, **link;

	if (index == TIER_ANY) {
		b = t->standby;
		if (!b)
			return NULL;
		t->standby = b->next;
	} else {
		b = &t->bunks[index];
		for (link = &t->standby; b->listed && *link != b;)
			link = &(*link)->next;
		if (b->listed)
			*link = b->next;
	}
	if (b->listed)
		rt->hdr->nstandby--;
	b->listed = false;
	/* Release: pairs with the load in poll_park(), outside the lock. */
	smp_store_release(&b->grant, proc + 1);
	return b;
}

static int poll_wake(struct baton_rt *rt, unsigned int proc,
		     unsigned int index)
{
	struct poll *t = poll_of(rt);
	struct bunk *b;
	bool last;

	pthread_mutex_lock(&t->lock);
	b = grant(rt, proc, index);
	/* Under the lock: a park that comes later sees it. */
	if (!b)
		idle_set(rt->hdr, proc);
	last = !t->standby;
	pthread_mutex_unlock(&t->lock);
	if (b)
		futex_wake(&b->grant);
	if (last)
		want(t);
	else
		poll_busy(rt);
	return b ? 0 : 1;
}

/* Under the lock. A processor that needs a worker, now that one is here. */
static int claim_for_work(struct baton_rt *rt)
{
	smp_mb(); /* idle[] or standby before the queues */
	return rt_has_work(rt) ? idle_claim_any(rt->hdr, rt->nprocs) : -1;
}

static int poll_park(struct baton_worker *w, unsigned int flags)
{
	struct baton_rt *rt = w->rt;
	struct poll *t = poll_of(rt);
	struct bunk *b = &t->bunks[w->index];
	bool last = false;
	uint32_t got;
	int p;

	pthread_mutex_lock(&t->lock);
	if (t->stopped)
		b->grant = GRANT_STOP;
	if (b->grant == GRANT_NONE && !(flags & TIER_PINNED)) {
		p = claim_for_work(rt);
		if (p >= 0) {
			b->grant = (uint32_t)p + 1;
			last = !t->standby;
		} else {
			b->listed = true;
			b->next = t->standby;
			t->standby = b;
			rt->hdr->nstandby++;
		}
	}
	pthread_mutex_unlock(&t->lock);
	/* One ahead of need: there may be more processors in want. */
	if (last)
		want(t);
	while ((got = smp_load_acquire(&b->grant)) == GRANT_NONE)
		futex_wait(&b->grant, GRANT_NONE, NULL);
	if (got == GRANT_STOP)
		return -ESHUTDOWN;
	/* Over a GRANT_STOP, maybe: the next park looks at stopped. */
	WRITE_ONCE(b->grant, GRANT_NONE);
	poll_busy(rt);
	return (int)got - 1;
}

static int poll_swap(struct baton_worker *w, unsigned int proc,
		     unsigned int index, unsigned int flags)
{
	poll_wake(w->rt, proc, index);
	return poll_park(w, flags);
}

static void poll_stop(struct baton_rt *rt)
{
	struct poll *t = poll_of(rt);
	unsigned int n;

	pthread_mutex_lock(&t->lock);
	t->stopped = true;
	t->standby = NULL;
	n = t->nslots;
	for (unsigned int i = 0; i < n; i++) {
		smp_store_release(&t->bunks[i].grant, GRANT_STOP);
		futex_wake(&t->bunks[i].grant);
	}
	pthread_mutex_unlock(&t->lock);
	kick(t);
}

/*
 * Take processor @p from @s if it is still in its @calls-th call. The worker
 * stores RUNTIME and then looks at taken, without a fence: membarrier() makes
 * every running thread of ours pass one. If we then see the call still on, the
 * worker's look is to come, it will find us, and the two swaps decide. Pairs
 * with slot_enter() and baton_proc_regain().
 */
static bool take(struct baton_rt *rt, struct baton_slot *s, unsigned int p,
		 uint64_t calls)
{
	uint32_t old = BATON_KEPT;
	bool still;

	if (!try_cmpxchg(&s->taken, &old, BATON_TAKING))
		return false;
	if (rt->fence)
		smp_mb();
	else
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	/* Acquire: what the worker did to the processor's queue. */
	still = smp_load_acquire(&s->state) == BATON_FOREIGN &&
		READ_ONCE(s->calls) == calls && READ_ONCE(s->proc) == p;
	old = BATON_TAKING;
	return try_cmpxchg_acq_rel(&s->taken, &old,
				   still ? BATON_TAKEN : BATON_KEPT) &&
	       still;
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
	if (!rt_has_work(rt) || !take(rt, s, p, calls))
		return false;
	if (!poll_wake(rt, p, TIER_ANY))
		count((uint64_t *)&rt->recs[p].handoffs);
	return true;
}

static bool all_idle(struct baton_rt *rt)
{
	for (unsigned int p = 0; p < rt->nprocs; p++)
		if (!idle_test(rt->hdr, p))
			return false;
	return true;
}

/* Until the next look, a kick, or, with nothing to look at, for long. */
static void sleep_for(struct baton_rt *rt, long ns)
{
	struct poll *t = poll_of(rt);
	struct timespec ts = { .tv_nsec = ns };
	uint32_t kicks = READ_ONCE(t->kick);

	if (!all_idle(rt)) {
		futex_wait(&t->kick, kicks, &ts);
		return;
	}
	/* asleep before idle[]; pairs with poll_busy(). */
	smp_store_mb(t->asleep, 1);
	smp_mb();
	if (all_idle(rt) && !READ_ONCE(t->wanted) && !rt_stopping(rt))
		futex_wait(&t->kick, kicks, NULL);
	smp_store_mb(t->asleep, 0);
}

static int poll_watch(struct baton_rt *rt)
{
	struct poll *t = poll_of(rt);
	long ns = TICK_MIN_NS;
	unsigned int quiet = 0;

	/* The default slack of 50 us would be most of a tick. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	while (!rt_stopping(rt)) {
		bool took = false;

		for (unsigned int p = 0; p < rt->nprocs; p++)
			took |= retake(rt, p);
		if (xchg(&t->wanted, 0))
			return 1;
		quiet = took ? 0 : quiet + 1;
		if (!quiet)
			ns = TICK_MIN_NS;
		else if (quiet > QUIET_TICKS && ns < TICK_MAX_NS)
			ns = ns * 2 > TICK_MAX_NS ? TICK_MAX_NS : ns * 2;
		sleep_for(rt, ns);
	}
	return -1;
}

const struct tier_ops baton_tier_poll = {
	.id = BATON_TIER_POLL,
	.open = poll_open,
	.close = poll_close,
	.attach = poll_attach,
	.detach = poll_detach,
	.park = poll_park,
	.wake = poll_wake,
	.swap = poll_swap,
	.stop = poll_stop,
	.watch = poll_watch,
	.busy = poll_busy,
};
