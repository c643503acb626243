// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * wg.c - a wait group: a count of things to be done, and who waits for none.
 *
 * The word is the count. When it comes to 0 all go on who wait, also if the
 * group is used anew before they run.
 */
#include "word.h"

static const char name[] = "the wait group";

/* The rest of the word after @n more; false: it would be out of range. */
static bool sum(uintptr_t old, int n, uintptr_t *rest)
{
	int64_t count = (int64_t)(old / WORD_ONE) + n;

	*rest = (uintptr_t)count * WORD_ONE;
	return count >= 0 && count <= BATON_WG_MAX;
}

static int out_of_range(int n)
{
	return n < 0 ? baton_error(-EINVAL, "more is done than was added") :
		       baton_error(-EOVERFLOW,
				   "the wait group is at its limit");
}

static int add_slow(struct baton_wg *wg, int n)
{
	struct waiter *all = NULL;
	uintptr_t old, rest;
	struct wait t;
	int err = 0;

	wait_enter(&t);
	if (!word_lock(&wg->baton_word, &old)) {
		err = baton_sync_dead(name);
		goto out;
	}
	if (!sum(old, n, &rest)) {
		err = out_of_range(n);
		rest = word_rest(old);
	} else if (!rest) {
		all = waitq_win_all(&wg->baton_waiters);
	}
	word_unlock(&wg->baton_word, rest, &wg->baton_waiters);
	wait_resume_all(t.w, all);
out:
	wait_leave(&t);
	return err;
}

int baton_wg_add(struct baton_wg *wg, int n)
{
	uintptr_t old, rest;

	if (unlikely(!wg))
		return baton_sync_null(name);
	old = READ_ONCE(wg->baton_word);
	while (likely(!(old & WORD_BITS))) {
		if (unlikely(!sum(old, n, &rest)))
			return out_of_range(n);
		/* Release: what was done. */
		if (likely(try_cmpxchg_acq_rel(&wg->baton_word, &old, rest)))
			return 0;
	}
	return add_slow(wg, n);
}

int baton_wg_done(struct baton_wg *wg)
{
	return baton_wg_add(wg, -1);
}

int baton_wg_wait_until(struct baton_wg *wg, int64_t deadline)
{
	struct place place;
	uintptr_t old;
	struct wait t;
	int err = 0;

	if (unlikely(!wg))
		return baton_sync_null(name);
	/* Acquire: what was done. */
	if (!smp_load_acquire(&wg->baton_word))
		return 0;
	wait_enter(&t);
	if (!word_lock(&wg->baton_word, &old)) {
		err = baton_sync_dead(name);
	} else if (!word_rest(old)) {
		word_unlock(&wg->baton_word, 0, &wg->baton_waiters);
	} else {
		err = baton_word_wait(&t, &wg->baton_word, word_rest(old),
				      &wg->baton_waiters, &place, deadline);
		if (err)
			baton_word_withdraw(&wg->baton_word, &wg->baton_waiters,
					    &place);
	}
	wait_leave(&t);
	return err;
}

int baton_wg_wait(struct baton_wg *wg)
{
	return baton_wg_wait_until(wg, BATON_NEVER);
}

int baton_wg_destroy(struct baton_wg *wg)
{
	if (!wg)
		return baton_sync_null(name);
	return baton_word_destroy(&wg->baton_word, 0, name);
}
