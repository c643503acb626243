// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fatal.c - the end of the process, with a reason.
 *
 * The backtrace is the unwinder's, which goes through foreign calls and
 * callbacks by the CFI of switch.S, so it shows the whole fiber. Nothing here
 * allocates, but for what dladdr() may do.
 */
#include "fatal.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include "fiber.h"
#include "worker.h"

#define FRAMES_MAX	64u
#define ALTSTACK_SIZE	((size_t)64 << 10)

static void say(const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	while (len && (n = write(STDERR_FILENO, text, len)) > 0) {
		text += n;
		len -= (size_t)n;
	}
}

static _Unwind_Reason_Code frame(struct _Unwind_Context *ctx, void *arg)
{
	unsigned int *n = arg;
	uintptr_t ip = _Unwind_GetIP(ctx);
	Dl_info info;
	char line[256];

	if (!ip || *n == FRAMES_MAX)
		return _URC_END_OF_STACK;
	if (!dladdr((void *)ip, &info))
		snprintf(line, sizeof(line), "  #%u %p\n", *n, (void *)ip);
	else if (info.dli_sname)
		snprintf(line, sizeof(line), "  #%u %p %s+%#zx\n", *n,
			 (void *)ip, info.dli_sname,
			 ip - (uintptr_t)info.dli_saddr);
	else	/* for addr2line */
		snprintf(line, sizeof(line), "  #%u %p %s+%#zx\n", *n,
			 (void *)ip, info.dli_fname,
			 ip - (uintptr_t)info.dli_fbase);
	say(line);
	++*n;
	return _URC_NO_REASON;
}

_Noreturn void baton_fatal(const char *fmt, ...)
{
	const struct baton_worker *w = baton_worker_self();
	unsigned int n = 0;
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say("baton: ");
	say(text);
	say("\n");
	if (w) {
		snprintf(text, sizeof(text), "fiber %p on worker %u, %u callbacks deep\n",
			 (void *)w->fiber, w->index, w->depth);
		say(text);
	}
	_Unwind_Backtrace(frame, &n);
	abort();
}

/* --- the guard of a fiber's stack --------------------------------------- */

static void on_fault(int sig, siginfo_t *info, void *context)
{
	const struct baton_worker *w = baton_worker_self();
	const struct baton_fiber *f = w ? w->fiber : NULL;
	uintptr_t addr = (uintptr_t)info->si_addr;
	struct sigaction sa = { .sa_handler = SIG_DFL };

	(void)context;
	if (f && addr < (uintptr_t)f->base &&
	    addr >= (uintptr_t)f->base - (uintptr_t)sysconf(_SC_PAGESIZE))
		baton_fatal(
			"stack overflow of fiber %p: %zu bytes are not enough",
			(void *)f,
			(size_t)((const char *)f - (const char *)f->base));
	/* Not ours: again, and the default's. */
	sigaction(sig, &sa, NULL);
}

void baton_fault_handler_install(void)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK }, old;

	if (sigaction(SIGSEGV, NULL, &old) || old.sa_handler != SIG_DFL)
		return;
	sa.sa_sigaction = on_fault;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGSEGV, &sa, NULL);
}

void baton_fault_handler_remove(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL }, old;

	if (!sigaction(SIGSEGV, NULL, &old) && (old.sa_flags & SA_SIGINFO) &&
	    old.sa_sigaction == on_fault)
		sigaction(SIGSEGV, &sa, NULL);
}

void baton_fault_stack_create(struct baton_worker *w)
{
	stack_t old, new = { .ss_size = ALTSTACK_SIZE };

	w->altstack = NULL;
	if (sigaltstack(NULL, &old) || !(old.ss_flags & SS_DISABLE))
		return;		/* it has one */
	new.ss_sp = mmap(NULL, ALTSTACK_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (new.ss_sp == MAP_FAILED)
		return;		/* it dies without a message then */
	if (sigaltstack(&new, NULL))
		munmap(new.ss_sp, ALTSTACK_SIZE);
	else
		w->altstack = new.ss_sp;
}

void baton_fault_stack_destroy(struct baton_worker *w)
{
	stack_t old, none = { .ss_flags = SS_DISABLE };

	if (!w->altstack)
		return;
	/* Foreign code may have put another in its place. */
	if (!sigaltstack(NULL, &old) && old.ss_sp == w->altstack)
		sigaltstack(&none, NULL);
	munmap(w->altstack, ALTSTACK_SIZE);
}
