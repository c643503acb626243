// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* global.c - the global queue. */
#include "global.h"

#include <errno.h>
#include <sys/mman.h>

#include "debug.h"
#include "fiber.h"
#include "proc.h"
#include "rt.h"
#include "turn.h"

/* A block is 1 KiB on 64 bits, and takes half a run queue but for a fiber. */
#define BLOCK_FIBERS	127u
#define CHUNK_BLOCKS	63u

struct queue_block {
	struct queue_block *next;
	struct baton_fiber *fibers[BLOCK_FIBERS];
};

/* Blocks are reused, and unmapped at the end: 8 bytes for each fiber that was
 * ever here at the same time as the others. */
struct queue_chunk {
	struct queue_chunk *next;
	struct queue_block blocks[CHUNK_BLOCKS];
};

void baton_global_init(struct global_queue *g)
{
	*g = (struct global_queue){ .end = BLOCK_FIBERS };
	baton_lock_init(&g->lock);
}

void baton_global_uninit(struct global_queue *g)
{
	struct queue_chunk *c;

	while ((c = g->chunks)) {
		g->chunks = c->next;
		munmap(c, sizeof(*c));
	}
	pthread_mutex_destroy(&g->lock);
}

/*
 * Release: whoever sees a fiber counted out here sees it in the run queue that
 * it has moved to. Pairs with region_has_work().
 */
static void count_locked(struct baton_rt *rt, unsigned int change)
{
	debug_assert_locked(&rt->global.lock);
	smp_store_release(&rt->hdr->nglobal, rt->hdr->nglobal + change);
}

/* --- the blocks ---------------------------------------------------------- */

static void chunk_map_locked(struct global_queue *g)
{
	int saved = errno;	/* what fails here is nobody's business */
	struct queue_chunk *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	errno = saved;
	if (c == MAP_FAILED)
		return;
	c->next = g->chunks;
	g->chunks = c;
	/* Chained from the last one on, so that the first is used first. */
	for (unsigned int i = CHUNK_BLOCKS; i-- > 0;) {
		c->blocks[i].next = g->spare;
		g->spare = &c->blocks[i];
	}
}

/* A new last block. False without memory. */
static bool block_add_locked(struct global_queue *g)
{
	struct queue_block *b;

	if (!g->spare)
		chunk_map_locked(g);
	b = g->spare;
	if (!b)
		return false;
	g->spare = b->next;
	b->next = NULL;
	if (g->first)
		g->last->next = b;
	else
		g->first = b;
	g->last = b;
	g->end = 0;
	return true;
}

static bool put_locked(struct global_queue *g, struct baton_fiber *f)
{
	debug_assert_locked(&g->lock);
	if (unlikely(g->end == BLOCK_FIBERS) && !block_add_locked(g))
		return false;
	g->last->fibers[g->end++] = f;
	g->pushed++;
	return true;
}

/* There is a pointer to be taken. */
static struct baton_fiber *take_locked(struct global_queue *g)
{
	struct queue_block *b = g->first;
	struct baton_fiber *f = b->fibers[g->begin++];

	debug_assert_locked(&g->lock);
	if (++g->popped == g->pushed) {
		/* The only block: fill it again, from its start. */
		g->begin = g->end = 0;
	} else if (g->begin == BLOCK_FIBERS) {
		g->first = b->next;
		g->begin = 0;
		b->next = g->spare;
		g->spare = b;
	}
	return f;
}

/* --- the list ------------------------------------------------------------ */

static void link_locked(struct global_queue *g, struct baton_fiber *f)
{
	debug_assert_locked(&g->lock);
	f->queued = true;
	f->ticket = g->pushed;
	f->next = NULL;
	f->prev = g->tail;
	if (g->tail)
		g->tail->next = f;
	else
		g->head = f;
	g->tail = f;
}

/* The caller changes nglobal afterwards. */
static void unlink_locked(struct global_queue *g, struct baton_fiber *f)
{
	debug_assert_locked(&g->lock);
	if (f->prev)
		f->prev->next = f->next;
	else
		g->head = f->next;
	if (f->next)
		f->next->prev = f->prev;
	else
		g->tail = f->prev;
	f->queued = false;
}

/* How many pointers in blocks come before the first fiber of the list. */
static uint32_t ahead_locked(const struct global_queue *g)
{
	return (g->head ? g->head->ticket : g->pushed) - g->popped;
}

/* --- both ---------------------------------------------------------------- */

void baton_global_push(struct baton_rt *rt, struct baton_fiber **f,
		       unsigned int n)
{
	struct global_queue *g = &rt->global;

	pthread_mutex_lock(&g->lock);
	/* The list takes no memory. */
	for (unsigned int i = 0; i < n; i++)
		if (unlikely(!put_locked(g, f[i])))
			link_locked(g, f[i]);
	count_locked(rt, n);
	pthread_mutex_unlock(&g->lock);
}

void baton_global_push_pinned(struct baton_rt *rt, struct baton_fiber *f)
{
	pthread_mutex_lock(&rt->global.lock);
	link_locked(&rt->global, f);
	count_locked(rt, 1);
	pthread_mutex_unlock(&rt->global.lock);
}

