// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_debug.c - what a debug build finds: a thread-local's address that is held
 * across a change of threads, and calls from signal handlers.
 */
#include "ends.h"

#include <pthread.h>

/* --- thread-local variables ---------------------------------------------------- */

static __thread struct {
	long first, second;
} mine;

/* Another fiber, for the time in which this one is to give way. */
static int leave_me;

static struct baton_fiber *busy_begin(void)
{
	store(&leave_me, 0);
	return spawn(wait_flag, &leave_me);
}

static void busy_end(struct baton_fiber *f)
{
	store(&leave_me, 1);
	join(f);
}

static void sleep_20_ms(void *arg)
{
	(void)arg;
	usleep(20000);
}

/*
 * The only processor is taken from the call, sooner or later, and is not free
 * when it is back: the fiber resumes on the worker that has it.
 */
static void __attribute__((noinline)) change_threads(void)
{
	struct baton_fiber *f = busy_begin();
	pid_t before = gettid();

	while (gettid() == before)
		baton_call(sleep_20_ms, NULL);
	busy_end(f);
}

static void *hold_on_stack(void *arg)
{
	void *volatile held = &mine.second;

	change_threads();
	return held ? arg : NULL;
}

/* Across a call, it is a register that calls preserve, or the stack. */
static void *hold_in_register(void *arg)
{
	void *held = &mine.second;

	__asm__ volatile("" : "+r"(held));
	change_threads();
	__asm__ volatile("" : : "r"(held));
	return arg;
}

static void *hold_errno(void *arg)
{
	int *held = &errno;

	__asm__ volatile("" : "+r"(held));
	change_threads();
	__asm__ volatile("" : : "r"(held));
	return arg;
}

/* Each time anew */
static void __attribute__((noinline)) count_mine(void)
{
	mine.second++;
	errno = (int)mine.second;
}

static void *hold_nothing(void *arg)
{
	for (int i = 0; i < 10; i++) {
		count_mine();
		change_threads();
	}
	return arg;
}

/* A fiber in a callback, or locked, stays: it may hold what it likes. */
static void hold_for_yields(void *arg)
{
	void *volatile held = &mine.second;

	for (int i = 0; i < 100; i++)
		baton_yield();
	expect(held == &mine.second);
	/* Or a later frame might lie where it was. */
	held = arg;
}

static void callback_holds(void *arg)
{
	baton_callback(hold_for_yields, arg);
}

static void *hold_in_callback(void *arg)
{
	struct baton_fiber *f = busy_begin();

	baton_call(callback_holds, arg);
	busy_end(f);
	return arg;
}

static void *hold_locked(void *arg)
{
	struct baton_fiber *f = busy_begin();

	baton_thread_lock();
	hold_for_yields(arg);
	baton_thread_unlock();
	busy_end(f);
	return arg;
}

#define HOLDS	"holds the address of a thread-local variable"

static const struct end holds[] = {
	{ hold_on_stack, HOLDS },
	{ hold_in_register, HOLDS },
	{ hold_errno, "(errno+0" },
};

START_TEST(held)
{
	ends_clearly_as(&holds[_i]);
}
END_TEST

static const struct end harmless[] = {
	{ hold_nothing, "" },
	{ hold_in_callback, "" },
	{ hold_locked, "" },
};

START_TEST(not_held)
{
	char said[8192];
	int status = ends_run(&harmless[_i], said, sizeof(said));

	if (status || *said)
		ck_abort_msg("status %#x, and \"%s\"", status, said);
}
END_TEST

START_TEST(only_a_warning)
{
	char said[8192];

	setenv("BATON_TLS_CHECK", "warn", 1);
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++) {
		expect_eq(ends_run(&holds[i], said, sizeof(said)), 0);
		expect(strstr(said, holds[i].says));
	}
}
END_TEST

START_TEST(off)
{
	char said[8192];

	setenv("BATON_TLS_CHECK", "off", 1);
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++) {
		expect_eq(ends_run(&holds[i], said, sizeof(said)), 0);
		expect_eq(*said, 0);
	}
}
END_TEST

/* --- signal handlers ------------------------------------------------------------ */

static void nothing(void *arg)
{
	(void)arg;
}

static void handler_yields(int sig)
{
	(void)sig;
	baton_yield();
}

static void handler_calls(int sig)
{
	(void)sig;
	baton_call(nothing, NULL);
}

static void handler_calls_back(int sig)
{
	(void)sig;
	baton_callback(nothing, NULL);
}

static void *signal_fiber(void (*handler)(int))
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	return NULL;
}

static void *yields(void *arg)
{
	(void)arg;
	return signal_fiber(handler_yields);
}

static void *calls(void *arg)
{
	(void)arg;
	return signal_fiber(handler_calls);
}

static void raise_one(void *arg)
{
	(void)arg;
	raise(SIGUSR1);
}

static void *calls_back(void *arg)
{
	signal(SIGUSR1, handler_calls_back);
	baton_call(raise_one, NULL);
	return arg;
}

/* A handler on a stack of its own, as a sigaltstack() makes it */
static void *yields_elsewhere(void *arg)
{
	struct sigaction sa = {
		.sa_handler = handler_yields,
		.sa_flags = SA_ONSTACK,
	};

	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	return arg;
}

static const struct end handlers[] = {
	{ yields, "from a signal handler" },
	{ calls, "from a signal handler" },
	{ calls_back, "from a signal handler" },
	{ yields_elsewhere, "from a signal handler" },
};

START_TEST(in_handler)
{
#if defined(__arm__) || defined(__powerpc64__)
	skip("in_handler", "its frame has no mark: lib/core/debug.c");
	return;
#endif
	ends_clearly_as(&handlers[_i]);
}
END_TEST

static int handled;

static void only_counts(int sig)
{
	(void)sig;
	add(&handled, 1);
}

static void *counts(void *arg)
{
	signal(SIGUSR1, only_counts);
	for (int i = 0; i < 100; i++) {
		raise(SIGUSR1);
		baton_yield();
		baton_call(raise_one, NULL);
	}
	expect_eq(handled, 200);
	return arg;
}

START_TEST(after_handler)
{
	run_on(2, counts, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("debug");
	TCase *tc = test_case(s, "debug");

	tcase_add_loop_test(tc, held, 0, (int)ARRAY_SIZE(holds));
	tcase_add_loop_test(tc, not_held, 0, (int)ARRAY_SIZE(harmless));
	tcase_add_test(tc, only_a_warning);
	tcase_add_test(tc, off);
	tcase_add_loop_test(tc, in_handler, 0, (int)ARRAY_SIZE(handlers));
	tcase_add_test(tc, after_handler);
	return suite_main(s);
}
