// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* table.c - fibers that wait at an address. */
#include "table.h"

#include <sched.h>
#include <string.h>

#define BUCKETS	256u	/* a power of two */

/*
 * @lock is held for a few instructions, in which nothing is called. The holder
 * may be descheduled all the same: by the kernel; and, a fiber, by the end of its
 * slice (hog.h), of which it hears by a signal. Who wants the lock yields.
 */
struct bucket {
	uint32_t lock;
	struct place *first;
	struct place *last;
} __attribute__((aligned(64)));

static struct bucket buckets[BUCKETS];

unsigned int baton_table_used __attribute__((aligned(64)));

/* How many threads have places that are off the lists but not posted yet */
static unsigned int wakers;

static void bucket_take(struct bucket *b)
{
	uint32_t old = 0;

	while (!try_cmpxchg_acq_rel(&b->lock, &old, 1)) {
		sched_yield();
		old = 0;
	}
}

static struct bucket *bucket_lock(const void *addr)
{
	uint32_t hash = (uint32_t)((uintptr_t)addr >> 3) * 2654435761u;
	struct bucket *b = &buckets[hash / (UINT32_MAX / BUCKETS + 1)];

	bucket_take(b);
	return b;
}

static void bucket_unlock(struct bucket *b)
{
	smp_store_release(&b->lock, 0u);
}

/* With the bucket's lock. */
static void unlist(struct bucket *b, struct place *p)
{
	if (p->prev)
		p->prev->next = p->next;
	else
		b->first = p->next;
	if (p->next)
		p->next->prev = p->prev;
	else
		b->last = p->prev;
	p->listed = false;
	atomic_fetch_sub(&baton_table_used, 1);
}

void baton_table_add(struct place *p, const void *addr)
{
	struct bucket *b = bucket_lock(addr);

	*p = (struct place){
		.addr = addr,
		.prev = b->last,
		.listed = true,
	};
	if (b->last)
		b->last->next = p;
	else
		b->first = p;
	b->last = p;
	/* Pairs with table_wake(): the count before the look, the change before
	 * the count. Who sees it waits for the lock. With the lock: who takes
	 * this place off counts down after that. */
	atomic_fetch_add(&baton_table_used, 1);
	bucket_unlock(b);
}

/* --- waits that nothing else ends ---------------------------------------- */

/* The fiber has deadline @ns from now on. Returns which it had. */
static int64_t swap_deadline(int64_t ns)
{
	struct baton_scope scope = { 0 };
	int64_t was;

	/* What a scope began with is where its end leads back to. */
	baton_deadline_push(&scope, BATON_NEVER);
	was = scope.baton_deadline;
	scope.baton_deadline = ns;
	baton_deadline_pop(&scope);
	return was;
}

/* No deadline, and no cancel, until lift(). Returns the former. */
static int64_t shield(void)
{
	baton_cancel_mask();
	return swap_deadline(BATON_NEVER);
}

static void lift(int64_t deadline)
{
	swap_deadline(deadline);
	baton_cancel_unmask();
}

/* It is off the list. Who has taken it off is done with it afterwards. */
static bool settle(struct place *p)
{
	struct bucket *b = bucket_lock(p->addr);
	bool listed = p->listed;

	if (listed)
		unlist(b, p);
	bucket_unlock(b);
	if (!listed)
		baton_sem_wait(&p->woken);
	return !listed;
}

bool baton_table_del(struct place *p)
{
	int64_t was = shield();
	bool woken = settle(p);

	lift(was);
	return woken;
}

int baton_table_wait(struct place *p, clockid_t clock, int64_t at)
{
	struct wrap_errno e;
	int64_t was;
	int err;

	baton_wrap_enter(&e);
	was = shield();
	do
		err = baton_sem_wait_until(&p->woken,
					   baton_wrap_deadline(clock, at));
	while (err && !wrap_come(clock, at));
	if (err && settle(p))
		err = 0;
	lift(was);
	baton_wrap_leave(&e, 0);
	return err;
}

void baton_table_wake(const void *addr, bool all)
{
	struct place *p, *next, *woken = NULL, **last = &woken;
	/* A fiber that is cut off in here is no more when the table is emptied. */
	bool thread = !wrap_fiber();
	/* After that: in a child of fork() it empties the table. */
	struct bucket *b = bucket_lock(addr);

	if (thread)
		atomic_fetch_add(&wakers, 1);
	for (p = b->first; p && (all || !woken); p = next) {
		next = p->next;
		if (p->addr != addr)
			continue;
		unlist(b, p);
		p->next = NULL;
		*last = p;
		last = &p->next;
	}
	bucket_unlock(b);
	/* A place is gone as soon as it was posted. */
	for (p = woken; p; p = next) {
		next = p->next;
		baton_sem_post(&p->woken);
	}
	if (thread)
		atomic_fetch_sub(&wakers, 1);
}

void baton_wrap_ended(void)
{
	struct bucket *b;

	for (unsigned int i = 0; i < BUCKETS; i++) {
		b = &buckets[i];
		bucket_take(b);
		while (b->first)
			unlist(b, b->first);
		bucket_unlock(b);
	}
	/* Who had the lock of a list before has counted with it. */
	while (atomic_fetch_add(&wakers, 0))
		sched_yield();
}

/* --- fork() -------------------------------------------------------------- */

/*
 * Who forks: after that, what tells it is no more; and is this thread in a
 * fork()? The library keeps a fiber on its thread meanwhile.
 */
static __thread uintptr_t forker;
static __thread unsigned int forking;

void baton_wrap_fork_begins(uintptr_t caller)
{
	forker = caller;
	forking++;
	atomic_fetch_add(&baton_wrap_real.rare, 1u);
}

void baton_wrap_fork_over(void)
{
	forking--;
	atomic_fetch_sub(&baton_wrap_real.rare, 1u);
}

/*
 * A child that a fiber makes has no scheduler, ever: baton(7). Handlers of
 * others come before ours, and before the library's own: they may lock and
 * unlock, and so whoever is the first to look sees to all of it.
 */
uintptr_t baton_wrap_forked(void)
{
	/* The child of vfork(), which shares the memory, is in no fork(). */
	if (forking && getpid() != baton_wrap_real.pid) {
		forking = 0;
		if (forker != (uintptr_t)pthread_self())
			WRITE_ONCE(baton_wrap_real.forked, forker);
		WRITE_ONCE(baton_wrap_real.rare, baton_wrap_real.forked != 0);
		baton_wrap_real.pid = getpid();
		memset(buckets, 0, sizeof(buckets));
		baton_table_used = 0;
		wakers = 0;
	}
	return READ_ONCE(baton_wrap_real.forked);
}
