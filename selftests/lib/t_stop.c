// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_stop.c - an end in good order: who can end does so, undisturbed at first;
 * then each is canceled, once; who still runs is listed, with what it does.
 */
#include <signal.h>
#include <sys/signalfd.h>

#include "../../lib/core/fiber.h"
#include "ends.h"

#define FIBERS	500

static int ended, canceled, go;

static void *finishes(void *arg)
{
	expect_eq(baton_sleep(5 * BATON_MSEC), 0);
	add(&ended, 1);
	return arg;
}

/* Being canceled it needs time to put things in order. */
static void *is_canceled(void *arg)
{
	expect_eq(baton_sleep(BATON_NEVER), -ECANCELED);
	add(&canceled, 1);
	expect_eq(baton_sleep(3 * BATON_MSEC), 0);
	add(&ended, 1);
	return arg;
}

static void *starts_another(void *arg)
{
	expect_eq(baton_sleep(BATON_NEVER), -ECANCELED);
	add(&canceled, 1);
	expect_eq(baton_spawn(NULL, NULL, is_canceled, arg), 0);
	expect_eq(baton_sleep(3 * BATON_MSEC), 0);
	return arg;
}

static void start(baton_fn fn, int n)
{
	ended = canceled = 0;
	while (n--)
		expect_eq(baton_spawn(NULL, NULL, fn, NULL), 0);
}

static void *in_good_order(void *arg)
{
	expect_eq(baton_stop(0, 0), 0);
	start(finishes, FIBERS);
	expect_eq(baton_stop(BATON_NEVER, BATON_NEVER), 0);
	expect_eq(ended, FIBERS);
	start(is_canceled, FIBERS);
	expect_eq(baton_stop(0, BATON_NEVER), 0);
	expect_eq(canceled, FIBERS);
	expect_eq(ended, FIBERS);
	start(starts_another, FIBERS);
	expect_eq(baton_stop(baton_now() + BATON_MSEC, BATON_NEVER), 0);
	expect_eq(canceled, 2 * FIBERS);
	expect_eq(ended, FIBERS);
	return arg;
}

START_TEST(good_order)
{
	run_on(nprocs_list[_i], in_good_order, NULL);
}
END_TEST

static void *hurries(void *arg)
{
	/* Until then nobody is canceled. */
	for (int i = 0; i < 10; i++)
		baton_yield();
	expect_eq(load(&canceled), 0);
	expect_eq(baton_cancel(arg), 0);
	expect_eq(baton_sleep(BATON_NEVER), -ECANCELED);
	return arg;
}

static void *not_first(void *arg)
{
	expect_eq(baton_stop(0, 0), -EPERM);
	expect(strstr(baton_reason(), "first fiber"));
	return arg;
}

static void *in_a_hurry(void *arg)
{
	join(spawn(not_first, NULL));
	start(is_canceled, 1);
	spawn(hurries, baton_self());
	expect_eq(baton_stop(BATON_NEVER, BATON_NEVER), 0);
	expect_eq(canceled, 1);
	expect_eq(ended, 1);
	return arg;
}

START_TEST(hurry)
{
	expect_eq(baton_stop(0, 0), -EPERM);
	run_on(nprocs_list[_i], in_a_hurry, NULL);
}
END_TEST

/* --- the library's own ------------------------------------------------------ */

/* Who reads the signals lives on, and is not waited for, nor listed. */
static void *notified(void *arg)
{
	struct signalfd_siginfo buffer[4], info;
	struct baton_chan ch = BATON_CHAN_INIT(sizeof(info), 4, buffer);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expect_eq(baton_signal_notify(&ch, &set), 0);
	start(is_canceled, 2);
	expect_eq(baton_stop(0, BATON_NEVER), 0);
	expect_eq(ended, 2);
	kill(getpid(), SIGUSR1);
	expect_eq(baton_chan_recv(&ch, &info), 0);
	expect_eq(baton_signal_stop(&ch), 0);
	expect_eq(baton_stop(0, BATON_NEVER), 0);
	return arg;
}

START_TEST(signals)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expect_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	run_on(nprocs_list[_i], notified, NULL);
}
END_TEST

/* --- who does not end --------------------------------------------------------- */

/* Counted once they are where they are to be seen. */
static void wait_go(void *arg)
{
	add(&ended, 1);
	while (!load(&go))
		usleep(1000);
	(void)arg;
}

static void *calls_for_long(void *arg)
{
	baton_call(wait_go, arg);
	return arg;
}

static void *runs_for_long(void *arg)
{
	wait_go(arg);
	return arg;
}

static void *masks(void *arg)
{
	expect_eq(baton_set_name("the masked one"), 0);
	expect_eq(baton_cancel_mask(), 0);
	baton_park();
	return arg;
}

static void *stubborn(void *arg)
{
	struct baton_fiber *masked = spawn(masks, arg);

	ended = 0;
	spawn(calls_for_long, arg);
	spawn(runs_for_long, arg);
	while (load(&ended) < 2 || fiber_state(masked) != FIBER_PARKED)
		baton_yield();
	expect_eq(baton_stop(0, baton_now() + 20 * BATON_MSEC), -ETIMEDOUT);
	store(&go, 1);
	return arg;
}

START_TEST(listed)
{
	static const char *const texts[] = {
		"baton: 3 fibers have not ended by the deadline of baton_stop()\n",
		", calls_for_long+0: in a foreign call on worker ",
		", wait_go+0",
		", runs_for_long+0: runs on worker ",
		" \"the masked one\", masks+0: baton_park(), for ",
	};
	char said[8192];
	int fd[2], status;
	pid_t pid;

	expect_eq(pipe(fd), 0);
	pid = fork();
	expect(pid >= 0);
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		run_on(4, stubborn, NULL);
		_exit(0);
	}
	close(fd[1]);
	status = ends_said(pid, fd[0], said, sizeof(said));
	expect_eq(status, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strstr(said, texts[i]))
			ck_abort_msg("not \"%s\": %s", texts[i], said);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stop");
	TCase *tc = test_case(s, "stop");

	tcase_add_loop_test(tc, good_order, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_loop_test(tc, hurry, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_loop_test(tc, signals, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, listed);
	return suite_main(s);
}
