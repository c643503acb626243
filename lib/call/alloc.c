// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * alloc.c - memory for as long as a foreign call, and from small stacks.
 *
 * baton_call_alloc() is Go's _cgo_allocate: its chunks hang on the worker, to
 * which the calls in progress are bound, and go when the outermost of these
 * ends, however it ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "call.h"

static bool on_fiber_stack(void)
{
	return sched_on_fiber(baton_worker_self());
}

struct request {
	void *p;
	size_t bytes;
};

static void do_malloc(void *arg)
{
	struct request *r = arg;

	r->p = malloc(r->bytes);
}

void *baton_malloc(size_t bytes)
{
	struct request r = { .bytes = bytes };

	if (on_fiber_stack())
		baton_call(do_malloc, &r);
	else
		do_malloc(&r);
	return r.p;
}

void baton_free(void *p)
{
	if (p && on_fiber_stack())
		baton_call(free, p);
	else
		free(p);
}

void *baton_call_alloc(size_t bytes)
{
	struct baton_worker *w = baton_worker_self();
	uint32_t state = w ? slot_state(w->slot) : BATON_DEAD;
	struct chunk *c;

	if (state != BATON_FOREIGN && !(state == BATON_FIBER && w->depth)) {
		baton_error(-EPERM, "no foreign call is in progress here");
		return NULL;
	}
	if (bytes > SIZE_MAX - sizeof(*c) ||
	    !(c = baton_malloc(sizeof(*c) + bytes))) {
		baton_error(-ENOMEM, "no memory");
		return NULL;
	}
	/* The fiber is bound to its worker: the same as before the call. */
	c->next = w->chunks;
	w->chunks = c;
	return c->bytes;
}
