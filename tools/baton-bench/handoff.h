/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * handoff.h - what the sides of the hand-off scenario share: a fiber that blocks
 * while another waits; and plain threads, of which one wakes another and then
 * blocks in the same way, or wakes another by its page fault.
 *
 * A trial of any side: prepare, sleep SETTLE_NS so that everybody else is
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
 * struct late - a page that comes late
 * @uffd:  the userfaultfd
 * @page:  the page, registered with it
 * @size:  its size
 * @fill:  a page's worth of what the next fault is answered with
 * @mark:  the byte in @fill
 * @wrong: pages whose contents were not what was put there, and errors
 */
struct late {
	int uffd;
	unsigned char *page;
	size_t size;
	unsigned char *fill;
	unsigned char mark;
	_Atomic unsigned int wrong;
};

int late_init(struct late *l);
void late_uninit(struct late *l);
void late_drop(struct late *l);
void late_touch(struct late *l);
void late_bring(struct late *l);
void late_await(struct late *l);

/**
 * struct blocker - how a trial blocks
 * @fault:      by touching a page that comes late; otherwise by sleeping
 * @ns:         for how long
 * @compute_ns: how long to compute before
 * @late:       the page
 * @due:        when it is to come
 * @armed:      tells the resolver to look at @due
 * @resolver:   the thread that brings the page
 * @stop:       tells it to end
 */
struct blocker {
	bool fault;
	uint64_t ns;
	uint64_t compute_ns;
	struct late late;
	uint64_t due;
	sem_t armed;
	pthread_t resolver;
	_Atomic bool stop;
};

int blocker_init(struct blocker *b);
void blocker_uninit(struct blocker *b);
void blocker_prepare(struct blocker *b);
uint64_t blocker_block(struct blocker *b);

/**
 * struct reader - a page fault that wakes who reads of it
 * @late:    the page
 * @ns:      how long after the fault it comes
 * @samples: from just before the touch to the reader running
 * @thread:  the reader
 * @run_ns:  when it ran
 * @stop:    tells it to end
 */
struct reader {
	struct late late;
	uint64_t ns;
	struct bench_samples samples;
	pthread_t thread;
	_Atomic uint64_t run_ns;
	_Atomic bool stop;
};

int reader_init(struct reader *r, uint64_t ns, size_t trials);
void reader_uninit(struct reader *r);
void reader_trial(struct reader *r, bool keep);

/**
 * struct pair - the reference: a futex wake, and then a call that blocks
 * @blocker: how
 * @reader:  NULL, or another trial for the waker to make
 * @samples: from just before the wake to the waiter running
 * @waker:   wakes and blocks
 * @waiter:  is woken
 * @start:   tells the waker to make a trial
 * @woken:   tells the waker that the waiter has noted its time
 * @keep:    the trial counts
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
	struct reader *reader;
	struct bench_samples samples;
	pthread_t waker;
	pthread_t waiter;
	sem_t start;
	sem_t woken;
	bool keep;
	sem_t done;
	_Atomic uint32_t word;
	uint64_t wake_ns;
	uint64_t run_ns;
	_Atomic bool ended;
	bool missed;
	_Atomic bool stop;
};

int pair_init(struct pair *p, struct blocker *b, struct reader *r,
	      size_t trials);
void pair_uninit(struct pair *p);
void pair_trial(struct pair *p, bool keep);

#endif /* BATON_BENCH_HANDOFF_H */
