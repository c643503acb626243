// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * mutex.c - a lock that belongs to whoever took it.
 *
 * The word is the owner (sync_self()), or 0. Locking a free one and unlocking
 * one that nobody waits for are a compare-and-swap each.
 *
 * REJECTED: to let whoever runs take a mutex before those who wait for it, as
 * Go does until one has waited for a millisecond. It spares switches where many
 * fibers want the same mutex; but a fiber that locks again and again on one
 * processor would never let another one have it.
 */
#include "mutex.h"

#include "contend.h"
#include "order.h"

/* baton_word_wait(), timed. */
static int __attribute__((noinline, cold))
wait_timed(struct wait *t, struct baton_mutex *m, uintptr_t owner,
	   struct place *place, int64_t deadline, const void *site)
{
	int64_t since = baton_contend_begin();
	int err = baton_word_wait(t, &m->baton_word, owner, &m->baton_waiters,
				  place, deadline);

	baton_contend_end(since, CONTEND_MUTEX, site);
	return err;
}

/* @site: who has called; NULL: whoever this returns to, as lock() ends by it. */
static int __attribute__((noinline))
lock_slow(struct baton_mutex *m, uintptr_t self, int64_t deadline,
	  const void *site)
{
	struct place place;
	uintptr_t old;
	struct wait t;
	int err = 0;

	if (word_rest(READ_ONCE(m->baton_word)) == self)
		return baton_error(-EDEADLK, "this mutex is the caller's");
	wait_enter(&t);
	if (!word_lock(&m->baton_word, &old)) {
		err = baton_sync_dead("the mutex");
	} else if (!old) {
		word_unlock(&m->baton_word, self, &m->baton_waiters);
	} else {
		/* Who unlocks it makes us its owner. */
		place.self = self;
		if (contend_timed())
			err = wait_timed(&t, m, word_rest(old), &place, deadline,
					 site ? site :
						__builtin_return_address(0));
		else
			err = word_wait(&t, &m->baton_word, word_rest(old),
					&m->baton_waiters, &place, deadline);
		if (unlikely(err))
			baton_word_withdraw(&m->baton_word, &m->baton_waiters,
					    &place);
	}
	wait_leave(&t);
	return err;
}

static inline int lock_as(struct baton_mutex *m, uintptr_t self,
			  int64_t deadline, const void *site)
{
	uintptr_t old;
	int err = 0;

	baton_order_before(m, self, site);
	/* A swap in vain would cost more than a look. Acquire: what the last
	 * owner did. */
	old = READ_ONCE(m->baton_word);
	if (unlikely(old || !try_cmpxchg_acq_rel(&m->baton_word, &old, self)))
		err = lock_slow(m, self, deadline, NULL);
	if (likely(!err))
		baton_order_locked(m, self, site);
	return err;
}

/* By a thread that is no fiber's. Apart, so that the others need no frame. */
static int __attribute__((noinline))
lock_thread(struct baton_mutex *m, int64_t deadline, const void *site)
{
	return lock_as(m, (uintptr_t)pthread_self(), deadline, site);
}

static inline int lock(struct baton_mutex *m, int64_t deadline,
		       const void *site)
{
	const struct baton_worker *w;

	if (unlikely(!m))
		return baton_sync_null("the mutex");
	w = baton_worker_self();
	return likely(sync_as_fiber(w)) ?
		       lock_as(m, (uintptr_t)w->fiber, deadline, site) :
		       lock_thread(m, deadline, site);
}

int baton_mutex_lock(struct baton_mutex *m)
{
	return lock(m, BATON_NEVER, __builtin_return_address(0));
}

int baton_mutex_lock_until(struct baton_mutex *m, int64_t deadline)
{
	return lock(m, deadline, __builtin_return_address(0));
}

int baton_mutex_trylock(struct baton_mutex *m)
{
	uintptr_t old = 0, self;

	if (unlikely(!m))
		return baton_sync_null("the mutex");
	self = sync_self();
	if (likely(try_cmpxchg_acq_rel(&m->baton_word, &old, self))) {
		baton_order_locked(m, self, __builtin_return_address(0));
		return 0;
	}
	return old == WORD_DEAD ? baton_sync_dead("the mutex") : -EBUSY;
}

