/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * sync.h - what fibers and threads wait on: locks.
 *
 * Every object here lies in memory of the caller's, is ready for use when it is
 * all zeros, and needs no destruction but for finding faults. Fibers, foreign
 * code of theirs and ordinary threads meet on the same objects: a fiber waits
 * as fibers do, everybody else as a thread. Who waits is served in the order in
 * which it came.
 *
 * Objects that fibers wait on when baton_run() returns are to be made anew.
 * None of these calls is async-signal-safe.
 */
#ifndef BATON_SYNC_H
#define BATON_SYNC_H

#include <baton/time.h>
#include <baton/waitq.h>
#include <stddef.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_SYNC_H */
