// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_echo.c - echo, connections, idle: a server with a fiber for each
 * connection, beside one that is an epoll loop; sockets: that one, beside
 * others that have a ring.
 *
 * All are on one CPU, and their client on another. They serve by turns, each
 * turn connections of its own, so that a machine that changes its speed changes
 * it for all: the ratios are medians of those of turns that came one after the
 * other.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <baton/io.h>

#include "bench.h"
#include "client.h"

#define TURNS		5u
#define TURNS_MAX	50u
#define SETTLE_NS	BENCH_SEC

enum { OURS, REFERENCE, RING_POLL, RING_RECV, RING_ZC, NSIDES };

static const char *const side_names[NSIDES] = {
	[REFERENCE] = "reference",
	[RING_POLL] = "ring-poll",
	[RING_RECV] = "ring-recv",
	[RING_ZC] = "ring-zc",
};

static const enum uloop_how ring_how[NSIDES] = {
	[RING_POLL] = ULOOP_POLL,
	[RING_RECV] = ULOOP_RECV,
	[RING_ZC] = ULOOP_ZC,
};

#define BESIDE	(1u << OURS | 1u << REFERENCE)
#define LOOPS	(1u << REFERENCE | 1u << RING_POLL | 1u << RING_RECV | \
		 1u << RING_ZC)

/**
 * struct setting - what is particular to a case
 * @sides:  who serves by turns
 * @kind:   what the client does
 * @conns:  connections at once
 * @fibers: that wait besides, for nothing
 */
struct setting {
	unsigned int sides;
	enum load_kind kind;
	unsigned int conns;
	unsigned int fibers;
};

/**
 * struct serving - one case while it runs
 * @c:       the case
 * @set:     its particulars
 * @client:  the client
 * @load:    what it is to do
 * @fd:      the socket that listens
 * @total:   connections to accept in a turn
 * @row:     the results
 * @turns:   how many each side has
 * @results: of all turns
 * @error:   -errno of what failed on our side
 */
struct serving {
	const struct bench_case *c;
	const struct setting *set;
	struct client_process client;
	struct load load;
	int fd;
	uint64_t total;
	struct bench_row row[NSIDES];
	unsigned int turns;
	struct load_result results[NSIDES][TURNS_MAX];
	int error;
};

/* --- our server --------------------------------------------------------- */

/* Connections that there still are in this turn; who waits for their end. */
static struct baton_wg under_way, waiting;

static void *echo_fiber(void *arg)
{
	int fd = (int)(intptr_t)arg;
	ssize_t n, done, ret;
	char buf[4096];

	while ((n = baton_recv(fd, buf, sizeof(buf), 0)) > 0) {
		for (done = 0; done < n; done += ret) {
			ret = baton_send(fd, buf + done, (size_t)(n - done), 0);
			if (ret < 0)
				goto out;
		}
	}
out:
	baton_close(fd);
	baton_wg_done(&under_way);
	return NULL;
}

static void *wait_fiber(void *arg)
{
	baton_wg_wait(&under_way);
	baton_wg_done(&waiting);
	return arg;
}

/* A fiber that is counted in @wg. Return: 0; -errno. */
static int spawn(struct baton_wg *wg, baton_fn fn, void *arg)
{
	int ret = baton_wg_add(wg, 1);

	if (ret)
		return ret;
	ret = baton_spawn(NULL, NULL, fn, arg);
	if (ret)
		baton_wg_done(wg);
	return ret;
}

static int accept_one(int listening)
{
	int one = 1, fd = baton_accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	int ret;

	if (fd < 0)
		return fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ret = spawn(&under_way, echo_fiber, (void *)(intptr_t)fd);
	if (ret)
		baton_close(fd);
	return ret;
}

static void *accept_fiber(void *arg)
{
	struct serving *s = arg;

	bench_row_init(&s->row[OURS], s->c, 0);
	under_way = waiting = (struct baton_wg)BATON_WG_INIT;
	baton_wg_add(&under_way, 1);
	for (unsigned int i = 0; i < s->set->fibers && !s->error; i++)
		s->error = spawn(&waiting, wait_fiber, NULL);
	for (uint64_t i = 0; i < s->total && !s->error; i++)
		s->error = accept_one(s->fd);
	baton_wg_done(&under_way);
	baton_wg_wait(&under_way);
	baton_wg_wait(&waiting);
	return NULL;
}

