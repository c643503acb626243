// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * draw.c - the pictures of README, from the data beside this file.
 *
 *	draw handoff <handoff.tsv
 *	draw timeline <timeline.tsv
 *
 * The first is a chart; each line has a label, its value, and whether it is
 * "ours". The second has tracks one below the other; each line has the kind of
 * track (1 processor, 2 worker, 3 fiber), its name, what there was, and from
 * when to when in microseconds; with a tab between any two. See measure, a
 * script, for what the data are. Colours follow the reader's choice of light or
 * dark.
 */
#include <stdlib.h>
#include <string.h>

#include "../baton-bench/chart.h"

#define BARS		16
#define SPANS		4096
#define TRACKS		32

#define WIDTH		860
#define LEFT		110	/* for the names of tracks */
#define RIGHT		40
#define TOP		40
#define HEIGHT		20	/* of a span */
#define PITCH		26
#define LETTER		7	/* as wide as that, about */

#define LICENCE		"SPDX-License-Identifier: LGPL-2.1-or-later OR MIT"

/* --- the chart ----------------------------------------------------------- */

static int handoff(void)
{
	static struct chart_bar bars[BARS];
	struct chart c = {
		.title = "From a block until the next fiber runs, in futex wakes",
		.bars = bars,
	};
	char whose[16];

	while (c.n < BARS &&
	       scanf("%47[^\t]\t%lf\t%15s\n", bars[c.n].label,
		     &bars[c.n].value, whose) == 3) {
		struct chart_bar *b = &bars[c.n++];

		snprintf(b->text, sizeof(b->text), "%.3g", b->value);
		b->stressed = !strcmp(whose, "ours");
	}
	chart_write(stdout, &c, 1);
	return c.n ? 0 : 1;
}

/* --- the timeline -------------------------------------------------------- */

struct span {
	int kind;
	char track[32];
	char what[32];
	double begin, end;
};

struct track {
	int kind;
	char name[32];
};

static const char head[] =
"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
"width=\"%d\" height=\"%d\">\n"
"<style>\n"
"svg { background: #fff; color: #222; }\n"
"text { font: 12px sans-serif; fill: currentColor; }\n"
".title { font-weight: bold; font-size: 15px; }\n"
".name { text-anchor: end; }\n"
".idle { fill: #e6e9ed; } .ready { fill: #f3d38b; } .call { fill: #f2a79b; }\n"
".c0 { fill: #9cc9f5; } .c1 { fill: #a9dcb3; } .c2 { fill: #d9b8ea; }\n"
"line { stroke: #c5ccd3; }\n"
"@media (prefers-color-scheme: dark) {\n"
"svg { background: #16191d; color: #e4e7eb; }\n"
".idle { fill: #262c33; } .ready { fill: #6d5518; } .call { fill: #8a3a2e; }\n"
".c0 { fill: #1f5588; } .c1 { fill: #25623a; } .c2 { fill: #5b3a72; }\n"
"line { stroke: #444c55; }\n"
"}\n"
"</style>\n"
"<text class=\"title\" x=\"12\" y=\"24\">%s</text>\n";

static struct span spans[SPANS];
static unsigned int nspans;
static struct track tracks[TRACKS];
static unsigned int ntracks;

static int by_name(const void *a, const void *b)
{
	const struct track *x = a, *y = b;

	return x->kind != y->kind ? x->kind - y->kind :
				    strcmp(x->name, y->name);
}

/* What lies within another one is drawn upon it. */
static int longer_first(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	double d = (y->end - y->begin) - (x->end - x->begin);

	return d < 0 ? -1 : d > 0;
}

static unsigned int track_of(const struct span *s)
{
	unsigned int i = 0;

	while (i < ntracks && (tracks[i].kind != s->kind ||
			       strcmp(tracks[i].name, s->track)))
		i++;
	return i;
}

