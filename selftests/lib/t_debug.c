// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_debug.c - what a debug build finds: a thread-local's address that is held
 * across a change of threads, calls from signal handlers, mutexes that are
 * locked in both orders, pthread mutexes held while others run.
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

/* --- the order of mutexes ------------------------------------------------------- */

static struct baton_mutex first, second;

static void __attribute__((noinline))
lock_both(struct baton_mutex *a, struct baton_mutex *b)
{
	expect_eq(baton_mutex_lock(a), 0);
	expect_eq(baton_mutex_lock(b), 0);
	expect_eq(baton_mutex_unlock(a), 0);
	expect_eq(baton_mutex_unlock(b), 0);
}

static void *forwards(void *arg)
{
	lock_both(&first, &second);
	return arg;
}

/* By two fibers, one after the other: it never hangs. */
static void *both_orders(void *arg)
{
	join(spawn(forwards, NULL));
	for (int i = 0; i < 3; i++)
		lock_both(&second, &first);
	return arg;
}

static inline void wait_with(struct baton_mutex *outer, struct baton_mutex *m)
{
	struct baton_cond cond = BATON_COND_INIT;

	expect_eq(baton_mutex_lock(m), 0);
	expect_eq(baton_mutex_lock(outer), 0);
	expect_eq(baton_cond_wait_until(&cond, m, 0), -ETIMEDOUT);
	expect_eq(baton_mutex_unlock(outer), 0);
	expect_eq(baton_mutex_unlock(m), 0);
}

/* Taken again after a wait, while the other one is had. */
static void *by_condition(void *arg)
{
	wait_with(&second, &first);
	return arg;
}

static const struct end orders[] = {
	{ both_orders, "baton: lock order: mutex" },
	{ by_condition, "baton: lock order: mutex" },
};

START_TEST(order)
{
	char said[8192];
	const char *once;

	expect_eq(ends_run(&orders[_i], said, sizeof(said)), 0);
	once = strstr(said, orders[_i].says);
	if (!once || strstr(once + 1, orders[_i].says) ||
	    !strstr(said, _i ? "by_condition" : "lock_both"))
		ck_abort_msg("it said \"%s\"", said);
}
END_TEST

static void *in_order(void *arg)
{
	for (int i = 0; i < 3; i++) {
		lock_both(&first, &second);
	}
	/* One that does not wait, and others in these places. */
	expect_eq(baton_mutex_lock(&second), 0);
	expect_eq(baton_mutex_trylock(&first), 0);
	expect_eq(baton_mutex_unlock(&second), 0);
	expect_eq(baton_mutex_unlock(&first), 0);
	expect_eq(baton_mutex_destroy(&first), 0);
	first = (struct baton_mutex)BATON_MUTEX_INIT;
	lock_both(&second, &first);
	return arg;
}

/* --- scopes that are left open --------------------------------------------- */

static struct baton_scope scope;

static void pushes(void *arg)
{
	baton_deadline_push(&scope, BATON_NEVER);
	(void)arg;
}

static void pushes_in_callback(void *arg)
{
	baton_callback(pushes, arg);
}

static void *callback_leaves_scope(void *arg)
{
	baton_call(pushes_in_callback, arg);
	return arg;
}

static void *fiber_leaves_scope(void *arg)
{
	pushes(arg);
	return arg;
}

static void *fiber_leaves_mask(void *arg)
{
	baton_cancel_mask();
	return arg;
}

static const struct end opens[] = {
	{ callback_leaves_scope, "within a baton_deadline_push() of its own" },
	{ fiber_leaves_scope, "within a baton_deadline_push() of its own" },
	{ fiber_leaves_mask, "within a baton_cancel_mask() of its own" },
};

START_TEST(left_open)
{
	ends_clearly_as(&opens[_i]);
}
END_TEST

/* --- pthread mutexes held while others run ---------------------------------- */

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;

static void yield_once(void *arg)
{
	(void)arg;
	baton_yield();
}

static void *yields_once(void *arg)
{
	yield_once(NULL);
	return arg;
}

static void *holds_over_yields(void *arg)
{
	struct baton_fiber *f = busy_begin();

	expect_eq(pthread_mutex_lock(&plain), 0);
	baton_yield();
	baton_yield();
	expect_eq(pthread_mutex_unlock(&plain), 0);
	busy_end(f);
	return arg;
}

