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

#include <time.h>

#include "arch.h"
#include "ctx.h"
#include "cxx.h"
#include "debug.h"
#include "interrupt.h"
#include "rt.h"
#include "sanitize.h"
#include "turn.h"

/* baton_worker.extra; 1 is taken, see switch_extra() */
#define EXTRA_CXX	2u	/* @cxx is not NULL */
#define EXTRA_TRACE	4u	/* see trace.h */

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
 * @rare:    what there is to do on the way out of foreign code, and into the
 *           scheduler, that seldom is: RARE_* in interrupt.h; A
 * @pinned:  the only fiber that it may run now, or NULL. Set once a callback
 *           enters the scheduler, to its end: other fibers' foreign calls
 *           would lie below this one's on the system stack, and be overwritten
 *           when it returns. And while its fiber is locked to it. The watcher
 *           has a look at whether there is one.
 * @retired: the thread runs no fiber any more, and leaves: it was idle for
 *           long, or its fiber has ended while locked to it; then it stays
 *           pinned, to a fiber that is no more. Written once; the watcher
 *           looks, too.
 * @leaves:  it was idle for long: the thread is to end, and hands on what it is
 *           woken with, if anything. Written by the watcher
 * @looked:  the watcher's: @parks when it last looked who is idle
 * @polling: it has the poller's role, see polling.h; the watcher looks, too
 * @chunks:  memory for the calls in progress, see call/alloc.c
 * @depth:   callbacks in progress; anybody may read it
 * @adopted: the thread is not the library's; see adopted.h
 * @cxx:     this thread's C++ globals, see cxx.h; NULL without C++; constant
 * @extra:   what there is to do at each switch, which in a program of C that
 *           nobody traces is nothing: EXTRA_*
 * @exits:   what the thread's end does, if it comes while it is a worker; NULL:
 *           that is an error, which ends the process
 * @control: of an adopted thread when it was: its control words
 * @interrupt: see interrupt.h
 * @tid:     of its thread; constant
 * @turn:    see turn.h
 * @over:    the watcher's: 0, or one more than @parks was when it last saw @fiber
 *           go on without a processor
 * @slicer:  its timer for hog.c, which makes it; see @sliceable
 * @sliceable: there is such a timer; L, and the thread's own in its handler
 * @altstack: for the signal handler of fatal.c; NULL: the thread had its own,
 *           or it is not mapped
 */
struct baton_worker {
	struct baton_slot *slot;
	struct baton_rt *rt;
	struct baton_fiber *fiber;
	struct baton_proc *proc;
	void *sys_sp;
	int *errnop;
	struct baton_fiber *pinned;
	struct chunk *chunks;
	void *base_sp;
	unsigned int depth;
	unsigned int index;
	uint32_t rare;
	bool adopted;
	bool retired;
	bool polling;
	bool leaves;
	struct cxx *cxx;
	uint32_t extra;
	void (*exits)(struct baton_worker *w);
	struct baton_worker *next;	/* of a list in rt.h */
	pthread_t thread;
	uint64_t callbacks;
	uint64_t regained;
	uint64_t requeued;
	uint64_t parks;
	uint64_t looked;
	uint64_t turns;
	uint64_t over;
	struct baton_ctx control;
	struct san san;
	struct debug debug;
	struct interrupt interrupt;
	uint32_t tid;
	struct turn turn;
	timer_t slicer;
	bool sliceable;
	void *altstack;
} __attribute__((aligned(128)));

/* A worker for @rt, of no thread yet. Freed by free(). NULL: no memory. */
struct baton_worker *baton_worker_create(struct baton_rt *rt);

/* @w, whose thread is gone, is like a new one of its scheduler's. */
void baton_worker_renew(struct baton_worker *w);

/* There are as many as may be: -EAGAIN, with the reason. */
int baton_workers_all(const struct baton_rt *rt);

/*
 * The calling thread is @w from now on, and has a slot. 0; -EAGAIN all slots
 * are taken; or another -errno. __baton_worker_attach() is for callers that
 * have baton_rt_lock(), and so is the other.
 */
int baton_worker_attach(struct baton_worker *w);
int __baton_worker_attach(struct baton_worker *w);
void baton_worker_detach(struct baton_worker *w);
void __baton_worker_detach(struct baton_worker *w);

/*
 * The calling thread is about to end, and was a worker when that began. If it
 * becomes one again, nobody may notice its end: there is a last round of
 * destructors of thread-specific data, after which ours is not called.
 */
bool baton_thread_ending(void);

/*
 * In the child of fork(), whose only thread was a worker of the parent
 * and is none here.
 */
void baton_worker_forked(void);

/*
 * Wait for a processor; false when the scheduler is stopping. TIER_PINNED in
 * @flags: one that is meant for this worker's pinned fiber.
 */
bool baton_worker_park(struct baton_worker *w, unsigned int flags);

/*
 * baton_worker_park() once processor @p has gone to worker @index, or to any
 * standby (TIER_ANY).
 */
bool baton_worker_swap(struct baton_worker *w, unsigned int p,
		       unsigned int index, unsigned int flags);

#endif /* BATON_CORE_WORKER_H */
