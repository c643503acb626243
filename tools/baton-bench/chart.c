// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * chart.c - charts of bars, as SVG.
 *
 * One below the other, each with a scale of its own: linear from 0, unless the
 * least value would be no more than a line; then it is logarithmic, and the
 * title says so. Colours follow the reader's choice of light or dark.
 */
#include <math.h>

#include "chart.h"

#define WIDTH		760
#define LEFT		240	/* for the labels */
#define RIGHT		110	/* for the values */
#define BAR		16
#define PITCH		22
#define TITLE		44
#define LOG_FROM	100	/* times the least value */

static const char head[] =
"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
"width=\"%d\" height=\"%d\">\n"
"<style>\n"
"svg { background: #fff; color: #222; }\n"
"text { font: 13px sans-serif; fill: currentColor; }\n"
".title { font-weight: bold; font-size: 15px; }\n"
".label { text-anchor: end; }\n"
"rect { fill: #9aa5b1; }\n"
".ours { fill: #0b6bcb; }\n"
"@media (prefers-color-scheme: dark) {\n"
"svg { background: #16191d; color: #e4e7eb; }\n"
"rect { fill: #66717d; }\n"
".ours { fill: #5aa9f5; }\n"
"}\n"
"</style>\n";

/* What XML would take for its own is written otherwise. */
static void put_text(FILE *f, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '<':
			fputs("&lt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		default:
			fputc(*s, f);
		}
	}
}

/**
 * struct scale - from values to lengths
 * @logarithmic: what it is
 * @least:       logarithmic: what a bar of no length would stand for
 * @most:        the value of the longest bar
 */
struct scale {
	bool logarithmic;
	double least;
	double most;
};

static struct scale scale_of(const struct chart *c)
{
	struct scale s = { .least = INFINITY };

	for (unsigned int i = 0; i < c->n; i++) {
		double v = c->bars[i].value;

		if (v > s.most)
			s.most = v;
		if (v > 0 && v < s.least)
			s.least = v;
	}
	s.logarithmic = s.most > s.least * LOG_FROM;
	s.least = pow(10, floor(log10(s.least)) - 0.1);
	return s;
}

static double length(const struct scale *s, double v)
{
	if (v <= 0 || s->most <= 0)
		return 0;
	if (s->logarithmic)
		v = log(v / s->least) / log(s->most / s->least);
	else
		v /= s->most;
	return v * (WIDTH - LEFT - RIGHT);
}

static void put_bar(FILE *f, const struct chart_bar *b, double len, int y)
{
	fprintf(f, "<text class=\"label\" x=\"%d\" y=\"%d\">", LEFT - 8,
		y + BAR - 3);
	put_text(f, b->label);
	fprintf(f, "</text>\n<rect%s x=\"%d\" y=\"%d\" ",
		b->stressed ? " class=\"ours\"" : "", LEFT, y);
	fprintf(f, "width=\"%.1f\" height=\"%d\"/>\n", len, BAR);
	fprintf(f, "<text x=\"%.1f\" y=\"%d\">", LEFT + len + 6, y + BAR - 3);
	put_text(f, b->text);
	fputs("</text>\n", f);
}

/* A file of its own, with all of @charts; the caller looks for errors of @f. */
void chart_write(FILE *f, const struct chart *charts, unsigned int n)
{
	int y = 0;

	for (unsigned int i = 0; i < n; i++)
		y += TITLE + (int)charts[i].n * PITCH;
	fprintf(f, head, WIDTH, y + 12, WIDTH, y + 12);
	y = 0;
	for (unsigned int i = 0; i < n; i++) {
		const struct chart *c = &charts[i];
		struct scale s = scale_of(c);

		fprintf(f, "<text class=\"title\" x=\"12\" y=\"%d\">", y + 28);
		put_text(f, c->title);
		fprintf(f, "%s</text>\n",
			s.logarithmic ? " (logarithmic)" : "");
		y += TITLE;
		for (unsigned int b = 0; b < c->n; b++, y += PITCH)
			put_bar(f, &c->bars[b], length(&s, c->bars[b].value),
				y);
	}
	fputs("</svg>\n", f);
}
