/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * trace.h - what fibers do, recorded for another process while that wants it.
 *
 * It writes TRACE_ON to the door's word trace (door.h). Workers look at that
 * word in their slow paths, at least every SCHED_FAIRNESS switches, and set
 * EXTRA_TRACE; switches look at extra in any case, for C++. A foreign call,
 * which may be all that a worker ever does, has the word itself in what it asks
 * at once. So a program that nobody traces executes two instructions more in a
 * call, and where a fiber is spawned or made ready; in a yield, none.
 *
 * The first one who has something to record makes the memory, a memfd, that
 * the other process finds by the door and maps: a ring for each worker, which
 * it alone writes, without a lock; and one that all other threads share, with
 * one. Who reads is not waited for: what he has not read in time is written
 * over. He sees from the counts how much that was.
 *
 * The memory is kept for good: a worker may be in the midst of an entry when
 * the trace is switched off.
 *
 *	| struct trace_region | ring 0: all others | ring 1: worker 0 | ...
 *
 * Tools include this file.
 */
#ifndef BATON_CORE_TRACE_H
#define BATON_CORE_TRACE_H

#include <stdint.h>

#include "door.h"

#define TRACE_ON	4u	/* see baton_call() */
#define TRACE_ENTRIES	8192u	/* of a ring */

/*
 * What an entry is about. Of a switch, @a is the fiber that leaves, or 0, @b
 * the processor, and why it leaves: enum trace_why.
 */
enum trace_type {
	TRACE_SWITCH = 1,	/* to @fiber; 0: to the scheduler */
	TRACE_SPAWN,		/* of @fiber, by @a; @b: its function */
	TRACE_READY,		/* of @fiber, by @a; 0: by no fiber */
	TRACE_CALL,		/* by @fiber, of function @a */
	TRACE_RETURN,		/* of @fiber, from there */
	TRACE_RUNS,		/* @fiber, home from a call, on processor @b */
	TRACE_CALLBACK,		/* of @fiber */
	TRACE_CALLBACK_OVER,	/* of @fiber */
	TRACE_NAME,		/* of @fiber, the first 16 bytes */
	TRACE_NAME_END,		/* the others */
	TRACE_HANDOFF,		/* of processor @b, from worker @a */
};

/* Why a fiber leaves its worker: it waits, but for the first two. */
enum trace_why {
	TRACE_YIELDS,		/* others go first, or it has no processor */
	TRACE_ENDS,
	TRACE_PARKS,
	TRACE_JOINS,
	TRACE_WAITS,
};

#define TRACE_WHY_SHIFT	32

/**
 * struct trace_entry - one
 * @when: nanoseconds of CLOCK_MONOTONIC, the type above them
 */
struct trace_entry {
	uint64_t when;
	uint64_t fiber;
	union {
		struct {
			uint64_t a;
			uint64_t b;
		};
		char name[16];
	};
};

#define TRACE_TYPE_SHIFT 56

/**
 * struct trace_ring - entries of one writer
 * @count: entries so far; the next one is to be number @count % TRACE_ENTRIES.
 *         Release, after the entry
 */
struct trace_ring {
	uint64_t count;
	uint64_t reserved[7];
	struct trace_entry entries[TRACE_ENTRIES];
};

/* @nrings: as many as follow at once */
struct trace_region {
	uint64_t nrings;
	uint64_t reserved[7];
	struct trace_ring rings[];
};

struct baton_fiber;
struct baton_worker;

static inline uint32_t trace_on(void)
{
	return __atomic_load_n(&baton_door.trace, __ATOMIC_RELAXED);
}

/*
 * @w, the caller's, is to record from now on, or no longer. A macro, since the
 * worker is not known here.
 */
#define trace_look(w) do {						\
	uint32_t __on = trace_on() ? EXTRA_TRACE : 0;			\
									\
	if (unlikely(((w)->extra & EXTRA_TRACE) != __on))		\
		(w)->extra ^= EXTRA_TRACE;				\
} while (0)

#define TRACE_COLD __attribute__((cold, noinline))

/*
 * Each records one entry, or drops it if there is no memory for that. @w is
 * the caller's worker. Blocks neither, but for the first one of all, which
 * makes the memory. errno stays as it is.
 */
void baton_trace_switch(struct baton_worker *w, const struct baton_fiber *f,
			const struct baton_fiber *next) TRACE_COLD;
void baton_trace_spawn(struct baton_worker *w, const struct baton_fiber *f)
	TRACE_COLD;
void baton_trace_name(struct baton_worker *w, const struct baton_fiber *f)
	TRACE_COLD;
/* @w: NULL on any thread that has no processor. */
void baton_trace_ready(struct baton_worker *w, const struct baton_fiber *f)
	TRACE_COLD;
void baton_trace_call(struct baton_worker *w, uintptr_t fn) TRACE_COLD;
void baton_trace_return(struct baton_worker *w) TRACE_COLD;
void baton_trace_runs(struct baton_worker *w) TRACE_COLD;
void baton_trace_callback(struct baton_worker *w) TRACE_COLD;
void baton_trace_callback_over(struct baton_worker *w) TRACE_COLD;
/* By the watcher: processor @p was taken from worker @index. */
void baton_trace_handoff(unsigned int p, unsigned int index) TRACE_COLD;

/* In the child of fork(): the memory is the parent's. */
void baton_trace_forked(void);

#endif /* BATON_CORE_TRACE_H */
