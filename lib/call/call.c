// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * call.c - foreign calls and callbacks.
 *
 *	fiber's stack			worker's system stack
 *	-------------			---------------------
 *	baton_call(fn)
 *	  state = FOREIGN
 *	  asm_call --------------------> fn, from sys_sp down
 *					   baton_callback(cb)
 *					     state = RUNTIME; a processor?
 *					     sys_sp = below fn's frames
 *	  cb, from ctx.sp down <----------- asm_call, state = FIBER
 *	    may yield, park, baton_call()
 *	  returns ------------------------>  state = FOREIGN
 *	  state = RUNTIME <-------------- fn returns
 *	  processor taken meanwhile? sched_lost()
 *	  state = FIBER
 *
 * Whether the processor is there is asked only on the way in to fiber code.
 * Nothing is asked on the way out: a call may well start without one, if the
 * fiber lost it in its own code, and need not find out before it returns.
 *
 * REJECTED: releasing the processor at every call (GHC's safe calls): the rare
 * call that blocks makes every other one pay.
 */
#include <baton/call.h>

#include <errno.h>

#include "../core/sched.h"

int baton_call(void (*fn)(void *), void *arg)
{
	struct baton_worker *w = baton_worker_self();
	struct baton_slot *s;
	int err;

	if (unlikely(!sched_on_fiber(w)))
		return -EPERM;
	if (unlikely(!fn))
		return -EINVAL;
	s = w->slot;
	s->fn = (uintptr_t)fn;
	*w->errnop = 0;
	count((uint64_t *)&s->calls);
	slot_set_state(s, BATON_FOREIGN);
	baton_asm_call(fn, arg, w->sys_sp, &w->fiber->ctx.sp);
	/* The same thread: a call does not change it, see sched_lost(). */
	err = *w->errnop;
	if (unlikely(slot_enter_runtime(s, w->fence)))
		w = sched_lost(w);
	sched_exit(w);
	return err;
}

static void call_args(void *arg)
{
	struct baton_args *a = arg;
	uintptr_t (*fn)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
			uintptr_t) = (__typeof__(fn))a->fn;

	/* Arguments beyond those that a function declares do no harm in any
	 * of the calling conventions we support. */
	a->ret = fn(a->arg[0], a->arg[1], a->arg[2], a->arg[3], a->arg[4],
		    a->arg[5]);
}

int baton_call_args(struct baton_args *args)
{
	if (unlikely(!args->fn))
		return -EINVAL;
	return baton_call(call_args, args);
}

int baton_callback(void (*fn)(void *), void *arg)
{
	struct baton_worker *w = baton_worker_self();
	struct baton_fiber *f, *pinned;
	void *sys_sp, *fiber_sp;
	int err;

	if (unlikely(!w || slot_state(w->slot) != BATON_FOREIGN))
		return -EPERM;
	if (unlikely(!fn))
		return -EINVAL;
	/* The foreign code's, which our system calls must not change. */
	err = *w->errnop;
	f = w->fiber;
	pinned = w->pinned;
	w->pinned = f;
	f->pin = w;
	if (unlikely(slot_enter_runtime(w->slot, w->fence)) &&
	    unlikely(!sched_wait_here(w))) {
		slot_set_state(w->slot, BATON_FOREIGN);
		*w->errnop = err;
		return -ESHUTDOWN;
	}
	/* Nested calls, and switches, leave their own marks in both. */
	sys_sp = w->sys_sp;
	fiber_sp = f->ctx.sp;
	count(&w->callbacks);
	slot_set_state(w->slot, BATON_FIBER);
	baton_asm_call(fn, arg, fiber_sp, &w->sys_sp);
	slot_set_state(w->slot, BATON_FOREIGN);
	w->sys_sp = sys_sp;
	f->ctx.sp = fiber_sp;
	w->pinned = pinned;
	if (!pinned)
		f->pin = NULL;
	*w->errnop = err;
	return 0;
}
