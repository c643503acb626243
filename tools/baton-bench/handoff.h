/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * handoff.h - what the two sides of the hand-off scenario share: a fiber that
 * blocks while another waits, and a plain thread that wakes another and then
 * blocks in the same way.
 *
 * A trial of either side: prepare, sleep SETTLE_NS so that everybody else is
 * asleep, compute for a while if the case says so, take the time, block.
 */
#ifndef BATON_BENCH_HANDOFF_H
#define BATON_BENCH_HANDOFF_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "bench.h"

#define SETTLE_NS	BENCH_MSEC

/**
 * struct blocker - how a trial blocks
 * @fault:      by touching a page that comes late; otherwise by sleeping
 * @ns:         for how long
 * @compute_ns: how long to compute before
 * @uffd:       the userfaultfd
 * @page:       the page, registered with it
 * @page_size:  its size
 * @fill:       a page's worth of what the next fault is answered with
 * @mark:       the byte in @fill
 * @due:        when the page is to come
 * @armed:      tells the resolver to look at @due
 * @resolver:   the thread that brings the page
 * @stop:       tells it to end
 * @wrong:      pages whose contents were not what was put there, and errors
 */
struct blocker {
	bool fault;
	uint64_t ns;
	uint64_t compute_ns;
	int uffd;
	unsigned char *page;
	size_t page_size;
	unsigned char *fill;
	unsigned char mark;
	uint64_t due;
	sem_t armed;
	pthread_t resolver;
	_Atomic bool stop;
	_Atomic unsigned int wrong;
};

int blocker_init(struct blocker *b);
void blocker_uninit(struct blocker *b);
void blocker_prepare(struct blocker *b);
uint64_t blocker_block(struct blocker *b);

/**
 * struct pair - the reference: a futex wake, and then a call that blocks
 * @blocker: how
 * @samples: from just before the wake to the waiter running
 * @waker:   wakes and blocks
 * @waiter:  is woken
 * @start:   tells the waker to make a trial
 * @woken:   tells the waker that the waiter has noted its time
 * @done:    tells who asked that the trial is over
 * @word:    the futex: the number of the trial
 * @wake_ns: when the wake was about to be made
 * @run_ns:  when the waiter ran
 * @ended:   the waker's blocking call has ended
 * @missed:  it had when the waiter ran
 * @stop:    tells both to end
 */
struct pair {
	struct blocker *blocker;
	struct bench_samples samples;
	pthread_t waker;
	pthread_t waiter;
	sem_t start;
	sem_t woken;
	sem_t done;
	_Atomic uint32_t word;
	uint64_t wake_ns;
	uint64_t run_ns;
	_Atomic bool ended;
	bool missed;
	_Atomic bool stop;
};

int pair_init(struct pair *p, struct blocker *b, size_t trials);
void pair_uninit(struct pair *p);
void pair_trial(struct pair *p, bool keep);

#endif /* BATON_BENCH_HANDOFF_H */
