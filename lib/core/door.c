// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* door.c - how another process sees what the fibers of this one do. */
#include "door.h"

#include "../tier/tier.h"
#include "fiber.h"
#include "proc.h"
#include "rt.h"
#include "slab.h"
#include "worker.h"

#define RT(field)	offsetof(struct baton_rt, field)
#define WORKER(field)	offsetof(struct baton_worker, field)
#define SLAB(field)	offsetof(struct stack_slab, field)
#define FIBER(field)	offsetof(struct baton_fiber, field)

/* Not constant: what is only read lies where a search does not look. */
__attribute__((used, aligned(DOOR_ALIGN))) struct door baton_door = {
	.magic = DOOR_MAGIC,
	.self = &baton_door,
	.rt = &baton_rt_running,
	.at = {
		[DOOR_RT_HDR] = RT(hdr),
		[DOOR_RT_RECS] = RT(recs),
		[DOOR_RT_SLOTS] = RT(slots),
		[DOOR_RT_TIER] = RT(tier),
		[DOOR_RT_PROCS] = RT(procs),
		[DOOR_RT_WORKERS] = RT(workers),
		[DOOR_RT_SERVICE] = RT(service),
		[DOOR_RT_SPAWNS] = RT(spawns),
		[DOOR_RT_SLABS] = RT(stacks.slabs),
		[DOOR_TIER_ID] = offsetof(struct tier_ops, id),
		[DOOR_PROC_SIZE] = sizeof(struct baton_proc),
		[DOOR_PROC_STEALS] = offsetof(struct baton_proc, steals),
		[DOOR_PROC_SPAWNS] = offsetof(struct baton_proc, spawns),
		[DOOR_WORKER_SIZE] = sizeof(struct baton_worker),
		[DOOR_WORKER_FIBER] = WORKER(fiber),
		[DOOR_WORKER_PROC] = WORKER(proc),
		[DOOR_WORKER_DEPTH] = WORKER(depth),
		[DOOR_WORKER_ADOPTED] = WORKER(adopted),
		[DOOR_WORKER_POLLING] = WORKER(polling),
		[DOOR_SLAB_NEXT] = SLAB(next),
		[DOOR_SLAB_SIZE] = SLAB(size),
		[DOOR_SLAB_N] = SLAB(n),
		[DOOR_SLAB_STACKS] = SLAB(stacks),
		[DOOR_SLAB_NBARE] = SLAB(nbare),
		[DOOR_SLAB_BARE] = SLAB(bare),
		[DOOR_FIBER_SIZE] = sizeof(struct baton_fiber),
		[DOOR_FIBER_JOINER] = FIBER(joiner),
		[DOOR_FIBER_FN] = FIBER(fn),
		[DOOR_FIBER_BLOCKED] = FIBER(waiter.blocked),
		[DOOR_FIBER_JOINED] = FIBER(waiter.joined),
		[DOOR_FIBER_PERMIT] = FIBER(permit),
		[DOOR_FIBER_NAME] = FIBER(name),
	},
};
