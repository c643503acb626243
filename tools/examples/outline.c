// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * outline.c - expat in a foreign call; its handlers call back into the fiber,
 * which counts and prints the elements of each file, one fiber per file.
 *
 *	outline FILE...			elements with their depth, then a total
 *	outline --plain FILE...		the same without fibers
 *
 * A file is printed when those before it are, so that the output is the same.
 */
#include <baton/baton.h>
#include <expat.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * struct doc - a file
 * @name:  the file's
 * @out:   what is going to be printed of it
 * @text:  @out's bytes
 * @size:  @out's length
 * @tag:   the element in progress
 * @depth: its depth
 * @n:     elements
 * @plain: without fibers
 * @err:   there was one
 */
struct doc {
	const char *name;
	FILE *out;
	char *text;
	size_t size;
	const char *tag;
	int depth;
	unsigned long n;
	bool plain;
	bool err;
};

/* Fiber code, or plain: one element. */
static void element(void *arg)
{
	struct doc *d = arg;

	d->n++;
	fprintf(d->out, "%*s%s\n", d->depth * 2, "", d->tag);
	if (!d->plain)
		baton_yield();
}

/* Foreign code: what expat calls. */
static void on_start(void *arg, const XML_Char *tag, const XML_Char **attrs)
{
	struct doc *d = arg;

	(void)attrs;
	d->tag = tag;
	if (d->plain)
		element(d);
	else
		d->err |= baton_callback(element, d) != 0;
	d->depth++;
}

static void on_end(void *arg, const XML_Char *tag)
{
	struct doc *d = arg;

	(void)tag;
	d->depth--;
}

/* Foreign code: reading may block, parsing computes. */
static void parse(void *arg)
{
	struct doc *d = arg;
	XML_Parser p = XML_ParserCreate(NULL);
	FILE *in = fopen(d->name, "r");
	char buf[4096];
	size_t n;

	d->out = open_memstream(&d->text, &d->size);
	d->err = !p || !in || !d->out;
	if (!d->err) {
		XML_SetUserData(p, d);
		XML_SetElementHandler(p, on_start, on_end);
		do {
			n = fread(buf, 1, sizeof(buf), in);
			d->err |= ferror(in) ||
				  !XML_Parse(p, buf, (int)n, n == 0);
		} while (n && !d->err);
		fprintf(d->out, "%s: %lu elements\n", d->name, d->n);
	}
	if (d->out)
		fclose(d->out);
	if (in)
		fclose(in);
	if (p)
		XML_ParserFree(p);
}

static void print(void *arg)
{
	struct doc *d = arg;

	if (d->err)
		fprintf(stderr, "outline: %s: cannot be parsed\n", d->name);
	else
		fwrite(d->text, 1, d->size, stdout);
	free(d->text);
}

static void *fiber(void *arg)
{
	baton_call(parse, arg);
	return NULL;
}

struct docs {
	struct doc *doc;
	struct baton_fiber **fiber;
	int n;
};

static void *first(void *arg)
{
	struct docs *ds = arg;

	for (int i = 0; i < ds->n; i++)
		if (baton_spawn(&ds->fiber[i], NULL, fiber, &ds->doc[i]))
			ds->doc[i].err = true;
	for (int i = 0; i < ds->n; i++) {
		if (ds->fiber[i])
			baton_join(ds->fiber[i], NULL);
		baton_call(print, &ds->doc[i]);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	bool plain = argc > 1 && !strcmp(argv[1], "--plain");
	struct docs ds = { .n = argc - 1 - plain };
	bool err = false;

	ds.doc = calloc((size_t)ds.n + 1, sizeof(*ds.doc));
	ds.fiber = calloc((size_t)ds.n + 1, sizeof(*ds.fiber));
	if (!ds.doc || !ds.fiber)
		return EXIT_FAILURE;
	for (int i = 0; i < ds.n; i++) {
		ds.doc[i].name = argv[1 + plain + i];
		ds.doc[i].plain = plain;
	}
	for (int i = 0; plain && i < ds.n; i++) {
		parse(&ds.doc[i]);
		print(&ds.doc[i]);
	}
	if (!plain && baton_run(NULL, first, &ds, NULL)) {
		fprintf(stderr, "outline: %s\n", baton_reason());
		err = true;
	}
	for (int i = 0; i < ds.n; i++)
		err |= ds.doc[i].err;
	free(ds.doc);
	free(ds.fiber);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
