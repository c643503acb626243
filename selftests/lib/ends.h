/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* ends.h - tests of how a process ends that broke a rule. */
#ifndef SELFTESTS_LIB_ENDS_H
#define SELFTESTS_LIB_ENDS_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common.h"

/* A first fiber, and what it says on standard error before it is no more. */
struct end {
	baton_fn fn;
	const char *says;
};

static inline void ends_child(const struct end *e, int out)
{
	const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	dup2(out, STDERR_FILENO);
	/* libcheck's own, and sanitizers', would not be ours. */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGFPE, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	run_on(1, e->fn, NULL);
	_exit(0);
}

/* The child's status, and what it says until @fd, which is closed, ends. */
static inline int ends_said(pid_t pid, int fd, char *said, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 &&
	       (n = read(fd, said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = 0;
	close(fd);
	return child_status(pid);
}

/* Run it in a process of its own: its status, and what it said. */
static inline int ends_run(const struct end *e, char *said, size_t size)
{
	int fd[2];
	pid_t pid;

	expect_eq(pipe(fd), 0);
	pid = fork();
	expect(pid >= 0);
	if (!pid)
		ends_child(e, fd[1]);
	close(fd[1]);
	return ends_said(pid, fd[0], said, size);
}

/* The unwinder of arm does not show the frame that it stops at. */
#ifdef __arm__
#define ENDS_FRAME	"  #0 "
#else
#define ENDS_FRAME	"  #1 "
#endif

static inline void ends_aborted(int status, const char *said, const char *says)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT ||
	    !strstr(said, says))
		ck_abort_msg("status %#x, not SIGABRT and \"%s\": %s", status,
			     says, said);
}

/* It says so, with the fiber and how it came there, and aborts. */
static inline void ends_clearly_as(const struct end *e)
{
	char said[8192];
	int status = ends_run(e, said, sizeof(said));

	ends_aborted(status, said, e->says);
	expect(strstr(said, "fiber 0x") && strstr(said, ENDS_FRAME));
}

/* More than a fiber's stack has. Not inlined: its name is in reports. */
static __attribute__((noinline, unused)) int ends_deeper(int n)
{
	volatile char room[512];

	memset((void *)room, n, sizeof(room));
	return n ? ends_deeper(n - 1) + room[n % 512] : room[0];
}

static inline void *ends_overflow(void *arg)
{
	return (void *)(intptr_t)ends_deeper(1 << 20) + (arg != NULL);
}

static inline void ends_overflow_in(void *arg)
{
	ends_overflow(arg);
}

#endif /* SELFTESTS_LIB_ENDS_H */
