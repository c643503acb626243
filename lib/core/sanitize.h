/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * sanitize.h - what sanitizers and valgrind are told of stacks. Without them all
 * of it is empty.
 *
 * AddressSanitizer wants to know which stack the thread is on: announced on
 * the old one, confirmed on the new one. ThreadSanitizer knows fibers; a
 * foreign call is part of the fiber that makes it, a callback of the call, and
 * only the scheduler, and an adopted thread outside of callbacks, are the
 * thread's own.
 *
 * LeakSanitizer, a part of AddressSanitizer or alone, looks for pointers on the
 * stack that a thread is on, and would take what a waiting fiber holds for a
 * leak, if the process exits meanwhile: so all stacks of fibers are made roots.
 * The library needs no instrumentation for that, only the program does.
 */
#ifndef BATON_CORE_SANITIZE_H
#define BATON_CORE_SANITIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "ctx.h"

#include "base.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

/* Never returns, or begins on one stack and ends on another. */
#if defined(__SANITIZE_ADDRESS__)
#define NO_SANITIZE	__attribute__((no_sanitize_address))
#elif defined(__SANITIZE_THREAD__) && defined(__clang__)
/*
 * Its no_sanitize("thread") leaves the entry and exit of functions. What it
 * inlines here loses its instrumentation, too, and with that the order that its
 * atomics make: optnone keeps all functions out that need not be here.
 */
#define NO_SANITIZE							\
	__attribute__((disable_sanitizer_instrumentation, noinline, optnone))
#elif defined(__SANITIZE_THREAD__)
#define NO_SANITIZE	__attribute__((no_sanitize_thread))
#else
#define NO_SANITIZE
#endif

/* A part of such a function that a sanitizer is to see all the same. */
#ifdef __SANITIZE_THREAD__
#define SANITIZE	__attribute__((noinline))
#else
#define SANITIZE	inline __attribute__((always_inline))
#endif

/* Calls through pointers of a type that is not the function's. */
#ifdef __clang__
#define NO_SANITIZE_TYPE	__attribute__((no_sanitize("cfi-icall", "function")))
#else
#define NO_SANITIZE_TYPE
#endif

/**
 * struct san - of a fiber, or of a worker as a thread
 * @fake:   AddressSanitizer's, while the stack is left
 * @bottom: lowest byte of the stack
 * @size:   bytes of it
 * @on:     the thread is on it
 * @tsan:   ThreadSanitizer's fiber
 */
