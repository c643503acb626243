// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * bunk.c - where workers wait for a processor in the tiers without a module.
 *
 * A worker that parks and one that wakes it decide under one lock, so no
 * wake-up is lost: if the waker comes first it finds no standby and sets the
 * idle bit; the worker that parks finds that bit, and the work it was for,
 * before it sleeps.
 *
 * A swap does both halves under the lock once: the caller is on the list
 * before the other wakes up. Otherwise the other, which may well run at once
 * and on this CPU, finds no standby and wants a thread that nobody needs.
 */
#include "bunk.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../core/debug.h"
#include "../core/futex.h"
#include "../core/reason.h"
#include "../core/site.h"
#include "../core/worker.h"
#include "tier.h"

/* bunk.grant, when it is no processor's number plus one */
#define GRANT_NONE	0u
#define GRANT_STOP	UINT_MAX
#define GRANT_ROUSED	(UINT_MAX - 1)
#define GRANT_LOOK	(UINT_MAX - 2)
#define GRANT_ASLEEP	(UINT_MAX - 3)	/* none, and its worker sleeps for one */

/* Among so many standbys one is looked for that sleeps on the right CPU. */
#define NEAR		8u

static struct bunks *bunks_of(struct baton_rt *rt)
{
	return rt->tier_data;
}

/* --- the region --------------------------------------------------------- */

static size_t site_offset(const struct baton_rt *rt)
{
	return sizeof(struct baton_header) +
	       rt->nprocs * sizeof(struct baton_proc_rec) +
	       rt->max_workers * sizeof(struct baton_slot);
}

static size_t region_bytes(const struct baton_rt *rt)
{
	return site_offset(rt) + SITES * sizeof(struct baton_site);
}

/* The layout of <linux/baton.h>, in zeroed memory. */
static void region_init(struct baton_rt *rt, void *region)
{
	struct baton_header *hdr = region;

	hdr->abi = BATON_ABI;
	hdr->nprocs = rt->nprocs;
	hdr->max_workers = rt->max_workers;
	hdr->proc_offset = sizeof(*hdr);
	hdr->slot_offset = (uint32_t)(sizeof(*hdr) +
			   rt->nprocs * sizeof(struct baton_proc_rec));
	hdr->site_offset = (uint32_t)site_offset(rt);
	hdr->nsites = SITES;
	for (unsigned int p = 1; p < rt->nprocs; p++)
		idle_set(hdr, p);
	rt->hdr = hdr;
	rt->recs = (void *)((char *)region + hdr->proc_offset);
	rt->slots = (void *)((char *)region + hdr->slot_offset);
	rt->sites = (void *)((char *)region + hdr->site_offset);
	rt->nsites = SITES;
	baton_sites_init(rt->sites);
}

int baton_bunks_open(struct baton_rt *rt, struct bunks *t)
{
	void *region;

	t->bytes = region_bytes(rt);
	t->bunk = calloc(rt->max_workers, sizeof(*t->bunk));
	if (!t->bunk)
		return -ENOMEM;
	region = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (region == MAP_FAILED) {
		free(t->bunk);
		return -ENOMEM;
	}
	region_init(rt, region);
	baton_lock_init(&t->lock);
	return 0;
}

void baton_bunks_close(struct baton_rt *rt, struct bunks *t)
{
	munmap(rt->hdr, t->bytes);
	pthread_mutex_destroy(&t->lock);
	free(t->bunk);
}

/* --- slots -------------------------------------------------------------- */

int baton_bunk_attach(struct baton_worker *w)
{
	struct bunks *t = bunks_of(w->rt);
	struct bunk *b = NULL;

	pthread_mutex_lock(&t->lock);
	if (t->vacant) {
		b = t->vacant;
		t->vacant = b->next;
	} else if (t->nslots < w->rt->max_workers) {
		b = &t->bunk[t->nslots++];
	}
	pthread_mutex_unlock(&t->lock);
	if (!b)
		return -EAGAIN;
	w->index = (unsigned int)(b - t->bunk);
	WRITE_ONCE(w->slot, &w->rt->slots[w->index]);
	/* A worker that is gone has left the slot as it was. Only what tells
	 * one worker from another is reset, for a monitor may be looking at the
	 * slot because of a processor that the last worker had. */
	slot_set_state(w->slot, BATON_RUNTIME);
	WRITE_ONCE(w->slot->taken, BATON_KEPT);
	WRITE_ONCE(w->slot->calls, 0);
	WRITE_ONCE(w->slot->tid, w->tid);
	atomic_fetch_add_relaxed(&w->rt->hdr->nworkers, 1);
	return 0;
}

