// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * sort.c - qsort(3) in a foreign call, its comparator in fiber code.
 *
 *	sort <FILE		the same as LC_ALL=C sort <FILE
 *
 * The comparator is free to yield, park or call out again: qsort() waits on
 * the system stack meanwhile, and its worker runs nothing else.
 */
#include <baton/baton.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lines {
	char **line;
	size_t n;
};

/* One comparison, on its way from foreign code to the fiber and back. */
struct question {
	const char *a, *b;
	int answer;
};

/* Fiber code: lets the others go first, then compares. */
static void compare_in_fiber(void *arg)
{
	struct question *q = arg;

	baton_yield();
	q->answer = strcmp(q->a, q->b);
}

/* Foreign code: what qsort() calls. */
static int compare(const void *a, const void *b)
{
	struct question q = { *(char *const *)a, *(char *const *)b, 0 };

	/* It cannot fail here: but for the end of the scheduler. */
	if (baton_callback(compare_in_fiber, &q))
		abort();
	return q.answer;
}

static void sort(void *arg)
{
	struct lines *l = arg;

	qsort(l->line, l->n, sizeof(*l->line), compare);
}

/* Standard input is foreign, too: it may block. */
static void read_lines(void *arg)
{
	struct lines *l = arg;
	size_t room = 0, size = 0;
	char *text = NULL;

	while (getline(&text, &size, stdin) > 0) {
		if (l->n == room) {
			room = room ? room * 2 : 64;
			l->line = realloc(l->line, room * sizeof(*l->line));
			if (!l->line)
				abort();
		}
		text[strcspn(text, "\n")] = 0;
		l->line[l->n++] = text;
		text = NULL;
		size = 0;
	}
	free(text);
}

static void print_lines(void *arg)
{
	struct lines *l = arg;

	for (size_t i = 0; i < l->n; i++) {
		puts(l->line[i]);
		free(l->line[i]);
	}
	free(l->line);
}

static void *first(void *arg)
{
	struct lines l = { NULL, 0 };

	baton_call(read_lines, &l);
	baton_call(sort, &l);
	baton_call(print_lines, &l);
	return arg;
}

int main(void)
{
	int err = baton_run(NULL, first, NULL, NULL);

	if (err)
		fprintf(stderr, "sort: %s\n", baton_reason());
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
