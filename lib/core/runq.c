// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* runq.c - a processor's run queue: the rarer half of it. */
#include "runq.h"

struct baton_fiber *runq_take(struct runq *q)
{
	/* head first: a tail that is older than it would look like more. */
	__u32 head = __atomic_load_n(&q->rec->head, __ATOMIC_ACQUIRE);
	struct baton_fiber *f;

	do {
		/* Acquire: the entry; pairs with runq_push(). */
		if (head == __atomic_load_n(&q->rec->tail, __ATOMIC_ACQUIRE))
			return NULL;
		f = __atomic_load_n(&q->ring[head % RUNQ_SIZE],
				    __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(&q->rec->head, &head, head + 1,
					      false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	return f;
}

unsigned int runq_pop_half(struct runq *q, struct baton_fiber **out)
{
	__u32 head = __atomic_load_n(&q->rec->head, __ATOMIC_ACQUIRE);

	for (;;) {
		/* Acquire: the entries before it; pairs with runq_push(). */
		__u32 tail = __atomic_load_n(&q->rec->tail, __ATOMIC_ACQUIRE);
		__u32 n = tail - head;

		n -= n / 2;
		/* head and tail were not read at once: try with newer ones. */
		if (n > RUNQ_SIZE / 2) {
			head = __atomic_load_n(&q->rec->head, __ATOMIC_ACQUIRE);
			continue;
		}
		for (__u32 i = 0; i < n; i++)
			out[i] = __atomic_load_n(
				&q->ring[(head + i) % RUNQ_SIZE],
				__ATOMIC_RELAXED);
		/* Nobody else took them, so the copies are theirs. */
		if (!n || __atomic_compare_exchange_n(&q->rec->head, &head,
						      head + n, false,
						      __ATOMIC_ACQ_REL,
						      __ATOMIC_ACQUIRE))
			return n;
	}
}

struct baton_fiber *runq_steal(struct runq *q, struct runq *victim)
{
	struct baton_fiber *batch[RUNQ_SIZE / 2];
	unsigned int n = runq_pop_half(victim, batch);

	if (!n)
		return NULL;
	/* Empty, and half a ring at most: there is room. */
	for (unsigned int i = 1; i < n; i++)
		runq_push(q, batch[i]);
	return batch[0];
}
