/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* stats.h - what a running scheduler tells of itself. */
#ifndef BATON_CORE_STATS_H
#define BATON_CORE_STATS_H

#include <baton/runtime.h>

struct baton_worker;

/* Add what @w has counted so far to @st. The caller has baton_rt_lock(). */
void baton_stats_add_worker(const struct baton_worker *w,
			    struct baton_stats *st);

#endif /* BATON_CORE_STATS_H */
