/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* fatal.h - the end of the process, with a reason: broken rules, no way on. */
#ifndef BATON_CORE_FATAL_H
#define BATON_CORE_FATAL_H

struct baton_worker;

/*
 * Say "baton: @fmt", what fiber and worker it was, and the calls that led
 * here, on standard error; abort(). From any thread, and signal handlers.
 */
_Noreturn void baton_fatal(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), cold));

/* A fiber that forked comes to a scheduling point in the child. */
#define FORKED	\
	"after fork() a fiber can only exec or _exit(): no scheduler runs"

/*
 * While the scheduler runs: a fiber that runs into the guard of its stack dies
 * by baton_fatal(). Does nothing if the program handles SIGSEGV itself.
 */
void baton_fault_handler_install(void);
void baton_fault_handler_remove(void);

/* The calling thread, @w, can handle a fault with no stack left. */
void baton_fault_stack_create(struct baton_worker *w);
void baton_fault_stack_destroy(struct baton_worker *w);

#endif /* BATON_CORE_FATAL_H */
