// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * debug.c - what a debug build looks for.
 *
 * Thread-locals: when a fiber resumes on another thread, the registers that a
 * call preserves, and the live part of its stack, are searched for addresses in
 * the thread-local variables of the thread that it has left. Like a
 * conservative garbage collector's, this search cannot tell a value in use from
 * one that is left over: hence BATON_TLS_CHECK. It does not see an address
 * within a structure on the heap, one that is computed anew from the thread
 * pointer in a register, nor those of modules that were loaded after the thread
 * became a worker. Of the C library's own there is errno alone: what its
 * functions leave on the stack is none of the program's.
 *
 * Signal handlers: their frame has a mark in the unwind tables, but on arm and
 * ppc64.
 */
#include "debug.h"

#ifdef BATON_DEBUG

#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "fatal.h"
#include "fiber.h"
#include "worker.h"

/*
 * How much of what a fiber has left behind below its frames is cleared: more
 * than the library's own take.
 */
#define DEAD_SIZE	1024u

/* A thread's descriptor, which pthread_self() points to, is smaller. */
#define DESCRIPTOR_MAX	8192u

/* --- thread-local variables ----------------------------------------------- */

static bool covers(uintptr_t start, size_t size, uintptr_t addr)
{
	return addr - start < size;
}

/*
 * Where the program's follow the thread's descriptor, the first one's address
 * is the end of that, by which the C library finds its way: not that one.
 */
static unsigned int beyond_descriptor(uintptr_t start)
{
	return start - (uintptr_t)pthread_self() < DESCRIPTOR_MAX;
}

static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct baton_worker *w = arg;
	struct debug *d = &w->debug;
	uintptr_t start = (uintptr_t)info->dlpi_tls_data;
	uintptr_t errnop = (uintptr_t)w->errnop;

	(void)size;
	for (unsigned int i = 0; start && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_TLS || !ph->p_memsz ||
		    d->n == DEBUG_RANGES)
			continue;
		d->ranges[d->n].start = start + beyond_descriptor(start);
		d->ranges[d->n].size = ph->p_memsz - beyond_descriptor(start);
		d->modules[d->n] = info->dlpi_name;
		if (*info->dlpi_name && covers(start, ph->p_memsz, errnop)) {
			d->ranges[d->n].start = errnop;
			d->ranges[d->n].size = sizeof(*w->errnop);
			d->modules[d->n] = "errno";
		}
		d->n++;
	}
	return 0;
}

void baton_debug_attach(struct baton_worker *w)
{
	w->debug.n = 0;
	dl_iterate_phdr(add_module, w);
}

/*
 * What lies there from earlier calls would be found in later ones' frames. It
 * is cleared when a fiber enters the library, for that one's own frames, and
 * when it leaves its stack.
 */
void __attribute__((noinline)) baton_debug_clear(void)
{
	char dead[DEAD_SIZE];

	memset(dead, 0, sizeof(dead));
	__asm__ volatile("" : : "r"(dead) : "memory");	/* it is used */
}

/* Of the words from our caller's frame to @top, the first such address. */
static const uintptr_t *__attribute__((noinline))
find_held(const struct debug *d, const void *top, unsigned int *module)
{
	const uintptr_t *word = __builtin_dwarf_cfa();

	for (; word < (const uintptr_t *)top; word++)
		for (unsigned int i = 0; i < d->n; i++)
			if (covers(d->ranges[i].start, d->ranges[i].size,
				   *word)) {
				*module = i;
				return word;
			}
	return NULL;
}

static void report(const struct debug *d, const struct baton_fiber *f,
		   const uintptr_t *word, unsigned int module, bool only_warn)
{
	static const char text[] = "fiber %p has changed threads and still holds the address of a thread-local variable of the old one: %#lx, at %p on its stack (%s+%#lx)";
	const char *name = d->modules[module];
	unsigned long value = *word;
	unsigned long off = value - d->ranges[module].start;

	if (!*name)
		name = "the program";
	if (!only_warn)
		baton_fatal(text, (const void *)f, value, (const void *)word,
			    name, off);
	fputs("baton: ", stderr);
	fprintf(stderr, text, (const void *)f, value, (const void *)word, name,
		off);
	fputc('\n', stderr);
}

void __attribute__((noinline))
baton_debug_arrive(const struct baton_worker *w, const struct baton_fiber *f)
{
	const uintptr_t *word;
	unsigned int module;
	const char *check;

	if (f->worker == w)
		return;
	check = secure_getenv("BATON_TLS_CHECK");
	if (check && !strcmp(check, "off"))
		return;
	/* All registers that a call preserves are in our frame from here on. */
	__builtin_unwind_init();
	/* Workers are freed when no fiber runs any more. */
	word = find_held(&w->debug, fiber_top((struct baton_fiber *)f),
			 &module);
	if (word)
		report(&w->debug, f, word, module,
		       check && !strcmp(check, "warn"));
}

/* More than the frames of scheduler code take. */
#define SCHEDULER_FRAMES	((uintptr_t)64 << 10)

/* --- contracts ------------------------------------------------------------ */

_Noreturn void baton_debug_broken(const char *function, const char *what)
{
	baton_fatal("a contract is broken in %s(): %s", function, what);
}

/* Is the calling function on the stack of @f? */
static bool __attribute__((noinline)) on_stack_of(const struct baton_fiber *f)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

	return sp >= (uintptr_t)f->base && sp < (uintptr_t)f;
}

void baton_debug_assert_fiber(const struct baton_worker *w,
			      const struct baton_fiber *f)
{
	debug_assert(w == baton_worker_self());
	debug_assert(w->fiber == f);
	debug_assert(slot_state(w->slot) == BATON_RUNTIME);
	debug_assert(on_stack_of(f));
}

void baton_debug_assert_system(const struct baton_worker *w)
{
	debug_assert(w == baton_worker_self());
	debug_assert(slot_state(w->slot) == BATON_RUNTIME);
	/* The fiber that ran last may be gone, stack and all: so it is the
	 * distance to where scheduler code begins that tells. */
	debug_assert((uintptr_t)w->sys_sp -
			     (uintptr_t)__builtin_frame_address(0) <
		     SCHEDULER_FRAMES);
}

void baton_debug_scopes_left(const struct baton_fiber *f,
			     const struct baton_scope *scope, uint32_t masked)
{
	if (f->scope != scope)
		baton_fatal("a fiber or callback ended within a baton_deadline_push() of its own");
	if (f->masked != masked)
		baton_fatal("a fiber ended within a baton_cancel_mask() of its own");
}

/* --- signal handlers ------------------------------------------------------ */

static _Unwind_Reason_Code look(struct _Unwind_Context *ctx, void *arg)
{
	bool *found = arg;
	int before = 0;

	/* Of a frame that was interrupted, the instruction is yet to come. */
	_Unwind_GetIPInfo(ctx, &before);
	*found |= before;
	return before ? _URC_END_OF_STACK : _URC_NO_REASON;
}

void baton_debug_enter(void)
{
	bool found = false;

	_Unwind_Backtrace(look, &found);
	if (found)
		baton_fatal(
			"called from a signal handler, or from what it calls");
	baton_debug_clear();
}

#endif /* BATON_DEBUG */
