// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * list.c - fibers and workers, and what each does.
 *
 * Fibers are found under the lock of the stacks, and looked at after it was
 * dropped, as all records stay mapped: so a reader of the list that is slow, or a
 * table of symbols that is large, holds up nobody. What is said of a fiber that
 * goes on meanwhile may be over.
 */
#include "list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"
#include "fiber.h"
#include "rt.h"
#include "symbols.h"
#include "wait.h"
#include "worker.h"

/* What reports list: any more would be as good as nothing. And of each. */
#define FIBERS_MAX	64u
#define WORKERS_MAX	16u
#define FRAMES_MAX	8u
#define FRAMES_ALL	32u

void baton_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(STDERR_FILENO, fmt, ap);
	va_end(ap);
}

/* Names of code that were looked up: many fibers wait at the same places. */
#define NAMES	64u

struct name {
	uintptr_t addr;
	struct symbol symbol;
	bool found;
};

enum which {
	LIST_WAITING,		/* those that wait */
	LIST_OTHERS,		/* all but one, and the library's own */
	LIST_ALL,		/* also those that have ended */
};

/**
 * struct list - one that is made
 * @rt:     of which scheduler
 * @but:    of LIST_OTHERS, the one
 * @which:  see above
 * @n:      fibers so far
 * @room:   in @fibers
 * @fibers: they are listed once the lock is dropped under which they are found
 * @names:  NAMES of them; NULL: no memory for it
 * @frames: of each, at most
 * @fd:     where to
 * @err:    what has failed there: 0, -errno
 * @len:    bytes of @text that were not written yet
 * @kept:   what is to be written once a lock is dropped: who reads it may be
 *          slow, or not read at all
 * @nkept:  bytes of it
 * @keeps:  is such a lock held?
 */
struct list {
	struct baton_rt *rt;
	const struct baton_fiber *but;
	enum which which;
	size_t n;
	size_t room;
	struct baton_fiber **fibers;
	struct name *names;
	unsigned int frames;
	int fd;
	int err;
	size_t len;
	char text[1024];
	char *kept;
	size_t nkept;
	bool keeps;
};

static void put(struct list *l, const char *text, size_t len)
{
	while (len && !l->err) {
		ssize_t n = write(l->fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			l->err = -errno;
			break;
		}
		text += n;
		len -= (size_t)n;
	}
}

static void keep(struct list *l)
{
	char *more = realloc(l->kept, l->nkept + l->len);

	if (!more) {
		l->err = -ENOMEM;
		return;
	}
	memcpy(more + l->nkept, l->text, l->len);
	l->kept = more;
	l->nkept += l->len;
}

static void flush(struct list *l)
{
	if (l->len && !l->keeps)
		put(l, l->text, l->len);
	else if (l->len)
		keep(l);
	l->len = 0;
}

/* The runtime's lock, and until it is dropped what is said is kept. */
static void lock_and_keep(struct list *l)
{
	flush(l);
	l->keeps = true;
	baton_rt_lock();
}

static void unlock_and_put(struct list *l)
{
	flush(l);
	baton_rt_unlock();
	l->keeps = false;
	put(l, l->kept, l->nkept);
	free(l->kept);
	l->kept = NULL;
	l->nkept = 0;
}

/* Less than half of the text at once. */
static __attribute__((format(printf, 2, 3))) void say(struct list *l,
						      const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->len > sizeof(l->text) / 2)
		flush(l);
	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n < sizeof(l->text) - l->len ?
				  (size_t)n :
				  sizeof(l->text) - l->len - 1;
}

/* A code address, @back bytes after one that is certain. False: no code. */
static bool say_code(struct list *l, const char *before, uintptr_t addr,
		     unsigned int back)
{
	struct name own = { 0 }, *name = &own;

	if (l->names)
		name = &l->names[addr / 4 % NAMES];
	if (!name->found || name->addr != addr) {
		name->addr = addr;
		name->found = baton_symbol_find(&name->symbol, addr - back);
	}
	if (!name->found)
		return false;
	say(l, "%s%s+%#lx", before, name->symbol.name,
	    (unsigned long)(name->symbol.offset + back));
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
 * stack, to code, is the end. All of the stack is mapped, whatever @f does by now.
 */
NO_SANITIZE static void say_calls(struct list *l, const struct baton_fiber *f)
{
	uintptr_t at = (uintptr_t)READ_ONCE(f->ctx.sp) + BATON_CTX_FRAME;
	uintptr_t low = (uintptr_t)READ_ONCE(f->base), high = (uintptr_t)f;

	/* It has ended meanwhile, and its stack was given back. */
	if (!low)
		return;

	for (unsigned int n = 0; n < l->frames; n++) {
		const uintptr_t *frame = (const uintptr_t *)at;

		if (at < low || at > high - 2 * sizeof(*frame) ||
		    at % sizeof(*frame))
			return;
		if (!say_code(l, "    ", unsigned_return(frame[1]), 1))
			return;
		say(l, "\n");
		low = at + 2 * sizeof(*frame);
		at = frame_at(frame[0]);
	}
}
#else
/* This architecture has no such chain. */
static void say_calls(struct list *l, const struct baton_fiber *f)
{
	(void)l;
	(void)f;
}
#endif

static void say_name(struct list *l, const struct baton_fiber *f)
{
	char name[BATON_NAME_SIZE];

	fiber_name(f, name);
	say(l, "fiber %p", (const void *)f);
	if (*name)
		say(l, " \"%s\"", name);
}

NO_SANITIZE static void say_who(struct list *l, const struct baton_fiber *f)
{
	const struct baton_worker *pin = READ_ONCE(f->pin);

	say_name(l, f);
	say_code(l, ", ", symbol_code((uintptr_t)f->fn), 0);
	if (f == l->rt->main)
		say(l, ", the first");
	if (f == READ_ONCE(l->rt->service))
		say(l, ", the library's own");
	if (pin)
		say(l, ", on worker %u alone", pin->index);
}

/*
 * Where thread @tid is in a system call: its next instruction is the last word
 * of what the kernel tells, if it does.
 */
static void say_system_call(struct list *l, uint32_t tid)
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
		say_code(l, ", at ", (uintptr_t)strtoull(pc + 1, NULL, 16), 0);
}

