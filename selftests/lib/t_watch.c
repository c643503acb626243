// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_watch.c - the watcher: it rests while there is nothing to do, and is there
 * when there is.
 */
#include "common.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>

static void sleep_ms(void *arg)
{
	struct timespec ts = { .tv_nsec = (intptr_t)arg * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Context switches of thread @tid of its own will, so far. */
static unsigned long switches(const char *tid)
{
	char path[300], line[128];
	unsigned long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %lu", &n);
	if (f)
		fclose(f);
	return n;
}

/* Of all threads but the calling one. */
static unsigned long all_switches(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned long n = 0;
	struct dirent *e;

	expect(dir);
	while ((e = readdir(dir)))
		if (atoi(e->d_name) && atoi(e->d_name) != gettid())
			n += switches(e->d_name);
	closedir(dir);
	return n;
}

/* Of others, while @pass runs; those of a thread that ends then are lost. */
static long switches_in(void (*pass)(void *), void *arg)
{
	unsigned long before = all_switches();

	pass(arg);
	return (long)(all_switches() - before);
}

/* Few, sooner or later: on a busy machine it takes a while until they rest. */
#define FEW	5
#define TRIES	20

static bool come_to_rest(void (*pass)(void *), void *arg)
{
	for (int i = 0; i < TRIES; i++)
		if (switches_in(pass, arg) <= FEW)
			return true;
	return false;
}

/* In a foreign call that blocks: do others sleep meanwhile? */
static void await_rest(void *arg)
{
	sleep_ms((void *)300);
	*(bool *)arg = come_to_rest(sleep_ms, (void *)700);
}

static void *ends(void *arg)
{
	return arg;
}

/* Also when there were stacks to give back. */
static void *rests_main(void *arg)
{
	static struct baton_fiber *f[1000];
	bool rest = false;

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(ends, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	expect(baton_call(await_rest, &rest) >= 0);
	expect(rest);
	return arg;
}

START_TEST(rests)
{
	setenv("BATON_STACK_KEEP_MS", "40", 1);
	run_on(nprocs_list[_i], rests_main, NULL);
}
END_TEST

/* --- threads that are not needed --------------------------------------------- */

static unsigned int tasks(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;
	struct dirent *e;

	expect(dir);
	while ((e = readdir(dir)))
		n += atoi(e->d_name) != 0;
	closedir(dir);
	return n;
}

struct burst {
	sem_t go;
	int blocked;
	unsigned int few;
};

static void block(void *arg)
{
	struct burst *b = arg;

	add(&b->blocked, 1);
	while (sem_wait(&b->go))
		;
}

static void *blocks(void *arg)
{
	expect(baton_call(block, arg) >= 0);
	return arg;
}

static void await_few(void *arg)
{
	struct burst *b = arg;

	while (tasks() > b->few + tier_threads())
		sleep_ms((void *)5);
	/* And there they stay, ready for what comes. */
	sleep_ms((void *)60);
	expect(tasks() >= b->few - 2);
}

/* Each of @f blocks in a thread of its own. */
static void *burst_main(void *arg)
{
	static struct baton_fiber *f[200];
	struct burst *b = arg;
	int n = (int)scaled(ARRAY_SIZE(f) - 20) + 20;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < n; i++)
			f[i] = spawn(blocks, b);
		while (load(&b->blocked) < n)
			baton_yield();
		expect((int)tasks() > n);
		store(&b->blocked, 0);
		for (int i = 0; i < n; i++)
			sem_post(&b->go);
		for (int i = 0; i < n; i++)
			join(f[i]);
		expect(baton_call(await_few, b) >= 0);
	}
	return arg;
}

/* One for each processor, one more, this one, the watcher; and a sanitizer's two. */
START_TEST(idle_threads_end)
{
	static struct burst b;

	b.few = nprocs_list[_i] + 5;
	sem_init(&b.go, 0, 0);
	setenv("BATON_WORKER_KEEP_MS", "20", 1);
	run_on(nprocs_list[_i], burst_main, &b);
}
END_TEST

/* --- a fiber that is queued meanwhile ----------------------------------------- */

static int ran;

static void *run_flag(void *arg)
{
	store(&ran, 1);
	return arg;
}

/* A thread that is none of the library's, while the monitor rests. */
static void *spawn_late(void *arg)
{
	sleep_ms((void *)400);
	spawn(run_flag, NULL);
	return arg;
}

static void until_ran(void *arg)
{
	pthread_t thread;

	expect_eq(pthread_create(&thread, NULL, spawn_late, arg), 0);
	while (!load(&ran))
		sleep_ms((void *)1);
	pthread_join(thread, NULL);
}

static void *late_main(void *arg)
{
	expect(baton_call(until_ran, NULL) >= 0);
	return arg;
}

/* It hears of a fiber that comes while it rests. */
START_TEST(hears)
{
	run_on(1, late_main, NULL);
}
END_TEST

static void nothing(void *arg)
{
	(void)arg;
}

/* Some microseconds: a look sees it now and then, though never twice. */
static void brief(void *arg)
{
	volatile int n = 2000;

	(void)arg;
	while (n)
		n--;
}

static void *short_calls_main(void *arg)
{
	struct baton_fiber *f = spawn(run_flag, NULL);

	/* None of these calls lasts until the monitor's second look. */
	while (!load(&ran))
		baton_call(brief, NULL);
	join(f);
	return arg;
}

START_TEST(short_calls)
{
	run_on(1, short_calls_main, NULL);
}
END_TEST

struct caller {
	bool rest;
	sem_t done;
};

/* Callbacks with pauses between them: none of them wakes anybody. */
static void call_back_sparsely(void *arg)
{
	for (int i = 0; i < 30; i++) {
		expect_eq(baton_callback(nothing, arg), 0);
		sleep_ms((void *)10);
	}
}

static void *sparse_caller(void *arg)
{
	struct caller *c = arg;

	call_back_sparsely(NULL);
	c->rest = come_to_rest(call_back_sparsely, NULL);
	sem_post(&c->done);
	return NULL;
}

static void wait_for_caller(void *arg)
{
	struct caller *c = arg;
	pthread_t thread;

	expect_eq(pthread_create(&thread, NULL, sparse_caller, c), 0);
	while (sem_wait(&c->done))
		;
	pthread_join(thread, NULL);
}

static void *sparse_main(void *arg)
{
	struct caller c = { 0 };

	sem_init(&c.done, 0, 0);
	expect(baton_call(wait_for_caller, &c) >= 0);
	expect(c.rest);
	sem_destroy(&c.done);
	return arg;
}

START_TEST(sparse_callbacks)
{
	run_on(2, sparse_main, NULL);
}
END_TEST

/* A sanitizer has a thread of its own. */
#ifdef SANITIZED
static const bool quiet;
#else
static const bool quiet = true;
#endif

int main(void)
{
	Suite *s = suite_create("watch");
	TCase *tc = test_case(s, "watch");

	if (under_qemu_user() || !quiet) {
		skip("rests", "others wake up, or there is no membarrier()");
		skip("sparse_callbacks", "as rests");
	} else {
		tcase_add_loop_test(tc, rests, 0, ARRAY_SIZE(nprocs_list));
		tcase_add_test(tc, sparse_callbacks);
	}
	tcase_add_loop_test(tc, idle_threads_end, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, hears);
	if (tier_is_kmod())
		skip("short_calls", "the module takes from who blocks alone");
	else
		tcase_add_test(tc, short_calls);
	return suite_main(s);
}
