// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * call.c - foreign calls; callback.c has the callbacks that they make.
 *
 *	fiber's stack			worker's system stack
 *	-------------			---------------------
 *	baton_call(fn)
 *	  state = FOREIGN
 *	  asm_call --------------------> fn, from sys_sp down
 *					   baton_callback(cb)
 *					     state = FIBER; a processor?
 *					     sys_sp = below fn's frames
 *	  cb, from ctx.sp down <----------- asm_call, state = FIBER
 *	    may yield, park, baton_call()
 *	  returns ------------------------>  state = FOREIGN
 *	  state = FIBER <---------------- fn returns
 *	  processor taken meanwhile? call_end_slow()
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
#include <stdlib.h>

#include "../core/fatal.h"
#include "../core/probe.h"

_Noreturn void baton_callback_lost(void)
{
	baton_fatal(
		"foreign code went on over a callback in progress: longjmp()?");
}

_Noreturn void baton_misaligned(const void *sp)
{
	baton_fatal(
		"misaligned stack, %p, in the code that called baton_call() or baton_callback()",
		sp);
}

void baton_chunks_free(struct baton_worker *w)
{
	struct chunk *c;

	while ((c = w->chunks)) {
		w->chunks = c->next;
		free(c);
	}
}

/*
 * Home from a foreign call, the rare cases. @odd is not 0 if it ended in any
 * state but FOREIGN; the slot says FIBER by now. Returns @err.
 *
 * A function that longjmp()s out of a callback, over the frames in between,
 * comes here with that callback still in progress.
 */
static int __attribute__((noinline, cold))
call_end_slow(struct baton_worker *w, uint32_t odd, int err)
{
	uint32_t rare;

	if (odd)
		baton_callback_lost();
	if (w->chunks && !w->depth) {
		slot_set_state(w->slot, BATON_FOREIGN);
		baton_chunks_free(w);
		slot_set_state(w->slot, BATON_FIBER);
		barrier(); /* state before rare */
	}
	rare = smp_load_acquire(&w->rare);
	if (rare & RARE_TRACE)
		baton_trace_return(w);
	if (rare)
		baton_interrupt_over(w, err);
	trace_look(w);
	w = sched_begin(w);
	if (rare & RARE_TRACE)
		baton_trace_runs(w);
	sched_exit(w);
	return err;
}

/* All that is rare is asked at once: a branch each is a fifth of the call. */
static inline int call_end(struct baton_worker *w, struct baton_slot *slot,
			   int err)
{
	uint32_t odd = slot_state(slot) ^ BATON_FOREIGN;
	uint32_t taken = claim_enter(slot, BATON_FIBER);

	probe1(call_return, err);
	if (unlikely(odd | taken | smp_load_acquire(&w->rare) |
		     (uintptr_t)w->chunks))
		return call_end_slow(w, odd, err);
	return err;
}

static inline void call_out(void (*fn)(void *), void *arg,
			    struct baton_worker *w)
{
	san_call(fn, arg, w->sys_sp, &w->fiber->ctx.sp, &w->fiber->san,
		 &w->san);
}

/* Out into a foreign call, the rare cases. With the call, so that the others
 * need not keep @fn and @arg meanwhile. */
static void __attribute__((noinline, cold))
call_out_slow(void (*fn)(void *), void *arg, struct baton_worker *w)
{
	if (misalignment(w->sys_sp)) {
		slot_set_state(w->slot, BATON_FIBER);
		baton_misaligned(w->sys_sp);
	}
	baton_interrupt_begin(w);
	if (trace_on())
		baton_trace_call(w, (uintptr_t)fn);
	call_out(fn, arg, w);
}

static inline void call_unwind(struct baton_worker **unwound)
{
	struct baton_worker *w = *unwound;

	if (!w)
		return;
	san_unwound(&w->san, w->sys_sp, &w->fiber->san);
	call_end_slow(w, slot_state(w->slot) ^ BATON_FOREIGN, 0);
}

int baton_call(void (*fn)(void *), void *arg)
{
	struct baton_worker *w = baton_worker_self();
	struct baton_slot *slot;
	uintptr_t out;

	if (unlikely(!sched_on_fiber(w)))
		return baton_error(-EPERM,
				   "a foreign call, but not from a fiber");
	baton_debug_enter();
	if (unlikely(!fn))
		return baton_error(-EINVAL, "no function to call");
	struct baton_worker *unwound __attribute__((cleanup(call_unwind))) = w;

	slot = w->slot;
	WRITE_ONCE(slot->fn, (uintptr_t)fn);	/* takers look */
	*w->errnop = 0;
	probe2(call, fn, arg);
	count((uint64_t *)&slot->calls);
	san_release(w->proc);
	slot_set_state(slot, BATON_FOREIGN);
	barrier(); /* state before canceled: interrupt.h */
	/* A cancel's bits are in the mask for the stack pointer. */
	_Static_assert(CANCEL_IN_HAND < BATON_STACK_ALIGN, "one test");
	_Static_assert(TRACE_ON < BATON_STACK_ALIGN, "the same");
	out = (uintptr_t)w->sys_sp | READ_ONCE(w->fiber->canceled) | trace_on();
	if (unlikely(out & (BATON_STACK_ALIGN - 1)))
		call_out_slow(fn, arg, w);
	else
		call_out(fn, arg, w);
	unwound = NULL;
	/* The same thread: a call does not change it, see baton_sched_begin_slow(). */
	return call_end(w, slot, *w->errnop);
}

/* The function's own type, which differs, is not known here. */
NO_SANITIZE_TYPE static void call_args(void *arg)
{
	struct baton_args *a = arg;
	/*
	 * Arguments beyond those that a function declares do no harm in any of
	 * the calling conventions we support, nor does it to call a function
	 * as if it were variadic. The other way round it does: a variadic one
	 * of ppc64le stores its registers in an area that only callers of such
	 * make room for, and x86_64's reads %al.
	 */
	uintptr_t (*fn)(uintptr_t, ...) = (__typeof__(fn))a->fn;

	a->ret = fn(a->arg[0], a->arg[1], a->arg[2], a->arg[3], a->arg[4],
		    a->arg[5]);
}

int baton_call_args(struct baton_args *args)
{
	if (unlikely(!args->fn))
		return -EINVAL;
	return baton_call(call_args, args);
}
