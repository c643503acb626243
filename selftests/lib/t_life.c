// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_life.c - what outlives what: handles that were used up, a library that is
 * unloaded, counters at their ends, threads that end.
 */
#include "ends.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>

#include "../../lib/core/sched.h"

static void *nothing(void *arg)
{
	return arg;
}

/* --- what a fiber leaves behind, the next on its stack finds as new --------- */

#ifdef BATON_DEBUG
/* A debug build ends at these. */
static void leave_open(void)
{
}
#else
static struct baton_scope scope;

static void leave_open(void)
{
	expect_eq(baton_deadline_push(&scope, 1), 0);
	expect_eq(baton_cancel_mask(), 0);
}
#endif

static void leave_traces(void *arg)
{
	leave_open();
	expect_eq(baton_ready(baton_self()), 0);
	expect_eq(baton_cancel(baton_self()), 0);
	add((int *)arg, 1);
}

static void find_none(void *arg)
{
	int64_t soon = baton_now() + BATON_MSEC;

	expect_eq(baton_canceled(), 0);
	expect_eq(baton_cancel_unmask(), -EINVAL);
	expect_eq(baton_park_until(soon), -ETIMEDOUT);
	expect(baton_now() >= soon);
	add((int *)arg, 1);
}

static void *leaver(void *arg)
{
	leave_traces(arg);
	return NULL;
}

static void *finder(void *arg)
{
	find_none(arg);
	return NULL;
}

static void *traces_main(void *arg)
{
	int n = 0;

	for (int i = 0; i < 20; i++) {
		join(spawn(leaver, &n));
		join(spawn(finder, &n));
	}
	expect_eq(n, 40);
	return arg;
}

START_TEST(no_traces)
{
	run_on(1, traces_main, NULL);
}
END_TEST

static void *leaver_thread(void *arg)
{
	expect_eq(baton_callback(leave_traces, arg), 0);
	return NULL;
}

static void *finder_thread(void *arg)
{
	expect_eq(baton_callback(find_none, arg), 0);
	return NULL;
}

static void one_by_one(void *arg)
{
	pthread_t t;

	for (int i = 0; i < 40; i++) {
		expect_eq(pthread_create(&t, NULL,
					 i % 2 ? finder_thread : leaver_thread,
					 arg), 0);
		pthread_join(t, NULL);
	}
}

static void *threads_main(void *arg)
{
	int n = 0;

	expect(baton_call(one_by_one, &n) >= 0);
	expect_eq(n, 40);
	return arg;
}

START_TEST(no_traces_of_threads)
{
	run_on(nprocs_list[_i], threads_main, NULL);
}
END_TEST

/* --- a handle is good for one join or detach -------------------------------- */

static void *park_once(void *arg)
{
	baton_park();
	return arg;
}

static void *join_it(void *arg)
{
	return (void *)(intptr_t)baton_join(arg, NULL);
}

/* Ended before it is joined, and after. */
static void *used_up(void *arg)
{
	for (int late = 0; late < 2; late++) {
		struct baton_fiber *f = spawn(nothing, arg), *a, *b;

		for (int i = 0; late && i < 10; i++)
			expect_eq(baton_yield(), 0);
		expect(join(f) == arg);
		expect_eq(baton_join(f, NULL), -EINVAL);
		expect_eq(baton_detach(f), -EINVAL);
		expect_eq(baton_ready(f), -EINVAL);
		/* Were it free twice, these two would share a stack. */
		a = spawn(nothing, arg);
		b = spawn(nothing, arg);
		expect(a != b);
		join(a);
		join(b);

		f = spawn(nothing, arg);
		for (int i = 0; late && i < 10; i++)
			expect_eq(baton_yield(), 0);
		expect_eq(baton_detach(f), 0);
		expect_eq(baton_detach(f), -EINVAL);
		expect_eq(baton_join(f, NULL), -EINVAL);
	}
	return arg;
}

START_TEST(handles)
{
	run_on(1, used_up, &_i);
}
END_TEST

/* One of two that join the same fiber gets it, whenever it ends. */
static void *join_both(void *arg)
{
	for (unsigned int i = scaled(2000); i > 0; i--) {
		struct baton_fiber *f = spawn(park_once, NULL);
		struct baton_fiber *a = spawn(join_it, f);
		struct baton_fiber *b = spawn(join_it, f);
		intptr_t ra, rb;

		for (unsigned int n = i % 4; n; n--)
			expect_eq(baton_yield(), 0);
		baton_ready(f);
		ra = (intptr_t)join(a);
		rb = (intptr_t)join(b);
		expect(ra == 0 || ra == -EINVAL);
		expect(rb == 0 || rb == -EINVAL);
		expect(!ra != !rb);
	}
	return arg;
}

