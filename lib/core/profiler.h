/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* profiler.h - BATON_PROFILE: a file at the end of a run, or on SIGUSR2. */
#ifndef BATON_CORE_PROFILER_H
#define BATON_CORE_PROFILER_H

struct baton_config;
struct baton_rt;

/*
 * If @cfg asks for it. Before workers run. 0, or -errno with a reason.
 */
int baton_profiler_start(struct baton_rt *rt, const struct baton_config *cfg);

/* Nothing blocks any more: write the file, if it was started. */
void baton_profiler_stop(struct baton_rt *rt);

/* In the child of fork(). */
void baton_profiler_forked(void);

#endif /* BATON_CORE_PROFILER_H */