/*
 * The worker that @f is on, or NULL. What it says may be over already. Workers
 * are not freed while the scheduler runs.
 */
NO_SANITIZE static const struct baton_worker *
worker_of(const struct baton_fiber *f)
{
	/* Acquire: its record; pairs with sched_resume(). */
	const struct baton_worker *w = smp_load_acquire(&f->worker);

	return w && READ_ONCE(w->fiber) == f &&
			       slot_state(w->slot) != BATON_PARKED ?
		       w :
		       NULL;
}

/* @f does not wait in the library. */
NO_SANITIZE static void say_runs(struct list *l, const struct baton_fiber *f)
{
	const struct baton_worker *w = worker_of(f);

	if (!w) {
		say(l, ": may run\n");
		return;
	}
	if (slot_state(w->slot) != BATON_FOREIGN) {
		say(l, ": runs on worker %u%s\n", w->index,
		    READ_ONCE(w->depth) ? ", in a callback" : "");
		return;
	}
	say(l, ": in a foreign call on worker %u", w->index);
	say_code(l, ", ", symbol_code((uintptr_t)w->slot->fn), 0);
	say_system_call(l, w->tid);
	say(l, "\n");
}

/* A word of our own memory, if there is any at @addr: it may be freed by now. */
static bool peek(uintptr_t addr, uintptr_t *word)
{
	struct iovec to = { word, sizeof(*word) };
	struct iovec from = { (void *)addr, sizeof(*word) };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) ==
	       (ssize_t)sizeof(*word);
}

/*
 * The fiber whose object this is. Mutexes have their owner in the first word,
 * locks for readers and writers in the second, and no other object has anything
 * there that a fiber's address could be mistaken for.
 */
static const struct baton_fiber *holder_of(struct list *l, uintptr_t object)
{
	const struct baton_fiber *f;
	uintptr_t word;

	for (unsigned int i = 0; i < 2; i++) {
		if (!peek(object + i * sizeof(word), &word))
			return NULL;
		f = (const void *)(word & ~(uintptr_t)3);
		if (f && baton_stack_pool_has(&l->rt->stacks, f))
			return f;
	}
	return NULL;
}

static void say_object(struct list *l, uintptr_t on)
{
	const struct baton_fiber *holder;

	if (on == WAIT_ON_OTHER)
		return;
	if (wait_is_fd(on)) {
		say(l, " for descriptor %d", wait_fd_of(on));
		return;
	}
	say(l, " for %p", (const void *)on);
	holder = holder_of(l, on);
	if (holder) {
		say(l, ", held by ");
		say_name(l, holder);
	}
}

/* What a waiting fiber waits for, since when, and where. */
static void say_waits(struct list *l, const struct baton_fiber *f,
		      enum fiber_state state)
{
	uint32_t ticks = tick_stamp() - READ_ONCE(f->waiter.since);

	if (ticks >= UINT32_MAX / 2)	/* it has begun just now */
		ticks = 0;
	if (state == FIBER_JOINS) {
		say(l, ": baton_join() of fiber %p",
		    (const void *)READ_ONCE(f->waiter.joined));
	} else if (state == FIBER_PARKED) {
		say(l, ": baton_park()");
	} else {
		say(l, ": waits");
		say_object(l, READ_ONCE(f->on));
	}
	say(l, ", for %.1f s\n",
	    (double)((uint64_t)ticks << STAMP_SHIFT) / 1e9);
	say_calls(l, f);
}

static bool is_wait(enum fiber_state state)
{
	return state == FIBER_PARKED || state == FIBER_JOINS ||
	       state == FIBER_WAITS;
}

/* Of any stack: has it a fiber that is to be listed? */
static void find(struct baton_fiber *f, void *arg)
{
	enum fiber_state state = fiber_state(f);
	struct list *l = arg;

	if (state == FIBER_FREE)
		return;
	if (l->which == LIST_WAITING && !is_wait(state))
		return;
	if (l->which == LIST_OTHERS &&
	    (state == FIBER_ENDED || f == l->but ||
	     f == READ_ONCE(l->rt->service)))
		return;
	if (l->n < l->room)
		l->fibers[l->n] = f;
	l->n++;
}

