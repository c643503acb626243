// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* plot.c - --plot: a chart for each scenario, of its foremost metric. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "chart.h"

/* What a row is drawn by: the first of these that it has */
static const enum bench_metric foremost[] = {
	BENCH_RATE, BENCH_WAKEUPS, BENCH_NS_PER_OP, BENCH_P50_NS,
};

#define NFOREMOST	(sizeof(foremost) / sizeof(*foremost))

static struct bench_row *rows;
static size_t nrows;
static FILE *file;

/* Keep @row, whose strings last, until bench_plot(). */
void bench_plot_add(const struct bench_row *row)
{
	struct bench_row *more;

	if (!bench_opts.plot)
		return;
	more = realloc(rows, (nrows + 1) * sizeof(*rows));
	if (!more)
		return;
	rows = more;
	rows[nrows++] = *row;
}

static size_t metric_of(const struct bench_row *row)
{
	size_t i = 0;

	while (i < NFOREMOST - 1 && !(row->have & 1u << foremost[i]))
		i++;
	return i;
}

/* Ours are the tiers of the library; what is beside them has other names. */
static bool is_tier(const char *tier)
{
	return !strcmp(tier, baton_tier_name(BATON_TIER_POLL)) ||
	       !strcmp(tier, baton_tier_name(BATON_TIER_IDLE)) ||
	       !strcmp(tier, baton_tier_name(BATON_TIER_KMOD));
}

static void set_bar(struct chart_bar *b, const struct bench_row *row)
{
	enum bench_metric m = foremost[metric_of(row)];

	snprintf(b->label, sizeof(b->label), "%.22s, %.22s", row->name,
		 row->tier);
	bench_format(m, row->value[m], b->text, sizeof(b->text));
	b->value = row->value[m];
	b->stressed = is_tier(row->tier);
}

/* Return: how many charts there are: one where scenario or metric change. */
static unsigned int divide(struct chart *charts, struct chart_bar *bars)
{
	unsigned int n = 0;

	for (size_t i = 0; i < nrows; i++) {
		if (!i || strcmp(rows[i].scenario, rows[i - 1].scenario) ||
		    metric_of(&rows[i]) != metric_of(&rows[i - 1])) {
			charts[n] = (struct chart){ .bars = &bars[i] };
			snprintf(charts[n].title, sizeof(charts[n].title),
				 "%s: %s", rows[i].scenario,
				 bench_metric_name(
					 foremost[metric_of(&rows[i])]));
			n++;
		}
		charts[n - 1].n++;
		set_bar(&bars[i], &rows[i]);
	}
	return n;
}

/* Before there is something to draw: a file that cannot be written is told of
 * then, and not after minutes. Return: 0; -1 with errno set. */
int bench_plot_open(void)
{
	file = fopen(bench_opts.plot, "we");
	return file ? 0 : -1;
}

/* Return: 0; -1 with errno set. */
int bench_plot(void)
{
	struct chart *charts = calloc(nrows + 1, sizeof(*charts));
	struct chart_bar *bars = calloc(nrows + 1, sizeof(*bars));
	int ret = -1;

	if (charts && bars) {
		chart_write(file, charts, divide(charts, bars));
		ret = fflush(file) || ferror(file) ? -1 : 0;
	}
	fclose(file);
	free(bars);
	free(charts);
	free(rows);
	return ret;
}
