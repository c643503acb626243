// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * master.c - start a hasher for each file, print the results in order.
 *
 * The master sleeps in baton_park(). It is readied by the feeder for every job
 * put into the queue, and by every hasher that has finished.
 */
#include <stdlib.h>

#include "sum.h"

/**
 * struct master - the first fiber's state
 * @args:   the names on the command line
 * @queue:  jobs not yet started
 * @first:  the oldest in flight; their order is that of the output
 * @last:   the newest
 * @flying: how many are in flight
 */
struct master {
	char **args;
	struct sum_queue queue;
	struct sum_job *first;
	struct sum_job *last;
	unsigned int flying;
};

static void *feeder_fiber(void *arg)
{
	struct master *m = arg;

	if (sum_opts.check)
		sum_check(&m->queue, m->args);
	else
		sum_walk(&m->queue, m->args);
	sum_queue_close(&m->queue);
	return NULL;
}

static struct baton_fiber *master_fiber;

static void *hasher_fiber(void *arg)
{
	struct sum_job *job = arg;

	job->err = sum_hash_job(job);
	job->done = true;
	baton_ready(master_fiber);
	return NULL;
}

/* Without memory for a fiber the job waits for others to give some back. */
static bool start_job(struct master *m, struct sum_job *job)
{
	if (job->source == SUM_FAILED)
		return true;
	if (!baton_spawn(&job->fiber, NULL, hasher_fiber, job))
		return true;
	if (m->flying)
		return false;
	hasher_fiber(job);
	return true;
}

static void fly(struct master *m, struct sum_job *job)
{
	if (m->last)
		m->last->next = job;
	else
		m->first = job;
	m->last = job;
	m->flying++;
}

/* Print the results that are due. Return: whether there was any. */
static bool land_jobs(struct master *m)
{
	struct sum_job *job;
	bool any = false;

	while (m->first && m->first->done) {
		job = m->first;
		m->first = job->next;
		if (!m->first)
			m->last = NULL;
		m->flying--;
		if (job->fiber)
			baton_join(job->fiber, NULL);
		sum_print(job);
		free(job);
		any = true;
	}
	if (any)
		sum_progress(&m->queue);
	return any;
}

/* Start what there is room for. Return: whether there was any. */
static bool launch_jobs(struct master *m)
{
	static struct sum_job *held;	/* could not be started */
	struct sum_job *job;
	bool any = false;

	while (m->flying < sum_opts.in_flight) {
		job = held ? held : sum_queue_take(&m->queue);
		if (!job)
			break;
		held = start_job(m, job) ? NULL : job;
		if (held)
			break;
		fly(m, job);
		any = true;
	}
	return any;
}

static void run_jobs(struct master *m)
{
	bool closed, moved;

	for (;;) {
		sum_queue_total(&m->queue, &closed);
		moved = launch_jobs(m);
		moved |= land_jobs(m);
		if (!moved && closed && !m->flying)
			break;
		if (!moved)
			baton_park();
	}
}

/* The first fiber; @arg is the list of names on the command line. */
void *sum_master(void *arg)
{
	static struct master master;
	struct master *m = &master;
	struct baton_fiber *feeder;

	m->args = arg;
	master_fiber = baton_self();
	sum_queue_init(&m->queue, master_fiber);
	if (baton_spawn(&feeder, NULL, feeder_fiber, m)) {
		fprintf(stderr, "baton-sum: %s\n", baton_reason());
		sum_totals.failed++;
		return NULL;
	}
	run_jobs(m);
	baton_join(feeder, NULL);
	sum_progress_end();
	sum_warnings();
	sum_summary();
	return NULL;
}