static void say_fiber(struct list *l, const struct baton_fiber *f)
{
	enum fiber_state state = fiber_state(f);

	if (state == FIBER_FREE)	/* by now */
		return;
	say(l, "  ");
	say_who(l, f);
	if (is_wait(state)) {
		say_waits(l, f, state);
	} else if (state == FIBER_ENDED) {
		say(l, ": has ended, and nobody has joined it\n");
	} else {
		say_runs(l, f);
		if (state == FIBER_READY)
			say_calls(l, f);
	}
}

static void say_list(struct list *l)
{
	l->n = 0;
	baton_stack_pool_each(&l->rt->stacks, find, l);
	for (size_t i = 0; i < l->n && i < l->room && !l->err; i++)
		say_fiber(l, l->fibers[i]);
	if (l->n > l->room)
		say(l, "  and %zu more\n", l->n - l->room);
	flush(l);
}

/* Those of a report, on standard error. */
static void report(struct list *l)
{
	struct baton_fiber *fibers[FIBERS_MAX];
	int saved = errno;

	l->fd = STDERR_FILENO;
	l->frames = FRAMES_MAX;
	l->fibers = fibers;
	l->room = FIBERS_MAX;
	l->names = calloc(NAMES, sizeof(*l->names));
	say_list(l);
	free(l->names);
	errno = saved;
}

void baton_list_waiting(struct baton_rt *rt)
{
	struct list l = { .rt = rt, .which = LIST_WAITING };

	report(&l);
}

void baton_list_others(struct baton_rt *rt, const struct baton_fiber *f)
{
	struct list l = { .rt = rt, .which = LIST_OTHERS, .but = f };

	report(&l);
}

static size_t count_all(struct baton_rt *rt)
{
	struct list l = { .rt = rt, .which = LIST_ALL };

	baton_stack_pool_each(&rt->stacks, find, &l);
	return l.n;
}

int baton_list_all(struct baton_rt *rt, int fd)
{
	/* There may be more of them by then. */
	size_t n = count_all(rt), room = n + n / 8 + FIBERS_MAX;
	struct list l = {
		.rt = rt,
		.which = LIST_ALL,
		.fd = fd,
		.frames = FRAMES_ALL,
		.room = room,
	};
	int saved = errno;

	l.fibers = calloc(room, sizeof(*l.fibers));
	l.names = calloc(NAMES, sizeof(*l.names));
	if (l.fibers) {
		say(&l, "baton: %zu fibers, %u processors, %u workers\n", n,
		    rt->nprocs, READ_ONCE(rt->nworkers));
		say_list(&l);
	} else {
		l.err = -ENOMEM;
	}
	free(l.names);
	free(l.fibers);
	errno = saved;
	return l.err;
}

/* --- workers -------------------------------------------------------------- */

/* What keeps @w from other fibers. */
NO_SANITIZE static void say_worker_locked(struct list *l,
					  const struct baton_worker *w)
{
	uint32_t state = slot_state(w->slot);

	baton_rt_assert_locked();
	say(l, "  worker %u: ", w->index);
	if (w->adopted && !READ_ONCE(w->depth)) {
		say(l, "a thread of the program's, between callbacks\n");
		return;
	}
	if (state == BATON_FOREIGN)
		say(l, "in a foreign call");
	else if (READ_ONCE(w->depth))
		say(l, "in a callback");
	else if (READ_ONCE(w->pinned))
		say(l, "locked");
	else
		say(l, "in fiber code");
	if (state == BATON_FOREIGN)
		say_code(l, ", ", symbol_code((uintptr_t)w->slot->fn), 0);
	say_system_call(l, w->slot->tid);
	if (w->fiber) {
		say(l, "; ");
		say_who(l, w->fiber);
	}
	say(l, "\n");
}

void baton_list_workers(struct baton_rt *rt)
{
	struct list l = { .rt = rt, .fd = STDERR_FILENO };
	unsigned int n = 0;

	lock_and_keep(&l);
	for (unsigned int i = 0; i < rt->max_workers; i++)
		if (rt->workers[i] && n++ < WORKERS_MAX)
			say_worker_locked(&l, rt->workers[i]);
	unlock_and_put(&l);
	if (n > WORKERS_MAX)
		say(&l, "  and %u more\n", n - WORKERS_MAX);
	flush(&l);
}

int baton_list_adopted(struct baton_rt *rt, int fd)
{
	struct list l = { .rt = rt, .fd = fd, .frames = FRAMES_ALL };
	int saved = errno;

	lock_and_keep(&l);
	for (unsigned int i = 0; i < rt->max_workers; i++) {
		const struct baton_worker *w = rt->workers[i];

		if (w && w->adopted && READ_ONCE(w->depth))
			say_fiber(&l, w->fiber);
	}
	unlock_and_put(&l);
	errno = saved;
	return l.err;
}
