// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fatal.c - the end of the process, with a reason.
 *
 * A report says what happened, where, and which calls led there. It is made
 * when anything may be broken: the stack is used up, or is a small one for
 * signals, and the thread may be in the middle of malloc(), stdio or dlopen().
 * So a report
 *
 *  - runs on a stack of its own, which only one thread at a time may use. A
 *    second thread that fails waits for the first to end the process, and no
 *    longer than WAIT_SECONDS: the first may wait for a lock that the second
 *    has. What is done before the change of stacks is kept small;
 *  - allocates nothing, and takes no lock. The message comes first, and the
 *    backtrace last. That is the unwinder's, which goes through foreign calls
 *    and callbacks by the CFI of switch.S, so it shows the whole fiber. With
 *    gcc 12 and glibc 2.35 the unwinder takes no lock, either; older ones take
 *    the loader's, which the thread that has it may take again;
 *  - blocks all signals meanwhile. The kernel ends a process whose thread
 *    faults with the signal blocked: a fault within a report is the end at once.
 *
 * After the report of a fault the default action is restored, and the handler
 * returns to the instruction that failed, which fails again. A signal that was
 * sent is queued again for this thread, with its siginfo_t, and comes at that
 * instruction. What waitpid() tells and what a core dump shows is in both cases
 * as it would be without the library. Should another thread have mapped
 * something meanwhile where a fault was, the instruction succeeds and the
 * process lives, after the report.
 *
 * REJECTED: queueing the siginfo_t of a fault as well. The kernel takes it, but
 * qemu-user ends with a failed assertion of its own.
 */
#include "fatal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "fiber.h"
#include "symbols.h"
#include "worker.h"

#define FRAMES_MAX	64u
#define ALTSTACK_SIZE	((size_t)64 << 10)
#define WAIT_SECONDS	10

struct baton_unwinding *(*baton_unwinding_of)(const struct baton_fiber *f);

/* --- text ------------------------------------------------------------------ */

struct line {
	size_t len;
	char text[768];
};

static void put(struct line *l, const char *text)
{
	while (*text && l->len < sizeof(l->text))
		l->text[l->len++] = *text++;
}

static void put_number(struct line *l, uintptr_t n, unsigned int base)
{
	char text[24], *p = text + sizeof(text);

	*--p = 0;
	do
		*--p = "0123456789abcdef"[n % base];
	while (n /= base);
	put(l, p);
}

static void put_hex(struct line *l, uintptr_t n)
{
	put(l, "0x");
	put_number(l, n, 16);
}

