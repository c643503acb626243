// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* adopted.c - threads that the library did not make, as workers. */
#include "adopted.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "debug.h"
#include "fatal.h"
#include "fiber.h"
#include "reason.h"
#include "rt.h"
#include "sched.h"
#include "worker.h"

static pthread_cond_t left = PTHREAD_COND_INITIALIZER;

/*
 * What a thread needs is kept for the next one when it ends: to map and unmap
 * two stacks takes as long as to start a thread, and disturbs all others. So
 * many at most.
 */
#define SPARE_MAX	16u

/* With its fiber, which nobody may use any more. */
static void destroy(struct baton_worker *w)
{
	if (w->fiber) {
		baton_keys_free(w->fiber);
		baton_stack_unmap(w->fiber);
	}
	baton_fault_stack_unmap(w);
	free(w);
}

/* A worker of no thread, with a fiber of a stack of its own. NULL: no memory. */
static struct baton_worker *create(struct baton_rt *rt)
{
	struct baton_worker *w = baton_worker_create(rt);

	if (!w) {
		baton_error(-ENOMEM, "no memory");
		return NULL;
	}
	w->fiber = baton_stack_map(stack_pool_size(&rt->stacks));
	if (!w->fiber) {
		baton_error(-ENOMEM, "no memory for a stack");
		destroy(w);
		return NULL;
	}
	return w;
}

/* One that keep_locked() has kept, as create() would return it; or NULL. */
static struct baton_worker *reuse_locked(struct baton_rt *rt)
{
	struct baton_worker *w = rt->adoptable;
	struct baton_fiber *f;
	void *altstack;

	baton_rt_assert_locked();
	if (!w)
		return NULL;
	rt->adoptable = w->next;
	rt->nadoptable--;
	f = w->fiber;
	altstack = w->altstack;
	baton_worker_renew(w);
	w->fiber = f;
	w->altstack = altstack;
	fiber_fresh(f);
	fiber_rest(f);
	return w;
}

/*
 * @w, which has no thread any more, and whose fiber nobody has, is for another.
 * Not where there are shadow stacks: what lies on its own is not known. False:
 * it is the caller's to destroy.
 */
static bool keep_locked(struct baton_rt *rt, struct baton_worker *w)
{
	baton_rt_assert_locked();
	baton_keys_free(w->fiber);
	if (rt_stopping(rt) || rt->nadoptable == SPARE_MAX || w->fiber->shadow)
		return false;
	w->next = rt->adoptable;
	rt->adoptable = w;
	rt->nadoptable++;
	return true;
}

/*
 * Is the last slot that is free for a worker of the library's own? While there
 * is none of these, which may be so for a moment after one was retired, nobody
 * but adopted threads could go on, and they may never call back. All workers
 * but those threads, one user each, are the library's.
 */
static bool reserved_locked(const struct baton_rt *rt)
{
	baton_rt_assert_locked();
	return rt->nworkers + 1 == rt->users &&
	       rt->nworkers + 1 == rt->max_workers;
}

static int adopt_locked(struct baton_rt *rt, struct baton_worker **worker)
{
	struct baton_worker *w = reuse_locked(rt);
	int err;

	if (!w)
		w = create(rt);
	if (!w)
		return -ENOMEM;
	san_fiber_init(&w->fiber->san, w->fiber->base, w->fiber);
	w->fiber->joiner = JOIN_DETACHED;
	w->fiber->worker = w;
	baton_ctx_init(&w->fiber->ctx, fiber_top(w->fiber), NULL);
	w->fiber->ctx.on_stack = 1;
	baton_control_save(&w->control);
	w->adopted = true;
	w->exits = baton_adopted_forget;
	sched_pin(w, w->fiber);
	err = __baton_worker_attach(w);
	if (err) {
		destroy(w);
		return err;
	}
	slot_set_state(w->slot, BATON_PARKED);
	atomic_fetch_add_relaxed(&rt->adopted, 1);
	rt->users++;
	*worker = w;
	return 0;
}

int baton_adopted_create(struct baton_worker **worker)
{
	struct baton_rt *rt;
	int err;

	baton_rt_lock();
	rt = rt_running();
	if (!rt)
		err = baton_error(-ESRCH, "no scheduler runs");
	else if (rt_stopping(rt))
		err = baton_error(-ESHUTDOWN, "the scheduler is ending");
	else if (!baton_shadow_on() != !rt->stacks.foreign)
		err = baton_error(-EINVAL,
				  "only some threads have shadow stacks");
	else if (reserved_locked(rt))
		err = baton_error(-EAGAIN,
				  "the last of %u workers is to be the library's",
				  rt->max_workers);
	else if (rt->nworkers >= rt->max_workers)
		err = baton_workers_all(rt);
	else
		err = adopt_locked(rt, worker);
	baton_rt_unlock();
	return err;
}

void baton_adopted_forget(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	bool cut_off, kept, last;

	baton_rt_lock();
	__baton_worker_detach(w);
	/*
	 * A callback that ends has been given what it waited for, and nobody
	 * else has its fiber. A callback that was cut off may have left its
	 * fiber in a queue, in a joined fiber, or with somebody who was just
	 * about to ready it, or to give it a processor.
	 */
	cut_off = rt_stopping(rt) && !rt->drained;
	if (cut_off) {
		w->next = rt->forgotten;
		rt->forgotten = w;
	}
	kept = cut_off || keep_locked(rt, w);
	last = __baton_rt_put(rt);
	/* It may have been the last that could wake a fiber. Its callbacks
	 * have told nobody of the processors that they left idle. */
	if (!last && !rt_stopping(rt))
		baton_sched_idled(rt);
	baton_rt_unlock();
	if (!kept)
		destroy(w);
	if (last)
		baton_rt_free(rt);
}

void baton_adopted_forked(void)
{
	left = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

void baton_adopted_left(void)
{
	if (baton_worker_self()->rt->forked)
		baton_fatal(FORKED);
	baton_rt_lock();
	pthread_cond_broadcast(&left);
	baton_rt_unlock();
}

/* Is @w, which may be NULL, an adopted thread in a callback? */
static bool visits_locked(const struct baton_worker *w)
{
	baton_rt_assert_locked();
	/* Pairs with the callback's end: depth, full barrier, stopping. */
	return w && w->adopted && smp_load_acquire(&w->depth);
}

void baton_adopted_drain(struct baton_rt *rt)
{
	smp_mb();		/* stopping before depth */
	baton_rt_lock();
	smp_store_release(&baton_rt_running, NULL);
	for (unsigned int i = 0; i < rt->max_workers; i++)
		while (visits_locked(rt->workers[i]))
			baton_rt_wait(&left);
	baton_rt_await_lookers_locked(rt);
	rt->drained = true;
	baton_rt_unlock();
}

void baton_adopted_free(struct baton_rt *rt)
{
	struct baton_worker *w;

	while ((w = rt->forgotten)) {
		rt->forgotten = w->next;
		destroy(w);
	}
	while ((w = rt->adoptable)) {
		rt->adoptable = w->next;
		destroy(w);
	}
}
