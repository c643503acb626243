/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * watcher.h - what the watcher looks at between two sleeps (watch.h): timers,
 * and, by the tier's tick, workers whose foreign calls last.
 */
#ifndef BATON_CORE_WATCHER_H
#define BATON_CORE_WATCHER_H

#include <stdbool.h>

struct baton_rt;

/*
 * The watcher waits until one more worker would be of use: true; or until the
 * scheduler stops: false. @retry, unless 0: nanoseconds after which the answer
 * is true in any case, because the last wish could not be met.
 */
bool baton_watcher_wait(struct baton_rt *rt, long retry);

#endif /* BATON_CORE_WATCHER_H */
