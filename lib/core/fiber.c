// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* fiber.c - a fiber's life: spawn, park, ready, join, its end. */
#include "fiber.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fatal.h"
#include "reason.h"
#include "wait.h"

int baton_attr_create(struct baton_attr **attr)
{
	*attr = calloc(1, sizeof(**attr));
	return *attr ? 0 : -ENOMEM;
}

void baton_attr_destroy(struct baton_attr *attr)
{
	free(attr);
}

int baton_attr_set_stack_size(struct baton_attr *attr, size_t bytes)
{
	size_t size = bytes ? baton_stack_size_check(bytes) : 0;

	if (bytes && !size)
		return baton_error(-EINVAL,
				   "stack of %zu bytes: not 16 KiB to 1 GiB",
				   bytes);
	attr->stack_size = size;
	return 0;
}

/* 0 at the end of @to in any case, for whoever reads it meanwhile. */
static int copy_name(char to[BATON_NAME_SIZE], const char *name)
{
	size_t len = name ? strnlen(name, BATON_NAME_SIZE) : 0;

	if (len == BATON_NAME_SIZE)
		return baton_error(-EINVAL, "a name of more than %d bytes",
				   BATON_NAME_SIZE - 1);
	for (size_t i = 0; i < BATON_NAME_SIZE; i++)
		WRITE_ONCE(to[i], i < len ? name[i] : 0);
	return 0;
}

int baton_attr_set_name(struct baton_attr *attr, const char *name)
{
	return copy_name(attr->name, name);
}

int baton_set_name(const char *name)
{
	struct baton_fiber *f = baton_self();

	return f ? copy_name(f->name, name) : -EPERM;
}

int baton_name(struct baton_fiber *fiber, char *name, size_t size)
{
	struct baton_fiber *f = fiber ? fiber : baton_self();
	char all[BATON_NAME_SIZE];
	struct baton_rt *rt;
	bool freed;

	if (!name || !size)
		return baton_error(-EINVAL, "no room for a name");
	if (!f)
		return -EPERM;
	/* So that the record stays mapped. */
	rt = baton_rt_hold();
	if (!rt)
		return -ESRCH;
	freed = READ_ONCE(f->joiner) == JOIN_FREED;
	fiber_name(f, all);
	baton_rt_release();
	if (freed)
		return -EINVAL;
	snprintf(name, size, "%s", all);
	return 0;
}

/*
 * Free @f once its last worker has left its stack. @p is the caller's
 * processor, or NULL.
 */
static void fiber_free(struct baton_rt *rt, struct baton_proc *p,
		       struct baton_fiber *f)
{
	sched_stack_left(f);
	proc_fiber_put(rt, p, f);
}

/* Tell whoever waits that @f has ended. Returns whom to go on with, or NULL. */
static struct baton_fiber *fiber_end(struct baton_worker *w, struct baton_fiber *f)
{
	struct baton_rt *rt = w->rt;
	struct baton_fiber *joiner = READ_ONCE(f->joiner);

	if (unlikely(f == rt->main))
		baton_sched_stop(rt);
	/* Release: the result. Acquire: the joiner. If a fiber waits in
	 * baton_join(), that is the one use of the handle: FREED makes any
	 * other an error from now on, which DONE would invite. */
	while (!try_cmpxchg_acq_rel(&f->joiner, &joiner,
				    joiner == JOIN_NONE ? JOIN_DONE :
							  JOIN_FREED))
		;
	if (joiner == JOIN_DETACHED) {
		/* The stack may be reused while we are still on it: whoever
		 * takes it waits until on_stack is clear, as does whoever
		 * resumes a fiber. */
		proc_fiber_put(rt, w->proc, f);
	} else if (joiner != JOIN_NONE) {
		/* Who has not won is in join_withdraw(), and frees @f after this. */
		if (unlikely(!waiter_win(&joiner->waiter, f))) {
			smp_store_release(&f->joiner, JOIN_LEFT);
			return NULL;
		}
		if (likely(f != rt->main && sched_direct(w) && !joiner->pin))
			return joiner;
		baton_sched_ready(rt, w, joiner);
	}
	return NULL;
}

