// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_misuse.c - broken rules end the process with a message that says which;
 * and what foreign code may do to its thread without harm to the next fiber.
 */
#include "ends.h"

#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>

/* --- the end, with a reason --------------------------------------------------- */

static void nothing(void *arg)
{
	(void)arg;
}

/* Panics */

static void *panic_uncaught(void *arg)
{
	baton_panic(arg, "for the sake of it");
}

static void *panic_named(void *arg)
{
	expect_eq(baton_set_name("a name"), 0);
	return panic_uncaught(arg);
}

static void panic_in(void *arg)
{
	baton_panic(arg, "out of a callback");
}

static void panic_cb(void *arg)
{
	baton_callback(panic_in, arg);
}

static void *panic_callback(void *arg)
{
	baton_call(panic_cb, arg);
	return arg;
}

static void panic_off(void *arg)
{
	baton_panic(arg, "foreign");
}

static void *panic_foreign(void *arg)
{
	baton_call(panic_off, arg);
	return arg;
}

/* longjmp() */

static jmp_buf there;

static void jump(void *arg)
{
	(void)arg;
	longjmp(there, 1);
}

static void jump_over_callback(void *arg)
{
	if (!setjmp(there))
		baton_callback(jump, arg);
}

static void *longjmp_callback(void *arg)
{
	baton_call(jump_over_callback, arg);
	return arg;
}

static void *longjmp_call(void *arg)
{
	if (!setjmp(there))
		baton_call(jump, arg);
	return arg;
}

static void jump_both(void *arg)
{
	baton_callback(jump, arg);
}

static void *longjmp_call_callback(void *arg)
{
	if (!setjmp(there))
		baton_call(jump_both, arg);
	return arg;
}

/* The end of the thread */

static void exit_thread(void *arg)
{
	pthread_exit(arg);
}

static void *exit_call(void *arg)
{
	baton_call(exit_thread, arg);
	return arg;
}

static void exit_cb(void *arg)
{
	baton_callback(exit_thread, arg);
}

static void *exit_callback(void *arg)
{
	baton_call(exit_cb, arg);
	return arg;
}

static void cancel_self(void *arg)
{
	(void)arg;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_cancel(pthread_self());
	pthread_testcancel();
}

static void *cancel_call(void *arg)
{
	baton_call(cancel_self, arg);
	return arg;
}

/* Too small a stack */

static void overflow_cb(void *arg)
{
	baton_callback(ends_overflow_in, arg);
}

static void *overflow_callback(void *arg)
{
	baton_call(overflow_cb, arg);
	return arg;
}

/*
 * A stack that is not aligned as for a call. What a sanitizer, or a debug build,
 * adds to the library's own functions needs an aligned one, and faults first.
 */
#if defined(__x86_64__) && !defined(SANITIZED) && !defined(BATON_DEBUG)
#define CROOKED
#endif

#ifdef CROOKED
typedef int (*enters)(void (*fn)(void *), void *arg);

static void crooked(enters enter, void (*fn)(void *), void *arg)
{
	/* 128: the red zone. */
	__asm__ volatile("movq %%rsp, %%rbx\n\t"
			 "andq $-16, %%rsp\n\t"
			 "subq $128 + 8, %%rsp\n\t"
			 "call *%0\n\t"
			 "movq %%rbx, %%rsp"
			 : "+a"(enter), "+D"(fn), "+S"(arg)
			 :
			 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc",
			   "memory");
}

static void call_back(void *arg)
{
	baton_callback(nothing, arg);
}

static void *crooked_fiber(void *arg)
{
	crooked(baton_call, call_back, arg);
	return arg;
}

static void call_out(void *arg)
{
	baton_call(nothing, arg);
}

static void crooked_cb(void *arg)
{
	crooked(baton_callback, call_out, arg);
}

static void *crooked_foreign(void *arg)
{
	baton_call(crooked_cb, arg);
	return arg;
}
#endif

static const struct end ends[] = {
#ifdef CROOKED
	{ crooked_fiber, "misaligned stack" },
	{ crooked_foreign, "misaligned stack" },
#endif
	{ panic_uncaught, "panic: for the sake of it" },
	{ panic_named, " \"a name\" on worker 0, " },
	{ panic_callback, "panic: out of a callback" },
	{ panic_foreign, "not in fiber code" },
	{ longjmp_callback, "longjmp()?" },
	{ longjmp_call, "longjmp()?" },
	{ longjmp_call_callback, "longjmp()?" },
	{ exit_call, "a thread ended" },
	{ exit_callback, "a thread ended" },
	{ cancel_call, "a thread ended" },
	{ ends_overflow, "stack overflow of fiber" },
	{ overflow_callback, "stack overflow of fiber" },
};

