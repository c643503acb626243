/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - tracepoints baton:block, handoff, grant and return.
 *
 * All but some grants are under rq->lock, as sched:sched_switch is. With
 * hook=notifiers per-task perf events see neither block nor handoff: perf is
 * switched out by then. With hook=tracepoint current is the thread that is
 * switched out, in return as well: pid says whose it is.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM baton

#if !defined(BATON_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define BATON_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

struct baton_block;

/* The worker of slot @slot, current, blocks; see struct baton_site. */
TRACE_EVENT(block,
	TP_PROTO(u32 slot, const struct baton_block *b),
	TP_ARGS(slot, b),
	TP_STRUCT__entry(
		__field(u32, slot)
		__field(u64, fn)
		__field(u64, pc)
		__field(int, nr)
	),
	TP_fast_assign(
		__entry->slot = slot;
		__entry->fn = b->fn;
		__entry->pc = b->pc;
		__entry->nr = b->nr;
	),
	TP_printk("slot=%u fn=%#llx pc=%#llx nr=%d", __entry->slot,
		  __entry->fn, __entry->pc, __entry->nr)
);

DECLARE_EVENT_CLASS(processor,
	TP_PROTO(u32 proc, int to),
	TP_ARGS(proc, to),
	TP_STRUCT__entry(
		__field(u32, proc)
		__field(int, to)
	),
	TP_fast_assign(
		__entry->proc = proc;
		__entry->to = to;
	),
	TP_printk("proc=%u to=%d", __entry->proc, __entry->to)
);

/* Processor @proc was taken, and goes to thread @to; 0: it becomes idle. */
DEFINE_EVENT(processor, handoff,
	TP_PROTO(u32 proc, int to),
	TP_ARGS(proc, to)
);

/* Processor @proc is given to thread @to, by a hand-off, WAKE, SWAP or PARK,
 * or back to it, see BATON_CREATE_REGAIN. */
DEFINE_EVENT(processor, grant,
	TP_PROTO(u32 proc, int to),
	TP_ARGS(proc, to)
);

/*
 * The worker of slot @slot, thread @pid, is back. It was woken after @ns, as is
 * accounted; since then it has waited for a CPU.
 */
TRACE_EVENT(return,
	TP_PROTO(u32 slot, int pid, u64 ns),
	TP_ARGS(slot, pid, ns),
	TP_STRUCT__entry(
		__field(u32, slot)
		__field(int, pid)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->slot = slot;
		__entry->pid = pid;
		__entry->ns = ns;
	),
	TP_printk("slot=%u pid=%d ns=%llu", __entry->slot, __entry->pid,
		  __entry->ns)
);

#endif /* BATON_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
