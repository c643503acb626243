/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* bench.h - what the scenarios of baton-bench share. */
#ifndef BATON_BENCH_H
#define BATON_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <baton/baton.h>

/**
 * struct bench_opts - the command line
 * @tier:     the tier to insist on
 * @nprocs:   processors, for the scenarios that do not fix them
 * @trials:   0 for each case's own number
 * @block_ms: how long a blocking call blocks; 0 for each case's own
 * @time_ms:  how long a turn lasts; 0 for each case's own
 * @json:     one object per line instead of the table
 * @only:     the one case to run, or NULL
 * @plot:     where to draw a chart of the results, or NULL
 * @dir:      a folder on the disk for faults, or NULL
 */
struct bench_opts {
	enum baton_tier tier;
	unsigned int nprocs;
	unsigned int trials;
	unsigned int block_ms;
	unsigned int time_ms;
	bool json;
	const char *only;
	const char *plot;
	const char *dir;
};

extern struct bench_opts bench_opts;

/* One line of the table; @run returns 0, or -1 having said what is wrong. */
struct bench_case {
	const char *scenario;
	const char *name;
	int (*run)(const struct bench_case *c);
	const void *data;
};

/* Each ends with an entry that has no name. */
extern const struct bench_case bench_switch_cases[];
extern const struct bench_case bench_call_cases[];
extern const struct bench_case bench_lock_cases[];
extern const struct bench_case bench_mutex_cases[];
extern const struct bench_case bench_handoff_cases[];
extern const struct bench_case bench_wait_cases[];
extern const struct bench_case bench_hog_cases[];
extern const struct bench_case bench_files_cases[];
extern const struct bench_case bench_echo_cases[];
extern const struct bench_case bench_storm_cases[];

/* main.c */
int bench_run(unsigned int nprocs, baton_fn fn, void *arg);
int bench_fail(const struct bench_case *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void bench_note(const struct bench_case *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* report.c - results, as JSON or as a table */
enum bench_metric {
	BENCH_NS_PER_OP,
	BENCH_OVERHEAD_NS,
	BENCH_P50_NS,
	BENCH_P99_NS,
	BENCH_MAX_NS,
	BENCH_MISSED,
	BENCH_RATIO,
	/* Shown only where a row has them */
	BENCH_P99_RATIO,
	BENCH_FAIRNESS,
	BENCH_RATIO_THREADS,
	BENCH_RATIO_OFF,
	BENCH_RATE,
	BENCH_CPU_NS,
	BENCH_WAKEUPS,
	BENCH_CPU_PER_S,
	BENCH_NMETRICS,
};

struct bench_row {
	const char *scenario;
	const char *name;
	const char *tier;
	unsigned int nprocs;
	uint64_t n;
	unsigned int have;
	double value[BENCH_NMETRICS];
};

void bench_row_init(struct bench_row *row, const struct bench_case *c,
		    uint64_t n);
void bench_row_set(struct bench_row *row, enum bench_metric m, double value);
void bench_row_print(const struct bench_row *row);
const char *bench_format(enum bench_metric m, double v, char *buf, size_t size);
const char *bench_metric_name(enum bench_metric m);

/* plot.c - a chart of what was printed */
void bench_plot_add(const struct bench_row *row);
int bench_plot_open(void);
int bench_plot(void);

/* late.c - pages that are missing */
int bench_uffd(void *mem, size_t size, int flags);

/* measure.c - time and statistics */
#define BENCH_MSEC	UINT64_C(1000000)
#define BENCH_SEC	UINT64_C(1000000000)

struct bench_samples {
	uint64_t *ns;
	size_t n;
	size_t size;
	uint64_t missed;
};

/* A body does @n rounds of @per operations each. */
struct bench_loop {
	void (*body)(void *ctx, uint64_t n);
	void *ctx;
	uint64_t per;
	double median;
	uint64_t ops;
};

uint64_t bench_now(void);
void bench_sleep(uint64_t ns);
void bench_sleep_until(uint64_t when);
void bench_compute(uint64_t ns);
double bench_median(const double *v, unsigned int n);
double bench_median_ratio(const double *v, const double *ref, unsigned int n);
void bench_measure(struct bench_loop *loops, unsigned int count);
int bench_samples_init(struct bench_samples *s, size_t size);
void bench_samples_uninit(struct bench_samples *s);
void bench_samples_add(struct bench_samples *s, uint64_t ns, bool missed);
void bench_samples_row(struct bench_samples *s, struct bench_row *row);

/* empty.c - functions that a compiler cannot see into from elsewhere */
void bench_empty(void *arg);
uintptr_t bench_six(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
		    uintptr_t e, uintptr_t f);

#endif /* BATON_BENCH_H */
