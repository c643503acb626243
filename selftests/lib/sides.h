/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * sides.h - for tests of objects that fibers, foreign code of fibers and other
 * threads meet on: a function that runs as one of these.
 */
#ifndef SELFTESTS_LIB_SIDES_H
#define SELFTESTS_LIB_SIDES_H

#include <pthread.h>

#include "common.h"

enum side_kind {
	SIDE_FIBER,
	SIDE_FOREIGN,
	SIDE_THREAD,
	SIDE_KINDS
};

struct side {
	enum side_kind kind;
	baton_fn fn;
	void *arg;
	struct baton_fiber *fiber;
	pthread_t thread;
};

static inline void side_call(void *arg)
{
	struct side *s = arg;

	s->fn(s->arg);
}

static inline void *side_fiber(void *arg)
{
	expect_eq(baton_call(side_call, arg), 0);
	return NULL;
}

/* From a fiber. @s stays where it is until side_join(). */
static inline void side_start(struct side *s, enum side_kind kind, baton_fn fn,
			      void *arg)
{
	*s = (struct side){.kind = kind, .fn = fn, .arg = arg};
	if (kind == SIDE_FIBER)
		s->fiber = spawn(fn, arg);
	else if (kind == SIDE_FOREIGN)
		s->fiber = spawn(side_fiber, s);
	else
		expect_eq(pthread_create(&s->thread, NULL, fn, arg), 0);
}

static inline void side_join_thread(void *arg)
{
	struct side *s = arg;

	expect_eq(pthread_join(s->thread, NULL), 0);
}

static inline void side_join(struct side *s)
{
	if (s->kind == SIDE_THREAD)
		expect_eq(baton_call(side_join_thread, s), 0);
	else
		join(s->fiber);
}

#endif /* SELFTESTS_LIB_SIDES_H */
