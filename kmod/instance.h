/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * instance.h - one scheduler's kernel side: the region, its workers.
 *
 * Letters: who may touch a field.
 *
 *  C  constant once the instance is published in the file
 *  L  under lock
 *  A  atomically, by anybody
 *
 * Order of locks: rq->lock -> baton_instance.lock. The hook runs under the
 * first, so nothing that takes it (any wake-up) is called under the second.
 */
#ifndef BATON_INSTANCE_H
#define BATON_INSTANCE_H

#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/baton.h>

#include "predict.h"

struct baton_account;
struct baton_worker;
struct vm_area_struct;

struct baton_instance {
	struct kref		ref;
	struct rcu_head		rcu;		/* when it is freed */
	struct baton_header	*hdr;		/* C: the region, shared */
	struct baton_proc_rec	*recs;		/* C */
	struct baton_slot	*slots;		/* C */
	struct baton_site	*site;		/* C */
	u32			nsites;		/* C */
	u32			nprocs;		/* C: never the region's */
	u32			max_workers;	/* C */
	u32			flags;		/* C: of CREATE, when to take */
	bool			regain;		/* C: BATON_CREATE_REGAIN */
	size_t			bytes;		/* C: of the region, in pages */
	struct mm_struct	*mm;		/* C: whom it belongs to */
	struct baton_account	*account;	/* C: who pays */

	raw_spinlock_t		lock;
	bool			stopped;	/* L; the hook reads without */
	bool			closed;		/* by release(); read without */
	u32			nworkers;	/* L */
	u16			*free;		/* C; entries L: ring of slots */
	u32			free_first;	/* L: the next to be used */
	struct list_head	standbys;	/* L: last parked first */
	u32			nstandby;	/* L */
	struct baton_worker	**workers;	/* C; entries L */

	/* L; the hook reads without: what a hand-off costs, in ns */
	u64			delay;
	/* A: see predict.h. Counters of a byte, and nothing depends on them. */
	u8			sites[1 << BATON_SITE_BITS];

	u64			handoffs;	/* L */
	u64			starved;	/* L */
	u64			parks;		/* L */
	u64			wakes;		/* L */
	u64			swaps;		/* L */
	atomic64_t		idled;		/* A */

	atomic64_t		wanted;		/* A: see poll() in the uapi */
	wait_queue_head_t	wait;
	struct irq_work		event;		/* hook -> event_work */
	struct work_struct	event_work;	/* wakes @wait */
};

/* Returns a strong reference, or an ERR_PTR. May sleep. */
struct baton_instance *baton_instance_create(u32 nprocs, u32 max_workers,
					     u32 flags);

/* May sleep: the last one frees. */
void baton_instance_put(struct baton_instance *inst);

static inline struct baton_instance *
baton_instance_get(struct baton_instance *inst)
{
	kref_get(&inst->ref);
	return inst;
}

/*
 * The whole region into @vma, which is as large, in the mmap() of its file. The
 * pages are there from then on: no access to them ever faults.
 */
int baton_instance_map(struct baton_instance *inst, struct vm_area_struct *vma);

/* One more worker would be of use: POLLIN. Any context, also under rq->lock. */
void baton_instance_want(struct baton_instance *inst);

/* How often that was so, once; and back, if it could not be told. */
u64 baton_instance_wanted(struct baton_instance *inst);
void baton_instance_unread(struct baton_instance *inst, u64 wanted);

/* Does a fiber wait anywhere? Region's words, hence a hint. Any context. */
bool baton_instance_has_work(const struct baton_instance *inst);

/* Processor @p < nprocs is free. Full barrier, before a look for work. */
void baton_idle_set(struct baton_instance *inst, u32 p);

/* Is @p free? A hint. */
bool baton_idle_test(struct baton_instance *inst, u32 p);

/* If @p is free it is the caller's now. Full barrier. */
bool baton_idle_claim(struct baton_instance *inst, u32 p);

/* Any free processor, the caller's now; or -1. Full barrier if claimed. */
int baton_idle_claim_any(struct baton_instance *inst);

/* For what the hook starts: work items of this file and of worker.c. */
extern struct workqueue_struct *baton_wq;

/* When the module is loaded, and when it goes. */
int baton_instance_init(void);
void baton_instance_uninit(void);

#endif /* BATON_INSTANCE_H */
