// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* fiber.c - a fiber's life: spawn, park, ready, join, its end. */
#include "fiber.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fatal.h"
#include "hog.h"
#include "reason.h"
#include "wait.h"

int baton_attr_create(struct baton_attr **attr)
{
	if (!attr)
		return baton_error(-EINVAL, "attributes: NULL");
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

static __attribute__((noinline)) int name_it(struct baton_fiber *f,
					     const char *name)
{
	f->named = true;
	return copy_name(f->name, name);
}

int baton_attr_set_name(struct baton_attr *attr, const char *name)
{
	return copy_name(attr->name, name);
}

int baton_set_name(const char *name)
{
	struct baton_fiber *f = baton_self();
	int err;

	if (!f)
		return -EPERM;
	err = name_it(f, name);
	if (unlikely(trace_on()))
		baton_trace_name(f->worker, f);
	return err;
}

int baton_set_slice(unsigned int ms)
{
	struct baton_fiber *f = baton_self();
	int err;

	if (!f)
		return -EPERM;
	err = ms == SLICE_NEVER ? 0 : slice_check(ms);
	if (err)
		return err;
	f->named = true;
	WRITE_ONCE(f->slice, ms);
	return 0;
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

/*
 * The fiber that waits for the end of @f without a deadline, which is won by
 * this; NULL: there is none, or joiner takes a swap. A cancel alone could take
 * that wait back, and is as rare as an end is not. So @f does without a locked
 * instruction, and the other makes up for it: see take_back() in wait.c.
 */
static inline struct baton_fiber *joiner_win(struct baton_worker *w,
					     struct baton_fiber *f)
{
	struct baton_fiber *joiner;

	/* ending before revokers, as far as membarrier() goes; without it
	 * @w->rare is set. Acquire: revokers before joiner. */
	WRITE_ONCE(f->ending, true);
	barrier();
	if (unlikely(smp_load_acquire(&w->rt->revokers) | READ_ONCE(w->rare)))
		return NULL;
	/* Acquire, and release: as in the swap of fiber_end(). */
	joiner = smp_load_acquire(&f->joiner);
	if (joiner <= JOIN_NONE || (uintptr_t)joiner & JOIN_TIMED)
		return NULL;
	smp_store_release(&f->joiner, JOIN_FREED);
	return joiner;
}

/* Tell whoever waits that @f has ended. Returns whom to go on with, or NULL. */
static struct baton_fiber *fiber_end(struct baton_worker *w, struct baton_fiber *f)
{
	struct baton_rt *rt = w->rt;
	struct baton_fiber *joiner;

	if (unlikely(f == rt->main))
		baton_sched_stop(rt);
	joiner = joiner_win(w, f);
	if (!joiner) {
		joiner = READ_ONCE(f->joiner);
		/* Release: the result. Acquire: the joiner, who is won by this.
		 * If a fiber waits in baton_join(), that is the one use of the
		 * handle: FREED makes any other an error from now on, which DONE
		 * would invite. */
		while (joiner != JOIN_DETACHED &&
		       !try_cmpxchg_acq_rel(&f->joiner, &joiner,
					    joiner == JOIN_NONE ? JOIN_DONE :
								  JOIN_FREED))
			;
	}
	if (joiner == JOIN_DETACHED) {
		/* Nobody else may. Release: all that it has done; pairs with
		 * fiber_lives(), for who is told by baton_stop(). */
		smp_store_release(&f->joiner, JOIN_FREED);
		/* The stack may be reused while we are still on it: whoever
		 * takes it waits until on_stack is clear, as does whoever
		 * resumes a fiber. */
		proc_fiber_put(rt, w->proc, f);
	} else if (joiner != JOIN_NONE) {
		joiner = (void *)((uintptr_t)joiner & ~JOIN_HOW);
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
	debug_scopes_left(f, NULL, 0);
	baton_held_leave(f->worker, f);
	fiber_rest(f);
	w = sched_enter();
	if (unlikely(!w || w->depth))
		baton_fatal(
			"a fiber ended within a foreign call or callback: longjmp()?");
	if (unlikely(f->nkeys)) {
		w = keys_end(w, f);
		fiber_rest(f);
	}
	/* The thread is as the fiber has left it, and serves no other one:
	 * @w stays pinned. sched_due() is true of it, and it ends. */
	if (unlikely(f->pin) && f->locks) {
		WRITE_ONCE(w->retired, true);
		f->locks = 0;
		WRITE_ONCE(f->pin, NULL);
	}
	next = fiber_end(w, f);
	if (!next && likely(f != w->rt->main && !sched_due(w))) {
		runq_prefetch(&w->proc->runq);
		next = runq_pop(&w->proc->runq);
	}
	if (unlikely(!next))
		baton_sched_leave(w, f); /* does not return */
	return switch_ended(w, f, next);
}

/* Always inline: it is a third of a spawn. */
static inline __attribute__((always_inline)) struct baton_fiber *
fiber_create(struct baton_rt *rt, struct baton_proc *p,
	     const struct baton_attr *attr, baton_fn fn, void *arg)
{
	struct baton_fiber *f =
		proc_fiber_get(rt, p, attr ? attr->stack_size : 0);

	if (unlikely(!f))
		return NULL;
	sched_stack_left(f);	/* a detached fiber's, maybe */
	f->fn = fn;
	f->arg = arg;
	fiber_fresh(f);
	if (unlikely(attr && attr->name[0]))
		name_it(f, attr->name);
	san_fiber_init(&f->san, f->base, f);
	/*
	 * All else is as fiber_rest() and the end of its last wait left it.
	 * Release: all of that, for fiber_lives(). Who cancels the joiner of
	 * the last fiber here may still look.
	 */
	smp_store_release(&f->joiner, JOIN_NONE);
	baton_ctx_init(&f->ctx, fiber_top(f), fiber_main);
	if (unlikely(baton_shadow_has(&f->ctx)))
		baton_shadow_begin(&f->ctx, f->shadow);
	return f;
}

struct baton_fiber *baton_fiber_create(struct baton_rt *rt,
				       struct baton_proc *p,
				       const struct baton_attr *attr,
				       baton_fn fn, void *arg)
{
	return fiber_create(rt, p, attr, fn, arg);
}

static int no_memory(void)
{
	return baton_error(-ENOMEM, "no memory for a stack");
}

/* baton_spawn() on a thread that is no worker, or in foreign code. */
static int __attribute__((noinline))
spawn_outside(struct baton_fiber **fiber, const struct baton_attr *attr,
	      baton_fn fn, void *arg)
{
	struct baton_rt *rt = baton_rt_hold();
	struct baton_fiber *f;
	int err = 0;

	if (unlikely(!rt))
		return baton_error(-ESRCH, "no scheduler runs");
	f = baton_fiber_create(rt, NULL, attr, fn, arg);
	if (unlikely(!f)) {
		err = no_memory();
		goto out;
	}
	if (fiber)
		*fiber = f;
	else
		WRITE_ONCE(f->joiner, JOIN_DETACHED);
	sched_start(rt, NULL, f);
out:
	baton_rt_release();
	return err;
}

int baton_spawn(struct baton_fiber **fiber, const struct baton_attr *attr,
		baton_fn fn, void *arg)
{
	struct baton_worker *w;
	struct baton_fiber *f;
	int err = 0;

	if (unlikely(!fn))
		return baton_error(-EINVAL, "no function to run");
	w = sched_enter();
	if (unlikely(!w))
		return spawn_outside(fiber, attr, fn, arg);
	/* Attributes are rare, and asked about in many places. */
	f = likely(!attr) ? fiber_create(w->rt, w->proc, NULL, fn, arg) :
			    baton_fiber_create(w->rt, w->proc, attr, fn, arg);
	if (unlikely(!f)) {
		err = no_memory();
		goto out;
	}
	if (fiber)
		*fiber = f;
	else
		WRITE_ONCE(f->joiner, JOIN_DETACHED);
	sched_start(w->rt, w, f);
out:
	sched_exit(w);
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

static int __attribute__((noinline, cold))
join_wait_slow(struct baton_worker *w, struct baton_fiber *f, int64_t deadline)
{
	struct wait t = { .w = w, .first = f };

	return baton_wait_slow(&t, deadline);
}

/*
 * @f had not ended: wait for that. 0: it has, or does so just now. It is the
 * joiner in @f that is won, not the waiter: by the end of @f, or by a cancel or
 * deadline, which makes it JOIN_NONE, so that the handle is as good as before.
 */
static inline int join_wait(struct baton_worker **w, struct baton_fiber *f,
			    int64_t deadline)
{
	struct baton_fiber *self = (*w)->fiber, *was = JOIN_NONE, *heir;
	uintptr_t how = unlikely(self->masked) ? JOIN_MASKED : 0;
	int err;

	/* Differences of what is the same are 0, and cost less than comparing. */
	if (unlikely((deadline ^ TIMER_NEVER) | (self->deadline ^ TIMER_NEVER)))
		how |= JOIN_TIMED;

	self->waiter.by = f;
	WRITE_ONCE(self->waiter.since, (*w)->proc->now);
	WRITE_ONCE(self->waiter.joined, f);
	heir = (void *)((uintptr_t)self | how);
	/*
	 * As the caller has seen it a moment ago; or whatever it is by now. With
	 * the only processor a plain store will do: @f does not end meanwhile,
	 * and no other fiber joins it. A detach may get lost in it, which is one
	 * use of the handle too many; then @f is joined as if there had been
	 * none. Release: as in handle_use().
	 */
	if (!(*w)->proc->runq.shared)
		smp_store_release(&f->joiner, heir);
	else if (unlikely(!try_cmpxchg_acq_rel(&f->joiner, &was, heir)))
		was = handle_use(f, heir);
	if (unlikely(was != JOIN_NONE)) {
		err = was == JOIN_DONE ? 0 : -EINVAL;
	} else if (wait_is_rare(*w, self, deadline)) {
		err = join_wait_slow(*w, f, deadline);
		*w = self->worker;
	} else {
		*w = sched_join(*w, f);
		err = unlikely((uintptr_t)self->waiter.by <= WAITER_LAST) ?
			      baton_wait_result(self) :
			      0;
	}
	WRITE_ONCE(self->waiter.joined, NULL);
	return err;
}

int baton_join_until(struct baton_fiber *fiber, void **result, int64_t deadline)
{
	struct baton_fiber *was;
	struct baton_worker *w;
	int err = 0;

	if (!fiber)
		return -EINVAL;
	w = sched_enter();
	if (unlikely(!w))
		return -EPERM;
	if (unlikely(fiber == w->fiber)) {
		err = -EDEADLK;
		goto out;
	}
	was = READ_ONCE(fiber->joiner);
	if (was == JOIN_NONE)
		err = join_wait(&w, fiber, deadline);
	else if (was != JOIN_DONE || handle_use(fiber, JOIN_NONE) != JOIN_DONE)
		err = -EINVAL;
	if (unlikely(err))
		goto out;
	if (result)
		*result = fiber->result;
	fiber_free(w->rt, w->proc, fiber);
out:
	sched_exit(w);
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

/*
 * What is rare of a yield. Apart, so that what is not has nothing to keep over a
 * call: there is one alone, to the fiber that goes first, and after that it has
 * to find out where it is anyway. Without a result, so that a debugger finds
 * baton_yield() on the stack of who waits here.
 */
static void __attribute__((noinline)) yield_end(struct baton_worker *w,
						struct baton_fiber *next)
{
	struct baton_fiber *f = w->fiber;

	if (!next)
		w = baton_sched_yield_slow(w, f);
	else if (likely(next != f))
		w = switch_to(w, f, next);
	else
		w = baton_sched_leave(w, f);
	sched_exit(w);
}

static void __attribute__((noinline, cold)) yield_begin(struct baton_worker *w)
{
	w = baton_sched_begin_slow(w);
	yield_end(w, sched_yield_next(w, w->fiber));
}

int baton_yield(void)
{
	struct baton_worker *w = baton_worker_self();
	struct baton_fiber *f, *next;

	if (unlikely(!sched_on_fiber(w)))
		return -EPERM;
	baton_debug_enter();
	if (unlikely(sched_begins_rare(w))) {
		yield_begin(w);
		return 0;
	}
	f = w->fiber;
	next = sched_yield_next(w, f);
	if (unlikely(!next || next == f))
		yield_end(w, next);
	else
		sched_exit(switch_to(w, f, next));
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
	WRITE_ONCE(f->waiter.since, t.w->proc->now);
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
