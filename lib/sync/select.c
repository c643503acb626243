// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * select.c - wait for one of several things.
 *
 * After Go's selectgo(). All objects are locked, in the order of their
 * addresses. With all these locks the cases are looked at in random order, and
 * the first that is ready is done. If none is, the waiter is listed with each
 * object, and only then the locks are dropped: whatever happens to an object
 * from here on finds the waiter there, and wins it or not. waiter.by says which
 * case has won it; whoever has won it did what was to be done. The other cases
 * are then taken off their lists, one after the other.
 *
 * Two selects that meet on two channels from both sides cannot miss each other:
 * the one that locks second finds the other one on both lists, and wins it by
 * one of them. Nor can one win itself: it is listed nowhere while it looks.
 *
 * A descriptor has no state that could be looked at with a lock. poll() is asked
 * before, and what counts events of it (lib/io/desc.h) is noted before that:
 * if it has changed once all is locked, it is asked again. Who has won such a
 * case says no more than that, too.
 *
 * Who has won a timer's case has started that timer anew, and no more: the
 * waiter looks again. So it does at the time of the first timer, which is as
 * good as a deadline.
 */
#include <limits.h>

#include "../core/reason.h"
#include "../io/op.h"
#include "chan.h"
#include "tick.h"

/* To go round once more. */
#define AGAIN INT_MIN

/**
 * struct selecting - one baton_select()
 * @t:        who waits
 * @cases:    as they were given
 * @n:        how many
 * @deadline: of the caller, or of its fiber's scope
 * @now:      the time, once it was asked for; 0: not yet
 * @fds:      there are descriptors among them
 * @tick:     what it waits for by time is a timer's tick, not the deadline
 */
struct selecting {
	struct wait t;
	struct baton_case *cases;
	unsigned int n;
	int64_t deadline;
	int64_t now;
	bool fds;
	bool tick;
};

/* --- in which order ------------------------------------------------------ */

static bool is_fd(const struct baton_case *c)
{
	return c->kind == BATON_CASE_READ || c->kind == BATON_CASE_WRITE;
}

static struct desc *desc_of(const struct baton_case *c)
{
	return c->baton_desc;
}

static enum side side_of(const struct baton_case *c)
{
	return c->kind == BATON_CASE_READ ? SIDE_READ : SIDE_WRITE;
}

static uint32_t *lock_of(const struct baton_case *c)
{
	switch (c->kind) {
	case BATON_CASE_SEND:
	case BATON_CASE_RECV:
		return &((struct baton_chan *)c->object)->baton_lock;
	case BATON_CASE_TIMER:
		return &((struct baton_timer *)c->object)->baton_lock;
	case BATON_CASE_READ:
	case BATON_CASE_WRITE:
		return c->baton_desc ? &desc_of(c)->lock : NULL;
	case BATON_CASE_NONE:
		break;
	}
	return NULL;
}

