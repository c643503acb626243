/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * word.h - the word that every object of this directory begins with, and the
 *          list of who waits for it.
 *
 * Two bits of the word are about the list: LOCK, which whoever changes the list
 * holds; and WAITERS, which is set while the list is not empty. The rest is the
 * object's: an owner, a count. While neither bit is set, anybody may change the
 * rest by one compare-and-swap: the fast path of each object. Whoever has LOCK
 * has all of the word to itself, as everybody else backs off. It gives the
 * word and the list back by one store, after which it does not touch the object
 * again: so whoever sees that store may free the object.
 *
 * An object is handed over, not only let go: who unlocks a mutex makes the
 * first waiter its owner. So nobody who comes later can get in before, and
 * nobody starves.
 *
 * A waiter whose deadline comes, or that is canceled, has not got what it
 * waited for, as the object did not win it (wait.h). It then takes itself off
 * the list, with LOCK; and if others could go on now that it is gone, it lets
 * them.
 *
 * LOCK is a spinning lock under the rules of lock.h. Rank: as the locks of
 * objects there; no two of them are ever held together.
 */
#ifndef BATON_SYNC_WORD_H
#define BATON_SYNC_WORD_H

#include <errno.h>
#include <pthread.h>

#include "../core/reason.h"
#include "../core/wait.h"

#define WORD_LOCK	((uintptr_t)1)
#define WORD_WAITERS	((uintptr_t)2)
#define WORD_BITS	(WORD_LOCK | WORD_WAITERS)
#define WORD_ONE	((uintptr_t)4)	/* of a count */
#define WORD_DEAD	UINTPTR_MAX	/* destroyed: all fast paths fail */

/**
 * struct place - one waiter's on the list of an object
 * @entry: comes first
 * @self:  who it is, see sync_self()
 * @write: of a lock for readers and writers: it is to write
 */
struct place {
	struct baton_wait_entry entry;
	uintptr_t self;
	bool write;
};

static inline struct place *place_of(const void *entry)
{
	return container_of(entry, struct place, entry);
}

/* Does the caller lock as the fiber of @w, its worker or NULL? */
static inline bool sync_as_fiber(const struct baton_worker *w)
{
	/* An adopted thread is PARKED outside of its callbacks. */
	return w && slot_state(w->slot) != BATON_PARKED;
}

/*
 * Who owns what the caller locks: the fiber, also in its foreign calls; or a
 * thread that runs none. Never 0, and WORD_BITS are not set.
 */
static inline uintptr_t sync_self(void)
{
	const struct baton_worker *w = baton_worker_self();

	return likely(sync_as_fiber(w)) ? (uintptr_t)w->fiber :
					  (uintptr_t)pthread_self();
}

/* What is left of @old without the bits of the list. */
static inline uintptr_t word_rest(uintptr_t old)
{
	return old & ~WORD_BITS;
}

/*
 * What word_lock() leaves over: somebody has LOCK. The word without it, which
 * the caller has now; or WORD_DEAD.
 */
uintptr_t baton_word_lock_slow(uintptr_t *word) __attribute__((cold));

/*
 * Take LOCK; *@old is the word without it. False: the object was destroyed.
 * Acquire: what the last one who had it did.
 */
static inline bool word_lock(uintptr_t *word, uintptr_t *old)
{
	_Static_assert(WORD_DEAD & WORD_LOCK, "it looks as if locked");
	*old = READ_ONCE(*word);
	if (likely(!(*old & WORD_LOCK) &&
		   try_cmpxchg_acq_rel(word, old, *old | WORD_LOCK)))
		return true;
	*old = baton_word_lock_slow(word);
	return *old != WORD_DEAD;
}

/* The word is @rest from now on, without LOCK, and with what @q has. */
static inline void word_unlock(uintptr_t *word, uintptr_t rest,
			       const struct baton_waitq *q)
{
	debug_assert(READ_ONCE(*word) & WORD_LOCK);
	debug_assert(!(rest & WORD_BITS));
	smp_store_release(word, waitq_empty(q) ? rest : rest | WORD_WAITERS);
}

/*
 * With LOCK, which this gives back: the word is @rest, and the caller waits in
 * @q until it is won or @deadline. The result is that of wait_block(); if it is
 * not 0, baton_word_withdraw() or the like has to follow.
 */
static inline int word_wait(struct wait *t, uintptr_t *word, uintptr_t rest,
			    struct baton_waitq *q, struct place *place,
			    int64_t deadline)
{
	wait_arm(t, wait_object(word));
	waitq_add(q, &place->entry, t->waiter);
	word_unlock(word, rest, q);
	return wait_block(t, deadline);
}

/* The same where a call more does not matter. */
int baton_word_wait(struct wait *t, uintptr_t *word, uintptr_t rest,
		    struct baton_waitq *q, struct place *place,
		    int64_t deadline);

/* After a wait in vain: off the list, whose rest of the word stays as it is. */
void baton_word_withdraw(uintptr_t *word, struct baton_waitq *q,
			 struct place *place);

/*
 * Destroy an object that is free while its word is @idle. 0; -EBUSY, -EINVAL,
 * with a reason that begins with @what.
 */
int baton_word_destroy(uintptr_t *word, uintptr_t idle, const char *what);

/* Errors that all objects have, with their reasons. */
int baton_sync_null(const char *what) __attribute__((cold));
int baton_sync_dead(const char *what) __attribute__((cold));

#endif /* BATON_SYNC_WORD_H */
