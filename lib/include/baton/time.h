/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * time.h - time, sleep, deadlines, timers.
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

#include <baton/waitq.h>
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
 * @ns: how long at least; what is not positive is no time
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
	int64_t baton_deadline;
	struct baton_scope *baton_outer;
};

/**
 * baton_deadline_push() - bound every wait until baton_deadline_pop()
 * @scope:    memory of the caller's, for as long as that
 * @deadline: no wait of this fiber goes on after it: -ETIMEDOUT. Scopes nest,
 *            and the earliest deadline counts.
 *
 * After Trio's cancel scopes. It says nothing of foreign calls.
 *
 * Return: 0; -EINVAL @scope NULL, or the innermost scope already; -EPERM not
 * from a fiber. Blocks neither.
 */
int baton_deadline_push(struct baton_scope *scope, int64_t deadline);

/**
 * baton_deadline_pop() - end the innermost scope
 * @scope: as it was given to baton_deadline_push()
 *
 * Scopes end in the reverse order. A panic ends those that it leaves.
 *
 * Return: 0; -EINVAL @scope NULL, or not the innermost scope of this fiber: one
 * within it is open, or it has ended, or is another fiber's; then nothing has
 * changed; -EPERM not from a fiber. Blocks neither.
 */
int baton_deadline_pop(struct baton_scope *scope);

/**
 * struct baton_timer - a time, or a row of them, to wait for; private
 *
 * It lies in memory of the caller's, and is stopped when it is all zeros.
 * Fibers, foreign code of theirs and ordinary threads may start, stop and wait;
 * a scheduler need not run. A timer that nobody waits for costs nothing. Not to
 * be copied or moved.
 */
struct baton_timer {
	uint32_t baton_lock;
	uint32_t baton_armed;
	int64_t baton_when;
	int64_t baton_period;
	struct baton_waitq baton_waiters;
};

/**
 * baton_timer_start() - set a timer, whether or not it was
 * @timer:  the timer
 * @when:   the time of its first tick, absolute
 * @period: from one tick to the next; 0: there is but one
 *
 * Ticks are at @when + n * @period: it does not drift. A tick that nobody waits
 * for is kept until somebody does. Several of them become one, which says how
 * many they were.
 *
 * Return: 0; -EINVAL @timer NULL, or @when or @period negative. Any thread. Blocks
 * neither.
 */
int baton_timer_start(struct baton_timer *timer, int64_t when, int64_t period);

/**
 * baton_timer_stop() - no tick any more, until it is started anew
 * @timer: the timer. Who waits for it goes on waiting.
 *
 * Return: 1; 0 it was stopped, or its only tick had been taken; -EINVAL @timer
 * NULL. Any thread. Blocks neither.
 */
int baton_timer_stop(struct baton_timer *timer);

/**
 * baton_timer_wait() - wait for a tick, and take it
 * @timer: the timer. Each tick is had by one of those who wait.
 * @ticks: out, if 0: how many ticks there were since the last one was taken, 1
 *         or more; or NULL
 *
 * No tick comes early. While the timer is stopped it is waited for being started.
 * baton_select() waits for ticks as well.
 *
 * Return: 0; -ECANCELED; -ETIMEDOUT at the end of a scope, see
 * baton_deadline_push(); -EINVAL @timer NULL. Blocks the fiber; on any other
 * thread the thread, also in foreign code. Not async-signal-safe.
 */
int baton_timer_wait(struct baton_timer *timer, uint64_t *ticks);

/** baton_timer_wait_until() - the same, until @deadline: -ETIMEDOUT. */
int baton_timer_wait_until(struct baton_timer *timer, uint64_t *ticks,
			   int64_t deadline);

/**
 * baton_timer_destroy() - stop it, and find out whether nobody waits for it
 * @timer: the timer
 *
 * It has nothing to free. Return: 0; -EBUSY somebody waits for it, and nothing
 * was done; -EINVAL @timer NULL. Any thread. Blocks neither.
 */
int baton_timer_destroy(struct baton_timer *timer);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_TIME_H */
