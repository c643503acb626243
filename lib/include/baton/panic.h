/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * panic.h - end what a fiber is doing from deep within, foreign calls and
 * callbacks included; after Go's panic and recover.
 */
#ifndef BATON_PANIC_H
#define BATON_PANIC_H

#include <baton/fiber.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/**
 * baton_try() - run @fn(@arg), until it returns or panics
 * @fn:    a function of fiber code
 * @arg:   its argument
 * @value: where to put what baton_panic() was given, or NULL; left alone when
 *         there was no panic
 *
 * A panic ends the deadline scopes and the masked sections that @fn has begun.
 *
 * Return: 0 @fn returned; 1 a panic ended it; -EPERM not from fiber code;
 * -EINVAL @fn NULL. Blocks what @fn blocks. Not async-signal-safe.
 */
int baton_try(void (*fn)(void *arg), void *arg, void **value);

/**
 * baton_panic() - unwind to the innermost baton_try() of this fiber
 * @value: for that baton_try()
 * @why:   for the message if there is none; may be NULL
 *
 * From fiber code. All frames on the way are unwound, those of foreign code
 * that called back as well: destructors of C++ run, and so do the cleanups
 * (__attribute__((cleanup))) of C that was compiled with -fexceptions. If a
 * frame has no unwind table, it and all between it and the baton_try() are
 * dropped without. On arm, compile all C on the way with -fexceptions.
 *
 * Without a baton_try(): a message with @why and a backtrace, and abort(). The
 * same if a C++ catch (...) on the way does not rethrow. A panic cannot leave a
 * function that is noexcept, as destructors are by default: C++ then calls
 * std::terminate(), before which a message with @why says so.
 *
 * Does not return. Not async-signal-safe.
 */
void baton_panic(void *value, const char *why) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_PANIC_H */
