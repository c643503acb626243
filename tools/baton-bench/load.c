// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * load.c - the client of servers that echo: one thread, one epoll(7).
 *
 * It has one message under way on each connection, so that the server is never
 * asked for more than it has done, and counts for each connection what came
 * back. Connections are ended by a reset, which leaves no port in TIME_WAIT: a
 * run makes more of them than there are ports.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

#define EVENTS		256
#define BURST		256u	/* connections that are made at once */
#define SUB		64u	/* buckets for each power of two: 1.6 % wide */
#define BUCKETS		(SUB * 40)
#define PATIENCE_MS	20000

/**
 * struct conn - a connection
 * @fd:    its descriptor; -1 none
 * @got:   bytes of the answer that are there
 * @seq:   the number of its message
 * @sent:  when that was sent; LOAD_CHURN: when the connection was begun
 * @count: answers that count
 * @buf:   the answer
 */
struct conn {
	int fd;
	unsigned int got;
	uint64_t seq;
	uint64_t sent;
	uint64_t count;
	unsigned char buf[MESSAGE];
};

/**
 * struct client - one run
 * @l:       what is to be done
 * @r:       what has come of it
 * @conns:   the connections
 * @ep:      epoll
 * @now:     when the last events were read
 * @open:    connections that there are
 * @waiting: how many of them have a message under way
 * @begun:   LOAD_CHURN: connections that were begun
 * @counts:  this is the time that counts
 * @ending:  no more messages
 * @hist:    times until an answer, in buckets
 */
struct client {
	const struct load *l;
	struct load_result *r;
	struct conn *conns;
	int ep;
	uint64_t now;
	unsigned int open;
	unsigned int waiting;
	uint64_t begun;
	bool counts;
	bool ending;
	uint64_t hist[BUCKETS];
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t process_ns(pid_t pid)
{
	clockid_t id;

	return pid && !clock_getcpuclockid(pid, &id) ? clock_ns(id) : 0;
}

/* Return: -1; the first failure is what is reported. */
static int fail(struct client *c, int error, const char *what)
{
	if (!c->r->error) {
		c->r->error = error ? error : EPROTO;
		snprintf(c->r->what, sizeof(c->r->what), "%s", what);
	}
	return -1;
}

/* --- times until an answer ---------------------------------------------- */

static unsigned int bucket(uint64_t ns)
{
	unsigned int shift = 0, i;

	if (ns >= SUB)
		shift = 57 - (unsigned int)__builtin_clzll(ns);
	i = shift * SUB + (unsigned int)(ns >> shift);
	return i < BUCKETS ? i : BUCKETS - 1;
}

/* The least time of a bucket; what bucket() does, backwards. */
static uint64_t bucket_ns(unsigned int i)
{
	unsigned int shift = i < 2 * SUB ? 0 : i / SUB - 1;

	return (uint64_t)(i - shift * SUB) << shift;
}

static uint64_t percentile(const struct client *c, unsigned int pct)
{
	uint64_t rank = (c->r->requests * pct + 99) / 100, sum = 0;

	for (unsigned int i = 0; i < BUCKETS; i++) {
		sum += c->hist[i];
		if (sum && sum >= rank)
			return bucket_ns(i);
	}
	return 0;
}

/* --- a connection ------------------------------------------------------- */

static int send_message(struct client *c, struct conn *conn)
{
	unsigned char msg[MESSAGE];
	uint64_t id = (uint64_t)(conn - c->conns);

	memset(msg, (int)(conn->seq & 0xff), sizeof(msg));
	memcpy(msg, &id, sizeof(id));
	memcpy(msg + sizeof(id), &conn->seq, sizeof(conn->seq));
	conn->got = 0;
	if (send(conn->fd, msg, sizeof(msg), MSG_NOSIGNAL) != MESSAGE)
		return fail(c, errno, "send");
	c->waiting++;
	return 0;
}

/* On this machine it is made at once, accepted or not. */
static int begin(struct client *c, struct conn *conn)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(c->l->port),
	};
	struct linger reset = { .l_onoff = 1 };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = conn };
	int one = 1, fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(c, errno, "socket");
	conn->fd = fd;
	c->open++;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fail(c, errno, "connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(c->ep, EPOLL_CTL_ADD, fd, &ev))
		return fail(c, errno, "epoll_ctl");
	return 0;
}

static void end(struct client *c, struct conn *conn)
{
	close(conn->fd);
	conn->fd = -1;
	c->open--;
}

static int begin_next(struct client *c, struct conn *conn)
{
	if (c->begun == c->l->total)
		return 0;
	c->begun++;
	conn->sent = clock_ns(CLOCK_MONOTONIC);
	conn->seq++;
	return begin(c, conn) || send_message(c, conn) ? -1 : 0;
}

static int answered(struct client *c, struct conn *conn)
{
	uint64_t head[2];

	memcpy(head, conn->buf, sizeof(head));
	if (head[0] != (uint64_t)(conn - c->conns) || head[1] != conn->seq ||
	    conn->buf[MESSAGE - 1] != (conn->seq & 0xff))
		return fail(c, 0, "an answer that was not to this message");
	c->waiting--;
	if (c->counts) {
		conn->count++;
		c->r->requests++;
		c->hist[bucket(c->now - conn->sent)]++;
	}
	if (c->l->kind == LOAD_CHURN) {
		end(c, conn);
		return begin_next(c, conn);
	}
	if (c->ending)
		return 0;
	conn->seq++;
	conn->sent = c->now;
	return send_message(c, conn);
}

