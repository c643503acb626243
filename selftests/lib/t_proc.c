// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_proc.c - names, children and signals that fibers wait for. */
#include "descs.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static void *names_main(void *arg)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *res = NULL;

	expect_eq(baton_getaddrinfo("127.0.0.1", "80", &hints, &res), 0);
	expect(res && res->ai_family == AF_INET);
	freeaddrinfo(res);
	expect_eq(baton_getaddrinfo("no number", NULL, &hints, &res),
		  EAI_NONAME);
	return arg;
}

START_TEST(names)
{
	run(_i, names_main, NULL);
}
END_TEST

static pid_t child(int fd)
{
	pid_t pid = fork();
	char c;

	if (!pid) {
		while (read(fd, &c, 1) < 0 && errno == EINTR)
			;
		_exit(7);
	}
	expect(pid > 0);
	return pid;
}

static void *children_main(void *arg)
{
	int fds[2], status = 0;
	pid_t pid;

	expect_eq(baton_waitpid(-1, &status, 0), -ECHILD);
	for (int any = 0; any < 2; any++) {
		expect_eq(pipe2(fds, O_CLOEXEC), 0);
		pid = child(fds[0]);
		expect_eq(baton_waitpid(pid, &status, WNOHANG), 0);
		expect_eq(baton_waitpid_until(any ? -1 : pid, &status, 0,
					      baton_now() + BATON_MSEC),
			  -ETIMEDOUT);
		expect_eq(baton_write(fds[1], "x", 1), 1);
		expect_eq(baton_waitpid(any ? -1 : pid, &status, 0), pid);
		expect(WIFEXITED(status));
		expect_eq(WEXITSTATUS(status), 7);
		expect_eq(baton_close(fds[0]), 0);
		expect_eq(baton_close(fds[1]), 0);
	}
	return arg;
}

START_TEST(children)
{
	run(_i, children_main, NULL);
}
END_TEST

static void *signals_main(void *arg)
{
	struct signalfd_siginfo buffer[4], other[4], info;
	struct baton_chan ch = BATON_CHAN_INIT(sizeof(info), 4, buffer);
	struct baton_chan too = BATON_CHAN_INIT(sizeof(info), 4, other);
	sigset_t set, usr2;

	sigemptyset(&usr2);
	expect_eq(baton_signal_notify(&ch, &usr2), -EINVAL);
	sigaddset(&usr2, SIGUSR2);
	expect_eq(baton_signal_notify(&ch, &usr2), -EPERM);
	expect_eq(baton_signal_stop(&ch), -EINVAL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expect_eq(baton_signal_notify(&ch, &set), 0);
	expect_eq(baton_signal_notify(&too, &set), 0);
	sigaddset(&set, SIGHUP);
	expect_eq(baton_signal_notify(&ch, &set), 0);
	for (int i = 0; i < 3; i++) {
		kill(getpid(), SIGUSR1);
		expect_eq(baton_chan_recv(&ch, &info), 0);
		expect_eq(info.ssi_signo, SIGUSR1);
		expect_eq(info.ssi_pid, getpid());
		expect_eq(baton_chan_recv(&too, &info), 0);
		kill(getpid(), SIGHUP);
		expect_eq(baton_chan_recv(&ch, &info), 0);
		expect_eq(info.ssi_signo, SIGHUP);
	}
	expect_eq(baton_signal_stop(&too), 0);
	kill(getpid(), SIGUSR1);
	expect_eq(baton_chan_recv(&ch, &info), 0);
	expect_eq(baton_chan_try_recv(&too, &info), -EAGAIN);
	expect_eq(baton_signal_stop(&ch), 0);
	return arg;
}

START_TEST(signals)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* Each scheduler begins anew. */
	run(_i, signals_main, NULL);
	run(_i, signals_main, NULL);
}
END_TEST

/* What channels of the child's have is its own, and the parent's theirs. */
static void *one_signal(void *arg)
{
	struct signalfd_siginfo buffer[4], info;
	struct baton_chan ch = BATON_CHAN_INIT(sizeof(info), 4, buffer);
	int sig = *(int *)arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	expect_eq(baton_signal_notify(&ch, &set), 0);
	kill(getpid(), sig);
	expect_eq(baton_chan_recv(&ch, &info), 0);
	expect_eq(info.ssi_signo, sig);
	return arg;
}

static void *forks(void *arg)
{
	int status, sig = SIGHUP;
	pid_t pid = fork();

	expect(pid >= 0);
	if (!pid) {
		alarm(10);
		expect(run_on(2, one_signal, &sig) == &sig);
		_exit(9);
	}
	expect_eq(waitpid(pid, &status, 0), pid);
	expect(WIFEXITED(status));
	expect_eq(WEXITSTATUS(status), 9);
	return arg;
}

static void in_plain_thread(void *arg)
{
	on_thread(forks, arg);
}

static void *signals_forked_main(void *arg)
{
	struct signalfd_siginfo buffer[4], info;
	struct baton_chan ch = BATON_CHAN_INIT(sizeof(info), 4, buffer);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expect_eq(baton_signal_notify(&ch, &set), 0);
	baton_call(in_plain_thread, NULL);
	kill(getpid(), SIGUSR1);
	expect_eq(baton_chan_recv(&ch, &info), 0);
	expect_eq(info.ssi_signo, SIGUSR1);
	return arg;
}

START_TEST(signals_forked)
{
	sigset_t set;

#ifdef SANITIZED
	/* Sanitizers make no promise for a child of several threads. */
	skip("signals_forked", "under a sanitizer");
	return;
#endif
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	run(_i, signals_forked_main, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("proc");
	TCase *tc = test_case(s, "proc");

	LOOP(names);
	LOOP(children);
	LOOP(signals);
	LOOP(signals_forked);
	return suite_main(s);
}
