// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * rows.c - sqlite3_exec(3) in a foreign call; its row callback sends each row to
 * another fiber, which prints it.
 *
 *	rows DATABASE SQL		each row, its columns with | between
 *	rows --plain DATABASE SQL	the same without fibers
 */
#include <baton/baton.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * struct query - one, and the row on its way between two fibers
 * @file:    the database
 * @sql:     what to ask
 * @row:     the row in progress; NULL: none
 * @done:    there will be no more
 * @printer: the fiber that takes the rows
 * @asker:   the fiber that sends them
 * @err:     of sqlite
 */
struct query {
	const char *file;
	const char *sql;
	char *_Atomic row;
	_Atomic bool done;
	struct baton_fiber *printer;
	struct baton_fiber *asker;
	int err;
};

/* Foreign code as well as plain: all columns in one string of malloc()'s. */
static char *join_columns(int n, char **values)
{
	size_t size = 1;
	char *text;

	for (int i = 0; i < n; i++)
		size += (values[i] ? strlen(values[i]) : 0) + 1;
	text = calloc(1, size);
	for (int i = 0; text && i < n; i++) {
		if (i)
			strcat(text, "|");
		strcat(text, values[i] ? values[i] : "");
	}
	return text;
}

/* Fiber code: hand the row over, and wait until it has been taken. */
static void send_row(void *arg)
{
	struct query *q = arg;

	baton_ready(q->printer);
	while (q->row)
		baton_park();
}

/* Foreign code: what sqlite calls for each row. Not 0: it gives up. */
static int each_row(void *arg, int n, char **values, char **names)
{
	struct query *q = arg;

	(void)names;
	q->row = join_columns(n, values);
	return q->row ? baton_callback(send_row, q) : -1;
}

static int plain_row(void *arg, int n, char **values, char **names)
{
	char *row = join_columns(n, values);

	(void)arg;
	(void)names;
	if (!row)
		return -1;
	puts(row);
	free(row);
	return 0;
}

static void ask(struct query *q, int (*each)(void *, int, char **, char **))
{
	char *says = NULL;
	sqlite3 *db;

	q->err = sqlite3_open(q->file, &db);
	if (!q->err)
		q->err = sqlite3_exec(db, q->sql, each, q, &says);
	if (q->err)
		fprintf(stderr, "rows: %s\n", says ? says : sqlite3_errmsg(db));
	sqlite3_free(says);
	sqlite3_close(db);
}

static void ask_in_call(void *arg)
{
	ask(arg, each_row);
}

static void print(void *arg)
{
	puts(arg);
	free(arg);
}

static void *printer(void *arg)
{
	struct query *q = arg;

	for (;;) {
		while (!q->row && !q->done)
			baton_park();
		if (!q->row)
			return NULL;
		baton_call(print, q->row);
		q->row = NULL;
		baton_ready(q->asker);
	}
}

static void *first(void *arg)
{
	struct query *q = arg;

	q->asker = baton_self();
	if (baton_spawn(&q->printer, NULL, printer, q)) {
		q->err = SQLITE_NOMEM;
		return NULL;
	}
	baton_call(ask_in_call, q);
	q->done = true;
	baton_ready(q->printer);
	baton_join(q->printer, NULL);
	return NULL;
}

int main(int argc, char **argv)
{
	bool plain = argc > 1 && !strcmp(argv[1], "--plain");
	struct query q = { 0 };

	if (argc != 3 + plain) {
		fprintf(stderr, "usage: rows [--plain] DATABASE SQL\n");
		return 2;
	}
	q.file = argv[1 + plain];
	q.sql = argv[2 + plain];
	if (plain) {
		ask(&q, plain_row);
	} else if (baton_run(NULL, first, &q, NULL)) {
		fprintf(stderr, "rows: %s\n", baton_reason());
		return EXIT_FAILURE;
	}
	return q.err ? EXIT_FAILURE : EXIT_SUCCESS;
}
