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
 *  - every thread of the process is a worker of baton_run(), or the watcher:
 *    any other, adopted or not, may be about to ready a fiber.
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
 * there may be each waits in a callback, and none is left to run them.
 */
#include "deadlock.h"

#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "fiber.h"
#include "polling.h"
#include "rt.h"
#include "symbols.h"
#include "timer.h"
#include "worker.h"

/* Between the last worker's going to sleep and the first look at it. */
#define PAUSE_NS	100000000

/* What is listed: any more would be as good as nothing. */
#define FIBERS_MAX	64u
#define FRAMES_MAX	8u

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
 * Does the process have threads that are none of the scheduler's own? That is
 * assumed if the system does not tell how many there are.
 */
static bool others_live(const struct baton_rt *rt)
{
	unsigned int own = 2;	/* the first worker's, and the caller */
	const struct dirent *e;
	DIR *dir;

	/* A retired thread counts for as long as it lives. */
	for (const struct baton_worker *w = rt->started; w; w = w->next)
		own += !READ_ONCE(w->retired);
	dir = opendir("/proc/self/task");
	if (!dir)
		return true;
	while ((e = readdir(dir)))
		own -= isdigit((unsigned char)e->d_name[0]) != 0;
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
	    baton_timers_next(rt) != TIMER_NEVER || others_live(rt))
		return false;
	return at_rest(rt) && parks(rt) == before;
}

/* --- the report ----------------------------------------------------------- */

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(STDERR_FILENO, fmt, ap);
	va_end(ap);
}

/* A code address, @back bytes after one that is certain. False: no code. */
static bool say_code(const char *before, uintptr_t addr, unsigned int back)
{
	struct symbol s;

	if (!baton_symbol_find(&s, addr - back))
		return false;
	say("%s%s+%#lx", before, s.name, (unsigned long)(s.offset + back));
	return true;
}

#ifdef BATON_CTX_FRAME
/* Where the frame lies that a frame pointer leads to: the next such pointer,
 * and the return address. */
static uintptr_t frame_at(uintptr_t pointer)
{
#ifdef __riscv
	return pointer - 2 * sizeof(pointer);	/* it points above them */
#else
	return pointer;
#endif
}

/* An address to return to, without a signature. */
static uintptr_t unsigned_return(uintptr_t addr)
{
#ifdef __aarch64__
	register uintptr_t x30 __asm__("x30") = addr;

	__asm__("hint #7" : "+r"(x30));		/* xpaclri */
	return x30;
#else
	return addr;
#endif
}

/*
 * The calls that led @f to where it waits, by the chain of frame pointers. The
 * library keeps one, so that the program's own call is right in any case, and
 * what led to that if the program keeps one, too. What does not lead up the
 * stack, to code, is the end.
 */
NO_SANITIZE static void say_calls(const struct baton_fiber *f)
{
	uintptr_t at = (uintptr_t)f->ctx.sp + BATON_CTX_FRAME;
	uintptr_t low = (uintptr_t)f->base, high = (uintptr_t)f;

	for (unsigned int n = 0; n < FRAMES_MAX; n++) {
		const uintptr_t *frame = (const uintptr_t *)at;

		if (at < low || at > high - 2 * sizeof(*frame) ||
		    at % sizeof(*frame))
			return;
		if (!say_code("    ", unsigned_return(frame[1]), 1))
			return;
		say("\n");
		low = at + 2 * sizeof(*frame);
		at = frame_at(frame[0]);
	}
}
#else
/* This architecture has no such chain. */
static void say_calls(const struct baton_fiber *f)
{
	(void)f;
}
#endif

struct list {
	const struct baton_rt *rt;
	unsigned int n;
};

/* What a waiting fiber waits for: another one's end, or, NULL, anything else. */
static void say_fiber(struct list *l, const struct baton_fiber *f,
		      const struct baton_fiber *joined)
{
	if (l->n++ >= FIBERS_MAX)
		return;
	say("  fiber %p", (const void *)f);
	say_code(", ", symbol_code((uintptr_t)f->fn), 0);
	say("%s", f == l->rt->main ? ", the first" : "");
	if (f->pin)
		say(", on worker %u alone", f->pin->index);
	if (joined)
		say(": baton_join() of fiber %p\n", (const void *)joined);
	else if (READ_ONCE(f->permit) >= PERMIT_WAITED)
		say(": baton_park()\n");
	else
		say(": waits\n");
	say_calls(f);
}

/* Of any stack: does its fiber wait? */
static void list(struct baton_fiber *f, void *arg)
{
	const struct baton_fiber *joiner = READ_ONCE(f->joiner);

	if (joiner == JOIN_FREED || joiner == JOIN_LEFT || joiner == JOIN_DONE)
		return;
	if (READ_ONCE(f->permit) >= PERMIT_WAITED)
		say_fiber(arg, f, NULL);
	else if (READ_ONCE(f->waiter.blocked) != WAITER_OVER)
		say_fiber(arg, f, READ_ONCE(f->waiter.joined));
}

static void report(struct baton_rt *rt)
{
	struct list l = { .rt = rt };

	say("baton: all fibers are asleep - deadlock: nothing is left that could wake one\n");
	baton_stack_pool_each(&rt->stacks, list, &l);
	if (l.n > FIBERS_MAX)
		say("  and %u more\n", l.n - FIBERS_MAX);
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
