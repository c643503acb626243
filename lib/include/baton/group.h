/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * group.h - fibers that belong together: they all end before who started them
 * goes on, and the first that fails cancels the others. After Go's errgroup and
 * Trio's nursery.
 *
 * A group lies in memory of the caller's, where it stays until it was waited
 * for. Fibers, foreign code of theirs and ordinary threads may start fibers in
 * it, wait for them and cancel them; it is for one lot of fibers, and made anew
 * for the next one. A baton_panic() that a fiber of a group does not catch ends
 * the process, as that of any other fiber does. None of these calls is
 * async-signal-safe.
 */
#ifndef BATON_GROUP_H
#define BATON_GROUP_H

#include <baton/fiber.h>
#include <baton/waitq.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/** struct baton_group - a group; private. Not to be copied or moved. */
struct baton_group {
	uint32_t baton_lock;
	uint32_t baton_state;
	unsigned int baton_count;
	unsigned int baton_limit;
	int baton_err;
	struct baton_fiber *baton_members;
	struct baton_fiber *baton_in_hand;
	struct baton_waitq baton_waiters;
	struct baton_waitq baton_spawners;
};

#define BATON_GROUP_INIT						\
	{ 0, 0, 0, 0, 0, NULL, NULL, BATON_WAITQ_INIT, BATON_WAITQ_INIT }

/** What a fiber of a group runs. Not 0: an error, which cancels the others. */
typedef int (*baton_group_fn)(void *arg);

/**
 * baton_group_spawn() - start a fiber in a group
 * @group: the group
 * @attr:  attributes, or NULL; not kept
 * @fn:    what it runs
 * @arg:   the argument of @fn
 *
 * While as many fibers run as baton_group_set_limit() allows it waits for one
 * of them to end; those who wait come in turn.
 *
 * Return: 0; -ECANCELED the group was canceled, also by a fiber that failed, or
 * the caller was, by baton_cancel(); -ETIMEDOUT at the end of a scope, see
 * baton_deadline_push(); -ENOMEM no stack; -ESRCH no scheduler runs; -EINVAL
 * @group or @fn NULL, or @group destroyed. No fiber was started then. Any
 * thread. Blocks at the limit alone: the fiber; on any other thread, and in
 * foreign code, the thread.
 */
int baton_group_spawn(struct baton_group *group, const struct baton_attr *attr,
		      baton_group_fn fn, void *arg);

/**
 * baton_group_spawn_until() - the same, until @deadline
 *
 * Return: as baton_group_spawn(); -ETIMEDOUT as many as may run still do. With
 * a deadline that is past it does not wait.
 */
int baton_group_spawn_until(struct baton_group *group,
			    const struct baton_attr *attr, baton_group_fn fn,
			    void *arg, int64_t deadline);

/**
 * baton_group_wait() - wait until all of them have ended
 * @group: the group
 *
 * It never returns before that. If the caller is canceled meanwhile, or the
 * deadline of a scope comes, that cancels all fibers of the group; they are
 * then waited for, however long it takes. So does each further cancel of the
 * caller's.
 *
 * Return: 0; what the first one returned that did not return 0; -ECANCELED,
 * -ETIMEDOUT: as above, before any has failed; -EDEADLK the caller is one of
 * them; -EINVAL @group NULL or destroyed. Any thread, and as often as one likes.
 * What they wrote is visible to the caller afterwards. Blocks the fiber; on any
 * other thread, and in foreign code, the thread.
 */
int baton_group_wait(struct baton_group *group);

/**
 * baton_group_wait_until() - the same; at @deadline all are canceled
 *
 * It, too, waits for all, and returns -ETIMEDOUT if none had failed before.
 */
int baton_group_wait_until(struct baton_group *group, int64_t deadline);

/**
 * baton_group_cancel() - cancel each fiber of the group, as baton_cancel() does
 * @group: the group
 *
 * No more can be started in it from now on. It may be called again: one cancel
 * ends one wait of each.
 *
 * Return: 0; -EINVAL @group NULL or destroyed. Any thread. Blocks neither.
 */
int baton_group_cancel(struct baton_group *group);

/**
 * baton_group_set_limit() - how many fibers of the group run at a time
 * @group: the group
 * @n:     the limit, for what is started from now on; 0: none
 *
 * Return: 0; -EINVAL @group NULL or destroyed; -EBUSY there are fibers in it.
 * Any thread. Blocks neither.
 */
int baton_group_set_limit(struct baton_group *group, unsigned int n);

/**
 * baton_group_destroy() - any use from now on is an error
 * @group: the group. There is nothing to free, and no need to call this.
 *
 * Return: 0; -EBUSY there are fibers in it; -EINVAL @group NULL or destroyed.
 * Any thread. Blocks neither.
 */
int baton_group_destroy(struct baton_group *group);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_GROUP_H */
