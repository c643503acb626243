// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* cmd_hogs.c - hogs: how long a fiber waits beside others that compute. */
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

#define SLEEPS 200u
#define SLICE_MS 10u
#define SLEEP_NS 1000000

/**
 * struct hogging - one case while it runs
 * @c:       the case
 * @hogs:    fibers that compute
 * @samples: how late the other one woke, each time
 * @row:     the result
 * @begun:   of these, those that have run already
 * @stop:    it has slept for long enough
 * @wrong:   operations that failed
 */
struct hogging {
	const struct bench_case *c;
	unsigned int hogs;
	struct bench_samples samples;
	struct bench_row row;
	_Atomic unsigned int begun;
	atomic_bool stop;
	_Atomic unsigned int wrong;
};

static void *hog_fiber(void *arg)
{
	struct hogging *h = arg;

	h->begun++;
	while (!atomic_load_explicit(&h->stop, memory_order_relaxed))
		bench_compute(BENCH_MSEC / 10);
	return NULL;
}

static void *short_fiber(void *arg)
{
	struct hogging *h = arg;
	struct baton_fiber *hogs[h->hogs];

	bench_row_init(&h->row, h->c, 0);
	for (unsigned int i = 0; i < h->hogs; i++)
		if (baton_spawn(&hogs[i], NULL, hog_fiber, h)) {
			hogs[i] = NULL;
			h->wrong++;
		}
	while (h->begun + h->wrong < h->hogs)
		baton_sleep(SLEEP_NS);
	for (size_t i = 0; i < h->samples.size; i++) {
		int64_t until = baton_now() + SLEEP_NS, late;

		h->wrong += baton_sleep_until(until) != 0;
		late = baton_now() - until;
		bench_samples_add(&h->samples, late < 0 ? 0 : (uint64_t)late,
				  late > 2 * SLICE_MS * 1000000);
	}
	h->stop = true;
	for (unsigned int i = 0; i < h->hogs; i++)
		if (hogs[i])
			baton_join(hogs[i], NULL);
	return NULL;
}

static int run_hogs(const struct bench_case *c)
{
	struct hogging h = {.c = c, .hogs = (unsigned int)(uintptr_t)c->data};
	int ret;

	if (bench_samples_init(&h.samples,
			       bench_opts.trials ? bench_opts.trials : SLEEPS))
		return bench_fail(c, "out of memory");
	/* Unless it is set: without slices it would wait for ever. */
	setenv("BATON_SLICE", "10", 0);
	ret = bench_run(bench_opts.nprocs, short_fiber, &h);
	if (!ret && h.wrong)
		ret = bench_fail(c, "%u operations went wrong", h.wrong);
	if (!ret) {
		bench_samples_row(&h.samples, &h.row);
		bench_row_print(&h.row);
	}
	unsetenv("BATON_SLICE");
	bench_samples_uninit(&h.samples);
	return ret;
}

const struct bench_case bench_hog_cases[] = {
	{"hogs", "1", run_hogs, (void *)1},
	{"hogs", "4", run_hogs, (void *)4},
	{"hogs", "16", run_hogs, (void *)16},
	{.name = NULL}};
