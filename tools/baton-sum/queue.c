// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * queue.c - jobs on their way from the feeder to the master.
 *
 * The lock is held for a few instructions and never across a call that may
 * suspend a fiber. Both sides wait by baton_park(), test again after it, and
 * are readied after what they wait for has changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sum.h"

void sum_queue_init(struct sum_queue *q, struct baton_fiber *master)
{
	*q = (struct sum_queue) { .master = master };
	q->tail = &q->head;
	pthread_mutex_init(&q->lock, NULL);
}

static bool append(struct sum_queue *q, struct sum_job *job)
{
	bool full;

	pthread_mutex_lock(&q->lock);
	*q->tail = job;
	q->tail = &job->next;
	q->total++;
	full = ++q->length >= SUM_QUEUE_MAX;
	q->feeder_waits = full;
	if (full)
		q->feeder = baton_self();
	pthread_mutex_unlock(&q->lock);
	return full;
}

static bool still_waits(struct sum_queue *q)
{
	bool waits;

	pthread_mutex_lock(&q->lock);
	waits = q->feeder_waits;
	pthread_mutex_unlock(&q->lock);
	return waits;
}

/* By the feeder; it may wait. Takes over the job; NULL is an error to tell. */
void sum_queue_put(struct sum_queue *q, struct sum_job *job)
{
	bool full;

	if (!job) {
		fputs("baton-sum: out of memory\n", stderr);
		exit(1);
	}
	full = append(q, job);
	baton_ready(q->master);
	while (full && still_waits(q))
		baton_park();
}

void sum_queue_close(struct sum_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_mutex_unlock(&q->lock);
	baton_ready(q->master);
}

static struct sum_job *unlink_first(struct sum_queue *q)
{
	struct sum_job *job = q->head;

	if (!job)
		return NULL;
	q->head = job->next;
	if (!q->head)
		q->tail = &q->head;
	q->length--;
	job->next = NULL;
	return job;
}

/* By the master. Return: NULL when it is empty, now or for ever. */
struct sum_job *sum_queue_take(struct sum_queue *q)
{
	struct sum_job *job;
	bool resume;

	pthread_mutex_lock(&q->lock);
	job = unlink_first(q);
	resume = q->feeder_waits && q->length < SUM_QUEUE_MAX / 2;
	if (resume)
		q->feeder_waits = false;
	pthread_mutex_unlock(&q->lock);
	if (resume)
		baton_ready(q->feeder);
	return job;
}

/* Jobs ever put in; *@closed: no more will come. */
uint64_t sum_queue_total(struct sum_queue *q, bool *closed)
{
	uint64_t total;

	pthread_mutex_lock(&q->lock);
	total = q->total;
	*closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return total;
}

struct sum_job *sum_job_new(enum sum_source source, const char *name)
{
	size_t size = strlen(name) + 1;
	struct sum_job *job = calloc(1, sizeof(*job) + size);

	if (!job)
		return NULL;
	job->source = source;
	memcpy(job->name, name, size);
	return job;
}

/* A job that is nothing but an error message in its place in the output. */
struct sum_job *sum_job_failed(const char *name, int err)
{
	struct sum_job *job = sum_job_new(SUM_FAILED, name);

	if (job) {
		job->err = err;
		job->done = true;
	}
	return job;
}
