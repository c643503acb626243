// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_state.c - workers that are made late are like the thread of baton_run()
 * was, whatever foreign code has done to its own thread.
 */
#include "common.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct look {
	long slack;
	int nice;
	bool blocked;
	char name[16];
};

static void look(struct look *l)
{
	sigset_t set;

	memset(l, 0, sizeof(*l));
	l->slack = prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
	l->nice = getpriority(PRIO_PROCESS, 0);
	sigprocmask(SIG_SETMASK, NULL, &set);
	l->blocked = sigismember(&set, SIGUSR1);
	prctl(PR_GET_NAME, l->name, 0UL, 0UL, 0UL);
}

static struct look before;
static int arrived, changed;

/* As many threads as there are calls: all of them wait for the last. */
static void change(void *arg)
{
	struct look now;
	sigset_t set;

	(void)arg;
	look(&now);
	expect(!memcmp(&now, &before, sizeof(now)));
	prctl(PR_SET_TIMERSLACK, 1234UL, 0UL, 0UL, 0UL);
	prctl(PR_SET_NAME, "changed", 0UL, 0UL, 0UL);
	setpriority(PRIO_PROCESS, 0, now.nice + 3);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
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

int main(void)
{
	Suite *s = suite_create("state");
	TCase *tc = test_case(s, "state");

	tcase_add_test(tc, late_workers);
	return suite_main(s);
}