START_TEST(joined_by_two)
{
	run_on(nprocs_list[_i], join_both, NULL);
}
END_TEST

/* --- a counter at its end ---------------------------------------------------- */

static int spawned_runs;

static void *says_so(void *arg)
{
	store(&spawned_runs, 1);
	return arg;
}

static void *spawn_outside(void *arg)
{
	expect_eq(baton_spawn(NULL, NULL, says_so, NULL), 0);
	store((int *)arg, 1);
	return arg;
}

/*
 * The number of lone yields that would otherwise take long to reach. Once the
 * other fiber is queued few of them find it, and more than enough are tried.
 */
static void *yields_alone(void *arg)
{
	unsigned int left = 1000000;
	int spawned = 0;
	pthread_t t;

	baton_worker_self()->proc->budget = INT_MIN + 10;
	for (int i = 0; i < 100; i++)
		expect_eq(baton_yield(), 0);
	expect_eq(pthread_create(&t, NULL, spawn_outside, &spawned), 0);
	while (!load(&spawned_runs)) {
		expect(!load(&spawned) || left--);
		expect_eq(baton_yield(), 0);
	}
	expect_eq(pthread_join(t, NULL), 0);
	return arg;
}

START_TEST(lone_yields)
{
	run_in_order(yields_alone, NULL);
}
END_TEST

/* --- deadlines that never come ------------------------------------------- */

#define WAITS	200

static void *readies(void *main_fiber)
{
	for (int i = 0; i < WAITS; i++) {
		expect_eq(baton_ready(main_fiber), 0);
		expect_eq(baton_yield(), 0);
	}
	return main_fiber;
}

/* The watcher, which looks after deadlines, has none to look for. */
static void *far_main(void *arg)
{
	const struct watch *watch = &baton_worker_self()->rt->watch;
	struct baton_fiber *f = spawn(readies, baton_self());
	uint32_t before = READ_ONCE(watch->kicks);

	for (int i = 0; i < WAITS; i++)
		expect_eq(baton_park_until(i % 2 ? INT64_MAX - 1 :
						   INT64_MAX / 2), 0);
	expect(READ_ONCE(watch->kicks) - before < WAITS / 2);
	join(f);
	return arg;
}

START_TEST(far_deadlines)
{
	run_on(1, far_main, NULL);
}
END_TEST

/* --- the library is unloaded --------------------------------------------------- */

static struct {
	__typeof__(&baton_run) run;
	__typeof__(&baton_call) call;
	__typeof__(&baton_callback) callback;
	sem_t called, closed;
	pthread_t thread;
} dl;

static void no_call(void *arg)
{
	(void)arg;
}

static void *adopted(void *arg)
{
	expect_eq(dl.callback(no_call, NULL), 0);
	sem_post(&dl.called);
	sem_wait(&dl.closed);
	return arg;
}

static void start_adopted(void *arg)
{
	expect_eq(pthread_create(&dl.thread, NULL, adopted, arg), 0);
	sem_wait(&dl.called);
}

static void *calls_adopted(void *arg)
{
	dl.call(start_adopted, NULL);
	return arg;
}

START_TEST(unloaded)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		skip("unloaded", dlerror());
		return;
	}
	dl.run = (__typeof__(dl.run))dlsym(lib, "baton_run");
	dl.call = (__typeof__(dl.call))dlsym(lib, "baton_call");
	dl.callback = (__typeof__(dl.callback))dlsym(lib, "baton_callback");
	sem_init(&dl.called, 0, 0);
	sem_init(&dl.closed, 0, 0);
	expect_eq(dl.run(NULL, calls_adopted, NULL, NULL), 0);
	expect_eq(dlclose(lib), 0);
	sem_post(&dl.closed);
	expect_eq(pthread_join(dl.thread, NULL), 0);
}
END_TEST

/* --- the child of a fork() ------------------------------------------------------ */

static void *yields_in_child(void *arg)
{
	pid_t pid = fork();

	expect(pid >= 0);
	if (!pid) {
		alarm(10);
		baton_yield();
		_exit(0);
	}
	/* As it ended: ends_clearly_as() looks at the parent. */
	if (WIFSIGNALED(child_status(pid)))
		abort();
	return arg;
}

static void forks(void *arg)
{
	*(pid_t *)arg = fork();
	if (!*(pid_t *)arg)
		alarm(10);
}

