// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_state.c - what is the thread's and what is the fiber's, as baton(7) has it;
 * workers that are made late are like the thread of baton_run() was, whatever
 * fibers and foreign code have done to their own threads.
 */
#include "common.h"

#include <dirent.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* --- workers that are made late ---------------------------------------------- */

struct look {
	long slack;
	int nice, policy;
	bool blocked;
	cpu_set_t cpus;
	char name[16];
};

static bool usr1_blocked(void)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, SIGUSR1);
}

static void usr1_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void look(struct look *l)
{
	memset(l, 0, sizeof(*l));
	l->slack = prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
	l->nice = getpriority(PRIO_PROCESS, 0);
	/* musl's functions for it do nothing but fail. */
	l->policy = (int)syscall(SYS_sched_getscheduler, 0);
	l->blocked = usr1_blocked();
	sched_getaffinity(0, sizeof(l->cpus), &l->cpus);
	prctl(PR_GET_NAME, l->name, 0UL, 0UL, 0UL);
}

static struct look before;

/* As before, but for the name, if the thread is the library's. */
static void is_fresh(void)
{
	struct look want = before, now;

	look(&now);
	/* A worker's number follows. */
	if (gettid() != getpid() && !strncmp(now.name, "baton/", 6))
		memcpy(want.name, now.name, sizeof(want.name));
	if (memcmp(&now, &want, sizeof(now)))
		ck_abort_msg("%s: slack %ld nice %d policy %d blocked %d, %d CPUs",
			     now.name, now.slack, now.nice, now.policy,
			     now.blocked, CPU_COUNT(&now.cpus));
}

/* One CPU of several, if there are. */
static void change_all(void)
{
	const struct sched_param none = { 0 };
	cpu_set_t one;
	int cpu = 0;

	prctl(PR_SET_TIMERSLACK, 1234UL, 0UL, 0UL, 0UL);
	prctl(PR_SET_NAME, "changed", 0UL, 0UL, 0UL);
	setpriority(PRIO_PROCESS, 0, before.nice + 3);
	expect_eq(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none), 0);
	while (!CPU_ISSET(cpu, &before.cpus))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	expect_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	usr1_block();
}

static int arrived, changed;

/* As many threads as there are calls: all of them wait for the last. */
static void change(void *arg)
{
	(void)arg;
	is_fresh();
	change_all();
	add(&changed, 1);
	while (load(&changed) < load(&arrived))
		usleep(1000);
}

static void *changer(void *arg)
{
	expect(baton_call(change, NULL) >= 0);
	return arg;
}