static void flush(struct line *l)
{
	const char *text = l->text;
	ssize_t n;

	while (l->len) {
		n = write(STDERR_FILENO, text, l->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		text += n;
		l->len -= (size_t)n;
	}
	l->len = 0;
}

/* " NAME+0x12", if it has one. @back: how far before @addr it is certain. */
static void put_code(struct line *l, uintptr_t addr, unsigned int back)
{
	struct symbol s;

	if (!baton_symbol_find(&s, addr - back))
		return;
	put(l, " ");
	put(l, s.name);
	put(l, "+");
	put_hex(l, s.offset + back);
}

/* --- where ----------------------------------------------------------------- */

static void put_fiber(struct line *l, const struct baton_fiber *f)
{
	char name[BATON_NAME_SIZE];

	/* A new worker has run none yet. */
	if (!f) {
		put(l, " no fiber");
		return;
	}
	fiber_name(f, name);
	put(l, " fiber ");
	put_hex(l, (uintptr_t)f);
	if (!*name)
		return;
	put(l, " \"");
	put(l, name);
	put(l, "\"");
}

static void say_where(void)
{
	const struct baton_worker *w = baton_worker_self();
	struct line l = { 0 };
	uint32_t state;

	if (!w)
		return;
	state = slot_state(w->slot);
	put(&l, state == BATON_FIBER ? "in the code of" :
		state == BATON_FOREIGN ? "in a foreign call of" :
		"in the scheduler, at the hands of");
	put_fiber(&l, w->fiber);
	put(&l, " on worker ");
	put_number(&l, w->index, 10);
	put(&l, ", ");
	put_number(&l, w->depth, 10);
	put(&l, " callbacks deep");
	if (state == BATON_FOREIGN && w->slot->fn) {
		put(&l, "; called was");
		put_code(&l, symbol_code((uintptr_t)w->slot->fn), 0);
	}
	put(&l, "\n");
	flush(&l);
}

/* --- the calls that led here ------------------------------------------------- */

struct trace {
	unsigned int n;
	uintptr_t ip[FRAMES_MAX];
	bool exact[FRAMES_MAX];	/* a signal's: the next instruction, not a
				 * return address */
};

static _Unwind_Reason_Code frame(struct _Unwind_Context *ctx, void *arg)
{
	struct trace *t = arg;
	int exact = 0;
	uintptr_t ip = _Unwind_GetIPInfo(ctx, &exact);

	if (t->n == FRAMES_MAX)
		return _URC_END_OF_STACK;
	t->ip[t->n] = ip;
	t->exact[t->n++] = exact;
	return _URC_NO_REASON;
}

static void say_frame(unsigned int n, uintptr_t ip, bool exact)
{
	struct line l = { 0 };

	put(&l, "  #");
	put_number(&l, n, 10);
	put(&l, " ");
	put_hex(&l, ip);
	put_code(&l, ip, !exact);
	put(&l, "\n");
	flush(&l);
}

/*
 * From the frame on whose code address is @start: those before are the report's
 * own. Returns how many there were.
 */
static unsigned int say_calls(uintptr_t start)
{
	struct trace t = { 0 };
	unsigned int first = 0, i;

	_Unwind_Backtrace(frame, &t);
	/* The lowest bit is but a mark in some of arm's. */
	while (first < t.n && (t.ip[first] | 1) != (start | 1))
		first++;
	for (i = first; i < t.n && (i == first || t.ip[i]); i++)
		say_frame(i - first, t.ip[i], t.exact[i]);
	return i - first;
}

/* --- one at a time, on a stack of its own ------------------------------------ */

static char emergency_stack[(size_t)64 << 10] __attribute__((aligned(64)));
static int reporting;

/* Not in a report of the same thread. False: do without, it takes too long. */
static bool report_begin(void)
{
	static const struct timespec tick = { .tv_nsec = 10000000 };

	for (int i = 0; xchg(&reporting, 1); i++) {
		if (i == WAIT_SECONDS * 100)
			return false;
		nanosleep(&tick, NULL);
	}
	return true;
}

static void report_end(void)
{
	smp_store_release(&reporting, 0);
}

static bool in_report(uintptr_t sp)
{
	return sp - (uintptr_t)emergency_stack < sizeof(emergency_stack);
}

static void on_emergency_stack(void (*fn)(void *), void *arg)
{
	void *sp;

	baton_asm_call(fn, arg, emergency_stack + sizeof(emergency_stack), &sp);
}

/* By SIGABRT, with the thread's signals as in @mask. */
NO_SANITIZE static _Noreturn void die(const sigset_t *mask)
{
	sigset_t set = *mask;

	/* If nobody reads our standard error, that is not what we die of. */
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	abort();
}

/* --- broken rules -------------------------------------------------------------- */

struct broken {
	const char *fmt;
	va_list *ap;
	uintptr_t caller;
	sigset_t mask;
};

NO_SANITIZE static void report_broken(void *arg)
{
	struct broken *b = arg;
	struct line l = { 0 };
	int n;

	put(&l, "baton: ");
	n = vsnprintf(l.text + l.len, sizeof(l.text) - l.len - 1, b->fmt,
		      *b->ap);
	l.len = n < 0 ? l.len : strnlen(l.text, sizeof(l.text) - 2);
	put(&l, "\n");
	flush(&l);
	say_where();
	say_calls(b->caller);
	die(&b->mask);
}

_Noreturn void baton_fatal(const char *fmt, ...)
{
	struct broken b = {
		.fmt = fmt,
		.caller = (uintptr_t)__builtin_return_address(0),
	};
	sigset_t all;
	va_list ap;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &b.mask);
	va_start(ap, fmt);
	b.ap = &ap;
	if (report_begin())
		on_emergency_stack(report_broken, &b);
	va_end(ap);
	die(&b.mask);
}

/* --- a panic that cannot go on --------------------------------------------------- */

static struct baton_unwinding *unwinding(void)
{
	const struct baton_worker *w = baton_worker_self();
	struct baton_unwinding *u;

	if (!w || !w->fiber || !baton_unwinding_of)
		return NULL;
	u = baton_unwinding_of(w->fiber);
	return u && !u->said ? u : NULL;
}

static void report_unwinding(void *arg)
{
	struct baton_unwinding *u = arg;
	struct line l = { 0 };

	u->said = true;
	put(&l, "baton: panic: ");
	put(&l, u->why ? u->why : "?");
	put(&l, " (");
	put_hex(&l, (uintptr_t)u->value);
	put(&l, "): it cannot leave a function that is noexcept, as destructors are");
	if (u->cxx)
		put(&l, ", nor end a C++ exception in progress, as there was one");
	put(&l, ":");
	put_code(&l, u->at, 1);
	put(&l, "\n");
	flush(&l);
	say_where();
}

