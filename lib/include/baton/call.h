/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * call.h - foreign calls: ordinary C on the worker's own stack, outside the
 * limit of nprocs; and callbacks from there into fiber code. After Go's
 * cgocall and cgocallback.
 */
#ifndef BATON_CALL_H
#define BATON_CALL_H

#include <baton/fiber.h>
#include <errno.h>

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
 * integer registers' worth of arguments, the function, and its result. The
 * function may be variadic.
 */
struct baton_args {
	void (*fn)(void);
	uintptr_t arg[6];
	uintptr_t ret;
};

int baton_call_args(struct baton_args *args);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

/**
 * BATON_CALL() - a foreign call of a function with its own arguments
 * @err: an int lvalue for what baton_call() returns, errno in short. It is
 *       evaluated after the call, on the thread that the fiber is on then, and
 *       may be errno itself; in C it must be no other thread-local variable
 * @fn:  in C, a function of up to six parameters, each an integer or a pointer,
 *       that returns an integer, a pointer or nothing, none wider than a
 *       pointer, which on 32-bit machines leaves out long long; others are
 *       refused when they are compiled. It may be variadic. In C++, any
 *       function, or object that can be called
 *
 * The arguments are evaluated by the fiber, checked against the prototype of
 * @fn, and converted as in a plain call. In C not so for parameters narrower
 * than int: the caller casts an argument to such a type (char, short, _Bool).
 * So on ppc64, riscv64 and s390x with every argument that has not its
 * parameter's width. In C++ it needs no casts; an exception that leaves @fn is
 * caught there and thrown again from BATON_CALL(), which leaves @err alone.
 *
 * An integer argument of a floating-point parameter is refused, too (not if it
 * is a long double, on 32 bits, by gcc). errno is not to be relied on
 * afterwards: the fiber may be on another thread, of whose errno nobody knows;
 * @err is what the function left.
 *
 * Value: what @fn returned, in its own type; if it was not run, 0, in C++ a
 * value-initialized object (of a type that has none: std::terminate()).
 *
 *	ssize_t n = BATON_CALL(err, read, fd, buf, sizeof(buf));
 *
 * BATON_CALL_NOERR() - the same for who does not want to know @err
 */
#ifndef __cplusplus
#define BATON_CALL(err, ...)						\
	__BATON_CALL(__BATON_COUNT(__VA_ARGS__), __BATON_ASSIGN(err),	\
		     __VA_ARGS__)
#define BATON_CALL_NOERR(...)						\
	__BATON_CALL(__BATON_COUNT(__VA_ARGS__), (void)__baton_err,	\
		     __VA_ARGS__)

/* How many follow the function; or MANY. */
#define __BATON_COUNT(...)						\
	__BATON_NTH(__VA_ARGS__, MANY, MANY, MANY, MANY, MANY, MANY,	\
		    6, 5, 4, 3, 2, 1, 0, )
#define __BATON_NTH(f, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, \
		    n, ...) n
#define __BATON_CALL(n, set, ...)	__BATON_CALL_N(n, set, __VA_ARGS__)
#define __BATON_CALL_N(n, set, ...)	__BATON_CALL_##n(set, __VA_ARGS__)
#define __BATON_CALL_MANY(...) __extension__ ({				\
	_Static_assert(0, "BATON_CALL(): more than six arguments"); 0; })
#define __BATON_CALL_0(set, f)						\
	__BATON_DO(set, f, (), , , 0)
#define __BATON_CALL_1(set, f, a)					\
	__BATON_DO(set, f, (a),						\
		   __BATON_PARAMS(f, __BATON_ANY(a)),			\
		   __BATON_CHECK(a),					\
		   __BATON_WORD(a))
#define __BATON_CALL_2(set, f, a, b)					\
	__BATON_DO(set, f, (a, b),					\
		   __BATON_PARAMS(f, __BATON_ANY(a), __BATON_ANY(b)),	\
		   __BATON_CHECK(a) __BATON_CHECK(b),			\
		   __BATON_WORD(a), __BATON_WORD(b))
#define __BATON_CALL_3(set, f, a, b, c)					\
	__BATON_DO(set, f, (a, b, c),					\
		   __BATON_PARAMS(f, __BATON_ANY(a), __BATON_ANY(b),	\
				  __BATON_ANY(c)),			\
		   __BATON_CHECK(a) __BATON_CHECK(b) __BATON_CHECK(c),	\
		   __BATON_WORD(a), __BATON_WORD(b), __BATON_WORD(c))
