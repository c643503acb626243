// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * view.c - a look at all processors, workers and fibers of another process.
 *
 * It goes on meanwhile: two parts of a view may be of two instants, and a fiber
 * that is in motion may be shown in a state that it has just left.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/core/profile.h"
#include "../../lib/core/slab.h"
#include "door.h"

/* More than there can be: what was read is no such thing. */
#define SLABS_MAX 1000000u
#define FIBERS_MAX (1u << 24)
#define STACKS_MAX 65536u
#define SITES_MAX 65536u

const char *const fiber_whats[FIBER_WHATS] = {
	[FIBER_RUNS] = "running",
	[FIBER_CALLS] = "in foreign calls",
	[FIBER_READY] = "ready",
	[FIBER_PARKS] = "parked",
	[FIBER_JOINS] = "joining",
	[FIBER_WAITS] = "waiting",
};

/* As in lib/core/fiber.h and waiter.h. */
enum { JOINER_FREED = 0, JOINER_DONE = 2, JOINER_HOW = 12 };

static uintptr_t field(const struct target *t, enum at f)
{
	return t->lies[f];
}

/* A field of the record at @at. */
static bool get(const struct target *t, uintptr_t at, enum at f,
		void *to, size_t n)
{
	return target_read(t, at + field(t, f), to, n);
}

/* The same of a record that was read already. */
static void of(const struct target *t, const char *record, enum at f,
	       void *to, size_t n)
{
	memcpy(to, record + field(t, f), n);
}

static bool take_procs(const struct target *t, struct view *v, uintptr_t rt)
{
	uintptr_t recs, procs;

	if (!get(t, rt, AT_RT_RECS, &recs, sizeof(recs)) ||
	    !get(t, rt, AT_RT_PROCS, &procs, sizeof(procs)))
		return false;
	v->procs = calloc(v->hdr.nprocs, sizeof(*v->procs));
	if (!v->procs)
		return false;
	v->nprocs = v->hdr.nprocs;
	for (unsigned int i = 0; i < v->nprocs; i++) {
		struct proc *p = &v->procs[i];
		uintptr_t at = procs + i * field(t, AT_PROC_SIZE);

		p->idle = v->hdr.idle[i / 64] >> (i % 64) & 1;
		if (!target_read(t, recs + i * sizeof(p->rec), &p->rec,
				 sizeof(p->rec)) ||
		    !get(t, at, AT_PROC_STEALS, &p->steals, 8) ||
		    !get(t, at, AT_PROC_SPAWNS, &p->spawns, 8))
			return false;
	}
	return true;
}

static bool take_worker(const struct target *t, struct worker *w, uintptr_t at,
			uintptr_t slots)
{
	char record[field(t, AT_WORKER_SIZE)];
	uintptr_t proc;

	if (!target_read(t, at, record, sizeof(record)) ||
	    !target_read(t, slots + w->n * sizeof(w->slot), &w->slot,
			 sizeof(w->slot)))
		return false;
	of(t, record, AT_WORKER_FIBER, &w->fiber, sizeof(w->fiber));
	of(t, record, AT_WORKER_PROC, &proc, sizeof(proc));
	of(t, record, AT_WORKER_DEPTH, &w->depth, sizeof(w->depth));
	of(t, record, AT_WORKER_ADOPTED, &w->adopted, 1);
	of(t, record, AT_WORKER_POLLING, &w->polling, 1);
	w->has_proc = proc && w->slot.taken != BATON_TAKEN &&
		      w->slot.state != BATON_PARKED;
	return true;
}

static bool take_workers(const struct target *t, struct view *v, uintptr_t rt)
{
	unsigned int max = v->hdr.max_workers;
	uintptr_t slots, table, *at;
	bool well = false;

	at = calloc(max, sizeof(*at));
	v->workers = calloc(max, sizeof(*v->workers));
	if (!at || !v->workers ||
	    !get(t, rt, AT_RT_SLOTS, &slots, sizeof(slots)) ||
	    !get(t, rt, AT_RT_WORKERS, &table, sizeof(table)) ||
	    !target_read(t, table, at, max * sizeof(*at)))
		goto out;
	well = true;
	for (unsigned int i = 0; i < max && well; i++) {
		if (!at[i])
			continue;
		v->workers[v->nworkers].n = i;
		well = take_worker(t, &v->workers[v->nworkers++], at[i],
				   slots);
	}
out:
	free(at);
	return well;
}

