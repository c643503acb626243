// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_sqlite.c - sqlite3_exec() in a foreign call; its row callback is fiber code,
 * which passes each row to another fiber and waits until that has taken it.
 */
#include "common.h"

#include <sqlite3.h>

#define ROWS	200

/* One row at a time, from a fiber to a fiber. */
struct pipe {
	struct baton_fiber *reader, *writer;
	char row[64];
	int full, closed;
};

static void pipe_put(struct pipe *p, const char *row)
{
	while (load(&p->full))
		expect_eq(baton_park(), 0);
	if (row)
		snprintf(p->row, sizeof(p->row), "%s", row);
	else
		store(&p->closed, 1);
	store(&p->full, 1);
	expect_eq(baton_ready(p->reader), 0);
}

static bool pipe_get(struct pipe *p, char *row)
{
	bool more;

	while (!load(&p->full))
		expect_eq(baton_park(), 0);
	more = !p->closed;
	if (more)
		memcpy(row, p->row, sizeof(p->row));
	store(&p->full, 0);
	expect_eq(baton_ready(p->writer), 0);
	return more;
}

struct query {
	const char *file;
	int id;
	struct pipe pipe;
	const char *text;	/* of the row in progress */
	char sum[40 * ROWS];	/* what the reader has read */
};

static void row_back(void *arg)
{
	struct query *q = arg;

	pipe_put(&q->pipe, q->text);
}

static int row(void *arg, int n, char **values, char **names)
{
	struct query *q = arg;
	char text[64];

	(void)names;
	snprintf(text, sizeof(text), "%s:%s", values[0], values[n - 1]);
	q->text = text;
	return baton_callback(row_back, q);
}

static const char make[] =
	"CREATE TABLE t(i INTEGER, s TEXT);"
	"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT %d)"
	"INSERT INTO t SELECT x, printf('%%06d', (x * 7919 + %d) %% 10007)"
	" FROM c;";
static const char ask[] = "SELECT i, s FROM t ORDER BY s, i";

static void run_query(struct query *q,
		      int (*each)(void *, int, char **, char **))
{
	char text[512];
	sqlite3 *db;

	snprintf(text, sizeof(text), make, ROWS, q->id);
	expect_eq(sqlite3_open(q->file, &db), SQLITE_OK);
	expect_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	expect_eq(sqlite3_exec(db, ask, each, q, NULL), SQLITE_OK);
	expect_eq(sqlite3_close(db), SQLITE_OK);
}

static void foreign(void *arg)
{
	run_query(arg, row);
}

static void *reader(void *arg)
{
	struct query *q = arg;
	char text[64];

	while (pipe_get(&q->pipe, text)) {
		strcat(q->sum, text);
		strcat(q->sum, ";");
	}
	return NULL;
}

static void *asker(void *arg)
{
	struct query *q = arg;

	q->pipe.writer = baton_self();
	q->pipe.reader = spawn(reader, q);
	expect(baton_call(foreign, q) >= 0);
	pipe_put(&q->pipe, NULL);
	join(q->pipe.reader);
	return NULL;
}

/* The same work without fibers. */
static int plain_row(void *arg, int n, char **values, char **names)
{
	struct query *q = arg;
	char text[64];

	(void)names;
	snprintf(text, sizeof(text), "%s:%s;", values[0], values[n - 1]);
	strcat(q->sum, text);
	return 0;
}

static void check(const struct query *q)
{
	struct query p = { .file = ":memory:", .id = q->id };

	run_query(&p, plain_row);
	expect(strlen(p.sum) > ROWS * 8);
	expect(!strcmp(p.sum, q->sum));
}

static struct query queries[6];

static void *askers(void *arg)
{
	struct baton_fiber *f[ARRAY_SIZE(queries)];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(asker, &queries[i]);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

static void all(unsigned int nprocs, char names[][32])
{
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
		queries[i] = (struct query){
			.file = names ? names[i] : ":memory:",
			.id = (int)i,
		};
	run_on(nprocs, askers, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
		check(&queries[i]);
}

START_TEST(in_memory)
{
	for (unsigned int r = 0; r < scaled(20); r++)
		all(nprocs_list[_i], NULL);
}
END_TEST

START_TEST(on_disk)
{
	char names[ARRAY_SIZE(queries)][32], dir[] = "/tmp/baton-XXXXXX";

	expect(mkdtemp(dir) != NULL);
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
		snprintf(names[i], sizeof(names[i]), "%s/%zu", dir, i);
	all(nprocs_list[_i], names);
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
		unlink(names[i]);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sqlite");
	TCase *tc = test_case(s, "sqlite");

	tcase_add_loop_test(tc, in_memory, 0, (int)ARRAY_SIZE(nprocs_list));
	tcase_add_loop_test(tc, on_disk, 0, (int)ARRAY_SIZE(nprocs_list));
	return suite_main(s);
}
