// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * threads.c - the library's own threads.
 *
 * The watcher starts a worker when the last standby was used and none is on
 * its way, so that one is always ahead of need. A thread that cannot be made is
 * no reason to give up: the watcher tries again after a while, for as long as
 * one is of use. Those that have been idle for long end: trim().
 *
 * A worker whose fiber has ended while locked to it is retired: its thread may
 * be like no other any more, and ends. It gives its slot back first, and wants
 * another worker in its place; the watcher joins the thread when it next comes
 * by. Only the thread of baton_run() cannot end: it gives its slot back as the
 * others, and from then on waits for the end of the scheduler.
 */
#include "threads.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "../tier/tier.h"
#include "clock.h"
#include "debug.h"
#include "list.h"
#include "polling.h"
#include "proc.h"
#include "reason.h"
#include "sched.h"
#include "watcher.h"
#include "worker.h"

/* --- the life of a worker ------------------------------------------------ */

/* The scheduler's first frames on a system stack. */
NO_SANITIZE static void first_frame(void *arg)
{
	struct baton_worker *w = arg;

	w->sys_sp = w->base_sp;
	san_leave(&w->san, &w->san);	/* as if from elsewhere */
	baton_sched_loop(w);
}

/* Run fibers until the scheduler stops, or @w is retired; then detach. */
static void worker_run(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	struct baton_ctx control;
	struct cxx cxx = { 0 };
	bool blocked;

	blocked = baton_interrupt_unblock();
	/* What fibers leave in the control words must not stay behind on the
	 * thread of baton_run(). */
	baton_control_save(&control);
	/* A handler of the thread's own may be what called baton_run(). */
	if (w->cxx)
		cxx = *w->cxx;
	baton_asm_start(first_frame, w, &w->base_sp);
	if (w->cxx)
		*w->cxx = cxx;
	baton_control_load(&control);
	if (blocked)
		baton_interrupt_block();
	baton_worker_detach(w);
	/* After that: its slot may be the only one. */
	if (w->retired)
		baton_watch_want(&rt->watch);
}

/* What a new thread tells its starter. */
struct birth {
	struct baton_worker *w;
	sem_t born;
	int err;
};

/* As reports and debuggers call it. */
static void name_thread(const struct baton_worker *w)
{
	char name[16];

	snprintf(name, sizeof(name), "baton/%u", w->index);
	prctl(PR_SET_NAME, name, 0UL, 0UL, 0UL);
}

static void *worker_thread(void *arg)
{
	struct birth *b = arg;
	struct baton_worker *w = b->w;
	int err;

	/* The watcher's own mask, which is inherited, blocks everything. */
	pthread_sigmask(SIG_SETMASK, &w->rt->sigmask, NULL);
	/* The watcher's own slack is the monitor's affair: foreign code, and
	 * what it executes, is to have that of the process. */
	prctl(PR_SET_TIMERSLACK, w->rt->slack, 0UL, 0UL, 0UL);
	err = baton_worker_attach(w);
	if (!err)
		name_thread(w);
	b->err = err;
	sem_post(&b->born);	/* the last touch of @b */
	if (!err)
		worker_run(w);
	return NULL;
}

/*
 * A worker for one more thread. Those whose thread is gone are used again, and
 * not freed: fibers may lead to them still; see baton_debug_arrive().
 */
static struct baton_worker *worker_get(struct baton_rt *rt)
{
	struct baton_worker *w = rt->spare;

	if (!w)
		return baton_worker_create(rt);
	rt->spare = w->next;
	baton_worker_renew(w);
	return w;
}

static void worker_put(struct baton_rt *rt, struct baton_worker *w)
{
	w->next = rt->spare;
	rt->spare = w;
}

/* One more thread, which parks until it is needed. By the watcher. 0, -errno. */
static int worker_start(struct baton_rt *rt)
{
	struct birth b = { .w = worker_get(rt) };
	int err;

	if (!b.w)
		return -ENOMEM;
	sem_init(&b.born, 0, 0);
	err = -pthread_create(&b.w->thread, NULL, worker_thread, &b);
	if (!err) {
		while (sem_wait(&b.born))
			;
		err = b.err;
		if (err)
			pthread_join(b.w->thread, NULL);
	}
	sem_destroy(&b.born);
	if (err) {
		worker_put(rt, b.w);
	} else {
		b.w->next = rt->started;
		rt->started = b.w;
	}
	return err;
}

