/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * wait.h - one waiter for one of several things, a deadline, or being canceled.
 *
 * The waiter is a fiber, or an ordinary thread: also the thread of a fiber in a
 * foreign call. It lists itself with each object that it waits for, and then
 * blocks. An object that has something for it first has to win the waiter: of
 * all objects, the deadline and the cancel, one does. So whoever waits does
 *
 *	struct wait wait;
 *
 *	wait_enter(&wait);
 *	lock_take(&object->lock);
 *	...				not to be had at once
 *	wait_arm(&wait, wait_object(object)); may be won from here on
 *	waitq_add(&object->waiters, &entry, wait.waiter);
 *	lock_drop(&object->lock);
 *	err = wait_block(&wait, deadline);
 *	if (err) {			the object has not won
 *		lock_take(&object->lock);
 *		waitq_del(&object->waiters, &entry);
 *		lock_drop(&object->lock);
 *	}
 *	wait_leave(&wait);
 *
 * and whoever has something for it
 *
 *	w = sched_enter();		NULL: an ordinary thread
 *	lock_take(&object->lock);
 *	waiter = waitq_win(&object->waiters);	off the list, and won
 *	lock_drop(&object->lock);
 *	if (waiter)
 *		waiter_resume(w, waiter);
 *	wait_exit(w);
 *
 * Lifetime: an entry, and a thread's waiter, lie on the stack of who waits. An
 * object looks at them with its lock held, and one that has won until it has
 * resumed them; one that has lost is taken off under that lock before the wait
 * is over. Who has won resumes, always.
 */
#ifndef BATON_CORE_WAIT_H
#define BATON_CORE_WAIT_H

#include <baton/sync.h>

#include "lock.h"
#include "sched.h"
#include "timer.h"
#include "waiter.h"

/**
 * struct wait - one call that may wait
 * @w:      the fiber's worker, in scheduler code; NULL: an ordinary thread
 * @waiter: the fiber's, or @own
 * @own:    a thread's
 * @first:  of baton_wait_slow(): a fiber to go on with if it waits for its
 *          first run here; or NULL
 */
struct wait {
	struct baton_worker *w;
	struct waiter *waiter;
	struct baton_fiber *first;
	struct waiter own;
};

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* --- the caller ------------------------------------------------------------ */

/*
 * wait_enter() once sched_enter() has said @w. For a caller that may not have to
 * wait: until it knows, it keeps @w alone, in a register.
 */
static inline void wait_begin(struct wait *t, struct baton_worker *w)
{
	t->first = NULL;
	t->w = w;
	if (likely(w)) {
		t->waiter = &w->fiber->waiter;
	} else {
		t->own = (struct waiter){ 0 };
		t->waiter = &t->own;
	}
}

static inline void wait_enter(struct wait *t)
{
	wait_begin(t, sched_enter());
}

/* The end of what sched_enter() began, whose result @w is. */
static inline void wait_exit(struct baton_worker *w)
{
	if (likely(w))
		sched_exit(w);
}

static inline void wait_leave(struct wait *t)
{
	wait_exit(t->w);
}

/*
 * What a fiber waits for, for whoever wants to know: an object of lib/sync, or a
 * descriptor, which no object's address looks like; or neither.
 */
#define WAIT_ON_OTHER	((uintptr_t)0)

static inline uintptr_t wait_object(const void *object)
{
	return (uintptr_t)object;
}

static inline uintptr_t wait_fd(int fd)
{
	return (uintptr_t)fd << 1 | 1;
}

static inline bool wait_is_fd(uintptr_t on)
{
	return on & 1;
}

static inline int wait_fd_of(uintptr_t on)
{
	return (int)(on >> 1);
}

/* A wait of @f, the fiber that @w runs, begins. */
static inline void wait_note(struct baton_worker *w, struct baton_fiber *f,
			     uintptr_t on)
{
	WRITE_ONCE(f->waiter.since, w->proc->now);
	WRITE_ONCE(f->on, on);
}

/*
 * From here on the waiter may be won, and wait_block() or baton_wait_disarm()
 * has to follow. The fiber is not to be on any list before.
 */
static inline void wait_arm(struct wait *t, uintptr_t on)
{
	struct waiter *waiter = t->waiter;
	uint32_t blocked = WAITER_BLOCKED;
	struct baton_worker *w = t->w;

	if (likely(w)) {
		struct baton_fiber *f = w->fiber;

		wait_note(w, f, on);
		if (unlikely(f->masked))
			blocked = WAITER_MASKED;
	}
	waiter->next = NULL;
	/* Release: pairs with waiter_win(). */
	smp_store_release(&waiter->blocked, blocked);
}

/*
 * The same for a fiber that goes on when it is won by an object and not before:
 * no cancel, no deadline. wait_switch() has to follow.
 */
static inline void wait_arm_masked(struct wait *t)
{
	if (likely(t->w))
		wait_note(t->w, t->w->fiber, WAIT_ON_OTHER);
	t->waiter->next = NULL;
	smp_store_release(&t->waiter->blocked, (uint32_t)WAITER_MASKED);
}

/* Nothing is to be waited for after all. What may have won is waited for; if it
 * is a cancel, that is for the next wait. */
void baton_wait_disarm(struct wait *t);

/* What wait_block() leaves over: a thread, a deadline, a cancel, a fence. */
int baton_wait_slow(struct wait *t, int64_t deadline);

