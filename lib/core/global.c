// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* global.c - the global queue. */
#include "global.h"

#include "debug.h"
#include "fiber.h"
#include "proc.h"
#include "rt.h"

void baton_global_init(struct global_queue *g)
{
	baton_mutex_init(&g->lock);
	g->head = NULL;
	g->tail = NULL;
}

void baton_global_uninit(struct global_queue *g)
{
	pthread_mutex_destroy(&g->lock);
}

/*
 * Release: whoever sees a fiber counted out here sees it in the run queue that
 * it has moved to. Pairs with region_has_work().
 */
static void count_locked(struct baton_rt *rt, unsigned int change)
{
	debug_assert_locked(&rt->global.lock);
	smp_store_release(&rt->hdr->nglobal, rt->hdr->nglobal + change);
}

/* The caller changes nglobal afterwards. */
static void unlink_locked(struct baton_rt *rt, struct baton_fiber *f)
{
	struct global_queue *g = &rt->global;

	debug_assert_locked(&g->lock);
	if (f->prev)
		f->prev->next = f->next;
	else
		g->head = f->next;
	if (f->next)
		f->next->prev = f->prev;
	else
		g->tail = f->prev;
	f->queued = false;
}

void baton_global_push(struct baton_rt *rt, struct baton_fiber **f,
		       unsigned int n)
{
	struct global_queue *g = &rt->global;

	pthread_mutex_lock(&g->lock);
	for (unsigned int i = 0; i < n; i++) {
		f[i]->queued = true;
		f[i]->next = NULL;
		f[i]->prev = g->tail;
		if (g->tail)
			g->tail->next = f[i];
		else
			g->head = f[i];
		g->tail = f[i];
	}
	count_locked(rt, n);
	pthread_mutex_unlock(&g->lock);
}

struct baton_fiber *baton_global_pop(struct baton_rt *rt, struct baton_proc *p,
				     unsigned int share)
{
	struct baton_fiber *first, *f;
	unsigned int n = 0;

	/* A hint: what is pushed from now on comes with a wake-up, or is seen
	 * by a later look. */
	if (!READ_ONCE(rt->hdr->nglobal))
		return NULL;
	pthread_mutex_lock(&rt->global.lock);
	first = rt->global.head;
	if (first) {
		unlink_locked(rt, first);
		n++;
	}
	if (share > RUNQ_SIZE / 2)
		share = RUNQ_SIZE / 2;
	/* A fiber leaves this queue before it enters the other: whoever steals
	 * it from there may free it. */
	while (n < share && (f = rt->global.head) && !f->pin &&
	       !runq_full(&p->runq)) {
		unlink_locked(rt, f);
		runq_push(&p->runq, f);
		n++;
	}
	/* Before nglobal: see below. */
	if (n > 1)
		proc_mark_queued(rt, p);
	/* Counted last, so that a worker that is about to sleep sees each of
	 * these fibers either here or there. */
	count_locked(rt, -n);
	pthread_mutex_unlock(&rt->global.lock);
	return first;
}

int baton_global_pop_pinned(struct baton_rt *rt)
{
	struct baton_fiber *f;
	int index = -1;

	if (!READ_ONCE(rt->hdr->nglobal))
		return -1;
	pthread_mutex_lock(&rt->global.lock);
	f = rt->global.head;
	if (f && f->pin) {
		unlink_locked(rt, f);
		count_locked(rt, -1u);
		index = (int)f->pin->index;
	}
	pthread_mutex_unlock(&rt->global.lock);
	return index;
}

void baton_global_remove(struct baton_rt *rt, struct baton_fiber *f)
{
	pthread_mutex_lock(&rt->global.lock);
	if (f->queued) {
		unlink_locked(rt, f);
		count_locked(rt, -1u);
	}
	pthread_mutex_unlock(&rt->global.lock);
}

int baton_global_rescue(struct baton_rt *rt, unsigned int *proc)
{
	struct baton_fiber *f;
	int p = -1, index = -1;

	pthread_mutex_lock(&rt->global.lock);
	for (f = rt->global.head; f && !f->pin; f = f->next)
		;
	if (f)
		p = idle_claim_any(rt->hdr, rt->nprocs);
	if (p >= 0) {
		unlink_locked(rt, f);
		count_locked(rt, -1u);
		/* Read under the lock: from here on others may free @f. */
		index = (int)f->pin->index;
		*proc = (unsigned int)p;
	}
	pthread_mutex_unlock(&rt->global.lock);
	return index;
}
