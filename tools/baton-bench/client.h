/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* client.h - the client's process, and which CPUs and descriptors there are. */
#ifndef BATON_BENCH_CLIENT_H
#define BATON_BENCH_CLIENT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>

#include "net.h"

/**
 * struct client_process - the client's process
 * @server: this one
 * @pid:    the other one
 * @fd:     where it has its orders from
 * @cpus:   the server's, and the client's if it is another
 * @alone:  it is another
 * @before: the CPUs that we had before
 */
struct client_process {
	pid_t server;
	pid_t pid;
	int fd;
	int cpus[2];
	bool alone;
	cpu_set_t before;
};

unsigned int bench_cpus(int *cpus, unsigned int n);
void bench_pin(const int *cpus, unsigned int n);
bool client_descriptors(unsigned int conns, unsigned int *have);
int client_start(struct client_process *p);
int client_order(struct client_process *p, const struct load *l);
int client_result(struct client_process *p, struct load_result *r);
void client_stop(struct client_process *p);

#endif /* BATON_BENCH_CLIENT_H */
