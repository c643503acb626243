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
 * What follows a call or a callback is the cleanup of a local variable, so that
 * it is done as well when a panic, or a C++ exception, unwinds through us: both
 * stacks in lock step (Go's unwindm). This file is compiled with -fexceptions;
 * a call that returns pays nothing for it.
 *
 * REJECTED: releasing the processor at every call (GHC's safe calls): the rare
 * call that blocks makes every other one pay.
 */
#include "call.h"

#include <errno.h>

#include "../core/fatal.h"

_Noreturn void callback_lost(void)
{
	fatal("foreign code went on over a callback in progress: longjmp()?");
}

/*
 * Home from a foreign call. A function that longjmp()s out of a callback, over
 * the frames in between, comes here with that callback still in progress.
 */
static inline void call_end(struct baton_worker *w)
{
	if (unlikely(slot_state(w->slot) != BATON_FOREIGN))
		callback_lost();
	if (unlikely(w->fiber->chunks) && !w->depth)
		chunks_free(w->fiber);
	if (unlikely(slot_enter_runtime(w->slot, w->fence)))
		w = sched_lost(w);
	sched_exit(w);
}

static inline void call_unwind(struct baton_worker **w)
{
	if (!*w)
		return;
	tools_unwound(&(*w)->tools, (*w)->sys_sp, &(*w)->fiber->tools);
	call_end(*w);
}

int baton_call(void (*fn)(void *), void *arg)
{
	struct baton_worker *w = baton_worker_self();
	int err;

	if (unlikely(!sched_on_fiber(w)))
		return reason(-EPERM, "a foreign call, but not from a fiber");
	if (unlikely(!fn))
		return reason(-EINVAL, "no function to call");

	struct baton_worker *unwound __attribute__((cleanup(call_unwind))) = w;

	w->slot->fn = (uintptr_t)fn;
	*w->errnop = 0;
	count((uint64_t *)&w->slot->calls);
	tools_release(w->proc);
	slot_set_state(w->slot, BATON_FOREIGN);
	tools_call(fn, arg, w->sys_sp, &w->fiber->ctx.sp, &w->fiber->tools,
		   &w->tools);
	unwound = NULL;
	/* The same thread: a call does not change it, see sched_lost(). */
	err = *w->errnop;
	call_end(w);
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

/* Back into the foreign code. */
static inline void callback_end(struct callback *cb)
{
	struct baton_worker *w = cb->worker;

	tools_unwound(&w->fiber->tools, cb->fiber_sp, &w->tools);
	callback_check(cb);
	tools_release(w->proc);
	slot_set_state(w->slot, BATON_FOREIGN);
	callback_finish(cb);
	sched_unpin(w, w->fiber);
	*w->errnop = cb->err;
}

/* The scheduler is ending: nothing has run. */
static int __attribute__((cold)) callback_refused(struct callback *cb,
						  struct baton_worker *w)
{
	depth_set(w, w->depth - 1);
	sched_unpin(w, w->fiber);
	slot_set_state(w->slot, BATON_FOREIGN);
	*w->errnop = cb->err;
	return reason(-ESHUTDOWN, "the scheduler is ending");
}

int baton_callback(void (*fn)(void *), void *arg)
{
	struct baton_worker *w = baton_worker_self();

	if (unlikely(!fn))
		return reason(-EINVAL, "no function to call back");
	if (unlikely(!w || slot_state(w->slot) != BATON_FOREIGN))
		return adopted_callback(w, fn, arg);

	struct callback in;

	/* The foreign code's, which our system calls must not change. */
	in.err = *w->errnop;
	depth_set(w, w->depth + 1);
	sched_pin(w, w->fiber);
	if (unlikely(slot_enter_runtime(w->slot, w->fence)) &&
	    unlikely(!sched_wait_here(w)))
		return callback_refused(&in, w);
	callback_begin(&in, w);

	struct callback cb __attribute__((cleanup(callback_end))) = in;

	tools_call(fn, arg, cb.fiber_sp, &w->sys_sp, &w->tools,
		   &w->fiber->tools);
	return 0;
}