/* The destructors are fiber code. */
static struct baton_worker *__attribute__((noinline, cold))
keys_end(struct baton_worker *w, struct baton_fiber *f)
{
	sched_exit(w);
	baton_keys_end(f);
	return sched_enter();
}

/* All of a fiber's life. Returns whom to go on with; see baton_asm_entry. */
NO_SANITIZE static struct baton_ctx *fiber_main(struct baton_ctx *ctx)
{
	struct baton_fiber *f = fiber_of(ctx), *next;
	struct baton_worker *w;

	san_arrive(&f->san);
	sched_exit(f->worker);
	f->result = f->fn(f->arg);
	debug_scopes_left(f, TIMER_NEVER, 0);
	w = sched_enter();
	if (unlikely(!w || w->depth))
		baton_fatal(
			"a fiber ended within a foreign call or callback: longjmp()?");
	if (unlikely(f->nkeys))
		w = keys_end(w, f);
	/* The thread is as the fiber has left it, and serves no other one:
	 * @w stays pinned. sched_due() is true of it, and it ends. */
	if (unlikely(f->locks))
		WRITE_ONCE(w->retired, true);
	next = fiber_end(w, f);
	if (!next && likely(f != w->rt->main && !sched_due(w))) {
		runq_prefetch(&w->proc->runq);
		next = runq_pop(&w->proc->runq);
	}
	if (unlikely(!next))
		baton_sched_leave(w, f); /* does not return */
	return switch_ended(w, f, next);
}

/* What others may look at or change, not knowing whose record it is by now, is
 * written at once. */
void baton_fiber_init(struct baton_fiber *f)
{
	WRITE_ONCE(f->permit, PERMIT_NONE);
	WRITE_ONCE(f->waiter.blocked, WAITER_OVER);
	f->waiter.fiber = f;
	f->waiter.joined = NULL;
	WRITE_ONCE(f->canceled, CANCEL_NONE);
	f->masked = 0;
	f->deadline = TIMER_NEVER;
	f->pin = NULL;
	f->locks = 0;
	f->nkeys = 0;
	f->cxx = (struct cxx){ 0 };
	f->tries = NULL;
	WRITE_ONCE(f->name[0], 0);
	WRITE_ONCE(f->stopped, false);
	f->queued = false;
	/* Release: all of that, for fiber_lives(). */
	smp_store_release(&f->joiner, JOIN_NONE);
	san_fiber_init(&f->san, f->base, f);
}

struct baton_fiber *baton_fiber_create(struct baton_rt *rt,
				       struct baton_proc *p,
				       const struct baton_attr *attr,
				       baton_fn fn, void *arg)
{
	struct baton_fiber *f =
		proc_fiber_get(rt, p, attr ? attr->stack_size : 0);

	if (unlikely(!f))
		return NULL;
	sched_stack_left(f);	/* a detached fiber's, maybe */
	f->fn = fn;
	f->arg = arg;
	baton_fiber_init(f);
	if (unlikely(attr && attr->name[0]))
		copy_name(f->name, attr->name);
	baton_ctx_init(&f->ctx, fiber_top(f), fiber_main);
	baton_shadow_begin(&f->ctx, f->shadow);
	return f;
}

