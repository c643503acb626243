/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* call.h - what the files of this folder share: callbacks in progress. */
#ifndef BATON_CALL_CALL_H
#define BATON_CALL_CALL_H

#include <baton/call.h>

#include "../core/sched.h"

/* The end: @sp, where a call is to begin, was left by crooked code. */
_Noreturn void baton_misaligned(const void *sp) __attribute__((cold));

static inline uintptr_t misalignment(const void *sp)
{
	return (uintptr_t)sp & (BATON_STACK_ALIGN - 1);
}

/* The end: the callback in progress is not the one that ends. */
_Noreturn void baton_callback_lost(void) __attribute__((cold));

/**
 * struct callback - one in progress
 * @worker: where
 * @depth:  its number, from the outermost: 1, 2, ...
 * @sys_sp, @fiber_sp: what the next user of either stack is to find when it
 *          has ended
 * @err:    the foreign code's errno
 */
struct callback {
	struct baton_worker *worker;
	unsigned int depth;
	int err;
	void *sys_sp;
	void *fiber_sp;
};

static inline void depth_set(struct baton_worker *w, unsigned int depth)
{
	WRITE_ONCE(w->depth, depth);
}

/* The callback of number @depth begins. */
static inline void callback_begin(struct callback *cb, struct baton_worker *w,
				  struct baton_fiber *f, unsigned int depth)
{
	cb->worker = w;
	cb->depth = depth;
	/* Nested calls, and switches, leave their own marks in both. */
	cb->sys_sp = w->sys_sp;
	cb->fiber_sp = f->ctx.sp;
	count(&w->callbacks);
}

/* But for depth, which its caller sets. */
static inline void callback_finish(const struct callback *cb,
				   struct baton_fiber *f)
{
	struct baton_worker *w = cb->worker;

	w->sys_sp = cb->sys_sp;
	f->ctx.sp = cb->fiber_sp;
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

/* Free what baton_call_alloc() gave to the calls on @w. */
void baton_chunks_free(struct baton_worker *w) __attribute__((cold));

#endif /* BATON_CALL_CALL_H */