static void *late_main(void *arg)
{
	struct baton_fiber *f[8];

	store(&arrived, (int)ARRAY_SIZE(f));
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(changer, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(late_workers)
{
	prctl(PR_SET_TIMERSLACK, 70000UL, 0UL, 0UL, 0UL);
	look(&before);
	run_on(1, late_main, NULL);
}
END_TEST

/*
 * The same of a real-time caller, whose workers are real-time threads, too. Those
 * of a lower class run when they wait, and not before. On _i processors.
 */
START_TEST(real_time)
{
	const struct sched_param lowest = { .sched_priority = 1 };
	const int policy = _i == 1 ? SCHED_FIFO : SCHED_RR;

	if (syscall(SYS_sched_setscheduler, 0, policy, &lowest)) {
		expect_eq(errno, EPERM);
		skip("real_time", "may not be a real-time thread");
		return;
	}
	look(&before);
	expect_eq(before.policy, policy);
	run_on((unsigned int)_i, late_main, NULL);
}
END_TEST

/* The same for a fiber that keeps its thread from others for good. */
static void *locked_changer(void *arg)
{
	struct look mine, later;

	is_fresh();
	expect_eq(baton_thread_lock(), 0);
	change_all();
	look(&mine);
	expect_eq(baton_yield(), 0);
	look(&later);
	expect(!memcmp(&mine, &later, sizeof(mine)));
	return arg;
}

static void *locked_main(void *arg)
{
	struct baton_fiber *f[4];

	for (unsigned int n = scaled(20); n; n--) {
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			f[i] = spawn(locked_changer, NULL);
		is_fresh();
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			join(f[i]);
		is_fresh();
	}
	return arg;
}

START_TEST(locked_threads)
{
	prctl(PR_SET_TIMERSLACK, 70000UL, 0UL, 0UL, 0UL);
	look(&before);
	run_on(nprocs_list[_i], locked_main, NULL);
}
END_TEST

/* --- names -------------------------------------------------------------------- */

static void get_name(char *name)
{
	expect_eq(prctl(PR_GET_NAME, name, 0UL, 0UL, 0UL), 0);
}

/* How many threads of this process are called @name. */
static int named(const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	char path[300], comm[20];
	int n = 0;

	expect(dir);
	while ((d = readdir(dir))) {
		FILE *f;

		if (*d->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%19s", comm) == 1)
			n += !strncmp(comm, name, strlen(name));
		fclose(f);
	}
	closedir(dir);
	return n;
}

static void noop(void *arg)
{
	(void)arg;
}

static void *calls_back(void *arg)
{
	char name[16];

	prctl(PR_SET_NAME, "others", 0UL, 0UL, 0UL);
	expect_eq(baton_callback(noop, NULL), 0);
	get_name(name);
	expect(!strcmp(name, "others"));
	return arg;
}

static void make_thread(void *arg)
{
	on_thread(calls_back, arg);
}

/* Each new one names itself, when it gets to run. */
static void await_names(void *arg)
{
	while (named("baton-watch") != 1 || named("baton/") < 1)
		usleep(1000);
	/* A sanitizer's thread may be called so, too. */
	expect(named(arg) >= 1);
}

static void *names_main(void *arg)
{
	expect(baton_call(await_names, arg) >= 0);
	expect(baton_call(make_thread, NULL) >= 0);
	return arg;
}

START_TEST(names)
{
	char name[16];

	prctl(PR_SET_NAME, "program", 0UL, 0UL, 0UL);
	run_on(nprocs_list[_i], names_main, "program");
	get_name(name);
	expect(!strcmp(name, "program"));
}
END_TEST

/* --- the fiber's --------------------------------------------------------------- */

static void rounds(void *arg)
{
	expect_eq(fegetround(), *(int *)arg);
}

static void calls_rounds(void *arg)
{
	rounds(arg);
	expect_eq(baton_callback(rounds, arg), 0);
}

static void *heir(void *arg)
{
	rounds(arg);
	baton_yield();
	rounds(arg);
	fesetround(FE_TONEAREST);
	return arg;
}

static void *rounder(void *arg)
{
	expect_eq(fesetround(*(int *)arg), 0);
	for (unsigned int i = scaled(200); i; i--) {
		baton_yield();
		rounds(arg);
		expect_eq(baton_call(calls_rounds, arg), 0);
		join(spawn(heir, arg));
		rounds(arg);
		if (i == 20)
			expect_eq(baton_thread_lock(), 0);
	}
	return arg;
}

/* Not every machine has all modes. */
static int modes[] = {
#ifdef FE_UPWARD
	FE_UPWARD,
#endif
#ifdef FE_DOWNWARD
	FE_DOWNWARD,
#endif
#ifdef FE_TOWARDZERO
	FE_TOWARDZERO,
#endif
	FE_TONEAREST,
};

static void *rounders_main(void *arg)
{
	struct baton_fiber *f[ARRAY_SIZE(modes)];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(rounder, &modes[i]);
	fesetround(modes[0]);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		join(f[i]);
		rounds(&modes[0]);
	}
	return arg;
}

START_TEST(rounding)
{
	run_on(nprocs_list[_i], rounders_main, NULL);
	expect_eq(fegetround(), FE_TONEAREST);
}
END_TEST

/* --- the thread's -------------------------------------------------------------- */

static void *blocker(void *arg)
{
	expect(!usr1_blocked());
	usr1_block();
	baton_yield();
	expect(usr1_blocked());
	return arg;
}

static void *looker(void *arg)
{
	*(bool *)arg = usr1_blocked();
	return arg;
}

/* With a single thread there is no other. */
static void *mask_main(void *arg)
{
	bool blocked = false;

	join(spawn(blocker, NULL));
	join(spawn(looker, &blocked));
	expect(blocked);
	expect(usr1_blocked());
	return arg;
}

START_TEST(mask)
{
	run_with(1, 1, mask_main, NULL);
	expect(usr1_blocked());
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state");
	TCase *tc = test_case(s, "state");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_test(tc, late_workers);
	tcase_add_loop_test(tc, real_time, 1, 3);
	tcase_add_loop_test(tc, locked_threads, 0, n);
	tcase_add_loop_test(tc, names, 0, n);
	tcase_add_loop_test(tc, rounding, 0, n);
	tcase_add_test(tc, mask);
	return suite_main(s);
}