int baton_mutex_check(const struct baton_mutex *m, uintptr_t self)
{
	uintptr_t old = READ_ONCE(m->baton_word);

	if (likely(word_rest(old) == self))
		return 0;
	if (old == WORD_DEAD)
		return baton_sync_dead("the mutex");
	return baton_error(-EPERM, word_rest(old) ?
					   "the mutex is somebody else's" :
					   "the mutex is not locked");
}

/* Somebody waits, or did. */
static inline void hand_over(struct baton_worker *w, struct baton_mutex *m)
{
	struct waiter *next;
	uintptr_t old;

	/* Its owner is who calls this: nobody can destroy it. */
	word_lock(&m->baton_word, &old);
	next = waitq_win(&m->baton_waiters);
	word_unlock(&m->baton_word, next ? place_of(next->by)->self : 0,
		    &m->baton_waiters);
	if (next)
		waiter_resume(w, next);
}

void baton_mutex_give(struct wait *t, struct baton_mutex *m, uintptr_t self)
{
	uintptr_t old = self;

	baton_order_unlocked(m, self);
	/* Release: what the owner did. */
	if (!try_cmpxchg_acq_rel(&m->baton_word, &old, 0))
		hand_over(t->w, m);
}

static int __attribute__((noinline))
unlock_slow(struct baton_mutex *m, uintptr_t self)
{
	int err = baton_mutex_check(m, self);
	struct baton_worker *w;

	if (unlikely(err))
		return err;
	baton_order_unlocked(m, self);
	w = sched_enter();
	hand_over(w, m);
	wait_exit(w);
	return 0;
}

static inline int unlock_as(struct baton_mutex *m, uintptr_t self)
{
	uintptr_t old = READ_ONCE(m->baton_word);

	/* Release: what the owner did. */
	if (unlikely(old != self ||
		     !try_cmpxchg_acq_rel(&m->baton_word, &old, 0)))
		return unlock_slow(m, self);
	baton_order_unlocked(m, self);
	return 0;
}

/* As lock_thread(). */
static int __attribute__((noinline)) unlock_thread(struct baton_mutex *m)
{
	return unlock_as(m, (uintptr_t)pthread_self());
}

int baton_mutex_unlock(struct baton_mutex *m)
{
	const struct baton_worker *w;

	if (unlikely(!m))
		return baton_sync_null("the mutex");
	w = baton_worker_self();
	return likely(sync_as_fiber(w)) ? unlock_as(m, (uintptr_t)w->fiber) :
					  unlock_thread(m);
}

/* lock_slow(), which nothing but the mutex ends. */
static int lock_always(struct baton_mutex *m, uintptr_t self,
		       const void *site)
{
	struct baton_fiber *f = (struct baton_fiber *)self;
	int64_t deadline;
	int err;

	/* It is a fiber's, see sync_self(), or no cancel reaches it. */
	if (self == (uintptr_t)pthread_self())
		return lock_slow(m, self, BATON_NEVER, site);
	deadline = f->deadline;
	f->deadline = BATON_NEVER;
	WRITE_ONCE(f->masked, f->masked + 1);
	err = lock_slow(m, self, BATON_NEVER, site);
	WRITE_ONCE(f->masked, f->masked - 1);
	f->deadline = deadline;
	return err;
}

int baton_mutex_regain(struct baton_mutex *m, uintptr_t self, const void *site)
{
	uintptr_t old = 0;
	int err = 0;

	baton_order_before(m, self, site);
	if (!try_cmpxchg_acq_rel(&m->baton_word, &old, self))
		err = lock_always(m, self, site);
	if (!err)
		baton_order_locked(m, self, site);
	return err;
}

int baton_mutex_destroy(struct baton_mutex *m)
{
	int err;

	if (!m)
		return baton_sync_null("the mutex");
	err = baton_word_destroy(&m->baton_word, 0, "the mutex");
	if (!err)
		baton_order_forget(m);
	return err;
}
