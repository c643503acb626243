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

/* The same as of the kernel's last tick, 1 to 10 ms ago: far cheaper. */
static inline int64_t tick_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * The same in units of 4.2 ms, which wrap after 208 days: when a wait began, in
 * reports of how long ago that was.
 */
#define STAMP_SHIFT	22

static inline uint32_t tick_stamp(void)
{
	return (uint32_t)(tick_ns() >> STAMP_SHIFT);
}

/* @ns, 0 or more, as system calls have it. */
static inline struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};
}

#endif /* BATON_CORE_CLOCK_H */
