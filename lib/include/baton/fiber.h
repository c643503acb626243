/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * fiber.h - start fibers, wait for them, let others run.
 *
 * A fiber may be on another thread after any call here, and after baton_call():
 * one that blocks the fiber may resume it elsewhere, and any call may find that
 * the processor was taken (the fiber had blocked in the kernel) and queue up
 * for another. So no address of a thread-local variable, errno among them, may
 * be kept across one.
 */
#ifndef BATON_FIBER_H
#define BATON_FIBER_H

#include <baton/runtime.h>
#include <baton/time.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/** A user-mode thread with a stack of its own; opaque. */
struct baton_fiber;

/** How to start a fiber; opaque. One thread at a time may use it. */
struct baton_attr;

/**
 * baton_attr_create() - attributes at their defaults. Return: 0; -ENOMEM;
 * -EINVAL @attr NULL.
 */
int baton_attr_create(struct baton_attr **attr);

/** baton_attr_destroy() - free @attr, which may be NULL. */
void baton_attr_destroy(struct baton_attr *attr);

/**
 * baton_attr_set_stack_size() - a stack other than the configured one
 * @attr:  the attributes
 * @bytes: as for baton_config_set_stack_size(); 0 for the configured size.
 *         Another size is rounded up to a power of two.
 *
 * Return: 0, -EINVAL.
 */
int baton_attr_set_stack_size(struct baton_attr *attr, size_t bytes);

/** Bytes of a fiber's name, with the 0 at its end. */
#define BATON_NAME_SIZE		32

/**
 * baton_attr_set_name() - a name for reports
 * @attr: the attributes
 * @name: copied; NULL or "": none. Fibers may have the same one.
 *
 * Return: 0; -EINVAL longer than BATON_NAME_SIZE allows.
 */
int baton_attr_set_name(struct baton_attr *attr, const char *name);

/**
 * baton_spawn() - start a fiber
 * @fiber: where to put its handle, to be given to baton_join() or
 *         baton_detach() once; or NULL to start it detached
 * @attr:  attributes, or NULL; not kept
 * @fn:    what it runs
 * @arg:   the argument of @fn
 *
 * It is put at the end of the caller's processor's queue. From a fiber, or
 * from any thread of the process while the scheduler runs.
 *
 * Return: 0; -EINVAL @fn NULL; -ENOMEM no stack; -ESRCH no scheduler runs.
 * Blocks neither (it may map memory). Not async-signal-safe.
 */
int baton_spawn(struct baton_fiber **fiber, const struct baton_attr *attr,
		baton_fn fn, void *arg);

/**
 * baton_join() - wait until a fiber has ended, and free it
 * @fiber:  the handle, invalid afterwards
 * @result: where to put what its function returned, or NULL
 *
 * Return: 0; -EDEADLK for the caller itself; -EINVAL NULL, detached or joined
 * already; -EPERM not from a fiber; -ECANCELED, and the handle is as good as
 * before. Blocks the fiber. What the fiber wrote is visible to the caller
 * afterwards.
 *
 * A fiber that has not run yet, and waits in the queue of the caller's
 * processor, may run at once, before those that came earlier; and the caller
 * goes on as soon as it has ended.
 *
 * An invalid handle is refused until its memory serves another fiber, whose
 * handle it then is.
 */
int baton_join(struct baton_fiber *fiber, void **result);

/**
 * baton_join_until() - the same, until @deadline
 *
 * Return: as baton_join(); -ETIMEDOUT, and the handle is as good as before.
 */
int baton_join_until(struct baton_fiber *fiber, void **result,
		     int64_t deadline);

/**
 * baton_detach() - nobody will join it; it is freed when it ends
 * @fiber: the handle, invalid afterwards
 *
 * Return: 0; -EINVAL NULL, detached or joined already, or no scheduler runs.
 * Any thread. Blocks neither.
 */
int baton_detach(struct baton_fiber *fiber);

/**
 * baton_yield() - let the other fibers of this processor run first
 *
 * Return: 0; -EPERM not from a fiber. Blocks the fiber, which stays runnable.
 */
int baton_yield(void);

/**
 * baton_park() - wait for baton_ready()
 *
 * Each fiber has one permit, at first absent. Takes it if present, otherwise
 * waits for it, like a binary semaphore (the token of Java's LockSupport). A
 * permit may be left over from an earlier ready: test what you wait for in a
 * loop.
 *
 * Return: 0; -EPERM not from a fiber; -ECANCELED, and no permit was taken.
 * Blocks the fiber. What was written before the matching baton_ready() is
 * visible afterwards.
 */
int baton_park(void);

/**
 * baton_park_until() - the same, until @deadline
 *
 * Return: as baton_park(); -ETIMEDOUT, and no permit was taken.
 */
int baton_park_until(int64_t deadline);

/**
 * baton_ready() - give a fiber its permit, and let it run if it waits for one
 * @fiber: a fiber whose handle is still valid, that is, one that has neither
 *         been joined nor ended detached. Take care that it cannot end before
 *         this call: a fiber that sees in memory what it waits for, before it
 *         is readied, may go on without the permit, and end.
 *
 * Return: 0; -EINVAL NULL, or it has been, as far as can be seen; see
 * baton_join(); -ESRCH no scheduler runs. Any thread of the
 * process; not async-signal-safe. Blocks neither.
 */
int baton_ready(struct baton_fiber *fiber);

