// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* runq.c - a processor's run queue: the rarer half of it. */
#include "runq.h"

struct baton_fiber *baton_runq_take(struct runq *q)
{
	/* head first: a tail that is older than it would look like more. */
	__u32 head = smp_load_acquire(&q->rec->head);
	struct baton_fiber *f;

	do {
		/* Acquire: the entry; pairs with runq_push(). */
		if (head == smp_load_acquire(&q->rec->tail))
			return NULL;
		f = READ_ONCE(q->ring[head % RUNQ_SIZE]);
	} while (!try_cmpxchg_acq_rel(&q->rec->head, &head, head + 1));
	return f;
}

unsigned int baton_runq_pop_half(struct runq *q, struct baton_fiber **out)
{
	__u32 head = smp_load_acquire(&q->rec->head);

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
		for (__u32 i = 0; i < n; i++)
			out[i] = READ_ONCE(q->ring[(head + i) % RUNQ_SIZE]);
		/* Nobody else took them, so the copies are theirs. */
		if (!n || try_cmpxchg_acq_rel(&q->rec->head, &head, head + n))
			return n;
	}
}

struct baton_fiber *baton_runq_steal(struct runq *q, struct runq *victim)
{
	struct baton_fiber *batch[RUNQ_SIZE / 2];
	unsigned int n = baton_runq_pop_half(victim, batch);

	if (!n)
		return NULL;
	/* Empty, and half a ring at most: there is room. */
	for (unsigned int i = 1; i < n; i++)
		runq_push(q, batch[i]);
	return batch[0];
}
