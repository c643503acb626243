// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_idle.c - the tier idle: its threads come when they are needed and cost
 * nothing otherwise; and what is behind it where a CPU is never free. That it
 * hands over from each kind of block is in t_block.
 */
#include "common.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NAME	"baton-idle"

static void sleep_ms(void *arg)
{
	struct timespec ts = { .tv_nsec = (intptr_t)arg * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* A line of a file of thread @tid, that begins with @what; the number in it. */
static unsigned long status(const char *tid, const char *what)
{
	char path[300], line[128];
	unsigned long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, what, strlen(what)))
			n = strtoul(line + strlen(what), NULL, 10);
	if (f)
		fclose(f);
	return n;
}

static bool is_sentinel(const char *tid)
{
	char path[300], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/comm", tid);
	f = fopen(path, "re");
	if (f && !fgets(name, sizeof(name), f))
		name[0] = '\0';
	if (f)
		fclose(f);
	return !strncmp(name, NAME, strlen(NAME));
}

struct sentinels {
	unsigned int n;
	unsigned int of_class;		/* SCHED_IDLE */
	unsigned int bound;		/* to one CPU */
	unsigned long switches;		/* of all of them */
};

static struct sentinels sentinels(void)
{
	struct sentinels s = { 0 };
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;

	expect(dir);
	while ((e = readdir(dir))) {
		int tid = atoi(e->d_name);
		cpu_set_t set;

		if (!tid || !is_sentinel(e->d_name))
			continue;
		s.n++;
		s.of_class += sched_getscheduler(tid) == SCHED_IDLE;
		s.bound += !sched_getaffinity(tid, sizeof(set), &set) &&
			   CPU_COUNT(&set) == 1;
		s.switches += status(e->d_name, "voluntary_ctxt_switches:");
	}
	closedir(dir);
	return s;
}

/* --- they are there, and rest ------------------------------------------------ */

static int ran;

static void *run_flag(void *arg)
{
	store(&ran, 1);
	return arg;
}

/* One fiber blocks in its own code while another one waits. */
static void hand_over(void)
{
	struct baton_fiber *f;

	store(&ran, 0);
	f = spawn(run_flag, NULL);
	/* Nobody else runs it: each look at the flag is in this fiber. */
	while (!load(&ran))
		sleep_ms((void *)1);
	join(f);
}

static void count_switches(void *arg)
{
	unsigned long *n = arg, before;

	/* They go to sleep when they next get to run. */
	do {
		before = sentinels().switches;
		sleep_ms((void *)200);
		*n = sentinels().switches - before;
	} while (*n && --n[1]);
}

static void *rests_main(void *arg)
{
	unsigned long n[] = { 0, 50 };
	struct sentinels s;

	do {
		hand_over();
		s = sentinels();
	} while (!s.n || s.of_class < s.n || s.bound < s.n);
	expect_eq(baton_call(count_switches, n), 0);
	expect_eq(n[0], 0);
	return arg;
}

START_TEST(rests)
{
	run_on(1, rests_main, NULL);
	/* On a CPU that others keep busy one may end later than its scheduler. */
	while (sentinels().n)
		sleep_ms((void *)1);
}
END_TEST

/* --- a CPU that is never free ------------------------------------------------- */

/* A process that computes on the CPU that all of ours has to itself. */
static pid_t hog(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
		for (;;)
			;
	}
	expect(pid > 0);
	return pid;
}

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	expect_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void *hand_over_main(void *arg)
{
	for (unsigned int i = 0; i < scaled(20); i++)
		hand_over();
	return arg;
}

