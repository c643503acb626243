/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * futex.h - a thread waits at a word for another one to change it. errno is the
 * caller's to keep: its value, and that it is the thread's.
 */
#ifndef BATON_CORE_FUTEX_H
#define BATON_CORE_FUTEX_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * SYS_futex, which all kernels have, reads a time as two longs, whatever the C
 * library's struct timespec is. (On 32 bits SYS_futex_time64 is no older than
 * Linux 5.1, and filters of system calls may not know it.) What is more than
 * they can say, 68 years at least, ends as soon as that.
 */
static inline long futex_timed(uint32_t *word, int op, uint32_t val,
			       const struct timespec *limit, uint32_t bits)
{
	long when[2] = { 0 };

	if (limit) {
		when[0] = (long)limit->tv_sec;
		when[1] = limit->tv_nsec;
		if (when[0] != limit->tv_sec)
			when[0] = LONG_MAX;
	}
	return syscall(SYS_futex, word, op, val, limit ? when : NULL, NULL,
		       bits);
}

/* While @word is @val, for @limit at most; NULL: for any time. It may return
 * sooner, too. */
static inline void futex_wait(uint32_t *word, uint32_t val,
			      const struct timespec *limit)
{
	futex_timed(word, FUTEX_WAIT_PRIVATE, val, limit, 0);
}

/* The same until @deadline, of CLOCK_MONOTONIC; NULL: none. False: it has
 * come. */
static inline bool futex_wait_until(uint32_t *word, uint32_t val,
				    const struct timespec *deadline)
{
	return futex_timed(word, FUTEX_WAIT_BITSET_PRIVATE, val, deadline,
			   FUTEX_BITSET_MATCH_ANY) >= 0 ||
	       errno != ETIMEDOUT;
}

/* One of those that wait at @word wakes. The word may be no more: nobody looks
 * at it here. */
static inline void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif /* BATON_CORE_FUTEX_H */
