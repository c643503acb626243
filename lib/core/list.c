// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* list.c - fibers and workers, and what each does, on standard error. */
#include "list.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fiber.h"
#include "rt.h"
#include "symbols.h"
#include "worker.h"

/* What is listed: any more would be as good as nothing. */
#define FIBERS_MAX	64u
#define WORKERS_MAX	16u
#define FRAMES_MAX	8u

void baton_say(const char *fmt, ...)
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
	baton_say("%s%s+%#lx", before, s.name, (unsigned long)(s.offset + back));
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
		baton_say("\n");
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

/**
 * struct list - one that is made
 * @but: all but this fiber and the library's own; NULL: those that wait
 * @n:   fibers so far
 */
struct list {
	struct baton_rt *rt;
	const struct baton_fiber *but;
	unsigned int n;
};

static void say_who(const struct baton_rt *rt, const struct baton_fiber *f)
{
	const struct baton_worker *pin = READ_ONCE(f->pin);
	char name[BATON_NAME_SIZE];

	fiber_name(f, name);
	baton_say("fiber %p", (const void *)f);
	if (*name)
		baton_say(" \"%s\"", name);
	say_code(", ", symbol_code((uintptr_t)f->fn), 0);
	baton_say("%s", f == rt->main ? ", the first" : "");
	if (pin)
		baton_say(", on worker %u alone", pin->index);
}

/* The worker that @f is on, or NULL. What it says may be over already. */
NO_SANITIZE static const struct baton_worker *
worker_of_locked(const struct baton_rt *rt, const struct baton_fiber *f)
{
	baton_rt_assert_locked();
	for (unsigned int i = 0; i < rt->max_workers; i++) {
		const struct baton_worker *w = rt->workers[i];

		if (w && w->fiber == f && slot_state(w->slot) != BATON_PARKED)
			return w;
	}
	return NULL;
}

/* @f does not wait in the library. */
NO_SANITIZE static void say_runs_locked(const struct baton_rt *rt,
					const struct baton_fiber *f)
{
	const struct baton_worker *w = worker_of_locked(rt, f);

	if (!w) {
		baton_say(": may run\n");
		return;
	}
	if (slot_state(w->slot) != BATON_FOREIGN) {
		baton_say(": runs on worker %u\n", w->index);
		return;
	}
	baton_say(": in a foreign call on worker %u", w->index);
	say_code(", ", symbol_code((uintptr_t)w->slot->fn), 0);
	baton_say("\n");
}

/* What a waiting fiber waits for: another one's end, or, NULL, anything else. */
static void say_waits(const struct baton_fiber *f,
		      const struct baton_fiber *joined)
{
	if (joined)
		baton_say(": baton_join() of fiber %p\n", (const void *)joined);
	else if (READ_ONCE(f->permit) >= PERMIT_WAITED)
		baton_say(": baton_park()\n");
	else
		baton_say(": waits\n");
	say_calls(f);
}

/* Of any stack: has it a fiber that is to be listed? */
static void list(struct baton_fiber *f, void *arg)
{
	bool parked = READ_ONCE(f->permit) >= PERMIT_WAITED;
	const struct baton_fiber *joined = READ_ONCE(f->waiter.joined);
	bool waits = joined || READ_ONCE(f->waiter.blocked) != WAITER_OVER;
	struct list *l = arg;

	if (!fiber_lives(f))
		return;
	if (l->but ? f == l->but || f == READ_ONCE(l->rt->service) :
		     !parked && !waits)
		return;
	if (l->n++ >= FIBERS_MAX)
		return;
	baton_say("  ");
	say_who(l->rt, f);
	if (parked || waits)
		say_waits(f, parked ? NULL : joined);
	else
		say_runs_locked(l->rt, f);
}

static void say_list(struct list *l)
{
	baton_stack_pool_each(&l->rt->stacks, list, l);
	if (l->n > FIBERS_MAX)
		baton_say("  and %u more\n", l->n - FIBERS_MAX);
}

void baton_list_waiting(struct baton_rt *rt)
{
	struct list l = { .rt = rt };

	say_list(&l);
}

void baton_list_others(struct baton_rt *rt, const struct baton_fiber *f)
{
	struct list l = { .rt = rt, .but = f };

	baton_rt_lock();
	say_list(&l);
	baton_rt_unlock();
}

/* --- workers -------------------------------------------------------------- */

/*
 * Where thread @tid is in a system call: its next instruction is the last word
 * of what the kernel tells, if it does.
 */
static void say_system_call(uint32_t tid)
{
	char path[64], text[256];
	const char *pc;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%u/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return;
	text[n] = 0;
	pc = strrchr(text, ' ');
	if (pc)
		say_code(", at ", (uintptr_t)strtoull(pc + 1, NULL, 16), 0);
}

/* What keeps @w from other fibers. */
NO_SANITIZE static void say_worker_locked(const struct baton_worker *w)
{
	uint32_t state = slot_state(w->slot);

	baton_rt_assert_locked();
	baton_say("  worker %u: ", w->index);
	if (w->adopted && !READ_ONCE(w->depth)) {
		baton_say("a thread of the program's, between callbacks\n");
		return;
	}
	if (state == BATON_FOREIGN)
		baton_say("in a foreign call");
	else if (READ_ONCE(w->depth))
		baton_say("in a callback");
	else if (READ_ONCE(w->pinned))
		baton_say("locked");
	else
		baton_say("in fiber code");
	if (state == BATON_FOREIGN)
		say_code(", ", symbol_code((uintptr_t)w->slot->fn), 0);
	say_system_call(w->slot->tid);
	if (w->fiber) {
		baton_say("; ");
		say_who(w->rt, w->fiber);
	}
	baton_say("\n");
}

void baton_list_workers(struct baton_rt *rt)
{
	unsigned int n = 0;

	baton_rt_lock();
	for (unsigned int i = 0; i < rt->max_workers; i++)
		if (rt->workers[i] && n++ < WORKERS_MAX)
			say_worker_locked(rt->workers[i]);
	baton_rt_unlock();
	if (n > WORKERS_MAX)
		baton_say("  and %u more\n", n - WORKERS_MAX);
}
