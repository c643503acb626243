/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* trace.h - what the parts of baton-trace share. */
#ifndef TOOLS_BATON_TRACE_TRACE_H
#define TOOLS_BATON_TRACE_TRACE_H

#include <stdio.h>

#include "../../lib/core/trace.h"
#include "../door/door.h"

/* An entry, and from which ring: 0, or a worker's number and 1. */
struct event {
	struct trace_entry e;
	uint32_t ring;
	uint32_t order;		/* of those of one time */
};

/**
 * struct events - all that was read
 * @n:    events
 * @lost: entries that were written over before they were read
 */
struct events {
	struct event *all;
	size_t n;
	size_t room;
	uint64_t lost;
};

static inline int64_t event_when(const struct event *e)
{
	return (int64_t)(e->e.when & ((UINT64_C(1) << TRACE_TYPE_SHIFT) - 1));
}

static inline enum trace_type event_type(const struct event *e)
{
	return (enum trace_type)(e->e.when >> TRACE_TYPE_SHIFT);
}

/*
 * As a timeline in the Trace Event Format, which Perfetto and Chrome open.
 * @fibers: those that there were at the beginning. False: not written.
 */
bool timeline_write(FILE *out, const struct target *t, struct events *events,
		    const struct view *begin);

#endif /* TOOLS_BATON_TRACE_TRACE_H */
