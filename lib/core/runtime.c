// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * runtime.c - how a scheduler starts, and how it ends.
 *
 * The end begins when the first fiber returns, on whichever worker that is:
 *
 *  0. requests to files are canceled and waited for, and none is made any more:
 *     the kernel writes to no fiber's memory	baton_sched_stop()
 *  1. stopping is set: no fiber is resumed, no thread adopted any more
 *						baton_sched_stop()
 *  2. taken is set in every slot: who runs a fiber finds its processor gone
 *     when it next enters scheduler code, and goes to sched_loop()
 *						baton_sched_stop()
 *  3. the tier stops: every park returns, the watcher's wait ends
 *						baton_sched_stop()
 *  4. the library's own threads leave the scheduler by baton_asm_finish()
 *						baton_sched_loop()
 *  5. they are joined: only adopted threads may be left
 *						baton_threads_run()
 *  6. adopted threads leave their callbacks, or are cut off at their next
 *     scheduling point, and no scheduler runs any more; threads that still
 *     look on have looked
 *						baton_adopted_drain()
 *  7. the poller is closed; workers, processors, fibers and stacks are freed
 *						end() below
 *  8. the last one that uses the region closes the tier: baton_run(), or an
 *     adopted thread that exits or calls back into the next scheduler
 *						rt_put(), baton_adopted_forget()
 *
 * Steps 1 to 3 run in this order for a reason each: a worker that looks at
 * taken and finds it TAKEN looks at stopping next (baton_proc_regain()), and
 * one that comes to park finds that the tier has stopped or is woken by it.
 * Step 7 comes after 6, and no sooner: until then pinned fibers lead to their
 * workers, and queues to fibers.
 */
#include <baton/runtime.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "../tier/tier.h"
#include "adopted.h"
#include "config.h"
#include "door.h"
#include "dump.h"
#include "fatal.h"
#include "fence.h"
#include "fiber.h"
#include "held.h"
#include "hog.h"
#include "polling.h"
#include "proc.h"
#include "profiler.h"
#include "reason.h"
#include "sched.h"
#include "threads.h"
#include "timer.h"
#include "trace.h"

/* @asked, or else the first that works, from the best on. */
static int tier_open(struct baton_rt *rt, enum baton_tier asked)
{
	static const struct tier_ops *const tiers[] = {
		&baton_tier_kmod, &baton_tier_idle, &baton_tier_poll,
	};
	size_t used = 0;
	int err = 0;

	if (asked != BATON_TIER_AUTO && asked != BATON_TIER_KMOD)
		snprintf(rt->why, sizeof(rt->why), "%s was asked for",
			 baton_tier_name(asked));
	for (size_t i = 0; i < sizeof(tiers) / sizeof(*tiers); i++) {
		rt->tier = tiers[i];
		if (asked != BATON_TIER_AUTO && asked != rt->tier->id)
			continue;
		err = rt->tier->open(rt);
		if (!err || asked != BATON_TIER_AUTO)
			return err;
		if (used < sizeof(rt->why))
			used += (size_t)snprintf(rt->why + used,
						 sizeof(rt->why) - used,
						 "%sno %s: %s", used ? "; " : "",
						 baton_tier_name(rt->tier->id),
						 baton_reason());
	}
	return err;
}

/* The first fiber, at the head of the queue of processor 0. */
static int first_fiber(struct baton_rt *rt, baton_fn fn, void *arg)
{
	rt->main = baton_fiber_create(rt, &rt->procs[0], NULL, fn, arg);
	if (!rt->main)
		return baton_error(-ENOMEM, "no memory for a stack");
	runq_push(&rt->procs[0].runq, rt->main);
	queued_set(rt->hdr, 0);
	return 0;
}

static void rt_put(struct baton_rt *rt)
{
	bool last;

	baton_rt_lock();
	last = __baton_rt_put(rt);
	baton_rt_unlock();
	if (last)
		baton_rt_free(rt);
}