#define __BATON_CALL_4(set, f, a, b, c, d)				\
	__BATON_DO(set, f, (a, b, c, d),				\
		   __BATON_PARAMS(f, __BATON_ANY(a), __BATON_ANY(b),	\
				  __BATON_ANY(c), __BATON_ANY(d)),	\
		   __BATON_CHECK(a) __BATON_CHECK(b) __BATON_CHECK(c)	\
		   __BATON_CHECK(d),					\
		   __BATON_WORD(a), __BATON_WORD(b), __BATON_WORD(c),	\
		   __BATON_WORD(d))
#define __BATON_CALL_5(set, f, a, b, c, d, e)				\
	__BATON_DO(set, f, (a, b, c, d, e),				\
		   __BATON_PARAMS(f, __BATON_ANY(a), __BATON_ANY(b),	\
				  __BATON_ANY(c), __BATON_ANY(d),	\
				  __BATON_ANY(e)),			\
		   __BATON_CHECK(a) __BATON_CHECK(b) __BATON_CHECK(c)	\
		   __BATON_CHECK(d) __BATON_CHECK(e),			\
		   __BATON_WORD(a), __BATON_WORD(b), __BATON_WORD(c),	\
		   __BATON_WORD(d), __BATON_WORD(e))
#define __BATON_CALL_6(set, f, a, b, c, d, e, g)			\
	__BATON_DO(set, f, (a, b, c, d, e, g),				\
		   __BATON_PARAMS(f, __BATON_ANY(a), __BATON_ANY(b),	\
				  __BATON_ANY(c), __BATON_ANY(d),	\
				  __BATON_ANY(e), __BATON_ANY(g)),	\
		   __BATON_CHECK(a) __BATON_CHECK(b) __BATON_CHECK(c)	\
		   __BATON_CHECK(d) __BATON_CHECK(e) __BATON_CHECK(g),	\
		   __BATON_WORD(a), __BATON_WORD(b), __BATON_WORD(c),	\
		   __BATON_WORD(d), __BATON_WORD(e), __BATON_WORD(g))

/*
 * @args is the list of a plain call, which is checked but not made. @params may
 * be statements: they come after what is declared.
 *
 * Integers narrower than a register are sign- or zero-extended by their own
 * type, and the callee reads only the part it declared. So does the caller:
 * above a _Bool result the register may hold anything.
 *
 * An argument may be a call like this one, whose variables have the same names.
 */
#define __BATON_DO(set, f, args, params, checks, ...) __extension__ ({	\
	checks								\
	_Pragma("GCC diagnostic push")					\
	_Pragma("GCC diagnostic ignored \"-Wshadow\"")			\
	_Static_assert(__BATON_IS_VOID((f) args) ||			\
		       __BATON_FITS(__BATON_NOT_VOID((f) args)),	\
		       "BATON_CALL(): the result is neither an integer nor a pointer, or is wider than a pointer: use baton_call()"); \
	struct baton_args __baton_a = {					\
		.fn = (void (*)(void))(f),				\
		.arg = { __VA_ARGS__ },					\
	};								\
	int __baton_err = baton_call_args(&__baton_a);			\
	_Pragma("GCC diagnostic pop")					\
	set;								\
	params								\
	(__typeof__((f) args))(sizeof((f) args) == 1 ?			\
		(uint8_t)__baton_a.ret : __baton_a.ret); })

/*
 * A compiler takes __errno_location() to return the same address always. Here
 * the name is that of a pointer of which it knows nothing.
 */
#define __BATON_ASSIGN(err)						\
	_Pragma("GCC diagnostic push")					\
	_Pragma("GCC diagnostic ignored \"-Wshadow\"")			\
	int *(*__baton_errno)(void) = __errno_location;			\
	__asm__("" : "+r"(__baton_errno));				\
	{								\
		int *(*__errno_location)(void)				\
			__attribute__((unused)) = __baton_errno;	\
		(err) = __baton_err;					\
	}								\
	_Pragma("GCC diagnostic pop")

/* ?: makes an array a pointer, and a bit-field an integer. */
#define __BATON_FITS(a)							\
	(__BATON_IS_WORD(a) && sizeof(1 ? (a) : (a)) <= sizeof(uintptr_t))
