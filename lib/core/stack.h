/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * stack.h - memory for fibers: fixed size, touched lazily, guarded, reused, and
 * given back to the system after a while.
 */
#ifndef BATON_CORE_STACK_H
#define BATON_CORE_STACK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"
#include "slab.h"

#define STACK_SIZE_MIN		((size_t)16 << 10)
#define STACK_SIZE_MAX		((size_t)1 << 30)
#define STACK_SIZE_DEFAULT	((size_t)64 << 10)

/* The configured size, and the powers of two from MIN to MAX. */
#define STACK_CLASSES		(1 + 17)

#define MAGAZINE_SIZE		64u

struct baton_fiber;

/**
 * struct magazine - fibers with stacks that nobody uses
 * @next:   towards the colder end of a list
 * @prev:   towards the warmer end
 * @n:      how many there are
 * @fibers: last in, first out
 */
struct magazine {
	struct magazine *next;
	struct magazine *prev;
	unsigned int n;
	struct baton_fiber *fibers[MAGAZINE_SIZE];
};

/**
 * struct stack_class - the stacks of one size
 * @size:  of each, in bytes; constant
 * @warm:  full magazines, the one that was filled last first
 * @cold:  the last of them
 * @part:  a magazine for those who have none of their own; NULL: not needed yet
 * @nfree: stacks in all these
 * @low:   the fewest that these were, lately
 * @owed:  how many of them are to be given back
 * @bare:  slabs with stacks that have no memory, through next_bare
 * @total: stacks of all slabs
 */
struct stack_class {
	size_t size;
	struct magazine *warm;
	struct magazine *cold;
	struct magazine *part;
	unsigned int nfree;
	unsigned int low;
	unsigned int owed;
	struct stack_slab *bare;
	unsigned int total;
};

/**
 * struct stack_pool - the stacks of one scheduler
 * @lock:    protects all below
 * @foreign: of the shadow stacks, besides: what foreign calls may need, in
 *           bytes; 0: threads have none. Constant
 * @uffd:    guard.h's; -1: none
 * @empty:   magazines with nothing in them, through next
 * @slabs:   mappings to undo at the end
 * @classes: by size; the first is of the configured one
 * @keep:    nanoseconds after which a stack that nobody uses is given back; 0:
 *           never. The watcher's, as @due
 * @due:     when the watcher is to look next; 0: not known
 * @owing:   it has more to give back than it did last time
 * @round:   how many it has given back since its last pause
 * @hand:    what it has taken for that; NULL: nothing yet
 * @extra:   a magazine more than the slabs bring, for @hand
 * @watched: the watcher looks; anybody, atomically
 */
struct stack_pool {
	pthread_mutex_t lock;
	size_t foreign;
	int uffd;
	struct magazine *empty;
	struct stack_slab *slabs;
	struct stack_class classes[STACK_CLASSES];
	int64_t keep;
	int64_t due;
	bool owing;
	unsigned int round;
	struct magazine *hand;
	struct magazine extra;
	uint32_t watched;
};

/* @size: the configured one, see baton_stack_size_check(); @keep: see above. */
void baton_stack_pool_init(struct stack_pool *pool, size_t size, int64_t keep);

/* Unmap everything. No fiber may be on a stack. */
void baton_stack_pool_uninit(struct stack_pool *pool);

static inline size_t stack_pool_size(const struct stack_pool *pool)
{
	return pool->classes[0].size;
}

/*
 * @empty, which is empty, for one with fibers of the configured stack size, at
 * least one; NULL without memory: @empty stays the caller's then. Only their
 * constant fields mean anything, and joiner; see baton_fiber.
 */
struct magazine *baton_stack_pool_full(struct stack_pool *pool,
				       struct magazine *empty);

/* @full, which is full of such, for one that is empty. */
struct magazine *baton_stack_pool_empty(struct stack_pool *pool,
					struct magazine *full);

/* One fiber with a stack of at least @size; 0: the configured one. Or NULL. */
struct baton_fiber *baton_stack_get(struct stack_pool *pool, size_t size);

/* Give it back. The caller may be on that stack, if its on_stack is set. */
void baton_stack_put(struct stack_pool *pool, struct baton_fiber *f);

/*
 * Stacks were put: true if the watcher does not look after them yet. It is to be
 * kicked then. Whoever stops looking has seen, under the lock, that there are
 * none; so a later put finds @watched cleared.
 */
static inline bool stack_pool_watch(struct stack_pool *pool)
{
	return !READ_ONCE(pool->watched) && !xchg(&pool->watched, 1);
}

/*
 * By the watcher: give back the memory of a stack that nobody has used for
 * @keep. Returns nanoseconds until it is to be called again, 0: at once, if there
 * is nothing else to do; -1: there are none, see stack_pool_watch().
 */
int64_t baton_stack_pool_tick(struct stack_pool *pool);

/* Has @f written below its stack, where no guard was to be had? */
bool baton_stack_overrun(const struct baton_fiber *f);

/* How much of the stack of @f, its record included, has ever been written. */
size_t baton_stack_high_water(const struct baton_fiber *f);

/* A fiber with a stack of @size that is in no pool; NULL without memory. */
struct baton_fiber *baton_stack_map(size_t size);
void baton_stack_unmap(struct baton_fiber *f);

/*
 * @fn(fiber, @arg) for the fiber of each stack, which is one that nobody uses
 * if its handle is void (JOIN_FREED). Under the lock: @fn may not use @pool.
 */
void baton_stack_pool_each(struct stack_pool *pool,
			   void (*fn)(struct baton_fiber *f, void *arg),
			   void *arg);

/* Is @f, which may be any address, the record of a fiber that is not bare? */
bool baton_stack_pool_has(struct stack_pool *pool, const struct baton_fiber *f);

/* @bytes in whole pages, or 0 when out of bounds. */
size_t baton_stack_size_check(size_t bytes);

#endif /* BATON_CORE_STACK_H */
