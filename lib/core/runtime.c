// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * runtime.c - start, stop, options, and what the scheduler tells about itself.
 */
#include <baton/runtime.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tier/tier.h"
#include "cpus.h"
#include "fatal.h"
#include "fiber.h"
#include "proc.h"
#include "sched.h"
#include "worker.h"

#define MAX_WORKERS_DEFAULT	1024u

struct baton_rt *baton_rt_running;

/* Only ever used between calls that may change threads. */
static __thread char reason_text[160];

int baton_error(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason_text, sizeof(reason_text), fmt, ap);
	va_end(ap);
	return err;
}

const char *baton_reason(void)
{
	return reason_text;
}

/* --- options ----------------------------------------------------------- */

struct baton_config {
	unsigned int nprocs;
	unsigned int max_workers;
	size_t stack_size;
	enum baton_tier tier;
};

int baton_config_create(struct baton_config **cfg)
{
	*cfg = calloc(1, sizeof(**cfg));
	return *cfg ? 0 : -ENOMEM;
}

void baton_config_destroy(struct baton_config *cfg)
{
	free(cfg);
}

int baton_config_set_nprocs(struct baton_config *cfg, unsigned int n)
{
	if (n > BATON_PROCS_MAX)
		return baton_error(-EINVAL, "%u processors: not 1 to %u", n,
				   BATON_PROCS_MAX);
	cfg->nprocs = n;
	return 0;
}

int baton_config_set_max_workers(struct baton_config *cfg, unsigned int n)
{
	if (n > BATON_WORKERS_MAX)
		return baton_error(-EINVAL, "%u workers: not 1 to %u", n,
				   BATON_WORKERS_MAX);
	cfg->max_workers = n;
	return 0;
}

int baton_config_set_stack_size(struct baton_config *cfg, size_t bytes)
{
	size_t size = bytes ? baton_stack_size_check(bytes) : 0;

	if (bytes && !size)
		return baton_error(-EINVAL,
				   "stack of %zu bytes: not 16 KiB to 1 GiB",
				   bytes);
	cfg->stack_size = size;
	return 0;
}

int baton_config_set_tier(struct baton_config *cfg, enum baton_tier tier)
{
	if (tier != BATON_TIER_AUTO && tier != BATON_TIER_POLL &&
	    tier != BATON_TIER_KMOD)
		return baton_error(-EINVAL, "tier %d: not auto, poll or kmod",
				   tier);
	cfg->tier = tier;
	return 0;
}

const char *baton_tier_name(enum baton_tier tier)
{
	static const char *const names[] = { "auto", "poll", "perf", "kmod" };

	return tier <= BATON_TIER_KMOD ? names[tier] : NULL;
}

/* 0, or -EINVAL: the text of variable @name will not do, because of @what. */
static int env_check(int err, const char *name, const char *what)
{
	return err ? baton_error(err, "%s=%.40s: %s", name, getenv(name),
				 what) :
		     0;
}

/*
 * The number in variable @name, at most @max; @value is left as it is when it
 * is unset or empty. 0, -EINVAL.
 */
static int env_number(const char *name, unsigned long long max,
		      unsigned long long *value)
{
	const char *text = getenv(name);
	unsigned long long v;
	char *end;

	if (!text || !*text)
		return 0;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (*end || errno || *text == '-')
		return env_check(-EINVAL, name, "not a number");
	if (v > max)
		return env_check(-EINVAL, name, "too large");
	*value = v;
	return 0;
}

static int env_tier(struct baton_config *cfg)
{
	const char *text = getenv("BATON_TIER");

	if (!text || !*text)
		return 0;
	for (int t = BATON_TIER_AUTO; t <= BATON_TIER_KMOD; t++)
		if (t != BATON_TIER_PERF &&
		    !strcmp(text, baton_tier_name((enum baton_tier)t)))
			return baton_config_set_tier(cfg, (enum baton_tier)t);
	return env_check(-EINVAL, "BATON_TIER", "not auto, poll or kmod");
}

/* The environment over what the program has set. */
static int config_env(struct baton_config *cfg)
{
	unsigned long long procs = cfg->nprocs, workers = cfg->max_workers;
	unsigned long long stack = cfg->stack_size;
	int err;

	err = env_number("BATON_NPROCS", BATON_PROCS_MAX, &procs);
	if (!err)
		err = env_number("BATON_MAX_WORKERS", BATON_WORKERS_MAX,
				 &workers);
	if (!err)
		err = env_number("BATON_STACK_SIZE", STACK_SIZE_MAX, &stack);
	if (err)
		return err;
	cfg->nprocs = (unsigned int)procs;
	cfg->max_workers = (unsigned int)workers;
	err = env_check(baton_config_set_stack_size(cfg, (size_t)stack),
			"BATON_STACK_SIZE", "less than 16 KiB");
	return err ? err : env_tier(cfg);
}

