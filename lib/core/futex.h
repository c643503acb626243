/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * futex.h - a thread waits at a word for another one to change it. errno is the
 * caller's to keep: its value, and that it is the thread's.
 */
#ifndef BATON_CORE_FUTEX_H
#define BATON_CORE_FUTEX_H

#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The one that reads a struct timespec as the C library has it: on 32 bits that
 * may have seconds of 64. */
#ifdef SYS_futex_time64
#define FUTEX (sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex)
#else
#define FUTEX SYS_futex
#endif

/* While @word is @val, for @limit at most; NULL: for any time. It may return
 * sooner, too. */
static inline void futex_wait(uint32_t *word, uint32_t val,
			      const struct timespec *limit)
{
	syscall(FUTEX, word, FUTEX_WAIT_PRIVATE, val, limit, NULL, 0);
}

/* One of those that wait at @word wakes. The word may be no more: nobody looks
 * at it here. */
static inline void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif /* BATON_CORE_FUTEX_H */