struct baton_fiber *baton_global_pop(struct baton_rt *rt, struct baton_proc *p,
				     unsigned int share)
{
	struct global_queue *g = &rt->global;
	struct baton_fiber *first = NULL;
	unsigned int n = 0;

	/* A hint: what is pushed from now on comes with a wake-up, or is seen
	 * by a later look. */
	if (!READ_ONCE(rt->hdr->nglobal))
		return NULL;
	pthread_mutex_lock(&g->lock);
	if (ahead_locked(g)) {
		first = take_locked(g);
		n++;
	} else if (g->head) {
		first = g->head;
		unlink_locked(g, first);
		n++;
	}
	if (share > RUNQ_SIZE / 2)
		share = RUNQ_SIZE / 2;
	/* A fiber leaves this queue before it enters the other: whoever steals
	 * it from there may free it. */
	while (n < share && ahead_locked(g) && !runq_full(&p->runq)) {
		runq_push(&p->runq, take_locked(g));
		n++;
	}
	/* Before nglobal: see below. */
	if (n > 1)
		proc_mark_queued(rt, p);
	/* Counted last, so that a worker that is about to sleep sees each of
	 * these fibers either here or there. */
	count_locked(rt, -n);
	pthread_mutex_unlock(&g->lock);
	return first;
}

int baton_global_pop_pinned(struct baton_rt *rt)
{
	struct global_queue *g = &rt->global;
	struct baton_fiber *f;
	int index = -1;

	if (!READ_ONCE(rt->hdr->nglobal))
		return -1;
	pthread_mutex_lock(&g->lock);
	f = ahead_locked(g) ? NULL : g->head;
	if (f && f->pin) {
		unlink_locked(g, f);
		count_locked(rt, -1u);
		index = (int)f->pin->index;
	}
	pthread_mutex_unlock(&g->lock);
	return index;
}

void baton_global_remove(struct baton_rt *rt, struct baton_fiber *f)
{
	pthread_mutex_lock(&rt->global.lock);
	if (f->queued) {
		unlink_locked(&rt->global, f);
		count_locked(rt, -1u);
	}
	pthread_mutex_unlock(&rt->global.lock);
}

int baton_global_rescue(struct baton_rt *rt, unsigned int *proc)
{
	struct global_queue *g = &rt->global;
	struct baton_fiber *f;
	int p = -1, index = -1;

	pthread_mutex_lock(&g->lock);
	for (f = g->head; f && !f->pin; f = f->next)
		;
	if (f)
		p = idle_claim_any(rt->hdr, rt->nprocs);
	if (p >= 0) {
		unlink_locked(g, f);
		count_locked(rt, -1u);
		/* Read under the lock: from here on others may free @f. */
		index = (int)f->pin->index;
		*proc = (unsigned int)p;
	}
	pthread_mutex_unlock(&g->lock);
	return index;
}

/* --- turns --------------------------------------------------------------- */

static void turn_unlink_locked(struct baton_rt *rt, struct turn *t)
{
	struct global_queue *g = &rt->global;

	debug_assert_locked(&g->lock);
	if (t->prev)
		t->prev->next = t->next;
	else
		g->turns = t->next;
	if (t->next)
		t->next->prev = t->prev;
	else
		g->last_turn = t->prev;
	t->listed = false;
	WRITE_ONCE(g->nturns, g->nturns - 1);
	count_locked(rt, -1u);
}

void baton_global_turn_add(struct baton_rt *rt, struct turn *t)
{
	struct global_queue *g = &rt->global;

	pthread_mutex_lock(&g->lock);
	t->listed = true;
	t->next = NULL;
	t->prev = g->last_turn;
	if (g->last_turn)
		g->last_turn->next = t;
	else
		g->turns = t;
	g->last_turn = t;
	WRITE_ONCE(g->nturns, g->nturns + 1);
	count_locked(rt, 1);
	pthread_mutex_unlock(&g->lock);
}

bool baton_global_turn_drop(struct baton_rt *rt, struct turn *t)
{
	bool listed;

	pthread_mutex_lock(&rt->global.lock);
	listed = t->listed;
	if (listed)
		turn_unlink_locked(rt, t);
	pthread_mutex_unlock(&rt->global.lock);
	return listed;
}

struct turn *baton_global_turn_take(struct baton_rt *rt)
{
	struct turn *t;

	if (!READ_ONCE(rt->global.nturns))
		return NULL;
	pthread_mutex_lock(&rt->global.lock);
	t = rt->global.turns;
	if (t)
		turn_unlink_locked(rt, t);
	pthread_mutex_unlock(&rt->global.lock);
	return t;
}

struct turn *baton_global_turn_rescue(struct baton_rt *rt, unsigned int *proc)
{
	struct turn *t;
	int p = -1;

	pthread_mutex_lock(&rt->global.lock);
	t = rt->global.turns;
	if (t)
		p = idle_claim_any(rt->hdr, rt->nprocs);
	if (p >= 0) {
		turn_unlink_locked(rt, t);
		*proc = (unsigned int)p;
	}
	pthread_mutex_unlock(&rt->global.lock);
	return p >= 0 ? t : NULL;
}
