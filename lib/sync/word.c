// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* word.c - what all objects that are waited for do when it takes longer. */
#include "word.h"

uintptr_t baton_word_lock_slow(uintptr_t *word)
{
	struct backoff b = { 0 };

	for (;;) {
		uintptr_t old = READ_ONCE(*word);

		if (old == WORD_DEAD)
			return old;
		if (!(old & WORD_LOCK) &&
		    try_cmpxchg_acq_rel(word, &old, old | WORD_LOCK))
			return old;
		baton_backoff(&b);
	}
}

int baton_word_wait(struct wait *t, uintptr_t *word, uintptr_t rest,
		    struct baton_waitq *q, struct place *place,
		    int64_t deadline)
{
	return word_wait(t, word, rest, q, place, deadline);
}

void baton_word_withdraw(uintptr_t *word, struct baton_waitq *q,
			 struct place *place)
{
	uintptr_t old = 0;

	/* Whoever destroyed it has found its list empty. */
	if (!word_lock(word, &old))
		return;
	waitq_del(q, &place->entry);
	word_unlock(word, word_rest(old), q);
}

int baton_word_destroy(uintptr_t *word, uintptr_t idle, const char *what)
{
	uintptr_t old = idle;

	if (try_cmpxchg_acq_rel(word, &old, WORD_DEAD))
		return 0;
	if (old == WORD_DEAD)
		return baton_sync_dead(what);
	return baton_error(-EBUSY, "%s is in use", what);
}

int baton_sync_null(const char *what)
{
	return baton_error(-EINVAL, "%s is NULL", what);
}

int baton_sync_dead(const char *what)
{
	return baton_error(-EINVAL, "%s was destroyed", what);
}
