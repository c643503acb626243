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
#include <baton/time.h>
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
#define JOIN_MASKED	((uintptr_t)8)	/* or-ed to it: no cancel ends that wait */
#define JOIN_TIMED	((uintptr_t)4)	/* or-ed to it: that wait has a deadline */
#define JOIN_HOW	(JOIN_MASKED | JOIN_TIMED)

/* baton_fiber.special */
enum {
	STACK_OWN_SIZE	= 1,	/* not the configured one */
	STACK_UNGUARDED	= 2,	/* see baton_stack_overrun() */
};

/*
 * Of many fibers each is cold when it is spawned, when it runs, and when it is
 * joined. So what each of these touches lies in as few lines of the cache as
 * may be: in the first two for a spawn, which is why the third is at rest while
 * a fiber is free (fiber_rest()); in the first one for a join.
 */
struct baton_fiber {
	struct baton_ctx ctx;		/* O; on_stack: A */
	struct baton_fiber *joiner;	/* A */
	baton_fn fn;			/* O */
	union {
		void *arg;		/* O */
		void *result;		/* O; after JOIN_DONE the joiner's */
	};

	struct waiter waiter;		/* see waiter.h */
	struct baton_worker *pin;	/* O: it may run there alone */
	uint32_t permit;		/* A */
	uint32_t canceled;		/* A: a cancel is due, see cancel.c */
	uint32_t place;			/* O: in the run queue of its spawner's
					 * processor, if it is there still */
	uint8_t special;		/* constant; above; 0: as most are */
	bool ending;			/* O: it tells its joiner; read by who
					 * takes that back, see wait.c */
	bool stopped;			/* A: baton_stop() has canceled it */
	bool named;			/* O: @name or @slice is not as it was
					 * mapped */

	struct baton_worker *worker;	/* O: where it runs or ran last */
	int64_t deadline;		/* O: of the innermost scope */
	struct try *tries;		/* O: the innermost, see panic.c */
	struct baton_scope *scope;	/* O: the innermost; never followed,
					 * its frame may be gone */
	struct cxx cxx;			/* O: while it is not running */
	uint32_t masked;		/* O: sections that no cancel may end */
	unsigned int nkeys;		/* O: slots of keys, see key.h */
	uintptr_t on;			/* O: of its last wait, see wait.h;
					 * read by anybody */
	struct baton_fiber *next;	/* Q; free lists */
	struct baton_fiber *prev;	/* Q: global queue's list */

	uint32_t ticket;		/* Q: its place there, see global.h */
	uint32_t slice;			/* O: its own, in ms, see hog.h; the
					 * watcher looks */
	bool queued;			/* Q: on the global queue's list */
	char name[BATON_NAME_SIZE];	/* O; read by anybody */
	struct {			/* the group's lock, see sync/group.c */
		struct baton_group *group;
		struct baton_fiber *next;
		struct baton_fiber *prev;
		int (*fn)(void *arg);
	} member;
	struct key_slot keys[KEYS_INLINE]; /* O: nkeys of them */
	struct key_slot *more_keys;	/* O: if nkeys is more than that */
	unsigned int locks;		/* O: baton_thread_lock() */
	uint32_t unwaited;		/* O: see fiber_turn(); a record's, of one
					 * fiber after another */
	/* Constant, and all that there is of one that was never used */
	unsigned int id;		/* valgrind's, of the stack */
	void *base;			/* lowest byte of the stack */
	struct stack_slab *slab;	/* where it lies */
	uintptr_t shadow;		/* token of its empty shadow stack;
					 * 0: none */
	struct san san;			/* O */
};

/*
 * @f is free, and the caller's: what is the fiber's own is as each finds it when
 * it starts. What others write is set when it is spawned.
 */
static inline void fiber_rest(struct baton_fiber *f)
{
	f->deadline = BATON_NEVER;
	f->tries = NULL;
	f->scope = NULL;
	f->cxx = (struct cxx){ 0 };
	f->masked = 0;
}

/*
 * @f begins, and has neither the name nor the cancels of whoever had its record
 * before it.
 */
static inline void fiber_fresh(struct baton_fiber *f)
{
	/* Others may look, not knowing whose record it is by now. */
	WRITE_ONCE(f->permit, PERMIT_NONE);
	WRITE_ONCE(f->canceled, CANCEL_NONE);
	WRITE_ONCE(f->ending, false);
	WRITE_ONCE(f->stopped, false);
	if (unlikely(f->named)) {
		f->named = false;
		WRITE_ONCE(f->slice, 0u);
		WRITE_ONCE(f->name[0], 0);
	}
}

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

/* Does this record belong to a fiber that has not ended? As far as can be seen. */
static inline bool fiber_lives(const struct baton_fiber *f)
{
	/* Acquire: its record, or what it has done; pairs with
	 * baton_fiber_init() and the end of one that is detached. */
	const struct baton_fiber *joiner = smp_load_acquire(&f->joiner);

	return joiner != JOIN_FREED && joiner != JOIN_DONE;
}

/**
 * enum fiber_state - what a fiber does, as its record alone tells
 * @FIBER_FREE:    it is nobody's
 * @FIBER_ENDED:   its end has not been asked for
 * @FIBER_NEW:     it has not run yet, and may
 * @FIBER_READY:   it may go on
 * @FIBER_RUNS:    a worker is on its stack, which may be in a foreign call
 * @FIBER_PARKED:  baton_park()
 * @FIBER_JOINS:   baton_join(), of waiter.joined
 * @FIBER_WAITS:   for anything else: @on
 *
 * No store is made for this: it is told by the words that its wakers need.
 */
enum fiber_state {
	FIBER_FREE,
	FIBER_ENDED,
	FIBER_NEW,
	FIBER_READY,
	FIBER_RUNS,
	FIBER_PARKED,
	FIBER_JOINS,
	FIBER_WAITS,
};

/*
 * By anybody, of a record that stays mapped. A fiber that is on its way may be
 * seen in the state that it comes to, or that it has left.
 */
static inline enum fiber_state fiber_state(const struct baton_fiber *f)
{
	const struct baton_fiber *joined;

	if (!fiber_lives(f))
		return READ_ONCE(f->joiner) == JOIN_DONE ? FIBER_ENDED :
							   FIBER_FREE;
	if (READ_ONCE(f->permit) >= PERMIT_WAITED)
		return FIBER_PARKED;
	joined = READ_ONCE(f->waiter.joined);
	if (joined && ((uintptr_t)READ_ONCE(joined->joiner) & ~JOIN_HOW) ==
			      (uintptr_t)f)
		return FIBER_JOINS;
	if (READ_ONCE(f->waiter.blocked) != WAITER_OVER)
		return FIBER_WAITS;
	if (READ_ONCE(f->ctx.on_stack))
		return FIBER_RUNS;
	return READ_ONCE(f->ctx.entry) ? FIBER_NEW : FIBER_READY;
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
