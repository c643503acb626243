/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* chart.h - charts of bars, as SVG: baton-bench's, and those of tools/peers. */
#ifndef BATON_BENCH_CHART_H
#define BATON_BENCH_CHART_H

#include <stdbool.h>
#include <stdio.h>

#define CHART_LABEL	48

/**
 * struct chart_bar - one bar
 * @label:    stands before it
 * @text:     stands behind it: the value, as it is to be read
 * @value:    how long it is; not negative
 * @stressed: it is ours, not what ours is compared with
 */
struct chart_bar {
	char label[CHART_LABEL];
	char text[CHART_LABEL];
	double value;
	bool stressed;
};

/**
 * struct chart - bars of one unit
 * @title: what they say
 * @bars:  they
 * @n:     how many
 */
struct chart {
	char title[2 * CHART_LABEL];
	struct chart_bar *bars;
	unsigned int n;
};

void chart_write(FILE *f, const struct chart *charts, unsigned int n);

#endif /* BATON_BENCH_CHART_H */
