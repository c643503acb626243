/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * check.h - as much of libcheck as the tests use, for C libraries that no
 * libcheck is built for: a process for each test, with a time limit.
 */
#ifndef SELFTESTS_LIB_FLAGS_MUSL_CHECK_H
#define SELFTESTS_LIB_FLAGS_MUSL_CHECK_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TEST(name) static void name(int _i __attribute__((unused)))
#define END_TEST

#define ck_abort_msg(...) do {						\
	printf("# %s:%d: ", __FILE__, __LINE__);			\
	printf(__VA_ARGS__);						\
	printf("\n");							\
	fflush(stdout);							\
	_exit(1);							\
} while (0)
#define ck_assert(cond)	do {						\
	if (!(cond))							\
		ck_abort_msg("%s: not so", #cond);			\
} while (0)
#define ck_assert_str_eq(a, b)	ck_assert(!strcmp(a, b))

typedef struct {
	double timeout;
	int sig;		/* that the next test is to die of; or 0 */
	void (*setup)(void);	/* in the process of each test, or NULL */
	void (*teardown)(void);
} TCase;

typedef struct {
	int num, failed;
	TCase tc;
} Suite;

typedef Suite SRunner;

#define CK_SILENT	0

static inline Suite *suite_create(const char *name)
{
	(void)name;
	return calloc(1, sizeof(Suite));
}

static Suite *check_suite;

static inline void suite_add_tcase(Suite *s, TCase *tc)
{
	(void)tc;
	check_suite = s;
}

static inline TCase *tcase_create(const char *name)
{
	(void)name;
	return calloc(1, sizeof(TCase));
}

static inline void tcase_set_timeout(TCase *tc, double seconds)
{
	tc->timeout = seconds;
}

static inline void tcase_add_checked_fixture(TCase *tc, void (*setup)(void),
					     void (*teardown)(void))
{
	tc->setup = setup;
	tc->teardown = teardown;
}

/* True: it ended as it should. Whatever it has left running is killed. */
static inline int check_run(const TCase *tc, void (*fn)(int), int i)
{
	struct timespec limit = { (time_t)tc->timeout, 0 };
	sigset_t child, old;
	int status = 0;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &old);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		sigprocmask(SIG_SETMASK, &old, NULL);
		if (tc->setup)
			tc->setup();
		fn(i);
		if (tc->teardown)
			tc->teardown();
		exit(0);
	}
	setpgid(pid, pid);
	if (sigtimedwait(&child, NULL, &limit) < 0)
		printf("# no end in time\n");
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (tc->sig)
		return WIFSIGNALED(status) && WTERMSIG(status) == tc->sig;
	if (status)
		printf("# status %#x\n", (unsigned int)status);
	return !status;
}

static inline void check_loop(TCase *tc, const char *name, void (*fn)(int),
			      int from, int to)
{
	Suite *s = check_suite;

	for (int i = from; i < to; i++) {
		int good = check_run(tc, fn, i);

		s->failed += !good;
		printf("%sok %d - %s:%d\n", good ? "" : "not ", ++s->num, name,
		       i);
		fflush(stdout);
	}
}

#define tcase_add_test(tc, fn)	check_loop(tc, #fn, fn, 0, 1)
#define tcase_add_test_raise_signal(tc, fn, signal) do {		\
	(tc)->sig = (signal);						\
	tcase_add_test(tc, fn);						\
	(tc)->sig = 0;							\
} while (0)
#define tcase_add_loop_test(tc, fn, from, to)				\
	check_loop(tc, #fn, fn, (int)(from), (int)(to))

/* The tests have run as they were added. */
static inline SRunner *srunner_create(Suite *s)
{
	return s;
}

static inline void srunner_set_tap(SRunner *sr, const char *file)
{
	(void)sr;
	(void)file;
}

static inline void srunner_run_all(SRunner *sr, int mode)
{
	(void)mode;
	printf("1..%d\n", sr->num);
	fflush(stdout);
}

static inline int srunner_ntests_failed(SRunner *sr)
{
	return sr->failed;
}

static inline void srunner_free(SRunner *sr)
{
	(void)sr;
}

#endif /* SELFTESTS_LIB_FLAGS_MUSL_CHECK_H */