struct san {
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
#define san_thread(from, to) __tsan_switch_to_fiber((to)->tsan, 0)

/*
 * What the kernel orders, and cannot tell: a processor changes hands. Whoever
 * lets go of one, or may lose it from here on, releases; whoever has got one
 * acquires. With the module the kernel has both sides of that to itself.
 */
static inline void san_release(void *p)
{
	__tsan_release(p);
}

static inline void san_acquire(void *p)
{
	__tsan_acquire(p);
}

#else

static inline void san_thread(struct san *from, struct san *to)
{
	(void)from;
	(void)to;
}

static inline void san_release(void *p)
{
	(void)p;
}

static inline void san_acquire(void *p)
{
	(void)p;
}

#endif

#ifdef __SANITIZE_ADDRESS__

#define SAN_USED_MAX ((size_t)1 << 20)

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* About to go from one stack to the other. */
static inline void san_leave(struct san *from, struct san *to)
{
	from->on = false;
	to->on = true;
	__sanitizer_start_switch_fiber(&from->fake, to->bottom, to->size);
}

/* There. Of a new fiber @fake is NULL. */
static inline void san_arrive(struct san *to)
{
	__sanitizer_finish_switch_fiber(to->fake, NULL, NULL);
	to->fake = NULL;
}

/* Frames of @from, below @sp, are gone without having been left. */
static inline void san_dropped(struct san *from, void *sp)
{
	__asan_unpoison_memory_region(from->bottom, (size_t)((char *)sp -
						    (char *)from->bottom));
}

/*
 * Frames of @from, below @sp, have been unwound or dropped, and the thread is
 * on @to now.
 */
static inline void san_unwound(struct san *from, void *sp, struct san *to)
{
	if (to->on)
		return;
	san_leave(from, to);
	san_arrive(to);
	san_dropped(from, sp);
	/* On this stack, @to, the frames below the current one are gone as well.
	 * And the frames above it may be dropped next: AddressSanitizer heard of
	 * the unwinding on the other stack alone, so it is told again here. */
	san_dropped(to, __builtin_frame_address(0));
	__asan_handle_no_return();
}

/* Frames of the current stack are about to be dropped. */
static inline void san_drop(void)
{
	__asan_handle_no_return();
}

struct san_call {
	void (*fn)(void *);
	void *arg;
	struct san *from, *to;
};

static inline void san_call_there(void *arg)
{
	struct san_call *c = arg;

	san_arrive(c->to);
	c->fn(c->arg);
	san_leave(c->to, c->from);
}

/* baton_asm_call() from one stack to the other. */
static inline void san_call(void (*fn)(void *), void *arg, void *sp,
			    void **save, struct san *from, struct san *to)
{
	struct san_call c = {fn, arg, from, to};

	san_leave(from, to);
	baton_asm_call(san_call_there, &c, sp, save);
	san_arrive(from);
}

#else

static inline void san_leave(struct san *from, struct san *to)
{
	(void)from;
	(void)to;
}

static inline void san_arrive(struct san *to)
{
	(void)to;
}

static inline void san_unwound(struct san *from, void *sp, struct san *to)
{
	(void)from;
	(void)sp;
	(void)to;
}

static inline void san_dropped(struct san *from, void *sp)
{
	(void)from;
	(void)sp;
}

static inline void san_drop(void)
{
}

static inline void san_call(void (*fn)(void *), void *arg, void *sp,
			    void **save, struct san *from, struct san *to)
{
	(void)from;
	(void)to;
	baton_asm_call(fn, arg, sp, save);
}

#endif

/* A stack for fibers exists; or does no more, @id being what this returned. */
static inline unsigned int san_stack_register(void *low, void *high)
{
	(void)low;
	(void)high;
#ifdef VALGRIND_STACK_REGISTER
	return VALGRIND_STACK_REGISTER(low, high);
#else
	return 0;
#endif
}

static inline void san_stack_deregister(unsigned int id)
{
	(void)id;
#ifdef VALGRIND_STACK_DEREGISTER
	VALGRIND_STACK_DEREGISTER(id);
#endif
}

/* Of LeakSanitizer; NULL in a process that has none. */
extern void __lsan_register_root_region(const void *p, size_t bytes)
	__attribute__((weak));
extern void __lsan_unregister_root_region(const void *p, size_t bytes)
	__attribute__((weak));

static inline bool san_leaks(void)
{
	return __lsan_register_root_region;
}

/* Pointers lie in [@p, @p + @bytes). All that is mapped of it must be readable. */
static inline void san_root(const void *p, size_t bytes)
{
	__lsan_register_root_region(p, bytes);
}

/* No more: what was told by san_root(). */
static inline void san_unroot(const void *p, size_t bytes)
{
	__lsan_unregister_root_region(p, bytes);
}

/* Valgrind does not report what this thread reads, while that is so. */
static inline void san_quiet(bool on)
{
	(void)on;
#ifdef VALGRIND_DISABLE_ERROR_REPORTING
	if (on)
		VALGRIND_DISABLE_ERROR_REPORTING;
	else
		VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

/* Does valgrind run this? */
static inline bool san_valgrind(void)
{
#ifdef RUNNING_ON_VALGRIND
	return RUNNING_ON_VALGRIND;
#else
	return false;
#endif
}

/* Does any tool want to be told? */
static inline bool san_watch(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return true;
#else
	return san_valgrind();
#endif
}

/* A fiber on its stack from @low to @high; again for each that is started. */
static inline void san_fiber_init(struct san *t, void *low, void *high)
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
static inline void san_fiber_uninit(struct san *t)
{
	(void)t;
#ifdef __SANITIZE_ADDRESS__
	/* Frames that were never left: what comes to lie here is not theirs.
	 * Most use little of a large stack; its shadow would be large, too. */
	size_t used = t->size < SAN_USED_MAX ? t->size : SAN_USED_MAX;

	__asan_unpoison_memory_region((const char *)t->bottom + t->size - used,
				      used);
#endif
#ifdef __SANITIZE_THREAD__
	if (t->tsan)
		__tsan_destroy_fiber(t->tsan);
#endif
}

/* The calling thread; and before it is a worker no more. */
void baton_san_thread_init(struct san *t);
void baton_san_thread_uninit(struct san *t);

#endif /* BATON_CORE_SANITIZE_H */
