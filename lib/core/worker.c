// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* worker.c - the threads: how they start, wait for a processor, and end. */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "../tier/tier.h"
#include "fatal.h"
#include "proc.h"
#include "sched.h"

__thread struct baton_worker *baton_tls_worker;

static bool parked(struct baton_worker *w, int p)
{
	if (p < 0) {
		slot_set_state(w->slot, BATON_RUNTIME);
		return false;
	}
	san_acquire(&w->rt->procs[p]);
	/* Attached before RUNTIME: a taker must not see the old processor. */
	proc_attach(w, (unsigned int)p);
	slot_set_state(w->slot, BATON_RUNTIME);
	return true;
}

bool baton_worker_park(struct baton_worker *w, unsigned int flags)
{
	w->proc = NULL;
	count(&w->parks);
	slot_set_state(w->slot, BATON_PARKED);
	return parked(w, w->rt->tier->park(w, flags));
}

bool baton_worker_swap(struct baton_worker *w, unsigned int p,
		       unsigned int index, unsigned int flags)
{
	w->proc = NULL;
	count(&w->parks);
	slot_set_state(w->slot, BATON_PARKED);
	return parked(w, w->rt->tier->swap(w, p, index, flags));
}

struct baton_worker *baton_worker_create(struct baton_rt *rt)
{
	struct baton_worker *w;

	w = aligned_alloc(_Alignof(struct baton_worker), sizeof(*w));
	if (w)
		*w = (struct baton_worker){ .rt = rt, .fence = rt->fence };
	return w;
}

/* The scheduler's first frames on a system stack. */
NO_SANITIZE static void first_frame(void *arg)
{
	struct baton_worker *w = arg;

	w->sys_sp = w->base_sp;
	san_leave(&w->san, &w->san); /* as if from elsewhere */
	baton_sched_loop(w);
}

/*
 * Adopted threads come and go as they like, and any thread may ask or ready a
 * fiber: which scheduler runs, what is in workers[], how many there are, and who
 * still uses it are under this lock. Rank: before all others.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t adopted_left = PTHREAD_COND_INITIALIZER;

void baton_workers_lock(void)
{
	pthread_mutex_lock(&lock);
}

void baton_workers_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* The end of a scheduler waits for its workers, adopted ones in a callback. */
static struct baton_rt *own_rt(void)
{
	const struct baton_worker *w = baton_worker_self();

	return w && (!w->adopted || w->depth) ? w->rt : NULL;
}

struct baton_rt *baton_rt_hold(void)
{
	struct baton_rt *rt = own_rt();

	if (rt)
		return rt;
	/* baton_workers_drain() takes it before the end. */
	baton_workers_lock();
	rt = rt_running();
	if (!rt)
		baton_workers_unlock();
	return rt;
}

void baton_rt_release(void)
{
	if (!own_rt())
		baton_workers_unlock();
}

/* --- the end of a thread ------------------------------------------------ */

static pthread_key_t exit_key;

/* A worker's thread ends while it is one. */
static void thread_exits(void *arg)
{
	struct baton_worker *w = arg;

	if (!w->adopted || w->depth)
		baton_fatal(
			"a thread ended in a foreign call or callback: pthread_exit()?");
	baton_worker_forget(w);
}

static void exit_key_create(void)
{
	pthread_key_create(&exit_key, thread_exits);
}

/* --- being a worker ------------------------------------------------------ */

/* Under the lock: how many there are, and were at most, is of one instant. */
static int __worker_attach(struct baton_worker *w)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct baton_rt *rt = w->rt;
	unsigned int n;
	int err;

	pthread_once(&once, exit_key_create);
	err = -pthread_setspecific(exit_key, w);
	if (err)
		return err;
	err = rt->tier->attach(w);
	if (err) {
		pthread_setspecific(exit_key, NULL);
		return err;
	}
	w->errnop = &errno;
	baton_san_thread_init(&w->san);
	debug_attach(w);
	baton_fault_stack_create(w);
	/* Release: who finds it in the table finds it whole. */
	smp_store_release(&rt->workers[w->index], w);
	n = atomic_fetch_add_relaxed(&rt->nworkers, 1) + 1;
	if (n > rt->nworkers_max)
		rt->nworkers_max = n;
	baton_worker_set_self(w);
	baton_shadow_scheduler(w->adopted ? w->fiber->shadow : 0);
	return 0;
}