/* Integers, pointers and what is between them in gcc's typeclass.h. */
#define __BATON_IS_WORD(a)	(__BATON_CLASS(a) >= 1 && __BATON_CLASS(a) <= 5)
/* Of the type: what is wrong with a value is said where it is used. */
#define __BATON_CLASS(a)						\
	__builtin_classify_type(*(__typeof__(1 ? (a) : (a)) *)1)
#define __BATON_IS_VOID(a)						\
	__builtin_types_compatible_p(__typeof__(a), void)
#define __BATON_NOT_VOID(a)						\
	__builtin_choose_expr(__BATON_IS_VOID(a), 0, (a))
#define __BATON_CHECK(a)						\
	_Static_assert(__BATON_FITS(a),					\
		       "BATON_CALL(): an argument is neither an integer nor a pointer, or is wider than a pointer: use baton_call()");
/*
 * A list of arguments that goes with integers and pointers alone, in a call
 * that is not made: it is an error that a parameter is a floating-point number,
 * and no warning that one is anything else. clang takes a pointer for any
 * parameter that is an integer, an enumeration or a pointer, and for no other.
 * gcc does not for an enumeration, but tells integer constants that a
 * floating-point number cannot hold. The error is about a type of this name.
 */
/* One of which is known no more than its type: abs() is looked at closely. */
#define __BATON_SOME(f)		(*(__typeof__(&*(f)) *)1)
#ifdef __clang__
typedef void *baton_integer_or_pointer;
#define __BATON_ANY(a)		(*(baton_integer_or_pointer *)1)
#define __BATON_PARAMS(f, ...)						\
	_Pragma("clang diagnostic push")				\
	_Pragma("clang diagnostic ignored \"-Wint-conversion\"")	\
	_Pragma("clang diagnostic ignored \"-Wformat\"")		\
	_Pragma("clang diagnostic ignored \"-Wformat-nonliteral\"")	\
	_Pragma("clang diagnostic ignored \"-Wpedantic\"")		\
	(void)sizeof(__typeof__(__BATON_SOME(f)(__VA_ARGS__)) *);	\
	_Pragma("clang diagnostic pop")
#else
#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 baton_integer_or_pointer;
#else
__extension__ typedef long long baton_integer_or_pointer;
#endif
/* The highest power of two of the type, and 1; a pointer is let alone. */
#define __BATON_ANY(a)							\
	__builtin_choose_expr(__BATON_CLASS(a) == 5, (a),		\
		((baton_integer_or_pointer)1 <<				\
		 (8 * sizeof(baton_integer_or_pointer) - 2)) + 1)
/* In sizeof or typeof gcc does not look at what a conversion changes. */
#define __BATON_PARAMS(f, ...)						\
	_Pragma("GCC diagnostic push")					\
	_Pragma("GCC diagnostic ignored \"-Wconversion\"")		\
	_Pragma("GCC diagnostic ignored \"-Wsign-conversion\"")		\
	_Pragma("GCC diagnostic ignored \"-Woverflow\"")		\
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")		\
	_Pragma("GCC diagnostic ignored \"-Wformat\"")			\
	_Pragma("GCC diagnostic ignored \"-Wunused-result\"")		\
	_Pragma("GCC diagnostic error \"-Wfloat-conversion\"")		\
	if (0)								\
		(void)__BATON_SOME(f)(__VA_ARGS__);			\
	_Pragma("GCC diagnostic pop")
#endif
#define __BATON_WORD(a)							\
	__BATON_WIDEN(__builtin_choose_expr(__BATON_IS_WORD(a), (a), 0))
/* riscv64 wants all of 32 bits sign-extended, the unsigned ones as well. */
#if defined(__riscv_xlen) && __riscv_xlen == 64
#define __BATON_WIDEN(a)						\
	(sizeof(1 ? (a) : (a)) == 4 ?					\
	 (uintptr_t)(int32_t)(uintptr_t)(a) : (uintptr_t)(a))
#else
#define __BATON_WIDEN(a)	(uintptr_t)(a)
#endif

#else /* __cplusplus */

/* A function of its own: an address of a thread-local is looked up anew. */
#define BATON_CALL(err, ...)						\
	::baton::detail::call_value(					\
		[&](int __baton_err) __attribute__((noinline)) {	\
			(err) = __baton_err;				\
		}, __VA_ARGS__)
#define BATON_CALL_NOERR(...)						\
	::baton::detail::call_value([](int) { }, __VA_ARGS__)

#include <baton/call_cpp.h>
#endif

#endif /* BATON_CALL_H */