static uint32_t random_next(struct wait *t)
{
	static uint32_t weyl;
	uint32_t x;

	if (likely(t->w)) {
		struct baton_proc *p = t->w->proc;

		return p->random = p->random * 1664525u + 1013904223u;
	}
	/* Threads share a sequence; its numbers are spread by mixing them. */
	x = atomic_fetch_add_relaxed(&weyl, 0x9e3779b9u);
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

/* baton_turn of case i: which one is the i-th to be looked at. */
static void shuffle(struct selecting *s)
{
	struct baton_case *cases = s->cases;

	for (unsigned int i = 0; i < s->n; i++) {
		uint64_t x = i ? random_next(&s->t) : 0;
		unsigned int j = (unsigned int)(x * (i + 1) >> 32);

		cases[i].baton_turn = cases[j].baton_turn;
		cases[j].baton_turn = i;
	}
}

/* baton_order of case i: which one's lock is the i-th to be taken. */
static void sort(struct selecting *s)
{
	struct baton_case *cases = s->cases;

	/* By insertion: they are few, or in order already. */
	for (unsigned int i = 0; i < s->n; i++) {
		uint32_t *lock = lock_of(&cases[i]);
		unsigned int j = i;

		for (; j; j--) {
			unsigned int before = cases[j - 1].baton_order;

			if (lock_of(&cases[before]) <= lock)
				break;
			cases[j].baton_order = before;
		}
		cases[j].baton_order = i;
	}
}

/* Each lock once, also if several cases have it. Those of none come first. */
static void lock_all(const struct selecting *s)
{
	uint32_t *last = NULL;

	for (unsigned int i = 0; i < s->n; i++) {
		uint32_t *lock = lock_of(&s->cases[s->cases[i].baton_order]);

		if (lock != last)
			lock_take(lock);
		last = lock;
	}
}

static void unlock_all(const struct selecting *s)
{
	uint32_t *last = NULL;

	for (unsigned int i = 0; i < s->n; i++) {
		uint32_t *lock = lock_of(&s->cases[s->cases[i].baton_order]);

		if (lock != last)
			lock_drop(lock);
		last = lock;
	}
}

/* --- one case, with its lock --------------------------------------------- */

/* 0, -EPIPE, POLL*: done; -EAGAIN: it is not ready. */
static int try_locked(struct selecting *s, struct baton_case *c,
		      struct waiter **peer)
{
	struct baton_timer *timer = c->object;

	switch (c->kind) {
	case BATON_CASE_SEND:
		return chan_send_locked(c->object, c->elem, peer);
	case BATON_CASE_RECV:
		return chan_recv_locked(c->object, c->elem, peer);
	case BATON_CASE_TIMER:
		if (timer->baton_armed && !s->now)
			s->now = now_ns();
		return timer_take_locked(timer, s->now, c->elem) ? 0 : -EAGAIN;
	case BATON_CASE_READ:
	case BATON_CASE_WRITE:
		return c->result ? c->result : -EAGAIN;
	case BATON_CASE_NONE:
		break;
	}
	return -EAGAIN;
}

/* Where @c waits; NULL: nowhere. */
static struct baton_waitq *queue_of(const struct baton_case *c)
{
	switch (c->kind) {
	case BATON_CASE_SEND:
		return &((struct baton_chan *)c->object)->baton_senders;
	case BATON_CASE_RECV:
		return &((struct baton_chan *)c->object)->baton_receivers;
	case BATON_CASE_TIMER:
		return &((struct baton_timer *)c->object)->baton_waiters;
	case BATON_CASE_READ:
	case BATON_CASE_WRITE:
		return &desc_of(c)->queue[side_of(c)];
	case BATON_CASE_NONE:
		break;
	}
	return NULL;
}

/* --- all of them --------------------------------------------------------- */

/* Do the first that is ready: its number; -EAGAIN: none is. */
static int try_all_locked(struct selecting *s, struct waiter **peer)
{
	*peer = NULL;
	for (unsigned int i = 0; i < s->n; i++) {
		unsigned int turn = s->cases[i].baton_turn;
		struct baton_case *c = &s->cases[turn];
		int err = try_locked(s, c, peer);

		if (err != -EAGAIN) {
			c->result = err;
			return (int)turn;
		}
	}
	return -EAGAIN;
}

/* --- descriptors ----------------------------------------------------------- */

/* The poller sees the case as its own entry. */
#define SAME_PLACE(ours, its)						\
	_Static_assert(offsetof(struct baton_case, ours) -		\
		       offsetof(struct baton_case, baton_entry) ==	\
		       offsetof(struct poller_entry, its), #its)

SAME_PLACE(baton_confirmed, confirmed);
SAME_PLACE(baton_over, closed);

/* What poll() says of the case: POLL*, 0, -errno. It is in the poller's set, and
 * what may change is noted before poll() is asked. */
static int fd_look(struct baton_case *c, struct baton_rt *rt, bool again)
{
	struct desc *d = baton_desc_get(rt, c->fd);
	/* What became of the wait before */
	unsigned char confirmed = again ? c->baton_confirmed : UNCONFIRMED;
	int got, err;

	c->baton_desc = d;
	/* No number, or none that can be waited for: then it is ready or fails. */
	if (!d) {
		got = c->fd < 0 ? POLLNVAL : baton_op_events(c->fd, side_of(c));
		return got ? got : -ENOMEM;
	}
	if (!again)
		c->baton_gen = READ_ONCE(d->gen);
	if (READ_ONCE(d->gen) != c->baton_gen || (again && c->baton_over))
		return POLLNVAL;
	c->baton_over = 0;
	got = baton_op_events(c->fd, side_of(c));
	if (got)
		return got;
	err = baton_desc_register(rt, d, side_of(c), c->baton_gen,
				  &confirmed);
	if (err)
		return err == -EBADF ? POLLNVAL : err;
	c->baton_confirmed = confirmed;
	c->baton_seq = desc_seq(d, side_of(c));
	return baton_op_events(c->fd, side_of(c));
}

/* Before the locks. 0, -errno with a reason. */
static int fds_look(struct selecting *s, bool again)
{
	struct baton_worker *w = baton_worker_self();

	for (unsigned int i = 0; i < s->n; i++) {
		struct baton_case *c = &s->cases[i];

		if (!is_fd(c))
			continue;
		if (!sched_on_fiber(w))
			return baton_error(-EPERM, "case %u: a descriptor, but not from a fiber",
					   i);
		c->result = fd_look(c, w->rt, again);
		if (c->result < 0)
			return baton_error(c->result,
					   "case %u: descriptor %d: error %d",
					   i, c->fd, -c->result);
		/* A look may have moved us. */
		w = baton_worker_self();
	}
	return 0;
}

/* With the locks: has any changed since then? */
static bool fds_changed_locked(const struct selecting *s)
{
	for (unsigned int i = 0; s->fds && i < s->n; i++) {
		const struct baton_case *c = &s->cases[i];
		const struct desc *d = desc_of(c);

		if (is_fd(c) && (d->seq[side_of(c)] != c->baton_seq ||
				 d->gen != c->baton_gen))
			return true;
	}
	return false;
}

/* They are listed; @n: 1. And once they are not any more: -1. */
static void fds_wait(struct selecting *s, int n)
{
	struct baton_rt *rt = s->t.w ? s->t.w->rt : NULL;

	if (!s->fds)
		return;
	baton_polling_waits(rt, n);
	/* Without the lock: who confirms meanwhile makes this one superfluous. */
	for (unsigned int i = 0; n > 0 && i < s->n; i++) {
		const struct baton_case *c = &s->cases[i];

		if (is_fd(c))
			baton_desc_listed(rt, desc_of(c),
					  READ_ONCE(c->baton_confirmed));
	}
}

/* Be listed everywhere. Returns when the first timer is due, or the deadline. */
static int64_t list_all_locked(struct selecting *s)
{
	int64_t until = s->deadline;

	for (unsigned int i = 0; i < s->n; i++) {
		struct baton_case *c = &s->cases[i];
		struct baton_waitq *q = queue_of(c);

		if (!q)
			continue;
		c->result = 0;
		waitq_add(q, &c->baton_entry, s->t.waiter);
		if (c->kind == BATON_CASE_TIMER) {
			int64_t next = timer_next_locked(c->object);

			if (next <= until && next != BATON_NEVER) {
				until = next;
				s->tick = true;
			}
		}
	}
	return until;
}

/*
 * Be listed nowhere. Who has found us on a list and lost looks at us with the
 * lock of that list: it is taken even if our entry is off the list by now.
 */
static void unlist_all(struct selecting *s, const struct baton_case *won)
{
	for (unsigned int i = 0; i < s->n; i++) {
		struct baton_case *c = &s->cases[i];
		struct baton_waitq *q = queue_of(c);

		if (!q || c == won)
			continue;
		lock_take(lock_of(c));
		waitq_del(q, &c->baton_entry);
		lock_drop(lock_of(c));
	}
}

/* Look once, and wait if that is in vain: a case; -errno; AGAIN. */
static int select_once(struct selecting *s)
{
	struct baton_case *won = NULL;
	struct waiter *peer;
	int64_t until;
	int err;

	lock_all(s);
	err = try_all_locked(s, &peer);
	if (err != -EAGAIN || s->deadline <= 0) {
		unlock_all(s);
		if (peer)
			wait_resume(&s->t, peer);
		if (s->t.w)
			s->t.w->fiber->unwaited++;
		return err == -EAGAIN ? -ETIMEDOUT : err;
	}
	if (unlikely(fds_changed_locked(s))) {
		unlock_all(s);
		return AGAIN;
	}
	wait_arm(&s->t, WAIT_ON_OTHER);
	until = list_all_locked(s);
	unlock_all(s);
	fds_wait(s, 1);
	err = wait_block(&s->t, until);
	if (s->t.w)
		s->t.w->fiber->unwaited = 0;
	fds_wait(s, -1);
	if (!err)
		won = case_of(s->t.waiter);
	unlist_all(s, won);
	if (won && won->kind != BATON_CASE_TIMER && !is_fd(won))
		return (int)(won - s->cases);
	if (err == -ETIMEDOUT && s->tick)
		return AGAIN;
	return err ? err : AGAIN;
}

static int check(const struct baton_case *cases, size_t n, bool *fds)
{
	if (n > INT_MAX || (n && !cases))
		return baton_error(-EINVAL, "cases: NULL, or too many");
	for (size_t i = 0; i < n; i++) {
		const struct baton_case *c = &cases[i];

		if (c->kind == BATON_CASE_NONE)
			continue;
		if (c->kind > BATON_CASE_WRITE)
			return baton_error(-EINVAL, "case %zu: kind %u", i,
					   (unsigned int)c->kind);
		if (is_fd(c)) {
			*fds = true;
			continue;
		}
		if (!c->object)
			return baton_error(-EINVAL, "case %zu: NULL", i);
		if (c->kind == BATON_CASE_SEND && !c->elem &&
		    ((struct baton_chan *)c->object)->baton_size)
			return baton_error(-EINVAL, "case %zu: no element", i);
	}
	return 0;
}

int baton_select(struct baton_case *cases, size_t n, int64_t deadline)
{
	struct selecting s = {.cases = cases, .n = (unsigned int)n};
	bool again = false;
	int got;

	got = check(cases, n, &s.fds);
	if (unlikely(got))
		return got;
	do {
		if (unlikely(s.fds)) {
			got = fds_look(&s, again);
			if (got)
				return got;
			again = true;
		}
		/* Each wait is a new one; it may have moved us elsewhere. */
		wait_enter(&s.t);
		s.deadline = deadline;
		if (s.t.w && s.t.w->fiber->deadline < deadline)
			s.deadline = s.t.w->fiber->deadline;
		s.now = 0;
		s.tick = false;
		shuffle(&s);
		sort(&s);
		got = select_once(&s);
		wait_leave(&s.t);
	} while (unlikely(got == AGAIN));
	if (got >= 0 && unlikely(cases[got].result) &&
	    cases[got].kind == BATON_CASE_SEND)
		baton_error(-EPIPE, "the channel is closed");
	if (s.t.w)
		fiber_turn(s.t.w->fiber);
	return got;
}
