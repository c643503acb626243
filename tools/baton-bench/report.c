// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* report.c - results, one JSON object per metric or one table row per case. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "../usage/usage.h"
#include "bench.h"

static const struct {
	const char *name;
	const char *unit;
	const char *title;
} metrics[BENCH_NMETRICS] = {
	[BENCH_NS_PER_OP]	= { "ns_per_op", "ns", "per op" },
	[BENCH_OVERHEAD_NS]	= { "overhead_ns", "ns", "overhead" },
	[BENCH_P50_NS]		= { "p50_ns", "ns", "p50" },
	[BENCH_P99_NS]		= { "p99_ns", "ns", "p99" },
	[BENCH_MAX_NS]		= { "max_ns", "ns", "max" },
	[BENCH_MISSED]		= { "missed", "count", "missed" },
	[BENCH_RATIO]		= { "ratio", "x", "ratio" },
	[BENCH_P99_RATIO]	= { "p99_ratio", "x", "p99 x" },
	[BENCH_FAIRNESS]	= { "fairness", "x", "fairness" },
	[BENCH_RATIO_THREADS]	= { "ratio_threads", "x", "threads" },
	[BENCH_RATIO_OFF]	= { "ratio_off", "x", "off" },
	[BENCH_RATE]		= { "per_s", "1/s", "per s" },
	[BENCH_CPU_NS]		= { "cpu_ns", "ns", "cpu" },
	[BENCH_WAKEUPS]		= { "wakeups_per_s", "1/s", "wakes/s" },
	[BENCH_CPU_PER_S]	= { "cpu_ns_per_s", "ns", "cpu/s" },
};

/* To be called from a fiber: asks the scheduler that runs. */
void bench_row_init(struct bench_row *row, const struct bench_case *c,
		    uint64_t n)
{
	*row = (struct bench_row) {
		.scenario = c->scenario,
		.name = c->name,
		.tier = baton_tier_name(baton_tier(NULL)),
		.nprocs = baton_nprocs(),
		.n = n,
	};
}

void bench_row_set(struct bench_row *row, enum bench_metric m, double value)
{
	row->value[m] = value;
	row->have |= 1u << m;
}

static void print_json(const struct bench_row *row, unsigned int m)
{
	struct utsname u;

	uname(&u);
	printf("{\"scenario\":\"%s\",\"case\":\"%s\",\"tier\":\"%s\",",
	       row->scenario, row->name, row->tier);
	printf("\"metric\":\"%s\",\"value\":%.*f,\"unit\":\"%s\",",
	       metrics[m].name, m == BENCH_MISSED ? 0 : 3, row->value[m],
	       metrics[m].unit);
	printf("\"n\":%llu,\"kernel\":\"%s\",\"nprocs\":%u}\n",
	       (unsigned long long)row->n, u.release, row->nprocs);
}

/* Return: @buf, with @v as it is to be read. */
const char *bench_format(enum bench_metric m, double v, char *buf, size_t size)
{
	if (m == BENCH_MISSED)
		snprintf(buf, size, "%.0f", v);
	else if (!strcmp(metrics[m].unit, "x"))
		snprintf(buf, size, "%.2f", v);
	else if (!strcmp(metrics[m].unit, "1/s"))
		snprintf(buf, size, v < 100 ? "%.1f" : "%.0f", v);
	else if (v < 1e3)
		snprintf(buf, size, "%.1f ns", v);
	else if (v < 1e6)
		snprintf(buf, size, "%.1f us", v / 1e3);
	else
		snprintf(buf, size, "%.1f ms", v / 1e6);
	return buf;
}

static size_t cell(size_t at, int width, const char *text)
{
	return usage_cell(usage_table_width(), at, width, text);
}

static size_t begin_row(const char *scenario, const char *name,
			const char *measured)
{
	return cell(cell(cell(0, -11, scenario), -14, name), -9, measured);
}

/*
 * Anew for a scenario whose first row has other columns than the last heading,
 * and whenever there is a column that this has not.
 */
static unsigned int print_heading(const struct bench_row *row)
{
	static unsigned int columns;
	static const char *scenario;
	bool other = !scenario || strcmp(scenario, row->scenario);
	size_t at;

	scenario = row->scenario;
	if (other ? row->have == columns : !(row->have & ~columns))
		return columns;
	if (columns)
		putchar('\n');
	columns = row->have;
	at = begin_row("scenario", "case", "measured");
	for (unsigned int m = 0; m < BENCH_NMETRICS; m++)
		if (columns & 1u << m)
			at = cell(at, 8, metrics[m].title);
	cell(at, 9, "n");
	putchar('\n');
	return columns;
}

static void print_table(const struct bench_row *row)
{
	unsigned int columns = print_heading(row);
	char buf[32];
	size_t at;

	at = begin_row(row->scenario, row->name, row->tier);
	for (unsigned int m = 0; m < BENCH_NMETRICS; m++)
		if (columns & 1u << m)
			at = cell(at, 8, !(row->have & 1u << m) ? "-" :
				  bench_format(m, row->value[m], buf,
					       sizeof(buf)));
	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)row->n);
	cell(at, 9, buf);
	putchar('\n');
}

const char *bench_metric_name(enum bench_metric m)
{
	return metrics[m].title;
}

void bench_row_print(const struct bench_row *row)
{
	bench_plot_add(row);
	if (!bench_opts.json)
		print_table(row);
	for (unsigned int m = 0; bench_opts.json && m < BENCH_NMETRICS; m++)
		if (row->have & 1u << m)
			print_json(row, m);
	fflush(stdout);
}
