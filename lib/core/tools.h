/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * tools.h - what sanitizers and valgrind are told of stacks. Without them all
 * of it is empty.
 *
 * AddressSanitizer wants to know which stack the thread is on: announced on
 * the old one, confirmed on the new one. ThreadSanitizer knows fibers; a
 * foreign call is part of the fiber that makes it, a callback of the call, and
 * only the scheduler, and an adopted thread outside of callbacks, are the
 * thread's own.
 */
#ifndef BATON_CORE_TOOLS_H
#define BATON_CORE_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "ctx.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

/* Never returns, or begins on one stack and ends on another. */
#if defined(__SANITIZE_ADDRESS__)
#define NO_SANITIZE	__attribute__((no_sanitize_address))
#elif defined(__SANITIZE_THREAD__)
#define NO_SANITIZE	__attribute__((no_sanitize_thread))
#else
#define NO_SANITIZE
#endif

/**
 * struct tools - of a fiber, or of a worker as a thread
 * @fake:   AddressSanitizer's, while the stack is left
 * @bottom: lowest byte of the stack
 * @size:   bytes of it
 * @on:     the thread is on it
 * @tsan:   ThreadSanitizer's fiber
 */
struct tools {
#ifdef __SANITIZE_ADDRESS__
	void *fake;
	const void *bottom;
	size_t size;
	bool on;
#endif
#ifdef __SANITIZE_THREAD__
	void *tsan;
#endif
	char none[0];
};

#ifdef __SANITIZE_THREAD__

#include <sanitizer/tsan_interface.h>

/* No function: the entry and exit of one would be told to different fibers. */
#define tools_thread(from, to)	__tsan_switch_to_fiber((to)->tsan, 0)

/* What the kernel orders, and cannot tell: a processor changes hands. */
static inline void tools_release(void *p)
{
	__tsan_release(p);
}

static inline void tools_acquire(void *p)
{
	__tsan_acquire(p);
}

#else

static inline void tools_thread(struct tools *from, struct tools *to)
{
	(void)from;
	(void)to;
}

static inline void tools_release(void *p)
{
	(void)p;
}

static inline void tools_acquire(void *p)
{
	(void)p;
}

#endif

#ifdef __SANITIZE_ADDRESS__

#define TOOLS_USED_MAX	((size_t)1 << 20)

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* About to go from one stack to the other. */
static inline void tools_leave(struct tools *from, struct tools *to)
{
	from->on = false;
	to->on = true;
	__sanitizer_start_switch_fiber(&from->fake, to->bottom, to->size);
}

/* There. Of a new fiber @fake is NULL. */
static inline void tools_arrive(struct tools *to)
{
	__sanitizer_finish_switch_fiber(to->fake, NULL, NULL);
	to->fake = NULL;
}

/* Frames of @from, below @sp, are gone without having been left. */
static inline void tools_dropped(struct tools *from, void *sp)
{
	__asan_unpoison_memory_region(from->bottom, (size_t)((char *)sp -
						    (char *)from->bottom));
}

/*
 * Frames of @from, below @sp, have been unwound or dropped, and the thread is
 * on @to now.
 */
static inline void tools_unwound(struct tools *from, void *sp, struct tools *to)
{
	if (to->on)
		return;
	tools_leave(from, to);
	tools_arrive(to);
	tools_dropped(from, sp);
	/* Here, what lay below us; and the frames above may be next, of which
	 * it has been told on the other stack alone. */
	tools_dropped(to, __builtin_frame_address(0));
	__asan_handle_no_return();
}

/* Frames of the current stack are about to be dropped. */
static inline void tools_drop(void)
{
	__asan_handle_no_return();
}

struct tools_call {
	void (*fn)(void *);
	void *arg;
	struct tools *from, *to;
};

static inline void tools_call_there(void *arg)
{
	struct tools_call *c = arg;

	tools_arrive(c->to);
	c->fn(c->arg);
	tools_leave(c->to, c->from);
}

/* baton_asm_call() from one stack to the other. */
static inline void tools_call(void (*fn)(void *), void *arg, void *sp,
			      void **save, struct tools *from, struct tools *to)
{
	struct tools_call c = { fn, arg, from, to };

	tools_leave(from, to);
	baton_asm_call(tools_call_there, &c, sp, save);
	tools_arrive(from);
}

#else

static inline void tools_leave(struct tools *from, struct tools *to)
{
	(void)from;
	(void)to;
}

static inline void tools_arrive(struct tools *to)
{
	(void)to;
}

static inline void tools_unwound(struct tools *from, void *sp, struct tools *to)
{
	(void)from;
	(void)sp;
	(void)to;
}

static inline void tools_dropped(struct tools *from, void *sp)
{
	(void)from;
	(void)sp;
}

static inline void tools_drop(void)
{
}

static inline void tools_call(void (*fn)(void *), void *arg, void *sp,
			      void **save, struct tools *from, struct tools *to)
{
	(void)from;
	(void)to;
	baton_asm_call(fn, arg, sp, save);
}

#endif

/* A stack for fibers exists; or does no more, @id being what this returned. */
static inline unsigned int tools_stack_register(void *low, void *high)
{
	(void)low;
	(void)high;
#ifdef VALGRIND_STACK_REGISTER
	return VALGRIND_STACK_REGISTER(low, high);
#else
	return 0;
#endif
}

static inline void tools_stack_deregister(unsigned int id)
{
	(void)id;
#ifdef VALGRIND_STACK_DEREGISTER
	VALGRIND_STACK_DEREGISTER(id);
#endif
}

/* Does any tool want to be told? */
static inline bool tools_watch(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return true;
#elif defined(RUNNING_ON_VALGRIND)
	return RUNNING_ON_VALGRIND;
#else
	return false;
#endif
}

/* A fiber on its stack from @low to @high; again for each that is started. */
static inline void tools_fiber_init(struct tools *t, void *low, void *high)
{
	(void)t;
	(void)low;
	(void)high;
#ifdef __SANITIZE_ADDRESS__
	t->fake = NULL;
	t->bottom = low;
	t->size = (size_t)((char *)high - (char *)low);
	t->on = false;
#endif
#ifdef __SANITIZE_THREAD__
	if (!t->tsan)
		t->tsan = __tsan_create_fiber(0);
#endif
}

/* Its stack goes. */
static inline void tools_fiber_uninit(struct tools *t)
{
	(void)t;
#ifdef __SANITIZE_ADDRESS__
	/* Frames that were never left: what comes to lie here is not theirs.
	 * Most use little of a large stack; its shadow would be large, too. */
	size_t used = t->size < TOOLS_USED_MAX ? t->size : TOOLS_USED_MAX;

	__asan_unpoison_memory_region((const char *)t->bottom + t->size - used,
				      used);
#endif
#ifdef __SANITIZE_THREAD__
	if (t->tsan)
		__tsan_destroy_fiber(t->tsan);
#endif
}

/* The calling thread. */
void tools_thread_init(struct tools *t);

#endif /* BATON_CORE_TOOLS_H */
