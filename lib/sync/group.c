// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * group.c - fibers that belong together.
 *
 * A fiber of a group, a member, is on the group's list from before it may run
 * until its function has returned, by a link in its own record: there is
 * nothing to allocate. Who starts one has a *place* in the group first, counted
 * in baton_count; the member gives it back as the last thing it does, to who
 * waits for one, or to nobody. All that changes is under the lock, and the
 * group may be gone as soon as the lock is dropped with a count of 0.
 *
 * Cancel, against members that end meanwhile. The lock is held for a few
 * instructions only, and to cancel takes longer. So who cancels says in
 * baton_in_hand which member it is about, and drops the lock: that member does
 * not leave the list, nor end, before it is another's turn. It waits for that
 * by baton_backoff(), as for a lock, since who cancels is in scheduler code or
 * an ordinary thread, and waits for nothing. No member joins any more then, so
 * that the list only gets shorter.
 *
 * REJECTED: catching a panic, to go on with it in who waits. The message of one
 * that nobody catches would not say any more where it came from; and an
 * ordinary thread that waits could not go on with it.
 */
#include "word.h"

#include <baton/group.h>

static const char name[] = "the group";

/* baton_group.baton_state */
enum {
	GROUP_CANCELED = 1,	/* no member joins any more */
	GROUP_DEAD = 2,		/* destroyed */
};

/* --- the list ------------------------------------------------------------- */

static void link_locked(struct baton_group *g, struct baton_fiber *f)
{
	f->member.prev = NULL;
	f->member.next = g->baton_members;
	if (f->member.next)
		f->member.next->member.prev = f;
	g->baton_members = f;
}

static void unlink_locked(struct baton_group *g, struct baton_fiber *f)
{
	struct baton_fiber *next = f->member.next, *prev = f->member.prev;

	if (next)
		next->member.prev = prev;
	if (prev)
		prev->member.next = next;
	else
		g->baton_members = next;
}

/* Take the lock, when @f is not in hand. */
static void lock_not_in_hand(struct baton_group *g, const struct baton_fiber *f)
{
	struct backoff b = { 0 };

	lock_take(&g->baton_lock);
	while (g->baton_in_hand == f) {
		lock_drop(&g->baton_lock);
		baton_backoff(&b);
		lock_take(&g->baton_lock);
	}
}

/* --- cancel --------------------------------------------------------------- */

/*
 * Cancel all members, and wake who waits for a place: each has one, to find the
 * group canceled, so that the group stays meanwhile.
 */
static void cancel(struct wait *t, struct baton_group *g)
{
	struct backoff b = { 0 };
	struct baton_rt *rt;
	struct waiter *all;

	/* Not with the hold: who has one in hand may be about to take it. */
	for (;;) {
		rt = t->w ? t->w->rt : baton_rt_hold();
		lock_take(&g->baton_lock);
		if (!g->baton_in_hand)
			break;
		lock_drop(&g->baton_lock);
		if (rt && !t->w)
			baton_rt_release();
		baton_backoff(&b);
	}
	g->baton_state |= GROUP_CANCELED;
	all = waitq_win_all(&g->baton_spawners);
	for (struct waiter *w = all; w; w = w->next)
		g->baton_count++;
	/* Without a scheduler there is no member any more. */
	for (struct baton_fiber *f = rt ? g->baton_members : NULL; f;
	     f = f->member.next) {
		g->baton_in_hand = f;
		lock_drop(&g->baton_lock);
		baton_cancel_held(rt, t->w, f);
		lock_take(&g->baton_lock);
	}
	g->baton_in_hand = NULL;
	lock_drop(&g->baton_lock);
	if (rt && !t->w)
		baton_rt_release();
	wait_resume_all(t->w, all);
}

int baton_group_cancel(struct baton_group *g)
{
	struct wait t;
	bool dead;

	if (unlikely(!g))
		return baton_sync_null(name);
	wait_enter(&t);
	lock_take(&g->baton_lock);
	dead = g->baton_state & GROUP_DEAD;
	lock_drop(&g->baton_lock);
	if (likely(!dead))
		cancel(&t, g);
	wait_leave(&t);
	return dead ? baton_sync_dead(name) : 0;
}

