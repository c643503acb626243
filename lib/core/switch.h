/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * switch.h - every way from one stack to another that the scheduler goes, with
 * what sanitizers and a debug build have to be told on the way.
 *
 *	switch_to()		fiber -> fiber
 *	switch_to_scheduler()	fiber -> scheduler, begun anew below sys_sp
 *	switch_from_scheduler()	scheduler -> fiber; its frames are given up
 *	switch_ended()		the end of a fiber -> fiber
 *
 * Foreign calls and callbacks go by san_call(), in sanitize.h: they return.
 */
#ifndef BATON_CORE_SWITCH_H
#define BATON_CORE_SWITCH_H

#include "debug.h"
#include "fiber.h"
#include "held.h"
#include "probe.h"
#include "trace.h"
#include "worker.h"

/* The worker that @f has just left is still on its stack. */
__attribute__((cold)) void baton_await_stack(struct baton_fiber *f);

/*
 * A fiber is put on a queue, or freed, before its last worker has left its
 * stack: wait for that. Acquire; pairs with the store of on_stack in switch.S.
 */
static inline void sched_stack_left(struct baton_fiber *f)
{
	if (unlikely(smp_load_acquire(&f->ctx.on_stack)))
		baton_await_stack(f);
	san_acquire(&f->cxx);
}

/*
 * @f leaves @w, and keeps its C++ exceptions: before its on_stack is cleared,
 * for it may resume on another thread then.
 */
static inline void cxx_leave(struct baton_worker *w, struct baton_fiber *f)
{
	f->cxx = *w->cxx;
	/* ThreadSanitizer does not see switch.S clear on_stack. */
	san_release(&f->cxx);
}

/* @f is about to run on @w, and finds its C++ exceptions there. */
static inline void cxx_arrive(struct baton_worker *w, struct baton_fiber *f)
{
	*w->cxx = f->cxx;
}

/*
 * What else there is to do when @w is to run @f: EXTRA_*, and AWAIT_STACK. In
 * most switches it is nothing, which takes one look. Acquire: as above.
 */
#define AWAIT_STACK	1u	/* on_stack, which is 0 or 1 */

static inline uint32_t switch_extra(const struct baton_worker *w,
				    struct baton_fiber *f)
{
	_Static_assert(!((EXTRA_CXX | EXTRA_TRACE) & AWAIT_STACK),
		       "a bit each");
	uint32_t on_stack = smp_load_acquire(&f->ctx.on_stack);

	san_acquire(&f->cxx);
	return on_stack | w->extra;
}

/* @w is about to run @f, whose stack has been left. */
static inline void sched_resume(struct baton_worker *w, struct baton_fiber *f)
{
	/* Or the compiler keeps the address of on_stack in a register. */
	__asm__("" : "+r"(f));
	WRITE_ONCE(f->ctx.on_stack, 1u);	/* fiber_state() looks */
	/* Release: who cancels @f looks at @w; pairs with interrupt(). */
	smp_store_release(&f->worker, w);
	w->fiber = f;
}

/* What two of the below do when all is prepared: see there. */
static inline struct baton_worker *switch_now(struct baton_worker *w,
					      struct baton_fiber *f,
					      struct baton_fiber *next)
{
	baton_debug_clear();
	san_leave(&f->san, &next->san);
	san_thread(&f->san, &next->san);
	f = fiber_of(baton_asm_switch(&f->ctx, &next->ctx));
	san_arrive(&f->san);
	baton_debug_arrive(w, f);
	return f->worker;
}

static inline struct baton_worker *
switch_now_to_scheduler(struct baton_worker *w, struct baton_fiber *f,
			void (*loop)(void *))
{
	baton_debug_clear();
	san_leave(&f->san, &w->san);
	san_thread(&f->san, &w->san);
	f = fiber_of(baton_asm_leave(&f->ctx, w->sys_sp, loop, w));
	san_arrive(&f->san);
	baton_debug_arrive(w, f);
	return f->worker;
}

/*
 * The same, but @next is waited for, or the switch is recorded, first. Apart,
 * so that the others need not keep anything over a call: that is a register to
 * be saved, in each yield.
 */
struct baton_worker *baton_switch_slow(struct baton_worker *w,
				       struct baton_fiber *f,
				       struct baton_fiber *next) TRACE_COLD;
struct baton_worker *baton_switch_traced_to_scheduler(struct baton_worker *w,
						      struct baton_fiber *f,
						      void (*loop)(void *))
	TRACE_COLD;

/*
 * The current fiber @f leaves @w to @next. Returns, once @f has been resumed,
 * the worker that it is on then.
 */
static inline struct baton_worker *switch_to(struct baton_worker *w,
					     struct baton_fiber *f,
					     struct baton_fiber *next)
{
	uint32_t extra;

	debug_assert_fiber(w, f);
	baton_held_leave(w, f);
	probe2(switch, f, next);
	extra = switch_extra(w, next);
	if (unlikely(extra)) {
		if (extra != EXTRA_CXX)
			return baton_switch_slow(w, f, next);
		cxx_leave(w, f);
		cxx_arrive(w, next);
	}
	sched_resume(w, next);
	return switch_now(w, f, next);
}

/* The same to the scheduler, @loop(@w), on the system stack. */
static inline struct baton_worker *
switch_to_scheduler(struct baton_worker *w, struct baton_fiber *f,
		    void (*loop)(void *))
{
	debug_assert_fiber(w, f);
	baton_held_leave(w, f);
	probe2(switch, f, 0);
	if (unlikely(w->extra)) {
		if (w->extra & EXTRA_CXX)
			cxx_leave(w, f);
		if (w->extra & EXTRA_TRACE)
			return baton_switch_traced_to_scheduler(w, f, loop);
	}
	return switch_now_to_scheduler(w, f, loop);
}

/* The scheduler of @w goes to @f, and does not come back here. */
static inline _Noreturn __attribute__((always_inline)) void
switch_from_scheduler(struct baton_worker *w, struct baton_fiber *f)
{
	debug_assert_system(w);
	probe2(switch, 0, f);
	sched_stack_left(f);
	sched_resume(w, f);
	if (unlikely(w->extra)) {
		if (w->extra & EXTRA_CXX)
			cxx_arrive(w, f);
		if (w->extra & EXTRA_TRACE)
			baton_trace_switch(w, NULL, f);
	}
	san_leave(&w->san, &f->san);
	san_thread(&w->san, &f->san);
	baton_asm_enter(&f->ctx);
}

/* @f has ended on @w: what baton_asm_entry is to go on with. */
static inline __attribute__((always_inline)) struct baton_ctx *
switch_ended(struct baton_worker *w, struct baton_fiber *f,
	     struct baton_fiber *next)
{
	uint32_t extra;

	probe2(switch, f, next);
	extra = switch_extra(w, next);
	if (unlikely(extra)) {
		if (extra & AWAIT_STACK)
			sched_stack_left(next);
		if (extra & EXTRA_CXX)
			cxx_arrive(w, next);
		if (extra & EXTRA_TRACE)
			baton_trace_switch(w, f, next);
	}
	sched_resume(w, next);
	san_leave(&f->san, &next->san);
	san_thread(&f->san, &next->san);
	return &next->ctx;
}

#endif /* BATON_CORE_SWITCH_H */
