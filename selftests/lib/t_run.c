// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_run.c - start and stop, options, environment, what is refused outside. */
#include "common.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

static void *nothing(void *arg)
{
	return arg;
}

static void *get_nprocs(void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)baton_nprocs();
}

/* --- options ----------------------------------------------------------- */

static struct baton_config *config(void)
{
	struct baton_config *cfg;

	expect_eq(baton_config_create(&cfg), 0);
	return cfg;
}

static void refused(int err, int expected)
{
	expect_eq(err, expected);
	expect(*baton_reason());
}

START_TEST(config_nprocs)
{
	struct baton_config *cfg = config();

	expect(!*baton_reason());
	refused(baton_config_create(NULL), -EINVAL);
	expect_eq(baton_config_set_nprocs(cfg, 0), 0);
	expect_eq(baton_config_set_nprocs(cfg, 1), 0);
	expect_eq(baton_config_set_nprocs(cfg, 256), 0);
	refused(baton_config_set_nprocs(cfg, 257), -EINVAL);
	refused(baton_config_set_nprocs(cfg, UINT32_MAX), -EINVAL);
	/* What is refused changes nothing. */
	expect_eq(baton_config_set_nprocs(cfg, 3), 0);
	refused(baton_config_set_nprocs(cfg, 257), -EINVAL);
	void *n;
	expect_eq(baton_run(cfg, get_nprocs, NULL, &n), 0);
	expect_eq((uintptr_t)n, 3);
	baton_config_destroy(cfg);
}
END_TEST

START_TEST(config_max_workers)
{
	struct baton_config *cfg = config();

	expect_eq(baton_config_set_max_workers(cfg, 0), 0);
	expect_eq(baton_config_set_max_workers(cfg, 1), 0);
	expect_eq(baton_config_set_max_workers(cfg, 16384), 0);
	refused(baton_config_set_max_workers(cfg, 16385), -EINVAL);
	baton_config_destroy(cfg);
}
END_TEST

START_TEST(config_stack_size)
{
	struct baton_config *cfg = config();
	struct baton_attr *attr;

	refused(baton_attr_create(NULL), -EINVAL);
	expect_eq(baton_attr_create(&attr), 0);
	for (int i = 0; i < 2; i++) {
		expect_eq(baton_config_set_stack_size(cfg, 0), 0);
		expect_eq(baton_config_set_stack_size(cfg, 16384), 0);
		expect_eq(baton_config_set_stack_size(cfg, 16385), 0);
		expect_eq(baton_config_set_stack_size(cfg, 1 << 30), 0);
	}
	refused(baton_config_set_stack_size(cfg, 1), -EINVAL);
	refused(baton_config_set_stack_size(cfg, 16383), -EINVAL);
	refused(baton_config_set_stack_size(cfg, (1 << 30) + 1), -EINVAL);
	refused(baton_config_set_stack_size(cfg, SIZE_MAX), -EINVAL);
	expect_eq(baton_attr_set_stack_size(attr, 0), 0);
	expect_eq(baton_attr_set_stack_size(attr, 16384), 0);
	expect_eq(baton_attr_set_stack_size(attr, 1 << 30), 0);
	refused(baton_attr_set_stack_size(attr, 16383), -EINVAL);
	refused(baton_attr_set_stack_size(attr, (1 << 30) + 1), -EINVAL);
	baton_attr_destroy(attr);
	baton_attr_destroy(NULL);
	baton_config_destroy(cfg);
	baton_config_destroy(NULL);
}
END_TEST

/* The slack of each thread of the process; how many have @slack. -1: secret. */
static int count_slack(unsigned long slack)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *d;
	int count = 0;

	expect(tasks);
	while ((d = readdir(tasks)) && count >= 0) {
		char path[sizeof(d->d_name) + 32];
		unsigned long ns;
		FILE *f;

		if (*d->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/timerslack_ns",
			 d->d_name);
		f = fopen(path, "r");
		if (!f || fscanf(f, "%lu", &ns) != 1)
			count = -1;
		else
			count += ns == slack;
		if (f)
			fclose(f);
	}
	closedir(tasks);
	return count;
}

