/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * global.h - the global queue: runnable fibers that no processor has, and all
 * runnable fibers that are pinned, for only from here can one be taken out of
 * turn. First in, first out.
 */
#ifndef BATON_CORE_GLOBAL_H
#define BATON_CORE_GLOBAL_H

#include <pthread.h>

struct baton_fiber;
struct baton_proc;
struct baton_rt;

/**
 * struct global_queue - the queue
 * @lock: protects the list, its links in the fibers, and writes of hdr->nglobal
 * @head: the fiber that was queued first
 * @tail: the one that was queued last; how many there are is hdr->nglobal
 */
struct global_queue {
	pthread_mutex_t lock;
	struct baton_fiber *head;
	struct baton_fiber *tail;
};

void baton_global_init(struct global_queue *g);
void baton_global_uninit(struct global_queue *g);

/* The @n fibers in @f, in this order, to the end. */
void baton_global_push(struct baton_rt *rt, struct baton_fiber **f,
		       unsigned int n);

/*
 * The first fiber, or NULL; and up to @share - 1 of those behind it go to the
 * run queue of @p, whose holder the caller is.
 */
struct baton_fiber *baton_global_pop(struct baton_rt *rt, struct baton_proc *p,
				     unsigned int share);

/* If the first fiber is pinned: take it off, and return its worker's index; -1
 * otherwise. */
int baton_global_pop_pinned(struct baton_rt *rt);

/* Take @f off, if it is on the queue. */
void baton_global_remove(struct baton_rt *rt, struct baton_fiber *f);

/*
 * If a pinned fiber waits here and a processor is idle, claim that processor,
 * take the first pinned fiber off, and return its worker's index, with the
 * processor's number in @proc. -1 otherwise.
 */
int baton_global_rescue(struct baton_rt *rt, unsigned int *proc);

#endif /* BATON_CORE_GLOBAL_H */