static void *readies(void *arg)
{
	expect_eq(baton_ready(arg), 0);
	return NULL;
}

static void *holds_over_wait(void *arg)
{
	struct baton_fiber *f = spawn(readies, baton_self());

	expect_eq(pthread_mutex_trylock(&plain), 0);
	expect_eq(baton_park(), 0);
	expect_eq(pthread_mutex_unlock(&plain), 0);
	join(f);
	return arg;
}

static void *ends_with_it(void *arg)
{
	expect_eq(pthread_mutex_lock(&plain), 0);
	return arg;
}

/* Its place and its stack are another fiber's now, who has nothing. */
static void *ended_with_it(void *arg)
{
	baton_join(spawn(ends_with_it, NULL), NULL);
	baton_join(spawn(yields_once, NULL), NULL);
	return arg;
}

static const struct end mutexes[] = {
	{ holds_over_yields, "holds the pthread mutex" },
	{ holds_over_wait, "holds the pthread mutex" },
	{ ended_with_it, "holds the pthread mutex" },
};

START_TEST(mutex_held)
{
	static const char *const by[] = { "holds_over_yields",
					  "holds_over_wait", "ends_with_it" };
	char said[8192];
	const char *once;

	expect_eq(ends_run(&mutexes[_i], said, sizeof(said)), 0);
	once = strstr(said, mutexes[_i].says);
	if (!once || strstr(once + 1, mutexes[_i].says) ||
	    !strstr(said, by[_i]))
		ck_abort_msg("it said \"%s\"", said);
}
END_TEST

static void lock_plain(void *arg)
{
	(void)arg;
	expect_eq(pthread_mutex_lock(&plain), 0);
	baton_callback(yield_once, NULL);
	expect_eq(pthread_mutex_unlock(&plain), 0);
}

/* While nobody else runs, in foreign code, on a worker alone; and not at all. */
static void *mutex_not_held(void *arg)
{
	struct baton_fiber *f = busy_begin();

	for (int i = 0; i < 3; i++) {
		expect_eq(pthread_mutex_lock(&plain), 0);
		expect_eq(pthread_mutex_unlock(&plain), 0);
		baton_yield();
	}
	baton_call(lock_plain, NULL);
	expect_eq(baton_thread_lock(), 0);
	expect_eq(pthread_mutex_lock(&plain), 0);
	baton_yield();
	expect_eq(pthread_mutex_unlock(&plain), 0);
	busy_end(f);
	return arg;
}

static const struct end silent[] = {
	{ in_order, "" },
	{ mutex_not_held, "" },
};

START_TEST(no_word)
{
	char said[8192];

	expect_eq(ends_run(&silent[_i], said, sizeof(said)), 0);
	if (*said)
		ck_abort_msg("it said \"%s\"", said);
}
END_TEST

/* --- a fork beside threads that lock -------------------------------------- */

static struct baton_mutex forked_mutex = BATON_MUTEX_INIT;

static void *locks_on(void *arg)
{
	struct baton_mutex own = BATON_MUTEX_INIT;
	int *over = arg;

	while (!load(over)) {
		expect_eq(baton_mutex_lock(&own), 0);
		expect_eq(baton_mutex_unlock(&own), 0);
	}
	return NULL;
}

/* The child has its mutexes, whatever its parent's other threads were at. */
START_TEST(forks)
{
	int over = 0, status;
	pthread_t t;
	pid_t pid;

	expect_eq(pthread_create(&t, NULL, locks_on, &over), 0);
	for (int i = 0; i < 100; i++) {
		pid = fork();
		if (!pid) {
			alarm(10);
			expect_eq(baton_mutex_lock(&forked_mutex), 0);
			_exit(baton_mutex_unlock(&forked_mutex));
		}
		expect_eq(waitpid(pid, &status, 0), pid);
		expect_eq(status, 0);
	}
	store(&over, 1);
	pthread_join(t, NULL);
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
	tcase_add_loop_test(tc, order, 0, (int)ARRAY_SIZE(orders));
	tcase_add_loop_test(tc, mutex_held, 0, ARRAY_SIZE(mutexes));
	tcase_add_loop_test(tc, no_word, 0, ARRAY_SIZE(silent));
	tcase_add_loop_test(tc, left_open, 0, ARRAY_SIZE(opens));
	tcase_add_test(tc, forks);
	return suite_main(s);
}
