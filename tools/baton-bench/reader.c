// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * reader.c - the second reference of a page fault: a thread touches a page that
 * is not there, another one waits in read() for the kernel to tell it so; how
 * long until that one runs?
 *
 * This is the kernel's own way from a page fault to another thread. What it
 * takes longer than a futex wake is the way through the fault, which a hand-off
 * has before it as well, and which emulation makes dear.
 */
#include <errno.h>

#include "handoff.h"

static void *reader_thread(void *arg)
{
	struct reader *r = arg;

	for (;;) {
		late_await(&r->late);
		r->run_ns = bench_now();
		if (!r->stop)
			bench_sleep_until(r->run_ns + r->ns);
		late_bring(&r->late);
		if (r->stop)
			return NULL;
	}
}

/* Return: 0; -1 with errno set. */
int reader_init(struct reader *r, uint64_t ns, size_t trials)
{
	*r = (struct reader) { .ns = ns };
	if (bench_samples_init(&r->samples, trials))
		return -1;
	if (late_init(&r->late))
		goto err_samples;
	errno = pthread_create(&r->thread, NULL, reader_thread, r);
	if (!errno)
		return 0;
	late_uninit(&r->late);
err_samples:
	bench_samples_uninit(&r->samples);
	return -1;
}

void reader_uninit(struct reader *r)
{
	r->stop = true;
	late_drop(&r->late);
	late_touch(&r->late);
	pthread_join(r->thread, NULL);
	late_uninit(&r->late);
	bench_samples_uninit(&r->samples);
}

/* Make a trial; blocks the calling thread. */
void reader_trial(struct reader *r, bool keep)
{
	uint64_t start;

	late_drop(&r->late);
	bench_sleep(SETTLE_NS);
	start = bench_now();
	late_touch(&r->late);
	if (keep)
		bench_samples_add(&r->samples, r->run_ns - start, false);
}
