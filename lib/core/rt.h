/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * rt.h - one scheduler: what its processors, workers and fibers share; and
 * which scheduler runs.
 *
 * Letters: who may touch a field.
 *
 *  C  constant while the scheduler runs
 *  W  the watcher thread, and baton_run() before and after that one lives
 *  A  anybody, atomically
 *  L  whoever has baton_rt_lock()
 */
#ifndef BATON_CORE_RT_H
#define BATON_CORE_RT_H

#include <baton/runtime.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "arch.h"
#include "base.h"
#include "config.h"
#include "cxx.h"
#include "deadlock.h"
#include "global.h"
#include "region.h"
#include "stack.h"
#include "watch.h"

struct baton_fiber;
struct baton_proc;
struct baton_worker;
struct hogs;
struct polling;
struct tier_ops;
struct timers;

/**
 * struct rt_aux - what lib/io adds to a scheduler, with a thread of its own
 * @busy: does it have anything to do by which a fiber will go on? NULL: it has
 *        no thread
 * @stop: end that thread, before the scheduler stops. It resumes no fiber from
 *        then on
 * @free: the rest, when no thread runs fibers any more
 * @kick: somebody waits until it has no descriptor of his in hand any more
 *        (desc.busy). Any thread
 */
struct rt_aux {
	bool (*busy)(const struct rt_aux *aux);
	void (*stop)(struct rt_aux *aux);
	void (*free)(struct rt_aux *aux);
	void (*kick)(struct rt_aux *aux);
};

struct baton_rt {
	struct baton_header *hdr;	/* C */
	struct baton_proc_rec *recs;	/* C */
	struct baton_slot *slots;	/* C */
	struct baton_site *sites;	/* C: NULL: none are kept */
	unsigned int nsites;		/* C */
	unsigned int nprocs;		/* C */
	unsigned int max_workers;	/* C */
	uint32_t fence;			/* A: no membarrier(), see claim.h;
					 * set under L, for good */
	uint32_t revokers;		/* A: who take a joiner back just now,
					 * see wait.c */
	uint32_t fenced;		/* A: set after @fence: FENCED_*, see
					 * fence.h */
	cxx_fn cxx;			/* C: NULL without C++ */
	enum handoff_mode handoff;	/* C */
	const struct tier_ops *tier;	/* C */
	void *tier_data;		/* C: the tier's own */
	unsigned int helpers;		/* W: threads of the tier's own */
	char why[320];			/* C: why no better tier */

	struct baton_proc *procs;	/* C */
	struct timers *timers;		/* C: by processor */
	struct baton_worker **workers;	/* C: by slot; entries L, and A */
	unsigned int nworkers;		/* L; read by the watcher: A */
	unsigned int nworkers_max;	/* L */
	struct baton_worker *first;	/* C: the thread of baton_run() */
	struct baton_worker *started;	/* W: list of the library's threads */
	struct baton_worker *spare;	/* W: list of those that are gone */
	int64_t keep;			/* C: idle threads end after that; 0: not */
	int64_t keep_due;		/* W: the next look at them; 0: none is */
	sigset_t sigmask;		/* C: the workers' */
	unsigned long slack;		/* C: their timer slack, ns */
	unsigned long watch_slack;	/* C: the watcher's */

	struct global_queue global;
	struct stack_pool stacks;
	struct watch watch;

