// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * sem.c - a semaphore: the word is the count.
 *
 * Who posts while others wait gives what it posts to the first of them, and the
 * count stays 0: nobody who comes later can take it first.
 */
#include "word.h"

static const char name[] = "the semaphore";

int baton_sem_init(struct baton_sem *s, unsigned int value)
{
	if (!s)
		return baton_sync_null(name);
	if (value > BATON_SEM_MAX)
		return baton_error(-EINVAL, "%u is more than BATON_SEM_MAX",
				   value);
	*s = (struct baton_sem)BATON_SEM_INIT(value);
	return 0;
}

static int wait_slow(struct baton_sem *s, int64_t deadline)
{
	struct place place;
	uintptr_t old;
	struct wait t;
	int err = 0;

	wait_enter(&t);
	if (!word_lock(&s->baton_word, &old)) {
		err = baton_sync_dead(name);
	} else if (word_rest(old)) {
		word_unlock(&s->baton_word, word_rest(old) - WORD_ONE,
			    &s->baton_waiters);
	} else {
		err = word_wait(&t, &s->baton_word, 0, &s->baton_waiters,
				&place, deadline);
		if (unlikely(err))
			baton_word_withdraw(&s->baton_word, &s->baton_waiters,
					    &place);
	}
	wait_leave(&t);
	return err;
}

/* While nobody waits, and there is one to take. Acquire: who posted it. */
static inline bool take(struct baton_sem *s)
{
	uintptr_t old = READ_ONCE(s->baton_word);

	while (likely(old >= WORD_ONE && !(old & WORD_BITS)))
		if (likely(try_cmpxchg_acq_rel(&s->baton_word, &old,
					       old - WORD_ONE)))
			return true;
	return false;
}

int baton_sem_wait(struct baton_sem *s)
{
	return baton_sem_wait_until(s, BATON_NEVER);
}

int baton_sem_wait_until(struct baton_sem *s, int64_t deadline)
{
	if (unlikely(!s))
		return baton_sync_null(name);
	return likely(take(s)) ? 0 : wait_slow(s, deadline);
}

int baton_sem_trywait(struct baton_sem *s)
{
	struct backoff b = { 0 };
	uintptr_t old;

	if (unlikely(!s))
		return baton_sync_null(name);
	while (unlikely(!take(s))) {
		old = READ_ONCE(s->baton_word);
		if (old == WORD_DEAD)
			return baton_sync_dead(name);
		if (!word_rest(old))
			return -EAGAIN;
		/* Somebody has LOCK, for a few instructions. */
		baton_backoff(&b);
	}
	return 0;
}

static int full(void)
{
	return baton_error(-EOVERFLOW, "the semaphore is at its limit");
}

static int post_slow(struct baton_sem *s)
{
	struct baton_worker *w = sched_enter();
	struct waiter *waiter;
	uintptr_t old;
	int err = 0;

	if (!word_lock(&s->baton_word, &old)) {
		err = baton_sync_dead(name);
	} else {
		waiter = waitq_win(&s->baton_waiters);
		if (!waiter && word_rest(old) / WORD_ONE >= BATON_SEM_MAX)
			err = full();
		word_unlock(&s->baton_word,
			    word_rest(old) + (waiter || err ? 0 : WORD_ONE),
			    &s->baton_waiters);
		if (waiter)
			waiter_resume(w, waiter);
	}
	wait_exit(w);
	return err;
}

int baton_sem_post(struct baton_sem *s)
{
	uintptr_t old;

	if (unlikely(!s))
		return baton_sync_null(name);
	old = READ_ONCE(s->baton_word);
	while (likely(!(old & WORD_BITS))) {
		if (unlikely(old / WORD_ONE >= BATON_SEM_MAX))
			return full();
		/* Release: what the caller did before. */
		if (likely(try_cmpxchg_acq_rel(&s->baton_word, &old,
					       old + WORD_ONE)))
			return 0;
	}
	return post_slow(s);
}

int baton_sem_destroy(struct baton_sem *s)
{
	uintptr_t old;

	if (!s)
		return baton_sync_null(name);
	/* Whatever its count is, it is free as long as nobody waits. */
	old = READ_ONCE(s->baton_word);
	return baton_word_destroy(&s->baton_word,
				  old == WORD_DEAD ? 0 : word_rest(old), name);
}