/*
 * Join those retired threads that are gone. One that is on its way is let be:
 * destructors of the program's may run there, for as long as they like.
 */
static void reap(struct baton_rt *rt)
{
	struct baton_worker **link = &rt->started, *w;

	while ((w = *link)) {
		if (!READ_ONCE(w->retired) ||
		    pthread_tryjoin_np(w->thread, NULL)) {
			link = &w->next;
			continue;
		}
		*link = w->next;
		worker_put(rt, w);
	}
}

/* --- how many are enough ------------------------------------------------- */

/*
 * @w cannot be counted on: it has lost its processor, or may do so any moment,
 * and runs nothing else; or it has the poller's role, and is no standby; or it
 * serves one fiber only, or, retired, none: then
 * its slot may be another's by now, but it is pinned whatever that one says.
 */
static bool stuck(const struct baton_worker *w)
{
	/* Acquire: a worker that has lost a processor in a callback and looks
	 * for another has set depth before; see slot_set_state(). */
	switch (smp_load_acquire(&w->slot->state)) {
	case BATON_FOREIGN:
		return true;
	case BATON_FIBER:
		if (READ_ONCE(w->slot->taken) == BATON_TAKEN)
			return true;
	}
	return READ_ONCE(w->depth) || READ_ONCE(w->pinned) ||
	       READ_ONCE(w->polling) || READ_ONCE(w->leaves) ||
	       READ_ONCE(w->retired);
}

/*
 * The watcher asks once the last standby was used: one may well be on its way
 * to park, and a thread that is started in vain never ends.
 *
 * Of the workers that are not stuck one for each processor may hold it. If
 * there is one more, it is a standby, or comes to park, or claims an idle
 * processor on its way there: then there were two more. Should any of them lose
 * its processor meanwhile, and there is no standby, the watcher is asked again.
 */
static unsigned int ready_ones(const struct baton_rt *rt)
{
	unsigned int n = !stuck(rt->first);

	for (const struct baton_worker *w = rt->started; w; w = w->next)
		n += !stuck(w);
	return n;
}

static bool suffice(const struct baton_rt *rt)
{
	return ready_ones(rt) > rt->nprocs;
}

/* --- and how many are too many ------------------------------------------- */

/* Between two rounds of waking those that are to end. */
#define TRIM_PAUSE	1000000

/* Has @w waited as a standby ever since the last look? */
static bool idle_long(const struct baton_worker *w)
{
	/* Acquire: a worker that leaves has said so before it is PARKED. */
	return smp_load_acquire(&w->slot->state) == BATON_PARKED &&
	       !READ_ONCE(w->retired) && !READ_ONCE(w->pinned) &&
	       !READ_ONCE(w->polling) && w->looked == READ_ONCE(w->parks);
}

/* @w is woken to end. If it has been woken otherwise just now, it may end all
 * the same, and hands on the processor that it was given. */
static bool dismiss(struct baton_rt *rt, struct baton_worker *w)
{
	WRITE_ONCE(w->leaves, true);
	if (!rt->tier->rouse(rt, w->index))
		return true;
	WRITE_ONCE(w->leaves, false);
	return false;
}

/* Of those that were idle for a period, whoever is not needed. Returns how many
 * were woken: with the module, as many at a time as there are processors. */
static unsigned int dismiss_some(struct baton_rt *rt)
{
	unsigned int n = ready_ones(rt), woken = 0;

	for (struct baton_worker *w = rt->started; w; w = w->next) {
		if (n <= rt->nprocs + 1)
			break;
		if (w->leaves || !idle_long(w))
			continue;
		if (dismiss(rt, w)) {
			n--;
			woken++;
		}
	}
	return woken;
}

/*
 * Threads that were idle for long end, but for one of each processor and one
 * more. Standbys are used last in, first out: those that are not needed wait all
 * the time. Only the thread of baton_run() cannot end.
 */
