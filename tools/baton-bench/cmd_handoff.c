// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_handoff.c - handoff: a fiber blocks its thread while another one waits
 * for the only processor; how long until that one runs?
 *
 * The first fiber is A, which blocks. B waits in baton_park() until A readies
 * it, right before A blocks. Between any two trials of theirs comes one of
 * the reference, which A waits for in a foreign call, with nothing runnable.
 *
 * A trial is missed when B did not run before A's call had ended.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "handoff.h"

#define WARMUP_MAX	20
#define HOPELESS	50	/* trials that are going to be missed all */
#define SHORT_MAX(h)	((h)->trials / 10 + 5)

/**
 * struct kind - what is particular to a case
 * @announced:  the call that blocks is a foreign call
 * @fault:      it blocks in a page fault
 * @compute_ms: A computes for so long before
 * @block_ms:   it blocks for so long, by default
 * @trials:     how many, by default
 */
struct kind {
	bool announced;
	bool fault;
	unsigned int compute_ms;
	unsigned int block_ms;
	unsigned int trials;
};

enum { REFERENCE, READER, OURS, NROWS };

/**
 * struct handoff - one case while it runs
 * @c:        the case
 * @kind:     its particulars
 * @blocker:  how A blocks
 * @pair:     the reference
 * @reader:   the second one, of a page fault
 * @samples:  from just before A's call to B running
 * @rows:     results: of the references, and ours
 * @b:        fiber B
 * @trials:   how many to do
 * @go:       the number of the trial that B is to run in; A's
 * @ran:      the number of the last one it ran in; B's
 * @block_ns: just before A's call; A's
 * @run_ns:   when B ran; B's
 * @took_ns:  how long A was blocked
 * @ended:    A's call has ended
 * @missed:   it had when B ran; B's
 * @stop:     tells B to end
 * @short_of: trials in which A hardly blocked, which were made anew
 * @early:    trials in which B ran before A blocked: it had no right to
 * @wrong:    calls of the library that failed
 * @stats:    the library's counters at the end
 */
struct handoff {
	const struct bench_case *c;
	const struct kind *kind;
	struct blocker blocker;
	struct pair pair;
	struct reader reader;
	struct bench_samples samples;
	struct bench_row rows[NROWS];
	struct baton_fiber *b;
	unsigned int trials;
	_Atomic unsigned int go;
	_Atomic unsigned int ran;
	uint64_t block_ns;
	uint64_t run_ns;
	uint64_t took_ns;
	_Atomic bool ended;
	bool missed;
	bool stop;
	unsigned int short_of;
	unsigned int early;
	unsigned int wrong;
	struct baton_stats stats;
};

static void *fiber_b(void *arg)
{
	struct handoff *h = arg;
	uint64_t now;

	for (;;) {
		h->wrong += baton_park() != 0;
		now = bench_now();
		if (h->go == h->ran)
			continue;
		if (h->stop)
			return NULL;
		h->missed = h->ended;
		h->run_ns = now;
		h->ran = h->go;
	}
}

/* What A calls, as a foreign call or not. */
static void block(void *arg)
{
	struct handoff *h = arg;

	h->took_ns = blocker_block(&h->blocker);
	h->ended = true;
}

struct reference {
	struct handoff *h;
	bool keep;
};

/* In a foreign call: B is parked, so the processor goes idle meanwhile. */
static void reference_trial(void *arg)
{
	struct reference *r = arg;

	pair_trial(&r->h->pair, r->keep);
	blocker_prepare(&r->h->blocker);
}

static void wait_for_b(struct handoff *h)
{
	while (h->ran != h->go)
		h->wrong += baton_yield() != 0;
}

static void our_trial(struct handoff *h)
{
	h->ended = false;
	bench_compute(h->blocker.compute_ns);
	h->go++;
	h->wrong += baton_ready(h->b) != 0;
	h->block_ns = bench_now();
	if (h->kind->announced)
		h->wrong += baton_call(block, h) < 0;
	else
		block(h);
	wait_for_b(h);
	h->early += h->run_ns < h->block_ns;
}

/* Return: whether A really blocked, and the trial counts. */
static bool trial(struct handoff *h, bool keep)
{
	struct reference r = { .h = h, .keep = keep };

	h->wrong += baton_call(reference_trial, &r) < 0;
	our_trial(h);
	if (h->took_ns < h->blocker.ns / 2) {
		h->short_of++;
		return false;
	}
	if (keep)
		bench_samples_add(&h->samples, h->run_ns - h->block_ns,
				  h->missed);
	return true;
}

/* Only the kernel notices a call that nobody announced. */
static void limit_trials(struct handoff *h)
{
	if (baton_tier(NULL) == BATON_TIER_POLL && !h->kind->announced &&
	    h->trials > HOPELESS)
		h->trials = HOPELESS;
}

static void make_trials(struct handoff *h)
{
	unsigned int warmup = (h->trials + 9) / 10;

	if (warmup > WARMUP_MAX)
		warmup = WARMUP_MAX;
	while (warmup--)
		trial(h, false);
	h->short_of = 0;
	while (h->samples.n < h->trials && h->short_of <= SHORT_MAX(h) &&
	       !h->wrong)
		trial(h, true);
}

