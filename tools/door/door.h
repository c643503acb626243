/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * door.h - another process that runs fibers, seen through its door; see
 * lib/core/door.h. What is read may be changing, and none of it is trusted.
 */
#ifndef TOOLS_DOOR_H
#define TOOLS_DOOR_H

#include <baton/profile.h>
#include <linux/baton.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../lib/core/door.h"

#define NAME_SIZE 32

/* Of the layout, what is looked at here: offsets, sizes and numbers. */
enum at {
	AT_RT_HDR,
	AT_RT_RECS,
	AT_RT_SLOTS,
	AT_RT_TIER,
	AT_RT_PROCS,
	AT_RT_WORKERS,
	AT_RT_SERVICE,
	AT_RT_SPAWNS,
	AT_RT_SITES,
	AT_RT_NSITES,
	AT_RT_SLABS,
	AT_TIER_ID,
	AT_PROC_SIZE,
	AT_PROC_STEALS,
	AT_PROC_SPAWNS,
	AT_WORKER_SIZE,
	AT_WORKER_FIBER,
	AT_WORKER_PROC,
	AT_WORKER_DEPTH,
	AT_WORKER_ADOPTED,
	AT_WORKER_POLLING,
	AT_SLAB_NEXT,
	AT_SLAB_STEP,
	AT_SLAB_N,
	AT_SLAB_STACKS,
	AT_SLAB_NBARE,
	AT_SLAB_BARE,
	AT_FIBER_SIZE,
	AT_FIBER_JOINER,
	AT_FIBER_FN,
	AT_FIBER_BLOCKED,
	AT_FIBER_JOINED,
	AT_FIBER_PERMIT,
	AT_FIBER_NAME,
	AT_FIBER_WAITED,
	ATS,
};

/**
 * struct target - the process
 * @mem:  its memory, /proc/PID/mem
 * @at:   where its door lies
 * @door: that record, as it was last read
 * @lies: by enum at, of lib/core/layout.h
 */
struct target {
	pid_t pid;
	int mem;
	uintptr_t at;
	struct door door;
	uint32_t lies[ATS];
};

/* 0; or -1, and a message on standard error. @writes: is it to be written to? */
int target_open(struct target *t, pid_t pid, bool writes);
void target_close(struct target *t);

/* @n bytes at @at; false: not to be had. */
bool target_read(const struct target *t, uintptr_t at, void *to, size_t n);
bool target_write(const struct target *t, uintptr_t at, const void *from,
		  size_t n);

/* Does the process live? */
bool target_lives(const struct target *t);

/* The name of the function at @fn, for as long as the program runs. */
const char *target_function(const struct target *t, uintptr_t fn);

/* The same of the function whose code is at @code. */
const char *target_code(const struct target *t, uintptr_t code);

/* What a fiber does. */
enum what {
	FIBER_RUNS,
	FIBER_CALLS,	/* in a foreign call */
	FIBER_READY,	/* waits for a processor */
	FIBER_PARKS,
	FIBER_JOINS,
	FIBER_WAITS,	/* for anything else */
	FIBER_WHATS,
};

extern const char *const fiber_whats[FIBER_WHATS];

struct fiber {
	uintptr_t at;
	uintptr_t fn;
	char name[NAME_SIZE];
	enum what what;
	int worker;	/* -1: none */
};

struct worker {
	unsigned int n;
	struct baton_slot slot;
	uintptr_t fiber;
	unsigned int depth;
	bool adopted;
	bool polling;
	bool has_proc;
};

struct proc {
	bool idle;
	struct baton_proc_rec rec;
	uint64_t steals;
	uint64_t spawns;
};

/**
 * struct view - what there was at about one time
 * @when:   nanoseconds of CLOCK_MONOTONIC
 * @tier:   enum baton_tier
 * @spawns: by threads that have no processor
 * @sites:  where workers have blocked, the longest total first
 */
struct view {
	int64_t when;
	uint32_t tier;
	struct baton_header hdr;
	uint64_t spawns;
	struct proc *procs;
	unsigned int nprocs;
	struct worker *workers;
	unsigned int nworkers;
	struct fiber *fibers;
	size_t nfibers;
	struct baton_profile *sites;
	unsigned int nsites;
};

/*
 * Look. 0; 1 no scheduler runs; -1 it cannot be read, or has changed too much
 * meanwhile. view_free() follows in any case.
 */
int view_take(struct target *t, struct view *v);
void view_free(struct view *v);

/* The fiber whose record lies at @at: its name and function alone. */
bool view_fiber(const struct target *t, uintptr_t at, struct fiber *f);

/* One more fiber, as a copy of @f; false: no memory. */
bool view_add(struct view *v, const struct fiber *f);

#endif /* TOOLS_DOOR_H */
