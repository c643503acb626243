// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* worker.c - the threads: how they start, wait for a processor, and end. */
#include "worker.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include "../tier/tier.h"
#include "proc.h"
#include "sched.h"

__thread struct baton_worker *baton_tls_worker;

static bool parked(struct baton_worker *w, int p)
{
	if (p < 0) {
		slot_set_state(w->slot, BATON_RUNTIME);
		return false;
	}
	/* Attached before RUNTIME: a taker must not see the old processor. */
	proc_attach(w, (unsigned int)p);
	slot_set_state(w->slot, BATON_RUNTIME);
	return true;
}

bool worker_park(struct baton_worker *w, unsigned int flags)
{
	w->proc = NULL;
	count(&w->parks);
	slot_set_state(w->slot, BATON_PARKED);
	return parked(w, w->rt->tier->park(w, flags));
}

bool worker_swap(struct baton_worker *w, unsigned int p, unsigned int index)
{
	w->proc = NULL;
	count(&w->parks);
	slot_set_state(w->slot, BATON_PARKED);
	return parked(w, w->rt->tier->swap(w, p, index, 0));
}

struct baton_worker *worker_create(struct baton_rt *rt)
{
	struct baton_worker *w;

	w = aligned_alloc(_Alignof(struct baton_worker), sizeof(*w));
	if (w)
		*w = (struct baton_worker){ .rt = rt, .fence = rt->fence };
	return w;
}

void worker_destroy(struct baton_worker *w)
{
	free(w);
}

/* The scheduler's first frames on a system stack. */
static void first_frame(void *arg)
{
	struct baton_worker *w = arg;

	w->sys_sp = w->base_sp;
	sched_loop(w);
}

int worker_attach(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	int err = rt->tier->attach(w);

	if (err)
		return err;
	w->errnop = &errno;
	/* Release: who finds it in the table finds it whole. */
	__atomic_store_n(&rt->workers[w->index], w, __ATOMIC_RELEASE);
	__atomic_fetch_add(&rt->nworkers, 1, __ATOMIC_RELAXED);
	baton_worker_set_self(w);
	return 0;
}

void worker_detach(struct baton_worker *w)
{
	baton_worker_set_self(NULL);
	w->rt->tier->detach(w);
}

void worker_run(struct baton_worker *w)
{
	baton_asm_start(first_frame, w, &w->base_sp);
	worker_detach(w);
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
	int err = worker_attach(w);

	b->err = err;
	sem_post(&b->born);	/* the last touch of @b */
	if (!err)
		worker_run(w);
	return NULL;
}

int worker_start(struct baton_rt *rt)
{
	struct birth b = { .w = worker_create(rt) };
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
	if (err)
		worker_destroy(b.w);
	return err;
}

void workers_join(struct baton_rt *rt, struct baton_worker *first)
{
	for (unsigned int i = 0; i < rt->max_workers; i++) {
		struct baton_worker *w = rt->workers[i];

		if (!w || w == first)
			continue;
		pthread_join(w->thread, NULL);
		worker_destroy(w);
	}
}
