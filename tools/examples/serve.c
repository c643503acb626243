// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * serve.c - the frame of a server, see serve.h
 *
 * A client is in the list from before it is served until after that; whoever
 * holds the lock may use the sockets and fibers of those in the list. Stopping
 * shuts the sockets down for reading only: who waits for the next request sees
 * the end, and who sends an answer does not notice.
 */
#include "serve.h"

#include <baton/baton.h>
#include <baton/io.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#define BACKLOG 1024

/**
 * struct server - one that runs
 * @options:  which
 * @signals:  those that stop it
 * @fd:       the listening socket
 * @stopping: no further requests
 * @room:     for so many more clients
 * @served:   the clients that there are
 * @lock:     for @first and those behind it
 * @first:    client of the list
 * @err:      why it could not begin
 */
struct server {
	const struct serve_options *options;
	sigset_t signals;
	int fd;
	_Atomic bool stopping;
	struct baton_sem room;
	struct baton_wg served;
	struct baton_mutex lock;
	struct client *first;
	int err;
};

/**
 * struct client - of a server
 * @server: its server
 * @fiber:  serves it
 * @next:   in the list
 * @link:   what points at this one there
 * @fd:     its socket
 */
struct client {
	struct server *server;
	struct baton_fiber *fiber;
	struct client *next;
	struct client **link;
	int fd;
};

bool serve_option(struct serve_options *o, int opt, const char *text)
{
	switch (opt) {
	case 'a':
		o->address = text;
		return true;
	case 'c':
		o->clients = (unsigned int)strtoul(text, NULL, 10);
		return true;
	case 'p':
		o->port = text;
		return true;
	}
	return false;
}

bool serve_stopping(const struct client *c)
{
	return c->server->stopping;
}

/* Nobody cancels who is not in the list yet: the lock is had. */
static void enter(struct client *c)
{
	struct server *s = c->server;

	c->fiber = baton_self();
	baton_mutex_lock(&s->lock);
	c->next = s->first;
	c->link = &s->first;
	if (c->next)
		c->next->link = &c->next;
	s->first = c;
	if (s->stopping)
		baton_shutdown(c->fd, SHUT_RD);
	baton_mutex_unlock(&s->lock);
}

/* A cancel that nobody has heard of would come between it and the lock. */
static void leave(struct client *c)
{
	struct server *s = c->server;

	baton_cancel_mask();
	baton_mutex_lock(&s->lock);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	baton_mutex_unlock(&s->lock);
	baton_close(c->fd);
	baton_free(c);
	baton_sem_post(&s->room);
	baton_wg_done(&s->served);
	baton_cancel_unmask();
}

/*
 * Let the client read its answers: closing a socket from which not all has been
 * read resets the connection, and drops what is still to be sent.
 */
static void linger(struct client *c)
{
	int64_t deadline = baton_now() + BATON_SEC;
	char unread[1024];

	baton_shutdown(c->fd, SHUT_WR);
	/* Who goes on and on sending has no longer either. */
	while (baton_now() < deadline &&
	       baton_recv_until(c->fd, unread, sizeof(unread), 0, deadline) > 0)
		;
}

static void *serve_client(void *arg)
{
	struct client *c = arg;
	const struct serve_options *o = c->server->options;

	enter(c);
	o->serve(c, c->fd, o->arg);
	linger(c);
	leave(c);
	return NULL;
}

static int start_client(struct server *s, int fd)
{
	struct client *c = baton_malloc(sizeof(*c));
	int err = -ENOMEM;

	if (c) {
		*c = (struct client){ .server = s, .fd = fd };
		baton_wg_add(&s->served, 1);
		err = baton_spawn(NULL, NULL, serve_client, c);
		if (!err)
			return 0;
		baton_wg_done(&s->served);
		baton_free(c);
	}
	baton_close(fd);
	return err;
}

/* What passes by itself, or when others have closed something. */
static bool passes(int err)
{
	switch (err) {
	case -EBADF:
	case -ECANCELED:
	case -EFAULT:
	case -EINVAL:
	case -ENOTSOCK:
	case -EOPNOTSUPP:
		return false;
	default:
		return true;
	}
}