void baton_bunk_detach(struct baton_worker *w)
{
	struct bunks *t = bunks_of(w->rt);
	struct bunk *b = &t->bunk[w->index];

	slot_set_state(w->slot, BATON_DEAD);
	atomic_fetch_sub_relaxed(&w->rt->hdr->nworkers, 1);
	pthread_mutex_lock(&t->lock);
	WRITE_ONCE(b->next, t->vacant);
	t->vacant = b;
	pthread_mutex_unlock(&t->lock);
}

/* --- parking and waking -------------------------------------------------- */

static void list_locked(struct baton_rt *rt, struct bunk *b)
{
	struct bunks *t = bunks_of(rt);

	debug_assert_locked(&t->lock);
	WRITE_ONCE(b->listed, true);
	WRITE_ONCE(b->cpu, sched_getcpu());
	WRITE_ONCE(b->next, t->standby);
	WRITE_ONCE(t->standby, b);
	WRITE_ONCE(rt->hdr->nstandby, rt->hdr->nstandby + 1);
}

static void unlist_locked(struct baton_rt *rt, struct bunk *b)
{
	struct bunks *t = bunks_of(rt);
	struct bunk **link = &t->standby;

	debug_assert_locked(&t->lock);
	if (!b->listed)
		return;
	while (*link != b)
		link = &(*link)->next;
	WRITE_ONCE(*link, b->next);
	WRITE_ONCE(b->listed, false);
	WRITE_ONCE(rt->hdr->nstandby, rt->hdr->nstandby - 1);
}

/*
 * Tell the worker of @b something. True: it sleeps, or somebody has not come to
 * wake it yet, and the caller is to. Otherwise it is awake, and finds this
 * before it sleeps: where the waker's CPU is the sleeper's, which preempts it,
 * that saves a system call. Full barrier: what the last holder of a processor
 * did; pairs with sleep_on().
 */
static bool tell(struct bunk *b, uint32_t grant)
{
	return xchg(&b->grant, grant) != GRANT_NONE;
}

/*
 * Give @proc to worker @index, or to any standby, and set *@wake to the bunk to
 * be woken, if it is to be. False when there was no standby: then @proc is idle.
 * A park that comes later sees the idle bit, since it takes the lock.
 */
static bool grant_locked(struct baton_rt *rt, unsigned int proc,
			 unsigned int index, struct bunk **wake)
{
	struct bunks *t = bunks_of(rt);
	struct bunk *b = index == TIER_ANY ? t->standby : &t->bunk[index];

	debug_assert_locked(&t->lock);
	*wake = NULL;
	if (!b) {
		idle_set(rt->hdr, proc);
		return false;
	}
	unlist_locked(rt, b);
	if (tell(b, proc + 1))
		*wake = b;
	return true;
}

/*
 * @w waits from now on, or has been granted something already. True: one more
 * worker is wanted, since this one has claimed an idle processor that had work,
 * and nobody is left for the next.
 */
static bool begin_locked(struct baton_worker *w, unsigned int flags)
{
	struct baton_rt *rt = w->rt;
	struct bunks *t = bunks_of(rt);
	struct bunk *b = &t->bunk[w->index];
	int p = -1;

	debug_assert_locked(&t->lock);
	if (t->stopped)
		WRITE_ONCE(b->grant, GRANT_STOP);
	if (READ_ONCE(b->grant) != GRANT_NONE || flags & TIER_PINNED)
		return false;
	/* The idle bit, or this worker's being a standby, before the look at
	 * the queues; pairs with wake_one() in sched.c. */
	smp_mb();
	if (rt_has_work(rt))
		p = idle_claim_any(rt->hdr, rt->nprocs);
	if (p < 0) {
		list_locked(rt, b);
		return false;
	}
	WRITE_ONCE(b->grant, (uint32_t)p + 1);
	return !t->standby;
}

/* @w was poked. False: but it has been granted something meanwhile. */
static bool poked(struct baton_worker *w)
{
	struct bunks *t = bunks_of(w->rt);
	struct bunk *b = &t->bunk[w->index];
	bool poked;

	pthread_mutex_lock(&t->lock);
	poked = READ_ONCE(b->grant) == GRANT_LOOK;
	if (poked) {
		unlist_locked(w->rt, b);
		/* Full barrier: this before the look at hints; pairs with
		 * poke(), after a hint. */
		xchg(&b->grant, GRANT_NONE);
	}
	pthread_mutex_unlock(&t->lock);
	return poked;
}

/* Until something is granted. The processor's number, -ESHUTDOWN, -ECANCELED;
 * -EAGAIN: it was poked. */