/*
 * The library's own reader adds them up, from a copy. What a site was USED for
 * before it was copied does not change: so its state is looked at first.
 */
static bool take_sites(const struct target *t, struct view *v, uintptr_t rt)
{
	struct baton_site *sites;
	unsigned int n;
	uintptr_t at;
	int found = -1;

	if (!get(t, rt, AT_RT_SITES, &at, sizeof(at)) ||
	    !get(t, rt, AT_RT_NSITES, &n, sizeof(n)) || n > SITES_MAX)
		return false;
	if (!at)
		n = 0;
	sites = calloc(2 * n + 1, sizeof(*sites));
	if (sites && target_read(t, at, sites, n * sizeof(*sites)) &&
	    target_read(t, at, sites + n, n * sizeof(*sites))) {
		for (unsigned int i = 0; i < n; i++)
			sites[n + i].state = sites[i].state;
		found = baton_profile_merge(sites + n, n, &v->sites);
	}
	free(sites);
	v->nsites = found < 0 ? 0 : (unsigned int)found;
	return found >= 0;
}

/* The worker that the fiber is on, or NULL. */
static const struct worker *worker_of(const struct view *v, uintptr_t fiber)
{
	for (unsigned int i = 0; i < v->nworkers; i++)
		if (v->workers[i].fiber == fiber &&
		    v->workers[i].slot.state != BATON_PARKED)
			return &v->workers[i];
	return NULL;
}

bool view_add(struct view *v, const struct fiber *f)
{
	struct fiber *more = v->fibers;

	/* Room is doubled whenever their number is a power of two. */
	if (!(v->nfibers & (v->nfibers - 1)))
		more = realloc(v->fibers,
			       (v->nfibers ? 2 * v->nfibers : 1) *
				       sizeof(*more));
	if (!more)
		return false;
	v->fibers = more;
	v->fibers[v->nfibers++] = *f;
	return true;
}

/* Is the fiber at @at still the one that waits for the end of @joined's? */
static bool joins(const struct target *t, uintptr_t at, uintptr_t joined)
{
	uintptr_t joiner;

	return joined && get(t, joined, AT_FIBER_JOINER, &joiner,
			     sizeof(joiner)) &&
	       (joiner & ~(uintptr_t)JOINER_HOW) == at;
}

/* The fiber whose record lies at @at; false: it has ended, or never begun. */
static bool take_fiber(const struct target *t, const struct view *v,
		       struct fiber *f, uintptr_t at)
{
	char record[field(t, AT_FIBER_SIZE)];
	uintptr_t joiner, joined;
	uint32_t blocked, permit;
	const struct worker *w;

	if (!target_read(t, at, record, sizeof(record)))
		return false;
	of(t, record, AT_FIBER_JOINER, &joiner, sizeof(joiner));
	if (joiner == JOINER_FREED || joiner == JOINER_DONE)
		return false;
	f->at = at;
	of(t, record, AT_FIBER_FN, &f->fn, sizeof(f->fn));
	of(t, record, AT_FIBER_NAME, f->name, sizeof(f->name));
	f->name[sizeof(f->name) - 1] = 0;
	of(t, record, AT_FIBER_BLOCKED, &blocked, sizeof(blocked));
	of(t, record, AT_FIBER_JOINED, &joined, sizeof(joined));
	of(t, record, AT_FIBER_PERMIT, &permit, sizeof(permit));
	f->worker = -1;
	f->what = permit >= field(t, AT_FIBER_WAITED) ? FIBER_PARKS :
		  joins(t, at, joined)	  ? FIBER_JOINS :
		  blocked		  ? FIBER_WAITS :
					    FIBER_READY;
	if (f->what != FIBER_READY)
		return true;
	w = worker_of(v, at);
	if (w) {
		f->worker = (int)w->n;
		f->what = w->slot.state == BATON_FOREIGN ? FIBER_CALLS :
							   FIBER_RUNS;
	}
	return true;
}

/*
 * A stack without memory is not looked at: the look would give it some. Which
 * these are the slab says by their numbers.
 */