static int readable(struct client *c, struct conn *conn)
{
	ssize_t n = recv(conn->fd, conn->buf + conn->got, MESSAGE - conn->got,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return fail(c, errno, "recv");
	if (!n)
		return fail(c, 0, "the server closed a connection");
	conn->got += (unsigned int)n;
	return conn->got < MESSAGE ? 0 : answered(c, conn);
}

/* --- a run -------------------------------------------------------------- */

/* Serve what comes until @until, or as long as messages are under way. */
static int go_on(struct client *c, uint64_t until)
{
	struct epoll_event ev[EVENTS];
	int n;

	while (c->waiting) {
		n = epoll_wait(c->ep, ev, EVENTS, PATIENCE_MS);
		if (n < 0 && errno != EINTR)
			return fail(c, errno, "epoll_wait");
		if (!n)
			return fail(c, ETIMEDOUT, "no answer");
		c->now = clock_ns(CLOCK_MONOTONIC);
		for (int i = 0; i < n; i++)
			if (readable(c, ev[i].data.ptr))
				return -1;
		if (c->now >= until)
			return 0;
	}
	return 0;
}

/* All connections, each of which has had an answer: the server knows it. */
static int connect_all(struct client *c)
{
	c->ending = true;
	for (unsigned int i = 0; i < c->l->conns; i++) {
		if (begin(c, &c->conns[i]) || send_message(c, &c->conns[i]))
			return -1;
		if ((i + 1) % BURST == 0 && go_on(c, UINT64_MAX))
			return -1;
	}
	return go_on(c, UINT64_MAX);
}

static int run_echo(struct client *c)
{
	uint64_t start, server;

	c->ending = false;
	c->now = clock_ns(CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < c->l->conns; i++) {
		c->conns[i].seq++;
		c->conns[i].sent = c->now;
		if (send_message(c, &c->conns[i]))
			return -1;
	}
	if (go_on(c, c->now + c->l->warm_ns))
		return -1;
	server = process_ns(c->l->server);
	c->r->client_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	start = clock_ns(CLOCK_MONOTONIC);
	c->counts = true;
	if (go_on(c, start + c->l->ns))
		return -1;
	c->counts = false;
	c->r->ns = clock_ns(CLOCK_MONOTONIC) - start;
	c->r->server_ns = process_ns(c->l->server) - server;
	c->r->client_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - c->r->client_ns;
	c->ending = true;
	return go_on(c, UINT64_MAX);
}

static int run_churn(struct client *c)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	uint64_t server = process_ns(c->l->server);

	c->r->client_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	c->counts = true;
	for (unsigned int i = 0; i < c->l->conns; i++)
		if (begin_next(c, &c->conns[i]))
			return -1;
	if (go_on(c, UINT64_MAX))
		return -1;
	c->r->ns = clock_ns(CLOCK_MONOTONIC) - start;
	c->r->server_ns = process_ns(c->l->server) - server;
	c->r->client_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - c->r->client_ns;
	return 0;
}

/* How often the threads of a process went to sleep or were preempted */
static uint64_t switches(pid_t pid)
{
	char path[300], line[128];
	uint64_t sum = 0;
	unsigned long long n;
	struct dirent *d;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status",
			 (int)pid, d->d_name);
		f = d->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "voluntary_ctxt_switches: %llu",
				   &n) == 1 ||
			    sscanf(line, "nonvoluntary_ctxt_switches: %llu",
				   &n) == 1)
				sum += n;
		}
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static void pause_ns(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static int run_idle(struct client *c)
{
	uint64_t start, server, before;

	pause_ns(c->l->warm_ns);
	start = clock_ns(CLOCK_MONOTONIC);
	server = process_ns(c->l->server);
	before = switches(c->l->server);
	pause_ns(c->l->ns);
	c->r->wakeups = switches(c->l->server) - before;
	c->r->server_ns = process_ns(c->l->server) - server;
	c->r->ns = clock_ns(CLOCK_MONOTONIC) - start;
	return 0;
}

static void sum_up(struct client *c)
{
	struct load_result *r = c->r;

	r->least = UINT64_MAX;
	for (unsigned int i = 0; i < c->l->conns; i++) {
		uint64_t n = c->conns[i].count;

		r->least = n < r->least ? n : r->least;
		r->most = n > r->most ? n : r->most;
	}
	r->p50_ns = percentile(c, 50);
	r->p99_ns = percentile(c, 99);
}

/* All of it; whoever is to be the only one on its CPU has seen to that. */
void load_run(const struct load *l, struct load_result *r)
{
	struct client *c = calloc(1, sizeof(*c));

	*r = (struct load_result) { 0 };
	if (!c) {
		r->error = ENOMEM;
		return;
	}
	c->l = l;
	c->r = r;
	c->conns = calloc(l->conns, sizeof(*c->conns));
	c->ep = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned int i = 0; c->conns && i < l->conns; i++)
		c->conns[i].fd = -1;
	if (!c->conns || c->ep < 0) {
		fail(c, errno, "client");
	} else if (l->kind == LOAD_CHURN) {
		run_churn(c);
	} else if (!connect_all(c)) {
		if (l->kind == LOAD_ECHO)
			run_echo(c);
		else
			run_idle(c);
	}
	if (!r->error)
		sum_up(c);
	for (unsigned int i = 0; c->conns && i < l->conns; i++)
		if (c->conns[i].fd >= 0)
			close(c->conns[i].fd);
	if (c->ep >= 0)
		close(c->ep);
	free(c->conns);
	free(c);
}
