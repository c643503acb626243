/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * serve.h - the frame of a server: one fiber per client, a limit, a graceful
 * stop. httpd and sqld hang in it.
 */
#ifndef SERVE_H
#define SERVE_H

#include <stdbool.h>
#include <stdint.h>

struct client;

/**
 * struct serve_options - what a server is
 * @name:    of the program, for what it says
 * @address: of the listening socket, a name or a number
 * @port:    its port; "0": any that is free
 * @clients: how many are served at once; the next ones wait to be accepted
 * @grace:   nanoseconds for those in service when the server is to stop
 * @serve:   a fiber of its own for each client: talks to it, and does not close
 *           the socket. It ends at -ECANCELED, whatever has returned that. What
 *           it has sent arrives, though it may have left something unread.
 * @arg:     for @serve
 */
struct serve_options {
	const char *name;
	const char *address;
	const char *port;
	unsigned int clients;
	int64_t grace;
	void (*serve)(struct client *c, int fd, void *arg);
	void *arg;
};

/* What serve_option() takes, for getopt(), and what it has by default. */
#define SERVE_OPTIONS	"a:c:p:"
#define SERVE_DEFAULTS	.address = "127.0.0.1", .port = "0", .clients = 1000

/**
 * serve_option() - an option that all servers have: an address, a port, clients
 * @opt:  as getopt() returns it
 * @text: its argument
 *
 * Return: false, it is none of them.
 */
bool serve_option(struct serve_options *o, int opt, const char *text);

/**
 * serve() - be a server until SIGTERM or SIGINT
 * @o: which
 *
 * Prints "NAME: port N" when it listens. From main(), before there are any
 * threads: it is what calls baton_run(). When it stops, nobody is accepted any
 * more, clients see the end of what they can send, and after @grace those still
 * in service are canceled.
 *
 * Return: 0, or -errno, of which standard error says more.
 */
int serve(const struct serve_options *o);

/** serve_stopping() - is this the last answer that the client can have? */
bool serve_stopping(const struct client *c);

#endif /* SERVE_H */