int baton_spawn(struct baton_fiber **fiber, const struct baton_attr *attr,
		baton_fn fn, void *arg)
{
	struct baton_worker *w = sched_enter();
	struct baton_rt *rt = w ? w->rt : baton_rt_hold();
	struct baton_fiber *f;
	int err = 0;

	if (unlikely(!rt))
		return baton_error(-ESRCH, "no scheduler runs");
	if (unlikely(!fn)) {
		err = baton_error(-EINVAL, "no function to run");
		goto out;
	}
	f = baton_fiber_create(rt, w ? w->proc : NULL, attr, fn, arg);
	if (unlikely(!f)) {
		err = baton_error(-ENOMEM, "no memory for a stack");
		goto out;
	}
	if (fiber)
		*fiber = f;
	else
		WRITE_ONCE(f->joiner, JOIN_DETACHED);
	sched_start(rt, w, f);
out:
	if (likely(w))
		sched_exit(w);
	else
		baton_rt_release();
	return err;
}

/*
 * The one join or detach that a handle is good for; @heir is the fiber that
 * waits, or JOIN_DETACHED. JOIN_NONE: @f is told. JOIN_DONE: it has ended, and
 * is the caller's to free. Anything else: somebody was here before. Release: the
 * heir's context. Acquire: the result, if it has ended.
 */
static struct baton_fiber *handle_use(struct baton_fiber *f,
				      struct baton_fiber *heir)
{
	struct baton_fiber *old = READ_ONCE(f->joiner);

	do
		if (unlikely(old != JOIN_NONE && old != JOIN_DONE))
			return old;
	while (!try_cmpxchg_acq_rel(&f->joiner, &old,
				    old == JOIN_DONE ? JOIN_FREED : heir));
	return old;
}

/*
 * The wait of @self for the end of @f is over, but not by that. True: @f has
 * not ended, and its handle is as good as before. False: it has ended all the
 * same, and nobody but @self looks at it any more.
 */
static bool join_withdraw(struct baton_fiber *f, struct baton_fiber *self)
{
	struct baton_fiber *old = self;
	struct backoff b = { 0 };

	if (try_cmpxchg_acq_rel(&f->joiner, &old, JOIN_NONE))
		return true;
	/* It has yet to find out that we were not to be won. */
	while (smp_load_acquire(&f->joiner) != JOIN_LEFT)
		baton_backoff(&b);
	WRITE_ONCE(f->joiner, JOIN_FREED);
	return false;
}

/* @f has not ended: wait for that. 0: it has, or does so just now. */
static int join_wait(struct wait *t, struct baton_fiber *f, int64_t deadline)
{
	struct baton_fiber *self = t->w->fiber, *was;
	int err;

	WRITE_ONCE(self->waiter.joined, f);
	wait_arm(t);
	was = handle_use(f, self);
	if (unlikely(was != JOIN_NONE)) {
		WRITE_ONCE(self->waiter.joined, NULL);
		baton_wait_disarm(t);
		return was == JOIN_DONE ? 0 : -EINVAL;
	}
	t->first = f;
	err = wait_block(t, deadline);
	WRITE_ONCE(self->waiter.joined, NULL);
	if (likely(!err) || join_withdraw(f, self))
		return err;
	if (err == -ECANCELED)
		baton_wait_canceled_later(t);
	return 0;
}

int baton_join_until(struct baton_fiber *fiber, void **result, int64_t deadline)
{
	struct baton_fiber *was;
	struct wait t;
	int err = 0;

	if (!fiber)
		return -EINVAL;
	wait_enter(&t);
	if (!t.w)
		return -EPERM;
	if (fiber == t.w->fiber) {
		err = -EDEADLK;
		goto out;
	}
	was = READ_ONCE(fiber->joiner);
	if (was == JOIN_NONE)
		err = join_wait(&t, fiber, deadline);
	else if (was != JOIN_DONE || handle_use(fiber, JOIN_NONE) != JOIN_DONE)
		err = -EINVAL;
	if (unlikely(err))
		goto out;
	if (result)
		*result = fiber->result;
	fiber_free(t.w->rt, t.w->proc, fiber);
out:
	wait_leave(&t);
	return err;
}

int baton_join(struct baton_fiber *fiber, void **result)
{
	return baton_join_until(fiber, result, BATON_NEVER);
}