/*
 * The watcher's slack is what was asked for, and no other thread's: a worker has
 * it only until it has begun.
 */
static void *await_slack(void *arg)
{
	unsigned long slack = *(unsigned long *)arg;
	int count;

	while ((count = count_slack(slack)) >= 0 && count != 1)
		baton_yield();
	if (count < 0)
		skip("timer slack", "/proc does not tell that of other threads");
	return arg;
}

START_TEST(config_timer_slack)
{
	struct baton_config *cfg = config();
	unsigned long slack = 777777;

	expect_eq(baton_config_set_timer_slack(cfg, 0), 0);
	expect_eq(baton_config_set_timer_slack(cfg, 1000000000), 0);
	refused(baton_config_set_timer_slack(cfg, 1000000001), -EINVAL);
	refused(baton_config_set_timer_slack(cfg, ULONG_MAX), -EINVAL);
	expect_eq(baton_config_set_timer_slack(cfg, slack), 0);
	expect_eq(baton_run(cfg, await_slack, &slack, NULL), 0);
	slack = 1;
	expect_eq(baton_config_set_timer_slack(cfg, 0), 0);
	expect_eq(baton_run(cfg, await_slack, &slack, NULL), 0);
	setenv("BATON_TIMER_SLACK", "888888", 1);
	slack = 888888;
	expect_eq(baton_run(cfg, await_slack, &slack, NULL), 0);
	baton_config_destroy(cfg);
}
END_TEST

START_TEST(config_tier)
{
	struct baton_config *cfg = config();

	expect_eq(baton_config_set_tier(cfg, BATON_TIER_AUTO), 0);
	expect_eq(baton_config_set_tier(cfg, BATON_TIER_POLL), 0);
	expect_eq(baton_config_set_tier(cfg, BATON_TIER_KMOD), 0);
	expect_eq(baton_config_set_tier(cfg, BATON_TIER_IDLE), 0);
	refused(baton_config_set_tier(cfg, (enum baton_tier)4), -EINVAL);
	refused(baton_config_set_tier(cfg, (enum baton_tier)-1), -EINVAL);
	baton_config_destroy(cfg);
}
END_TEST

START_TEST(tier_names)
{
	ck_assert_str_eq(baton_tier_name(BATON_TIER_AUTO), "auto");
	ck_assert_str_eq(baton_tier_name(BATON_TIER_POLL), "poll");
	ck_assert_str_eq(baton_tier_name(BATON_TIER_IDLE), "idle");
	ck_assert_str_eq(baton_tier_name(BATON_TIER_KMOD), "kmod");
	expect(!baton_tier_name((enum baton_tier)4));
	expect(!baton_tier_name((enum baton_tier)-1));
}
END_TEST

/* --- environment ------------------------------------------------------- */

START_TEST(env_good)
{
	static const struct { const char *text; unsigned int n; } good[] = {
		{ "1", 1 }, { "5", 5 }, { "0x10", 16 }, { "256", 256 },
	};
	struct baton_config *cfg = config();

	expect_eq(baton_config_set_nprocs(cfg, 2), 0);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		void *n;

		setenv("BATON_NPROCS", good[i].text, 1);
		expect_eq(baton_run(cfg, get_nprocs, NULL, &n), 0);
		expect_eq((uintptr_t)n, good[i].n);
	}
	baton_config_destroy(cfg);
}
END_TEST

/* An empty variable is as good as none. */
START_TEST(env_empty)
{
	struct baton_config *cfg = config();
	void *n;

	setenv("BATON_NPROCS", "", 1);
	setenv("BATON_MAX_WORKERS", "", 1);
	setenv("BATON_STACK_SIZE", "", 1);
	expect_eq(baton_config_set_nprocs(cfg, 2), 0);
	expect_eq(baton_run(cfg, get_nprocs, NULL, &n), 0);
	expect_eq((uintptr_t)n, 2);
	baton_config_destroy(cfg);
}
END_TEST