START_TEST(ends_clearly)
{
	const struct end *e = &ends[_i];

	if (e->fn == exit_call || e->fn == exit_callback)
		NOT_UNDER_TSAN("ends_clearly, pthread_exit()");
	if (under_qemu_user() &&
	    (e->fn == ends_overflow || e->fn == overflow_callback)) {
		skip("ends_clearly, overflow", "it dies of the fault itself");
		return;
	}
	if (on_shadow_stack() && !strcmp(e->says, "longjmp()?")) {
		skip("ends_clearly, longjmp()", "it leaves the shadow stack as it is");
		return;
	}
	ends_clearly_as(e);
}
END_TEST

/* A fault that is none of ours is what it always was. */
static volatile int *volatile nowhere = (int *)16;

static void *other_fault(void *arg)
{
	*nowhere = 0;
	return arg;
}

START_TEST(other_faults)
{
	const struct end e = { .fn = other_fault };
	int status;
	pid_t pid = fork();

	expect(pid >= 0);
	if (!pid)
		ends_child(&e, STDERR_FILENO);
	expect_eq(waitpid(pid, &status, 0), pid);
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
END_TEST

/* The program's own handler stays, and ours is gone afterwards. */
static void own_handler(int sig)
{
	_exit(sig == SIGSEGV ? 42 : 1);
}

static void *returns(void *arg)
{
	return arg;
}

START_TEST(own_handlers)
{
	struct sigaction sa;
	int status;
	pid_t pid = fork();

	expect(pid >= 0);
	if (!pid) {
		signal(SIGSEGV, own_handler);
		run_on(1, other_fault, NULL);
		_exit(0);
	}
	expect_eq(waitpid(pid, &status, 0), pid);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	signal(SIGSEGV, SIG_DFL);
	run_on(1, returns, NULL);
	expect_eq(sigaction(SIGSEGV, NULL, &sa), 0);
	expect(sa.sa_handler == SIG_DFL);
}
END_TEST

/* --- what foreign code does to its thread ---------------------------------------- */

static void rough(void *arg)
{
	static char bed[1 << 16];
	stack_t st = { .ss_sp = bed, .ss_size = sizeof(bed) };
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	sigaltstack(&st, NULL);
	fesetround(FE_UPWARD);
}

static double third(void)
{
	volatile double one = 1, three = 3;

	return one / three;
}

static void third_back(void *arg)
{
	expect_eq(baton_callback((void (*)(void *))nothing, arg), 0);
	*(double *)arg = third();
}

static void *next_fiber(void *arg)
{
	double d;

	/* Its own rounding, and all that a fiber does. */
	expect_eq(fegetround(), FE_TONEAREST);
	/* Stored, and thus rounded, like the other. */
	volatile double now = third();

	expect(now == *(double *)arg);
	expect_eq(baton_yield(), 0);
	expect_eq(fegetround(), FE_TONEAREST);
	expect_eq(baton_call(third_back, &d), 0);
	expect(d == *(double *)arg);
	return arg;
}

static void *rough_fiber(void *arg)
{
	expect(baton_call(rough, arg) >= 0);
	baton_yield();
	/* It is this fiber's rounding now: it asked for it. */
	expect_eq(fegetround(), FE_UPWARD);
	return arg;
}

static void *rough_main(void *arg)
{
	struct baton_fiber *f[12], *r[4];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		if (i % 3 == 0)
			r[i / 3] = spawn(rough_fiber, arg);
		f[i] = spawn(next_fiber, arg);
	}
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	for (size_t i = 0; i < ARRAY_SIZE(r); i++)
		join(r[i]);
	/* Adopted threads, locks, panics: the rest of the machine, too. */
	expect_eq(baton_thread_lock(), 0);
	expect_eq(baton_yield(), 0);
	expect_eq(baton_thread_unlock(), 0);
	return arg;
}

START_TEST(rough_foreign_code)
{
	double d = third();

	run_on(nprocs_list[_i], rough_main, &d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("misuse");
	TCase *tc = test_case(s, "misuse");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, ends_clearly, 0, (int)ARRAY_SIZE(ends));
	tcase_add_test(tc, other_faults);
	tcase_add_test(tc, own_handlers);
	tcase_add_loop_test(tc, rough_foreign_code, 0, n);
	return suite_main(s);
}
