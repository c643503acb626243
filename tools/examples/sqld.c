// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * sqld.c - SQLite behind a line protocol: foreign code that computes, blocks
 * and calls back, with a deadline for each query, and no thread per client.
 *
 *	sqld [-a ADDRESS] [-p PORT] [-c CLIENTS] [-n QUERIES] [-t SECONDS]
 *	     DATABASE
 *
 * A client sends statements, each on a line; and is sent for each its rows, one
 * a line, "row" and its columns with tabs between, as PostgreSQL's COPY writes
 * them (\N: NULL), then "ok ROWS" or "error MESSAGE". A line ".deadline
 * SECONDS" is about those that follow it.
 *
 * At most QUERIES run at once, each with a connection to the database that it
 * takes from a channel, and puts back. A fiber beside each waits for the
 * deadline, and for the client to be gone, and then ends the query: what computes
 * by sqlite3_interrupt(), what blocks by baton_cancel(). A query that ends first
 * cancels that fiber.
 */
#include "serve.h"

#include <baton/baton.h>
#include <baton/io.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 4096
#define OUT 16384
#define QUERIES_MAX 64
#define STEPS 20000		/* of SQLite's machine, from callback to callback */
#define NAP (2 * BATON_MSEC)	/* while another one has the database locked */

/**
 * struct pool - connections to the database
 * @idle:    those not in use, a channel of sqlite3 *
 * @timeout: nanoseconds for each query, unless its client says so
 */
struct pool {
	struct baton_chan idle;
	int64_t timeout;
};

/**
 * struct query - a line of statements in progress
 * @fd:       the client's
 * @fiber:    runs it
 * @deadline: until when
 * @db:       with this
 * @stmt:     the statement in progress
 * @sql:      what follows it
 * @ended:    somebody else ended it, or it was canceled
 * @err:      SQLite's; SQLITE_ROW: there is more
 * @rows:     so many there were
 * @n:        bytes in @out
 * @size:     of @out
 * @out:      lines on their way to the client
 */
struct query {
	int fd;
	struct baton_fiber *fiber;
	int64_t deadline;
	sqlite3 *db;
	sqlite3_stmt *stmt;
	const char *sql;
	_Atomic bool ended;
	int err;
	unsigned long rows;
	size_t n;
	size_t size;
	char *out;
};

/**
 * struct conn - a client's connection
 * @pool:    what it may use
 * @fd:      its socket
 * @timeout: nanoseconds for each line
 * @have:    bytes in @in
 * @used:    how many of them are the line in progress
 * @in:      what has arrived
 */
struct conn {
	struct pool *pool;
	int fd;
	int64_t timeout;
	size_t have;
	size_t used;
	char in[LINE];
};

/* --- foreign code, and what it calls back ----------------------------- */

/* Fiber code: those who wait go first. */
static void let_others(void *arg)
{
	struct query *q = arg;

	baton_yield();
	if (baton_canceled() == 1)
		q->ended = true;
}

/* SQLite calls it each STEPS. Not 0: the statement ends. */
static int on_progress(void *arg)
{
	struct query *q = arg;

	return baton_callback(let_others, q) || q->ended;
}

/*
 * SQLite calls it while others have the database locked. 0: it gives up. The
 * thread waits, without a processor, until a cancel of its fiber ends that.
 */
static int on_busy(void *arg, int times)
{
	struct query *q = arg;

	(void)times;
	return !q->ended && !baton_sleep(NAP);
}

/* The SQL function sleep(SECONDS), which blocks as a slow disk would. */
static void sql_sleep(sqlite3_context *context, int n, sqlite3_value **values)
{
	double s = sqlite3_value_double(values[0]);
	struct timespec ts = {
		.tv_sec = (time_t)s,
		.tv_nsec = (long)((s - (double)(time_t)s) * 1e9),
	};

	(void)n;
	/* A cancel ends it by EINTR; or it was no time. */
	if (nanosleep(&ts, NULL))
		sqlite3_result_error(context, strerror(errno), -1);
}

static bool reserve(struct query *q, size_t n)
{
	size_t size = q->size ? q->size : OUT;
	char *out;

	while (size - q->n < n)
		size *= 2;
	if (size == q->size)
		return true;
	out = realloc(q->out, size);
	if (!out)
		return false;
	q->out = out;
	q->size = size;
	return true;
}

static bool put(struct query *q, const char *text)
{
	size_t n = strlen(text);

	if (!reserve(q, n))
		return false;
	memcpy(q->out + q->n, text, n);
	q->n += n;
	return true;
}