static const struct { const char *name, *text; } env_wrong[] = {
	{ "BATON_NPROCS", "257" },
	{ "BATON_NPROCS", "-1" },
	{ "BATON_NPROCS", "two" },
	{ "BATON_NPROCS", "2x" },
	{ "BATON_NPROCS", "4294967297" },
	{ "BATON_NPROCS", "99999999999999999999999" },
	{ "BATON_MAX_WORKERS", "16385" },
	{ "BATON_MAX_WORKERS", "-5" },
	{ "BATON_MAX_WORKERS", "4294967298" },
	{ "BATON_MAX_WORKERS", "many" },
	{ "BATON_STACK_SIZE", "1" },
	{ "BATON_STACK_SIZE", "64K" },
	{ "BATON_STACK_SIZE", "1073741825" },
	{ "BATON_STACK_SIZE", "-65536" },
	{ "BATON_STACK_KEEP_MS", "1s" },
	{ "BATON_STACK_KEEP_MS", "4294967296" },
	{ "BATON_WORKER_KEEP_MS", "1s" },
	{ "BATON_TIMER_SLACK", "1000000001" },
	{ "BATON_TIMER_SLACK", "-1" },
	{ "BATON_TIMER_SLACK", "1us" },
	{ "BATON_TIER", "perf" },
	{ "BATON_TIER", "kernel" },
	{ "BATON_TIER", "POLL" },
	{ "BATON_TIER", "3" },
	{ "BATON_DEADLOCK", "warn" },
	{ "BATON_DEADLOCK", "1" },
	{ "BATON_DUMP", "SIGSEGV" },
	{ "BATON_DUMP", "3" },
};

START_TEST(env_bad)
{
	setenv(env_wrong[_i].name, env_wrong[_i].text, 1);
	refused(baton_run(NULL, nothing, NULL, NULL), -EINVAL);
	/* It says which one it was. */
	expect(strstr(baton_reason(), env_wrong[_i].name) ||
	       strstr(baton_reason(), env_wrong[_i].text));
}
END_TEST

static void *check_workers_max(void *arg)
{
	struct baton_stats st;

	(void)arg;
	expect_eq(baton_stats(&st, sizeof(st)), 0);
	expect(st.workers <= 1);
	return NULL;
}

START_TEST(env_max_workers)
{
	setenv("BATON_MAX_WORKERS", "1", 1);
	run_with(1, 8, check_workers_max, NULL);
}
END_TEST

static void *deep(void *arg)
{
	volatile char room[900 << 10];

	(void)arg;
	for (size_t i = sizeof(room); i > 0; i -= 1024)
		room[i - 1] = (char)i;
	return (void *)(uintptr_t)(room[1023] == 0 ? 1 : 2);
}

START_TEST(env_stack_size)
{
	setenv("BATON_STACK_SIZE", "1048576", 1);
	expect(run_on(1, deep, NULL));
}
END_TEST

static void *get_tier(void *arg)
{
	const char *why = "unset";
	enum baton_tier tier = baton_tier(&why);

	expect(tier == baton_tier(NULL));
	expect(why && strcmp(why, "unset"));
	/* There is a reason exactly if there is a better one. */
	expect(!*why == (tier == BATON_TIER_KMOD));
	*(enum baton_tier *)arg = tier;
	return NULL;
}

START_TEST(tier_in_use)
{
	struct baton_config *cfg = config();
	enum baton_tier tier = BATON_TIER_AUTO;

	run_on(1, get_tier, &tier);
	if (tier_is_kmod())
		expect_eq(tier, BATON_TIER_KMOD);
	else if (tier_is_idle())
		expect_eq(tier, BATON_TIER_IDLE);
	else
		expect(tier == BATON_TIER_POLL || !getenv("BATON_TIER"));
	/* The environment has the last word. */
	setenv("BATON_TIER", "poll", 1);
	expect_eq(baton_config_set_tier(cfg, BATON_TIER_KMOD), 0);
	expect_eq(baton_run(cfg, get_tier, &tier, NULL), 0);
	expect_eq(tier, BATON_TIER_POLL);
	expect_eq(baton_tier(NULL), BATON_TIER_AUTO);
	baton_config_destroy(cfg);
}
END_TEST