	struct baton_fiber *main;	/* C: its end is the end */
	struct baton_fiber *service;	/* A: the library's own, which lives as
					 * long as this; NULL: there is none */
	uint64_t spawns;		/* A: by threads without a processor */
	uint64_t adopted;		/* A: threads, ever */
	unsigned int users;		/* L: baton_run(), adopted threads */
	unsigned int lookers;		/* L: threads in baton_rt_look() */
	struct baton_worker *forgotten;	/* L: list, freed once drained */
	struct baton_worker *adoptable;	/* L: list, for the next thread */
	unsigned int nadoptable;	/* L: how many */
	bool drained;			/* L: fibers are nobody's any more */
	struct baton_stats gone;	/* L: of workers no more */
	int stopping;			/* A */
	uint64_t waits_for_worker;	/* W; read by anybody: see stats */
	uint64_t sliced;		/* W; the same */
	struct hogs *hogs;		/* C; what it has W: NULL: no slices */
	int64_t turn_ns;		/* A: when a turn was last given */
	uint32_t interrupts;		/* A: some worker's is WANTED */
	bool interrupting;		/* W: one is to be looked at again */
	bool more_keys;			/* A: some fiber has memory for them */
	bool forked;			/* this is the child of a fork() */
	bool profiled;			/* C: see profiler.h */
	struct deadlock deadlock;
	struct polling *polling;	/* A: NULL: no fiber has used a
					 * descriptor yet; see polling.h */
	struct rt_aux *ring;		/* A: of lib/io; NULL: not needed yet */
	pthread_mutex_t making;		/* of lib/io: who makes that. Not
					 * static: a child of fork() has none */
	bool closing;			/* L: none is to be made any more */
	bool calls_only;		/* C: nor ever: BATON_IO_CALL */
};

/* The running scheduler, or NULL. Release store, after all of it was made. */
extern struct baton_rt *baton_rt_running;

static inline struct baton_rt *rt_running(void)
{
	return smp_load_acquire(&baton_rt_running);
}

static inline bool rt_stopping(const struct baton_rt *rt)
{
	return smp_load_acquire(&rt->stopping);
}

static inline const struct rt_aux *rt_ring(const struct baton_rt *rt)
{
	return smp_load_acquire(&rt->ring);
}

/* Do fibers wait anywhere? */
static inline bool rt_has_work(const struct baton_rt *rt)
{
	return region_has_work(rt->hdr, rt->recs, rt->nprocs, LOOKS_ALL);
}

/* The same for a hot path: it may say yes in vain, rather than look long. */
static inline bool rt_may_have_work(const struct baton_rt *rt)
{
	return region_has_work(rt->hdr, rt->recs, rt->nprocs, 4);
}

/* A counter that one thread writes and any may read. */
static inline void count(uint64_t *counter)
{
#ifdef BATON_ARCH_COUNT
	baton_arch_count(counter);
#else
	WRITE_ONCE(*counter, *counter + 1);
#endif
}

/*
 * Adopted threads come and go as they like, and any thread may ask about the
 * scheduler or ready a fiber. While this lock is held, rt->workers[] stays as
 * it is, adopted workers included, and the running scheduler is not freed.
 * Rank: before all other locks of the library. Any thread that does not have
 * it may take it, for a short time.
 */
void baton_rt_lock(void);
void baton_rt_unlock(void);

/* Wait for @cond, letting go of the lock meanwhile. */
void baton_rt_wait(pthread_cond_t *cond);

/* Aborts a debug build if the caller has not got the lock. */
void baton_rt_assert_locked(void);

/*
 * The running scheduler, which is not freed until baton_rt_release(); or NULL,
 * which needs no release. Both calls are made on one thread, with no switch of
 * fibers in between. A worker takes no lock here: its scheduler outlives it.
 */
struct baton_rt *baton_rt_hold(void);
void baton_rt_release(void);

/*
 * The same for who takes long: no lock is held meanwhile, but the end of the
 * scheduler waits for baton_rt_look_over(), before it frees anything. The
 * last one is that wait, with the lock, which is dropped meanwhile.
 */
struct baton_rt *baton_rt_look(void);
void baton_rt_look_over(struct baton_rt *rt);
void baton_rt_await_lookers_locked(struct baton_rt *rt);

/* The lock for a caller that has baton_rt_hold(), which may have it already. */
void baton_rt_hold_lock(void);
void baton_rt_hold_unlock(void);

/* In the child of fork(): no scheduler runs, and nobody has the lock. */
void baton_rt_forked(void);

/*
 * baton_run() and each adopted thread hold one reference. __baton_rt_put() is
 * for callers that have the lock: true says that it was the last reference, and
 * that the caller has to call baton_rt_free() once the lock is released.
 */
bool __baton_rt_put(struct baton_rt *rt);
void baton_rt_free(struct baton_rt *rt);

#endif /* BATON_CORE_RT_H */
