// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_many.c - very many fibers at once: how many there may be, what catches the
 * overflow of one, what becomes of those that there is no memory for, and of the
 * memory of those that have ended.
 *
 * The kernels that the library knows ways of their own for are had by refusing
 * system calls here.
 */
#include "ends.h"
#include "refuse.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* More than there are mappings for, where a guard takes two. */
#ifdef SANITIZED
#define MANY		20000u
#else
#define MANY		100000u
#endif
#define MILLION		1000000u

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* What a kernel does not have. */
enum { NO_MARKERS = 1, NO_UFFD };

static bool kernel_without(int what)
{
	if (what >= NO_MARKERS &&
	    !refuse(SYS_madvise, MADV_GUARD_INSTALL, EINVAL))
		return false;
	return what < NO_UFFD || refuse(SYS_userfaultfd, 0, ENOSYS);
}

static struct baton_fiber **fibers;
static size_t most;		/* to be spawned */
static size_t ended;

static void *parks(void *arg)
{
	baton_park();
	add(&ended, 1);
	return arg;
}

/* As many as there is memory for, all of them parked. */
static size_t spawn_most(void)
{
	size_t n;
	int err;

	for (n = 0; n < most; n++) {
		err = baton_spawn(&fibers[n], NULL, parks, &fibers[n]);
		if (err) {
			expect_eq(err, -ENOMEM);
			expect(strstr(baton_reason(), "memory"));
			break;
		}
	}
	for (int i = 0; i < 3; i++)
		baton_yield();
	return n;
}

static void join_most(size_t n)
{
	store(&ended, 0);
	for (size_t i = 0; i < n; i++)
		expect_eq(baton_ready(fibers[i]), 0);
	for (size_t i = 0; i < n; i++)
		expect(join(fibers[i]) == &fibers[i]);
	expect_eq(ended, n);
}

static long kib_of(const char *path, const char *what)
{
	FILE *f = fopen(path, "re");
	char line[128];
	long n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, what, strlen(what)))
			n = atol(line + strlen(what) + 1);
	if (f)
		fclose(f);
	return n;
}

static long kib(const char *what)
{
	return kib_of("/proc/self/status", what);
}

/* Parked, all of them at once; and once more, on the same stacks. */
static void *all_main(void *arg)
{
	long rss = kib("VmRSS"), tables = kib("VmPTE");

	expect_eq(spawn_most(), most);
	rss = kib("VmRSS") - rss;
	tables = kib("VmPTE") - tables;
	printf("# %zu fibers: %ld bytes each, %ld of page tables\n", most,
	       (rss + tables) * 1024 / (long)most,
	       tables * 1024 / (long)most);
	join_most(most);
	expect_eq(spawn_most(), most);
	join_most(most);
	return arg;
}

static void run_many(size_t n, baton_fn fn)
{
	most = n;
	fibers = calloc(n, sizeof(struct baton_fiber *));
	expect(fibers);
	run_on(2, fn, NULL);
	free(fibers);
}

START_TEST(parked)
{
	NOT_UNDER_TSAN("parked");
	if (!kernel_without(_i)) {
		skip("parked", "no seccomp");
		return;
	}
	run_many(sizeof(void *) < 8 ? MANY / 10 : MANY, all_main);
}
END_TEST

/*
 * They take 4.3 GB for a moment, so only if they are asked for:
 * BATON_TEST_MILLION=1 BATON_TEST_TIMEOUT=300 build/selftests/lib/t_many
 */
START_TEST(million)
{
	if (!env_number("BATON_TEST_MILLION", 0))
		skip("million", "no BATON_TEST_MILLION");
	else if (!kernel_without(_i))
		skip("million", "no seccomp");
	else
		run_many(MILLION, all_main);
}
END_TEST

/* --- overflow ------------------------------------------------------------- */

/* By less than a page. */
static __attribute__((noinline)) void *writes_below(void *arg)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

	/* The first page of 16 is this one's. */
	*(volatile char *)((sp & ~(uintptr_t)4095) - 15 * 4096 - 64) = 1;
	return arg;
}

static void *overflow_main(void *arg)
{
	(void)arg;
	fibers = calloc(MANY, sizeof(struct baton_fiber *));
	most = MANY;
	if (spawn_most() == most)
		join(spawn(writes_below, NULL));
	return NULL;
}