/* --- places --------------------------------------------------------------- */

/*
 * Give a place back, and drop the lock: @g may be gone then. What lets go of it
 * is the lock's release.
 */
static void place_give_unlock(struct wait *t, struct baton_group *g)
{
	struct waiter *all;

	all = waitq_win(&g->baton_spawners);
	if (all)
		all->next = NULL;	/* it has the place */
	else if (!--g->baton_count)
		all = waitq_win_all(&g->baton_waiters);
	lock_drop(&g->baton_lock);
	wait_resume_all(t->w, all);
}

/* Wait for a place: 0; or an error, without one. */
static int place_take(struct wait *t, struct baton_group *g, int64_t deadline)
{
	struct baton_wait_entry entry;
	int err;

	lock_take(&g->baton_lock);
	if (g->baton_state & GROUP_DEAD) {
		lock_drop(&g->baton_lock);
		return baton_sync_dead(name);
	}
	if (!g->baton_limit || g->baton_count < g->baton_limit ||
	    g->baton_state & GROUP_CANCELED) {
		g->baton_count++;
		lock_drop(&g->baton_lock);
		return 0;
	}
	wait_arm(t, wait_object(g));
	waitq_add(&g->baton_spawners, &entry, t->waiter);
	lock_drop(&g->baton_lock);
	err = wait_block(t, deadline);
	if (!err)
		return 0;
	lock_take(&g->baton_lock);
	waitq_del(&g->baton_spawners, &entry);
	lock_drop(&g->baton_lock);
	return err;
}

/* --- members -------------------------------------------------------------- */

/* The function of @f has returned @err. */
static void leave(struct baton_group *g, struct baton_fiber *f, int err)
{
	struct wait t;
	bool first;

	wait_enter(&t);
	lock_not_in_hand(g, f);
	unlink_locked(g, f);
	first = err && !g->baton_err;
	if (first) {
		g->baton_err = err;
		lock_drop(&g->baton_lock);
		cancel(&t, g);
		lock_take(&g->baton_lock);
	}
	place_give_unlock(&t, g);
	wait_leave(&t);
}

static void *member(void *arg)
{
	struct baton_fiber *f = baton_self();
	int err = f->member.fn(arg);

	/* They are to be over when the group is. */
	if (unlikely(f->nkeys))
		baton_keys_end(f);
	leave(f->member.group, f, err);
	return NULL;
}

/*
 * @f, NULL without memory, becomes a member, in the place that the caller has;
 * or an error, and the caller gives that back.
 */
static int join(struct baton_group *g, const struct baton_rt *rt,
		struct baton_fiber *f)
{
	int err = 0;

	lock_take(&g->baton_lock);
	if (unlikely(g->baton_state & GROUP_CANCELED))
		err = baton_error(-ECANCELED, "the group was canceled");
	else if (unlikely(!rt))
		err = baton_error(-ESRCH, "no scheduler runs");
	else if (unlikely(!f))
		err = baton_error(-ENOMEM, "no memory for a stack");
	else
		link_locked(g, f);
	lock_drop(&g->baton_lock);
	return err;
}

/* The caller has a place. */
static int start(struct wait *t, struct baton_group *g,
		 const struct baton_attr *attr, baton_group_fn fn, void *arg)
{
	struct baton_rt *rt = t->w ? t->w->rt : baton_rt_hold();
	struct baton_proc *p = t->w ? t->w->proc : NULL;
	struct baton_fiber *f = NULL;
	int err;

	if (likely(rt))
		f = baton_fiber_create(rt, p, attr, member, arg);
	if (likely(f)) {
		WRITE_ONCE(f->joiner, JOIN_DETACHED);
		f->member.group = g;
		f->member.fn = fn;
	}
	err = join(g, rt, f);
	if (likely(!err)) {
		sched_start(rt, t->w, f);
	} else if (f) {
		WRITE_ONCE(f->joiner, JOIN_FREED);
		proc_fiber_put(rt, p, f);
	}
	if (rt && !t->w)
		baton_rt_release();
	/* Not with the hold: who is resumed for it takes that. */
	if (unlikely(err)) {
		lock_take(&g->baton_lock);
		place_give_unlock(t, g);
	}
	return err;
}

