/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * fiber.h - a fiber: its context, whom it wakes, whom it is bound to.
 *
 * It lies at the top of its own stack, so that an idle fiber costs one page
 * and a new one no second allocation. Letters: who may touch a field.
 *
 *  O  the fiber itself, or who holds it while it is off every queue
 *  Q  the queue it is on (the processor's holder, or the global lock)
 *  A  anybody, atomically
 */
#ifndef BATON_CORE_FIBER_H
#define BATON_CORE_FIBER_H

#include <baton/fiber.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctx.h"
#include "cxx.h"
#include "key.h"
#include "shadow.h"
#include "sanitize.h"
#include "waiter.h"

struct baton_group;
struct baton_worker;
struct stack_slab;

struct baton_attr {
	size_t stack_size;
	char name[BATON_NAME_SIZE];
};

/* baton_fiber.permit */
enum {
	PERMIT_NONE	= 0,
	PERMIT_GIVEN	= 1,	/* baton_ready() came first */
	PERMIT_WAITED	= 2,	/* the fiber is parked */
	PERMIT_MASKED	= 3,	/* the same, but a cancel may not end it */
};

/* baton_fiber.canceled */
enum {
	CANCEL_NONE	= 0,
	CANCEL_DUE	= 1,	/* the next wait is to end */
	CANCEL_IN_HAND	= 2,	/* the same; somebody tries to end one by it */
};

/* baton_fiber.joiner: one of these, or the fiber that waits in join */
#define JOIN_FREED	((struct baton_fiber *)0)	/* its handle is void */
#define JOIN_DETACHED	((struct baton_fiber *)1)
#define JOIN_DONE	((struct baton_fiber *)2)
#define JOIN_NONE	((struct baton_fiber *)3)
#define JOIN_LEFT	((struct baton_fiber *)4)	/* see join_withdraw() */

/* baton_fiber.special */
enum {
	STACK_OWN_SIZE	= 1,	/* not the configured one */
	STACK_UNGUARDED	= 2,	/* see baton_stack_overrun() */
};

struct baton_fiber {
	struct baton_ctx ctx;		/* O; on_stack: A */
	uint32_t permit;		/* A */
	struct waiter waiter;		/* see waiter.h */
	uint32_t canceled;		/* A: a cancel is due, see cancel.c */
	uint32_t masked;		/* O: sections that none may end */
	int64_t deadline;		/* O: of the innermost scope */
	struct baton_worker *worker;	/* O: where it runs or ran last */
	struct baton_worker *pin;	/* O: it may run there alone */
	unsigned int locks;		/* O: baton_thread_lock() */
	unsigned int nkeys;		/* O: slots of keys, see key.h */
	struct cxx cxx;			/* O: while it is not running */
	struct try *tries;		/* O: the innermost, see panic.c */
	struct baton_fiber *next;	/* Q; free lists */
	struct baton_fiber *prev;	/* Q: global queue's list */
	struct baton_fiber *joiner;	/* A */
	char name[BATON_NAME_SIZE];	/* O; read by anybody */
	bool stopped;			/* A: baton_stop() has canceled it */
	bool queued;			/* Q: on the global queue's list */
	uint32_t ticket;		/* Q: its place there, see global.h */
	uint32_t place;			/* O: in the run queue of its spawner's
					 * processor, if it is there still */
	baton_fn fn;			/* O */
	void *arg;			/* O */
	void *result;			/* O; after JOIN_DONE the joiner's */
	struct {			/* the group's lock, see sync/group.c */
		struct baton_group *group;
		struct baton_fiber *next;
		struct baton_fiber *prev;
		int (*fn)(void *arg);
	} member;
	struct key_slot keys[KEYS_INLINE]; /* O: nkeys of them */
	struct key_slot *more_keys;	/* O: if nkeys is more than that */
	/* Constant, and all that there is of one that was never used */
	void *base;			/* lowest byte of the stack */
	struct stack_slab *slab;	/* where it lies */
	uintptr_t shadow;		/* token of its empty shadow stack;
					 * 0: none */
	unsigned int id;		/* valgrind's, of the stack */
	uint8_t special;		/* above; 0: as most are */
	struct san san;			/* O */
};

static inline struct baton_fiber *fiber_of(struct baton_ctx *ctx)
{
	_Static_assert(!offsetof(struct baton_fiber, ctx), "ctx comes first");
	return (struct baton_fiber *)ctx;
}

struct baton_rt;
struct baton_proc;

/*
 * A fiber that will run @fn(@arg), on no queue yet. @p is the caller's
 * processor or NULL, @attr may be NULL. NULL without memory.
 */
struct baton_fiber *baton_fiber_create(struct baton_rt *rt,
				       struct baton_proc *p,
				       const struct baton_attr *attr,
				       baton_fn fn, void *arg);

/* What baton_fiber_create() does to memory of stack.c, without a function. */
void baton_fiber_init(struct baton_fiber *f);

/* Does this record belong to a fiber that has not ended? As far as can be seen. */
static inline bool fiber_lives(const struct baton_fiber *f)
{
	/* Acquire: its record; pairs with baton_fiber_init(). */
	const struct baton_fiber *joiner = smp_load_acquire(&f->joiner);

	return joiner != JOIN_FREED && joiner != JOIN_LEFT &&
	       joiner != JOIN_DONE;
}

/* The name of @f, which may be changing, with a 0 in any case. */
static inline void fiber_name(const struct baton_fiber *f,
			      char name[BATON_NAME_SIZE])
{
	for (unsigned int i = 0; i < BATON_NAME_SIZE; i++)
		name[i] = READ_ONCE(f->name[i]);
	name[BATON_NAME_SIZE - 1] = 0;
}

/* Where the stack of @f begins, aligned as for a call. */
static inline void *fiber_top(struct baton_fiber *f)
{
	return (void *)((uintptr_t)f & ~(uintptr_t)15);
}

#endif /* BATON_CORE_FIBER_H */