void baton_unwinding_failed(void)
{
	struct baton_unwinding *u = unwinding();
	sigset_t all, mask;

	if (!u)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	if (report_begin()) {
		on_emergency_stack(report_unwinding, u);
		report_end();
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* --- signals ------------------------------------------------------------------------ */

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
#define NSIGNALS	(sizeof(signals) / sizeof(signals[0]))

struct fault {
	int sig;
	siginfo_t *info;
	ucontext_t *context;
};

/* What was interrupted: its code address, stack, and where that returns to. */
struct registers {
	uintptr_t pc, sp, caller;
};

static void registers_of(const ucontext_t *uc, struct registers *r)
{
	const mcontext_t *m = &uc->uc_mcontext;

#if defined(__x86_64__)
	r->pc = (uintptr_t)m->gregs[REG_RIP];
	r->sp = (uintptr_t)m->gregs[REG_RSP];
	r->caller = 0;
#elif defined(__i386__)
	r->pc = (uintptr_t)m->gregs[REG_EIP];
	r->sp = (uintptr_t)m->gregs[REG_ESP];
	r->caller = 0;
#elif defined(__arm__)
	r->pc = m->arm_pc;
	r->sp = m->arm_sp;
	r->caller = m->arm_lr;
#elif defined(__aarch64__)
	r->pc = m->pc;
	r->sp = m->sp;
	r->caller = m->regs[30];
#elif defined(__powerpc64__)
	r->pc = m->gp_regs[32];
	r->sp = m->gp_regs[1];
	r->caller = m->gp_regs[36];
#elif defined(__riscv)
	r->pc = m->__gregs[REG_PC];
	r->sp = m->__gregs[REG_SP];
	r->caller = m->__gregs[REG_RA];
#elif defined(__s390x__)
	r->pc = m->psw.addr;
	r->sp = m->gregs[15];
	r->caller = m->gregs[14];
#else
#error "registers_of() does not know this architecture"
#endif
}

/* A word of our own memory, if there is any at @addr. */
static bool peek(uintptr_t addr, uintptr_t *word)
{
	struct iovec to = { word, sizeof(*word) };
	struct iovec from = { (void *)addr, sizeof(*word) };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) ==
	       (ssize_t)sizeof(*word);
}

/* A jump to nowhere: the return address is in its register, or on the stack. */
static uintptr_t caller_of(const struct registers *r)
{
	uintptr_t word;

	if (r->caller)
		return r->caller;
	return peek(r->sp, &word) ? word : 0;
}

/* Sent by somebody, a timer, a queue: not by what this thread did. */
static bool was_sent(const siginfo_t *info)
{
	return info->si_code <= 0;
}

static const char *name_of(int sig)
{
	return sig == SIGSEGV ? "SIGSEGV" : sig == SIGBUS ? "SIGBUS" :
	       sig == SIGFPE ? "SIGFPE" : "SIGILL";
}

static const struct cause {
	int sig, code;
	const char *text;
} causes[] = {
	{ SIGSEGV, SEGV_MAPERR, "nothing is mapped at" },
	{ SIGSEGV, SEGV_ACCERR, "no such access is allowed at" },
	{ SIGBUS, BUS_ADRALN, "a misaligned access to" },
	{ SIGBUS, BUS_ADRERR, "no memory, or the end of a mapped file, at" },
	{ SIGFPE, FPE_INTDIV, "division by zero, or overflow of one, at" },
	{ SIGFPE, FPE_FLTDIV, "floating-point division by zero at" },
	{ SIGFPE, FPE_FLTINV, "invalid floating-point operation at" },
};

static void put_cause(struct line *l, const struct fault *f)
{
	const siginfo_t *info = f->info;

	put(l, name_of(f->sig));
	put(l, ": ");
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i].sig == f->sig && causes[i].code == info->si_code) {
			put(l, causes[i].text);
			put(l, " ");
			put_hex(l, (uintptr_t)info->si_addr);
			return;
		}
	/* The CPU tells no address then. */
	if (info->si_code == SI_KERNEL) {
		put(l, "an address that no memory can have");
		return;
	}
	put(l, f->sig == SIGILL ? "no valid instruction, code " : "code ");
	put_number(l, (uintptr_t)info->si_code, 10);
	put(l, ", at ");
	put_hex(l, (uintptr_t)info->si_addr);
}

static bool in_guard(const struct baton_fiber *f, uintptr_t addr)
{
	uintptr_t base = (uintptr_t)f->base;

	return addr < base && addr >= base - (uintptr_t)sysconf(_SC_PAGESIZE);
}

static void put_overflow(struct line *l, const struct baton_fiber *f)
{
	put(l, "stack overflow of fiber ");
	put_hex(l, (uintptr_t)f);
	put(l, ": ");
	put_number(l, (uintptr_t)f - (uintptr_t)f->base, 10);
	put(l, " bytes are not enough");
}

