/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * call.h - foreign calls: ordinary C on the worker's own stack, outside the
 * limit of nprocs; and callbacks from there into fiber code. After Go's
 * cgocall and cgocallback.
 */
#ifndef BATON_CALL_H
#define BATON_CALL_H

#include <baton/fiber.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/**
 * baton_call() - run @fn(@arg) on the worker's system stack
 * @fn:  any C function: it may use much stack, block in the kernel, take locks
 * @arg: its argument
 *
 * If the thread blocks, its processor runs other fibers meanwhile. Until the
 * call returns the fiber stays on this worker; afterwards it may go on on
 * another one.
 *
 * Return: errno as @fn left it, starting from 0: 0 says that nothing set it;
 * negative when @fn was not run: -EINVAL @fn NULL, -EPERM not from a fiber
 * (nor, from foreign code, without a callback in between). Blocks the fiber.
 */
int baton_call(void (*fn)(void *arg), void *arg);

/**
 * baton_callback() - from foreign code: run @fn(@arg) as fiber code
 * @fn:  runs on the stack of the fiber that made the foreign call; it may
 *       yield, park, spawn, and make foreign calls that call back, to any
 *       depth that the two stacks have room for
 * @arg: its argument
 *
 * Waits for a processor if the fiber's was taken meanwhile. While @fn is in
 * progress its fiber resumes on this worker alone.
 *
 * A thread that the library did not make may call back as well, at any time
 * and as often as it likes. Its first callback adopts it: it becomes a worker
 * (it counts to max_workers), with a fiber of its own for its callbacks, until
 * it exits. From then on a callback makes no system call if a processor is
 * idle; otherwise it waits for one. The processor is free for others as soon
 * as @fn returns.
 *
 * A C++ exception may leave @fn, and is then thrown in the foreign code. A
 * longjmp() over this function's frame is an error that ends the process, at
 * the latest when the foreign call returns or the fiber ends. So is the end of
 * a thread of the library's (pthread_exit(), pthread_cancel()); a thread that
 * was adopted may end in a callback, whose frames are then unwound (on arm,
 * compile them with -fexceptions).
 *
 * Return: 0; or, @fn not run: -EINVAL @fn NULL; -EPERM from fiber code;
 * -ESHUTDOWN the first fiber has ended, and baton_run() waits for this thread.
 * On a thread that the library did not make also -ESRCH no scheduler runs;
 * -EAGAIN max_workers are there; -ENOMEM; -EINVAL it has a shadow stack and the
 * workers have none, or the other way round; -ECANCELED the scheduler ended
 * while @fn was in progress, which was dropped at its next scheduling point,
 * without unwinding; its fiber, and what lies on that one's stack, stays for
 * others until baton_run() returns. Blocks the worker. Not async-signal-safe.
 */
int baton_callback(void (*fn)(void *arg), void *arg);

/**
 * baton_call_alloc() - memory that lasts as long as the foreign call
 * @bytes: how many; aligned for any type
 *
 * For what a callback hands to the foreign code that called it. Freed when the
 * fiber's outermost foreign call is over, also when a panic ends it; on an
 * adopted thread, when its outermost callback is. In a foreign call on its own
 * thread, or in a callback. After Go's _cgo_allocate.
 *
 * Return: the memory, or NULL: none left, or no call in progress
 * (baton_reason() tells). Blocks neither.
 */
void *baton_call_alloc(size_t bytes);

/**
 * baton_malloc(), baton_free() - malloc() and free() for fibers
 * @bytes: as for malloc()
 * @p:     from baton_malloc() or malloc(), or NULL
 *
 * As a foreign call if on a fiber, whose stack may be too small for an
 * allocator; otherwise directly. May block the fiber.
 */
void *baton_malloc(size_t bytes);
void baton_free(void *p);

/*
 * struct baton_args, baton_call_args() - what BATON_CALL() is made of: the
 * integer registers' worth of arguments, the function, and its result.
 */
struct baton_args {
	void (*fn)(void);
	uintptr_t arg[6];
	uintptr_t ret;
};

int baton_call_args(struct baton_args *args);

