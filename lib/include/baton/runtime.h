/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * runtime.h - start the scheduler, choose how blocking is found out, ask what
 * it did.
 *
 * Every function returns 0 or a positive result, or a negative error number.
 * None reports by errno. On a thread that is no fiber's, errno is after a call
 * what it was before. In a fiber it may have any value after a call that blocks:
 * errno is the thread's, and the fiber may be on another thread by then.
 * Calls from threads other than the scheduler's own must not overlap the end
 * of baton_run(). "Blocks" says who waits: the fiber (its worker runs others),
 * the worker (the whole thread), or neither.
 */
#ifndef BATON_RUNTIME_H
#define BATON_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* Exported, though the library itself is built with hidden symbols. */
#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/** What a fiber runs: its argument in, its result out (see baton_join()). */
typedef void *(*baton_fn)(void *arg);

/**
 * enum baton_tier - how a blocked worker is found out
 * @BATON_TIER_AUTO: the best that works here
 * @BATON_TIER_POLL: a monitor thread looks now and then; pure user space
 * @BATON_TIER_IDLE: a thread of the kernel's idle class on each CPU notices
 *                   when a worker there sleeps; pure user space
 * @BATON_TIER_KMOD: baton.ko hands the processor over in the kernel
 */
enum baton_tier {
	BATON_TIER_AUTO = 0,
	BATON_TIER_POLL = 1,
	BATON_TIER_IDLE = 2,
	BATON_TIER_KMOD = 3,
};

/**
 * enum baton_io - how fibers wait for files, see baton/file.h
 * @BATON_IO_AUTO:  the best that works here
 * @BATON_IO_URING: through io_uring, if it can be had
 * @BATON_IO_CALL:  by foreign calls
 */
enum baton_io {
	BATON_IO_AUTO = 0,
	BATON_IO_URING = 1,
	BATON_IO_CALL = 2,
};

/** A set of start-up options; opaque. One thread at a time may use it. */
struct baton_config;

/**
 * baton_config_create() - options, each at its default
 * @cfg: where to put it; the caller owns it
 *
 * Return: 0; -ENOMEM; -EINVAL @cfg NULL. MT-safe. Blocks neither.
 */
int baton_config_create(struct baton_config **cfg);

/** baton_config_destroy() - free @cfg, which may be NULL. Blocks neither. */
void baton_config_destroy(struct baton_config *cfg);

/**
 * baton_config_set_nprocs() - how many fibers run at once
 * @cfg: the options
 * @n:   1 to 256, or 0 for the default: the CPUs this process may use, by
 *       affinity and by its cgroup's quota, whichever is fewer
 *
 * BATON_NPROCS in the environment overrides it. Return: 0, -EINVAL.
 */
int baton_config_set_nprocs(struct baton_config *cfg, unsigned int n);

/**
 * baton_config_set_max_workers() - most threads that may exist at once
 * @cfg: the options
 * @n:   1 to 16384, or 0 for the default of 1024. At the limit a hand-off
 *       waits for the next worker that comes back; nothing fails.
 *
 * BATON_MAX_WORKERS overrides it. Return: 0, -EINVAL.
 */
int baton_config_set_max_workers(struct baton_config *cfg, unsigned int n);

/**
 * baton_config_set_stack_size() - of fibers spawned without an attribute
 * @cfg:   the options
 * @bytes: rounded up to whole pages; 16 KiB to 1 GiB, or 0 for the default of
 *         64 KiB. A guard page comes on top; pages are taken when touched.
 *
 * BATON_STACK_SIZE overrides it. Return: 0, -EINVAL.
 */
int baton_config_set_stack_size(struct baton_config *cfg, size_t bytes);

/**
 * baton_config_set_timer_slack() - how late the kernel may be with timers
 * @cfg: the options
 * @ns:  up to 1,000,000,000, or 0 for the default of 1: as early as it can.
 *       With more, wake-ups can be put together, which saves power. It is the
 *       slack of one thread, which serves all sleeps and deadlines of fibers, and
 *       with BATON_TIER_POLL and BATON_TIER_IDLE is the monitor; that of fibers
 *       and foreign code stays as it is.
 *
 * BATON_TIMER_SLACK overrides it. Return: 0, -EINVAL.
 */
int baton_config_set_timer_slack(struct baton_config *cfg, unsigned long ns);