static int sleep_on(struct baton_worker *w)
{
	struct bunk *b = &bunks_of(w->rt)->bunk[w->index];
	uint32_t got;

	/* Acquire: the last holder's work before ours; pairs with tell(). */
	for (;;) {
		got = smp_load_acquire(&b->grant);
		if (got == GRANT_NONE &&
		    try_cmpxchg(&b->grant, &got, GRANT_ASLEEP))
			got = GRANT_ASLEEP;
		if (got == GRANT_ASLEEP)
			futex_wait(&b->grant, GRANT_ASLEEP, NULL);
		else if (got != GRANT_LOOK)
			break;
		else if (poked(w))
			return -EAGAIN;
	}
	if (got == GRANT_STOP)
		return -ESHUTDOWN;
	/* This may write over GRANT_STOP: the next park looks at stopped. */
	WRITE_ONCE(b->grant, GRANT_NONE);
	return got == GRANT_ROUSED ? -ECANCELED : (int)got - 1;
}

int baton_bunk_park(struct baton_worker *w, unsigned int flags)
{
	struct bunks *t = bunks_of(w->rt);
	bool want;

	pthread_mutex_lock(&t->lock);
	want = begin_locked(w, flags);
	pthread_mutex_unlock(&t->lock);
	if (want)
		baton_watch_want(&w->rt->watch);
	return sleep_on(w);
}

int baton_bunk_wake(struct baton_rt *rt, unsigned int proc,
		    unsigned int index)
{
	struct bunks *t = bunks_of(rt);
	struct bunk *b;
	bool last, given;

	pthread_mutex_lock(&t->lock);
	given = grant_locked(rt, proc, index, &b);
	last = !t->standby;
	pthread_mutex_unlock(&t->lock);
	if (b)
		futex_wake(&b->grant);
	if (last)
		baton_watch_want(&rt->watch);
	return given ? 0 : 1;
}

int baton_bunk_swap(struct baton_worker *w, unsigned int proc,
		    unsigned int index, unsigned int flags)
{
	struct baton_rt *rt = w->rt;
	struct bunks *t = bunks_of(rt);
	struct bunk *b;
	bool want;

	pthread_mutex_lock(&t->lock);
	grant_locked(rt, proc, index, &b);
	want = begin_locked(w, flags) || !t->standby;
	pthread_mutex_unlock(&t->lock);
	if (b)
		futex_wake(&b->grant);
	if (want)
		baton_watch_want(&rt->watch);
	return sleep_on(w);
}

/* False: it was granted something, and taken off the list before. */
static bool poke(struct bunk *b)
{
	uint32_t old = READ_ONCE(b->grant);

	/* If it is a standby no more it finds this when it next parks. */
	do {
		if (old != GRANT_NONE && old != GRANT_ASLEEP &&
		    old != GRANT_LOOK)
			return false;
	} while (!try_cmpxchg(&b->grant, &old, GRANT_LOOK));
	/* Who has poked it before us may not have come to wake it yet. */
	if (old != GRANT_NONE)
		futex_wake(&b->grant);
	return true;
}

bool baton_bunk_poke(struct baton_rt *rt, int cpu)
{
	struct bunks *t = bunks_of(rt);
	struct bunk *b = READ_ONCE(t->standby);

	/* The list may change under this look, and lead to a bunk that is on it
	 * no more. All bunks stay where they are, and a poke too many is a look
	 * in vain by whoever parks there next. */
	for (unsigned int n = 0; b && n < NEAR; n++, b = READ_ONCE(b->next))
		if (READ_ONCE(b->cpu) == cpu && READ_ONCE(b->listed) &&
		    poke(b))
			return true;
	while ((b = READ_ONCE(t->standby)))
		if (poke(b))
			return true;
	return false;
}

int baton_bunk_rouse(struct baton_rt *rt, unsigned int index)
{
	struct bunks *t = bunks_of(rt);
	struct bunk *b = &t->bunk[index];
	bool listed, wake = false;

	pthread_mutex_lock(&t->lock);
	listed = b->listed;
	if (listed) {
		unlist_locked(rt, b);
		wake = tell(b, GRANT_ROUSED);
	}
	pthread_mutex_unlock(&t->lock);
	if (wake)
		futex_wake(&b->grant);
	return listed ? 0 : -EBUSY;
}

void baton_bunks_stop(struct baton_rt *rt)
{
	struct bunks *t = bunks_of(rt);

	pthread_mutex_lock(&t->lock);
	t->stopped = true;
	WRITE_ONCE(t->standby, NULL);
	for (unsigned int i = 0; i < t->nslots; i++) {
		WRITE_ONCE(t->bunk[i].listed, false);
		if (tell(&t->bunk[i], GRANT_STOP))
			futex_wake(&t->bunk[i].grant);
	}
	pthread_mutex_unlock(&t->lock);
}