static int start(struct baton_rt *rt, const struct baton_config *cfg,
		 baton_fn fn, void *arg)
{
	int err;

	rt->workers = calloc(rt->max_workers, sizeof(*rt->workers));
	if (!rt->workers)
		return baton_error(-ENOMEM, "no memory");
	/* Where the kernel has no membarrier() every call pays for a fence. */
	rt->fence = !membarrier_register();
	rt->fenced = rt->fence ? FENCED_ALL : 0;
	err = tier_open(rt, cfg->tier);
	if (err) {
		rt->tier = NULL;
		return err;
	}
	err = baton_procs_create(rt);
	if (!err)
		err = baton_timers_create(rt);
	if (!err)
		err = baton_hogs_create(rt, cfg->slice);
	if (err)
		return baton_error(err, "no memory");
	return first_fiber(rt, fn, arg);
}

/* Steps 1 to 6 of the end, and all that comes before. */
static int run(struct baton_rt *rt, int dump)
{
	int err;

	baton_fault_handler_install();
	count(&baton_door.runs);
	baton_dump_install(dump);
	smp_store_release(&baton_rt_running, rt);
	err = baton_threads_run(rt);
	/* No fiber has run, but a thread may have called back already. */
	if (err)
		baton_sched_stop(rt);
	baton_adopted_drain(rt);
	baton_dump_remove(dump);
	baton_profiler_stop(rt);
	baton_fault_handler_remove();
	return err;
}

static void free_keys(struct baton_fiber *f, void *arg)
{
	(void)arg;
	baton_keys_free(f);
}

/* libbaton-wrap.so's, where that is: what it has on fibers' stacks it forgets. */
extern void baton_wrap_ended(void) __attribute__((weak));

/* Steps 7 and 8. */
static void end(struct baton_rt *rt)
{
	baton_interrupt_uninit();
	if (baton_wrap_ended)
		baton_wrap_ended();
	if (rt->polling)
		rt->polling->ops->close(rt);
	baton_threads_free(rt);
	baton_adopted_free(rt);
	baton_hogs_destroy(rt);
	baton_timers_destroy(rt);
	baton_procs_destroy(rt);
	if (rt->more_keys)
		baton_stack_pool_each(&rt->stacks, free_keys, NULL);
	baton_stack_pool_uninit(&rt->stacks);
	if (rt->ring)
		rt->ring->free(rt->ring);
	rt_put(rt);
}

/* Nanoseconds; 0: for ever. */
static int64_t keep_ns(unsigned int ms)
{
	return ms == UINT_MAX ? 0 : ms * INT64_C(1000000);
}

/*
 * The part of libgcc that comes with -fsplit-stack: some object of the program
 * is compiled with that. Its functions compare the stack pointer with the end of
 * a thread's stack, of which a fiber's is none.
 */
extern void __splitstack_getcontext(void *context[10]) __attribute__((weak));

static int create_and_run(const struct baton_config *cfg, baton_fn fn,
			  void *arg, void **result)
{
	struct baton_rt *rt = calloc(1, sizeof(*rt));
	int err;

	if (!rt)
		return baton_error(-ENOMEM, "no memory");
	rt->nprocs = cfg->nprocs;
	rt->max_workers = cfg->max_workers;
	rt->handoff = cfg->handoff;
	rt->watch_slack = cfg->timer_slack;
	rt->calls_only = cfg->io == BATON_IO_CALL;
	rt->users = 1;
	rt->cxx = baton_cxx_find();
	baton_global_init(&rt->global);
	baton_lock_init(&rt->ring_lock);
	baton_deadlock_init(&rt->deadlock, cfg->deadlock);
	baton_stack_pool_init(&rt->stacks, cfg->stack_size,
			      keep_ns(cfg->stack_keep));
	rt->keep = keep_ns(cfg->worker_keep);
	err = start(rt, cfg, fn, arg);
	if (!err)
		err = baton_profiler_start(rt, cfg);
	if (!err)
		err = run(rt, cfg->dump);
	if (!err && result)
		*result = rt->main->result;
	end(rt);
	return err;
}

