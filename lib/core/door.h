/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * door.h - how another process sees what the fibers of this one do.
 *
 * Who may attach a debugger to a process may read its memory, by /proc/PID/mem;
 * nobody else may. All that such a reader lacks is where to begin, and where
 * the fields lie, which differs from build to build. That is the door: one
 * record in the library's data, which names itself, so that it is found in a
 * program that was stripped or linked with the archive, by a search of what its
 * files have mapped writable: DOOR_MAGIC, and then the record's own address.
 *
 * So nothing is opened that a program would have to close or could be asked to
 * by others: no socket, no descriptor, no thread, no signal, and no cost but
 * these bytes. The reader pays: what it reads may change meanwhile, and it has
 * to take every pointer and number for one that may be wrong.
 *
 * REJECTED: a socket, which takes a thread that accepts, and rules of its own
 * about who may ask; a file descriptor, which programs close that close all of
 * them; shared memory that a scheduler writes its state to, which costs each
 * switch.
 *
 * Tools include this file. A change that a reader would misunderstand, of this
 * record or of what the fields mean, is one of the number in DOOR_MAGIC.
 */
#ifndef BATON_CORE_DOOR_H
#define BATON_CORE_DOOR_H

#include <stdint.h>

#define DOOR_MAGIC "baton's door 1\n"
#define DOOR_ALIGN 64

struct layout;

/**
 * struct door - what a reader begins with
 * @magic: DOOR_MAGIC
 * @self:  where this record lies
 * @rt:    where the pointer to the running scheduler lies; that is NULL while
 *         none runs
 * @runs:  how many schedulers have begun; what was read while this changed is
 *         of two
 * @layout: where the fields lie
 * @trace: written by who wants a trace, and by nobody else: TRACE_ON, or 0. See
 *         trace.h
 * @rings: descriptor of the memory for it; 0: there is none yet; or -errno
 */
struct door {
	char magic[16];
	const struct door *self;
	struct baton_rt *const *rt;
	uint64_t runs;
	const struct layout *layout;
	uint32_t trace;
	int32_t rings;
};

extern struct door baton_door __attribute__((visibility("hidden")));

#endif /* BATON_CORE_DOOR_H */
