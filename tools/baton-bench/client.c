// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * client.c - the client's process, and which CPUs and descriptors there are.
 *
 * The process is forked before a scheduler runs, takes one order after the
 * other from a socket, and ends when that is closed. The server's side is on
 * the first CPU that we may use, and the client on the second, where there is
 * one.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

/* Descriptors besides those of the connections */
#define OTHERS 64

/* Return: how many CPUs this thread may use, of which @n are put into @cpus. */
unsigned int bench_cpus(int *cpus, unsigned int n)
{
	cpu_set_t set;
	unsigned int count = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (count < n)
			cpus[count] = cpu;
		count++;
	}
	return count;
}

/* This thread, and those that it starts, run on the first @n CPUs only. */
void bench_pin(const int *cpus, unsigned int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int i = 0; i < n; i++)
		CPU_SET(cpus[i], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * See to it that each of two processes can have @conns connections. Return:
 * whether they can; *@have, how many.
 */
bool client_descriptors(unsigned int conns, unsigned int *have)
{
	struct rlimit lim;
	rlim_t need = conns + OTHERS;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return false;
	if (lim.rlim_cur < need) {
		lim.rlim_cur = need;
		if (lim.rlim_max < need)
			lim.rlim_max = need;	/* it may need a privilege */
		setrlimit(RLIMIT_NOFILE, &lim);
		getrlimit(RLIMIT_NOFILE, &lim);
	}
	*have = lim.rlim_cur < OTHERS ? 0 : (unsigned int)lim.rlim_cur - OTHERS;
	return lim.rlim_cur >= need;
}

static bool get(int fd, void *what, size_t size)
{
	return recv(fd, what, size, MSG_WAITALL) == (ssize_t)size;
}

static void __attribute__((noreturn)) serve_orders(int fd)
{
	struct load_result result;
	struct load order;

	while (get(fd, &order, sizeof(order))) {
		load_run(&order, &result);
		if (send(fd, &result, sizeof(result), MSG_NOSIGNAL) !=
		    sizeof(result))
			break;
	}
	_exit(0);
}

/* Return: 0; -1 with errno set. */
int client_start(struct client_process *p)
{
	int fds[2];
	unsigned int n = bench_cpus(p->cpus, 2);

	p->server = getpid();
	if (sched_getaffinity(0, sizeof(p->before), &p->before) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	p->alone = n > 1;
	p->pid = fork();
	if (!p->pid) {
		close(fds[0]);
		bench_pin(&p->cpus[n > 1], 1);
		serve_orders(fds[1]);
	}
	close(fds[1]);
	p->fd = fds[0];
	if (p->pid < 0) {
		close(p->fd);
		return -1;
	}
	bench_pin(p->cpus, 1);
	return 0;
}

/* Return: 0; -1 with errno set. The server is to run next. */
int client_order(struct client_process *p, const struct load *l)
{
	return send(p->fd, l, sizeof(*l), MSG_NOSIGNAL) == sizeof(*l) ? 0 : -1;
}

/* Return: 0, the client has been successful; -1 see r->error. */
int client_result(struct client_process *p, struct load_result *r)
{
	if (!get(p->fd, r, sizeof(*r))) {
		r->error = EPIPE;
		snprintf(r->what, sizeof(r->what), "the client is gone");
	}
	return r->error ? -1 : 0;
}

void client_stop(struct client_process *p)
{
	close(p->fd);
	waitpid(p->pid, NULL, 0);
	sched_setaffinity(0, sizeof(p->before), &p->before);
}
