// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * threads.c - the rows of tools/peers for threads: what one has without a
 * runtime. Where there is one worker they are on one CPU.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "../baton-bench/net.h"
#include "peer.h"

void peer_empty(void);
void peer_call_back(void (*fn)(void), intptr_t n);
void peer_from_thread(void (*fn)(void), intptr_t n);

static pthread_t spawn(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	peer_check(!pthread_create(&t, NULL, fn, arg), "thread");
	return t;
}

static void *yields(void *n)
{
	for (uintptr_t i = (uintptr_t)n; i; i--)
		sched_yield();
	return NULL;
}

static void yield_row(uint64_t n)
{
	pthread_t other = spawn(yields, (void *)(uintptr_t)n);

	yields((void *)(uintptr_t)n);
	pthread_join(other, NULL);
}

static void *give_back(void *arg)
{
	return arg;
}

static void spawn_row(uint64_t n)
{
	while (n--)
		pthread_join(spawn(give_back, NULL), NULL);
}

/* A channel without capacity, as it is made of a mutex and conditions */
struct chan {
	pthread_mutex_t lock;
	pthread_cond_t full;
	pthread_cond_t empty;
	int there;
	uint64_t v;
};

#define CHAN_INIT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, \
		    PTHREAD_COND_INITIALIZER, 0, 0 }

static struct chan to = CHAN_INIT, from = CHAN_INIT;

static void chan_send(struct chan *c, uint64_t v)
{
	pthread_mutex_lock(&c->lock);
	while (c->there)
		pthread_cond_wait(&c->empty, &c->lock);
	c->v = v;
	c->there = 1;
	pthread_cond_signal(&c->full);
	pthread_mutex_unlock(&c->lock);
}

static uint64_t chan_recv(struct chan *c)
{
	uint64_t v;

	pthread_mutex_lock(&c->lock);
	while (!c->there)
		pthread_cond_wait(&c->full, &c->lock);
	v = c->v;
	c->there = 0;
	pthread_cond_signal(&c->empty);
	pthread_mutex_unlock(&c->lock);
	return v;
}

static void *answers(void *n)
{
	for (uintptr_t i = (uintptr_t)n; i; i--)
		chan_send(&from, chan_recv(&to));
	return NULL;
}

static void chan_row(uint64_t n)
{
	pthread_t other = spawn(answers, (void *)(uintptr_t)n);

	for (uint64_t i = 0; i < n; i++) {
		chan_send(&to, i);
		peer_check(chan_recv(&from) == i, "element");
	}
	pthread_join(other, NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t inside;

static void *contender(void *n)
{
	for (uintptr_t i = (uintptr_t)n; i; i--) {
		pthread_mutex_lock(&mutex);
		inside++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void mutex_row(uint64_t n)
{
	pthread_t threads[4];

	inside = 0;
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 4; i++)
		threads[i] = spawn(contender, (void *)(uintptr_t)n);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	peer_check(inside == 4 * n, "exclusion");
}

static void call_row(uint64_t n)
{
	void (*volatile fn)(void) = peer_empty;

	while (n--)
		fn();
}

static void callback_row(uint64_t n)
{
	peer_call_back(peer_empty, (intptr_t)n);
}

static void foreign_row(uint64_t n)
{
	peer_from_thread(peer_empty, (intptr_t)n);
}

static void *echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	close(fd);
	return NULL;
}

static void serve(uint16_t port)
{
	int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port),
	};

	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	peer_check(!bind(listening, (struct sockaddr *)&a, sizeof(a)) &&
		   !listen(listening, BACKLOG), "listen");
	for (;;) {
		fd = accept(listening, NULL, NULL);
		peer_check(fd >= 0, "accept");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		pthread_detach(spawn(echo, (void *)(intptr_t)fd));
	}
}

static const struct peer_row rows[] = {
	{ "yield", 1, 2, yield_row },
	{ "spawn", 1, 1, spawn_row },
	{ "chan1", 1, 1, chan_row },
	{ "chan2", 2, 1, chan_row },
	{ "mutex", 1, 4, mutex_row },
	{ "call", 1, 1, call_row },
	{ "callback", 1, 1, callback_row },
	{ "foreign", 1, 1, foreign_row },
	{ NULL, 0, 0, NULL }
};

static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	const struct peer_row *row;

	if (argc > 2 && !strcmp(argv[1], "echo"))
		serve((uint16_t)atoi(argv[2]));
	row = peer_row(rows, argv[1]);
	if (row->workers == 1)
		stay_here();
	peer_measure(row);
	return 0;
}
