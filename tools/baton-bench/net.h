/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * net.h - what the scenarios with connections share: a client, which is a
 * process of its own on a CPU of its own; and a server to compare with.
 *
 * The client sends a message of MESSAGE bytes on each connection, and the next
 * one once all of it has come back.
 */
#ifndef BATON_BENCH_NET_H
#define BATON_BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MESSAGE		128
#define BACKLOG		4096

enum load_kind {
	LOAD_ECHO,	/* messages on all connections for some time */
	LOAD_CHURN,	/* connections of one message each, one after the other */
	LOAD_IDLE,	/* nothing, after a first message on each */
};

/**
 * struct load - what a client is to do
 * @kind:    see there
 * @port:    of the server, on 127.0.0.1
 * @conns:   connections at once
 * @total:   LOAD_CHURN: how many in all
 * @warm_ns: for how long before it counts
 * @ns:      for how long it counts; not LOAD_CHURN
 * @server:  whose CPU time and wake-ups to count; 0 nobody's
 */
struct load {
	enum load_kind kind;
	uint16_t port;
	unsigned int conns;
	uint64_t total;
	uint64_t warm_ns;
	uint64_t ns;
	pid_t server;
};

/**
 * struct load_result - what came of it
 * @requests: messages that came back, or connections
 * @ns:       in what time
 * @p50_ns, @p99_ns: from a message, or a connection, to its answer
 * @least, @most: messages of the connection that had fewest, and most
 * @server_ns: the server's CPU time meanwhile
 * @wakeups:  how many times threads of the server went to sleep or were
 *            preempted; LOAD_IDLE only
 * @client_ns: the client's own CPU time
 * @error:    errno, where something failed; else 0
 * @what:     failed
 */
struct load_result {
	uint64_t requests;
	uint64_t ns;
	uint64_t p50_ns;
	uint64_t p99_ns;
	uint64_t least;
	uint64_t most;
	uint64_t server_ns;
	uint64_t wakeups;
	uint64_t client_ns;
	int error;
	char what[48];
};

/* load.c - the client */
void load_run(const struct load *l, struct load_result *r);

/* eloop.c - the reference */
int eloop_listen(uint16_t *port);
int eloop_serve(int fd, uint64_t total);
bool eloop_echo(int fd);

/* uloop.c - others, by a ring */
enum uloop_how {
	ULOOP_POLL,	/* polls that stay, and system calls */
	ULOOP_RECV,	/* receives that stay, and sends */
	ULOOP_ZC,	/* the same, sent without a copy */
};

int uloop_probe(void);
int uloop_serve(int fd, uint64_t total, enum uloop_how how);

#endif /* BATON_BENCH_NET_H */
