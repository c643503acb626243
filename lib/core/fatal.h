/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* fatal.h - the end of the process, with a reason: broken rules, no way on. */
#ifndef BATON_CORE_FATAL_H
#define BATON_CORE_FATAL_H

#include <stdbool.h>
#include <stdint.h>

struct baton_fiber;
struct baton_worker;

/*
 * Say "baton: @fmt", what fiber and worker it was, and the calls that led
 * here, on standard error; abort(). From any thread, and signal handlers, and
 * with next to no stack left.
 */
_Noreturn void baton_fatal(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), cold));

/**
 * struct baton_unwinding - a panic that is under way
 * @why:   as baton_panic() was given it; may be NULL
 * @value: likewise
 * @at:    the code address in the frame that it has come to
 * @cxx:   a C++ exception was in progress when it began
 * @said:  it has been reported already that it ended there
 */
struct baton_unwinding {
	const char *why;
	void *value;
	uintptr_t at;
	bool cxx;
	bool said;
};

/*
 * The panic under way of a fiber, or NULL. panic.c puts it here with the first
 * panic of the process; until then it is NULL itself.
 */
extern struct baton_unwinding *(*baton_unwinding_of)(const struct baton_fiber *f);

/*
 * Somebody is about to end the process. If this is because a panic of the
 * calling fiber cannot go on, say so, once.
 */
void baton_unwinding_failed(void) __attribute__((cold));

/* A fiber that forked comes to a scheduling point in the child. */
#define FORKED	\
	"after fork() a fiber can only exec or _exit(): no scheduler runs"

/*
 * While the scheduler runs: a fiber that runs into the guard of its stack dies
 * by baton_fatal(); any other fault of a fiber, in its code or in a foreign
 * call, is reported in the same way, and then ends the process by its own
 * signal. Signals that the program handles itself, or ignores, are left to it.
 */
void baton_fault_handler_install(void);
void baton_fault_handler_remove(void);

/*
 * The calling thread, @w, can handle a fault with no stack left: on
 * w->altstack, which is mapped if @w has none; and cannot any more.
 */
void baton_fault_stack_create(struct baton_worker *w);
void baton_fault_stack_leave(struct baton_worker *w);

/* @w has no thread, or its thread has left it. */
void baton_fault_stack_unmap(struct baton_worker *w);

#endif /* BATON_CORE_FATAL_H */