static void config_defaults(struct baton_config *cfg)
{
	if (!cfg->nprocs)
		cfg->nprocs = baton_cpus_allowed();
	if (cfg->nprocs > BATON_PROCS_MAX)
		cfg->nprocs = BATON_PROCS_MAX;
	if (!cfg->max_workers)
		cfg->max_workers = MAX_WORKERS_DEFAULT;
	if (!cfg->stack_size)
		cfg->stack_size = STACK_SIZE_DEFAULT;
}

/* --- start and stop ---------------------------------------------------- */

static int tier_open(struct baton_rt *rt, enum baton_tier tier)
{
	int err;

	if (tier != BATON_TIER_POLL) {
		rt->tier = &baton_tier_kmod;
		err = baton_tier_kmod.open(rt);
		if (!err || tier == BATON_TIER_KMOD)
			return err;
		snprintf(rt->why, sizeof(rt->why), "no kmod: %s",
			 baton_reason());
	} else {
		snprintf(rt->why, sizeof(rt->why), "poll was asked for");
	}
	rt->tier = &baton_tier_poll;
	return baton_tier_poll.open(rt);
}

/*
 * The watcher: starts a worker when the last standby was used and none is on
 * its way, so that one is always ahead of need. In the poll tier its wait is
 * the monitor.
 */
static void *watcher(void *arg)
{
	struct baton_rt *rt = arg;

	do {
		if (baton_workers_suffice(rt))
			continue;
		if (READ_ONCE(rt->nworkers) >= rt->max_workers ||
		    baton_worker_start(rt))
			baton_sched_rescue(rt);
	} while (rt->tier->watch(rt) > 0);
	return NULL;
}

static int watcher_start(struct baton_rt *rt, pthread_t *thread)
{
	sigset_t all;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &rt->sigmask);
	err = -pthread_create(thread, NULL, watcher, rt);
	pthread_sigmask(SIG_SETMASK, &rt->sigmask, NULL);
	return err ? baton_error(err, "no thread: %s", strerror(-err)) : 0;
}

/* The first fiber, at the head of the queue of processor 0. */
static int first_fiber(struct baton_rt *rt, baton_fn fn, void *arg)
{
	rt->main = baton_fiber_create(rt, &rt->procs[0], 0, fn, arg);
	if (!rt->main)
		return baton_error(-ENOMEM, "no memory for a stack");
	runq_push(&rt->procs[0].runq, rt->main);
	return 0;
}

/* Run it on this thread. The other threads are gone when this returns. */
static int run_threads(struct baton_rt *rt)
{
	struct baton_worker *first = rt->first = baton_worker_create(rt);
	pthread_t thread;
	int err;

	if (!first)
		return baton_error(-ENOMEM, "no memory");
	/* Before the watcher starts others: the slots may be few. */
	err = baton_worker_attach(first);
	if (err)
		return baton_error(err, "not a worker: %s", strerror(-err));
	proc_attach(first, 0);
	err = watcher_start(rt, &thread);
	if (err) {
		baton_worker_detach(first);
		return err;
	}
	baton_worker_run(first);
	pthread_join(thread, NULL);
	baton_workers_join(rt);
	return 0;
}

void baton_rt_free(struct baton_rt *rt)
{
	if (rt->tier)
		rt->tier->close(rt);
	free(rt->workers);
	pthread_mutex_destroy(&rt->global.lock);
	free(rt);
}

/* Adopted threads may keep it longer than baton_run() does. */
static void rt_put(struct baton_rt *rt)
{
	bool last;

	baton_workers_lock();
	last = !--rt->users;
	baton_workers_unlock();
	if (last)
		baton_rt_free(rt);
}