START_TEST(tier_missing)
{
	struct baton_config *cfg = config();

	unsetenv("BATON_TIER");
	expect_eq(baton_config_set_tier(cfg, BATON_TIER_KMOD), 0);
	expect(baton_run(cfg, nothing, NULL, NULL) < 0);
	expect(strstr(baton_reason(), "/dev/baton"));
	/* Not insisted on, it is not missed. */
	expect_eq(baton_config_set_tier(cfg, BATON_TIER_AUTO), 0);
	expect_eq(baton_run(cfg, nothing, NULL, NULL), 0);
	baton_config_destroy(cfg);
}
END_TEST

START_TEST(affinity)
{
	cpu_set_t all, one;
	unsigned int n;

	expect_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	n = (unsigned int)(uintptr_t)run_on(0, get_nprocs, NULL);
	expect(n >= 1 && n <= (unsigned int)CPU_COUNT(&all));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		expect_eq(sched_setaffinity(0, sizeof(one), &one), 0);
		expect_eq((uintptr_t)run_on(0, get_nprocs, NULL), 1);
	}
}
END_TEST

/* --- run --------------------------------------------------------------- */

START_TEST(result)
{
	int x;
	void *r = NULL;

	expect_eq(baton_run(NULL, nothing, &x, &r), 0);
	expect(r == &x);
	expect_eq(baton_run(NULL, nothing, &x, NULL), 0);
	refused(baton_run(NULL, NULL, NULL, NULL), -EINVAL);
}
END_TEST

static void again(void *arg)
{
	*(int *)arg = baton_run(NULL, nothing, NULL, NULL);
}

static void *run_inside(void *arg)
{
	int err = 0;

	refused(baton_run(NULL, nothing, NULL, NULL), -EBUSY);
	expect(baton_call(again, &err) >= 0);
	expect_eq(err, -EBUSY);
	return arg;
}

START_TEST(run_in_run)
{
	run_on(2, run_inside, NULL);
	expect_eq(baton_run(NULL, nothing, NULL, NULL), 0);
}
END_TEST

static void *count_one(void *arg)
{
	add((int *)arg, 1);
	return NULL;
}

static void *spawn_ten(void *arg)
{
	struct baton_fiber *f[10];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(count_one, arg);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return NULL;
}

