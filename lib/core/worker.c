// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* worker.c - a thread as a worker: becoming one, waiting for a processor. */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tier/tier.h"
#include "fatal.h"
#include "fiber.h"
#include "proc.h"
#include "reason.h"
#include "shadow.h"
#include "stats.h"

#define AFTER(member) (offsetof(struct baton_worker, member) + \
		       sizeof(((struct baton_worker *)0)->member))

/*
 * Fibers that ran on it last still lead to it, and who cancels one of them looks
 * at the slot and at rt, and writes rare: these stay.
 */
void baton_worker_renew(struct baton_worker *w)
{
	memset(&w->fiber, 0,
	       offsetof(struct baton_worker, rare) - AFTER(rt));
	memset(&w->rare + 1, 0, sizeof(*w) - AFTER(rare));
}

struct baton_worker *baton_worker_create(struct baton_rt *rt)
{
	struct baton_worker *w;

	w = aligned_alloc(_Alignof(struct baton_worker), sizeof(*w));
	if (w)
		*w = (struct baton_worker){ .rt = rt };
	return w;
}

/* Some ports' arch.h, where it is read and written, declare it, too. */
extern __thread struct baton_worker *baton_tls_worker
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* --- the end of a thread ------------------------------------------------ */

static pthread_key_t exit_key;
static __thread bool ending;

bool baton_thread_ending(void)
{
	return ending;
}

/*
 * A thread ends while it is a worker. There are several rounds of destructors:
 * others', after this one, may call back and make it a worker again.
 */
static void thread_exits(void *arg)
{
	struct baton_worker *w = arg;

	ending = true;
	if (!w->exits || w->depth)
		baton_fatal("a thread ended in a foreign call or callback: pthread_exit()?");
	w->exits(w);
}

/*
 * The key is made at first use. A process that has none left may have one
 * later; until then exit_key is 0, which is somebody else's.
 */
static int exit_key_set(struct baton_worker *w)
{
	static bool made;	/* under the lock */
	int err;

	baton_rt_assert_locked();
	if (!made) {
		err = -pthread_key_create(&exit_key, thread_exits);
		if (err)
			return baton_error(err, "no pthread key: error %d",
					   -err);
		made = true;
	}
	err = -pthread_setspecific(exit_key, w);
	return err ? baton_error(err, "pthread key: error %d", -err) : 0;
}

/* --- being a worker ------------------------------------------------------ */

int baton_workers_all(const struct baton_rt *rt)
{
	return baton_error(-EAGAIN, "all %u workers that may be are there",
			   rt->max_workers);
}

/* With the lock, how many there are and were at most is of one instant. */
int __baton_worker_attach(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	unsigned int n;
	int err;

	baton_rt_assert_locked();
	err = exit_key_set(w);
	if (err)
		return err;
	w->tid = (uint32_t)gettid();
	err = rt->tier->attach(w);
	if (err) {
		pthread_setspecific(exit_key, NULL);
		return err == -EAGAIN ? baton_workers_all(rt) :
			baton_error(err, "not a worker, of %u: error %d",
				    rt->max_workers, -err);
	}
	/* Under the lock: __baton_fences_on() tells those in the table. */
	WRITE_ONCE(w->rare, READ_ONCE(rt->fence) ? RARE_FENCE : 0);
	w->errnop = &errno;
	w->cxx = rt->cxx ? rt->cxx() : NULL;
	w->extra = w->cxx ? EXTRA_CXX : 0;
	baton_san_thread_init(&w->san);
	baton_debug_attach(w);
	baton_fault_stack_create(w);
	/* Release: whoever finds it in the table finds it whole. Pairs with
	 * baton_sched_stop(). */
	smp_store_release(&rt->workers[w->index], w);
	n = atomic_fetch_add_relaxed(&rt->nworkers, 1) + 1;
	if (n > rt->nworkers_max)
		rt->nworkers_max = n;
	/* A use that link-time optimization sees, so that the linker takes the
	 * variable out of an archive. */
	__asm__ volatile("" : : "m"(baton_tls_worker));
	baton_worker_set_self(w);
	baton_shadow_scheduler(w->adopted ? w->fiber->shadow : 0);
	return 0;
}

int baton_worker_attach(struct baton_worker *w)
{
	int err;

	baton_rt_lock();
	err = __baton_worker_attach(w);
	baton_rt_unlock();
	return err;
}

/* What @w has counted stays, in rt->gone. */
void __baton_worker_detach(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;

	baton_rt_assert_locked();
	baton_stats_add_worker(w, &rt->gone);
	/* Its slot may be another's as soon as it is detached. */
	WRITE_ONCE(rt->workers[w->index], NULL);
	if (w->sliceable)
		timer_delete(w->slicer);
	w->sliceable = false;
	atomic_fetch_sub_relaxed(&rt->nworkers, 1);
	pthread_setspecific(exit_key, NULL);
	baton_worker_set_self(NULL);
	baton_fault_stack_leave(w);
	if (!w->adopted)	/* see adopted.c */
		baton_fault_stack_unmap(w);
	baton_san_thread_uninit(&w->san);
	rt->tier->detach(w);
}

void baton_worker_detach(struct baton_worker *w)
{
	baton_rt_lock();
	__baton_worker_detach(w);
	baton_rt_unlock();
}

void baton_worker_forked(void)
{
	pthread_setspecific(exit_key, NULL);
	baton_worker_set_self(NULL);
}

/* --- waiting for a processor --------------------------------------------- */

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
	debug_assert(w == baton_worker_self());
	debug_assert(slot_state(w->slot) == BATON_RUNTIME);
	w->proc = NULL;
	count(&w->parks);
	slot_set_state(w->slot, BATON_PARKED);
	return parked(w, w->rt->tier->park(w, flags));
}

bool baton_worker_swap(struct baton_worker *w, unsigned int p,
		       unsigned int index, unsigned int flags)
{
	debug_assert_processor(w);
	debug_assert(w->proc->index == p);
	san_release(w->proc);
	w->proc = NULL;
	count(&w->parks);
	slot_set_state(w->slot, BATON_PARKED);
	return parked(w, w->rt->tier->swap(w, p, index, flags));
}
