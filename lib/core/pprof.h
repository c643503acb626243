/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* pprof.h - where fibers have blocked, as a file for go tool pprof. */
#ifndef BATON_CORE_PPROF_H
#define BATON_CORE_PPROF_H

#include <stdint.h>

struct baton_rt;

/*
 * Write @path, in pprof's format, and @path.folded, a line for each stack with
 * nanoseconds blocked, as flame graphs are made of. What is there already stays
 * there until the new one is whole. @began: when the profile did, as now_ns()
 * has it. 0, -errno. Blocks the thread, which is no worker.
 */
int baton_pprof_write(const struct baton_rt *rt, const char *path,
		      int64_t began);

#endif /* BATON_CORE_PPROF_H */
