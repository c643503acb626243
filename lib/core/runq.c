// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* runq.c - a processor's run queue: the rarer half of it. */
#include "runq.h"

#include <time.h>

#include "arch.h"

/* Acquire and release: what the last one in did to tail and the entries. */
static bool try_lock(struct runq *q)
{
	return !READ_ONCE(q->lock) && !xchg_acquire(&q->lock, 1);
}

/*
 * By a thief. Who has it is a few instructions away from letting go, unless it
 * was preempted, perhaps by this very thread: then a sleep lets it run, also if
 * it is of a lower class. To look for work elsewhere, park, and find that there
 * is some, would take all of a time slice.
 */
static void lock(struct runq *q)
{
	static const struct timespec pause = { .tv_nsec = 20000 };
	unsigned int spins = 0;

	while (!try_lock(q)) {
		baton_cpu_relax();
		if (++spins % 128 == 0)
			nanosleep(&pause, NULL);
	}
}

static void unlock(struct runq *q)
{
	smp_store_release(&q->lock, 0);
}

/* No thief is at work: head can only be moved by the caller, who is here. */
static bool remove_locked(struct runq *q, __u32 place)
{
	__u32 head = READ_ONCE(q->rec->head), tail = q->rec->tail;

	if (place - head >= tail - head)
		return false;
	WRITE_ONCE(q->ring[place % RUNQ_SIZE], NULL);
	while (tail != head && !q->ring[(tail - 1) % RUNQ_SIZE])
		tail--;
	WRITE_ONCE(q->rec->tail, tail);
	return true;
}

bool baton_runq_remove(struct runq *q, struct baton_fiber *f, __u32 place)
{
	bool removed;

	/* The holder alone writes entries, so this one is in the queue if its
	 * place still is. */
	if (q->ring[place % RUNQ_SIZE] != f)
		return false;
	if (!q->shared)
		return remove_locked(q, place);
	if (!try_lock(q))
		return false;
	removed = remove_locked(q, place);
	unlock(q);
	return removed;
}

/*
 * By the holder, or under the lock: the holder can only push and pop meanwhile,
 * and a pop is found out by the swap.
 */
unsigned int baton_runq_pop_half(struct runq *q, struct baton_fiber **out)
{
	__u32 head = smp_load_acquire(&q->rec->head);
	unsigned int found;

	for (;;) {
		/* Acquire: the entries before it; pairs with runq_push(). */
		__u32 tail = smp_load_acquire(&q->rec->tail);
		__u32 n = tail - head;

		n -= n / 2;
		/* head and tail were not read at once: try with newer ones. */
		if (n > RUNQ_SIZE / 2) {
			head = smp_load_acquire(&q->rec->head);
			continue;
		}
		found = 0;
		for (__u32 i = 0; i < n; i++) {
			out[found] = READ_ONCE(q->ring[(head + i) % RUNQ_SIZE]);
			found += !!out[found];
		}
		/* Nobody else took them, so the copies are theirs. */
		if (n && !try_cmpxchg_acq_rel(&q->rec->head, &head, head + n))
			continue;
		/* All were gaps? The last entry of the queue is none. */
		if (found || !n)
			return found;
		head += n;
	}
}

struct baton_fiber *baton_runq_take(struct runq *q)
{
	struct baton_fiber *f = NULL;
	__u32 head;

	lock(q);
	/* head first: a tail that is older than it would look like more. */
	head = smp_load_acquire(&q->rec->head);
	/* Acquire: the entry; pairs with runq_push(). */
	while (!f && head != smp_load_acquire(&q->rec->tail)) {
		struct baton_fiber *first =
			READ_ONCE(q->ring[head % RUNQ_SIZE]);

		if (!try_cmpxchg_acq_rel(&q->rec->head, &head, head + 1))
			continue;
		f = first;
		head++;
	}
	unlock(q);
	return f;
}

struct baton_fiber *baton_runq_steal(struct runq *q, struct runq *victim)
{
	struct baton_fiber *batch[RUNQ_SIZE / 2];
	unsigned int n;

	/* A look is as good as an empty queue, and keeps nobody off. */
	if (READ_ONCE(victim->rec->head) == READ_ONCE(victim->rec->tail))
		return NULL;
	lock(victim);
	n = baton_runq_pop_half(victim, batch);
	unlock(victim);
	if (!n)
		return NULL;
	/* Empty, and half a ring at most: there is room. */
	for (unsigned int i = 1; i < n; i++)
		runq_push(q, batch[i]);
	return batch[0];
}
