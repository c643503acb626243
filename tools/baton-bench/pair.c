// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pair.c - the reference of a hand-off: thread A wakes thread B through a
 * futex, then blocks; how long until B runs?
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "handoff.h"

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) && errno == EINTR)
		;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *waiter_thread(void *arg)
{
	struct pair *p = arg;
	uint32_t seen = 0;
	uint64_t now;

	for (;;) {
		futex_wait(&p->word, seen);
		now = bench_now();
		if (p->word == seen)
			continue;
		seen = p->word;
		if (p->stop)
			return NULL;
		p->missed = p->ended;
		p->run_ns = now;
		sem_post(&p->woken);
	}
}

static void *waker_thread(void *arg)
{
	struct pair *p = arg;

	for (;;) {
		wait_for(&p->start);
		if (p->stop)
			return NULL;
		p->ended = false;
		blocker_prepare(p->blocker);
		bench_compute(p->blocker->compute_ns);
		p->wake_ns = bench_now();
		p->word++;
		futex_wake(&p->word);
		blocker_block(p->blocker);
		p->ended = true;
		wait_for(&p->woken);
		if (p->reader)
			reader_trial(p->reader, p->keep);
		sem_post(&p->done);
	}
}

/* Make a trial; blocks the calling thread until it is over. */
void pair_trial(struct pair *p, bool keep)
{
	p->keep = keep;
	sem_post(&p->start);
	wait_for(&p->done);
	if (keep)
		bench_samples_add(&p->samples, p->run_ns - p->wake_ns,
				  p->missed);
}

static void stop_waiter(struct pair *p)
{
	p->stop = true;
	p->word++;
	futex_wake(&p->word);
	pthread_join(p->waiter, NULL);
}

static void release(struct pair *p)
{
	sem_destroy(&p->start);
	sem_destroy(&p->woken);
	sem_destroy(&p->done);
	bench_samples_uninit(&p->samples);
}

/* Return: 0; -1 with errno set. */
int pair_init(struct pair *p, struct blocker *b, struct reader *r,
	      size_t trials)
{
	*p = (struct pair) { .blocker = b, .reader = r };
	if (bench_samples_init(&p->samples, trials))
		return -1;
	sem_init(&p->start, 0, 0);
	sem_init(&p->woken, 0, 0);
	sem_init(&p->done, 0, 0);
	errno = pthread_create(&p->waiter, NULL, waiter_thread, p);
	if (errno)
		goto err_release;
	errno = pthread_create(&p->waker, NULL, waker_thread, p);
	if (errno)
		goto err_stop;
	return 0;

err_stop:
	stop_waiter(p);
err_release:
	release(p);
	return -1;
}

void pair_uninit(struct pair *p)
{
	p->stop = true;
	sem_post(&p->start);
	pthread_join(p->waker, NULL);
	stop_waiter(p);
	release(p);
}
