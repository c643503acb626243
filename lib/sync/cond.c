// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cond.c - a condition: wait for something that a mutex protects.
 *
 * The word has the bits of the list alone. A waiter is on the list before it
 * lets go of the mutex, so that whoever changes the condition with the mutex
 * finds it there. A signal wins one waiter, and one that was canceled or timed
 * out cannot be won: so no signal is lost on it, but goes to the next.
 */
#include "contend.h"
#include "mutex.h"

/* All who wait at a time have the same mutex. */
static int cond_lock(struct baton_cond *c, struct baton_mutex *m)
{
	uintptr_t old;

	if (!word_lock(&c->baton_word, &old))
		return baton_sync_dead("the condition");
	if (waitq_empty(&c->baton_waiters)) {
		c->baton_mutex = m;
	} else if (c->baton_mutex != m) {
		word_unlock(&c->baton_word, 0, &c->baton_waiters);
		return baton_error(
			-EINVAL,
			"others wait for the condition with another mutex");
	}
	return 0;
}

static int cond_wait(struct baton_cond *c, struct baton_mutex *m,
		     int64_t deadline, const void *site)
{
	struct place place;
	uintptr_t self;
	struct wait t;
	int err, lost;

	if (!c || !m)
		return baton_sync_null(c ? "the mutex" : "the condition");
	self = sync_self();
	err = baton_mutex_check(m, self);
	if (err)
		return err;
	wait_enter(&t);
	err = cond_lock(c, m);
	if (err) {
		wait_leave(&t);
		return err;
	}
	wait_arm(&t, wait_object(c));
	waitq_add(&c->baton_waiters, &place.entry, t.waiter);
	word_unlock(&c->baton_word, 0, &c->baton_waiters);
	baton_mutex_give(&t, m, self);
	if (contend_timed())
		err = baton_contend_block(&t, deadline, CONTEND_COND, site);
	else
		err = wait_block(&t, deadline);
	if (err)
		baton_word_withdraw(&c->baton_word, &c->baton_waiters, &place);
	wait_leave(&t);
	lost = baton_mutex_regain(m, self, site);
	return lost ? lost : err;
}

int baton_cond_wait(struct baton_cond *c, struct baton_mutex *m)
{
	return cond_wait(c, m, BATON_NEVER, __builtin_return_address(0));
}

int baton_cond_wait_until(struct baton_cond *c, struct baton_mutex *m,
			  int64_t deadline)
{
	return cond_wait(c, m, deadline, __builtin_return_address(0));
}

static int wake(struct baton_cond *c, bool all)
{
	struct waiter *won;
	uintptr_t old;
	struct wait t;

	if (!c)
		return baton_sync_null("the condition");
	old = READ_ONCE(c->baton_word);
	/* Who waits since before the caller changed something is seen: the
	 * mutex was let go of and taken in between. */
	if (!old)
		return 0;
	wait_enter(&t);
	if (word_lock(&c->baton_word, &old)) {
		if (all)
			won = waitq_win_all(&c->baton_waiters);
		else if ((won = waitq_win(&c->baton_waiters)))
			won->next = NULL;
		word_unlock(&c->baton_word, 0, &c->baton_waiters);
		wait_resume_all(t.w, won);
	}
	wait_leave(&t);
	return old == WORD_DEAD ? baton_sync_dead("the condition") : 0;
}

int baton_cond_signal(struct baton_cond *c)
{
	return wake(c, false);
}

int baton_cond_broadcast(struct baton_cond *c)
{
	return wake(c, true);
}

int baton_cond_destroy(struct baton_cond *c)
{
	if (!c)
		return baton_sync_null("the condition");
	return baton_word_destroy(&c->baton_word, 0, "the condition");
}
