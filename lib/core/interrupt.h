/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * interrupt.h - a cancel that reaches a foreign call: EINTR inside that call,
 * and never after it.
 *
 * A signal at a blocked thread is easy to send, and hard to send in time. Sent
 * before the thread has entered the kernel, it interrupts nothing, and the call
 * then blocks for good; sent after the call has come home, it interrupts the
 * next one, which may be another fiber's. So here
 *
 *  - the watcher alone sends, and repeats it with growing pauses for as long as
 *    the same call goes on: what comes too early is made up for;
 *  - it sends only while the worker cannot leave the foreign code unseen, and
 *    the worker does not leave before the signal has come: none comes too late.
 *
 * The words. A cancel that is due is the fiber's word canceled, as for every
 * wait. A worker has three bits in its word rare, at which it looks on each way
 * out of foreign code: home from a call, and into a callback.
 *
 *	WANTED   the foreign code may have to be interrupted. A hint, which may
 *	         be stale. Set by who cancels, and by the worker when it enters
 *	         foreign code with a cancel due; cleared by the worker when it
 *	         leaves, or by the watcher if there is nothing to interrupt
 *	SENDING  the watcher's: it looks, and sends if it has to
 *	HIT      it has sent, and the worker is to see that it has come
 *
 *	who cancels		the worker, in		the worker, out
 *	canceled = 1		state = FOREIGN		state = FIBER
 *	membarrier()		(compiler barrier)	(compiler barrier)
 *	state? FOREIGN:		canceled?		rare?
 *	  rare |= WANTED	  rare |= WANTED	  SENDING: wait
 *	  kick the watcher	  kick the watcher	  rare = none
 *							  HIT? await it
 *	the watcher
 *	rare: WANTED -> SENDING
 *	membarrier()
 *	state? FOREIGN, and the fiber is canceled and not masked:
 *	  rare |= HIT, signal
 *	rare: SENDING -> WANTED, or none of them
 *
 * Who cancels and the worker on its way in: one of them sees the other's store.
 * The watcher and the worker on its way out: the same; the worker's look is an
 * acquire, so that what the watcher has read comes before what the worker writes
 * from then on. If the watcher has seen
 * FOREIGN, the worker finds SENDING, and waits; so what it runs is still the
 * same, and the watcher may look at the fiber. Where there is no membarrier()
 * the worker has a fence on its way out (RARE_FENCE). On its way in, which all
 * calls would pay for, it has none: who cancels then sets WANTED whatever the
 * state is, and the watcher looks for FOREIGN for some milliseconds.
 *
 * The signal is sent to the thread before SENDING is cleared, so that by then
 * it is pending, if it has not come already. The worker calls sigtimedwait(),
 * which takes it off the queue, also if foreign code has blocked it.
 *
 * Foreign code may mask cancels, which it does as if it left and came back: it
 * stores masked, and then looks at rare as above. The watcher looks at masked
 * while it is SENDING, so either it has seen the mask, or the worker waits, and
 * the signal comes before the section that it must not interrupt. When the last
 * mask goes, the worker stores that and then looks at canceled, as on its way in:
 * either the watcher, which had found it masked, had yet to look, or the worker
 * sees the cancel. Both are rare, and have a fence.
 *
 * A call whose errno is EINTR at its end has heard of its cancel, which is over
 * then. Otherwise it did not block, or some library has tried again and again:
 * the cancel is still due, and ends the next wait.
 *
 * REJECTED: a real-time signal. Each would come, even if others are pending;
 * but the default action of those is death, for a program that a fiber has just
 * executed, for one. That of SIGURG is nothing.
 */
#ifndef BATON_CORE_INTERRUPT_H
#define BATON_CORE_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

struct baton_fiber;
struct baton_rt;
struct baton_worker;

/* baton_worker.rare */
#define RARE_FENCE	1u	/* no membarrier(), see claim.h */
#define RARE_WANTED	2u
#define RARE_SENDING	4u
#define RARE_HIT	8u
#define RARE_TRACE	16u	/* the call's end is to be recorded, trace.h */

/**
 * struct interrupt - of a worker; the watcher's
 * @calls: the call that @pause is about, as slot.calls
 * @again: the time of its next signal
 * @pause: nanoseconds to the one after that
 */
struct interrupt {
	uint64_t calls;
	int64_t again;
	long pause;
};

/* What @w does in foreign code may have to be interrupted. Any thread. */
void baton_interrupt_want(struct baton_worker *w);

/* @w, the caller's, has entered foreign code: state FOREIGN. */
void baton_interrupt_begin(struct baton_worker *w) __attribute__((cold));

/*
 * @w, the caller's, has left foreign code: state FIBER. @err: the errno that
 * this has left. No signal comes any more. May spin for a system call of the
 * watcher's.
 */
void baton_interrupt_over(struct baton_worker *w, int err)
	__attribute__((cold));

/*
 * @w, the caller's, is in foreign code, whose fiber has masked cancels: no
 * signal comes from now on. May spin as above. Keeps errno.
 */
void baton_interrupt_masked(struct baton_worker *w) __attribute__((cold));

/* @w, the same way, whose fiber has undone its last mask: signals may come. */
void baton_interrupt_unmasked(struct baton_worker *w) __attribute__((cold));

/* The calling fiber @f, in or after foreign code, has heard of its cancel. */
void baton_cancel_heard(struct baton_fiber *f);

/*
 * The watcher interrupts what is to be interrupted. Nanoseconds to its next
 * look, or -1: none is due before a kick.
 */
long baton_interrupt_watch(struct baton_rt *rt);

/*
 * The calling thread, a worker's, lets the signal in. True: it was blocked, and
 * baton_interrupt_block() is to put that back.
 */
bool baton_interrupt_unblock(void);
void baton_interrupt_block(void);

/*
 * @fn is to run on a thread for whom a timer of baton_interrupt_event() has run
 * out, in a handler of that thread's: the same signal carries both. It heeds the
 * rules of such handlers, and keeps errno. Until baton_interrupt_uninit().
 */
void baton_interrupt_timers(void (*fn)(void));

/* What a timer is to do when it runs out: that, on thread @tid. */
struct sigevent;
void baton_interrupt_event(struct sigevent *event, uint32_t tid);

/* The scheduler has ended: the signal is the program's again. */
void baton_interrupt_uninit(void);

/* In the child of fork(): nobody sends @w anything. */
void baton_interrupt_forked(struct baton_worker *w);

#endif /* BATON_CORE_INTERRUPT_H */