/* What a fiber does, or which one it is that runs there: the names of fibers
 * are those of the tracks of kind 3, in their order. */
static const char *class_of(const struct span *s)
{
	static const char *const colours[] = { "c0", "c1", "c2" };
	const char *who = strcmp(s->what, "running") ? s->what : s->track;
	unsigned int n = 0;

	if (!strcmp(s->what, "ready"))
		return "ready";
	if (!strcmp(s->what, "waiting") || !strcmp(s->what, "parked"))
		return "idle";
	for (unsigned int i = 0; i < ntracks; i++) {
		if (tracks[i].kind != 3)
			continue;
		if (!strcmp(tracks[i].name, who))
			return colours[n % 3];
		n++;
	}
	return "call";
}

static void put_span(const struct span *s, double scale)
{
	double x = LEFT + s->begin * scale, len = (s->end - s->begin) * scale;
	unsigned int y = TOP + track_of(s) * PITCH;

	if (len < 1)
		len = 1;
	printf("<rect class=\"%s\" x=\"%.1f\" y=\"%u\" ", class_of(s), x, y);
	printf("width=\"%.1f\" height=\"%d\"/>\n", len, HEIGHT);
	if (len > LETTER * (double)strlen(s->what))
		printf("<text x=\"%.1f\" y=\"%u\">%s</text>\n", x + 3, y + 14,
		       s->what);
}

static void put_times(double last, double scale, unsigned int bottom)
{
	for (int ms = 0; ms * 1000 <= last; ms += 2) {
		double x = LEFT + ms * 1000 * scale;

		printf("<line x1=\"%.1f\" y1=\"%d\" ", x, TOP - 4);
		printf("x2=\"%.1f\" y2=\"%u\"/>\n", x, bottom);
		printf("<text x=\"%.1f\" y=\"%u\">%d ms</text>\n", x + 3,
		       bottom, ms);
	}
}

static int timeline(void)
{
	struct span *s = spans;
	double last = 1, scale;
	unsigned int bottom;

	while (nspans < SPANS &&
	       scanf("%d\t%31[^\t]\t%31[^\t]\t%lf\t%lf\n", &s->kind, s->track,
		     s->what, &s->begin, &s->end) == 5) {
		if (track_of(s) == ntracks && ntracks < TRACKS) {
			tracks[ntracks].kind = s->kind;
			strcpy(tracks[ntracks++].name, s->track);
		}
		if (s->end > last)
			last = s->end;
		s = &spans[++nspans];
	}
	qsort(tracks, ntracks, sizeof(*tracks), by_name);
	qsort(spans, nspans, sizeof(*spans), longer_first);
	scale = (WIDTH - LEFT - RIGHT) / last;
	bottom = TOP + ntracks * PITCH + 14;
	printf(head, WIDTH, (int)bottom + 8, WIDTH, (int)bottom + 8,
	       "One processor, with the module: who blocks passes it on");
	put_times(last, scale, bottom);
	for (unsigned int i = 0; i < ntracks; i++)
		printf("<text class=\"name\" x=\"%d\" y=\"%u\">%s</text>\n",
		       LEFT - 8, TOP + i * PITCH + 14, tracks[i].name);
	for (unsigned int i = 0; i < nspans; i++)
		put_span(&spans[i], scale);
	puts("</svg>");
	return nspans ? 0 : 1;
}

int main(int argc, char **argv)
{
	int ret = 2;

	/* The data's own first line, and the picture's. */
	if (scanf("# %*[^\n]\n") == EOF)
		return 1;
	puts("<!-- " LICENCE " -->");
	if (argc == 2 && !strcmp(argv[1], "handoff"))
		ret = handoff();
	else if (argc == 2 && !strcmp(argv[1], "timeline"))
		ret = timeline();
	if (ret || fflush(stdout))
		fputs("usage: draw handoff|timeline <DATA >PICTURE\n", stderr);
	return ret;
}
