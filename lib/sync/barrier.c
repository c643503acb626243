// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * barrier.c - wait until a number of others do.
 *
 * The word counts who is there. The last one takes all others off the list: that
 * is when their wait is over. One of them may just have been canceled or have
 * timed out, and cannot be won any more; but it was there, and so has waited to
 * the end like the others, which it learns when it finds itself off the list.
 */
#include "word.h"

static const char name[] = "the barrier";

int baton_barrier_init(struct baton_barrier *b, unsigned int n)
{
	if (!b)
		return baton_sync_null(name);
	if (!n || n > BATON_BARRIER_MAX)
		return baton_error(-EINVAL, "a barrier for %u", n);
	*b = (struct baton_barrier)BATON_BARRIER_INIT(n);
	return 0;
}

/* A wait that something else ended. 0: the others came all the same. */
static int withdraw(struct wait *t, struct baton_barrier *b,
		    struct place *place, int err)
{
	uintptr_t old;
	bool listed = false;

	if (word_lock(&b->baton_word, &old)) {
		listed = place->entry.waiter;
		waitq_del(&b->baton_waiters, &place->entry);
		word_unlock(&b->baton_word,
			    word_rest(old) - (listed ? WORD_ONE : 0),
			    &b->baton_waiters);
	}
	if (listed)
		return err;
	if (err == -ECANCELED)
		baton_wait_canceled_later(t);
	return 0;
}

/* With LOCK, and given back: the last one is there. */
static void open_up(struct wait *t, struct baton_barrier *b)
{
	struct waiter *all = waitq_win_all(&b->baton_waiters);

	word_unlock(&b->baton_word, 0, &b->baton_waiters);
	wait_resume_all(t->w, all);
}

int baton_barrier_wait_until(struct baton_barrier *b, int64_t deadline)
{
	struct place place;
	uintptr_t old, rest;
	struct wait t;
	int err;

	if (unlikely(!b))
		return baton_sync_null(name);
	if (unlikely(!b->baton_n))
		return baton_error(-EINVAL, "baton_barrier_init() comes first");
	wait_enter(&t);
	if (!word_lock(&b->baton_word, &old)) {
		err = baton_sync_dead(name);
		goto out;
	}
	rest = word_rest(old) + WORD_ONE;
	if (rest / WORD_ONE == b->baton_n) {
		open_up(&t, b);
		err = BATON_BARRIER_SERIAL;
		goto out;
	}
	err = baton_word_wait(&t, &b->baton_word, rest, &b->baton_waiters,
			      &place, deadline);
	if (unlikely(err))
		err = withdraw(&t, b, &place, err);
out:
	wait_leave(&t);
	return err;
}

int baton_barrier_wait(struct baton_barrier *b)
{
	return baton_barrier_wait_until(b, BATON_NEVER);
}

int baton_barrier_destroy(struct baton_barrier *b)
{
	if (!b)
		return baton_sync_null(name);
	return baton_word_destroy(&b->baton_word, 0, name);
}
