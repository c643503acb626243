// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* interrupt.c - a cancel that reaches a foreign call; see interrupt.h. */
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "claim.h"
#include "clock.h"
#include "fence.h"
#include "fiber.h"
#include "lock.h"
#include "worker.h"

/* Its default action is none. */
#define SIGNAL SIGURG

/* Between two signals at the same call, at first and at most. */
#define PAUSE_MIN_NS 1000L
#define PAUSE_MAX_NS 10000000L

/* --- the signal ---------------------------------------------------------- */

/*
 * What the program had for SIGNAL when the first handler was installed, and what
 * it had when the last one was: @first, or one of @later. Who reads one there
 * goes on to have what it says while the next is written to the other.
 */
static struct sigaction first, later[2];
static const struct sigaction *program; /* NULL: none was installed yet */
static bool installed; /* under baton_rt_lock() */

static void (*on_timer)(void); /* constant while it is installed */

static bool timers(const siginfo_t *info)
{
	return info->si_code == SI_TIMER && info->si_ptr == &installed;
}

static bool ours(const siginfo_t *info)
{
	return timers(info) ||
	       (info->si_code == SI_QUEUE && info->si_ptr == &installed);
}

/* The signal that this thread's handler passes to the program's, and its frame. */
static __thread struct {
	const siginfo_t *info;
	const char *frame;
} passing __attribute__((tls_model("initial-exec")));

static void handler(int sig, siginfo_t *info, void *ctx);

static bool is_handler(const struct sigaction *sa)
{
	return (sa->sa_flags & SA_SIGINFO) && sa->sa_sigaction == handler;
}

/* Is there a function to call? */
static bool handles(const struct sigaction *sa)
{
	return (sa->sa_flags & SA_SIGINFO) ||
	       (sa->sa_handler != SIG_DFL && sa->sa_handler != SIG_IGN);
}

static void pass(const struct sigaction *sa, int sig, siginfo_t *info,
		 void *ctx)
{
	if (sa->sa_flags & SA_SIGINFO)
		sa->sa_sigaction(sig, info, ctx);
	else if (handles(sa))
		sa->sa_handler(sig);
}

/*
 * To come is all that the signal has to do, unless it is a timer's. What is none
 * of ours is for the program: for what it had last, or, where that has called
 * this, for what it had at first. It may call this as part of what we pass on to
 * it, or as the one that is installed. A handler of the program's may leave by
 * siglongjmp(): a frame that is no deeper is not within it any more.
 */
static void handler(int sig, siginfo_t *info, void *ctx)
{
	const char *frame = __builtin_frame_address(0);
	__typeof__(passing) outer = passing;
	struct sigaction now;

	if (timers(info))
		on_timer();
	if (ours(info))
		return;
	if ((outer.info == info && frame < outer.frame) ||
	    (!sigaction(SIGNAL, NULL, &now) && !is_handler(&now))) {
		pass(&first, sig, info, ctx);
		return;
	}
	passing.info = info;
	passing.frame = frame;
	/* Acquire: pairs with install_locked(). */
	pass(smp_load_acquire(&program), sig, info, ctx);
	passing = outer;
}

/* Does a system call end for @sa? */
static bool interrupts(const struct sigaction *sa)
{
	return handles(sa) && !(sa->sa_flags & SA_RESTART);
}

/* Where to keep what the program has now. */
static struct sigaction *spare(void)
{
	if (!program)
		return &first;
	return program == later ? later + 1 : later;
}

/*
 * With the first signal: a program that cancels no foreign call keeps its own.
 * Without SA_RESTART, or nothing would be interrupted. Once more where the
 * program has set something else since that interrupts nothing.
 */
static void install_locked(void)
{
	struct sigaction ours = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	struct sigaction now, *kept;

	baton_rt_assert_locked();
	sigaction(SIGNAL, NULL, &now);
	if (installed && interrupts(&now))
		return;
	if (!is_handler(&now)) {
		kept = spare();
		*kept = now;
		/* Release: what it says, before the handler reads it. */
		smp_store_release(&program, kept);
		ours.sa_mask = now.sa_mask;
		sigaction(SIGNAL, &ours, NULL);
	}
	installed = true;
}

