/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * sched.h - what runs next: into scheduler code and out of it, making fibers
 * runnable, giving up the worker.
 *
 * A function that fiber code calls does
 *
 *	w = sched_enter();	NULL: not on a fiber
 *	...			w has a processor, and keeps it
 *	sched_exit(w);		w: where the fiber is now
 */
#ifndef BATON_CORE_SCHED_H
#define BATON_CORE_SCHED_H

#include "fiber.h"
#include "claim.h"
#include "probe.h"
#include "proc.h"
#include "switch.h"
#include "worker.h"

/* The global queue, and stopping, get a look at least every so often. */
#define SCHED_FAIRNESS	64

/* The scheduler, on the system stack of worker @arg, which ends by it. */
_Noreturn void baton_sched_loop(void *arg);

/*
 * The current fiber @f, which whoever is to resume it can find, leaves @w to
 * the scheduler. Returns the worker on which it was resumed.
 */
struct baton_worker *baton_sched_leave(struct baton_worker *w,
				       struct baton_fiber *f);

/* Yield, where sched_yield_next() returns NULL. */
struct baton_worker *baton_sched_yield_slow(struct baton_worker *w,
					    struct baton_fiber *f);

/*
 * @f may run. @w is the calling worker if it is in scheduler code and has a
 * processor, or NULL on any other thread.
 */
void baton_sched_ready(struct baton_rt *rt, struct baton_worker *w,
		       struct baton_fiber *f);

/* The same for the @n fibers in @f, which is overwritten, by a thread that has
 * no processor. */
void baton_sched_ready_all(struct baton_rt *rt, struct baton_fiber **f,
			   unsigned int n);

/*
 * After a queue was filled: somebody to run it, if a processor is free. @queue:
 * the caller's own, to which it has pushed; NULL: not to one.
 */
void baton_sched_wake_one(struct baton_rt *rt, const struct baton_proc *queue);

/* What sched_queue() leaves over: the queue is full. */
void baton_sched_overflow(struct baton_worker *w, struct baton_fiber *f);

/* @w has pushed to its queue: the same for that. */
static inline void sched_queued(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;

	/* The only processor is the caller's: none can be idle. */
	if (rt->nprocs > 1)
		baton_sched_wake_one(rt, w->proc);
	else
		watch_work(&rt->watch);
}

/* @f, which is not pinned, may run: to the queue of @w, in scheduler code. */
static inline void sched_queue(struct baton_worker *w, struct baton_fiber *f)
{
	debug_assert_processor(w);
	if (likely(runq_push(&w->proc->runq, f)))
		sched_queued(w);
	else
		baton_sched_overflow(w, f);
}

/*
 * @f, which was just made, may run. @w: as above. @rt is its scheduler, and the
 * only one that is looked at if @w is NULL.
 */
static inline void sched_start(struct baton_rt *rt, struct baton_worker *w,
			       struct baton_fiber *f)
{
	probe2(spawn, f, f->fn);
	if (likely(w)) {
		struct baton_proc *p = w->proc;

		f->place = p->runq.rec->tail;
		count(&p->spawns);
		if (unlikely(w->extra & EXTRA_TRACE))
			baton_trace_spawn(w, f);
		sched_queue(w, f);
	} else {
		atomic_fetch_add_relaxed(&rt->spawns, 1);
		baton_sched_ready(rt, NULL, f);
	}
}

/*
 * In a foreign call of @w, whose pinned fiber must go on here: wait for a
 * processor, and enter FIBER. False when the scheduler is stopping.
 */
bool baton_sched_wait_here(struct baton_worker *w);

/* The same for one that has none to ask for, but must queue up. */
bool baton_sched_queue_here(struct baton_worker *w);

/* @w lets go of its processor, for others. */
void baton_sched_release(struct baton_worker *w);

/*
 * The idle bit of a processor was set, and nobody will look at it again: if it
 * was the last one that was busy, the watcher is to find out whether all fibers
 * are asleep. See deadlock.h.
 */
void baton_sched_idled(struct baton_rt *rt);

/* Stop: the first fiber has ended, or will never run. */
void baton_sched_stop(struct baton_rt *rt);

/*
 * The current fiber of @w, in whatever instruction of fiber code, has lost its
 * processor: get one back, or wait here, thread and all, until it is its turn.
 * False: it has waited for as long as can be, or the scheduler stops, and it
 * goes on without.
 */
bool baton_sched_await_turn(struct baton_worker *w, int64_t slice);

/*
 * An idle processor, if any, for the first pinned fiber on the global queue: it
 * takes no standby to find it.
 */
void baton_sched_rescue(struct baton_rt *rt);

static inline bool sched_on_fiber(const struct baton_worker *w)
{
	return w && slot_state(w->slot) == BATON_FIBER;
}

/* What sched_begin() leaves over. Returns where the fiber is then. */
struct baton_worker *baton_sched_begin_slow(struct baton_worker *w)
	__attribute__((returns_nonnull));

