// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pipeline.c - the rows of a query through channels: sqlite3_exec(3) in a
 * foreign call sends them, some fibers take a checksum of each, and one adds
 * up. Which fiber has which row makes no difference.
 *
 *	pipeline DATABASE SQL		how many rows, and their sum
 *	pipeline --plain DATABASE SQL	the same without fibers
 */
#include <baton/baton.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMMERS 4
#define QUEUED 16

/**
 * struct pipeline - a query and what its rows go through
 * @file:    the database
 * @sql:     what to ask
 * @err:     of sqlite
 * @rows:    text of malloc()'s, from sqlite to the summers
 * @sums:    from the summers to the first fiber
 * @summers: those who take checksums
 * @nsummers: how many of them there are
 * @n:       rows that were added up
 * @total:   their sum
 */
struct pipeline {
	const char *file;
	const char *sql;
	int err;
	struct baton_chan rows;
	struct baton_chan sums;
	struct baton_fiber *summers[SUMMERS];
	unsigned int nsummers;
	uint64_t n;
	uint64_t total;
};

/* FNV-1a */
static uint64_t sum_of(const char *text)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * 0x100000001b3;
	return sum;
}

/*
 * Foreign code: what sqlite calls for each row. The channel is full if the
 * summers are slower than sqlite: then this thread waits, and fibers go on with
 * another one. Not 0: it gives up.
 */
static int send_row(void *arg, int n, char **values, char **names)
{
	struct pipeline *p = arg;
	char *text = strdup(n && values[0] ? values[0] : "");

	(void)names;
	return text ? baton_chan_send(&p->rows, &text) : -1;
}

static int plain_row(void *arg, int n, char **values, char **names)
{
	struct pipeline *p = arg;

	(void)names;
	p->total += sum_of(n && values[0] ? values[0] : "");
	p->n++;
	return 0;
}

static void ask(struct pipeline *p, int (*each)(void *, int, char **, char **))
{
	char *says = NULL;
	sqlite3 *db;

	p->err = sqlite3_open(p->file, &db);
	if (!p->err)
		p->err = sqlite3_exec(db, p->sql, each, p, &says);
	if (p->err)
		fprintf(stderr, "pipeline: %s\n",
			says ? says : sqlite3_errmsg(db));
	sqlite3_free(says);
	sqlite3_close(db);
}

static void ask_in_call(void *arg)
{
	ask(arg, send_row);
}

static void *summer(void *arg)
{
	struct pipeline *p = arg;
	char *text;

	while (!baton_chan_recv(&p->rows, &text)) {
		uint64_t sum = sum_of(text);

		free(text);
		baton_chan_send(&p->sums, &sum);
	}
	return NULL;
}

/* What there is no more of is closed, and who receives it ends. */
static void *asker(void *arg)
{
	struct pipeline *p = arg;

	baton_call(ask_in_call, p);
	baton_chan_close(&p->rows);
	for (unsigned int i = 0; i < p->nsummers; i++)
		baton_join(p->summers[i], NULL);
	baton_chan_close(&p->sums);
	return NULL;
}

/* Add up, and tell each second how far it is. */
static void add_up(struct pipeline *p)
{
	struct baton_timer ticker = { 0 };
	uint64_t sum;
	struct baton_case cases[] = {
		{ .kind = BATON_CASE_RECV, .object = &p->sums, .elem = &sum },
		{ .kind = BATON_CASE_TIMER, .object = &ticker },
	};

	baton_timer_start(&ticker, baton_now() + BATON_SEC, BATON_SEC);
	for (;;) {
		if (baton_select(cases, 2, BATON_NEVER)) {
			fprintf(stderr, "%" PRIu64 " rows\n", p->n);
		} else if (cases[0].result) {
			break;
		} else {
			p->total += sum;
			p->n++;
		}
	}
}

static void *first(void *arg)
{
	struct pipeline *p = arg;
	struct baton_fiber *f;
	char *rows[QUEUED];

	baton_chan_init(&p->rows, sizeof(char *), QUEUED, rows);
	baton_chan_init(&p->sums, sizeof(uint64_t), 0, NULL);
	while (p->nsummers < SUMMERS &&
	       !baton_spawn(&p->summers[p->nsummers], NULL, summer, p))
		p->nsummers++;
	if (!p->nsummers || baton_spawn(&f, NULL, asker, p)) {
		p->err = SQLITE_NOMEM;
		return NULL;
	}
	add_up(p);
	baton_join(f, NULL);
	return NULL;
}

int main(int argc, char **argv)
{
	bool plain = argc > 1 && !strcmp(argv[1], "--plain");
	struct pipeline p = { 0 };

	if (argc != 3 + plain) {
		fprintf(stderr, "usage: pipeline [--plain] DATABASE SQL\n");
		return 2;
	}
	p.file = argv[1 + plain];
	p.sql = argv[2 + plain];
	if (plain) {
		ask(&p, plain_row);
	} else if (baton_run(NULL, first, &p, NULL)) {
		fprintf(stderr, "pipeline: %s\n", baton_reason());
		return EXIT_FAILURE;
	}
	if (p.err)
		return EXIT_FAILURE;
	printf("%" PRIu64 " rows, sum %016" PRIx64 "\n", p.n, p.total);
	return EXIT_SUCCESS;
}