void baton_interrupt_timers(void (*fn)(void))
{
	baton_rt_lock();
	on_timer = fn;
	install_locked();
	baton_rt_unlock();
}

/* Not all C libraries have a name for it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

void baton_interrupt_event(struct sigevent *event, uint32_t tid)
{
	memset(event, 0, sizeof(*event));
	event->sigev_notify = SIGEV_THREAD_ID;
	event->sigev_signo = SIGNAL;
	event->sigev_value.sival_ptr = &installed;
	event->sigev_notify_thread_id = (pid_t)tid;
}

void baton_interrupt_uninit(void)
{
	struct sigaction now;

	baton_rt_lock();
	/* The program may have set another meanwhile. */
	if (installed && !sigaction(SIGNAL, NULL, &now) && is_handler(&now))
		sigaction(SIGNAL, program, NULL);
	installed = false;
	baton_rt_unlock();
}

static bool mask(int how)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL);
	pthread_sigmask(how, &set, &old);
	return sigismember(&old, SIGNAL) == 1;
}

bool baton_interrupt_unblock(void)
{
	return mask(SIG_UNBLOCK);
}

void baton_interrupt_block(void)
{
	mask(SIG_BLOCK);
}

static void send(const struct baton_worker *w)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_ptr = &installed;
	syscall(SYS_rt_tgsigqueueinfo, getpid(), w->slot->tid, SIGNAL, &info);
}

/* --- the worker ---------------------------------------------------------- */

void baton_interrupt_want(struct baton_worker *w)
{
	/* Full barriers, both: rare before interrupts, for the watcher. */
	atomic_fetch_or(&w->rare, RARE_WANTED);
	if (!xchg(&w->rt->interrupts, 1u))
		baton_watch_kick(&w->rt->watch);
}

void baton_interrupt_begin(struct baton_worker *w)
{
	const struct baton_fiber *f = w->fiber;

	if (READ_ONCE(f->canceled) && !f->masked)
		baton_interrupt_want(w);
}

/*
 * WANTED is withdrawn, and all but @keep with it. The watcher is in the middle of
 * a system call at most. True: it has sent.
 */
static bool withdraw(struct baton_worker *w, uint32_t keep)
{
	struct backoff b = {0};
	uint32_t rare = READ_ONCE(w->rare);

	for (;;) {
		if (rare & RARE_SENDING) {
			baton_backoff(&b);
			rare = READ_ONCE(w->rare);
		} else if (try_cmpxchg(&w->rare, &rare, rare & keep)) {
			return rare & RARE_HIT;
		}
	}
}

/*
 * What was sent to this thread is pending, or has come. A system call lets it
 * in; this one takes it off the queue, too, if foreign code has blocked it, and
 * does not wait. There is one at most, since signals below the real-time ones
 * do not queue.
 */
static void await(void)
{
	const struct timespec none = {0};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL);
	/* One that is the program's goes back, with its value if it has one. */
	if (sigtimedwait(&set, &info, &none) == SIGNAL && !ours(&info) &&
	    syscall(SYS_rt_sigqueueinfo, getpid(), SIGNAL, &info))
		kill(getpid(), SIGNAL);
}

void baton_cancel_heard(struct baton_fiber *f)
{
	struct backoff b = {0};
	uint32_t due = CANCEL_DUE;

	/* Who cancels has it in hand, tries to end a wait, and finds none. */
	while (!try_cmpxchg(&f->canceled, &due, CANCEL_NONE) &&
	       due == CANCEL_IN_HAND) {
		baton_backoff(&b);
		due = CANCEL_DUE;
	}
}

void baton_interrupt_over(struct baton_worker *w, int err)
{
	if (READ_ONCE(w->rare) & RARE_FENCE)
		smp_mb(); /* state before rare */
	if (!withdraw(w, RARE_FENCE))
		return;
	await();
	/* A cancel that comes now comes before this one was heard of. */
	if (err == EINTR)
		baton_cancel_heard(w->fiber);
}