static bool write_guards(void)
{
	int fd = (int)syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);

	if (fd >= 0)
		close(fd);
#ifdef __x86_64__
	return fd >= 0;
#else
	return false;
#endif
}

/* The last of many has a guard of another kind than the first. */
START_TEST(overflow)
{
	static const struct end at_once = {
		overflow_main, "bytes are not enough\nin the code of fiber",
	}, late = {
		overflow_main, ", which has ended: ",
	};

	NOT_UNDER_TSAN("overflow");
	if (sysconf(_SC_PAGESIZE) != 4096 || !kernel_without(_i))
		skip("overflow", "another size of page, or no seccomp");
	else if (_i == NO_UFFD || (_i == NO_MARKERS && !write_guards()))
		ends_clearly_as(&late);
	else
		ends_clearly_as(&at_once);
}
END_TEST

/* --- memory is given back --------------------------------------------------- */

#define BURST		2000u

static __attribute__((noinline)) void touch(void)
{
	volatile char room[8 << 10];

	for (size_t i = 0; i < sizeof(room); i += 512)
		room[i] = 1;
}

static size_t touched;

static void *touches(void *arg)
{
	touch();
	add(&touched, 1);
	baton_park();
	return arg;
}

static void sleep_10_ms(void *arg)
{
	(void)arg;
	usleep(10000);
}

/*
 * Every other one with a stack of its own size. KiB of memory while they are
 * all there: as soon as one has ended its stack may be given back.
 */
static long burst(void)
{
	struct baton_attr *attr;
	long rss;

	expect_eq(baton_attr_create(&attr), 0);
	expect_eq(baton_attr_set_stack_size(attr, 20000), 0);
	store(&touched, 0);
	for (size_t i = 0; i < BURST; i++)
		expect_eq(baton_spawn(&fibers[i], i % 2 ? attr : NULL, touches,
				      &fibers[i]), 0);
	while (load(&touched) < BURST)
		baton_yield();
	rss = kib("VmRSS");
	for (size_t i = 0; i < BURST; i++)
		expect_eq(baton_ready(fibers[i]), 0);
	for (size_t i = 0; i < BURST; i++)
		expect(join(fibers[i]) == &fibers[i]);
	baton_attr_destroy(attr);
	return rss;
}

/* Does the handle lead to a page that is in memory? */
static bool in_memory(const struct baton_fiber *f)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	unsigned char in;

	expect_eq(mincore((void *)((uintptr_t)f & ~(page - 1)), 1, &in), 0);
	return in & 1;
}

static size_t resident(void)
{
	size_t n = 0;

	for (size_t i = 0; i < BURST; i++)
		n += in_memory(fibers[i]);
	return n;
}

/* A sanitizer has memory of its own for each. */
static bool is_back(long before, long used)
{
#ifdef SANITIZED
	(void)before;
	(void)used;
#else
	if (kib("VmRSS") - before > used / 4)
		return false;
#endif
	return resident() <= BURST / 4;
}

/* While the scheduler runs on; and the handles are as void as before. */
static void *given_back_main(void *arg)
{
	long before = kib("VmRSS"), used;

	for (int round = 0; round < 3; round++) {
		used = burst() - before;
		expect(used > (long)BURST * 8);
		while (!is_back(before, used))
			expect_eq(baton_call(sleep_10_ms, NULL), 0);
		for (size_t i = 0; i < BURST; i++) {
			expect_eq(baton_join(fibers[i], NULL), -EINVAL);
			expect_eq(baton_detach(fibers[i]), -EINVAL);
			expect_eq(baton_ready(fibers[i]), -EINVAL);
		}
	}
	return arg;
}

static void *ends(void *arg)
{
	return arg;
}

/* No other was free before it, nor is while it is given back. */
static void *lone_main(void *arg)
{
	struct baton_fiber *f = spawn(ends, NULL);

	baton_yield();
	expect_eq(baton_detach(f), 0);
	while (in_memory(f))
		expect_eq(baton_call(sleep_10_ms, NULL), 0);
	return arg;
}