int baton_group_spawn_until(struct baton_group *g,
			    const struct baton_attr *attr, baton_group_fn fn,
			    void *arg, int64_t deadline)
{
	struct wait t;
	int err;

	if (unlikely(!g))
		return baton_sync_null(name);
	if (unlikely(!fn))
		return baton_error(-EINVAL, "no function to run");
	wait_enter(&t);
	err = place_take(&t, g, deadline);
	if (likely(!err))
		err = start(&t, g, attr, fn, arg);
	wait_leave(&t);
	return err;
}

int baton_group_spawn(struct baton_group *g, const struct baton_attr *attr,
		      baton_group_fn fn, void *arg)
{
	return baton_group_spawn_until(g, attr, fn, arg, BATON_NEVER);
}

/* --- wait ----------------------------------------------------------------- */

/* The caller's fiber, also in its foreign calls, is a member of @g. */
static bool is_member(const struct baton_group *g)
{
	const struct baton_worker *w = baton_worker_self();

	return w && slot_state(w->slot) != BATON_PARKED &&
	       w->fiber->fn == member && w->fiber->member.group == g;
}

/* With the lock, while there are members: wait until there is none. */
static int wait_locked(struct wait *t, struct baton_group *g, int64_t deadline)
{
	struct baton_wait_entry entry;
	int err;

	wait_arm(t, wait_object(g));
	waitq_add(&g->baton_waiters, &entry, t->waiter);
	lock_drop(&g->baton_lock);
	err = wait_block(t, deadline);
	lock_take(&g->baton_lock);
	if (err)
		waitq_del(&g->baton_waiters, &entry);
	return err;
}

/* What ends the wait cancels the members, and no deadline ends it again. */
static int wait_for_all_locked(struct wait *t, struct baton_group *g,
			       int64_t deadline)
{
	struct baton_fiber *self = t->w ? t->w->fiber : NULL;
	int64_t scope = self ? self->deadline : TIMER_NEVER;

	while (g->baton_count) {
		int err = wait_locked(t, g, deadline);

		if (!err)
			break;
		if (!g->baton_err)
			g->baton_err = err;
		lock_drop(&g->baton_lock);
		cancel(t, g);
		lock_take(&g->baton_lock);
		if (err == -ETIMEDOUT) {
			deadline = TIMER_NEVER;
			if (self)
				self->deadline = TIMER_NEVER;
		}
	}
	if (self)
		self->deadline = scope;
	return g->baton_err;
}

int baton_group_wait_until(struct baton_group *g, int64_t deadline)
{
	struct wait t;
	int err;

	if (unlikely(!g))
		return baton_sync_null(name);
	if (unlikely(is_member(g)))
		return baton_error(-EDEADLK,
				   "a fiber of the group waits for the group");
	wait_enter(&t);
	lock_take(&g->baton_lock);
	if (unlikely(g->baton_state & GROUP_DEAD))
		err = baton_sync_dead(name);
	else
		err = wait_for_all_locked(&t, g, deadline);
	lock_drop(&g->baton_lock);
	wait_leave(&t);
	return err;
}

int baton_group_wait(struct baton_group *g)
{
	return baton_group_wait_until(g, BATON_NEVER);
}

/* --- the group itself ----------------------------------------------------- */

/* If @g is empty: it is in @state, with @limit. */
static int set(struct baton_group *g, uint32_t state, unsigned int limit)
{
	struct wait t;
	int err = 0;

	if (unlikely(!g))
		return baton_sync_null(name);
	wait_enter(&t);
	lock_take(&g->baton_lock);
	if (g->baton_state & GROUP_DEAD) {
		err = baton_sync_dead(name);
	} else if (g->baton_count) {
		err = baton_error(-EBUSY, "the group is in use");
	} else {
		g->baton_state |= state;
		g->baton_limit = limit;
	}
	lock_drop(&g->baton_lock);
	wait_leave(&t);
	return err;
}

int baton_group_set_limit(struct baton_group *g, unsigned int n)
{
	return set(g, 0, n);
}

int baton_group_destroy(struct baton_group *g)
{
	return set(g, GROUP_DEAD, 0);
}
