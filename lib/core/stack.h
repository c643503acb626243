/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* stack.h - memory for fibers: fixed size, touched lazily, guarded, reused. */
#ifndef BATON_CORE_STACK_H
#define BATON_CORE_STACK_H

#include <pthread.h>
#include <stddef.h>

#define STACK_SIZE_MIN		((size_t)16 << 10)
#define STACK_SIZE_MAX		((size_t)1 << 30)
#define STACK_SIZE_DEFAULT	((size_t)64 << 10)

struct baton_fiber;
struct stack_slab;

/**
 * struct stack_pool - the stacks of one scheduler
 * @lock:  protects all below
 * @size:  of a pooled stack, in bytes; constant
 * @foreign: of the shadow stacks, besides: what foreign calls may need, in
 *         bytes; 0: threads have none. Constant
 * @free:  fibers that nobody uses, through next
 * @buried: fibers whose stacks are to be unmapped once off them, through next
 * @slabs: mappings to undo at the end
 */
struct stack_pool {
	pthread_mutex_t lock;
	size_t size;
	size_t foreign;
	struct baton_fiber *free;
	struct baton_fiber *buried;
	struct stack_slab *slabs;
};

void baton_stack_pool_init(struct stack_pool *pool, size_t size);

/* Unmap everything. No fiber may be on a stack. */
void baton_stack_pool_uninit(struct stack_pool *pool);

/*
 * A chain of up to @want fibers with pooled stacks, at least one; NULL without
 * memory. Only their base and size fields mean anything.
 */
struct baton_fiber *baton_stack_pool_get(struct stack_pool *pool,
					 unsigned int want);

/* Give back a chain, @last being its end. */
void baton_stack_pool_put(struct stack_pool *pool, struct baton_fiber *first,
			  struct baton_fiber *last);

/* A fiber with a stack of its own size, outside of the pool's reuse. */
struct baton_fiber *baton_stack_map(struct stack_pool *pool, size_t size);
void baton_stack_unmap(struct stack_pool *pool, struct baton_fiber *f);

/* baton_stack_unmap(), later: the caller is on that stack. */
void baton_stack_bury(struct stack_pool *pool, struct baton_fiber *f);

/*
 * @fn(fiber, @arg) for the fiber of each stack, which is one that nobody uses
 * if its handle is void (JOIN_FREED). Under the lock: @fn may not use @pool.
 */
void baton_stack_pool_each(struct stack_pool *pool,
			   void (*fn)(struct baton_fiber *f, void *arg),
			   void *arg);

/* @bytes in whole pages, or 0 when out of bounds. */
size_t baton_stack_size_check(size_t bytes);

#endif /* BATON_CORE_STACK_H */