static void *returns_in_child(void *arg)
{
	pid_t pid = -1;

	baton_call(forks, &pid);
	expect(pid >= 0);
	if (!pid)
		_exit(0);
	if (WIFSIGNALED(child_status(pid)))
		abort();
	return arg;
}

static void calls_back_in_child(void *arg)
{
	forks(arg);
	if (!*(pid_t *)arg)
		baton_callback(no_call, NULL);
}

static void *callback_in_child(void *arg)
{
	pid_t pid = -1;

	baton_call(calls_back_in_child, &pid);
	expect(pid > 0);
	if (WIFSIGNALED(child_status(pid)))
		abort();
	return arg;
}

static void *child_of_adopted(void *arg)
{
	pid_t pid = -1;

	baton_callback(forks, &pid);
	if (!pid)
		_exit(0);
	*(int *)arg = child_status(pid);
	return arg;
}

static void starts_adopted(void *arg)
{
	on_thread(child_of_adopted, arg);
}

static void *adopted_in_child(void *arg)
{
	int status = 0;

	baton_call(starts_adopted, &status);
	if (WIFSIGNALED(status))
		abort();
	return arg;
}

static const struct end forked[] = {
	{ yields_in_child, "fork()" },
	{ returns_in_child, "fork()" },
	{ callback_in_child, "fork()" },
	{ adopted_in_child, "fork()" },
};

START_TEST(fork_ends_clearly)
{
	ends_clearly_as(&forked[_i]);
}
END_TEST

/* Others have a lock of theirs while handlers run, over which none may wait. */
#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 36)
#define HANDLERS_MAY_WAIT 1
#endif
#endif

#ifdef HANDLERS_MAY_WAIT

/*
 * A handler that waits, and was there before the library's: what that has noted
 * of the thread it finds again.
 */
static void waits_in_handler(void)
{
	pid_t thread = gettid();

	for (unsigned int i = 0; i < 100 && baton_self(); i++)
		expect_eq(baton_sleep(10 * BATON_USEC), 0);
	expect_eq(gettid(), thread);
}

static void *forks_often(void *arg)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();

		expect(pid >= 0);
		if (!pid)
			_exit(7);
		expect_eq(WEXITSTATUS(child_status(pid)), 7);
	}
	/* And it is let go of. */
	expect_eq(baton_thread_unlock(), -EINVAL);
	return arg;
}

static void *forks_beside_others(void *arg)
{
	struct baton_fiber *f[4];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(forks_often, arg);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(fork_handler_waits)
{
	expect_eq(pthread_atfork(waits_in_handler, NULL, NULL), 0);
	run_on(3, forks_beside_others, NULL);
	run_with(1, 1, forks_beside_others, NULL);
}
END_TEST

#endif

/* What was allowed: another program, or none. */
static void *child_exits(void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(7);
	expect_eq(WEXITSTATUS(child_status(pid)), 7);
	pid = fork();
	if (!pid) {
		/* What a shell does is none of a preloaded library's. */
		unsetenv("LD_PRELOAD");
		execl("/bin/sh", "sh", "-c", "exit 8", NULL);
		_exit(1);
	}
	expect_eq(WEXITSTATUS(child_status(pid)), 8);
	expect_eq(baton_yield(), 0);
	return arg;
}

START_TEST(fork_and_exit)
{
	run_on(2, child_exits, NULL);
}
END_TEST

/* Fibers wait for files and descriptors meanwhile, by what a child inherits. */
struct beside {
	int file;
	int fds[2];
	int enough;
};

static void *reads_files(void *arg)
{
	const struct beside *b = arg;
	char magic[4];

	while (!load(&b->enough)) {
		expect_eq(baton_pread(b->file, magic, 4, 0), 4);
		expect(!memcmp(magic, "\177ELF", 4));
		expect_eq(baton_yield(), 0);
	}
	return NULL;
}

static void *echoes(void *arg)
{
	const struct beside *b = arg;
	char c;

	while (baton_read(b->fds[1], &c, 1) == 1)
		expect_eq(baton_write(b->fds[1], &c, 1), 1);
	return NULL;
}

static void *forks_beside(void *arg)
{
	struct beside b = { .file = open("/proc/self/exe", O_RDONLY) };
	struct baton_fiber *readers[4], *echo;
	char c;

	expect(b.file >= 0);
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, b.fds), 0);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		readers[i] = spawn(reads_files, &b);
	echo = spawn(echoes, &b);
	for (unsigned int i = 0; i < scaled(40); i++) {
		expect_eq(baton_write(b.fds[0], "x", 1), 1);
		child_exits(NULL);
		expect_eq(baton_read(b.fds[0], &c, 1), 1);
		expect_eq(c, 'x');
	}
	store(&b.enough, 1);
	expect_eq(shutdown(b.fds[0], SHUT_WR), 0);
	join(echo);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		join(readers[i]);
	for (int i = 0; i < 2; i++)
		expect_eq(baton_close(b.fds[i]), 0);
	expect_eq(baton_close(b.file), 0);
	return arg;
}

