// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * workers.c - a group of workers that count the primes in ranges of numbers, in
 * foreign calls, some at a time, with a time limit for all of it. A range that
 * makes no sense is an error, which cancels the others, and so is the end of
 * the time. No more threads compute at once than there are CPUs.
 *
 *	workers MILLISECONDS LOW-HIGH...	how many primes each range has
 *	workers --plain LOW-HIGH...		the same without fibers
 */
#include <baton/baton.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 8
#define PIECE 10000u

/**
 * struct range - a job
 * @low, @high: the first number and the last
 * @primes:  how many there are; the worker's
 * @text:    as it was given
 * @jobs:    what it is one of
 */
struct range {
	uint64_t low;
	uint64_t high;
	uint64_t primes;
	const char *text;
	struct jobs *jobs;
};

/**
 * struct jobs - all of them
 * @cpus: as many as may compute
 * @done: to the first fiber, as they are done, in any order
 */
struct jobs {
	struct range *ranges;
	int n;
	int64_t deadline;
	struct baton_sem cpus;
	struct baton_chan done;
	int err;
};

/* A piece of a range, for one foreign call. */
struct piece {
	uint64_t low;
	uint64_t high;
	uint64_t primes;
};

static bool is_prime(uint64_t n)
{
	if (n < 2)
		return false;
	for (uint64_t i = 2; i * i <= n; i++)
		if (!(n % i))
			return false;
	return true;
}

static void count_piece(void *arg)
{
	struct piece *p = arg;

	for (uint64_t n = p->low; n <= p->high; n++)
		p->primes += is_prime(n);
}

static int parse(struct range *r)
{
	return sscanf(r->text, "%" SCNu64 "-%" SCNu64, &r->low, &r->high) != 2 ||
			       r->low > r->high || r->high > UINT32_MAX ?
		       -EINVAL : 0;
}

/*
 * A cancel ends a wait for a CPU; but if one is there at once nothing waits, so
 * it is asked for as well. What has been counted is dropped then. For the same
 * reason each piece ends by a yield: a call that computes keeps its processor,
 * and other ranges are to have their turn.
 */
static int count_range(void *arg)
{
	struct range *r = arg;
	struct jobs *jobs = r->jobs;
	int err = parse(r);

	if (err)
		fprintf(stderr, "workers: no range: %s\n", r->text);
	for (uint64_t n = r->low; !err && n <= r->high; n += PIECE) {
		struct piece p = { n, n + PIECE - 1, 0 };

		if (p.high > r->high)
			p.high = r->high;
		err = baton_canceled() ? -ECANCELED :
					 baton_sem_wait(&jobs->cpus);
		if (err)
			break;
		baton_call(count_piece, &p);
		baton_sem_post(&jobs->cpus);
		baton_yield();
		r->primes += p.primes;
	}
	return err ? err : baton_chan_send(&jobs->done, &r);
}

/* Count them as they come, until there are no more. */
static void *watch(void *arg)
{
	struct jobs *jobs = arg;
	struct range *r;
	int n = 0;

	while (!baton_chan_recv(&jobs->done, &r))
		n++;
	if (n < jobs->n)
		fprintf(stderr, "workers: %d of %d are done\n", n, jobs->n);
	return NULL;
}

/* All of the group have ended when this returns, come what may. */
static int run_group(struct jobs *jobs)
{
	struct baton_group group = BATON_GROUP_INIT;
	int err = 0;

	baton_group_set_limit(&group, WORKERS);
	for (int i = 0; i < jobs->n && !err; i++)
		err = baton_group_spawn(&group, NULL, count_range,
					&jobs->ranges[i]);
	/* No place until the time is up: those that run have not heard of it. */
	if (err)
		baton_group_cancel(&group);
	return baton_group_wait(&group);
}

static void *first(void *arg)
{
	struct jobs *jobs = arg;
	struct baton_scope scope;
	struct baton_fiber *watcher;

	baton_sem_init(&jobs->cpus, baton_nprocs());
	baton_chan_init(&jobs->done, sizeof(struct range *), 0, NULL);
	jobs->err = baton_spawn(&watcher, NULL, watch, jobs);
	if (jobs->err)
		return NULL;
	baton_deadline_push(&scope, jobs->deadline);
	jobs->err = run_group(jobs);
	baton_deadline_pop(&scope);
	baton_chan_close(&jobs->done);
	baton_join(watcher, NULL);
	return NULL;
}

static int plain(struct jobs *jobs)
{
	for (int i = 0; i < jobs->n; i++) {
		struct range *r = &jobs->ranges[i];
		struct piece p = { 0 };

		if (parse(r))
			return -EINVAL;
		p.low = r->low;
		p.high = r->high;
		count_piece(&p);
		r->primes = p.primes;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct jobs jobs = { .n = argc - 2 };

	if (jobs.n < 1) {
		fprintf(stderr,
			"usage: workers MILLISECONDS|--plain LOW-HIGH...\n");
		return 2;
	}
	jobs.ranges = calloc((size_t)jobs.n, sizeof(*jobs.ranges));
	if (!jobs.ranges)
		return EXIT_FAILURE;
	for (int i = 0; i < jobs.n; i++) {
		jobs.ranges[i].text = argv[i + 2];
		jobs.ranges[i].jobs = &jobs;
	}
	jobs.deadline = baton_now() + strtol(argv[1], NULL, 10) * BATON_MSEC;
	if (!strcmp(argv[1], "--plain"))
		jobs.err = plain(&jobs);
	else if (baton_run(NULL, first, &jobs, NULL))
		jobs.err = -ENOMEM;
	for (int i = 0; i < jobs.n && !jobs.err; i++)
		printf("%s: %" PRIu64 "\n", jobs.ranges[i].text,
		       jobs.ranges[i].primes);
	if (jobs.err)
		fprintf(stderr, "workers: %s\n", strerror(-jobs.err));
	free(jobs.ranges);
	return jobs.err ? EXIT_FAILURE : EXIT_SUCCESS;
}