/**
 * baton_thread_lock() - the fiber stays on this thread, and has it to itself
 *
 * For foreign code that keeps state per thread: from now on the fiber resumes
 * on its present worker alone, and this worker runs no other fiber. Nests:
 * ends with as many calls of baton_thread_unlock(). After Go's LockOSThread.
 *
 * A fiber that ends while locked takes its thread with it, so that no other
 * fiber finds what it has changed there, by unshare() or prctl(), say: the
 * thread ends, and another is started if need be. The thread of baton_run()
 * cannot end: it waits, as it was left, until baton_run() returns on it. On a
 * thread that was adopted (baton_callback()) the lock ends with the outermost
 * callback, and the thread goes on.
 *
 * Return: 0; -EPERM not from a fiber. Blocks neither.
 */
int baton_thread_lock(void);

/**
 * baton_thread_unlock() - undo one baton_thread_lock()
 *
 * Return: 0; -EINVAL the fiber holds no such lock; -EPERM not from a fiber.
 * Blocks neither.
 */
int baton_thread_unlock(void);

/**
 * baton_cancel() - end the wait that a fiber is in, or its next one
 * @fiber: a fiber whose handle is still valid, as for baton_ready()
 *
 * That wait returns -ECANCELED, whatever it is for: a join, a sleep, a lock, a
 * channel. What it waited for is neither had nor lost. A foreign call counts as
 * a wait if it blocks: the system call that it is in fails with EINTR, by a
 * signal, SIGURG, that comes within that foreign call and never later, and
 * again while the same call goes on. If the call's errno is EINTR at its end,
 * it has heard of the cancel; otherwise the next wait ends.
 *
 * One cancel ends one wait; those that come before one has done so are one. A
 * fiber that never waits again does not hear of it. After Java's
 * Thread.interrupt().
 *
 * Return: 0; -EINVAL NULL, or no valid handle as far as can be seen; -ESRCH no
 * scheduler runs. Any thread of the process; not async-signal-safe. Blocks
 * neither.
 */
int baton_cancel(struct baton_fiber *fiber);

/**
 * baton_canceled() - has the calling fiber been canceled, and not heard of it?
 *
 * It is not told of it by this call: its next wait still is.
 *
 * Return: 1, 0; -EPERM not from a fiber. Blocks neither.
 */
int baton_canceled(void);

/**
 * baton_cancel_mask() - no wait ends by a cancel until baton_cancel_unmask()
 *
 * Nor is a foreign call interrupted.
 * For a section that must not be interrupted. A cancel that comes meanwhile
 * ends the first wait after it. Nests. From a fiber, also in a foreign call, the
 * rest of which is not interrupted then.
 *
 * Return: 0; -EPERM not from a fiber, nor from foreign code of one. Blocks
 * neither.
 */
int baton_cancel_mask(void);

/**
 * baton_cancel_unmask() - undo one baton_cancel_mask()
 *
 * In a foreign call: a cancel that is due interrupts it from now on.
 *
 * Return: 0; -EINVAL there is none to undo; -EPERM not from a fiber, nor from
 * foreign code of one. Blocks neither.
 */
int baton_cancel_unmask(void);

/**
 * baton_stack_used() - the high-water mark of a fiber's stack
 * @fiber: the calling fiber, or one that is parked or otherwise waits; its
 *         handle is valid as for baton_ready()
 *
 * How many bytes at the upper end of the stack, the library's record of the
 * fiber among them, have ever been written to: from the lowest byte that is
 * not 0. Fibers that used the same stack before count as well, until its memory
 * is given back. More than its size: it has overflowed, unguarded (baton(7)).
 * It reads what is unused, a microsecond for each 20 KiB or so, and costs page
 * tables for that.
 *
 * Return: bytes; -EINVAL NULL, or joined or detached and ended, as far as can
 * be seen; -ESRCH no scheduler runs. Any thread of the process; not
 * async-signal-safe. Blocks neither.
 */
long baton_stack_used(struct baton_fiber *fiber);

/**
 * baton_set_name() - name the calling fiber, for reports and debuggers
 * @name: copied; NULL or "": none
 *
 * Return: 0; -EINVAL longer than BATON_NAME_SIZE allows; -EPERM not from a
 * fiber. Blocks neither.
 */
int baton_set_name(const char *name);

/**
 * baton_set_slice() - how long the calling fiber may compute while others wait
 * @ms: milliseconds, 1 to 10000; 0: as long as any, see
 *      baton_config_set_slice(); UINT_MAX: as long as it likes
 *
 * Without that option of the scheduler's it has no effect. It is heeded within
 * half of the scheduler's slice.
 *
 * Return: 0; -EINVAL; -EPERM not from a fiber. Blocks neither.
 */
int baton_set_slice(unsigned int ms);

/**
 * baton_name() - the name of a fiber
 * @fiber: whose handle is valid as for baton_ready(); NULL: the calling fiber
 * @name:  where to put it: "" if it has none
 * @size:  of that; BATON_NAME_SIZE is enough for each. What is too long is cut.
 *
 * One that is changed meanwhile may be partly the old one and partly the new.
 *
 * Return: 0; -EINVAL @name NULL or @size 0, or joined or detached and ended, as
 * far as can be seen; -EPERM @fiber NULL and not from a fiber; -ESRCH no
 * scheduler runs. Any thread of the process; not async-signal-safe. Blocks
 * neither.
 */
int baton_name(struct baton_fiber *fiber, char *name, size_t size);

/** baton_self() - the calling fiber; NULL when not on a fiber. */
struct baton_fiber *baton_self(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_FIBER_H */