void baton_interrupt_masked(struct baton_worker *w)
{
	int err = *w->errnop;

	smp_mb(); /* masked before rare */
	if (!withdraw(w, RARE_FENCE | RARE_TRACE))
		return;
	await();
	/* The call has heard of it if it ends with that errno. */
	if (err == EINTR)
		atomic_fetch_or(&w->rare, RARE_HIT);
	*w->errnop = err;
}

void baton_interrupt_unmasked(struct baton_worker *w)
{
	smp_mb(); /* masked before canceled */
	baton_interrupt_begin(w);
}

void baton_interrupt_forked(struct baton_worker *w)
{
	w->rare &= RARE_FENCE;
	w->interrupt = (struct interrupt){0};
}

/* --- the watcher --------------------------------------------------------- */

/*
 * Interrupt what @w does, if that is foreign code of a fiber that is canceled.
 * SENDING: it does not leave that meanwhile. True: look again after a pause.
 */
static bool interrupt_locked(struct baton_rt *rt, struct baton_worker *w)
{
	const struct baton_fiber *f;

	/* Forbidden: from now on the worker pays. It is tried again. */
	if (!READ_ONCE(rt->fence) && !membarrier_all()) {
		__baton_fences_on(rt);
		return true;
	}
	/* Without membarrier() a worker's way in has no fence: its store of
	 * FOREIGN may be on its way. It is seen before the pauses are long. */
	if (smp_load_acquire(&w->slot->state) != BATON_FOREIGN)
		return READ_ONCE(rt->fence) &&
		       w->interrupt.pause < PAUSE_MAX_NS;
	f = w->fiber;
	if (!READ_ONCE(f->canceled) || READ_ONCE(f->masked))
		return false;
	install_locked();
	atomic_fetch_or(&w->rare, RARE_HIT);
	send(w);
	return true;
}

/* Nanoseconds to the next look at @w; -1: there is nothing to look for. */
static long watch_locked(struct baton_rt *rt, struct baton_worker *w)
{
	struct interrupt *i = &w->interrupt;
	uint32_t rare = READ_ONCE(w->rare);
	uint64_t calls = READ_ONCE(w->slot->calls);
	int64_t now = now_ns();
	bool more;

	if (!(rare & RARE_WANTED))
		return -1;
	if (i->calls != calls) {
		i->calls = calls;
		i->pause = PAUSE_MIN_NS;
	} else if (now < i->again) {
		return (long)(i->again - now);
	}
	/* Full barrier: SENDING before state. */
	while (!try_cmpxchg(&w->rare, &rare,
			    (rare & ~RARE_WANTED) | RARE_SENDING))
		if (!(rare & RARE_WANTED))
			return -1;
	more = interrupt_locked(rt, w);
	if (more)
		atomic_fetch_or(&w->rare, RARE_WANTED);
	/* Release: the signal was sent. */
	atomic_fetch_andnot(&w->rare, RARE_SENDING);
	if (!more)
		return -1;
	i->again = now + i->pause;
	i->pause = i->pause < PAUSE_MAX_NS / 2 ? 2 * i->pause : PAUSE_MAX_NS;
	return (long)(i->again - now);
}

long baton_interrupt_watch(struct baton_rt *rt)
{
	long next = -1;

	/* Full barrier: interrupts before rare; see baton_interrupt_want(). */
	if (!READ_ONCE(rt->interrupts) || !xchg(&rt->interrupts, 0u))
		if (!rt->interrupting)
			return -1;
	baton_rt_lock();
	for (unsigned int i = 0; i < rt->max_workers; i++) {
		long ns = rt->workers[i] ? watch_locked(rt, rt->workers[i]) :
					   -1;

		if (ns >= 0 && (next < 0 || ns < next))
			next = ns;
	}
	baton_rt_unlock();
	rt->interrupting = next >= 0;
	return next;
}
