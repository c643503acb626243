/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* config.h - the options of a scheduler. */
#ifndef BATON_CORE_CONFIG_H
#define BATON_CORE_CONFIG_H

#include <baton/runtime.h>
#include <stddef.h>

#include "deadlock.h"

/* When who blocks loses its processor: BATON_HANDOFF in the environment. */
enum handoff_mode {
	HANDOFF_LEARN,		/* once it has lasted, unless such ones do */
	HANDOFF_NOW,
	HANDOFF_OFF,		/* never */
};

/**
 * struct baton_config - what baton_run() is to do
 * @nprocs:      processors; 0: as many as the CPUs that the process may use
 * @max_workers: most threads; 0: the default
 * @stack_size:  of a fiber's stack, in bytes; 0: the default
 * @timer_slack: of the thread that serves timers, in ns; 0: the default
 * @stack_keep:  for so many milliseconds a stack that nobody uses keeps its
 *               memory; 0: the default; UINT_MAX: for ever
 * @worker_keep: for so many milliseconds a thread that is idle stays; 0 and
 *               UINT_MAX as for @stack_keep
 * @slice:       for so many milliseconds a fiber may keep a processor while
 *               others wait; 0: for as long as it likes
 * @tier:        how blocking is to be found out
 * @handoff:     when a processor is taken from who blocks
 * @io:          how files are waited for
 * @deadlock:    what is to be done when all fibers are asleep
 * @dump:        the signal that asks what they all do; 0: none
 * @profile:     the file to be written; NULL: none. Of the environment
 * @profile_locks: see contend.h
 */
struct baton_config {
	unsigned int nprocs;
	unsigned int max_workers;
	size_t stack_size;
	unsigned long timer_slack;
	unsigned int stack_keep;
	unsigned int worker_keep;
	unsigned int slice;
	enum baton_tier tier;
	enum handoff_mode handoff;
	enum baton_io io;
	enum deadlock_mode deadlock;
	int dump;
	const char *profile;
	unsigned int profile_locks;
};

/*
 * @out is @cfg, which may be NULL, with what the environment says over it, and
 * with the defaults in place of zeros. 0; -EINVAL a variable of the environment
 * makes no sense.
 */
int baton_config_resolve(struct baton_config *out,
			 const struct baton_config *cfg);

#endif /* BATON_CORE_CONFIG_H */
