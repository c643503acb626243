// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * blocker.c - ways to block for a known time.
 *
 * A sleep needs nobody's help. A page fault needs a thread that brings the
 * page: it is not woken by the fault, which would disturb what is measured,
 * but sleeps until a time that was fixed when the trial was prepared.
 */
#include <errno.h>

#include "handoff.h"

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) && errno == EINTR)
		;
}

static void *resolver_thread(void *arg)
{
	struct blocker *b = arg;

	for (;;) {
		wait_for(&b->armed);
		if (b->stop)
			return NULL;
		bench_sleep_until(b->due);
		late_bring(&b->late);
	}
}

/* @fault, @ns and @compute_ns are set. Return: 0; -1 with errno set. */
int blocker_init(struct blocker *b)
{
	if (!b->fault)
		return 0;
	if (late_init(&b->late))
		return -1;
	sem_init(&b->armed, 0, 0);
	errno = pthread_create(&b->resolver, NULL, resolver_thread, b);
	if (!errno)
		return 0;
	sem_destroy(&b->armed);
	late_uninit(&b->late);
	return -1;
}

void blocker_uninit(struct blocker *b)
{
	if (!b->fault)
		return;
	b->stop = true;
	sem_post(&b->armed);
	pthread_join(b->resolver, NULL);
	sem_destroy(&b->armed);
	late_uninit(&b->late);
}

/* Called from a plain thread or a foreign call; then settle, and block. */
void blocker_prepare(struct blocker *b)
{
	if (b->fault) {
		late_drop(&b->late);
		b->due = bench_now() + SETTLE_NS + b->compute_ns + b->ns;
		sem_post(&b->armed);
	}
	bench_sleep(SETTLE_NS);
}

/* Return: how long it took. Called from a thread, a foreign call or a fiber. */
uint64_t blocker_block(struct blocker *b)
{
	uint64_t start = bench_now();

	if (b->fault)
		late_touch(&b->late);
	else
		bench_sleep(b->ns);
	return bench_now() - start;
}
