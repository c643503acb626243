// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * callback.c - from foreign code back into fiber code; call.c has the picture.
 *
 * What follows a callback is the cleanup of a local variable, as for a call.
 */
#include "../core/probe.h"
#include "call.h"

/* Back into the foreign code. */
static inline void callback_end(struct callback *cb)
{
	struct baton_worker *w = cb->worker;
	struct baton_fiber *f = w->fiber;

	san_unwound(&f->san, cb->fiber_sp, &w->san);
	probe1(callback_return, f);
	callback_check(cb);
	san_release(w->proc);
	slot_set_state(w->slot, BATON_FOREIGN);
	callback_over(w, f, cb->depth - 1, cb->sys_sp, cb->fiber_sp);
	*w->errnop = cb->err;
}

/* The scheduler is ending: nothing has run. */
static int __attribute__((cold)) callback_refused(struct callback *cb)
{
	struct baton_worker *w = cb->worker;

	slot_set_state(w->slot, BATON_FOREIGN);
	callback_over(w, w->fiber, cb->depth - 1, cb->sys_sp, cb->fiber_sp);
	*w->errnop = cb->err;
	return baton_error(-ESHUTDOWN, "the scheduler is ending");
}

/* The rare cases of a callback's beginning. False: the scheduler is ending. */
static bool __attribute__((noinline, cold))
callback_wait(struct baton_worker *w, struct baton_fiber *f, int err)
{
	if (misalignment(f->ctx.sp))
		baton_misaligned(f->ctx.sp);
	if (smp_load_acquire(&w->rare)) {
		baton_interrupt_over(w, err);
		if (unlikely(trace_on()))
			baton_trace_callback(w);
	}
	return baton_sched_wait_here(w);
}

int baton_callback(void (*fn)(void *), void *arg)
{
	struct baton_worker *w = baton_worker_self();

	if (unlikely(!fn))
		return baton_error(-EINVAL, "no function to call back");
	baton_debug_enter();
	if (unlikely(!w || slot_state(w->slot) != BATON_FOREIGN))
		return baton_adopted_callback(w, fn, arg);

	struct baton_fiber *f = w->fiber;
	struct callback in;

	/* The foreign code's, which our system calls must not change. */
	in.err = *w->errnop;
	callback_begin(&in, w, f);
	if (unlikely(claim_enter(w->slot, BATON_FIBER) |
		     smp_load_acquire(&w->rare) | misalignment(f->ctx.sp)) &&
	    unlikely(!callback_wait(w, f, in.err)))
		return callback_refused(&in);
	count(&w->callbacks);
	probe3(callback, f, fn, arg);

	struct callback cb __attribute__((cleanup(callback_end))) = in;

	debug_scopes_begin(f);
	san_call(fn, arg, cb.fiber_sp, &w->sys_sp, &w->san, &f->san);
	debug_scopes_end(f);
	return 0;
}
