// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * panic.c - from fiber code to the innermost baton_try(), over any number of
 * foreign frames: both stacks in lock step, like Go's panics through cgo.
 *
 * The platform's unwinder walks the frames, through foreign calls and callbacks
 * by the CFI of switch.S, and runs the cleanups and destructors of those that
 * have any. What a call and a callback have to put right is a cleanup of their
 * frames in call.c. At the frame of baton_asm_start() that baton_try() stands
 * on, stop() goes there by baton_asm_finish().
 *
 * Frames without unwind tables end the walk. Then the rest are dropped, as by a
 * longjmp(), without their cleanups, and land() puts right what they had left.
 *
 * The exception lies in the frame of baton_try(), above all that is unwound. A
 * cleanup that panics in turn, within its own baton_try() or not, uses that of
 * its own innermost one.
 *
 * C++ lets nothing leave a function that is noexcept: when the unwinder comes
 * to one, std::terminate() is called, and baton_try() never returns. The same
 * happens in a destructor that an exception in progress has called, and where a
 * catch (...) that handles another one comes to handle the panic. No message
 * comes from that which names the panic, so we have one: from a terminate
 * handler before the program's own if this process has a C++ library, and
 * otherwise, or for other languages with such a rule, when SIGABRT is raised.
 *
 * REJECTED: going to the baton_try() nevertheless, without the cleanups of the
 * frames in between. The program has asked for the opposite by noexcept.
 */
#include <baton/panic.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "call.h"
#include "../core/fatal.h"

/**
 * struct try - a baton_try() in progress
 * @outer:  the next one out, of this fiber
 * @fiber:  whose it is
 * @sp:     of its baton_asm_start()
 * @depth:  the callbacks in progress when it began
 * @sys_sp: the system stack then; the same worker's only if in a callback
 * @cxx:    the C++ exceptions in progress then, of the others none is any more
 *          when it has landed; only where there is C++
 * @deadline, @scope, @masked: the fiber's when it began
 * @landed: a panic has ended it
 * @panics: a panic to here is under way
 * @panic:  that
 * @thrown: what the unwinder knows of it. A C++ runtime that has come to handle
 *          it, as clang's code does before it calls std::terminate(), may look
 *          for the type in front of it, where its own exceptions have one: a
 *          terminate handler that finds NULL knows that there is none
 */
struct try {
	struct try *outer;
	struct baton_fiber *fiber;
	void (*fn)(void *);
	void *arg;
	void *sp;
	unsigned int depth;
	void *sys_sp;
	struct cxx cxx;
	int64_t deadline;
	struct baton_scope *scope;
	uint32_t masked;
	bool landed;
	bool panics;
	struct baton_unwinding panic;
	struct {
		void *cxx[16];
		struct _Unwind_Exception exc;
	} thrown;
};

/* Vendor and language: an integer, or letters, as the platform has it. */
static const char exception_class[] = {
	'B', 'A', 'T', 'N', 'P', 'A', 'N', 'C'
};

/* On the fiber's stack again. Until here nothing may need a processor. */
static void land(struct try *t)
{
	struct baton_worker *w = baton_worker_self();

	san_unwound(&w->san, w->depth ? w->sys_sp : w->base_sp, &t->fiber->san);
	/* Dropped frames: the callbacks that they were in are over. */
	if (unlikely(w->depth != t->depth))
		callback_over(w, t->fiber, t->depth,
			      t->depth ? t->sys_sp : w->base_sp,
			      t->fiber->ctx.sp);
	/* Handlers may have been dropped; and a catch (...) that passed the
	 * panic on has counted it as one more exception that is uncaught. */
	if (w->cxx)
		*w->cxx = t->cxx;
	if (slot_state(w->slot) == BATON_FIBER)
		return;
	if (w->chunks && !w->depth)
		baton_chunks_free(w);
	slot_set_state(w->slot, BATON_FIBER);
	barrier(); /* state before rare */
	if (smp_load_acquire(&w->rare))
		baton_interrupt_over(w, 0);
	sched_exit(sched_begin(w));
}

static void run(void *arg)
{
	struct try *t = arg;

	t->fn(t->arg);
}

static void try_end(struct try *t)
{
	t->fiber->tries = t->outer;
}

int baton_try(void (*fn)(void *), void *arg, void **value)
{
	struct baton_worker *w = baton_worker_self();

	if (unlikely(!sched_on_fiber(w)))
		return baton_error(-EPERM, "not from a fiber");
	if (unlikely(!fn))
		return baton_error(-EINVAL, "no function to run");

	/* Also when a C++ exception passes. */
	struct try t __attribute__((cleanup(try_end)));

	t.outer = w->fiber->tries;
	t.fiber = w->fiber;
	t.fn = fn;
	t.arg = arg;
	t.depth = w->depth;
	t.sys_sp = w->sys_sp;
	if (w->cxx)
		t.cxx = *w->cxx;
	t.deadline = t.fiber->deadline;
	t.scope = t.fiber->scope;
	t.masked = t.fiber->masked;
	t.landed = false;
	t.panics = false;
	t.fiber->tries = &t;
	baton_asm_start(run, &t, &t.sp);
	if (likely(!t.landed))
		return 0;
	land(&t);
	/* The scopes and masked sections that the panic has left. */
	t.fiber->deadline = t.deadline;
	t.fiber->scope = t.scope;
	WRITE_ONCE(t.fiber->masked, t.masked);
	if (value)
		*value = t.panic.value;
	return 1;
}

