// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_retire.c - a fiber that ends while locked to its thread takes that with it:
 * what it has made of the thread no other fiber finds.
 */
#include "common.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

static const struct {
	unsigned int nprocs, workers;
} limits[] = {{1, 0}, {2, 0}, {1, 1}, {2, 1}, {1, 2}, {2, 3}};

static __thread int mine;

/* Looked up anew each time: the compiler would keep its address over a yield. */
static __attribute__((noinline)) int get_mine(void)
{
	__asm__ volatile("");
	return mine;
}

static __attribute__((noinline)) void set_mine(int n)
{
	__asm__ volatile("");
	mine = n;
}

static void noop(void *arg)
{
	(void)arg;
}

/* --- its thread ends, and it is joined ---------------------------------------- */

/* For baton_call(): until thread *@arg is no more, which is ESRCH. */
static void await_exit(void *arg)
{
	while (!syscall(SYS_tgkill, getpid(), *(pid_t *)arg, 0))
		usleep(1000);
}

static void *end_locked(void *arg)
{
	expect_eq(get_mine(), 0);
	expect_eq(baton_thread_lock(), 0);
	set_mine(1);
	baton_yield();
	expect_eq(get_mine(), 1);
	*(pid_t *)arg = gettid();
	return arg;
}

static void *ends_main(void *arg)
{
	for (int i = 0; i < 4; i++) {
		pid_t tid = 0;

		expect(join(spawn(end_locked, &tid)) == &tid);
		expect(tid);
		if (tid != getpid())
			expect_eq(baton_call(await_exit, &tid), ESRCH);
		expect_eq(get_mine(), 0);
	}
	return arg;
}

START_TEST(thread_ends)
{
	int x;

	expect(run_with(limits[_i].nprocs, limits[_i].workers, ends_main, &x) ==
	       &x);
	/* That of baton_run() cannot: it is as it was left. */
	set_mine(0);
	expect(run_on(1, ends_main, &x) == &x);
}
END_TEST

/* --- what it has changed, nobody sees -------------------------------------------- */

static char home[PATH_MAX];
static int left, refused;

static void at(const char *path)
{
	char buf[PATH_MAX];

	expect(getcwd(buf, sizeof(buf)));
	if (strcmp(buf, path))
		ck_abort_msg("at %s, not %s", buf, path);
}

static bool blocked(void)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, SIGUSR1);
}

