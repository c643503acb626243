// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * crawl.c - which ports of a host are open: a fiber per port, as many at once
 * as a semaphore lets through, each with a deadline. What they find comes
 * through a channel.
 *
 *	crawl [-c AT-ONCE] [-t SECONDS] [-T SECONDS] HOST FIRST LAST
 *
 * Prints each port that is open, and the first line that comes from there by
 * itself, if one does; then how many were open, closed (they refused) and
 * silent (nothing came, or an error). -t is the time for each port. After that
 * of -T those still in progress are canceled, and not counted.
 */
#include <baton/baton.h>
#include <baton/io.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 80

enum state { OPEN, CLOSED, SILENT, STATES };

/**
 * struct found - what there is to say of a port
 * @port:  it
 * @state: its state
 * @line:  what came from there
 */
struct found {
	unsigned int port;
	enum state state;
	char line[LINE];
};

/**
 * struct probe - a port, and who looks at it
 * @crawl: of which this is a part
 * @fiber: or NULL: there is none yet
 * @port:  it
 */
struct probe {
	struct crawl *crawl;
	struct baton_fiber *fiber;
	unsigned int port;
};

/**
 * struct crawl - all of it
 * @host:    to look at
 * @first:   port
 * @last:    port
 * @timeout: nanoseconds for each port
 * @total:   nanoseconds for all of them; BATON_NEVER
 * @ai:      the addresses of @host
 * @probes:  one for each port
 * @room:    for so many more fibers
 * @found:   a channel of struct found
 * @n:       ports in each state
 * @err:     why this is not all
 */
struct crawl {
	const char *host;
	unsigned int first, last;
	int64_t timeout, total;
	struct addrinfo *ai;
	struct probe *probes;
	struct baton_sem room;
	struct baton_chan found;
	unsigned int n[STATES];
	int err;
};

static unsigned int count(const struct crawl *c)
{
	return c->last - c->first + 1;
}

/* --- one port --------------------------------------------------------- */

/* A socket that looks for a free port of this host may find itself. */
static bool is_itself(int fd)
{
	struct sockaddr_storage a = { 0 }, b = { 0 };
	socklen_t n = sizeof(a), m = sizeof(b);

	return !getsockname(fd, (struct sockaddr *)&a, &n) &&
	       !getpeername(fd, (struct sockaddr *)&b, &m) && n == m &&
	       !memcmp(&a, &b, n);
}

static int connect_to(int fd, const struct addrinfo *ai, unsigned int port,
		      int64_t deadline)
{
	struct sockaddr_storage a = { 0 };
	int err;

	memcpy(&a, ai->ai_addr, ai->ai_addrlen);
	if (a.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)&a)->sin_port = htons((uint16_t)port);
	err = baton_connect_until(fd, (struct sockaddr *)&a, ai->ai_addrlen,
				  deadline);
	return !err && is_itself(fd) ? -ECONNREFUSED : err;
}

/* What can be shown of the first line. Return: 0; -ECANCELED. */
static int get_line(int fd, char line[LINE], int64_t deadline)
{
	size_t have = 0;
	ssize_t n = 1;

	while (n > 0 && have < LINE - 1 && !memchr(line, '\n', have)) {
		n = baton_recv_until(fd, line + have, LINE - 1 - have, 0,
				     deadline);
		if (n > 0)
			have += (size_t)n;
	}
	for (size_t i = 0; i < have; i++) {
		if (line[i] == '\r' || line[i] == '\n')
			have = i;
		else if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	}
	line[have] = 0;
	return n == -ECANCELED ? -ECANCELED : 0;
}

/* Return: 0; -errno @f says nothing. */
static int look(const struct probe *p, struct found *f)
{
	const struct addrinfo *ai = p->crawl->ai;
	int64_t deadline = baton_now() + p->crawl->timeout;
	int fd, err;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = connect_to(fd, ai, p->port, deadline);
	f->state = !err			? OPEN :
		   err == -ECONNREFUSED ? CLOSED :
					  SILENT;
	if (!err)
		err = get_line(fd, f->line, deadline);
	baton_close(fd);
	return err == -ECANCELED ? err : 0;
}

static void *probe(void *arg)
{
	struct probe *p = arg;
	struct found f = { .port = p->port };
	int err = look(p, &f);

	if (!err)
		baton_chan_send(&p->crawl->found, &f);
	else if (err != -ECANCELED)
		p->crawl->err = err;
	baton_sem_post(&p->crawl->room);
	return NULL;
}

