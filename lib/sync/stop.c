// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * stop.c - an end in good order: all other fibers end by themselves, or by a
 * cancel, or are listed.
 *
 * Nobody counts the fibers that live, since a fiber's end would pay for it. So
 * the first fiber looks at all stacks now and then, as the report of a deadlock
 * does, with longer pauses the longer a look takes.
 *
 * A fiber may end, and another one have its record, while it is being canceled.
 * That is no harm here, as all but the caller are to be, and the record stays
 * mapped; for one that waits for nothing a cancel is but a word that is stored.
 */
#include <baton/runtime.h>
#include <errno.h>
#include <stdlib.h>

#include "../core/clock.h"
#include "../core/list.h"
#include "../core/reason.h"
#include "../core/wait.h"

#define PAUSE_MIN	BATON_MSEC
#define SOME		64u

/**
 * struct look - at all stacks
 * @self:  who is not counted
 * @rt:    nor is its service
 * @n:     fibers that live
 * @found: room for @room of those that were not canceled yet
 */
struct look {
	const struct baton_fiber *self;
	const struct baton_rt *rt;
	size_t n;
	struct baton_fiber **found;
	size_t room;
	size_t nfound;
};

static void look_at(struct baton_fiber *f, void *arg)
{
	struct look *l = arg;

	if (!fiber_lives(f) || f == l->self || f == READ_ONCE(l->rt->service))
		return;
	l->n++;
	if (l->nfound == l->room || READ_ONCE(f->stopped))
		return;
	WRITE_ONCE(f->stopped, true);
	l->found[l->nfound++] = f;
}

static size_t count_others(struct baton_rt *rt, const struct baton_fiber *self)
{
	struct look l = { .self = self, .rt = rt };

	baton_stack_pool_each(&rt->stacks, look_at, &l);
	return l.n;
}

/* Of up to @n, or of a few if there is no memory, each once. */
static void cancel_others(struct baton_rt *rt, const struct baton_fiber *self,
			  size_t n)
{
	struct baton_fiber *some[SOME];
	struct baton_fiber **all = n > SOME ? calloc(n, sizeof(*all)) : NULL;
	struct look l = {
		.self = self,
		.rt = rt,
		.found = all ? all : some,
		.room = all ? n : SOME,
	};
	struct wait t;

	baton_stack_pool_each(&rt->stacks, look_at, &l);
	wait_enter(&t);
	for (size_t i = 0; i < l.nfound; i++)
		baton_cancel_held(rt, t.w, l.found[i]);
	wait_leave(&t);
	free(all);
}

/* The next look, before @end. -ECANCELED, or -ETIMEDOUT of a scope. */
static int pause_until(int64_t begun, int64_t end)
{
	int64_t now = now_ns(), pause = 4 * (now - begun);

	if (pause < PAUSE_MIN)
		pause = PAUSE_MIN;
	return baton_sleep_until(end - now < pause ? end : now + pause);
}

int baton_stop(int64_t cancel, int64_t deadline)
{
	struct baton_fiber *self = baton_self();
	struct baton_rt *rt;

	if (!self)
		return baton_error(-EPERM, "not from a fiber");
	rt = baton_worker_self()->rt;
	if (self != rt->main)
		return baton_error(-EPERM, "not the first fiber");
	for (;;) {
		int64_t now = now_ns();
		size_t n = count_others(rt, self);
		int err;

		if (!n)
			return 0;
		if (now >= deadline) {
			baton_say("baton: %zu fibers have not ended by the deadline of baton_stop()\n",
				  n);
			baton_list_others(rt, self);
			return -ETIMEDOUT;
		}
		if (now >= cancel)
			cancel_others(rt, self, n);
		err = pause_until(now, now < cancel && cancel < deadline ?
					       cancel : deadline);
		/* Whoever cancels this fiber is in a hurry. */
		if (err == -ETIMEDOUT || (err && now >= cancel))
			deadline = now;
		else if (err)
			cancel = now;
	}
}
