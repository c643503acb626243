/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * worker.h - a worker: a thread that runs fibers while it has a processor.
 *
 * Its pthread stack is the *system stack*: the scheduler and foreign calls run
 * there. All fields belong to the worker itself but the constant ones and the
 * counters, which anybody may read.
 */
#ifndef BATON_CORE_WORKER_H
#define BATON_CORE_WORKER_H

#include "arch.h"
#include "ctx.h"
#include "debug.h"
#include "rt.h"
#include "sanitize.h"

/**
 * struct baton_worker - a worker
 * @slot:    its words in the shared region; constant
 * @fiber:   the fiber it runs, or ran last
 * @proc:    the processor it holds; NULL without. Stale, and not to be used,
 *           between the loss of it and slot_lost()'s saying so.
 * @sys_sp:  where the next user of the system stack begins, below the frames
 *           of the foreign calls in progress
 * @base_sp: where baton_asm_start() began
 * @errnop:  this thread's errno; constant
 * @rt:      constant
 * @fence:   rt->fence, near at hand; constant
 * @pinned:  the only fiber that it may run now, or NULL. Set once a callback
 *           enters the scheduler, to its end: other fibers' foreign calls
 *           would lie below this one's on the system stack, and be overwritten
 *           when it returns. And while its fiber is locked to it. The watcher
 *           has a look at whether there is one.
 * @chunks:  memory for the calls in progress, see call/alloc.c
 * @depth:   callbacks in progress; anybody may read it
 * @adopted: the thread is not the library's; see call/adopt.c
 * @control: of an adopted thread when it was: its control words
 * @stacks:  where the fiber of an adopted thread comes from
 * @altstack: for the signal handler of fatal.c; NULL: the thread had its own
 */
struct baton_worker {
	struct baton_slot *slot;
	struct baton_fiber *fiber;
	struct baton_proc *proc;
	void *sys_sp;
	int *errnop;
	struct baton_rt *rt;
	struct baton_fiber *pinned;
	struct chunk *chunks;
	void *base_sp;
	unsigned int depth;
	unsigned int index;
	bool fence;
	bool adopted;
	struct baton_worker *next;	/* of a list in rt.h */
	pthread_t thread;
	uint64_t callbacks;
	uint64_t regained;
	uint64_t requeued;
	uint64_t parks;
	struct baton_ctx control;
	struct san san;
	struct debug debug;
	struct stack_pool stacks;
	void *altstack;
} __attribute__((aligned(128)));

/*
 * Wait for a processor; false when the scheduler is stopping. TIER_PINNED in
 * @flags: one that is meant for this worker's pinned fiber.
 */
bool baton_worker_park(struct baton_worker *w, unsigned int flags);

/* baton_worker_park() once processor @p has gone to worker @index, or TIER_ANY. */
bool baton_worker_swap(struct baton_worker *w, unsigned int p,
		       unsigned int index, unsigned int flags);

/* Freed by baton_workers_destroy(). */
struct baton_worker *baton_worker_create(struct baton_rt *rt);

/*
 * This thread is @w from now on, and has a slot. 0; -EAGAIN all slots are
 * taken; or another -errno.
 */
int baton_worker_attach(struct baton_worker *w);
void baton_worker_detach(struct baton_worker *w);

/*
 * The calling thread, which is not the library's, becomes a worker for its
 * callbacks: with a fiber of its own, to which it is bound for good, and
 * without a processor, in state PARKED. 0; -ESRCH no scheduler runs;
 * -ESHUTDOWN it is ending; -EAGAIN all slots are taken; -ENOMEM.
 */
int baton_worker_adopt(struct baton_worker **w);

/*
 * The calling thread, adopted as @w and not in a callback, is one no more. Its
 * fiber's stack stays, if the scheduler is ending, until baton_workers_destroy().
 */
void baton_worker_forget(struct baton_worker *w);

/* The calling thread, adopted, has left a callback of a stopping scheduler. */
void baton_worker_left(void);

/*
 * No scheduler runs any more: adopt no thread, and wait until no adopted one
 * is in a callback. What is left to them then is @rt itself and its region, and
 * to other threads nothing.
 */
void baton_workers_drain(struct baton_rt *rt);

/*
 * workers[] is as it is, adopted workers included, and the scheduler that runs
 * is not freed, until unlocked. Any thread but one that has it; briefly.
 */
void baton_workers_lock(void);
void baton_workers_unlock(void);

/*
 * The scheduler that runs, not to be freed until baton_rt_release(); or NULL, to be
 * released by nobody. On one thread, without a switch in between. For a worker
 * this is no lock: its scheduler outlives it anyway.
 */
struct baton_rt *baton_rt_hold(void);
void baton_rt_release(void);

/* Run fibers until the scheduler stops; then detach. */
void baton_worker_run(struct baton_worker *w);

/* One more thread, parked until it is needed. 0 or -errno. By the watcher. */
int baton_worker_start(struct baton_rt *rt);

/*
 * Are there as many workers as it takes? By the watcher, once the last standby
 * was used: one may well be on its way to park, and another thread would never
 * be needed, but never end, either.
 */
bool baton_workers_suffice(const struct baton_rt *rt);

/* Wait for all threads that baton_worker_start() made. */
void baton_workers_join(struct baton_rt *rt);

/*
 * After baton_workers_drain(), and not before: until then pinned fibers lead to their
 * workers. All but those of threads that are still adopted.
 */
void baton_workers_destroy(struct baton_rt *rt);

#endif /* BATON_CORE_WORKER_H */