/**
 * baton_config_set_stack_keep() - for how long unused stacks keep their memory
 * @cfg: the options
 * @ms:  milliseconds; 0 for the default of 1000; UINT_MAX: until baton_run()
 *       returns. Of the stacks whose fibers have ended those that no other one
 *       has used for so long, or up to twice as long, are given back to the
 *       system, but for 128 of each processor.
 *
 * BATON_STACK_KEEP_MS overrides it. Return: 0.
 */
int baton_config_set_stack_keep(struct baton_config *cfg, unsigned int ms);

/**
 * baton_config_set_worker_keep() - for how long threads that are idle stay
 * @cfg: the options
 * @ms:  milliseconds; 0 for the default of 10000; UINT_MAX: until baton_run()
 *       returns. A thread of the library's that has run nothing for so long,
 *       or up to twice as long, ends, while there are more than one for each
 *       processor and one more. The last to become idle is the next to be
 *       used.
 *
 * BATON_WORKER_KEEP_MS overrides it. Return: 0.
 */
int baton_config_set_worker_keep(struct baton_config *cfg, unsigned int ms);

/**
 * baton_config_set_slice() - how long a fiber may compute while others wait
 * @cfg: the options
 * @ms:  milliseconds, 1 to 10000; 0, the default: as long as it likes. A fiber,
 *       or foreign code that it calls, that has kept a processor for so long
 *       without coming to the scheduler loses it, at any instruction, if other
 *       fibers wait; it goes on when they have had their turn. Signal SIGURG,
 *       by a timer, stops its thread. Without the option fiber code is
 *       interrupted nowhere but in calls of the library. See baton(7).
 *
 * BATON_SLICE overrides it. Return: 0, -EINVAL.
 */
int baton_config_set_slice(struct baton_config *cfg, unsigned int ms);

/**
 * baton_config_set_tier() - insist on a tier
 * @cfg:  the options
 * @tier: BATON_TIER_AUTO (the default), or one that baton_run() then either
 *        gets or fails for
 *
 * BATON_TIER=auto|poll|idle|kmod overrides it. Return: 0, -EINVAL.
 */
int baton_config_set_tier(struct baton_config *cfg, enum baton_tier tier);

/**
 * baton_config_set_io() - how fibers wait for files
 * @cfg: the options
 * @io:  BATON_IO_AUTO (the default), or another one. Where io_uring cannot be
 *       had there are foreign calls, and baton_io() says why.
 *
 * BATON_IO=auto|uring|call overrides it. Return: 0, -EINVAL.
 */
int baton_config_set_io(struct baton_config *cfg, enum baton_io io);

/**
 * baton_run() - start the scheduler, run @fn as its first fiber
 * @cfg:    the options, or NULL for the defaults; not kept
 * @fn:     the first fiber
 * @arg:    its argument
 * @result: where to put what @fn returned, or NULL
 *
 * The calling thread becomes the first worker, and its stack that worker's
 * system stack. Returns when @fn has returned: no fiber is resumed from then
 * on, workers in a foreign call or in fiber code are waited for until their
 * next scheduling point, and fibers that had not ended are gone, without their
 * stacks being unwound. Join what must finish.
 *
 * Return: 0; -EINVAL for @fn NULL or a bad value in the environment; -EBUSY
 * when a scheduler runs in this process already; -ENOENT, -EACCES, ... when
 * the tier insisted on cannot be had; -ENOTSUP idle cannot, or the program is
 * compiled with -fsplit-stack; -ENOMEM, -EAGAIN. baton_reason() tells more. MT-safe; not async-signal-safe. Blocks the calling thread.
 */
int baton_run(const struct baton_config *cfg, baton_fn fn, void *arg,
	      void **result);

/**
 * baton_stop() - by the first fiber, before it returns: let all others end
 * @cancel:   until when they may end by themselves, a time of baton_now(). Those
 *            that have not are then canceled, as by baton_cancel(), each once,
 *            also those that are started later; a time that is past: at once.
 * @deadline: until when they are waited for
 *
 * Those that have not ended by then are listed on standard error, up to 64 of
 * them, with their names, what they do, and where, as in the report of a
 * deadlock. When the first fiber then returns they are dropped, but for their
 * foreign calls, which baton_run() waits for; a program that does not want to
 * may end by exit().
 *
 * If the caller is canceled meanwhile, that is the time to cancel the others,
 * and once more, the deadline. So is the deadline of a scope.
 *
 * Fibers of threads that the library did not make are neither canceled nor
 * waited for.
 *
 * Return: 0 no other fiber is left; -ETIMEDOUT, as above; -EPERM not from the
 * first fiber. Blocks the fiber. Not async-signal-safe.
 */