START_TEST(lone)
{
	struct baton_config *cfg;

	NOT_UNDER_TSAN("lone");
	expect_eq(baton_config_create(&cfg), 0);
	expect_eq(baton_config_set_nprocs(cfg, 1), 0);
	expect_eq(baton_config_set_stack_keep(cfg, 20), 0);
	expect_eq(baton_run(cfg, lone_main, NULL, NULL), 0);
	baton_config_destroy(cfg);
}
END_TEST

START_TEST(given_back)
{
	struct baton_config *cfg;

	NOT_UNDER_TSAN("given_back");
	if (!kernel_without(_i)) {
		skip("given_back", "no seccomp");
		return;
	}
	fibers = calloc(BURST, sizeof(struct baton_fiber *));
	expect_eq(baton_config_create(&cfg), 0);
	expect_eq(baton_config_set_nprocs(cfg, 2), 0);
	expect_eq(baton_config_set_stack_keep(cfg, 100), 0);
	expect_eq(baton_run(cfg, given_back_main, NULL, NULL), 0);
	baton_config_destroy(cfg);
	free(fibers);
}
END_TEST

/* --- no memory ------------------------------------------------------------- */

/*
 * All that there is is used, and comes back. A thread that the library starts
 * meanwhile takes some of it.
 */
static void use_all(size_t least)
{
	size_t n = spawn_most();

	printf("# %zu fibers\n", n);
	expect(n >= least && n < most);
	join_most(n);
	for (int i = 0; i < 3; i++) {
		size_t again = spawn_most();

		expect(again > n / 2);
		join_most(again);
	}
}

static void *limited_main(void *arg)
{
	struct rlimit old, new;

	expect_eq(getrlimit(RLIMIT_AS, &old), 0);
	new = old;
	new.rlim_cur = (rlim_t)(kib("VmSize") + (128 << 10)) << 10;
	expect_eq(setrlimit(RLIMIT_AS, &new), 0);
	use_all(300);
	expect_eq(setrlimit(RLIMIT_AS, &old), 0);
	expect_eq(spawn_most(), most);
	join_most(most);
	return arg;
}

START_TEST(limited)
{
#ifdef SANITIZED
	const bool sanitized = true;
#else
	const bool sanitized = false;
#endif

	if (sanitized)
		skip("limited", "a sanitizer needs address space itself");
	else
		run_many(5000, limited_main);
}
END_TEST

/*
 * The same where the kernel promises no more memory than there is. All of the
 * machine has to do with that, so the machine is one for tests.
 */

#define OVERCOMMIT "/proc/sys/vm/overcommit_"

static void put_number(const char *path, long n)
{
	FILE *f = fopen(path, "we");

	expect(f);
	expect(fprintf(f, "%ld", n) > 0);
	expect_eq(fclose(f), 0);
}

static void *overcommitted_main(void *arg)
{
	put_number(OVERCOMMIT "kbytes",
		   kib_of("/proc/meminfo", "Committed_AS") + (128 << 10));
	put_number(OVERCOMMIT "memory", 2);
	use_all(300);
	put_number(OVERCOMMIT "memory", 0);
	expect_eq(spawn_most(), most);
	join_most(most);
	return arg;
}

/* Of memory that malloc() has already, for what libcheck notes meanwhile. */
static void keep_some(void)
{
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 8 << 20);
	free(malloc(64 << 10));
#endif
}

START_TEST(overcommitted)
{
	if (!getenv("BATON_VM")) {
		skip("overcommitted", "it would be all of this machine's");
		return;
	}
	keep_some();
	run_many(5000, overcommitted_main);
}
END_TEST

/* However the test has ended. */
static void overcommit_again(void)
{
	if (getenv("BATON_VM"))
		put_number(OVERCOMMIT "memory", 0);
}

int main(void)
{
	Suite *s = suite_create("many");
	TCase *tc = test_case(s, "overcommitted");

	tcase_add_unchecked_fixture(tc, NULL, overcommit_again);
	tcase_add_test(tc, overcommitted);
	tc = test_case(s, "many");

	tcase_add_loop_test(tc, parked, 0, NO_UFFD + 1);
	tcase_add_loop_test(tc, overflow, 0, NO_UFFD + 1);
	tcase_add_test(tc, lone);
	tcase_add_loop_test(tc, given_back, 0, NO_UFFD + 1);
	tcase_add_test(tc, limited);
	tcase_add_loop_test(tc, million, 0, NO_UFFD + 1);
	return suite_main(s);
}