/* Return: 0; -1 having said what is wrong. */
static int serve(struct serving *s, int side)
{
	if (side == REFERENCE) {
		if (!eloop_serve(s->fd, s->total))
			return 0;
		return bench_fail(s->c, "epoll loop: %s", strerror(errno));
	}
	if (side != OURS) {
		if (!uloop_serve(s->fd, s->total, ring_how[side]))
			return 0;
		return bench_fail(s->c, "%s: %s", side_names[side],
				  strerror(errno));
	}
	if (bench_run(1, accept_fiber, s))
		return -1;
	if (s->error)
		return bench_fail(s->c, "server: %s", strerror(-s->error));
	return 0;
}

/* --- turns -------------------------------------------------------------- */

static int turn(struct serving *s, int side, struct load_result *r)
{
	int ret;

	if (client_order(&s->client, &s->load))
		return bench_fail(s->c, "client: %s", strerror(errno));
	ret = serve(s, side);
	if (client_result(&s->client, r) && !ret)
		ret = bench_fail(s->c, "client: %s: %s", r->what,
				 strerror(r->error));
	return ret;
}

/* The median over all turns of what @value says of both results */
static double median(const struct serving *s,
		     double (*value)(const struct load_result *ours,
				     const struct load_result *theirs),
		     int side)
{
	double v[TURNS_MAX];

	for (unsigned int i = 0; i < s->turns; i++)
		v[i] = value(&s->results[side][i], &s->results[REFERENCE][i]);
	return bench_median(v, s->turns);
}

static double over(double a, double b)
{
	return b > 0 ? a / b : 0;
}

#define VALUE(name, expr)						\
	static double name(const struct load_result *a,			\
			   const struct load_result *b)			\
	{								\
		(void)b;						\
		return (expr);						\
	}

VALUE(rate, over((double)a->requests * 1e9, (double)a->ns))
VALUE(p50, (double)a->p50_ns)
VALUE(p99, (double)a->p99_ns)
VALUE(fairness, over((double)a->least, (double)a->most))
VALUE(cpu_each, over((double)a->server_ns, (double)a->requests))
VALUE(cpu_share, over((double)a->server_ns * 1e9, (double)a->ns))
VALUE(wakeups, over((double)a->wakeups * 1e9, (double)a->ns))
VALUE(ratio, over(over((double)a->requests, (double)a->ns),
		  over((double)b->requests, (double)b->ns)))
VALUE(p99_ratio, over((double)a->p99_ns, (double)b->p99_ns))

static void print_side(struct serving *s, int side)
{
	struct bench_row *row = &s->row[side];

	if (s->set->kind == LOAD_IDLE) {
		row->n = s->set->conns + s->set->fibers;
		bench_row_set(row, BENCH_WAKEUPS, median(s, wakeups, side));
		bench_row_set(row, BENCH_CPU_PER_S, median(s, cpu_share, side));
		bench_row_print(row);
		return;
	}
	for (unsigned int i = 0; i < s->turns; i++)
		row->n += s->results[side][i].requests;
	bench_row_set(row, BENCH_P50_NS, median(s, p50, side));
	bench_row_set(row, BENCH_P99_NS, median(s, p99, side));
	bench_row_set(row, BENCH_RATE, median(s, rate, side));
	bench_row_set(row, BENCH_CPU_NS, median(s, cpu_each, side));
	if (s->set->kind == LOAD_ECHO)
		bench_row_set(row, BENCH_FAIRNESS, median(s, fairness, side));
	/* One heading for all, where the reference comes first */
	if (side != REFERENCE || !(s->set->sides & 1u << OURS)) {
		bench_row_set(row, BENCH_RATIO, median(s, ratio, side));
		bench_row_set(row, BENCH_P99_RATIO, median(s, p99_ratio, side));
	}
	bench_row_print(row);
}

/* The side that is faster may wait for the client, and look slower. */
static void check_client(struct serving *s)
{
	unsigned int busy = 0;

	if (s->set->kind == LOAD_IDLE || s->set->conns == 1)
		return;
	for (unsigned int i = 0; i < s->turns; i++) {
		const struct load_result *r = &s->results[OURS][i];

		busy += r->client_ns > r->server_ns;
	}
	if (busy > s->turns / 2)
		bench_note(s->c, "the client was busier than the server: the ratio is nearer to 1 than that of the servers");
}