/*
 * A cancel is due, f->canceled: end the wait that @f is in, if it is in one and
 * that is not masked. True: it has ended this one, and the caller has to resume
 * @f. The caller knows that @f does not end meanwhile.
 */
bool baton_wait_cancel(struct baton_rt *rt, struct baton_fiber *f);

/*
 * Cancel @f, which does not end meanwhile. @w: the caller's worker, in
 * scheduler code; NULL: any other thread, which holds @rt. Blocks neither.
 */
void baton_cancel_held(struct baton_rt *rt, struct baton_worker *w,
		       struct baton_fiber *f);

/*
 * wait_block() has said -ECANCELED, but what was waited for is there all the
 * same: the cancel has ended nothing, and is for the next wait.
 */
void baton_wait_canceled_later(const struct wait *t);

/*
 * This thread is in a foreign call whose cancel is due, and has heard of it
 * now: what it waits for is to end by -ECANCELED.
 */
bool baton_wait_thread_canceled(void);

/* How the wait of @f, which is over, ended: 0, -ECANCELED, -ETIMEDOUT. */
int baton_wait_result(const struct baton_fiber *f);

/*
 * Is there anything else that may end the wait of @f, or keep it from
 * beginning?
 * The canceler makes up for the fence between blocked and canceled.
 */
static inline bool wait_is_rare(const struct baton_worker *w,
				const struct baton_fiber *f, int64_t deadline)
{
	barrier();
	/* Differences of what is the same are 0, and cost less than comparing. */
	return unlikely(READ_ONCE(f->canceled) | READ_ONCE(w->rare) |
			(deadline ^ TIMER_NEVER) |
			(f->deadline ^ TIMER_NEVER));
}

/*
 * Wait until won. 0: by an object, whose entry is waiter.by; -ETIMEDOUT: it is
 * @deadline, or that of a baton_deadline_push(); -ECANCELED. Blocks the fiber,
 * or the thread. Without locks.
 */
static inline int wait_block(struct wait *t, int64_t deadline)
{
	struct baton_fiber *f;

	if (unlikely(!t->w))
		return baton_wait_slow(t, deadline);
	f = t->w->fiber;
	if (wait_is_rare(t->w, f, deadline))
		return baton_wait_slow(t, deadline);
	t->w = sched_block(t->w);
	if (unlikely((uintptr_t)f->waiter.by <= WAITER_LAST))
		return baton_wait_result(f);
	return 0;
}

/* --- an object's list; with its lock --------------------------------------- */

/* An entry, struct baton_wait_entry, is often part of something larger. */

static inline bool waitq_empty(const struct baton_waitq *q)
{
	return !q->first;
}

static inline void waitq_add(struct baton_waitq *q, struct baton_wait_entry *e,
			     struct waiter *waiter)
{
	e->waiter = waiter;
	e->next = NULL;
	e->prev = q->last;
	if (q->last)
		q->last->next = e;
	else
		q->first = e;
	q->last = e;
}

/* Take @e off, if nobody has. */
static inline void waitq_del(struct baton_waitq *q, struct baton_wait_entry *e)
{
	if (!e->waiter)
		return;
	if (e->prev)
		e->prev->next = e->next;
	else
		q->first = e->next;
	if (e->next)
		e->next->prev = e->prev;
	else
		q->last = e->prev;
	e->waiter = NULL;
}

/*
 * The first waiter, which there is, off the list; NULL if it cannot be won any
 * more.
 */
static inline struct waiter *waitq_win_first(struct baton_waitq *q)
{
	struct baton_wait_entry *e = q->first;
	struct waiter *waiter = e->waiter;

	/* waitq_del() of one that is listed, and has none before it */
	q->first = e->next;
	if (unlikely(e->next))
		e->next->prev = NULL;
	else
		q->last = NULL;
	e->waiter = NULL;
	return likely(waiter_win(waiter, e)) ? waiter : NULL;
}

/*
 * The first waiter that can be won, off the list with all before it; or NULL.
 * The caller resumes it; its waiter.by says which entry it was.
 */
static inline struct waiter *waitq_win(struct baton_waitq *q)
{
	struct waiter *waiter = NULL;

	while (!waiter && !waitq_empty(q))
		waiter = waitq_win_first(q);
	return waiter;
}

/* All of them, as a list for wait_resume_all(). */
static inline struct waiter *waitq_win_all(struct baton_waitq *q)
{
	struct waiter *all = NULL, **last = &all;

	while ((*last = waitq_win(q)))
		last = &(*last)->next;
	return all;
}

/* --- who has won ----------------------------------------------------------- */

/* A thread, or a fiber of whichever scheduler by a thread without processor. */
void baton_waiter_resume(struct waiter *waiter);

/*
 * Let it run. It may be gone when this returns. @w: the caller's worker, in
 * scheduler code, or NULL on any other thread. Blocks neither.
 */
static inline void waiter_resume(struct baton_worker *w, struct waiter *waiter)
{
	if (likely(w && waiter->fiber))
		baton_sched_ready(w->rt, w, waiter->fiber);
	else
		baton_waiter_resume(waiter);
}

static inline void wait_resume(struct wait *t, struct waiter *waiter)
{
	waiter_resume(t->w, waiter);
}

/* A list of them, linked by next. */
static inline void wait_resume_all(struct baton_worker *w, struct waiter *all)
{
	while (all) {
		struct waiter *waiter = all;

		all = waiter->next;
		waiter_resume(w, waiter);
	}
}

#endif /* BATON_CORE_WAIT_H */