/* Until it is canceled. baton_accept4() sees to it that errors come slowly. */
static void *accept_clients(void *arg)
{
	struct server *s = arg;
	int said = 0, err = 0;

	while (!s->stopping) {
		err = baton_sem_wait(&s->room);
		if (err)
			break;
		err = baton_accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (err >= 0)
			err = start_client(s, err);
		if (!err)
			continue;
		baton_sem_post(&s->room);
		if (!passes(err))
			break;
		if (said != err)
			fprintf(stderr, "%s: cannot accept: %s\n",
				s->options->name, strerror(-err));
		said = err;
	}
	if (!s->stopping)
		fprintf(stderr, "%s: accepts no more: %s\n", s->options->name,
			strerror(-err));
	return NULL;
}

static int listen_at(const struct addrinfo *ai)
{
	const int on = 1;
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
		err = -errno;
		baton_close(fd);
		return err;
	}
	return fd;
}

static int open_socket(const struct serve_options *o)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *ai;
	int err, fd = -EADDRNOTAVAIL;

	err = baton_getaddrinfo(o->address, o->port, &hints, &ai);
	if (err) {
		fprintf(stderr, "%s: %s: %s\n", o->name, o->address,
			gai_strerror(err));
		return -EINVAL;
	}
	for (const struct addrinfo *a = ai; a && fd < 0; a = a->ai_next)
		fd = listen_at(a);
	freeaddrinfo(ai);
	if (fd < 0)
		fprintf(stderr, "%s: %s, port %s: %s\n", o->name, o->address,
			o->port, strerror(-fd));
	return fd;
}

static void say_port(const struct server *s)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char port[NI_MAXSERV];

	if (getsockname(s->fd, (struct sockaddr *)&a, &len) ||
	    getnameinfo((struct sockaddr *)&a, len, NULL, 0, port, sizeof(port),
			NI_NUMERICSERV))
		return;
	printf("%s: port %s\n", s->options->name, port);
	fflush(stdout);
}

static void stop(struct server *s, struct baton_fiber *acceptor)
{
	s->stopping = true;
	baton_cancel(acceptor);
	baton_join(acceptor, NULL);
	baton_close(s->fd);
	baton_mutex_lock(&s->lock);
	for (struct client *c = s->first; c; c = c->next)
		baton_shutdown(c->fd, SHUT_RD);
	baton_mutex_unlock(&s->lock);
	if (!baton_wg_wait_until(&s->served, baton_now() + s->options->grace))
		return;
	baton_mutex_lock(&s->lock);
	for (struct client *c = s->first; c; c = c->next)
		baton_cancel(c->fiber);
	baton_mutex_unlock(&s->lock);
	baton_wg_wait(&s->served);
}

static void *first(void *arg)
{
	struct server *s = arg;
	struct signalfd_siginfo buffer;
	struct baton_fiber *acceptor;
	struct baton_chan signals;

	s->fd = open_socket(s->options);
	if (s->fd < 0) {
		s->err = s->fd;
		return NULL;
	}
	baton_chan_init(&signals, sizeof(buffer), 1, &buffer);
	s->err = baton_signal_notify(&signals, &s->signals);
	if (!s->err)
		s->err = baton_spawn(&acceptor, NULL, accept_clients, s);
	if (s->err) {
		fprintf(stderr, "%s: %s\n", s->options->name, baton_reason());
		baton_close(s->fd);
		return NULL;
	}
	say_port(s);
	baton_chan_recv(&signals, NULL);
	stop(s, acceptor);
	baton_signal_stop(&signals);
	return NULL;
}

/* As many descriptors as we may have. */
static void raise_limit(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int serve(const struct serve_options *o)
{
	struct server s = { .options = o };
	int err;

	err = baton_sem_init(&s.room, o->clients);
	if (err) {
		fprintf(stderr, "%s: %s\n", o->name, baton_reason());
		return err;
	}
	raise_limit();
	/* A client that has gone is -EPIPE. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&s.signals);
	sigaddset(&s.signals, SIGTERM);
	sigaddset(&s.signals, SIGINT);
	/* The scheduler's threads inherit it. */
	sigprocmask(SIG_BLOCK, &s.signals, NULL);
	err = baton_run(NULL, first, &s, NULL);
	if (err)
		fprintf(stderr, "%s: %s\n", o->name, baton_reason());
	return err ? err : s.err;
}