/* May be forbidden where all of unshare() is. */
static void *mover(void *arg)
{
	bool moved;
	sigset_t set;

	at(home);
	expect(!blocked());
	expect_eq(baton_thread_lock(), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	moved = !unshare(CLONE_FS) && !chdir("/proc");
	if (!moved)
		store(&refused, 1);
	for (int i = 0; i < 3; i++) {
		at(moved ? "/proc" : home);
		expect(blocked());
		baton_yield();
	}
	add(&left, -1);
	return arg;
}

static void at_home(void *arg)
{
	(void)arg;
	at(home);
	expect(!blocked());
}

static void *stayer(void *arg)
{
	while (load(&left)) {
		at_home(NULL);
		expect(baton_call(at_home, NULL) >= 0);
		baton_yield();
	}
	return arg;
}

static void *moves_main(void *arg)
{
	struct baton_fiber *stay[4], *move[4];

	store(&left, 4 * (int)scaled(100));
	for (size_t i = 0; i < ARRAY_SIZE(stay); i++)
		stay[i] = spawn(stayer, NULL);
	while (load(&left)) {
		for (size_t i = 0; i < ARRAY_SIZE(move); i++)
			move[i] = spawn(mover, arg);
		for (size_t i = 0; i < ARRAY_SIZE(move); i++)
			expect(join(move[i]) == arg);
		at_home(NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(stay); i++)
		join(stay[i]);
	return arg;
}

START_TEST(never_seen)
{
	expect(getcwd(home, sizeof(home)));
	run_with(limits[_i].nprocs, limits[_i].workers, moves_main, NULL);
	if (load(&refused))
		skip("unshare", "it is not allowed");
}
END_TEST

/* --- many of them ------------------------------------------------------------------- */

static unsigned int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;

	expect(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

/* For baton_call(). One that is no worker any more may be on its way out. */
static void await_few(void *arg)
{
	while (threads() > *(unsigned int *)arg)
		usleep(1000);
}

static void calls_back(void *arg)
{
	expect_eq(baton_callback(noop, arg), 0);
}

static void *call_and_end(void *arg)
{
	expect_eq(get_mine(), 0);
	expect_eq(baton_thread_lock(), 0);
	set_mine(1);
	expect_eq(baton_call(calls_back, NULL), 0);
	return arg;
}

static void *thousand_main(void *arg)
{
	unsigned int n = scaled(1000), few = 16, max = *(unsigned int *)arg;
	struct baton_stats st;

	for (unsigned int i = 0; i < n; i++) {
		expect(join(spawn(call_and_end, &n)) == &n);
		expect_eq(baton_stats(&st, sizeof(st)), 0);
		expect(st.workers >= 1 && st.workers <= few);
		expect(!max || st.workers_max <= max);
	}
	/* What those did that are no more is counted. */
	expect_eq(st.calls, n);
	expect_eq(st.callbacks, n);
	expect_eq(st.calls_now, 0);
	expect_eq(st.adopted, 0);
	expect(baton_call(await_few, &few) >= 0);
	return arg;
}

START_TEST(thousand)
{
	unsigned int max = limits[_i].workers;

	run_with(limits[_i].nprocs, max, thousand_main, &max);
}
END_TEST

static int ended;

static void *end_somehow(void *arg)
{
	expect_eq(get_mine(), 0);
	baton_yield();
	expect_eq(get_mine(), 0);
	if (*(int *)arg) {
		expect_eq(baton_thread_lock(), 0);
		set_mine(1);
	}
	add(&ended, 1);
	return NULL;
}

static void *crowd_main(void *arg)
{
	static int locks[2] = {0, 1};
	int n = (int)scaled(400);

	for (int i = 0; i < n; i++)
		expect_eq(baton_spawn(NULL, NULL, end_somehow, &locks[i % 2]),
			  0);
	while (load(&ended) < n)
		baton_yield();
	return arg;
}

/* Detached, all at once, among others that do not lock. */
START_TEST(crowd)
{
	run_with(limits[_i].nprocs, limits[_i].workers, crowd_main, NULL);
}
END_TEST

/* --- the first fiber is one of them --------------------------------------------------- */

static void *park_locked(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	baton_park();
	return arg;
}

static struct {
	bool wait, park;
} before;

static void *locked_main(void *arg)
{
	static int locks = 1;

	store(&ended, 0);
	spawn(end_somehow, &locks);
	if (before.wait)
		yield_until(&ended);
	if (before.park)
		spawn(park_locked, NULL);
	spawn(end_somehow, &locks);
	baton_yield();
	expect_eq(baton_thread_lock(), 0);
	return arg;
}

/* Some have ended before, some are about to, and a thread may wait. */
START_TEST(main_ends)
{
	for (int i = 0; i < 20; i++) {
		before.wait = i & 1;
		/* It has the thread to itself: there must be others. */
		before.park = i & 2 && limits[_i].workers != 1;
		set_mine(0);
		expect(run_with(limits[_i].nprocs, limits[_i].workers,
				locked_main, &i) == &i);
	}
}
END_TEST

/* --- in company ------------------------------------------------------------------------- */

static void lock_it(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	*(pid_t *)arg = gettid();
}

static void lock_cb(void *arg)
{
	expect_eq(baton_callback(lock_it, arg), 0);
}

static void *in_callback(void *arg)
{
	expect_eq(baton_call(lock_cb, arg), 0);
	return arg;
}

static void lock_and_panic(void *arg)
{
	lock_it(arg);
	baton_panic(arg, "locked");
}

static void *in_panic(void *arg)
{
	void *value;

	expect_eq(baton_try(lock_and_panic, arg, &value), 1);
	return value;
}

static void *joins_locked(void *arg)
{
	int x;

	lock_it(arg);
	expect(join(spawn(wait_flag, arg)) == arg);
	expect(join(spawn(call_and_end, &x)) == &x);
	return arg;
}

static void *company_main(void *arg)
{
	static const baton_fn how[] = {in_callback, in_panic, joins_locked};
	int on_first = 0;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(how); i++) {
		pid_t tid = 0;

		expect(join(spawn(how[i / 2], &tid)) == &tid);
		if (tid != getpid())
			expect_eq(baton_call(await_exit, &tid), ESRCH);
		else
			on_first++;
	}
	expect(on_first <= 1);
	return arg;
}

/*
 * The lock was taken in a callback, or by what panicked; the fiber waits for
 * others, locked ones too: that takes two threads.
 */
START_TEST(company)
{
	run_with(1 + _i % 2, _i < 2 ? 2 : 0, company_main, NULL);
}
END_TEST

static pthread_key_t key;
static sem_t destroyed;

static void destructor(void *arg)
{
	int *said = arg;

	*said = baton_callback(noop, NULL);
	sem_post(&destroyed);
}

static void await_destructor(void *arg)
{
	(void)arg;
	while (sem_wait(&destroyed))
		;
}

struct keyed {
	pid_t tid;
	int said;
};

static void *end_keyed(void *arg)
{
	struct keyed *k = arg;

	lock_it(&k->tid);
	expect_eq(pthread_setspecific(key, &k->said), 0);
	return arg;
}

static void *keyed_main(void *arg)
{
	struct baton_stats st;
	int threads = 0;

	for (int i = 0; i < 5; i++) {
		struct keyed k = {.said = 1};

		join(spawn(end_keyed, &k));
		if (k.tid == getpid())
			continue;
		expect(baton_call(await_destructor, NULL) >= 0);
		expect_eq(baton_call(await_exit, &k.tid), ESRCH);
		expect_eq(k.said, 0);
		threads++;
	}
	expect(threads >= 4);
	expect_eq(baton_stats(&st, sizeof(st)), 0);
	expect_eq(st.adopted, threads);
	return arg;
}

/* The destructors of its thread find a thread of nobody's, which may call back. */
START_TEST(destructors)
{
	expect_eq(sem_init(&destroyed, 0, 0), 0);
	expect_eq(pthread_key_create(&key, destructor), 0);
	run_on(nprocs_list[_i], keyed_main, NULL);
}
END_TEST

static void unlock_it(void *arg)
{
	expect_eq(baton_thread_unlock(), -EINVAL);
	*(pid_t *)arg = gettid();
}

/* For pthread_create(): its lock ends with the callback, and it goes on. */
static void *adopted_thread(void *arg)
{
	pid_t first, second;

	for (int i = 0; i < 3; i++) {
		expect_eq(baton_callback(lock_it, &first), 0);
		expect_eq(baton_callback(unlock_it, &second), 0);
		expect_eq(first, gettid());
		expect_eq(second, gettid());
	}
	return arg;
}

static void make_thread(void *arg)
{
	on_thread(adopted_thread, arg);
}

static void *adopted_main(void *arg)
{
	expect(baton_call(make_thread, arg) >= 0);
	return arg;
}

START_TEST(adopted)
{
	run_on(nprocs_list[_i], adopted_main, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("retire");
	TCase *tc = test_case(s, "retire");
	int n = ARRAY_SIZE(limits);

	tcase_add_loop_test(tc, thread_ends, 0, n);
	tcase_add_loop_test(tc, never_seen, 0, n);
	tcase_add_loop_test(tc, thousand, 0, n);
	tcase_add_loop_test(tc, crowd, 0, n);
	tcase_add_loop_test(tc, main_ends, 0, n);
	tcase_add_loop_test(tc, company, 0, 4);
	tcase_add_loop_test(tc, destructors, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_loop_test(tc, adopted, 0, ARRAY_SIZE(nprocs_list));
	return suite_main(s);
}