/* Each byte becomes two at most. */
static bool put_escaped(struct query *q, const unsigned char *text, size_t n)
{
	static const char from[] = "\\\t\n\r", to[] = "\\tnr";
	const char *at;

	if (!reserve(q, 2 * n))
		return false;
	for (; n; n--, text++) {
		at = *text ? strchr(from, *text) : NULL;
		if (at)
			q->out[q->n++] = '\\';
		q->out[q->n++] = at ? to[at - from] : (char)*text;
	}
	return true;
}

static bool put_column(struct query *q, int i)
{
	const unsigned char *text = sqlite3_column_text(q->stmt, i);

	if (!text)
		return put(q, "\t\\N");
	return put(q, "\t") &&
	       put_escaped(q, text, (size_t)sqlite3_column_bytes(q->stmt, i));
}

static int put_row(struct query *q)
{
	bool ok = put(q, "row");

	for (int i = 0; ok && i < sqlite3_column_count(q->stmt); i++)
		ok = put_column(q, i);
	q->rows++;
	return ok && put(q, "\n") ? SQLITE_ROW : SQLITE_NOMEM;
}

/* Return: SQLITE_ROW there was one; SQLITE_DONE all is done; an error. */
static int step(struct query *q)
{
	int err;

	for (;;) {
		if (!q->stmt && !*q->sql)
			return SQLITE_DONE;
		if (!q->stmt) {
			err = sqlite3_prepare_v2(q->db, q->sql, -1, &q->stmt,
						 &q->sql);
			if (err)
				return err;
		}
		/* There is none in white space. */
		err = q->stmt ? sqlite3_step(q->stmt) : SQLITE_DONE;
		if (err != SQLITE_DONE)
			return err;
		sqlite3_finalize(q->stmt);
		q->stmt = NULL;
	}
}

/* Foreign code: rows until there are enough of them, or no more. */
static void run(void *arg)
{
	struct query *q = arg;

	q->n = 0;
	do {
		q->err = step(q);
		if (q->err == SQLITE_ROW)
			q->err = put_row(q);
	} while (q->err == SQLITE_ROW && q->n < OUT);
}

/* Foreign code: the connection is left as it was found. */
static void finish(void *arg)
{
	struct query *q = arg;
	char line[256];

	if (q->ended)
		snprintf(line, sizeof(line), "error\tended\n");
	else if (q->err == SQLITE_DONE)
		snprintf(line, sizeof(line), "ok\t%lu\n", q->rows);
	else
		snprintf(line, sizeof(line), "error\t%.200s\n",
			 sqlite3_errmsg(q->db));
	sqlite3_finalize(q->stmt);
	sqlite3_progress_handler(q->db, 0, NULL, NULL);
	sqlite3_busy_handler(q->db, NULL, NULL);
	if (!sqlite3_get_autocommit(q->db))
		sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
	put(q, line);
}

/* --- queries ---------------------------------------------------------- */

static int send_all(int fd, const char *p, size_t n, int64_t deadline)
{
	ssize_t sent;

	for (; n; p += sent, n -= (size_t)sent) {
		sent = baton_send_until(fd, p, n, 0, deadline);
		if (sent < 0)
			return (int)sent;
	}
	return 0;
}

static int say(const struct conn *c, const char *line)
{
	return send_all(c->fd, line, strlen(line), baton_now() + c->timeout);
}

/*
 * A fiber beside the query, until that cancels it. It waits for no events: a
 * client that has only shut down its side of the connection still listens, and
 * one that is gone is an error.
 */
static void *watch(void *arg)
{
	struct query *q = arg;
	struct pollfd gone = { .fd = q->fd };

	if (baton_poll(&gone, 1, q->deadline) >= 0) {
		q->ended = true;
		sqlite3_interrupt(q->db);
		baton_cancel(q->fiber);
	}
	return NULL;
}

/* Return: 0; -errno rows have not been sent, or a part of one has. */
static int run_watched(struct query *q)
{
	struct baton_fiber *watcher;
	int err;

	err = baton_spawn(&watcher, NULL, watch, q);
	if (err) {
		q->ended = true;
		return 0;
	}
	sqlite3_progress_handler(q->db, STEPS, on_progress, q);
	sqlite3_busy_handler(q->db, on_busy, q);
	do {
		baton_call(run, q);
		err = send_all(q->fd, q->out, q->n, q->deadline);
		q->n = 0;
	} while (!err && q->err == SQLITE_ROW);
	/* It may be about to cancel this fiber, which is for this query alone. */
	baton_cancel_mask();
	baton_cancel(watcher);
	baton_join(watcher, NULL);
	baton_cancel_unmask();
	if (baton_canceled())
		baton_sleep(0);
	return err;
}

