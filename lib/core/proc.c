// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* proc.c - processors: who may have one, and how a worker gets it back. */
#include "proc.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "fatal.h"
#include "fiber.h"

int baton_procs_create(struct baton_rt *rt)
{
	rt->procs = aligned_alloc(_Alignof(struct baton_proc),
				  rt->nprocs * sizeof(*rt->procs));
	if (!rt->procs)
		return -ENOMEM;
	for (unsigned int i = 0; i < rt->nprocs; i++) {
		struct baton_proc *p = &rt->procs[i];

		*p = (struct baton_proc){
			.runq.rec = &rt->recs[i],
			.runq.shared = rt->nprocs > 1,
			.now = tick_stamp(),
			.index = i,
			.random = i + 1,
			.loaded = &p->magazines[0],
			.spare = &p->magazines[1],
		};
	}
	return 0;
}

void baton_procs_destroy(struct baton_rt *rt)
{
	free(rt->procs);
}

void baton_proc_look_clock(struct baton_proc *p)
{
	WRITE_ONCE(p->now, tick_stamp());
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
	baton_proc_look_clock(w->proc);
	count(&w->regained);
	return true;
}

/* --- free fibers -------------------------------------------------------- */

/* @p's two magazines change places. Is there a fiber in the one loaded now? */
static bool load_spare(struct baton_proc *p)
{
	struct magazine *m = p->loaded;

	p->loaded = p->spare;
	p->spare = m;
	return p->loaded->n;
}

struct baton_fiber *baton_proc_fiber_get_slow(struct baton_rt *rt,
					      struct baton_proc *p,
					      size_t stack_size)
{
	if (stack_size || !p)
		return baton_stack_get(&rt->stacks, stack_size);
	if (!p->loaded->n && !load_spare(p)) {
		struct magazine *m = baton_stack_pool_full(&rt->stacks,
							   p->loaded);

		if (!m)
			return NULL;
		p->loaded = m;
	}
	return p->loaded->fibers[--p->loaded->n];
}

/* There are more free stacks: the watcher is to look after them. */
static void put_more(struct baton_rt *rt)
{
	if (unlikely(stack_pool_watch(&rt->stacks)))
		baton_watch_kick(&rt->watch);
}

static _Noreturn void overrun(const struct baton_fiber *f)
{
	char name[BATON_NAME_SIZE];

	fiber_name(f, name);
	baton_fatal("stack overflow of fiber %p \"%s\", which has ended: %zu bytes are not enough",
		    (const void *)f, name, (size_t)((char *)f - (char *)f->base));
}

void baton_proc_fiber_put_slow(struct baton_rt *rt, struct baton_proc *p,
			       struct baton_fiber *f)
{
	if (unlikely(baton_stack_overrun(f)))
		overrun(f);
	if (!p || f->special & STACK_OWN_SIZE) {
		baton_stack_put(&rt->stacks, f);
		put_more(rt);
		return;
	}
	if (p->loaded->n == MAGAZINE_SIZE && load_spare(p)) {
		p->loaded = baton_stack_pool_empty(&rt->stacks, p->loaded);
		put_more(rt);
	}
	p->loaded->fibers[p->loaded->n++] = f;
}
