/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * global.h - the global queue: runnable fibers that no processor has, and all
 * runnable fibers that are pinned, for only from here can one be taken out of
 * turn. First in, first out.
 *
 * It has two parts. Pointers to fibers that any worker may run are in blocks: a
 * fiber that waits for long is cold, and is not touched while the lock is held,
 * neither when half a run queue comes nor when one goes. Those that may have to
 * be taken out of turn are on a list through the fibers. Each of these has a
 * ticket, which says how many of the others came before it, so that the order
 * is that of one queue.
 *
 *	blocks:  f0 f1 f2 f3 f4		popped = 0, pushed = 5
 *	list:    g (ticket 2), h (5)	so the order is f0 f1 g f2 f3 f4 h
 *
 * And those fibers that wait for a processor in the middle of their own code,
 * thread and all, since their slice was over (turn.h). They are counted in
 * nglobal, so that nobody goes to sleep over them, but are let in when no other
 * fiber waits, or when they have waited for long.
 *
 * REJECTED: the list alone, as it was. A million fibers are a million cache
 * misses under the lock, each of which has to wait for the last one.
 */
#ifndef BATON_CORE_GLOBAL_H
#define BATON_CORE_GLOBAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct baton_fiber;
struct baton_proc;
struct baton_rt;
struct queue_block;
struct queue_chunk;
struct turn;

/**
 * struct global_queue - the queue
 * @lock:   protects all below, the list's links in the fibers, and writes of
 *          hdr->nglobal, which is how many there are
 * @first:  the block that the next pointer is taken from, at @begin
 * @last:   the block that the next pointer goes to, at @end
 * @pushed: pointers that were ever put into blocks; runs on and wraps
 * @popped: of these, those that were taken out again
 * @head:   the fiber that was put on the list first
 * @tail:   the one that was put there last
 * @turns:  who waits for a turn, in this order; and the last one
 * @nturns: how many
 * @spare:  blocks to fill, through next
 * @chunks: mappings of blocks, to undo at the end
 */
struct global_queue {
	pthread_mutex_t lock;
	struct queue_block *first;
	struct queue_block *last;
	unsigned int begin;
	unsigned int end;
	uint32_t pushed;
	uint32_t popped;
	struct baton_fiber *head;
	struct baton_fiber *tail;
	struct turn *turns;
	struct turn *last_turn;
	uint32_t nturns;
	struct queue_block *spare;
	struct queue_chunk *chunks;
};

void baton_global_init(struct global_queue *g);
void baton_global_uninit(struct global_queue *g);

/* The @n fibers in @f, none of which is pinned, in this order, to the end. */
void baton_global_push(struct baton_rt *rt, struct baton_fiber **f,
		       unsigned int n);

/* The pinned fiber @f to the end. */
void baton_global_push_pinned(struct baton_rt *rt, struct baton_fiber *f);

/*
 * The first fiber, or NULL; and up to @share - 1 of those behind it go to the
 * run queue of @p, whose holder the caller is.
 */
struct baton_fiber *baton_global_pop(struct baton_rt *rt, struct baton_proc *p,
				     unsigned int share);

/* If the first fiber is pinned: take it off, and return its worker's index; -1
 * otherwise. */
int baton_global_pop_pinned(struct baton_rt *rt);

/* Take the pinned fiber @f off, if it is on the queue. */
void baton_global_remove(struct baton_rt *rt, struct baton_fiber *f);

/*
 * If a pinned fiber waits here and a processor is idle, claim that processor,
 * take the first pinned fiber off, and return its worker's index, with the
 * processor's number in @proc. -1 otherwise.
 */
int baton_global_rescue(struct baton_rt *rt, unsigned int *proc);

/* @t waits for its turn. */
void baton_global_turn_add(struct baton_rt *rt, struct turn *t);

/* It does no more. False: it has been taken off already. */
bool baton_global_turn_drop(struct baton_rt *rt, struct turn *t);

/* Take off the first, who is to be told by turn_grant(); NULL: nobody waits. */
struct turn *baton_global_turn_take(struct baton_rt *rt);

/* The same if a processor is idle, which is claimed: its number in @proc. */
struct turn *baton_global_turn_rescue(struct baton_rt *rt, unsigned int *proc);

#endif /* BATON_CORE_GLOBAL_H */