int baton_worker_attach(struct baton_worker *w)
{
	int err;

	baton_workers_lock();
	err = __worker_attach(w);
	baton_workers_unlock();
	return err;
}

/* Under the lock. What it has counted stays. */
static void __worker_detach(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;

	baton_rt_count_worker(w, &rt->gone);
	/* Its slot may be another's as soon as it is detached. */
	WRITE_ONCE(rt->workers[w->index], NULL);
	atomic_fetch_sub_relaxed(&rt->nworkers, 1);
	pthread_setspecific(exit_key, NULL);
	baton_worker_set_self(NULL);
	baton_fault_stack_destroy(w);
	rt->tier->detach(w);
}

void baton_worker_detach(struct baton_worker *w)
{
	baton_workers_lock();
	__worker_detach(w);
	baton_workers_unlock();
}

/* With its fiber, which must not be in use. */
static void adopted_destroy(struct baton_worker *w)
{
	baton_stack_pool_uninit(&w->stacks);
	free(w);
}

/* Under the lock. */
static int adopt(struct baton_rt *rt, struct baton_worker **worker)
{
	struct baton_worker *w = baton_worker_create(rt);
	int err = -ENOMEM;

	if (!w)
		return baton_error(err, "no memory");
	baton_stack_pool_init(&w->stacks, rt->stacks.size);
	w->fiber = baton_stack_map(&w->stacks, rt->stacks.size);
	if (!w->fiber) {
		baton_error(err, "no memory for a stack");
		goto err_destroy;
	}
	baton_fiber_init(w->fiber);
	w->fiber->joiner = JOIN_DETACHED;
	w->fiber->worker = w;
	baton_ctx_init(&w->fiber->ctx, fiber_top(w->fiber), NULL);
	w->fiber->ctx.on_stack = 1;
	baton_control_save(&w->control);
	w->adopted = true;
	sched_pin(w, w->fiber);
	err = __worker_attach(w);
	if (err) {
		baton_error(err, "not a worker: %s", strerror(-err));
		goto err_destroy;
	}
	slot_set_state(w->slot, BATON_PARKED);
	atomic_fetch_add_relaxed(&rt->adopted, 1);
	rt->users++;
	*worker = w;
	return 0;

err_destroy:
	adopted_destroy(w);
	return err;
}

int baton_worker_adopt(struct baton_worker **worker)
{
	struct baton_rt *rt;
	int err;

	baton_workers_lock();
	rt = rt_running();
	if (!rt)
		err = baton_error(-ESRCH, "no scheduler runs");
	else if (rt_stopping(rt))
		err = baton_error(-ESHUTDOWN, "the scheduler is ending");
	else if (!baton_shadow_on() != !rt->stacks.foreign)
		err = baton_error(-EINVAL,
				  "only some threads have shadow stacks");
	else
		err = adopt(rt, worker);
	baton_workers_unlock();
	return err;
}

void baton_worker_forget(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	bool cut_off, last;

	baton_workers_lock();
	__worker_detach(w);
	/*
	 * A callback that ends has been given what it waited for, and nobody
	 * else has its fiber. One that was cut off may have left it in a queue,
	 * in a joined fiber, or with who was just about to ready it, or to give
	 * it a processor.
	 */
	cut_off = rt_stopping(rt) && !rt->drained;
	if (cut_off) {
		w->next = rt->forgotten;
		rt->forgotten = w;
	}
	last = !--rt->users;
	baton_workers_unlock();
	if (!cut_off)
		adopted_destroy(w);
	if (last)
		baton_rt_free(rt);
}

