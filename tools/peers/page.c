// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * page.c - the charts of tools/peers, and a page that shows them all.
 *
 *	page FOLDER MACHINE <RESULTS
 *
 * RESULTS has a line for each row and peer, those of a row one after the other:
 * the row's name, what it measures, the peer, nanoseconds, and their ratio to
 * baton's, or -, with a tab between any two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../baton-bench/chart.h"

#define PEERS	16

static const char head[] =
"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
"<title>baton and its peers</title>\n<style>\n"
":root { color-scheme: light dark; }\n"
"body { font: 15px sans-serif; max-width: 780px; }\n"
"body { margin: 2em auto; padding: 0 1em; }\n"
"img { max-width: 100%; height: auto; }\n"
"</style>\n</head>\n<body>\n<h1>baton and its peers</h1>\n"
"<p>Nanoseconds per operation, shorter is better; after the comma, how many\n"
"times baton's. Medians of runs by turns on one machine; only the ratios mean\n"
"anything elsewhere. Made by <code>make bench-peers</code>.</p>\n<p>";

static void put_text(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			fputs("&lt;", f);
		else if (*s == '&')
			fputs("&amp;", f);
		else
			fputc(*s, f);
	}
}

static FILE *create(const char *folder, const char *name, const char *suffix)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
	f = fopen(path, "w");
	if (!f) {
		fprintf(stderr, "page: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return f;
}

static void finish(FILE *f)
{
	if (ferror(f) || fclose(f)) {
		perror("page");
		exit(1);
	}
}

/* The chart of a row, and its place in the page */
static void put_row(FILE *page, const char *folder, const char *name,
		    const struct chart *c)
{
	FILE *f = create(folder, name, ".svg");

	chart_write(f, c, 1);
	finish(f);
	fprintf(page, "<p><img src=\"%s.svg\" alt=\"%s:", name, c->title);
	for (unsigned int i = 0; i < c->n; i++)
		fprintf(page, " %s %s;", c->bars[i].label, c->bars[i].text);
	fputs("\"></p>\n", page);
}

static void set_bar(struct chart_bar *b, const char *peer, const char *ns,
		    const char *ratio)
{
	double v = strtod(ns, NULL);
	const char *unit = v < 1e3 ? "ns" : v < 1e6 ? "us" : "ms";
	double shown = v < 1e3 ? v : v < 1e6 ? v / 1e3 : v / 1e6;

	snprintf(b->label, sizeof(b->label), "%s", peer);
	snprintf(b->text, sizeof(b->text), "%.3g %s, %s", shown, unit, ratio);
	b->value = v;
	b->stressed = !strcmp(peer, "baton");
}

int main(int argc, char **argv)
{
	struct chart_bar bars[PEERS];
	struct chart c = { .bars = bars };
	char row[64] = "", line[512];
	FILE *page;

	if (argc != 3)
		return 2;
	page = create(argv[1], "index", ".html");
	fputs(head, page);
	put_text(page, argv[2]);
	fputs("</p>\n", page);
	while (fgets(line, sizeof(line), stdin)) {
		char *field[5], *rest = line;

		line[strcspn(line, "\n")] = '\0';
		for (int i = 0; i < 5; i++) {
			field[i] = strsep(&rest, "\t");
			if (!field[i]) {
				fputs("page: a line of another form\n", stderr);
				return 1;
			}
		}
		if (strcmp(row, field[0])) {
			if (c.n)
				put_row(page, argv[1], row, &c);
			snprintf(row, sizeof(row), "%s", field[0]);
			snprintf(c.title, sizeof(c.title), "%s", field[1]);
			c.n = 0;
		}
		if (c.n < PEERS)
			set_bar(&bars[c.n++], field[2], field[3], field[4]);
	}
	if (c.n)
		put_row(page, argv[1], row, &c);
	fputs("</body>\n</html>\n", page);
	finish(page);
	return 0;
}