/* --- a panic that cannot go on ------------------------------------------- */

/* A cleanup on the way may be in a baton_try() of its own. */
static struct baton_unwinding *unwinding_of(const struct baton_fiber *f)
{
	struct try *t;

	for (t = f->tries; t; t = t->outer)
		if (t->panics)
			return &t->panic;
	return NULL;
}

typedef void (*terminate_handler)(void);

/* std::set_terminate(), of whatever C++ library there is; or NULL */
extern terminate_handler set_terminate(terminate_handler handler)
	__asm__("_ZSt13set_terminatePFvvE") __attribute__((weak));

/*
 * What the program has set, the first one first. Ours is put back before each
 * panic, so the program gets it from set_terminate() when it sets another, which
 * may well go on to what was there before it. So, called once more, ours goes on
 * to the one before.
 */
#define HANDLERS 8

static terminate_handler handlers[HANDLERS];
static uint32_t added;

static uint32_t nhandlers(void)
{
	uint32_t n = READ_ONCE(added);

	return n < HANDLERS ? n : HANDLERS;
}

static void terminates(void)
{
	static __thread uint32_t passed __attribute__((tls_model("initial-exec")));
	terminate_handler next = NULL;
	uint32_t n = nhandlers();

	if (passed < n)
		next = READ_ONCE(handlers[n - 1 - passed]);
	passed++;
	baton_unwinding_failed();
	if (next)
		next();
	abort();
}

/*
 * The program may have set another since the last panic. If there are too many
 * it is the last one that counts.
 */
static void watch_terminate(void)
{
	terminate_handler old;
	uint32_t n;

	WRITE_ONCE(baton_unwinding_of, unwinding_of);
	if (!set_terminate)
		return;
	old = set_terminate(terminates);
	if (old == terminates)
		return;
	n = nhandlers();
	if (n && READ_ONCE(handlers[n - 1]) == old)
		return;
	n = atomic_fetch_add(&added, 1u);
	WRITE_ONCE(handlers[n < HANDLERS ? n : HANDLERS - 1], old);
}

/* --- the unwinding ------------------------------------------------------- */

/* Somebody's catch-all has kept it. */
static void swallowed(_Unwind_Reason_Code code, struct _Unwind_Exception *exc)
{
	(void)code;
	(void)exc;
	baton_fatal("foreign code caught a panic and did not pass it on");
}

static _Noreturn void finish(struct try *t)
{
	t->landed = true;
	san_drop();
	baton_asm_finish(t->sp);
}

static _Unwind_Reason_Code stop(int version, _Unwind_Action actions,
				_Unwind_Exception_Class class,
				struct _Unwind_Exception *exc,
				struct _Unwind_Context *ctx, void *arg)
{
	struct try *t = arg;

	(void)version;
	(void)class;
	(void)exc;
	t->panic.at = _Unwind_GetIP(ctx);
	if ((actions & _UA_END_OF_STACK) ||
	    _Unwind_GetCFA(ctx) == (_Unwind_Word)(uintptr_t)t->sp)
		finish(t);
	return _URC_NO_REASON;
}

/* Not from fiber code. */
static _Noreturn void misplaced(const struct baton_worker *w, const char *why)
{
	if (!w || (w->adopted && slot_state(w->slot) == BATON_PARKED))
		baton_fatal("panic: %s; on a thread that runs no fiber", why);
	if (slot_state(w->slot) == BATON_FOREIGN)
		baton_fatal(
			"panic: %s; in a foreign call of fiber %p, not in fiber code",
			why, (void *)w->fiber);
	baton_fatal(
		"panic: %s; in the scheduler, not in fiber code: in a signal handler?",
		why);
}

_Noreturn void baton_panic(void *value, const char *why)
{
	struct baton_worker *w = baton_worker_self();
	struct try *t;

	if (!sched_on_fiber(w))
		misplaced(w, why ? why : "?");
	t = w->fiber->tries;
	if (!t)
		baton_fatal("panic: %s (%p)", why ? why : "?", value);
	t->panic = (struct baton_unwinding){ .why = why, .value = value };
	t->panic.cxx = w->cxx && (w->cxx->caught || w->cxx->uncaught);
	t->panics = true;
	watch_terminate();
	memset(&t->thrown, 0, sizeof(t->thrown));
	memcpy(&t->thrown.exc.exception_class, exception_class,
	       sizeof(exception_class));
	t->thrown.exc.exception_cleanup = swallowed;
	_Unwind_ForcedUnwind(&t->thrown.exc, stop, t);
	finish(t);	/* cannot even begin */
}
