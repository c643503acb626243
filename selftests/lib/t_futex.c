// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_futex.c - waiting at a word for a time, where times have 64 bits: as those
 * of programs of 32 bits that distributions build today.
 */
#include "refuse.h"

#include <limits.h>
#include <pthread.h>

#include "../../lib/core/futex.h"

static void *wakes(void *arg)
{
	store((uint32_t *)arg, 1u);
	futex_wake(arg);
	return NULL;
}

/*
 * A time is over when it is over, as no signal ends it; one that is longer than
 * some kernels can say lasts, too.
 */
static void wait_for_times(void)
{
	const struct timespec little = { .tv_nsec = 20 * BATON_MSEC };
	const struct timespec ages = {
		.tv_sec = sizeof(time_t) > 4 ? 10 * BATON_SEC : INT_MAX,
	};
	int64_t start = baton_now(), end;
	struct timespec deadline;
	uint32_t word = 0;
	pthread_t t;

	futex_wait(&word, 0, &little);
	end = baton_now();
	expect(end - start >= 20 * BATON_MSEC);
	end += 20 * BATON_MSEC;
	deadline.tv_sec = (time_t)(end / BATON_SEC);
	deadline.tv_nsec = (long)(end % BATON_SEC);
	while (futex_wait_until(&word, 0, &deadline))
		;
	expect(baton_now() >= end);
	expect_eq(pthread_create(&t, NULL, wakes, &word), 0);
	while (!load(&word))
		futex_wait(&word, 0, &ages);
	expect_eq(pthread_join(t, NULL), 0);
}

START_TEST(timed)
{
	wait_for_times();
}
END_TEST

/* A kernel before Linux 5.1, and filters of system calls of that age */
START_TEST(no_time64)
{
#ifdef SYS_futex_time64
	if (refuse(SYS_futex_time64, 0, ENOSYS)) {
		wait_for_times();
		return;
	}
#endif
	skip("no_time64", "no such call, or no seccomp");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("futex");
	TCase *tc = test_case(s, "futex");

	tcase_add_test(tc, timed);
	tcase_add_test(tc, no_time64);
	return suite_main(s);
}