/* Return: 0, -errno the client is not served any longer. */
static int answer(struct conn *c, const char *sql)
{
	struct query q = {
		.fd = c->fd,
		.fiber = baton_self(),
		.deadline = baton_now() + c->timeout,
		.sql = sql,
	};
	int err;

	err = baton_chan_recv_until(&c->pool->idle, &q.db, q.deadline);
	if (err == -ETIMEDOUT)
		return say(c, "error\tbusy\n");
	if (err)
		return err;
	err = run_watched(&q);
	baton_call(finish, &q);
	/* There is always room: it does not wait. */
	baton_chan_send(&c->pool->idle, &q.db);
	if (!err)
		err = send_all(c->fd, q.out, q.n, baton_now() + c->timeout);
	baton_free(q.out);
	return err;
}

/* Return: 0, -errno. */
static int set_deadline(struct conn *c, const char *text)
{
	char *end;
	double s = strtod(text, &end);

	if (*end || !(s > 0 && s < 1e6))
		return say(c, "error\ta deadline is a number of seconds\n");
	c->timeout = (int64_t)(s * BATON_SEC);
	return say(c, "ok\t0\n");
}

/* --- clients ---------------------------------------------------------- */

/*
 * Take the next line, at c->in, where it ends with a 0. Return: 0, -errno;
 * -EMSGSIZE it is too long.
 */
static int get_line(struct conn *c)
{
	char *end;
	ssize_t n;

	c->have -= c->used;
	memmove(c->in, c->in + c->used, c->have);
	c->used = 0;
	while (!(end = memchr(c->in, '\n', c->have))) {
		if (c->have == LINE)
			return -EMSGSIZE;
		n = baton_recv(c->fd, c->in + c->have, LINE - c->have, 0);
		if (n <= 0)
			return n ? (int)n : -ENODATA;
		c->have += (size_t)n;
	}
	*end = 0;
	c->used = (size_t)(end + 1 - c->in);
	return 0;
}

static void converse(struct client *client, int fd, void *arg)
{
	struct pool *pool = arg;
	struct conn *c = baton_malloc(sizeof(*c));
	int err;

	if (!c)
		return;
	c->pool = pool;
	c->fd = fd;
	c->timeout = pool->timeout;
	c->have = c->used = 0;
	do {
		err = get_line(c);
		if (err == -EMSGSIZE)
			say(c, "error\tthe line is too long\n");
		else if (!err && !strncmp(c->in, ".deadline ", 10))
			err = set_deadline(c, c->in + 10);
		else if (!err)
			err = answer(c, c->in);
	} while (!err && !serve_stopping(client));
	baton_free(c);
}

/* --- start ------------------------------------------------------------ */

/* Each connection is used by one thread at a time. */
static int open_all(sqlite3 **dbs, size_t n, const char *name)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			  SQLITE_OPEN_NOMUTEX;

	for (size_t i = 0; i < n; i++) {
		if (sqlite3_open_v2(name, &dbs[i], flags, NULL)) {
			fprintf(stderr, "sqld: %s: %s\n", name,
				sqlite3_errmsg(dbs[i]));
			return -EIO;
		}
		sqlite3_create_function(dbs[i], "sleep", 1, SQLITE_UTF8, NULL,
					sql_sleep, NULL, NULL);
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: sqld [-a ADDRESS] [-p PORT] [-c CLIENTS] [-n QUERIES] [-t SECONDS] DATABASE\n");
	return 2;
}

int main(int argc, char **argv)
{
	sqlite3 *dbs[QUERIES_MAX] = { NULL }, *idle[QUERIES_MAX];
	struct pool pool = { .timeout = 10 * BATON_SEC };
	struct serve_options o = {
		.name = "sqld",
		SERVE_DEFAULTS,
		.serve = converse,
		.arg = &pool,
	};
	size_t n = 4;
	int opt, err;

	while ((opt = getopt(argc, argv, SERVE_OPTIONS "n:t:")) != -1) {
		if (opt == 'n')
			n = strtoul(optarg, NULL, 10);
		else if (opt == 't')
			pool.timeout = (int64_t)(strtod(optarg, NULL) * 1e9);
		else if (!serve_option(&o, opt, optarg))
			return usage();
	}
	if (optind != argc - 1 || !o.clients || !n || n > QUERIES_MAX ||
	    pool.timeout <= 0)
		return usage();
	o.grace = pool.timeout;
	err = open_all(dbs, n, argv[optind]);
	baton_chan_init(&pool.idle, sizeof(*idle), n, idle);
	for (size_t i = 0; !err && i < n; i++)
		err = baton_chan_try_send(&pool.idle, &dbs[i]);
	if (!err)
		err = serve(&o);
	for (size_t i = 0; i < n; i++)
		sqlite3_close(dbs[i]);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