static void say_calls_of_fault(const struct fault *f)
{
	struct registers r;
	unsigned int n = 0;
	uintptr_t code;

	registers_of(f->context, &r);
	/* An unwinder reads the code of a frame that it has no table for. */
	if (peek(r.pc & ~(sizeof(code) - 1), &code))
		n = say_calls(r.pc);
	/* Not all unwinders get past a signal's frame. */
	if (!n)
		say_frame(n++, r.pc, true);
	if (n == 1)
		say_frame(n, caller_of(&r), false);
}

/* A thread that is in a fiber's code, its foreign call, or the scheduler? */
static bool is_ours(const struct baton_worker *w)
{
	return w && w->fiber &&
	       !(w->adopted && slot_state(w->slot) == BATON_PARKED);
}

static void report_fault(const struct fault *f)
{
	const struct baton_worker *w = baton_worker_self();
	bool overflow = in_guard(w->fiber, (uintptr_t)f->info->si_addr);
	struct line l = { 0 };

	put(&l, "baton: ");
	if (overflow)
		put_overflow(&l, w->fiber);
	else
		put_cause(&l, f);
	put(&l, "\n");
	flush(&l);
	say_where();
	say_calls_of_fault(f);
	if (overflow)
		die(&f->context->uc_sigmask);
	/* As in die(), until the instruction has failed again. */
	sigaddset(&f->context->uc_sigmask, SIGPIPE);
}

/* Does the instruction fail once more? Not if the kernel found bad memory. */
static bool recurs(const struct fault *f)
{
	if (f->sig == SIGBUS && f->info->si_code == BUS_MCEERR_AO)
		return false;
	return !was_sent(f->info);
}

/* As if there had been no handler. */
static void default_again(const struct fault *f)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	long tid = syscall(SYS_gettid);

	sigaction(f->sig, &sa, NULL);
	if (recurs(f))
		return;
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, f->sig, f->info))
		syscall(SYS_tgkill, getpid(), tid, f->sig);
}

NO_SANITIZE static void report_signal(void *arg)
{
	struct fault *f = arg;
	struct baton_unwinding *u;

	if (!was_sent(f->info)) {
		if (is_ours(baton_worker_self()))
			report_fault(f);
	} else if (f->sig == SIGABRT && (u = unwinding())) {
		report_unwinding(u);
	}
	default_again(f);
}

/* On whatever stack the program has for signals: that may be a small one. */
NO_SANITIZE static void on_signal(int sig, siginfo_t *info, void *context)
{
	struct fault f = { sig, info, context };
	struct registers r;

	registers_of(context, &r);
	if (!in_report(r.sp) && report_begin())
		on_emergency_stack(report_signal, &f);
	else
		default_again(&f);
}

void baton_fault_handler_install(void)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK }, old;

	sa.sa_sigaction = on_signal;
	sigfillset(&sa.sa_mask);
	for (size_t i = 0; i < NSIGNALS; i++)
		if (!sigaction(signals[i], NULL, &old) &&
		    old.sa_handler == SIG_DFL)
			sigaction(signals[i], &sa, NULL);
}

void baton_fault_handler_remove(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL }, old;

	for (size_t i = 0; i < NSIGNALS; i++)
		if (!sigaction(signals[i], NULL, &old) &&
		    (old.sa_flags & SA_SIGINFO) &&
		    old.sa_sigaction == on_signal)
			sigaction(signals[i], &sa, NULL);
}

void baton_fault_stack_create(struct baton_worker *w)
{
	stack_t old, new = { .ss_size = ALTSTACK_SIZE };

	if (sigaltstack(NULL, &old) || !(old.ss_flags & SS_DISABLE))
		return;		/* it has one */
	new.ss_sp = w->altstack;
	if (!new.ss_sp)
		new.ss_sp = mmap(NULL, ALTSTACK_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				 -1, 0);
	if (new.ss_sp == MAP_FAILED)
		return;		/* it dies without a message then */
	w->altstack = new.ss_sp;
	sigaltstack(&new, NULL);
}

void baton_fault_stack_leave(struct baton_worker *w)
{
	stack_t old, none = { .ss_flags = SS_DISABLE };

	if (!w->altstack)
		return;
	/* Foreign code may have put another in its place. */
	if (!sigaltstack(NULL, &old) && old.ss_sp == w->altstack)
		sigaltstack(&none, NULL);
}

void baton_fault_stack_unmap(struct baton_worker *w)
{
	if (w->altstack)
		munmap(w->altstack, ALTSTACK_SIZE);
	w->altstack = NULL;
}