static void *fiber_a(void *arg)
{
	struct handoff *h = arg;

	limit_trials(h);
	if (baton_spawn(&h->b, NULL, fiber_b, h)) {
		h->wrong++;
		return NULL;
	}
	make_trials(h);
	h->stop = true;
	h->go++;
	h->wrong += baton_ready(h->b) != 0;
	h->wrong += baton_join(h->b, NULL) != 0;
	h->wrong += baton_stats(&h->stats, sizeof(h->stats)) != 0;
	for (int i = 0; i < NROWS; i++)
		bench_row_init(&h->rows[i], h->c, 0);
	h->rows[REFERENCE].tier = "reference";
	h->rows[READER].tier = "uffd-read";
	return NULL;
}

/* Does what was measured make sense? */
static int check(struct handoff *h)
{
	uint64_t moved = h->stats.handoffs + h->stats.idled;

	if (h->wrong)
		return bench_fail(h->c, "%u calls of the library failed",
				  h->wrong);
	if (h->early)
		return bench_fail(h->c, "%u times two fibers ran at once",
				  h->early);
	if (h->blocker.late.wrong + h->reader.late.wrong)
		return bench_fail(h->c, "%u pages were wrong",
				  h->blocker.late.wrong + h->reader.late.wrong);
	if (!h->trials || h->samples.n != h->trials)
		return bench_fail(h->c, "it did not block in %u trials",
				  h->short_of);
	if (moved < h->samples.n - h->samples.missed)
		return bench_fail(h->c, "only %llu processors were taken",
				  (unsigned long long)moved);
	return 0;
}

static void print(struct handoff *h)
{
	struct bench_row *rows = h->rows;
	unsigned int first = h->kind->fault ? READER : OURS;

	bench_samples_row(&h->pair.samples, &rows[REFERENCE]);
	if (h->kind->fault)
		bench_samples_row(&h->reader.samples, &rows[READER]);
	bench_samples_row(&h->samples, &rows[OURS]);
	for (unsigned int i = OURS; i >= first; i--) {
		bench_row_set(&rows[i], BENCH_RATIO,
			      rows[i].value[BENCH_P50_NS] /
			      rows[REFERENCE].value[BENCH_P50_NS]);
		bench_row_print(&rows[i]);
	}
	bench_row_print(&rows[REFERENCE]);
}

static int measure(struct handoff *h, size_t trials)
{
	bool fault = h->kind->fault;
	int ret = -1;

	if (blocker_init(&h->blocker))
		return bench_fail(h->c, "userfaultfd: %s", strerror(errno));
	if (fault && reader_init(&h->reader, h->blocker.ns, trials)) {
		bench_fail(h->c, "userfaultfd: %s", strerror(errno));
	} else {
		if (!bench_run(1, fiber_a, h) && !check(h)) {
			print(h);
			ret = 0;
		}
		if (fault)
			reader_uninit(&h->reader);
	}
	blocker_uninit(&h->blocker);
	return ret;
}

static int run_handoff(const struct bench_case *c)
{
	const struct kind *k = c->data;
	unsigned int ms = bench_opts.block_ms;
	struct handoff h = {
		.c = c,
		.kind = k,
		.trials = bench_opts.trials ? bench_opts.trials : k->trials,
		.blocker = {
			.fault = k->fault,
			.ns = (ms ? ms : k->block_ms) * BENCH_MSEC,
			.compute_ns = k->compute_ms * BENCH_MSEC,
		},
	};
	/* One that is made anew leaves samples of the references. */
	size_t trials = h.trials + SHORT_MAX(&h) + 1;
	int ret;

	if (bench_samples_init(&h.samples, h.trials))
		return bench_fail(c, "%s", strerror(errno));
	if (pair_init(&h.pair, &h.blocker, k->fault ? &h.reader : NULL,
		      trials)) {
		bench_samples_uninit(&h.samples);
		return bench_fail(c, "%s", strerror(errno));
	}
	/*
	 * Good to have, but it may need a privilege. Before measure(): a page
	 * that is locked cannot be dropped, to be faulted in once more.
	 */
	mlockall(MCL_CURRENT);
	ret = measure(&h, trials);
	munlockall();
	pair_uninit(&h.pair);
	bench_samples_uninit(&h.samples);
	return ret;
}

static const struct kind announced = {
	.announced = true, .block_ms = 25, .trials = 1000,
};

static const struct kind busy_spell = {
	.announced = true, .compute_ms = 150, .block_ms = 50, .trials = 50,
};

static const struct kind unannounced = {
	.block_ms = 10, .trials = 1000,
};

static const struct kind pagefault = {
	.fault = true, .block_ms = 20, .trials = 1000,
};

const struct bench_case bench_handoff_cases[] = {
	{ "handoff", "announced", run_handoff, &announced },
	{ "handoff", "busy-spell", run_handoff, &busy_spell },
	{ "handoff", "unannounced", run_handoff, &unannounced },
	{ "handoff", "pagefault", run_handoff, &pagefault },
	{ .name = NULL }
};
