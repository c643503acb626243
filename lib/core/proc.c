// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* proc.c - processors: who may have one, and how a worker gets it back. */
#include "proc.h"

#include <errno.h>
#include <stdlib.h>

#include "fatal.h"
#include "fiber.h"

int baton_procs_create(struct baton_rt *rt)
{
	rt->procs = aligned_alloc(_Alignof(struct baton_proc),
				  rt->nprocs * sizeof(*rt->procs));
	if (!rt->procs)
		return -ENOMEM;
	for (unsigned int i = 0; i < rt->nprocs; i++)
		rt->procs[i] = (struct baton_proc){
			.runq.rec = &rt->recs[i],
			.runq.shared = rt->nprocs > 1,
			.index = i,
			.random = i + 1,
		};
	return 0;
}

void baton_procs_destroy(struct baton_rt *rt)
{
	free(rt->procs);
}

bool baton_proc_regain(struct baton_worker *w)
{
	if (unlikely(rt_stopping(w->rt))) {
		if (w->rt->forked)
			baton_fatal(FORKED);
		return false;
	}
	if (claim_settle(w->slot))
		return true;
	if (!proc_claim(w))
		return false;
	count(&w->regained);
	return true;
}

struct baton_fiber *baton_proc_fiber_get(struct baton_rt *rt,
					 struct baton_proc *p)
{
	struct baton_fiber *f = p->cached;

	if (unlikely(!f)) {
		f = baton_stack_pool_get(&rt->stacks, PROC_CACHE / 2);
		if (!f)
			return NULL;
		for (struct baton_fiber *i = f; i; i = i->next)
			p->ncached++;
	}
	p->ncached--;
	p->cached = f->next;
	return f;
}

void baton_proc_fiber_put(struct baton_rt *rt, struct baton_proc *p,
			  struct baton_fiber *f)
{
	f->next = p->cached;
	p->cached = f;
	if (likely(++p->ncached < PROC_CACHE))
		return;
	for (unsigned int i = 1; i < PROC_CACHE / 2; i++)
		f = f->next;
	struct baton_fiber *first = p->cached;

	p->cached = f->next;
	p->ncached -= PROC_CACHE / 2;
	baton_stack_pool_put(&rt->stacks, first, f);
}