static unsigned int threads(void)
{
	char line[256];
	unsigned int n = 0;
	FILE *f = fopen("/proc/self/status", "re");

	expect(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %u", &n) == 1)
			break;
	fclose(f);
	return n;
}

/*
 * One that was joined is to be seen there for a moment longer. @before: how many
 * there were; an emulator may have some of its own.
 */
static void expect_threads(unsigned int before)
{
	while (threads() != before)
		sched_yield();
}

static unsigned int files(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(run_often)
{
	unsigned int rounds = scaled(300) + 10, before = files();
	unsigned int threads_before = threads();
	int total = 0;

	NOT_UNDER_TSAN("run_often");
	for (unsigned int i = 0; i < rounds; i++)
		run_on(1 + i % 4, spawn_ten, &total);
	expect_eq(total, rounds * 10);
	/* Nothing is left behind. */
	expect_threads(threads_before);
	expect_eq(files(), before);
}
END_TEST

static void *park_for_ever(void *arg)
{
	add((int *)arg, 1);
	for (;;)
		baton_park();
	return NULL;
}

static void *yield_for_ever(void *arg)
{
	add((int *)arg, 1);
	for (;;)
		baton_yield();
	return NULL;
}

static void *spawn_for_ever(void *arg)
{
	add((int *)arg, 1);
	for (;;)
		join(spawn(nothing, NULL));
	return NULL;
}

static void *ready_for_ever(void *arg)
{
	add((int *)arg, 1);
	for (;;) {
		baton_ready(baton_self());
		baton_park();
		baton_yield();
	}
	return NULL;
}

static baton_fn leftovers[] = {
	park_for_ever, yield_for_ever, spawn_for_ever, ready_for_ever,
};

struct leave {
	baton_fn fn;
	unsigned int n;
	int started;
};

static void *leave_them(void *arg)
{
	struct leave *l = arg;

	for (unsigned int i = 0; i < l->n; i++)
		expect_eq(baton_spawn(NULL, NULL, l->fn, &l->started), 0);
	while (load(&l->started) < (int)l->n)
		baton_yield();
	return &l->started;
}

START_TEST(stop_leaves_fibers)
{
	unsigned int before = threads();

	NOT_UNDER_TSAN("stop_leaves_fibers");
	for (unsigned int nprocs = 1; nprocs <= 4; nprocs *= 2) {
		struct leave l = { .fn = leftovers[_i], .n = 20 };

		expect(run_on(nprocs, leave_them, &l) == &l.started);
		expect_threads(before);
	}
}
END_TEST

/* --- outside ----------------------------------------------------------- */

static void no_call(void *arg)
{
	store((int *)arg, 1);
}

START_TEST(outside)
{
	struct baton_fiber *f = NULL;
	struct baton_stats st;
	const char *why = "";
	char some[64] = { 0 };
	int called = 0;

	refused(baton_spawn(&f, NULL, nothing, NULL), -ESRCH);
	expect_eq(baton_join(NULL, NULL), -EINVAL);
	expect_eq(baton_join((struct baton_fiber *)some, NULL), -EPERM);
	expect_eq(baton_detach(NULL), -EINVAL);
	expect_eq(baton_yield(), -EPERM);
	expect_eq(baton_park(), -EPERM);
	expect_eq(baton_ready(NULL), -EINVAL);
	expect_eq(baton_ready((struct baton_fiber *)some), -ESRCH);
	expect(!baton_self());
	expect_eq(baton_call(no_call, &called), -EPERM);
	expect_eq(baton_callback(no_call, &called), -ESRCH);
	expect_eq(called, 0);
	expect_eq(baton_nprocs(), 0);
	expect_eq(baton_tier(&why), BATON_TIER_AUTO);
	expect(*why);
	expect_eq(baton_stats(&st, sizeof(st)), -ESRCH);
	expect_eq(baton_stats(NULL, 0), -EINVAL);
}
END_TEST

static void *stats_sizes(void *arg)
{
	struct { struct baton_stats st; uint64_t more[2]; } longer;
	uint64_t shorter[2] = { 7, 7 };

	memset(&longer, 0xff, sizeof(longer));
	expect_eq(baton_stats(&longer.st, sizeof(longer)), 0);
	expect_eq(longer.more[0], 0);
	expect_eq(longer.more[1], 0);
	expect_eq(longer.st.spawns, 0);
	expect(longer.st.workers >= 1);
	expect(longer.st.workers_max >= longer.st.workers);
	expect_eq(baton_stats((void *)shorter, 8), 0);
	expect_eq(shorter[0], 0);
	expect_eq(shorter[1], 7);
	return arg;
}

START_TEST(stats_size)
{
	run_on(1, stats_sizes, NULL);
}
END_TEST

#define LOOKED_ON	32	/* workers */

static struct { int done, seen; } look;

/* A thread that is no worker looks on while schedulers come and go. */
static void *look_on(void *arg)
{
	struct baton_stats st;

	while (!load(&look.done)) {
		int err = baton_stats(&st, sizeof(st));
		enum baton_tier tier = baton_tier(NULL);
		unsigned int n = baton_nprocs();

		expect(err == 0 || err == -ESRCH);
		expect(err || st.workers <= st.workers_max);
		expect(err || st.workers_max <= LOOKED_ON);
		expect(n == 0 || n == 2);
		expect(tier == BATON_TIER_AUTO || tier == BATON_TIER_POLL ||
		       tier == BATON_TIER_IDLE || tier == BATON_TIER_KMOD);
		if (!err)
			add(&look.seen, 1);
	}
	return arg;
}

static void *one_byte(void *arg)
{
	char c;
	int err;

	expect_eq(BATON_CALL(err, read, *(int *)arg, &c, 1), 1);
	expect_eq(err, 0);
	return NULL;
}

/* Each blocks in its call, so that it takes as many workers. */
static void *block_all(void *arg)
{
	struct baton_fiber *f[LOOKED_ON / 2];
	char c[ARRAY_SIZE(f)] = { 0 };
	int fd[2], seen = load(&look.seen);

	expect_eq(pipe(fd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(one_byte, &fd[0]);
	for (int i = 0; i < 100 || load(&look.seen) == seen; i++)
		baton_yield();
	expect_eq(write(fd[1], c, sizeof(c)), sizeof(c));
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	close(fd[0]);
	close(fd[1]);
	return arg;
}

START_TEST(looked_on)
{
	pthread_t t;

	expect_eq(pthread_create(&t, NULL, look_on, NULL), 0);
	for (unsigned int i = scaled(50); i > 0; i--)
		run_with(2, LOOKED_ON, block_all, NULL);
	store(&look.done, 1);
	expect_eq(pthread_join(t, NULL), 0);
}
END_TEST

/* What a plain thread does last lets the scheduler end, at once. */
static struct { struct baton_fiber *main; int done; } last;

static void *ready_main(void *arg)
{
	expect_eq(baton_ready(arg), 0);
	return NULL;
}

static void *end_it(void *arg)
{
	for (int i = 0; !load(&last.done); i++) {
		struct baton_fiber *f =
			__atomic_exchange_n(&last.main, NULL, __ATOMIC_SEQ_CST);

		if (f && i % 2)
			expect_eq(baton_ready(f), 0);
		else if (f)
			expect_eq(baton_spawn(NULL, NULL, ready_main, f), 0);
	}
	return arg;
}

static void *wait_for_end(void *arg)
{
	store(&last.main, baton_self());
	expect_eq(baton_park(), 0);
	return arg;
}

START_TEST(ended_from_outside)
{
	pthread_t t;

	expect_eq(pthread_create(&t, NULL, end_it, NULL), 0);
	for (unsigned int i = scaled(3000); i > 0; i--)
		run_on(2, wait_for_end, NULL);
	store(&last.done, 1);
	expect_eq(pthread_join(t, NULL), 0);
}
END_TEST

/* None sets errno. */
START_TEST(errno_kept)
{
	struct baton_config *cfg = config();

	errno = 4711;
	refused(baton_config_set_nprocs(cfg, 257), -EINVAL);
	expect_eq(errno, 4711);
	baton_yield();
	baton_spawn(NULL, NULL, nothing, NULL);
	expect_eq(errno, 4711);
	expect_eq(baton_run(cfg, nothing, NULL, NULL), 0);
	expect_eq(errno, 4711);
	baton_config_destroy(cfg);
}
END_TEST

/* Calls back all the time, and may be in time for a scheduler that fails. */
static void *call_back(void *arg)
{
	while (!load((int *)arg)) {
		int called = 0, err = baton_callback(no_call, &called);

		expect(err == -ECANCELED || called == !err);
		expect(err == 0 || err == -ESRCH || err == -ESHUTDOWN ||
		       err == -ECANCELED);
	}
	return NULL;
}

START_TEST(no_thread)
{
	struct rlimit none, before;
	struct baton_stats st;
	pthread_t t;
	int done = 0;

	expect_eq(pthread_create(&t, NULL, call_back, &done), 0);
	expect_eq(getrlimit(RLIMIT_NPROC, &before), 0);
	none = before;
	none.rlim_cur = 0;
	expect_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	/* The limit is not for root. */
	expect(getuid() || !setresuid(65534, 65534, 65534));
	for (unsigned int i = scaled(200); i > 0; i--) {
		refused(baton_run(NULL, nothing, NULL, NULL), -EAGAIN);
		expect_eq(baton_stats(&st, sizeof(st)), -ESRCH);
		expect_eq(baton_nprocs(), 0);
	}
	store(&done, 1);
	expect_eq(pthread_join(t, NULL), 0);
	/* LeakSanitizer needs a thread, too, and a process that may be traced. */
	expect_eq(setrlimit(RLIMIT_NPROC, &before), 0);
	expect_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
END_TEST

/* --- standard descriptors ------------------------------------------------- */

struct closed {
	int in[2], out[2], file;
};

static void *echo(void *arg)
{
	struct closed *c = arg;
	char byte;

	while (baton_read(c->in[0], &byte, 1) == 1)
		expect_eq(baton_write(c->out[1], &byte, 1), 1);
	return NULL;
}

static void there_and_back(struct closed *c)
{
	char byte = 'x';

	expect_eq(baton_write(c->in[1], &byte, 1), 1);
	expect_eq(baton_read(c->out[0], &byte, 1), 1);
}

static void *wait_for_all_kinds(void *arg)
{
	struct closed *c = arg;
	struct baton_chan ch;
	struct signalfd_siginfo buf[1];
	struct baton_fiber *f;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expect_eq(baton_spawn(&f, NULL, echo, c), 0);
	there_and_back(c);
	expect_eq(baton_fsync(c->file), 0);
	expect_eq(baton_chan_init(&ch, sizeof(buf[0]), 1, buf), 0);
	expect_eq(baton_signal_notify(&ch, &set), 0);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		expect_eq(fcntl(fd, F_GETFD), -1);
	/* As a daemon does. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		expect_eq(dup2(c->file, fd), fd);
	there_and_back(c);
	expect_eq(baton_fsync(c->file), 0);
	expect_eq(baton_signal_stop(&ch), 0);
	expect_eq(baton_close(c->in[1]), 0);
	expect_eq(baton_join(f, NULL), 0);
	return NULL;
}

/* They are the program's, and none of the library's takes such a number. */
START_TEST(standard_closed)
{
	char name[] = "/tmp/baton-XXXXXX";
	struct closed c;
	struct stat st;
	sigset_t set;

	expect_eq(pipe(c.in), 0);
	expect_eq(pipe(c.out), 0);
	c.file = mkstemp(name);
	expect(c.in[0] > STDERR_FILENO && c.file > STDERR_FILENO);
	expect_eq(unlink(name), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expect_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		expect_eq(close(fd), 0);
	expect_eq(baton_run(NULL, wait_for_all_kinds, &c, NULL), 0);
	expect_eq(fstat(c.file, &st), 0);
	expect_eq(st.st_size, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("run");
	TCase *tc = test_case(s, "run");

	tcase_add_test(tc, config_nprocs);
	tcase_add_test(tc, config_max_workers);
	tcase_add_test(tc, config_stack_size);
	tcase_add_test(tc, config_timer_slack);
	tcase_add_test(tc, config_tier);
	tcase_add_test(tc, tier_names);
	tcase_add_test(tc, env_good);
	tcase_add_test(tc, env_empty);
	tcase_add_loop_test(tc, env_bad, 0, ARRAY_SIZE(env_wrong));
	tcase_add_test(tc, env_max_workers);
	tcase_add_test(tc, env_stack_size);
	tcase_add_test(tc, tier_in_use);
	if (access("/dev/baton", F_OK))
		tcase_add_test(tc, tier_missing);
	else
		skip("tier_missing", "the module is loaded");
	tcase_add_test(tc, affinity);
	tcase_add_test(tc, result);
	tcase_add_test(tc, run_in_run);
	tcase_add_test(tc, run_often);
	tcase_add_loop_test(tc, stop_leaves_fibers, 0, ARRAY_SIZE(leftovers));
	tcase_add_test(tc, outside);
	tcase_add_test(tc, stats_size);
	tcase_add_test(tc, looked_on);
	tcase_add_test(tc, ended_from_outside);
	tcase_add_test(tc, no_thread);
	tcase_add_test(tc, errno_kept);
	tcase_add_test(tc, standard_closed);
	return suite_main(s);
}