/* --- fork() ---------------------------------------------------------------- */

static bool busy;	/* a scheduler runs, begins or ends */

/* What the forking thread did, for the child: its region may be gone. */
static __thread uint32_t state_before;
/* Whether before_fork() has locked its fiber to it. */
static __thread bool locked_before;

/*
 * Others' handlers may wait, for a mutex of fibers say: what a thread has noted
 * in this one it has to find in the next. Where there is one thread, that does.
 */
static bool may_move(const struct baton_worker *w)
{
	return w && sched_on_fiber(w) && !w->pinned && w->rt->max_workers > 1;
}

/* Never inline, both: of the thread on which the fiber stays. */
static void __attribute__((noinline)) note(bool locked)
{
	const struct baton_worker *w = baton_worker_self();

	locked_before = locked;
	if (w)
		state_before = slot_state(w->slot);
}

static bool __attribute__((noinline)) was_locked(void)
{
	return locked_before;
}

static void before_fork(void)
{
	bool lock = may_move(baton_worker_self());

	if (lock)
		baton_thread_lock();
	note(lock);
}

static void after_fork_parent(void)
{
	if (was_locked())
		baton_thread_unlock();
}

/*
 * The child has one thread, and no scheduler; what belonged to the parent's is
 * never freed. A thread that was in no fiber may begin a scheduler of its own.
 * A fiber goes on as far as its next scheduling point, where it finds its
 * processor gone and the scheduler stopping, and hears why:
 * baton_proc_regain(), baton_adopted_left().
 */
static void after_fork(void)
{
	struct baton_worker *w = baton_worker_self();
	struct baton_rt *rt;

	baton_rt_forked();
	baton_trace_forked();
	baton_dump_forked();
	baton_profiler_forked();
	baton_held_forked();
	baton_adopted_forked();
	WRITE_ONCE(busy, false);
	if (!w)
		return;
	if (w->adopted && !w->depth) {
		baton_worker_forked();
		return;
	}
	rt = w->rt;
	if (rt->tier->forked)
		rt->tier->forked(rt);
	if (rt->polling)
		rt->polling->ops->forked(rt);
	rt->forked = true;
	WRITE_ONCE(rt->stopping, 1);
	baton_interrupt_forked(w);
	slot_set_state(w->slot, state_before);
	claim_stop(w->slot);
}

static int fork_error;

static void fork_prepare(void)
{
	fork_error = -pthread_atfork(before_fork, after_fork_parent,
				     after_fork);
}

int baton_run(const struct baton_config *cfg, baton_fn fn, void *arg,
	      void **result)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct baton_config c;
	struct baton_worker *w;
	int saved = errno, err;

	if (!fn)
		return baton_error(-EINVAL, "no function to run");
	w = baton_worker_self();
	if (w && (!w->adopted || w->depth))
		return baton_error(-EBUSY,
				   "a scheduler runs already, this one's");
	if (__splitstack_getcontext)
		return baton_error(-ENOTSUP,
				   "the program is compiled with -fsplit-stack, which knows no fibers");
	if (w)
		baton_adopted_forget(w);
	pthread_once(&once, fork_prepare);
	err = fork_error ? baton_error(fork_error, "no memory") :
			   baton_config_resolve(&c, cfg);
	errno = saved;
	if (err)
		return err;
	/* Acquire and release: one scheduler's end comes before the next. */
	if (xchg_acquire(&busy, true))
		return baton_error(-EBUSY, "a scheduler runs already");
	err = create_and_run(&c, fn, arg, result);
	smp_store_release(&busy, false);
	errno = saved;		/* ours never set it, though their parts do */
	return err;
}