static int all_turns(struct serving *s)
{
	unsigned int sides = s->set->sides;

	for (unsigned int i = 0; i < s->turns; i++)
		for (int side = 0; side < NSIDES; side++)
			if (sides & 1u << side &&
			    turn(s, side, &s->results[side][i]))
				return -1;
	for (int side = REFERENCE; side < NSIDES; side++) {
		s->row[side] = s->row[OURS];
		s->row[side].tier = side_names[side];
	}
	for (int side = 0; side < NSIDES; side++)
		if (sides & 1u << side)
			print_side(s, side);
	if (sides & 1u << OURS)
		check_client(s);
	return 0;
}

static void plan(struct serving *s)
{
	const struct setting *set = s->set;
	uint64_t ns = bench_opts.time_ms * BENCH_MSEC;

	s->turns = bench_opts.trials ? bench_opts.trials : TURNS;
	if (s->turns > TURNS_MAX)
		s->turns = TURNS_MAX;
	if (!ns)
		ns = (set->kind == LOAD_IDLE || set->conns > 1000 ? 2 : 1) *
		     BENCH_SEC;
	s->load = (struct load){
		.kind = set->kind,
		.conns = set->conns,
		.warm_ns = set->kind == LOAD_IDLE ? SETTLE_NS : ns / 5,
		.ns = ns,
		.server = s->client.server,
	};
	s->total = set->conns;
	if (set->kind == LOAD_CHURN) {
		/* About as many as can be had in that time */
		s->total = ns / 50000 + set->conns;
		s->load.total = s->total;
	}
}

static int run(const struct bench_case *c)
{
	const struct setting *set = c->data;
	struct serving *s;
	unsigned int have;
	int ret = -1;

	if (!(set->sides & 1u << OURS) && uloop_probe()) {
		bench_note(c, "left out: no ring, or an old one: %s",
			   strerror(errno));
		return 0;
	}
	if (!client_descriptors(set->conns, &have)) {
		bench_note(c, "left out: %u connections are more than the %u that the limit on descriptors leaves (ulimit -Hn)",
			   set->conns, have);
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return bench_fail(c, "out of memory");
	s->c = c;
	s->set = set;
	s->fd = eloop_listen(&s->load.port);
	if (s->fd < 0 || client_start(&s->client)) {
		bench_fail(c, "%s", strerror(errno));
	} else {
		uint16_t port = s->load.port;

		if (!s->client.alone)
			bench_note(c, "there is one CPU: the client is on it, too");
		s->row[OURS] = (struct bench_row){
			.scenario = c->scenario,
			.name = c->name,
			.nprocs = 1,
		};
		plan(s);
		s->load.port = port;
		ret = all_turns(s);
		client_stop(&s->client);
	}
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	return ret;
}

#define ECHO(n, who)	{ .sides = (who), .kind = LOAD_ECHO, .conns = (n) }

static const struct setting one = ECHO(1, BESIDE);
static const struct setting some = ECHO(64, BESIDE);
static const struct setting many = ECHO(1000, BESIDE);
static const struct setting most = ECHO(10000, BESIDE);
static const struct setting loops_one = ECHO(1, LOOPS);
static const struct setting loops_some = ECHO(64, LOOPS);
static const struct setting loops_many = ECHO(1000, LOOPS);
static const struct setting loops_most = ECHO(10000, LOOPS);
static const struct setting churn = {
	.sides = BESIDE, .kind = LOAD_CHURN, .conns = 64,
};
static const struct setting idle = {
	.sides = BESIDE, .kind = LOAD_IDLE, .conns = 10000,
};
static const struct setting parked = {
	.sides = BESIDE, .kind = LOAD_IDLE, .conns = 1, .fibers = 10000,
};

const struct bench_case bench_echo_cases[] = {
	{ "echo", "1", run, &one },
	{ "echo", "64", run, &some },
	{ "echo", "1000", run, &many },
	{ "echo", "10000", run, &most },
	{ "sockets", "1", run, &loops_one },
	{ "sockets", "64", run, &loops_some },
	{ "sockets", "1000", run, &loops_many },
	{ "sockets", "10000", run, &loops_most },
	{ "connections", "64", run, &churn },
	{ "idle", "connections", run, &idle },
	{ "idle", "fibers", run, &parked },
	{ .name = NULL }
};
