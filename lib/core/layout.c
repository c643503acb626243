// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* layout.c - where things lie, for debuggers and for tools of other processes. */
#include "layout.h"

#include <stddef.h>

#include "../tier/tier.h"
#include "clock.h"
#include "fiber.h"
#include "proc.h"
#include "rt.h"
#include "stack.h"
#include "worker.h"

#define AT(prefix, type, field)	\
	{ prefix "." #field, offsetof(struct type, field) }
#define RT(field)	AT("rt", baton_rt, field)
#define SLAB(field)	AT("slab", stack_slab, field)
#define FIBER(field)	AT("f", baton_fiber, field)
#define WORKER(field)	AT("w", baton_worker, field)
#define SLOT(field)	AT("slot", baton_slot, field)
#define PROC(field)	AT("proc", baton_proc, field)

const struct layout baton_layout
	__attribute__((section(LAYOUT_SECTION), used)) = {
	.magic = LAYOUT_MAGIC,
	.running = &baton_rt_running,
	.suspended = &baton_asm_suspended,
	.entries = {
		RT(stacks.slabs), RT(workers), RT(max_workers), RT(main),
		RT(service), RT(procs), RT(nprocs), RT(hdr), RT(recs),
		RT(slots), RT(tier), RT(spawns), RT(sites), RT(nsites),

		AT("tier", tier_ops, id),

		SLAB(next), SLAB(size), SLAB(step), SLAB(n), SLAB(stacks),
		SLAB(nbare), SLAB(bare),

		{ "fiber", sizeof(struct baton_fiber) },
		FIBER(ctx.sp), FIBER(ctx.entry), FIBER(ctx.on_stack),
		FIBER(joiner), FIBER(fn), FIBER(arg), FIBER(waiter.blocked),
		FIBER(waiter.since), FIBER(waiter.joined), FIBER(pin),
		FIBER(permit), FIBER(canceled), FIBER(worker), FIBER(on),
		FIBER(name), FIBER(base),
#ifdef BATON_CTX_FRAME
		{ "frame", BATON_CTX_FRAME },
#endif
		{ "name", BATON_NAME_SIZE },
		{ "waited", PERMIT_WAITED },
		{ "stamp", STAMP_SHIFT },

		{ "worker", sizeof(struct baton_worker) },
		WORKER(proc), WORKER(polling),
		WORKER(fiber), WORKER(slot), WORKER(sys_sp), WORKER(base_sp),
		WORKER(depth), WORKER(adopted), WORKER(tid),

		SLOT(state), SLOT(fn),

		{ "proc", sizeof(struct baton_proc) },
		PROC(now), PROC(index), PROC(steals), PROC(spawns),

		{ "", 0 },
	},
};
