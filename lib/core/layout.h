/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * layout.h - where things lie, for who looks on and knows the library by no
 * more than this: a debugger, by tools/gdb/baton-gdb.py, and tools/door.
 *
 * A debugger finds the table by the name of its section, which is still there
 * when all symbols were stripped, in the shared library as in a program that
 * the archive was linked into; another process by door.h. It says text and
 * numbers, so that who is of another version finds out what is unknown to him.
 */
#ifndef BATON_CORE_LAYOUT_H
#define BATON_CORE_LAYOUT_H

#include <stdint.h>

struct baton_rt;

#define LAYOUT_SECTION	"baton.layout"
#define LAYOUT_MAGIC	"batonL1"

/**
 * struct layout - the table
 * @magic:     LAYOUT_MAGIC
 * @running:   where the pointer to the scheduler is
 * @suspended: where that to a suspended fiber's code is, see routines.h
 * @entries:   offsets in bytes, sizes and other numbers; one without a name is
 *             the last
 */
struct layout {
	char magic[8];
	struct baton_rt *const *running;
	const uintptr_t *suspended;
	struct {
		char name[20];
		uint32_t value;
	} entries[];
};

extern const struct layout baton_layout;

#endif /* BATON_CORE_LAYOUT_H */
