/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* clock.h - the time that the scheduler goes by. */
#ifndef BATON_CORE_CLOCK_H
#define BATON_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Monotonic, in nanoseconds. */
static inline int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

#endif /* BATON_CORE_CLOCK_H */
