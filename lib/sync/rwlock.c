// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * rwlock.c - many readers, or one writer.
 *
 * The word counts readers, or is WRITER. Readers and writers queue together, and
 * none passes who came before: a reader waits behind a writer that waits, and
 * a writer lets all readers go that come next. So neither side starves.
 *
 * Its owner is known only if it is a writer: a reader that unlocks too often is
 * found out once nobody else reads.
 */
#include "word.h"

#define WRITER	(~(UINTPTR_MAX >> 1))

static const char name[] = "the rwlock";

/*
 * With LOCK: who comes first on the list, and can have a lock that is @rest
 * now, gets it. @all: they are to be resumed. Returns the new rest.
 */
static uintptr_t grant_locked(struct baton_rwlock *rw, uintptr_t rest,
			      struct waiter **all)
{
	struct baton_waitq *q = &rw->baton_waiters;

	while (!(rest & WRITER) && !waitq_empty(q)) {
		const struct place *place = place_of(q->first);
		bool write = place->write;
		uintptr_t self = place->self;
		struct waiter *waiter;

		if (write && rest)
			break;
		waiter = waitq_win_first(q);
		if (unlikely(!waiter))
			continue;
		if (write) {
			rest = WRITER;
			WRITE_ONCE(rw->baton_owner, self);
		} else {
			rest += WORD_ONE;
		}
		*all = waiter;
		all = &waiter->next;
	}
	*all = NULL;
	return rest;
}

/* With LOCK, and given back: the lock is @rest, and those go on who can. */
static void release(struct wait *t, struct baton_rwlock *rw, uintptr_t rest)
{
	struct waiter *all;

	rest = grant_locked(rw, rest, &all);
	word_unlock(&rw->baton_word, rest, &rw->baton_waiters);
	wait_resume_all(t->w, all);
}

/* A wait in vain, maybe of a writer that others waited behind. */
static void withdraw(struct wait *t, struct baton_rwlock *rw,
		     struct place *place)
{
	uintptr_t old;

	if (!word_lock(&rw->baton_word, &old))
		return;
	waitq_del(&rw->baton_waiters, &place->entry);
	release(t, rw, word_rest(old));
}

static bool is_free(uintptr_t old, bool write)
{
	return write ? !(old & ~WORD_LOCK) : !(old & (WRITER | WORD_WAITERS));
}

static int lock_slow(struct baton_rwlock *rw, uintptr_t self, bool write,
		     bool try, int64_t deadline)
{
	struct place place = { .self = self, .write = write };
	uintptr_t old, rest;
	struct wait t;
	int err = 0;

	if (!try && READ_ONCE(rw->baton_owner) == self)
		return baton_error(-EDEADLK, "the caller writes already");
	wait_enter(&t);
	if (!word_lock(&rw->baton_word, &old)) {
		err = baton_sync_dead(name);
		goto out;
	}
	rest = word_rest(old);
	if (is_free(old, write)) {
		word_unlock(&rw->baton_word, write ? WRITER : rest + WORD_ONE,
			    &rw->baton_waiters);
	} else if (try) {
		word_unlock(&rw->baton_word, rest, &rw->baton_waiters);
		err = -EBUSY;
	} else {
		err = baton_word_wait(&t, &rw->baton_word, rest,
				      &rw->baton_waiters, &place, deadline);
		if (unlikely(err))
			withdraw(&t, rw, &place);
	}
out:
	wait_leave(&t);
	return err;
}

/* Acquire: what those did who had it before. */
static inline int lock_read(struct baton_rwlock *rw, bool try, int64_t deadline)
{
	uintptr_t old;

	if (unlikely(!rw))
		return baton_sync_null(name);
	old = READ_ONCE(rw->baton_word);
	while (likely(!(old & (WRITER | WORD_BITS))))
		if (likely(try_cmpxchg_acq_rel(&rw->baton_word, &old,
					       old + WORD_ONE)))
			return 0;
	return lock_slow(rw, sync_self(), false, try, deadline);
}

static inline int lock_write(struct baton_rwlock *rw, bool try,
			     int64_t deadline)
{
	uintptr_t old = 0, self;
	int err = 0;

	if (unlikely(!rw))
		return baton_sync_null(name);
	self = sync_self();
	if (unlikely(!try_cmpxchg_acq_rel(&rw->baton_word, &old, WRITER)))
		err = lock_slow(rw, self, true, try, deadline);
	/* Only its owner asks whether it is. */
	if (likely(!err))
		WRITE_ONCE(rw->baton_owner, self);
	return err;
}

int baton_rwlock_rdlock(struct baton_rwlock *rw)
{
	return lock_read(rw, false, BATON_NEVER);
}

int baton_rwlock_tryrdlock(struct baton_rwlock *rw)
{
	return lock_read(rw, true, BATON_NEVER);
}

int baton_rwlock_rdlock_until(struct baton_rwlock *rw, int64_t deadline)
{
	return lock_read(rw, false, deadline);
}

int baton_rwlock_wrlock(struct baton_rwlock *rw)
{
	return lock_write(rw, false, BATON_NEVER);
}

int baton_rwlock_trywrlock(struct baton_rwlock *rw)
{
	return lock_write(rw, true, BATON_NEVER);
}

int baton_rwlock_wrlock_until(struct baton_rwlock *rw, int64_t deadline)
{
	return lock_write(rw, false, deadline);
}

/* Readers it has, or a writer: what is left of @old when one is gone. */
static uintptr_t one_less(uintptr_t old)
{
	return old & WRITER ? 0 : word_rest(old) - WORD_ONE;
}

static int check(const struct baton_rwlock *rw, uintptr_t old)
{
	if (old == WORD_DEAD)
		return baton_sync_dead(name);
	if (old & WRITER) {
		if (READ_ONCE(rw->baton_owner) != sync_self())
			return baton_error(-EPERM, "somebody else writes");
	} else if (!word_rest(old)) {
		return baton_error(-EPERM, "the rwlock is not locked");
	}
	return 0;
}

int baton_rwlock_unlock(struct baton_rwlock *rw)
{
	struct wait t;
	uintptr_t old;
	int err;

	if (unlikely(!rw))
		return baton_sync_null(name);
	old = READ_ONCE(rw->baton_word);
	err = check(rw, old);
	if (unlikely(err))
		return err;
	if (old & WRITER)
		WRITE_ONCE(rw->baton_owner, 0);
	/* Release: what the caller read and wrote. */
	while (likely(word_rest(old) && !(old & WORD_BITS)))
		if (likely(try_cmpxchg_acq_rel(&rw->baton_word, &old,
					       one_less(old))))
			return 0;
	wait_enter(&t);
	if (!word_lock(&rw->baton_word, &old)) {
		err = baton_sync_dead(name);
	} else if (unlikely(!word_rest(old))) {
		word_unlock(&rw->baton_word, 0, &rw->baton_waiters);
		err = baton_error(-EPERM, "the rwlock is not locked");
	} else {
		release(&t, rw, one_less(old));
	}
	wait_leave(&t);
	return err;
}

int baton_rwlock_destroy(struct baton_rwlock *rw)
{
	if (!rw)
		return baton_sync_null(name);
	return baton_word_destroy(&rw->baton_word, 0, name);
}