START_TEST(fork_beside_io)
{
	run_on(2, forks_beside, NULL);
}
END_TEST

static void *spawns(void *arg)
{
	return join(spawn(nothing, arg));
}

/* A thread of no fiber, which has called back before if @arg says so. */
static void *runs_in_child(void *arg)
{
	pid_t pid;

	if (arg)
		expect_eq(baton_callback(no_call, NULL), 0);
	pid = fork();
	expect(pid >= 0);
	if (!pid) {
		alarm(10);
		expect_eq(baton_callback(no_call, NULL), -ESRCH);
		expect(run_on(2, spawns, &pid) == &pid);
		_exit(9);
	}
	expect_eq(WEXITSTATUS(child_status(pid)), 9);
	return NULL;
}

static void plain_thread(void *arg)
{
	on_thread(runs_in_child, arg);
}

static void *starts_plain(void *arg)
{
	baton_call(plain_thread, NULL);
	baton_call(plain_thread, &dl);
	expect_eq(baton_yield(), 0);
	return arg;
}

START_TEST(run_in_child)
{
#ifdef SANITIZED
	/* Sanitizers make no promise for a child of several threads. */
	skip("run_in_child", "under a sanitizer");
	return;
#endif
	run_on(2, starts_plain, NULL);
}
END_TEST

/* --- a thread that calls back while it ends -------------------------------- */

/*
 * Destructors of thread-specific data call back, in each round of them, before
 * and after the library's own. None of the threads is a worker afterwards, or
 * there would soon be no room for the next.
 */
static struct {
	pthread_key_t keys[4];
	int before;		/* the thread has called back before it ends */
	int n;
} late;

static void late_back(void *arg)
{
	expect_eq(baton_yield(), 0);
	add((int *)arg, 1);
}

static void late_callback(void *key)
{
	errno = ERANGE;
	expect_eq(baton_callback(late_back, &late.n), 0);
	expect_eq(errno, ERANGE);
	pthread_setspecific(*(pthread_key_t *)key, key);
}

static void *late_thread(void *arg)
{
	if (late.before)
		expect_eq(baton_callback(late_back, &late.n), 0);
	for (size_t i = 0; i < ARRAY_SIZE(late.keys); i++)
		pthread_setspecific(late.keys[i], &late.keys[i]);
	return arg;
}

static void late_keys(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		expect_eq(pthread_key_create(&late.keys[i], late_callback), 0);
}

static void late_run(void *arg)
{
	on_thread(late_thread, arg);
}

static void *late_main(void *arg)
{
	late_keys(2, 2);
	for (int i = 0; i < 20; i++) {
		late.before = i % 2;
		late.n = 0;
		expect(baton_call(late_run, NULL) >= 0);
		expect_eq(late.n, late.before + PTHREAD_DESTRUCTOR_ITERATIONS *
						      ARRAY_SIZE(late.keys));
	}
	return arg;
}

START_TEST(late_callbacks)
{
	/* The last round comes after its own farewell to the thread. */
	NOT_UNDER_TSAN("late_callbacks");
	late_keys(0, 2);
	run_with(1, 8, late_main, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("life");
	TCase *tc = test_case(s, "life");

	tcase_add_test(tc, no_traces);
	tcase_add_loop_test(tc, no_traces_of_threads, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, handles);
	tcase_add_loop_test(tc, joined_by_two, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, lone_yields);
	tcase_add_test(tc, far_deadlines);
	tcase_add_test(tc, unloaded);
	tcase_add_loop_test(tc, fork_ends_clearly, 0, ARRAY_SIZE(forked));
#ifdef HANDLERS_MAY_WAIT
	tcase_add_test(tc, fork_handler_waits);
#endif
	tcase_add_test(tc, fork_and_exit);
	tcase_add_test(tc, fork_beside_io);
	tcase_add_test(tc, run_in_child);
	tcase_add_test(tc, late_callbacks);
	return suite_main(s);
}