/* The current fiber, in whatever state it is, enters scheduler code. True:
 * baton_sched_begin_slow() has to follow. All that is rare is asked at once. */
static inline bool sched_begins_rare(struct baton_worker *w)
{
	return claim_enter(w->slot, BATON_RUNTIME) | READ_ONCE(w->rare) |
	       w->depth;
}

static inline struct baton_worker *sched_begin(struct baton_worker *w)
{
	if (unlikely(sched_begins_rare(w)))
		w = baton_sched_begin_slow(w);
	return w;
}

static inline struct baton_worker *sched_enter(void)
{
	struct baton_worker *w = baton_worker_self();

	if (unlikely(!sched_on_fiber(w)))
		return NULL;
	baton_debug_enter();
	return sched_begin(w);
}

/*
 * @f resumes on @w alone, and @w runs nothing else: for as long as @f is locked
 * to it, or, once the scheduler was entered from a callback, to the end of
 * that. A callback that does not enter it pays nothing for it.
 */
static inline void sched_pin(struct baton_worker *w, struct baton_fiber *f)
{
	WRITE_ONCE(w->pinned, f);
	WRITE_ONCE(f->pin, w);		/* reports look */
}

/* An adopted thread's fiber stays pinned for good. */
static inline void sched_unpin(struct baton_worker *w, struct baton_fiber *f)
{
	if (w->adopted | w->depth | f->locks)
		return;
	WRITE_ONCE(w->pinned, NULL);
	WRITE_ONCE(f->pin, NULL);
}

static inline void sched_exit(struct baton_worker *w)
{
	san_release(w->proc);	/* a block in fiber code is not announced */
	slot_set_state(w->slot, BATON_FIBER);
}

/* Must the scheduler be asked what to run? It is now and then in any case. */
static inline bool sched_due(struct baton_worker *w)
{
	return unlikely(w->pinned || --w->proc->budget < 0);
}

/* What sched_direct() leaves over. */
bool baton_sched_direct_slow(struct baton_worker *w);

/*
 * May the current fiber's turn go to a fiber of its own choice? That is the one
 * it waits for, or the one that has waited for its end: together they are as one
 * fiber that calls a function.
 */
static inline bool sched_direct(struct baton_worker *w)
{
	return likely(!sched_due(w)) || baton_sched_direct_slow(w);
}

/* The current fiber, published to whoever resumes it, waits for that. */
static inline struct baton_worker *sched_block(struct baton_worker *w)
{
	struct baton_fiber *f = w->fiber, *next;

	debug_assert_processor(w);
	probe1(park, f);
	next = sched_due(w) ? NULL : runq_pop(&w->proc->runq);
	return likely(next) ? switch_to(w, f, next) :
			      baton_sched_leave(w, f);
}

/*
 * The same for the end of @f. If it was spawned here and has not run yet, it is
 * run at once: its stack is warm, and fibers that spawn and join in a tree go
 * down to a leaf before the next branch begins, so that few live at a time.
 */
static inline struct baton_worker *sched_join(struct baton_worker *w,
					      struct baton_fiber *f)
{
	struct runq *q = &w->proc->runq;

	debug_assert_processor(w);
	probe1(park, w->fiber);
	if (unlikely(!sched_direct(w)))
		return baton_sched_leave(w, w->fiber);
	if (!runq_remove(q, f, READ_ONCE(f->place))) {
		runq_prefetch(q);
		f = runq_pop(q);
	}
	return likely(f) ? switch_to(w, w->fiber, f) :
			   baton_sched_leave(w, w->fiber);
}

/* Let others run. Blocks the current fiber, @f, in fiber code. */
void baton_fiber_turn(struct baton_fiber *f);

/*
 * Whoever finds at once what it would have waited for, again and again, as who
 * reads a file from memory or is late for each of its ticks, never comes to the
 * scheduler. f->unwaited counts how often that was; after SCHED_FAIRNESS times
 * @f, the current fiber, in fiber code at the end of such a call, gives way.
 * A lock that is free, or a channel with room, does not count: that would
 * cost a good part of what they do.
 */
static inline void fiber_turn(struct baton_fiber *f)
{
	if (unlikely(f->unwaited >= SCHED_FAIRNESS))
		baton_fiber_turn(f);
}

/* The same for a call that has found something at once just now. */
static inline void fiber_unwaited(struct baton_fiber *f)
{
	f->unwaited++;
	fiber_turn(f);
}

/*
 * The current fiber, @f, lets the others go first. Returns whom it is to go to, by
 * switch_to(). If that is itself: by baton_sched_leave(); NULL: by
 * baton_sched_yield_slow().
 */
static inline struct baton_fiber *sched_yield_next(struct baton_worker *w,
						   struct baton_fiber *f)
{
	debug_assert_processor(w);
	return sched_due(w) ? NULL : runq_rotate(&w->proc->runq, f);
}

#endif /* BATON_CORE_SCHED_H */