static int run(struct baton_rt *rt, const struct baton_config *cfg,
	       baton_fn fn, void *arg, void **result)
{
	int err;

	rt->nprocs = cfg->nprocs;
	rt->max_workers = cfg->max_workers;
	rt->users = 1;
	pthread_mutex_init(&rt->global.lock, NULL);
	baton_stack_pool_init(&rt->stacks, cfg->stack_size);
	rt->workers = calloc(rt->max_workers, sizeof(*rt->workers));
	if (!rt->workers) {
		err = baton_error(-ENOMEM, "no memory");
		goto out;
	}
	err = tier_open(rt, cfg->tier);
	if (err) {
		rt->tier = NULL;
		goto out;
	}
	err = baton_procs_create(rt);
	if (err) {
		baton_error(err, "no memory");
		goto out;
	}
	err = first_fiber(rt, fn, arg);
	if (!err) {
		baton_fault_handler_install();
		smp_store_release(&baton_rt_running, rt);
		err = run_threads(rt);
		if (err)	/* a thread may have called back already */
			baton_sched_stop(rt);
		baton_workers_drain(rt);
		baton_fault_handler_remove();
	}
	if (!err && result)
		*result = rt->main->result;
	baton_workers_destroy(rt);
	baton_procs_destroy(rt);
out:
	baton_stack_pool_uninit(&rt->stacks);
	rt_put(rt);
	return err;
}

int baton_run(const struct baton_config *cfg, baton_fn fn, void *arg,
	      void **result)
{
	static bool busy;
	struct baton_config c = { 0 };
	struct baton_worker *w;
	struct baton_rt *rt;
	int saved = errno, err;

	if (!fn)
		return baton_error(-EINVAL, "no function to run");
	w = baton_worker_self();
	if (w && (!w->adopted || w->depth))
		return baton_error(-EBUSY,
				   "a scheduler runs already, this one's");
	if (w)
		baton_worker_forget(w);
	if (cfg)
		c = *cfg;
	err = config_env(&c);
	errno = saved;
	if (err)
		return err;
	config_defaults(&c);
	if (xchg_acquire(&busy, true))
		return baton_error(-EBUSY, "a scheduler runs already");
	rt = calloc(1, sizeof(*rt));
	err = rt ? run(rt, &c, fn, arg, result) :
		   baton_error(-ENOMEM, "no memory");
	smp_store_release(&busy, false);
	errno = saved;		/* ours never set it, though their parts do */
	return err;
}

/* --- what it tells about itself ---------------------------------------- */

enum baton_tier baton_tier(const char **why)
{
	const struct baton_rt *rt = baton_rt_hold();
	enum baton_tier tier = rt ? rt->tier->id : BATON_TIER_AUTO;

	if (why)
		*why = rt ? rt->why : "no scheduler runs";
	if (rt)
		baton_rt_release();
	return tier;
}

unsigned int baton_nprocs(void)
{
	const struct baton_rt *rt = baton_rt_hold();
	unsigned int n = rt ? rt->nprocs : 0;

	if (rt)
		baton_rt_release();
	return n;
}

static uint64_t get(const void *counter)
{
	return READ_ONCE(*(const uint64_t *)counter);
}

void baton_rt_count_worker(const struct baton_worker *w, struct baton_stats *st)
{
	unsigned int depth = READ_ONCE(w->depth);

	st->calls += get(&w->slot->calls);
	st->callbacks += get(&w->callbacks);
	st->regained += get(&w->regained);
	st->requeued += get(&w->requeued);
	st->parks += get(&w->parks);
	/* Each callback is within a call, but for an adopted thread's first. */
	st->calls_now += depth - (w->adopted && depth) +
			 (slot_state(w->slot) == BATON_FOREIGN);
}

int baton_stats(struct baton_stats *st, size_t size)
{
	const struct baton_rt *rt;
	struct baton_stats s;

	if (!st)
		return -EINVAL;
	baton_workers_lock();
	rt = rt_running();
	if (!rt) {
		baton_workers_unlock();
		return -ESRCH;
	}
	s = rt->gone;
	for (unsigned int i = 0; i < rt->max_workers; i++) {
		if (rt->workers[i])
			baton_rt_count_worker(rt->workers[i], &s);
	}
	s.workers = rt->nworkers;
	s.workers_max = rt->nworkers_max;
	s.adopted = READ_ONCE(rt->adopted);
	s.spawns = READ_ONCE(rt->spawns);
	for (unsigned int i = 0; i < rt->nprocs; i++) {
		s.handoffs += get(&rt->recs[i].handoffs);
		s.idled += get(&rt->recs[i].idled);
		s.steals += get(&rt->procs[i].steals);
		s.spawns += get(&rt->procs[i].spawns);
	}
	baton_workers_unlock();
	memset(st, 0, size);
	memcpy(st, &s, size < sizeof(s) ? size : sizeof(s));
	return 0;
}
