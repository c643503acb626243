// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * adopt.c - callbacks from threads that the library did not make.
 *
 * Such a thread becomes a worker at its first callback (Go's needm), with a
 * fiber of its own to which it is pinned, and stays one until it exits, so
 * that further callbacks take no system call. Between two it is PARKED and has
 * no processor; a callback claims an idle one, the last it had if possible, or
 * queues up, like any pinned fiber; its end lets go of it.
 *
 *	foreign thread			its fiber's stack
 *	--------------			-----------------
 *	baton_callback(cb)
 *	  depth = 1
 *	  claim a processor, or wait
 *	  asm_start, asm_call ---------> cb, state = FIBER
 *	  state = RUNTIME <------------- returns
 *	  depth = 0
 *	  let go of the processor
 *	  state = PARKED
 *
 * The end of the scheduler: baton_sched_stop() sets stopping, and
 * baton_adopted_drain() waits until depth is 0. The thread stores depth = 1,
 * then does a claim, an atomic that is a full barrier, or queues up under a
 * lock, and then looks at stopping: one of the two sees the other's store. The
 * same on the way out. A callback that is waiting, or comes to a scheduling
 * point, is cut off there: baton_sched_loop() ends in baton_asm_finish(), back
 * to asm_start.
 */
#include <errno.h>

#include "../core/adopted.h"
#include "../core/probe.h"
#include "../core/timer.h"
#include "call.h"

struct visit {
	struct callback cb;	/* first */
	void (*fn)(void *);
	void *arg;
	struct cxx cxx;		/* the thread's, before the callback */
	bool done;		/* nothing of it can be cut off any more */
};

/* Without a processor any more, outside of the scheduler's reach. */
static void leave(struct baton_worker *w)
{
	slot_set_state(w->slot, BATON_PARKED);
	if (unlikely(rt_stopping(w->rt)))
		baton_adopted_left();
}

/* What the outermost callback leaves behind: fiber code. */
static void keys_end(void *f)
{
	baton_keys_end(f);
}

/* The rest of the end, when the thread is its own again. */
static SANITIZE void visit_over(const struct callback *cb)
{
	struct baton_worker *w = cb->worker;
	struct baton_fiber *f = w->fiber;
	bool lost;

	callback_check(cb);
	lost = unlikely(claim_enter(w->slot, BATON_RUNTIME) |
			READ_ONCE(w->rare)) &&
	       claim_lost(w->slot, READ_ONCE(w->rare)) &&
	       !claim_settle(w->slot);
	if (unlikely(w->chunks))
		baton_chunks_free(w);
	/* The next one begins as this one did. */
	f->locks = 0;
	f->deadline = TIMER_NEVER;
	f->scope = NULL;
	WRITE_ONCE(f->masked, 0u);
	/* From here on what the scheduler has for fibers may go. */
	callback_over(w, f, 0, cb->sys_sp, cb->fiber_sp);
	if (unlikely(lost))
		smp_mb();
	else
		baton_sched_release(w); /* a full barrier, too */
	leave(w);
}

/* A part of visit(), which goes from one to the other. */
static inline __attribute__((always_inline)) void
visit_end(struct callback **visit)
{
	const struct callback *cb = *visit;
	struct baton_worker *w = cb->worker;
	struct baton_fiber *f = w->fiber;

	probe1(callback_return, f);
	san_unwound(&f->san, cb->fiber_sp, &w->san);
	if (unlikely(f->nkeys))
		san_call(keys_end, f, cb->fiber_sp, &w->sys_sp, &w->san,
			 &f->san);
	((struct visit *)*visit)->done = true;
	san_thread(&f->san, &w->san);
	visit_over(cb);
}

NO_SANITIZE static void visit(void *arg)
{
	struct visit *v = arg;
	struct baton_worker *w = v->cb.worker;
	struct callback *cb __attribute__((cleanup(visit_end))) = &v->cb;

	count(&w->callbacks);
	probe3(callback, w->fiber, v->fn, v->arg);
	slot_set_state(w->slot, BATON_FIBER);
	san_thread(&w->san, &w->fiber->san);
	san_call(v->fn, v->arg, cb->fiber_sp, &w->sys_sp, &w->san,
		 &w->fiber->san);
	debug_scopes_left(w->fiber, NULL, 0);
}

/*
 * Nothing has run, or what has is cut off by the end of the scheduler. Full
 * barrier: depth before stopping; pairs with baton_adopted_drain().
 */
static void give_up(const struct callback *cb)
{
	struct baton_worker *w = cb->worker;

	callback_over(w, w->fiber, 0, cb->sys_sp, cb->fiber_sp);
	smp_mb();
	leave(w);
}

/* Cut off by the end of the scheduler: nothing of it is used again. */
static int cut_off(const struct visit *v)
{
	const struct callback *cb = &v->cb;
	struct baton_worker *w = cb->worker;

	baton_control_load(&w->control);
	if (w->cxx)
		*w->cxx = v->cxx;
	if (w->chunks)
		baton_chunks_free(w);
	baton_global_remove(w->rt, w->fiber);
	give_up(cb);
	return baton_error(-ECANCELED,
			   "the scheduler ended during the callback");
}

/* Also when a C++ exception passes. */
static void first_end(const int *saved)
{
	struct baton_worker *w = baton_worker_self();

	if (w && baton_thread_ending())
		baton_adopted_forget(w);
	errno = *saved;
}

/*
 * The first callback of the calling thread in a scheduler, @w being its worker in
 * an ended one, or NULL. A thread that is ending stays a worker for the callback
 * alone.
 */
static int __attribute__((noinline, cold))
first_callback(struct baton_worker *w, void (*fn)(void *), void *arg)
{
	int saved __attribute__((unused, cleanup(first_end))) = errno;
	int err;

	if (w)
		baton_adopted_forget(w);
	err = baton_adopted_create(&w);
	return err ? err : baton_adopted_callback(w, fn, arg);
}

int baton_adopted_callback(struct baton_worker *w, void (*fn)(void *),
			   void *arg)
{
	struct visit v;
	int *errnop, saved, err = 0;

	if (unlikely(w && (!w->adopted ||
			   slot_state(w->slot) != BATON_PARKED)))
		return baton_error(-EPERM,
				   "a callback, but not from foreign code");
	if (unlikely(!w || rt_stopping(w->rt)))
		return first_callback(w, fn, arg);
	errnop = w->errnop;	/* the thread stays the same */
	saved = *errnop;
	v.fn = fn;
	v.arg = arg;
	v.done = false;
	callback_begin(&v.cb, w, w->fiber);
	if (w->cxx)
		v.cxx = *w->cxx;
	slot_set_state(w->slot, BATON_RUNTIME);
	if ((unlikely(!proc_claim(w)) && !baton_sched_queue_here(w)) ||
	    unlikely(rt_stopping(w->rt))) {
		give_up(&v.cb);
		err = baton_error(-ESHUTDOWN, "the scheduler is ending");
		goto out;
	}
	baton_asm_start(visit, &v, &w->base_sp);
	if (unlikely(!v.done))
		err = cut_off(&v);
out:
	*errnop = saved;
	return err;
}
