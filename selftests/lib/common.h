/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * common.h - what the library's tests share.
 *
 * libcheck forks for every test, so each has a process and a scheduler of its
 * own. Its ck_assert() writes to a pipe each time; expect() only if it fails,
 * and may thus be used in inner loops, from fibers and any thread.
 */
#ifndef SELFTESTS_LIB_COMMON_H
#define SELFTESTS_LIB_COMMON_H

#include <baton/baton.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define expect(cond) do {						\
	if (!(cond))							\
		ck_abort_msg("%s: not so", #cond);			\
} while (0)

#define expect_eq(a, b) do {						\
	long long __a = (long long)(a), __b = (long long)(b);		\
									\
	if (__a != __b)							\
		ck_abort_msg("%s is %lld, not %s, %lld", #a, __a,	\
			     #b, __b);					\
} while (0)

/* What gcc defines by itself. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const unsigned int nprocs_list[] = { 1, 2, 4 };

#define load(p)		__atomic_load_n(p, __ATOMIC_SEQ_CST)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define add(p, v)	__atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)

static inline unsigned long env_number(const char *name, unsigned long unset)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : unset;
}

/* @n rounds here, fewer where everything takes longer. */
static inline unsigned int scaled(unsigned int n)
{
	n /= (unsigned int)env_number("BATON_TEST_SCALE", 1);
	return n ? n : 1;
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A small generator with a state of the caller's: xorshift. */
static inline uint32_t random_next(uint32_t *state)
{
	uint32_t x = *state ? *state : 1;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

static inline uint32_t random_seed(void)
{
	uint32_t seed = (uint32_t)env_number("BATON_TEST_SEED",
					     now_ns() & 0xffffffff);

	printf("# BATON_TEST_SEED=%u\n", seed);
	fflush(stdout);
	return seed;
}

/* Run @fn with @nprocs processors, at most @workers threads (0: default). */
static inline void *run_with(unsigned int nprocs, unsigned int workers,
			     baton_fn fn, void *arg)
{
	struct baton_config *cfg;
	void *result = NULL;
	int err;

	expect_eq(baton_config_create(&cfg), 0);
	expect_eq(baton_config_set_nprocs(cfg, nprocs), 0);
	expect_eq(baton_config_set_max_workers(cfg, workers), 0);
	err = baton_run(cfg, fn, arg, &result);
	if (err)
		ck_abort_msg("baton_run: %s: %s", strerror(-err),
			     baton_reason());
	baton_config_destroy(cfg);
	return result;
}

static inline void *run_on(unsigned int nprocs, baton_fn fn, void *arg)
{
	return run_with(nprocs, 0, fn, arg);
}

/*
 * The same on one processor where the test looks at the order in which fibers
 * run, or has one wait by yielding to it. One processor is not enough for that:
 * a page fault or a pthread_create() that waits for a lock in the kernel would
 * hand it to the next fiber, in the midst of what the first is about to do.
 */
static inline void *run_in_order(baton_fn fn, void *arg)
{
	void *result;

	expect(!setenv("BATON_HANDOFF", "off", 1));
	result = run_on(1, fn, arg);
	expect(!unsetenv("BATON_HANDOFF"));
	return result;
}

static inline struct baton_fiber *spawn(baton_fn fn, void *arg)
{
	struct baton_fiber *f;

	expect_eq(baton_spawn(&f, NULL, fn, arg), 0);
	return f;
}

static inline void *join(struct baton_fiber *f)
{
	void *result;

	expect_eq(baton_join(f, &result), 0);
	return result;
}

/* From a fiber: until another one has stored a value there. */
static inline void yield_until(int *flag)
{
	while (!load(flag))
		expect_eq(baton_yield(), 0);
}

/* For spawn(): ends once there is a value at @arg. */
static inline void *wait_flag(void *arg)
{
	yield_until(arg);
	return arg;
}

static inline void skip(const char *name, const char *why)
{
	printf("# SKIP %s: %s\n", name, why);
	fflush(stdout);
}

/*
 * At the top of a test that ThreadSanitizer's own limits or threads are in the
 * way of: it has 8,128 fibers at most, and pthread_exit() on one ends it.
 */
#ifdef __SANITIZE_THREAD__
#define NOT_UNDER_TSAN(name) do {					\
	skip(name, "under ThreadSanitizer");				\
	return;								\
} while (0)
#else
#define NOT_UNDER_TSAN(name) do { } while (0)
#endif

/* Does valgrind run this? It loads a library of its own name into it. */
static inline bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* One of which the C library does not know: vm/shadow/preload.c. */
static inline bool on_shadow_stack(void)
{
	return getenv("BATON_SHADOW");
}

/* A process of qemu's runs this one's code. */
static inline bool under_qemu_user(void)
{
	const char *emulator = getenv("BATON_EMULATOR");

	return emulator && !strncmp(emulator, "qemu-", 5);
}

/* Is the module what the tests of this run are about? */
static inline bool tier_is_kmod(void)
{
	const char *tier = getenv("BATON_TIER");

	if (tier && *tier && strcmp(tier, "auto"))
		return !strcmp(tier, "kmod");
	return !access("/dev/baton", R_OK | W_OK);
}

/* Are they about the tier that the environment names? */
static inline bool tier_is_idle(void)
{
	const char *tier = getenv("BATON_TIER");

	return tier && !strcmp(tier, "idle");
}

/* Does the tier of this run see who blocks in fiber code? */
static inline bool tier_sees_fibers(void)
{
	return tier_is_kmod() || tier_is_idle();
}

/* How many threads the tier may have of its own. */
static inline unsigned int tier_threads(void)
{
	const char *tier = getenv("BATON_TIER");

	return tier_is_kmod() || (tier && !strcmp(tier, "poll")) ? 0 :
		(unsigned int)sysconf(_SC_NPROCESSORS_CONF);
}

/* A thread that is none of the scheduler's runs @fn(@arg): waits for it, as a
 * thread does. */
static inline void on_thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	expect_eq(pthread_create(&t, NULL, fn, arg), 0);
	expect_eq(pthread_join(t, NULL), 0);
}

/* How a child has ended, once it has */
static inline int child_status(pid_t pid)
{
	int status;

	expect_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static inline TCase *test_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	/* What hangs is to end; what is slow on a busy machine is not. */
	tcase_set_timeout(tc, (double)env_number("BATON_TEST_TIMEOUT", 150));
	suite_add_tcase(s, tc);
	return tc;
}

/* The end of main(). Speaks TAP. */
static inline int suite_main(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	unsetenv("BATON_NPROCS");
	unsetenv("BATON_MAX_WORKERS");
	unsetenv("BATON_STACK_SIZE");
	unsetenv("BATON_TIMER_SLACK");
	unsetenv("BATON_STACK_KEEP_MS");
	unsetenv("BATON_WORKER_KEEP_MS");
	unsetenv("BATON_SLICE");
	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif /* SELFTESTS_LIB_COMMON_H */