int baton_stop(int64_t cancel, int64_t deadline);

/**
 * baton_reason() - why the last call on this thread that failed did
 *
 * Return: a sentence, valid until the next failure on this thread; "" when
 * there is none. Set by baton_config_set_*(), baton_attr_set_*(), baton_run(),
 * baton_spawn(), and others where that is said; the rest leave it as it was.
 * Blocks neither.
 */
const char *baton_reason(void);

/**
 * baton_tier() - which tier is in use, and why not a better one
 * @why: where to put the reason ("" for the best tier), or NULL. Valid until
 *       baton_run() returns.
 *
 * Return: BATON_TIER_POLL, BATON_TIER_IDLE or BATON_TIER_KMOD while a scheduler
 * runs, otherwise BATON_TIER_AUTO. Any thread. Blocks neither.
 */
enum baton_tier baton_tier(const char **why);

/** baton_tier_name() - "auto", "poll", "idle", "kmod"; NULL for any other. */
const char *baton_tier_name(enum baton_tier tier);

/** baton_nprocs() - processors of the running scheduler; 0 without one. */
unsigned int baton_nprocs(void);

/**
 * struct baton_stats - counters since baton_run()
 * @calls:       foreign calls made
 * @callbacks:   callbacks made
 * @handoffs:    processors taken from a blocked worker and given to another
 * @idled:       processors taken from a blocked worker while no fiber waited,
 *               so that they became idle. If a fiber is queued in that very
 *               instant, the processor is handed over after all, and counted
 *               under @handoffs as well
 * @regained:    processors claimed by a returning worker without parking, or,
 *               in the tier kmod, for it, in the middle of a fiber's code
 * @requeued:    times a returning worker found none and its fiber queued up
 * @parks:       times a worker waited for a processor
 * @steals:      times a processor took fibers from another one's queue
 * @spawns:      fibers started
 * @workers:     workers now
 * @workers_max: most workers at once
 * @calls_now:   foreign calls in progress
 * @adopted:     threads that were not the library's and called back
 * @waits_for_worker: times that fibers had a processor, but no worker to run
 *               them, because as many as may exist were all blocked; said on
 *               standard error the first time
 * @sliced:      processors taken from code that had run for a slice
 * @turns:       times a fiber that had lost its processor so waited for another
 *               in the middle of its own code, thread and all
 *
 * Fields are only ever added at the end.
 */
struct baton_stats {
	uint64_t calls;
	uint64_t callbacks;
	uint64_t handoffs;
	uint64_t idled;
	uint64_t regained;
	uint64_t requeued;
	uint64_t parks;
	uint64_t steals;
	uint64_t spawns;
	uint64_t workers;
	uint64_t workers_max;
	uint64_t calls_now;
	uint64_t adopted;
	uint64_t waits_for_worker;
	uint64_t sliced;
	uint64_t turns;
};

/**
 * baton_stats() - read the counters
 * @st:   where to put them
 * @size: sizeof(*st) as the caller was compiled; what lies beyond the
 *        library's own is zeroed
 *
 * Each is exact, though not all of one instant. Return: 0; -EINVAL @st NULL;
 * -ESRCH no scheduler runs. Any thread. Blocks neither.
 */
#pragma GCC diagnostic push
/* In C++ the function hides the constructor of the struct, as stat() does. */
#pragma GCC diagnostic ignored "-Wshadow"
int baton_stats(struct baton_stats *st, size_t size);
#pragma GCC diagnostic pop

/**
 * baton_dump() - tell what each fiber does
 * @fd: where to, as text: a line for each, and the calls that led there
 *
 * Fibers go on meanwhile, and what is told of one may be over already. With
 * BATON_DUMP=SIGQUIT in the environment of baton_run() the signal does this to
 * standard error: see baton_dump(3).
 *
 * Return: 0; -ESRCH no scheduler runs; -ENOMEM; what write() to @fd has failed
 * by. Any thread; not for signal handlers. Blocks the worker or thread as long
 * as write() to @fd does, no fiber else.
 */
int baton_dump(int fd);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_RUNTIME_H */