static bool take_slab(const struct target *t, struct view *v, uintptr_t slab,
		      uintptr_t service)
{
	static bool bare[STACKS_MAX];
	static uint16_t numbers[STACKS_MAX];
	unsigned int n, nbare;
	uintptr_t stacks;
	size_t step;
	struct fiber f;

	if (!get(t, slab, AT_SLAB_N, &n, sizeof(n)) ||
	    !get(t, slab, AT_SLAB_STEP, &step, sizeof(step)) ||
	    !get(t, slab, AT_SLAB_STACKS, &stacks, sizeof(stacks)) ||
	    !get(t, slab, AT_SLAB_NBARE, &nbare, sizeof(nbare)) ||
	    n > STACKS_MAX || nbare > n ||
	    !get(t, slab, AT_SLAB_BARE, numbers, nbare * sizeof(*numbers)))
		return false;
	memset(bare, 0, n);
	for (unsigned int i = 0; i < nbare; i++)
		bare[numbers[i]] = true;
	for (unsigned int i = 0; i < n; i++) {
		uintptr_t at = slab_record(stacks, step, i,
					   field(t, AT_FIBER_SIZE));

		if (!bare[i] && at != service && take_fiber(t, v, &f, at) &&
		    !view_add(v, &f))
			return false;
	}
	return true;
}

/* Of a list that is not as it should be: so many fibers are not shown. */
static bool too_many(const struct view *v)
{
	return v->nfibers > FIBERS_MAX;
}

static bool take_fibers(const struct target *t, struct view *v, uintptr_t rt)
{
	uintptr_t slab, service;

	if (!get(t, rt, AT_RT_SLABS, &slab, sizeof(slab)) ||
	    !get(t, rt, AT_RT_SERVICE, &service, sizeof(service)))
		return false;
	for (unsigned int i = 0; slab && i < SLABS_MAX; i++)
		if (too_many(v) || !take_slab(t, v, slab, service) ||
		    !get(t, slab, AT_SLAB_NEXT, &slab, sizeof(slab)))
			return false;
	return true;
}

bool view_fiber(const struct target *t, uintptr_t at, struct fiber *f)
{
	f->at = at;
	if (!get(t, at, AT_FIBER_FN, &f->fn, sizeof(f->fn)) ||
	    !get(t, at, AT_FIBER_NAME, f->name, sizeof(f->name)))
		return false;
	f->name[sizeof(f->name) - 1] = 0;
	return true;
}

/* 0, 1 and -1 as view_take(). */
static int take(struct target *t, struct view *v)
{
	uint64_t runs = t->door.runs, now_runs;
	uintptr_t rt, hdr, tier;
	struct timespec now;

	if (!target_read(t, (uintptr_t)t->door.rt, &rt, sizeof(rt)))
		return -1;
	if (!rt)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	v->when = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (!get(t, rt, AT_RT_HDR, &hdr, sizeof(hdr)) ||
	    !target_read(t, hdr, &v->hdr, sizeof(v->hdr)) ||
	    v->hdr.abi != BATON_ABI || v->hdr.nprocs > BATON_PROCS_MAX ||
	    v->hdr.max_workers > BATON_WORKERS_MAX ||
	    !get(t, rt, AT_RT_TIER, &tier, sizeof(tier)) ||
	    !get(t, tier, AT_TIER_ID, &v->tier, sizeof(v->tier)) ||
	    !get(t, rt, AT_RT_SPAWNS, &v->spawns, sizeof(v->spawns)) ||
	    !take_procs(t, v, rt) || !take_workers(t, v, rt) ||
	    !take_fibers(t, v, rt) || !take_sites(t, v, rt) ||
	    !target_read(t, t->at + offsetof(struct door, runs), &now_runs,
			 sizeof(now_runs)))
		return -1;
	return runs == now_runs ? 0 : -1;
}

void view_free(struct view *v)
{
	free(v->procs);
	free(v->workers);
	free(v->fibers);
	free(v->sites);
	*v = (struct view){ 0 };
}

int view_take(struct target *t, struct view *v)
{
	int ret = -1;

	/* Workers come and go: what was one may be none when it is read. */
	for (int i = 0; i < 10 && ret < 0; i++) {
		if (i)
			view_free(v);
		*v = (struct view){ 0 };
		if (!target_read(t, t->at, &t->door, sizeof(t->door)))
			break;
		ret = take(t, v);
	}
	return ret;
}