static void trim(struct baton_rt *rt)
{
	unsigned int own = 0;
	int64_t now;

	for (const struct baton_worker *w = rt->started; w; w = w->next)
		own += !READ_ONCE(w->retired);
	if (!rt->keep || own <= rt->nprocs) {
		rt->keep_due = 0;
		return;
	}
	now = now_ns();
	if (rt->keep_due && now < rt->keep_due)
		return;
	if (rt->keep_due && dismiss_some(rt)) {
		rt->keep_due = now + TRIM_PAUSE;
		return;
	}
	for (struct baton_worker *w = rt->started; w; w = w->next)
		w->looked = READ_ONCE(w->parks);
	rt->keep_due = now + rt->keep;
}

/* --- at the limit --------------------------------------------------------- */

/* @w has lost its processor, or waits in a callback, or for its own fiber. */
static bool blocked(const struct baton_worker *w)
{
	uint32_t state = smp_load_acquire(&w->slot->state);

	if (state == BATON_PARKED)
		return READ_ONCE(w->pinned);
	return (state == BATON_FOREIGN || state == BATON_FIBER) &&
	       READ_ONCE(w->slot->taken) == BATON_TAKEN;
}

/* Fibers wait, a processor is there for them, and no worker. */
static bool all_blocked(struct baton_rt *rt)
{
	bool all = rt_has_work(rt) && idle_any(rt->hdr, rt->nprocs);

	baton_rt_lock();
	for (unsigned int i = 0; all && i < rt->max_workers; i++)
		all = !rt->workers[i] || blocked(rt->workers[i]);
	baton_rt_unlock();
	return all;
}

static void tell_full(struct baton_rt *rt)
{
	count(&rt->waits_for_worker);
	if (rt->waits_for_worker > 1)
		return;
	baton_say("baton: fibers wait for a worker, of which there may be %u: all are blocked (BATON_MAX_WORKERS, see baton_run(3))\n",
		  rt->max_workers);
	baton_list_workers(rt);
}

/* --- the watcher --------------------------------------------------------- */

/* Nanoseconds to the next try, when a thread could not be made. */
#define RETRY_MIN	1000000L
#define RETRY_MAX	100000000L

/* False: one more worker is of use, but could not be made. */
static bool provide(struct baton_rt *rt)
{
	bool made, full;

	reap(rt);
	if (suffice(rt))
		return true;
	made = READ_ONCE(rt->nworkers) < rt->max_workers && !worker_start(rt);
	if (!made) {
		/* A pinned fiber needs no standby. */
		baton_sched_rescue(rt);
		/* Who has the poller's role can do without it. */
		if (rt_has_work(rt))
			polling_kick(rt);
	}
	/* At the limit the next worker that comes home takes its turn. */
	full = !made && READ_ONCE(rt->nworkers) >= rt->max_workers;
	if (full && all_blocked(rt))
		tell_full(rt);
	return made || full;
}

static void *watcher(void *arg)
{
	struct baton_rt *rt = arg;
	long retry = 0;

	prctl(PR_SET_NAME, "baton-watch", 0UL, 0UL, 0UL);
	prctl(PR_SET_TIMERSLACK, rt->watch_slack, 0UL, 0UL, 0UL);
	do {
		if (provide(rt))
			retry = 0;
		else
			retry = !retry		    ? RETRY_MIN :
				retry < RETRY_MAX / 2 ? 2 * retry :
							RETRY_MAX;
		trim(rt);
	} while (baton_watcher_wait(rt, retry));
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

/* --- all of them --------------------------------------------------------- */

int baton_threads_run(struct baton_rt *rt)
{
	struct baton_worker *first = rt->first = baton_worker_create(rt);
	pthread_t thread;
	int slack, err;

	if (!first)
		return baton_error(-ENOMEM, "no memory");
	slack = prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL);
	rt->slack = slack > 0 ? (unsigned long)slack : 0;
	/* Before the watcher starts others: the slots may be few. */
	err = baton_worker_attach(first);
	if (err)
		return err;
	proc_attach(first, 0);
	err = watcher_start(rt, &thread);
	if (err) {
		baton_worker_detach(first);
		return err;
	}
	worker_run(first);
	pthread_join(thread, NULL);
	for (struct baton_worker *w = rt->started; w; w = w->next)
		pthread_join(w->thread, NULL);
	return 0;
}

static void free_list(struct baton_worker *w)
{
	while (w) {
		struct baton_worker *next = w->next;

		free(w);
		w = next;
	}
}

void baton_threads_free(struct baton_rt *rt)
{
	free(rt->first);
	free_list(rt->started);
	free_list(rt->spare);
}
