// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * deadlock.c - all fibers wait, and nobody is left who could wake one.
 *
 * Only these can wake a fiber: another fiber, foreign code that was called or
 * calls back, a timer, and a thread that is none of the scheduler's. So it is a
 * deadlock if
 *
 *  - every processor is idle, and no fiber is queued;
 *  - every worker is parked: none is in a foreign call, or on its way home from
 *    one, or has lost its processor in fiber code that blocks;
 *  - no timer is set, and no fiber waits for a descriptor;
 *  - the kernel has no request to a file from any fiber (lib/io);
 *  - every thread of the process is a worker of baton_run(), the watcher, that
 *    of lib/io, or one that the kernel has for io_uring: any other, adopted or
 *    not, may be about to ready a fiber.
 *
 * A false report would be worse than none. Words of many threads are not read
 * at one instant, so the watcher looks twice, a pause apart. A worker that was
 * parked at both looks, and has not begun another park between them, has slept
 * all the time: no store takes as long as that to be seen. When all have, only
 * other threads can have done anything meanwhile. So the watcher counts those
 * before it looks at the processors and the queues for the last time: what a
 * thread has done that is gone by now is seen there.
 *
 * While some other thread lives, or a worker is in a foreign call, nobody says
 * when that changes: a thread may end, and a call may return without a fiber's
 * going on. The watcher looks again after twice the pause each time, so that a
 * process which waits for long is woken less and less.
 *
 * Not seen is a deadlock with fibers that are queued: of as many workers as
 * there may be each waits in a callback, and none is left to run them. The
 * watcher says that all workers are blocked: threads.c.
 */
#include "deadlock.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fiber.h"
#include "list.h"
#include "polling.h"
#include "rt.h"
#include "timer.h"
#include "worker.h"

/* Between the last worker's going to sleep and the first look at it. */
#define PAUSE_NS	100000000

void baton_deadlock_init(struct deadlock *d, enum deadlock_mode mode)
{
	*d = (struct deadlock){
		.mode = mode,
		.doubt = mode == DEADLOCK_OFF ? DOUBT_SEEN : DOUBT_NONE,
	};
}

/* --- is it one? ----------------------------------------------------------- */

static bool at_rest(const struct baton_rt *rt)
{
	return idle_all(rt->hdr, rt->nprocs) && !rt_has_work(rt) &&
	       !polling_wanted(rt);
}

/*
 * Is @task, of /proc/self/task, @dir, one that the kernel has made for io_uring?
 * It stays for a while when there is nothing to do, and some kernels keep one.
 */
static bool kernels_own(int dir, const char *task)
{
	static const char name[] = "iou-wrk-";
	char path[64], text[sizeof(name)] = "";
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "%.40s/comm", task);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	return n > 0 && !strcmp(text, name);
}

static bool aux_busy(const struct baton_rt *rt)
{
	const struct rt_aux *ring = rt_ring(rt);

	return ring && ring->busy && ring->busy(ring);
}

/*
 * Does the process have threads that are none of the scheduler's own? That is
 * assumed if the system does not tell how many there are.
 */
static bool others_live(const struct baton_rt *rt)
{
	const struct rt_aux *ring = rt_ring(rt);
	unsigned int own = 2;	/* the first worker's, and the caller */
	const struct dirent *e;
	DIR *dir;

	own += rt->helpers + rt->profiled;
	/* A retired thread counts for as long as it lives. */
	for (const struct baton_worker *w = rt->started; w; w = w->next)
		own += !READ_ONCE(w->retired);
	dir = opendir("/proc/self/task");
	if (!dir)
		return true;
	own += ring && ring->busy;
	while ((e = readdir(dir)))
		own -= isdigit((unsigned char)e->d_name[0]) &&
		       !(ring && kernels_own(dirfd(dir), e->d_name));
	closedir(dir);
	return own != 0;
}

/* How often they have parked so far, each at least once; 0: some worker is not
 * parked. */
static uint64_t parks(const struct baton_rt *rt)
{
	const struct baton_worker *w = rt->first;
	uint64_t sum = 0;

	for (; w; w = w == rt->first ? rt->started : w->next) {
		/* It is no worker any more; others_live() counts its thread. */
		if (READ_ONCE(w->retired))
			continue;
		if (smp_load_acquire(&w->slot->state) != BATON_PARKED)
			return 0;
		sum += READ_ONCE(w->parks);
	}
	return sum;
}

/* Is it certain? The caller has seen the processors at rest. */
static bool all_asleep(struct baton_rt *rt)
{
	struct deadlock *d = &rt->deadlock;
	uint64_t before = d->parks;

	d->parks = parks(rt);
	if (!d->parks || d->parks != before ||
	    baton_timers_next(rt) != TIMER_NEVER || others_live(rt) ||
	    aux_busy(rt))
		return false;
	return at_rest(rt) && parks(rt) == before;
}

/* --- the report ----------------------------------------------------------- */

static void report(struct baton_rt *rt)
{
	baton_say("baton: all fibers are asleep - deadlock: nothing is left that could wake one\n");
	baton_list_waiting(rt);
	if (rt->deadlock.mode == DEADLOCK_ABORT)
		abort();
}

/* --- when to look --------------------------------------------------------- */

static int64_t look_after(struct deadlock *d, int64_t pause)
{
	d->pause = pause;
	d->due = now_ns() + pause;
	return pause;
}

int64_t baton_deadlock_look(struct baton_rt *rt)
{
	struct deadlock *d = &rt->deadlock;
	uint64_t before = d->parks;
	int64_t left;

	if (deadlock_told(d)) {
		WRITE_ONCE(d->doubt, DOUBT_SEEN);
		return look_after(d, PAUSE_NS);
	}
	if (!d->due)
		return -1;
	left = d->due - now_ns();
	if (left > 0)
		return left;
	/* A full barrier, then a look: who lets the last processor go from now
	 * on sets its idle bit, a full barrier, and then looks at doubt. */
	smp_store_mb(d->doubt, DOUBT_NONE);
	d->due = 0;
	if (!at_rest(rt)) {
		d->parks = 0;
		return -1;
	}
	if (!all_asleep(rt))
		return look_after(d, d->parks != before ? PAUSE_NS :
							  2 * d->pause);
	WRITE_ONCE(d->doubt, DOUBT_SEEN);	/* once is enough */
	report(rt);
	return -1;
}
