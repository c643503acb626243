// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * measure.c - time and statistics.
 *
 * Loops that are compared with one another are measured in turns, so that a
 * machine that changes its speed changes it for all of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define REPEATS		11
#define REPEAT_NS	(50 * BENCH_MSEC)

uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * BENCH_SEC + (uint64_t)ts.tv_nsec;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec) {
		.tv_sec = (time_t)(ns / BENCH_SEC),
		.tv_nsec = (long)(ns % BENCH_SEC),
	};
}

/* One system call, unless a signal interrupts it. */
void bench_sleep(uint64_t ns)
{
	struct timespec ts = to_timespec(ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

void bench_sleep_until(uint64_t when)
{
	struct timespec ts = to_timespec(when);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts,
			       NULL) == EINTR)
		;
}

/* Keep the CPU busy without entering the kernel nor the scheduler. */
void bench_compute(uint64_t ns)
{
	uint64_t end = bench_now() + ns;
	volatile uint64_t x = 1;

	while (bench_now() < end)
		for (int i = 0; i < 1000; i++)
			x = x * 6364136223846793005u + 1;
}

static uint64_t run_body(struct bench_loop *loop, uint64_t n)
{
	uint64_t start = bench_now();

	loop->body(loop->ctx, n);
	return bench_now() - start;
}

/* How many rounds take REPEAT_NS; the runs it takes also warm things up. */
static uint64_t calibrate(struct bench_loop *loop)
{
	uint64_t n = 1, ns;

	while ((ns = run_body(loop, n)) < REPEAT_NS / 5)
		n = ns < REPEAT_NS / 100 ? n * 10 : n * 2;
	n = n * REPEAT_NS / ns;
	return n ? n : 1;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts a copy: the order of @v may mean something. */
double bench_median(const double *v, unsigned int n)
{
	double sorted[n];

	memcpy(sorted, v, sizeof(sorted));
	qsort(sorted, n, sizeof(*sorted), compare_double);
	return sorted[n / 2];
}

/* Of turns that were made one after the other; 0 where there is nothing. */
double bench_median_ratio(const double *v, const double *ref, unsigned int n)
{
	double ratios[n];

	for (unsigned int i = 0; i < n; i++)
		ratios[i] = ref[i] > 0 ? v[i] / ref[i] : 0;
	return bench_median(ratios, n);
}

/* Fills in the median ns per operation and the operations of each loop. */
void bench_measure(struct bench_loop *loops, unsigned int count)
{
	double per_op[count][REPEATS];
	uint64_t n[count];

	for (unsigned int i = 0; i < count; i++) {
		n[i] = calibrate(&loops[i]);
		loops[i].ops = n[i] * loops[i].per * REPEATS;
	}
	for (unsigned int r = 0; r < REPEATS; r++)
		for (unsigned int i = 0; i < count; i++)
			per_op[i][r] = (double)run_body(&loops[i], n[i]) /
				       (double)(n[i] * loops[i].per);
	for (unsigned int i = 0; i < count; i++) {
		qsort(per_op[i], REPEATS, sizeof(double), compare_double);
		loops[i].median = per_op[i][REPEATS / 2];
	}
}

/* Return: 0, or -1 without memory. The pages are touched here. */
int bench_samples_init(struct bench_samples *s, size_t size)
{
	*s = (struct bench_samples) { .size = size };
	s->ns = malloc(size * sizeof(*s->ns));
	if (!s->ns)
		return -1;
	memset(s->ns, 0xff, size * sizeof(*s->ns));
	return 0;
}

void bench_samples_uninit(struct bench_samples *s)
{
	free(s->ns);
	s->ns = NULL;
}

void bench_samples_add(struct bench_samples *s, uint64_t ns, bool missed)
{
	if (s->n == s->size)
		return;
	s->ns[s->n++] = ns;
	s->missed += missed;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The nearest rank: the least sample that @pct percent do not exceed. */
static double percentile(const struct bench_samples *s, unsigned int pct)
{
	size_t rank = (s->n * pct + 99) / 100;

	return (double)s->ns[rank ? rank - 1 : 0];
}

/* Sorts the samples, of which there must be some, and sets their metrics. */
void bench_samples_row(struct bench_samples *s, struct bench_row *row)
{
	qsort(s->ns, s->n, sizeof(*s->ns), compare_u64);
	row->n = s->n;
	bench_row_set(row, BENCH_P50_NS, percentile(s, 50));
	bench_row_set(row, BENCH_P99_NS, percentile(s, 99));
	bench_row_set(row, BENCH_MAX_NS, percentile(s, 100));
	bench_row_set(row, BENCH_MISSED, (double)s->missed);
}
