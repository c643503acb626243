/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * proc.h - processors: who may have one, and how a worker gets it back.
 *
 * All fields belong to the processor's holder, but for the run queue's ends,
 * see runq.h.
 */
#ifndef BATON_CORE_PROC_H
#define BATON_CORE_PROC_H

#include "claim.h"
#include "fiber.h"
#include "rt.h"
#include "runq.h"
#include "worker.h"

struct baton_proc {
	struct runq runq;
	unsigned int index;
	int budget; /* decisions without baton_sched_loop() */
	int64_t slice;			/* see baton_sched_direct_slow() */
	bool own_turn;			/* the same */
	uint32_t now;			/* the clock, see below */
	uint32_t random;		/* whom to steal from first */
	/* Free fibers, for the next spawn: of @loaded first. @spare is full or
	 * empty, so that fibers that come and go in turn stay here. */
	struct magazine *loaded;
	struct magazine *spare;
	uint64_t steals;
	uint64_t spawns;
	struct magazine magazines[2];	/* of whoever has them by now */
} __attribute__((aligned(128)));

/* The processors of @rt, per rt->nprocs. 0, -ENOMEM. */
int baton_procs_create(struct baton_rt *rt);
void baton_procs_destroy(struct baton_rt *rt);

/*
 * A wait begins by a processor's clock, since to read the time would cost as much
 * as the wait. It is set when a worker comes to the processor by the scheduler,
 * and every SCHED_FAIRNESS decisions: what runs for long without one makes it
 * late, and the next wait look older than it is, never younger.
 */
void baton_proc_look_clock(struct baton_proc *p);

/* @w has @p from now on. */
static inline void proc_attach(struct baton_worker *w, unsigned int p)
{
	struct baton_slot *s = w->slot;

	w->proc = &w->rt->procs[p];
	WRITE_ONCE(s->proc, p);
	WRITE_ONCE(w->rt->recs[p].worker, w->index);
	/* A taker that has only begun withdraws by itself: not our word. */
	if (READ_ONCE(s->taken) == BATON_TAKEN)
		claim_keep(s, &w->rt->stopping);
}

/*
 * The holder of @p has pushed to its queue: it is worth a look from now on. A
 * single processor's bit is set for good.
 */
static inline void proc_mark_queued(struct baton_rt *rt, struct baton_proc *p)
{
	if (rt->nprocs == 1)
		return;
	/* The push before the bit; see queued_set(). */
	smp_mb();
	queued_set(rt->hdr, p->index);
}

/*
 * @w has none: claim the last it had, or any that is idle, without a system
 * call. False when none is free.
 */
static inline bool proc_claim(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	int p = (int)w->slot->proc;

	if (unlikely(!idle_claim(rt->hdr, (unsigned int)p))) {
		p = idle_claim_any(rt->hdr, rt->nprocs);
		if (p < 0)
			return false;
	}
	san_acquire(&rt->procs[p]);
	proc_attach(w, (unsigned int)p);
	return true;
}

/*
 * @w found its processor taken: settle with a taker that has only begun, or
 * proc_claim(). False when none is free, or the scheduler stops.
 */
bool baton_proc_regain(struct baton_worker *w);

/* What the two below leave over. */
struct baton_fiber *baton_proc_fiber_get_slow(struct baton_rt *rt,
					      struct baton_proc *p,
					      size_t stack_size);
void baton_proc_fiber_put_slow(struct baton_rt *rt, struct baton_proc *p,
			       struct baton_fiber *f);

/*
 * A fiber with a stack to start one on; NULL without memory. @p is the caller's
 * processor, or NULL; @stack_size in bytes, or 0 for the configured one.
 */
#define SPAWN_AHEAD	4u

static inline struct baton_fiber *
proc_fiber_get(struct baton_rt *rt, struct baton_proc *p, size_t stack_size)
{
	struct magazine *m;
	unsigned int n;

	if (unlikely(!p || stack_size || !p->loaded->n))
		return baton_proc_fiber_get_slow(rt, p, stack_size);
	m = p->loaded;
	n = --m->n;
	/* Of many each is cold: those of the next few are fetched meanwhile. */
	if (n >= SPAWN_AHEAD) {
		const char *next = (const char *)m->fibers[n - SPAWN_AHEAD];

		__builtin_prefetch(next, 1);
		__builtin_prefetch(next + 64, 1);
	}
	return m->fibers[n];
}

/* @f is free; the caller may still be on its stack. @p as above. */
static inline void proc_fiber_put(struct baton_rt *rt, struct baton_proc *p,
				  struct baton_fiber *f)
{
	if (unlikely(!p || f->special || p->loaded->n == MAGAZINE_SIZE))
		baton_proc_fiber_put_slow(rt, p, f);
	else
		p->loaded->fibers[p->loaded->n++] = f;
}

#endif /* BATON_CORE_PROC_H */
