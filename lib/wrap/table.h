/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * table.h - fibers that wait at an address: for a pthread_mutex_t, say, in
 *           which there is no room for a list of them.
 *
 * As the kernel's futexes: a fiber lists itself, looks once more whether it has
 * to wait, and waits; who changes the object wakes who is listed for its
 * address. The object itself is not touched, so it may be freed as soon as its
 * owner thinks it may. Addresses share buckets, never wake-ups.
 *
 * These waits end by a wake-up or their own deadline. A cancel and the deadline
 * of a scope wait for the next call that can tell of them.
 */
#ifndef BATON_WRAP_TABLE_H
#define BATON_WRAP_TABLE_H

#include "real.h"

/**
 * struct place - one fiber's in the table; on its stack
 * @next, @prev: of its bucket's list
 * @addr:        where it waits
 * @woken:       posted once, by who has taken it off the list
 * @listed:      nobody has
 */
struct place {
	struct place *next;
	struct place *prev;
	const void *addr;
	struct baton_sem woken;
	bool listed;
};

/* How many places are in the table; a hint, that orders as below. */
extern unsigned int baton_table_used;

/* List the caller, a fiber. A full barrier: then it looks once more. */
void baton_table_add(struct place *p, const void *addr);

/* Nothing is to be waited for. True: it was woken all the same. */
bool baton_table_del(struct place *p);

/* Wait to be woken: 0; or until @clock shows @at: -ETIMEDOUT. Unlisted. */
int baton_table_wait(struct place *p, clockid_t clock, int64_t at);

/* What table_wake() leaves over. */
void baton_table_wake(const void *addr, bool all);

/*
 * Whoever waits is about to be no more: libbaton.so calls this at the end of a
 * scheduler, when no fiber runs.
 */
WRAP void baton_wrap_ended(void);

/* Around fork(), by @caller, a fiber or a thread. In the child nobody waits. */
void baton_wrap_fork_begins(uintptr_t caller);
void baton_wrap_fork_over(void);

/*
 * Wake who waits at @addr, the one that has waited longest, or @all. After a
 * change that who waits there, by a look after baton_table_add(), must have
 * seen or be woken: for that there is a full barrier in between. Any thread;
 * blocks neither.
 */
static inline void table_wake(const void *addr, bool all)
{
	smp_mb();
	if (unlikely(READ_ONCE(baton_table_used)))
		baton_table_wake(addr, all);
}

#endif /* BATON_WRAP_TABLE_H */
