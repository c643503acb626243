/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * time.h - time, sleep, deadlines.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC. Deadlines are absolute, so that a
 * loop that waits again after a wake-up in vain does not wait longer, and a
 * loop that sleeps until the next tick does not drift. Each function that
 * blocks has a form *_until() with a deadline, after which it returns
 * -ETIMEDOUT. A deadline that is past is no error: what is there at once is
 * had.
 */
#ifndef BATON_TIME_H
#define BATON_TIME_H

#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/** No deadline. */
#define BATON_NEVER		INT64_MAX

#define BATON_USEC		INT64_C(1000)
#define BATON_MSEC		INT64_C(1000000)
#define BATON_SEC		INT64_C(1000000000)

/** baton_now() - CLOCK_MONOTONIC in nanoseconds. Any thread; blocks neither;
 * async-signal-safe. */
int64_t baton_now(void);

/**
 * baton_sleep() - let others run for a while
 * @ns: how long at least; what is not positive is no time, but lets others run
 *
 * Return: 0; -ECANCELED; -ETIMEDOUT at the end of a scope, see
 * baton_deadline_push(). Blocks the fiber; on any other thread the thread, also
 * in foreign code. Not async-signal-safe.
 */
int baton_sleep(int64_t ns);

/** baton_sleep_until() - the same, until @deadline; see baton_sleep(). */
int baton_sleep_until(int64_t deadline);

/**
 * struct baton_scope - a deadline for all that is done within; private
 */
struct baton_scope {
	int64_t baton_outer;
	struct baton_fiber *baton_fiber;
};

/**
 * baton_deadline_push() - bound every wait until baton_deadline_pop()
 * @scope:    memory of the caller's, for as long as that
 * @deadline: no wait of this fiber goes on after it: -ETIMEDOUT. Scopes nest,
 *            and the earliest deadline counts.
 *
 * After Trio's cancel scopes. It says nothing of foreign calls.
 *
 * Return: 0; -EINVAL @scope NULL; -EPERM not from a fiber. Blocks neither.
 */
int baton_deadline_push(struct baton_scope *scope, int64_t deadline);

/**
 * baton_deadline_pop() - end the innermost scope
 * @scope: as it was given to baton_deadline_push()
 *
 * Return: 0; -EINVAL @scope NULL, or another fiber's; -EPERM not from a fiber.
 * Blocks neither.
 */
int baton_deadline_pop(struct baton_scope *scope);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_TIME_H */
