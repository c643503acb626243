// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cost.c - what a context switch costs where the module is; no test
 *
 * A byte goes to and fro between two processes through pipes: two switches, and
 * each of them blocks once. They are measured without the module; with it, for
 * each way in which it can be told of switches: loaded; in use by a third, who
 * sleeps; and with one of the two a worker, in a state in which it keeps its
 * processor. Nanoseconds; instructions, where those are counted:
 *
 *	BATON_KO=build/kmod/6.12/baton.ko selftests/vm/run -i -k 6.12 -- \
 *		build/selftests/kmod/cost
 */

#include "lifetime.h"

#define TRIPS	20000

static void echo(int from, int to)
{
	char c;

	die_with_parent();
	while (read(from, &c, 1) == 1 && write(to, &c, 1) == 1)
		;
	_exit(0);
}

/* Of one round trip; a negative number if there is none. */
static double trip(void)
{
	int there[2], back[2], i;
	uint64_t begin;
	char c = 0;
	pid_t pid;

	if (pipe(there) || pipe(back))
		return -1;
	pid = fork();
	if (!pid) {
		close(there[1]);
		echo(there[0], back[1]);
	}
	begin = 0;
	for (i = -TRIPS / 10; i < TRIPS; i++) {
		if (!i)
			begin = now_ns();
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			return -1;
	}
	begin = now_ns() - begin;
	close(there[0]);
	close(there[1]);
	close(back[0]);
	close(back[1]);
	waitpid(pid, NULL, 0);
	return (double)begin / TRIPS;
}

static double without;

static void say(const char *way, const char *what)
{
	double ns = trip();

	if (!without)
		without = ns;
	printf("%-10s  %-22s %9.1f %8.4f\n", way, what, ns, ns / without);
	fflush(stdout);
}

static void die(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

/* A process whose worker sleeps until the pipe is closed. */
static pid_t start_user(int *fd)
{
	struct inst in;
	int sync[2];
	pid_t pid;
	char c = 0;

	if (pipe(sync))
		die("pipe", -errno);
	pid = fork();
	if (!pid) {
		close(sync[1]);
		if (inst_open(&in, 1, 2) || inst_register(&in) < 0)
			_exit(1);
		_exit(read(sync[0], &c, 1) == 1);
	}
	close(sync[0]);
	*fd = sync[1];
	if (!poll_until(module_refcnt() >= 2))
		die("user", -ETIMEDOUT);
	return pid;
}

static void measure(const char *way)
{
	char params[64];
	struct inst in;
	pid_t pid;
	int fd, ret;

	snprintf(params, sizeof(params), "hook=%s", way);
	ret = module_load_with(params);
	if (ret)
		return;
	say(way, "loaded");
	pid = start_user(&fd);
	say(way, "in use");
	close(fd);
	waitpid(pid, NULL, 0);
	ret = inst_open(&in, 1, 2);
	if (!ret)
		ret = inst_register(&in);
	if (ret < 0)
		die("register", ret);
	say(way, "one of the two a worker");
	inst_unregister(&in);
	inst_close(&in);
}

int main(void)
{
	static const char *const ways[] = { "notifiers", "tracepoint" };
	unsigned int i;
	int ret;

	if (!getenv("BATON_KO"))
		die("BATON_KO", -ENOENT);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!wait_module_idle() || (ret = module_remove()))
			die("rmmod", ret);
		/* The first after boot is off */
		if (!i)
			trip();
		say("-", "no module");
		measure(ways[i]);
	}
	return 0;
}
