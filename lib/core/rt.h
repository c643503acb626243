/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * rt.h - one scheduler: what its processors, workers and fibers share.
 *
 * Letters: who may touch a field.
 *
 *  C  constant while the scheduler runs
 *  G  under global.lock
 *  W  the watcher thread, and baton_run() before and after it lives
 *  A  anybody, atomically
 *  L  under baton_workers_lock(), see worker.h
 */
#ifndef BATON_CORE_RT_H
#define BATON_CORE_RT_H

#include <baton/runtime.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "region.h"
#include "stack.h"

struct baton_fiber;
struct baton_proc;
struct baton_worker;
struct tier_ops;

/*
 * Fibers that are nobody's yet, and all that are pinned. First in, first out.
 */
struct global_queue {
	pthread_mutex_t lock;
	struct baton_fiber *head;	/* G */
	struct baton_fiber *tail;	/* G; its length is hdr->nglobal */
};

struct baton_rt {
	struct baton_header *hdr;	/* C */
	struct baton_proc_rec *recs;	/* C */
	struct baton_slot *slots;	/* C */
	unsigned int nprocs;		/* C */
	unsigned int max_workers;	/* C */
	bool fence; /* C: no membarrier(), see region.h */
	const struct tier_ops *tier;	/* C */
	void *tier_data;		/* C: the tier's own */
	char why[192];			/* C: why no better tier */

	struct baton_proc *procs;	/* C */
	struct baton_worker **workers;	/* C: by slot; entries L, and A */
	unsigned int nworkers;		/* L; read by the watcher: A */
	unsigned int nworkers_max;	/* L */
	struct baton_worker *first;	/* C: the thread of baton_run() */
	struct baton_worker *started; /* W: list of baton_worker_start() */
	sigset_t sigmask;		/* C: the workers' */

	struct global_queue global;
	struct stack_pool stacks;

	struct baton_fiber *main;	/* C: its end is the end */
	uint64_t spawns;		/* A: by no processor */
	uint64_t adopted;		/* A: threads, ever */
	unsigned int users;		/* L: baton_run(), adopted threads */
	struct baton_worker *forgotten;	/* L: list, freed once drained */
	bool drained;			/* L: fibers are nobody's any more */
	struct baton_stats gone;	/* L: of adopted workers no more */
	int stopping;			/* A */
};

/* The running scheduler, or NULL. */
extern struct baton_rt *baton_rt_running;

static inline struct baton_rt *rt_running(void)
{
	return smp_load_acquire(&baton_rt_running);
}

static inline bool rt_stopping(const struct baton_rt *rt)
{
	return smp_load_acquire(&rt->stopping);
}

/* Add what @w has counted to @st. Under baton_workers_lock(). */
void baton_rt_count_worker(const struct baton_worker *w,
			   struct baton_stats *st);

/* The last user is gone. */
void baton_rt_free(struct baton_rt *rt);

static inline bool rt_has_work(const struct baton_rt *rt)
{
	return region_has_work(rt->hdr, rt->recs, rt->nprocs);
}

/* A counter that one thread writes and any may read. */
static inline void count(uint64_t *counter)
{
	WRITE_ONCE(*counter, *counter + 1);
}

/* For baton_reason(). Returns @err. */
int baton_error(int err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* BATON_CORE_RT_H */