/**
 * BATON_CALL() - a foreign call of a C function with its own arguments
 * @err: an int lvalue for what baton_call() returns, errno in short
 * @fn:  a function of up to six parameters, each an integer or a pointer, that
 *       returns an integer or a pointer, none wider than a pointer, which on
 *       32-bit machines leaves out long long (use baton_call() for others)
 *
 * The arguments are checked against the prototype of @fn and converted as in
 * a plain call, but for parameters narrower than int: cast an argument to such
 * a type (char, short, _Bool) yourself. So on ppc64, riscv64 and s390x with
 * every argument that has not its parameter's width. In C++ it needs no casts.
 * Value: what @fn returned, in its own type; 0 if it was not run.
 *
 *	ssize_t n = BATON_CALL(err, read, fd, buf, sizeof(buf));
 */
/* riscv64 wants all of 32 bits sign-extended, the unsigned ones as well. */
#if __riscv_xlen == 64
#define __BATON_WIDEN(a)						\
	(sizeof(1 ? (a) : (a)) == 4 ?					\
	 (uintptr_t)(int32_t)(uintptr_t)(a) : (uintptr_t)(a))
#else
#define __BATON_WIDEN(a)	(uintptr_t)(a)
#endif

#ifndef __cplusplus
#define BATON_CALL(err, f, ...) __extension__ ({			\
	struct baton_args __baton_a = {					\
		.fn = (void (*)(void))(f),				\
		.arg = { __BATON_EACH(__VA_ARGS__) },			\
	};								\
	_Static_assert(sizeof(f(__VA_ARGS__)) <= sizeof(uintptr_t),	\
		       "the result is wider than a pointer");		\
	(err) = baton_call_args(&__baton_a);				\
	(__typeof__(f(__VA_ARGS__)))(sizeof(f(__VA_ARGS__)) == 1 ?	\
		(uint8_t)__baton_a.ret : __baton_a.ret); })

/*
 * The conversion a plain call makes is what the prototype asks for; integers
 * narrower than a register are sign- or zero-extended by their own type here,
 * and the callee reads only the part it declared. So does the caller: above a
 * _Bool result the register may hold anything.
 */
#define __BATON_NTH(_1, _2, _3, _4, _5, _6, n, ...) n
#define __BATON_EACH(...) __VA_OPT__(__BATON_NTH(__VA_ARGS__,		\
	__BATON_6, __BATON_5, __BATON_4, __BATON_3, __BATON_2, __BATON_1, \
	)(__VA_ARGS__))
#define __BATON_1(a)		__BATON_WORD(a)
#define __BATON_2(a, ...)	__BATON_WORD(a), __BATON_1(__VA_ARGS__)
#define __BATON_3(a, ...)	__BATON_WORD(a), __BATON_2(__VA_ARGS__)
#define __BATON_4(a, ...)	__BATON_WORD(a), __BATON_3(__VA_ARGS__)
#define __BATON_5(a, ...)	__BATON_WORD(a), __BATON_4(__VA_ARGS__)
#define __BATON_6(a, ...)	__BATON_WORD(a), __BATON_5(__VA_ARGS__)
/* Does not compile if it is wider than that. ?: makes an array a pointer. */
#define __BATON_WORD(a)							\
	(__BATON_WIDEN(a) + 0 * sizeof(char[				\
		sizeof(1 ? (a) : (a)) <= sizeof(uintptr_t) ? 1 : -1]))
#endif

#ifdef __cplusplus
}

template <typename T>
static inline uintptr_t baton_call_word(T a)
{
	static_assert(sizeof(T) <= sizeof(uintptr_t), "wider than a pointer");
	return __BATON_WIDEN(a);
}

template <typename R, typename... P, typename... A>
static inline R baton_call_typed(int *err, R (*fn)(P...), A... a)
{
	static_assert(sizeof...(P) == sizeof...(A), "number of arguments");
	static_assert(sizeof...(A) <= 6, "at most six arguments");
	struct baton_args args = {
		reinterpret_cast<void (*)(void)>(fn),
		{ baton_call_word((P)(a))... }, 0
	};

	*err = baton_call_args(&args);
	return (R)(sizeof(R) == 1 ? (uint8_t)args.ret : args.ret);
}
#define BATON_CALL(err, ...) baton_call_typed(&(err), __VA_ARGS__)
#endif
#pragma GCC visibility pop

#endif /* BATON_CALL_H */