int baton_detach(struct baton_fiber *fiber)
{
	struct baton_fiber *was;
	struct baton_rt *rt;
	int err = 0;

	if (!fiber)
		return -EINVAL;
	rt = baton_rt_hold();
	if (!rt)
		return -EINVAL;
	was = handle_use(fiber, JOIN_DETACHED);
	if (was == JOIN_DONE)
		fiber_free(rt, NULL, fiber);
	else if (was != JOIN_NONE)
		err = -EINVAL;
	baton_rt_release();
	return err;
}

int baton_yield(void)
{
	struct baton_worker *w = sched_enter();

	if (unlikely(!w))
		return -EPERM;
	sched_exit(sched_yield_fiber(w));
	return 0;
}

int baton_park_until(int64_t deadline)
{
	uint32_t permit = PERMIT_NONE;
	struct baton_fiber *f;
	struct wait t;
	int err = 0;

	wait_enter(&t);
	if (unlikely(!t.w))
		return -EPERM;
	f = t.w->fiber;
	f->waiter.by = NULL;
	/* Acquire: what came before the baton_ready() whose permit it is. */
	if (try_cmpxchg_acq_rel(&f->permit, &permit,
				unlikely(f->masked) ? PERMIT_MASKED :
						      PERMIT_WAITED))
		err = wait_block(&t, deadline);
	else	/* acquires from a second baton_ready(), too */
		xchg_acq_rel(&f->permit, PERMIT_NONE);
	wait_leave(&t);
	return err;
}

int baton_park(void)
{
	return baton_park_until(BATON_NEVER);
}

int baton_ready(struct baton_fiber *fiber)
{
	struct baton_worker *w;
	struct baton_rt *rt;
	uint32_t old;
	int err = 0;

	if (!fiber)
		return -EINVAL;
	w = sched_enter();
	rt = w ? w->rt : baton_rt_hold();
	if (!rt)
		return -ESRCH;
	if (unlikely(READ_ONCE(fiber->joiner) == JOIN_FREED)) {
		err = -EINVAL;
		goto out;
	}
	/* Release: what the caller wrote. Acquire: the fiber's context. */
	old = READ_ONCE(fiber->permit);
	while (!try_cmpxchg_acq_rel(&fiber->permit, &old,
				    old >= PERMIT_WAITED ? PERMIT_NONE :
							   PERMIT_GIVEN))
		;
	if (old >= PERMIT_WAITED)
		baton_sched_ready(rt, w, fiber);
out:
	if (likely(w))
		sched_exit(w);
	else
		baton_rt_release();
	return err;
}

int baton_thread_lock(void)
{
	struct baton_worker *w = sched_enter();

	if (unlikely(!w))
		return -EPERM;
	w->fiber->locks++;
	sched_pin(w, w->fiber);
	sched_exit(w);
	return 0;
}

int baton_thread_unlock(void)
{
	struct baton_worker *w = sched_enter();
	struct baton_fiber *f;
	int err = 0;

	if (unlikely(!w))
		return -EPERM;
	f = w->fiber;
	if (unlikely(!f->locks)) {
		err = -EINVAL;
	} else {
		f->locks--;
		sched_unpin(w, f);
	}
	sched_exit(w);
	return err;
}

long baton_stack_used(struct baton_fiber *fiber)
{
	struct baton_rt *rt;
	long used = -EINVAL;

	if (!fiber)
		return -EINVAL;
	/* So that the stack stays mapped; see baton_stack_pool_uninit(). */
	rt = baton_rt_hold();
	if (!rt)
		return -ESRCH;
	if (likely(READ_ONCE(fiber->joiner) != JOIN_FREED))
		used = (long)baton_stack_high_water(fiber);
	baton_rt_release();
	return used;
}

struct baton_fiber *baton_self(void)
{
	struct baton_worker *w = baton_worker_self();

	return sched_on_fiber(w) ? w->fiber : NULL;
}