/* --- all of them ------------------------------------------------------ */

/* Return: 0; -ECANCELED, or another error: those that there are go on. */
static int start_all(struct crawl *c)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < count(c); i++) {
		struct probe *p = &c->probes[i];

		p->crawl = c;
		p->port = c->first + i;
		err = baton_sem_wait(&c->room);
		if (!err)
			err = baton_spawn(&p->fiber, NULL, probe, p);
	}
	return err;
}

/* Return: 0; -ECANCELED: those that are left are to be joined again. */
static int join_all(struct crawl *c)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < count(c); i++) {
		struct probe *p = &c->probes[i];

		if (p->fiber)
			err = baton_join(p->fiber, NULL);
		if (!err)
			p->fiber = NULL;
	}
	return err;
}

/* No probe outlives this one. It is canceled once, and cancels all of them. */
static void *manage(void *arg)
{
	struct crawl *c = arg;
	int err = start_all(c);

	if (!err)
		err = join_all(c);
	if (err) {
		if (err != -ECANCELED)
			c->err = err;
		for (unsigned int i = 0; i < count(c); i++)
			if (c->probes[i].fiber)
				baton_cancel(c->probes[i].fiber);
		baton_cancel_mask();
		join_all(c);
		baton_cancel_unmask();
	}
	baton_chan_close(&c->found);
	return NULL;
}

static void collect(struct crawl *c, struct baton_fiber *manager)
{
	struct baton_timer total = { 0 };
	struct found f;
	struct baton_case cases[] = {
		{ .kind = BATON_CASE_RECV, .object = &c->found, .elem = &f },
		{ .kind = BATON_CASE_TIMER, .object = &total },
	};

	if (c->total != BATON_NEVER)
		baton_timer_start(&total, baton_now() + c->total, 0);
	for (;;) {
		if (baton_select(cases, 2, BATON_NEVER)) {
			baton_cancel(manager);
			continue;
		}
		if (cases[0].result)
			return;
		c->n[f.state]++;
		if (f.state == OPEN)
			printf("%u %s\n", f.port, f.line);
	}
}

static void *first(void *arg)
{
	struct crawl *c = arg;
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct baton_fiber *manager;
	int err;

	err = baton_getaddrinfo(c->host, NULL, &hints, &c->ai);
	if (err) {
		fprintf(stderr, "crawl: %s: %s\n", c->host, gai_strerror(err));
		c->err = -ENOENT;
		return NULL;
	}
	baton_chan_init(&c->found, sizeof(struct found), 0, NULL);
	c->err = baton_spawn(&manager, NULL, manage, c);
	if (!c->err) {
		collect(c, manager);
		baton_join(manager, NULL);
	}
	freeaddrinfo(c->ai);
	return NULL;
}

static int64_t seconds(const char *text)
{
	return (int64_t)(strtod(text, NULL) * BATON_SEC);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: crawl [-c AT-ONCE] [-t SECONDS] [-T SECONDS] HOST FIRST LAST\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct crawl c = { .timeout = BATON_SEC, .total = BATON_NEVER };
	unsigned int at_once = 256;
	int opt, err;

	while ((opt = getopt(argc, argv, "c:t:T:")) != -1) {
		switch (opt) {
		case 'c':
			at_once = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 't':
			c.timeout = seconds(optarg);
			break;
		case 'T':
			c.total = seconds(optarg);
			break;
		default:
			return usage();
		}
	}
	if (optind != argc - 3)
		return usage();
	c.host = argv[optind];
	c.first = (unsigned int)strtoul(argv[optind + 1], NULL, 10);
	c.last = (unsigned int)strtoul(argv[optind + 2], NULL, 10);
	if (!c.first || c.first > c.last || c.last > UINT16_MAX || !at_once ||
	    c.timeout <= 0 || baton_sem_init(&c.room, at_once))
		return usage();
	c.probes = calloc(count(&c), sizeof(*c.probes));
	if (!c.probes)
		return EXIT_FAILURE;
	err = baton_run(NULL, first, &c, NULL);
	if (err)
		fprintf(stderr, "crawl: %s\n", baton_reason());
	else if (c.err)
		fprintf(stderr, "crawl: %s\n", strerror(-c.err));
	printf("%u open, %u closed, %u silent of %u\n", c.n[OPEN],
	       c.n[CLOSED], c.n[SILENT], count(&c));
	free(c.probes);
	return err || c.err ? EXIT_FAILURE : EXIT_SUCCESS;
}