START_TEST(kept_busy)
{
	pid_t pid;

	bind_to(sched_getcpu());
	pid = hog();
	run_on(1, hand_over_main, NULL);
	kill(pid, SIGKILL);
	expect_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* --- one that does not get to run ------------------------------------------------ */

/*
 * What a busy CPU does to a sentinel at any instruction is done to it here at
 * each of its calls of the system: it stays there for as long as is wanted.
 */
static int hold_at;	/* so many calls from now on; 0: none is held */
static int held;
static sem_t go_on;
static long (*real_syscall)(long number, ...);
static int (*real_yield)(void);

static __attribute__((constructor)) void find_real(void)
{
	*(void **)&real_syscall = dlsym(RTLD_NEXT, "syscall");
	*(void **)&real_yield = dlsym(RTLD_NEXT, "sched_yield");
	expect(real_syscall && real_yield);
}

static void hold(void)
{
	if (load(&hold_at) <= 0 || sched_getscheduler(0) != SCHED_IDLE ||
	    __atomic_fetch_sub(&hold_at, 1, __ATOMIC_SEQ_CST) != 1)
		return;
	store(&held, 1);
	while (sem_wait(&go_on))
		;
}

/* In place of the C library's, for the library's calls. */
long syscall(long number, ...)
{
	long a[6];
	va_list args;

	va_start(args, number);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(args, long);
	va_end(args);
	hold();
	return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int sched_yield(void)
{
	hold();
	return real_yield();
}

/* More than a sentinel makes from its being armed until it sleeps again. */
#define CALLS	12

static void one_thread(void *arg);

static void wait_for_flag(void *arg)
{
	while (!load((int *)arg))
		sleep_ms((void *)1);
}

static void *held_main(void *arg)
{
	for (int at = 1; at <= CALLS; at++) {
		struct baton_fiber *f;

		store(&held, 0);
		store(&hold_at, at);
		while (!load(&held))
			hand_over();
		/* All goes on without it: a block, announced or not, and a
		 * thread that comes, blocks and ends. */
		hand_over();
		store(&ran, 0);
		f = spawn(run_flag, NULL);
		expect_eq(baton_call(wait_for_flag, &ran), 0);
		join(f);
		expect_eq(baton_call(one_thread, NULL), 0);
		expect_eq(sem_post(&go_on), 0);
	}
	return arg;
}

/* Nobody waits for a sentinel that is kept from its CPU, wherever it is. */
START_TEST(held_up)
{
	expect_eq(sem_init(&go_on, 0, 0), 0);
	run_on(1, held_main, NULL);
}
END_TEST

/* --- where it goes ------------------------------------------------------------ */

/* All threads of the process are bound anew, those of the tier as well. */
static void bind_all(const cpu_set_t *set)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;

	expect(dir);
	while ((e = readdir(dir)))
		if (atoi(e->d_name))
			sched_setaffinity(atoi(e->d_name), sizeof(*set), set);
	closedir(dir);
}

static void *follows_main(void *arg)
{
	const cpu_set_t *all = arg;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;

		if (!CPU_ISSET(cpu, all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		bind_all(&one);
		hand_over();
		bind_all(all);
		hand_over();
	}
	return NULL;
}

START_TEST(follows)
{
	cpu_set_t all;

	expect_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	run_on(1, follows_main, &all);
}
END_TEST

/* --- wrong takings ------------------------------------------------------------ */

static void compute_ms(unsigned int ms)
{
	uint64_t end = now_ns() + ms * UINT64_C(1000000);

	while (now_ns() < end)
		;
}

/*
 * A fiber that computes while another one waits. Should it lose its processor,
 * that does no harm, and is counted: once for each time the other one ran, and
 * once it finds out.
 */
static void *computes_main(void *arg)
{
	struct baton_stats a, b;
	struct baton_fiber *f;
	int other;

	expect_eq(baton_stats(&a, sizeof(a)), 0);
	for (unsigned int i = 0; i < scaled(20); i++) {
		store(&ran, 0);
		f = spawn(run_flag, NULL);
		compute_ms(20);
		other = load(&ran);
		expect_eq(baton_stats(&b, sizeof(b)), 0);
		expect(!other || b.handoffs > a.handoffs);
		join(f);
	}
	expect_eq(baton_stats(&b, sizeof(b)), 0);
	printf("# wrong takings: %d\n", (int)(b.handoffs - a.handoffs));
	expect(b.regained + b.requeued - a.regained - a.requeued <=
	       b.handoffs - a.handoffs);
	return arg;
}

START_TEST(computes)
{
	run_on(1, computes_main, NULL);
}
END_TEST

/* --- threads that end, forks ---------------------------------------------------- */

static void callback(void *arg)
{
	(void)arg;
	hand_over();
}

static void *calls_back(void *arg)
{
	expect_eq(baton_callback(callback, NULL), 0);
	return arg;
}

static void one_thread(void *arg)
{
	on_thread(calls_back, arg);
}

static void start_threads(void *arg)
{
	for (unsigned int i = 0; i < scaled(100); i++)
		one_thread(arg);
}

static void *locked(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	hand_over();
	return arg;		/* and its thread ends */
}

/* Nobody looks at what was a thread's that is gone. */
static void *threads_main(void *arg)
{
	for (unsigned int i = 0; i < scaled(50); i++)
		join(spawn(locked, NULL));
	expect_eq(baton_call(start_threads, NULL), 0);
	return arg;
}

START_TEST(threads_end)
{
	run_on(nprocs_list[_i], threads_main, NULL);
}
END_TEST

static void fork_and_run(void *arg)
{
	int *wstatus = arg;
	pid_t pid = fork();

	if (!pid)
		_exit(sentinels().n);
	expect(pid > 0);
	expect_eq(waitpid(pid, wstatus, 0), pid);
}

static void *forks_main(void *arg)
{
	int wstatus;

	hand_over();
	expect_eq(baton_call(fork_and_run, &wstatus), 0);
	expect(WIFEXITED(wstatus) && !WEXITSTATUS(wstatus));
	hand_over();
	return arg;
}

/* A child has none; and a scheduler of its own if no fiber forked it. */
START_TEST(forks)
{
	pid_t pid;
	int wstatus;

	run_on(1, forks_main, NULL);
	pid = fork();
	if (!pid) {
		run_on(1, hand_over_main, NULL);
		_exit(0);
	}
	expect_eq(waitpid(pid, &wstatus, 0), pid);
	expect(WIFEXITED(wstatus) && !WEXITSTATUS(wstatus));
}
END_TEST

static void *nothing(void *arg)
{
	return arg;
}

/* --- who has it ---------------------------------------------------------------- */

static int run_config(enum baton_tier tier, baton_fn fn, void *arg)
{
	struct baton_config *cfg;
	int err;

	expect_eq(baton_config_create(&cfg), 0);
	expect_eq(baton_config_set_tier(cfg, tier), 0);
	err = baton_run(cfg, fn, arg, NULL);
	baton_config_destroy(cfg);
	return err;
}

static void *which_tier(void *arg)
{
	const char *why;

	*(enum baton_tier *)arg = baton_tier(&why);
	if (*(enum baton_tier *)arg != BATON_TIER_KMOD)
		expect(strstr(why, "no kmod: "));
	return NULL;
}

/* Who asks for no tier has it, where it works and the module is not there. */
START_TEST(is_default)
{
	enum baton_tier tier = BATON_TIER_AUTO;

	unsetenv("BATON_TIER");
	if (run_config(BATON_TIER_IDLE, nothing, NULL) == -ENOTSUP) {
		skip("is_default", baton_reason());
		return;
	}
	expect_eq(run_config(BATON_TIER_AUTO, which_tier, &tier), 0);
	expect(tier == BATON_TIER_IDLE || tier == BATON_TIER_KMOD);
}
END_TEST

/* --- where it cannot be had ----------------------------------------------------- */

/* Insisted on, it says what is missing. */
START_TEST(missing)
{
	int err = run_config(BATON_TIER_IDLE, nothing, NULL);

	expect(!err || (err == -ENOTSUP && *baton_reason()));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("idle");
	TCase *tc = test_case(s, "idle");
	static const char *const names[] = {
		"rests", "kept_busy", "held_up", "follows", "computes", "threads_end",
		"forks",
	};

	tcase_add_test(tc, missing);
	tcase_add_test(tc, is_default);
	if (!tier_is_idle()) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			skip(names[i], "another tier");
		return suite_main(s);
	}
	tcase_add_test(tc, rests);
	tcase_add_test(tc, kept_busy);
	tcase_add_test(tc, held_up);
	tcase_add_test(tc, follows);
	tcase_add_test(tc, computes);
	tcase_add_loop_test(tc, threads_end, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, forks);
	return suite_main(s);
}
