/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* slab.h - many stacks in one mapping, see stack.c; the door shows them. */
#ifndef BATON_CORE_SLAB_H
#define BATON_CORE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "guard.h"

struct stack_class;

/* One mapping of stacks of a size, at the start of it. */
struct stack_slab {
	struct stack_slab *next;
	struct stack_slab *next_bare;
	struct stack_class *class;	/* NULL: of baton_stack_map() */
	size_t bytes;
	size_t size;		/* of each stack */
	size_t step;		/* from one to the next */
	unsigned int n;		/* stacks */
	enum guard guard;
	int uffd;		/* guard.h's; -1: none */
	uint8_t special;	/* of its fibers */
	char *stacks;		/* the first one's guard */
	uintptr_t shadows;	/* mapping of their shadow stacks; 0: none */
	size_t shadow_size;	/* of each */
	unsigned int nbare;
	uint16_t bare[];	/* which; the last is the next to be used */
};

/*
 * Where the record of the fiber of stack @n lies, @record bytes, in a slab
 * whose stacks, guards included, begin at @stacks, @step bytes each.
 *
 * Equal addresses modulo the page size share the sets of a first-level cache:
 * a few hundred fibers whose hot lines all lay at the same offset would evict
 * one another. So each starts at one of 16 offsets.
 */
static inline uintptr_t slab_record(uintptr_t stacks, size_t step,
				    unsigned int n, size_t record)
{
	uintptr_t top = stacks + (n + 1) * step;

	top -= n % 16 * 128 + record;
	return top & ~(uintptr_t)63;
}

#endif /* BATON_CORE_SLAB_H */
