/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* call.h - what the files of this folder share: callbacks in progress. */
#ifndef BATON_CALL_CALL_H
#define BATON_CALL_CALL_H

#include <baton/call.h>
#include <stddef.h>

#include "../core/reason.h"
#include "../core/sched.h"

/* The end: @sp, where a call is to begin, was left by crooked code. */
_Noreturn void baton_misaligned(const void *sp) __attribute__((cold));

static inline uintptr_t misalignment(const void *sp)
{
	return (uintptr_t)sp & (BATON_STACK_ALIGN - 1);
}

/* The end: the callback in progress is not the one that ends. */
_Noreturn void baton_callback_lost(void) __attribute__((cold));

/* What baton_call_alloc() gave to a call, on a list of its worker's. */
struct chunk {
	struct chunk *next;
	_Alignas(_Alignof(max_align_t)) char bytes[];
};

/* Free what baton_call_alloc() gave to the calls on @w. */
void baton_chunks_free(struct baton_worker *w) __attribute__((cold));

/**
 * struct callback - one in progress
 * @worker: where
 * @depth:  its number, from the outermost: 1, 2, ...
 * @err:    the foreign code's errno
 * @sys_sp, @fiber_sp: what the next user of either stack is to find when it
 *          has ended
 */
struct callback {
	struct baton_worker *worker;
	unsigned int depth;
	int err;
	void *sys_sp;
	void *fiber_sp;
};

/* A callback of @f begins on @w. Nested calls leave marks of their own. */
static inline void callback_begin(struct callback *cb, struct baton_worker *w,
				  struct baton_fiber *f)
{
	cb->worker = w;
	cb->depth = w->depth + 1;
	cb->sys_sp = w->sys_sp;
	cb->fiber_sp = f->ctx.sp;
	WRITE_ONCE(w->depth, cb->depth);
}

/*
 * Callbacks of @f on @w are over, so that @depth are left, however they ended:
 * by a return, an exception or a panic, as refused, dropped or cut off. All that
 * a callback changes is put right here, and nowhere else. @sys_sp and @fiber_sp
 * are what callback_begin() found.
 *
 * Release: what was done in the callback is over before the end of a scheduler
 * sees the depth and goes on (baton_adopted_drain()).
 */
static inline void callback_over(struct baton_worker *w, struct baton_fiber *f,
				 unsigned int depth, void *sys_sp,
				 void *fiber_sp)
{
	w->sys_sp = sys_sp;
	f->ctx.sp = fiber_sp;
	smp_store_release(&w->depth, depth);
	barrier(); /* a state of FOREIGN before canceled: interrupt.h */
	if (unlikely((uintptr_t)w->pinned | READ_ONCE(f->canceled))) {
		sched_unpin(w, f);
		if (unlikely(trace_on()))
			baton_trace_callback_over(w);
		if (unlikely(READ_ONCE(f->canceled)) &&
		    slot_state(w->slot) == BATON_FOREIGN)
			baton_interrupt_begin(w);
	}
}

/* A longjmp() out of callbacks within this one leaves them behind. */
static inline void callback_check(const struct callback *cb)
{
	if (unlikely(cb->worker->depth != cb->depth))
		baton_callback_lost();
}

/* baton_callback() on a thread that is in no foreign call. @w may be NULL. */
int baton_adopted_callback(struct baton_worker *w, void (*fn)(void *),
			   void *arg);

#endif /* BATON_CALL_CALL_H */