void baton_worker_left(void)
{
	baton_workers_lock();
	pthread_cond_broadcast(&adopted_left);
	baton_workers_unlock();
}

/* Under the lock. Adopted, and in a callback? */
static bool visits(const struct baton_worker *w)
{
	/* Pairs with the callback's end: depth, full barrier, stopping. */
	return w && w->adopted && smp_load_acquire(&w->depth);
}

void baton_workers_drain(struct baton_rt *rt)
{
	smp_mb(); /* stopping before depth */
	baton_workers_lock();
	smp_store_release(&baton_rt_running, NULL);
	for (unsigned int i = 0; i < rt->max_workers; i++)
		while (visits(rt->workers[i]))
			pthread_cond_wait(&adopted_left, &lock);
	rt->drained = true;
	baton_workers_unlock();
}

void baton_worker_run(struct baton_worker *w)
{
	struct baton_ctx control;

	/* A fiber's own must not stay behind on the thread of baton_run(). */
	baton_control_save(&control);
	baton_asm_start(first_frame, w, &w->base_sp);
	baton_control_load(&control);
	baton_worker_detach(w);
}

/* What a new thread tells its starter. */
struct birth {
	struct baton_worker *w;
	sem_t born;
	int err;
};

static void *worker_thread(void *arg)
{
	struct birth *b = arg;
	struct baton_worker *w = b->w;
	int err = baton_worker_attach(w);

	b->err = err;
	sem_post(&b->born);	/* the last touch of @b */
	if (!err)
		baton_worker_run(w);
	return NULL;
}

int baton_worker_start(struct baton_rt *rt)
{
	struct birth b = {.w = baton_worker_create(rt)};
	pthread_attr_t attr;
	int err;

	if (!b.w)
		return -ENOMEM;
	sem_init(&b.born, 0, 0);
	pthread_attr_init(&attr);
	/* The watcher's own mask blocks everything. */
	pthread_attr_setsigmask_np(&attr, &rt->sigmask);
	err = -pthread_create(&b.w->thread, &attr, worker_thread, &b);
	pthread_attr_destroy(&attr);
	if (!err) {
		while (sem_wait(&b.born))
			;
		err = b.err;
		if (err)
			pthread_join(b.w->thread, NULL);
	}
	sem_destroy(&b.born);
	if (err) {
		free(b.w);
	} else {
		b.w->next = rt->started;
		rt->started = b.w;
	}
	return err;
}

/*
 * Can @w not be counted on: it has lost its processor, or may do so any moment,
 * and runs nothing else; or it serves one fiber only.
 */
static bool stuck(const struct baton_worker *w)
{
	/* Acquire: who has lost a processor in a callback and looks for another
	 * has set depth before; see slot_set_state(). */
	switch (smp_load_acquire(&w->slot->state)) {
	case BATON_FOREIGN:
		return true;
	case BATON_FIBER:
		if (READ_ONCE(w->slot->taken) == BATON_TAKEN)
			return true;
	}
	return READ_ONCE(w->depth) || READ_ONCE(w->pinned);
}

/*
 * Of those that are not stuck one for each processor may hold it. If there is
 * one more it is a standby, or comes to park, or claims an idle processor on
 * its way there: then there were two more. Should any of them lose its
 * processor meanwhile, and there is no standby, the watcher is asked again.
 */
bool baton_workers_suffice(const struct baton_rt *rt)
{
	unsigned int n = !stuck(rt->first);

	for (const struct baton_worker *w = rt->started; w; w = w->next)
		n += !stuck(w);
	return n > rt->nprocs;
}

void baton_workers_join(struct baton_rt *rt)
{
	for (struct baton_worker *w = rt->started; w; w = w->next)
		pthread_join(w->thread, NULL);
}

void baton_workers_destroy(struct baton_rt *rt)
{
	struct baton_worker *w;

	free(rt->first);
	while ((w = rt->started)) {
		rt->started = w->next;
		free(w);
	}
	while ((w = rt->forgotten)) {
		rt->forgotten = w->next;
		adopted_destroy(w);
	}
}
