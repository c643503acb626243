/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * timer.h - what is to happen at a time: a wheel of timers for each processor.
 *
 * Times are of CLOCK_MONOTONIC, in nanoseconds, and absolute. A timer lies in
 * the wheel of the processor that its fiber ran on when it was started, so that
 * no lock is shared; the watcher serves them all, and sleeps until the first is
 * due. None is due: it does not wake.
 *
 * A wheel has eight levels of 64 slots. A slot of the lowest one is a granule,
 * 16 us; one of each further level is as long as all of the level below it. A
 * timer lies in the level of the highest group of six bits in which its time
 * differs from the wheel's, and comes down when the wheel's time gets there.
 * Starting and stopping take the same few instructions however many there are.
 * After Varghese and Lauck (1987); the choice of the level is Tokio's.
 *
 * REJECTED: a heap, which has to grow when a fiber goes to sleep, and may then
 * be out of memory. REJECTED: a pairing heap: the first time that one is due
 * out of 10^5, all are looked at.
 */
#ifndef BATON_CORE_TIMER_H
#define BATON_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"

struct baton_rt;
struct waiter;

#define TIMER_NEVER	INT64_MAX	/* BATON_NEVER */

#define TIMER_SHIFT	14		/* a granule is 16,384 ns */
#define TIMER_BITS	6
#define TIMER_SLOTS	(1u << TIMER_BITS)
#define TIMER_LEVELS	8u

/**
 * struct timer - one, in whose memory its user keeps it
 * @next:  in the slot; the wheel's lock
 * @pprev: what points to it there; NULL: it is in no slot; the wheel's lock
 * @wheel: where it was started last; NULL: never. Its user's
 * @when:  in granules, rounded up, so that none comes early
 * @fire:  the time has come; it is in no slot any more. With the wheel's lock,
 *         by the watcher. What it returns, unless NULL, is a list of waiters
 *         that it has won, to be resumed after the lock was dropped
 */
struct timer {
	struct timer *next;
	struct timer **pprev;
	struct timers *wheel;
	uint64_t when;
	struct waiter *(*fire)(struct timer *t);
};

/**
 * struct timers - the wheel of one processor
 * @lock: protects all below. Rank: before the locks of objects
 * @now:  the wheel's time in granules: nothing before it is left
 * @next: when it has to be looked at again, in granules; UINT64_MAX: never.
 *        Written with the lock, read by anybody
 * @used: by level, which slots are not empty
 * @slot: lists
 */
struct timers {
	uint32_t lock;
	uint64_t now;
	uint64_t next;
	uint64_t used[TIMER_LEVELS];
	struct timer *slot[TIMER_LEVELS][TIMER_SLOTS];
} __attribute__((aligned(128)));

/* A wheel for each processor. 0, -ENOMEM. */
int baton_timers_create(struct baton_rt *rt);
void baton_timers_destroy(struct baton_rt *rt);

/*
 * Start @t, which is in no slot and whose fire is set, for time @deadline, in
 * the wheel of processor @p; any will do. A time that is past is due at once.
 */
void baton_timers_start(struct baton_rt *rt, unsigned int p, struct timer *t,
		       int64_t deadline);

/*
 * Stop @t. True: it was still to come. When this returns its fire() is not
 * running, nor will it run.
 */
bool baton_timers_stop(struct timer *t);

/*
 * What is due at time @now fires: a list of waiters that were won, for
 * wait_resume_all(). By the watcher.
 */
struct waiter *baton_timers_expire(struct baton_rt *rt, int64_t now);

/* When baton_timers_expire() is of use next; TIMER_NEVER: no timer is set. */
int64_t baton_timers_next(const struct baton_rt *rt);

#endif /* BATON_CORE_TIMER_H */
