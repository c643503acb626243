// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * idle.c - the tier that needs neither module nor privilege: the kernel's idle
 * class tells who has blocked.
 *
 * A thread of class SCHED_IDLE that is bound to a CPU runs there when no
 * ordinary thread wants to. If it is runnable already, it runs at the very
 * switch at which a worker there goes to sleep: in a foreign call, in fiber
 * code or in a page fault. To a worker that computes it costs next to nothing,
 * some 0.3 % of a CPU at most, since it does not get to run.
 *
 * Such a thread is here a *sentinel*. Each CPU on which a worker with a
 * processor was seen while fibers waited has one, made by the watcher
 * (sentinels_make()); so CPUs that come, go, or become forbidden need no more
 * care. A sentinel is in one of three conditions:
 *
 *	asleep	no fiber waits, or no worker is on its CPU: it costs nothing
 *	armed	runnable, and kept from its CPU by whoever computes there
 *	looking	it runs: its CPU has become free
 *
 * Whoever queues a fiber while all processors are busy arms the sentinels of
 * the CPUs where their workers are, if any sentinel sleeps: watch_work(), one
 * load otherwise. A sentinel that gets to run and finds no fiber waiting goes
 * to sleep; one that finds the workers on other CPUs arms the sentinels there.
 * The watcher's tick does the same, for workers that move meanwhile.
 *
 * A look. Which worker was here last, that has a processor? The C library's
 * area for restartable sequences tells each thread's CPU (rseq(2)). It may have
 * been preempted for our own small share of time, so two sched_yield() follow:
 * if both come back at once and the slot has not changed, nobody wants this CPU,
 * and the worker sleeps.
 *
 * A sentinel takes nothing itself. It may be kept from its CPU between any two
 * instructions, for long, and would keep whoever waits for it as well. So it
 * has no lock and no processor at any time, nor does it count itself anywhere:
 * it leaves a hint, what it saw of which worker, and pokes a standby, one that
 * sleeps on this CPU if there is one near the head of the list. That is of
 * ordinary class, and takes the processor by the protocol of claim.h, if the
 * worker still does what it did (idle_park()). A hint that is wrong costs a
 * wake-up. One that comes to nothing, since the standby was given a processor
 * just then, is given again after a nap; and so is one for which there was no
 * standby, unless whoever parks next finds it first.
 *
 * Behind it is the monitor of the tier poll, which looks less often here: a look
 * while a sentinel is at work would only keep that from its CPU. On a CPU that
 * other programs keep busy a sentinel comes late or never; and the monitor looks
 * here at fibers, too, whose threads sleep by what /proc says.
 *
 * The end of the scheduler is the one thing that waits for a sentinel, if it is
 * in the middle of a look (LOOKING); and the end of a worker's thread, if it reads
 * that thread's CPU just then, which is a few instructions. At all other places
 * it touches its own memory alone, and may end later than the scheduler.
 *
 * REJECTED: that the sentinel takes the processor, and makes it idle. Kept from
 * its CPU in the middle of that it has it for as long, some 0.3 s beside one
 * program that computes, and the worker that comes home finds it taken.
 * REJECTED: to become a worker oneself, one switch less. Without RLIMIT_NICE or
 * CAP_SYS_NICE a thread may not leave the idle class.
 */
#include <errno.h>
#include <limits.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "../core/claim.h"
#include "../core/clock.h"
#include "../core/futex.h"
#include "../core/lock.h"
#include "../core/reason.h"
#include "../core/worker.h"
#include "monitor.h"
#include "tier.h"

/* Two sched_yield() that come back later than that have let somebody run. */
#define LOOK_NS		30000

/* While a processor is on its way from one worker to the next there is nothing
 * to be seen: until the next look, at first and at most. */
#define NAP_MIN_NS	50000L
#define NAP_MAX_NS	10000000L

/* A hint that a fiber's thread sleeps is as good as new for so long. */
#define HINT_NS		200000

/* The end of a scheduler waits for its sentinels to end for so long; what is
 * late then the next one's beginning waits for. ThreadSanitizer wants all to be
 * joined. */
#ifdef __SANITIZE_THREAD__
#define LATE_NS		INT64_MAX
#else
#define LATE_NS		2000000
#endif

/* sentinel.state */
#define ASLEEP	1u	/* it sleeps, or is about to; who clears it wakes it */
#define LOOKING	2u	/* it looks at what is the scheduler's; its own bit */
#define GONE	4u	/* its scheduler is: it is to touch that no more */

/**
 * struct hint - to take a processor from a worker; torn at worst, which the
 *               protocol of claim.h finds out, or it is one more wrong hint
 * @given: by a sentinel; whoever clears it takes it
 * @sight: what for
 * @when:  it was given, in nanoseconds
 */
struct hint {
	uint32_t given;
	struct sight sight;
	int64_t when;
};

/**
 * struct sentinel - the thread of a CPU
 * @rt:     constant
 * @cpu:    its number; constant
 * @set:    that CPU; constant
 * @size:   of @set, bytes; constant
 * @thread: constant; the watcher's
 * @pid:    constant; of a parent's a child has none
 * @slack:  of its timers, ns; constant
 * @tid:    for the kernel; 0: it has not begun. Its own until its first look
 * @pinned: it was bound to its CPU; its own
 * @class:  it is of class SCHED_IDLE; its own
 * @state:  ASLEEP, LOOKING, GONE; the futex
 * @reads:  looks at one thread's CPU, begun and ended: odd in the middle of one
 * @last:   the hint it gave last; its own
 * @next:   of those that are late
 */
struct sentinel {
	struct baton_rt *rt;
	unsigned int cpu;
	cpu_set_t *set;
	size_t size;
	pthread_t thread;
	pid_t pid;
	unsigned long slack;
	pid_t tid;
	bool pinned;
	bool class;
	uint32_t state;
	uint32_t reads;
	struct sight last;
	struct sentinel *next;
};

/**
 * struct idle - the tier's data
 * @monitor:   first; see monitor.h
 * @ncpus:     entries of @sentinels; constant
 * @sentinels: by CPU; NULL: none yet. Written by the watcher alone
 * @cpus:      by slot: where the kernel keeps the number of the CPU of that
 *             thread; NULL: there is no thread. The thread's own
 * @readers:   threads that look at what @cpus leads to, which the C library
 *             frees when the thread has ended: detach waits for them, and for
 *             sentinels that do (sentinel.reads)
 * @hints:     by processor
 */
struct idle {
	struct monitor monitor;
	unsigned int ncpus;
	struct sentinel **sentinels;
	const uint32_t **cpus;
	uint32_t readers;
	struct hint *hints;
};

static struct idle *idle_of(struct baton_rt *rt)
{
	return rt->tier_data;
}

/* --- on which CPU -------------------------------------------------------- */

/* The C library's, since glibc 2.35; size 0: the kernel has none, or the user
 * does not want it. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static char *thread_pointer(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return (char *)pthread_self();	/* it is, in glibc; clang has no other */
#elif defined(__powerpc64__)
	register char *tp __asm__("r13");	/* by the ABI */

	return tp;
#else
	return __builtin_thread_pointer();
#endif
}

/* Where the kernel keeps the number of the calling thread's CPU, or NULL. */
static const uint32_t *own_cpu(void)
{
	const struct rseq *area;

	if (!&__rseq_size || !__rseq_size)
		return NULL;
	area = (const struct rseq *)(thread_pointer() + __rseq_offset);
	return (int)READ_ONCE(area->cpu_id) < 0 ? NULL : &area->cpu_id;
}

/*
 * Where the worker of processor @p was when it was last in user mode; -1 if the
 * processor is idle, or nobody knows. By a reader.
 */
static int proc_cpu(struct baton_rt *rt, unsigned int p)
{
	const uint32_t *at;

	at = smp_load_acquire(&idle_of(rt)->cpus[READ_ONCE(rt->recs[p].worker)]);
	return at && !idle_test(rt->hdr, p) ? (int)READ_ONCE(*at) : -1;
}

/* The same by sentinel @s. Whoever waits for it waits for these instructions
 * only. Full barrier, then release; they pair with idle_detach(). */
static int proc_cpu_seen(struct sentinel *s, unsigned int p)
{
	int cpu;

	smp_store_mb(s->reads, s->reads + 1);
	cpu = proc_cpu(s->rt, p);
	smp_store_release(&s->reads, s->reads + 1);
	return cpu;
}

/* Full barriers: the count before the look at @cpus, and what that leads to
 * before the count. Pair with idle_detach(). */
static void read_begin(struct idle *t)
{
	atomic_fetch_add(&t->readers, 1);
}

static void read_end(struct idle *t)
{
	atomic_fetch_sub(&t->readers, 1);
}

/* --- arming -------------------------------------------------------------- */

static void arm(struct sentinel *s)
{
	if (READ_ONCE(s->state) & ASLEEP &&
	    atomic_fetch_andnot(&s->state, ASLEEP) & ASLEEP)
		futex_wake(&s->state);
}

static struct sentinel *sentinel_of(struct idle *t, int cpu)
{
	return cpu < 0 || (unsigned int)cpu >= t->ncpus ?
		       NULL :
		       smp_load_acquire(&t->sentinels[cpu]);
}

/* Arm the sentinel of CPU @cpu. False: it has none. */
static bool arm_on(struct idle *t, int cpu)
{
	struct sentinel *s = sentinel_of(t, cpu);

	if (s)
		arm(s);
	return s;
}

/* Arm those of the CPUs where workers with processors are. By a reader. */
static void arm_all(struct baton_rt *rt)
{
	for (unsigned int p = 0; p < rt->nprocs; p++)
		arm_on(idle_of(rt), proc_cpu(rt, p));
}

/*
 * The same by sentinel @s. True: each processor that is not idle has another one.
 * A worker on @s's own CPU has been passed over, as one whose processor is on its
 * way to the next, or has come since: who else would look again?
 */
static bool arm_others(struct sentinel *s)
{
	struct baton_rt *rt = s->rt;
	bool all = true;

	for (unsigned int p = 0; p < rt->nprocs; p++) {
		int cpu = proc_cpu_seen(s, p);

		if ((cpu == (int)s->cpu || !arm_on(idle_of(rt), cpu)) &&
		    !idle_test(rt->hdr, p))
			all = false;
	}
	return all;
}

static void armed(struct watch *watch)
{
	struct baton_rt *rt = (struct baton_rt *)((char *)watch -
						  offsetof(struct baton_rt,
							   watch));

	read_begin(idle_of(rt));
	arm_all(rt);
	read_end(idle_of(rt));
}

/* --- a sentinel ---------------------------------------------------------- */

/* From here on it may look at what is the scheduler's. False: that is gone. */
static bool look_begin(struct sentinel *s)
{
	uint32_t old = 0;

	return try_cmpxchg(&s->state, &old, LOOKING);
}

/* Pairs with sentinel_end(). */
static void look_end(struct sentinel *s)
{
	atomic_fetch_andnot(&s->state, LOOKING);
}

/* Bound to its CPU, and there? A program may bind all its threads anew. */
static bool at_home(struct sentinel *s)
{
	/* sentinel_end() wants it to run wherever there is room. */
	if (READ_ONCE(s->state) & GONE)
		return false;
	/* -EINVAL: the CPU is offline, or not for us any more. */
	if (!s->pinned || sched_getcpu() != (int)s->cpu)
		s->pinned = !sched_setaffinity(0, s->size, s->set);
	return s->pinned && s->class;
}

/* Of processor @p, whose worker was here last. */
static bool see(struct sentinel *s, unsigned int p, struct sight *sight)
{
	struct baton_rt *rt = s->rt;
	const struct baton_slot *slot;

	if (proc_cpu_seen(s, p) != (int)s->cpu)
		return false;
	sight->proc = p;
	sight->worker = READ_ONCE(rt->recs[p].worker);
	slot = &rt->slots[sight->worker];
	sight->state = READ_ONCE(slot->state);
	sight->calls = READ_ONCE(slot->calls);
	return (sight->state == BATON_FIBER || sight->state == BATON_FOREIGN) &&
	       READ_ONCE(slot->taken) == BATON_KEPT &&
	       READ_ONCE(slot->proc) == p;
}

/* The first such, from processor @from on. */
static bool see_any(struct sentinel *s, unsigned int from,
		    struct sight *sight)
{
	for (unsigned int p = from; p < s->rt->nprocs; p++)
		if (see(s, p, sight))
			return true;
	return false;
}

static bool same(const struct sight *a, const struct sight *b)
{
	return a->proc == b->proc && a->worker == b->worker &&
	       a->state == b->state && a->calls == b->calls;
}

/*
 * What a look came to. The sentinel sleeps after all but BUSY and HINTED: at
 * ELSEWHERE until it is armed, otherwise for a nap.
 */
enum look {
	HINTED,		/* a standby is to take a processor */
	AGAIN,		/* the same once more, since nobody has taken it */
	BUSY,		/* the CPU is wanted by others */
	NOBODY,		/* whom to take from, for now */
	ELSEWHERE,	/* are all who have processors */
};

static enum look hint(struct sentinel *s, const struct sight *sight)
{
	struct baton_rt *rt = s->rt;
	struct hint *h = &idle_of(rt)->hints[sight->proc];
	bool again = same(sight, &s->last);

	s->last = *sight;
	WRITE_ONCE(h->sight.worker, sight->worker);
	WRITE_ONCE(h->sight.state, sight->state);
	WRITE_ONCE(h->sight.calls, sight->calls);
	WRITE_ONCE(h->when, now_ns());
	/* Full barrier: the hint before the poke; pairs with take_hinted(). */
	xchg(&h->given, 1u);
	if (!baton_bunk_poke(rt, (int)s->cpu))
		baton_watch_want(&rt->watch);
	return again || READ_ONCE(h->given) ? AGAIN : HINTED;
}

/* Begun by look_begin(). That it is GONE meanwhile is found out at the next. */
static enum look look(struct sentinel *s)
{
	struct sight first, second;
	int64_t start;

	if (!see_any(s, 0, &first))
		return arm_others(s) ? ELSEWHERE : NOBODY;
	look_end(s);
	start = now_ns();
	sched_yield();
	sched_yield();
	start = now_ns() - start;
	/* It may have been hurried to another CPU, and tells nothing there. */
	if (!look_begin(s) || start > LOOK_NS ||
	    sched_getcpu() != (int)s->cpu ||
	    !see_any(s, first.proc, &second) || !same(&first, &second))
		return BUSY;
	return hint(s, &first);
}

/*
 * Sleep until armed, or for @ns, unless negative. @work: a fiber that waits
 * makes that void.
 *
 * The bit is set and then the queues are looked at; who queues a fiber does the
 * reverse, though on one processor without a fence between the two. That does
 * here: it is the sentinel of that worker's own CPU that matters, and the two
 * never run at the same time. The others are armed by the tick.
 */
static void rest(struct sentinel *s, long ns, bool work)
{
	struct timespec limit = timespec_of(ns < 0 ? 0 : ns);
	bool stay;

	atomic_fetch_or(&s->state, ASLEEP);
	atomic_fetch_or(&s->rt->watch.asleep, ASLEEP_TIER);
	stay = rt_stopping(s->rt) || (work && rt_has_work(s->rt));
	look_end(s);
	if (!stay)
		do
			futex_wait(&s->state, ASLEEP, ns < 0 ? NULL : &limit);
		while (ns < 0 && READ_ONCE(s->state) == ASLEEP);
	atomic_fetch_andnot(&s->state, ASLEEP);
}

static void *sentinel(void *arg)
{
	static const struct sched_param param;
	struct sentinel *s = arg;
	struct baton_rt *rt = s->rt;
	long nap = NAP_MIN_NS;

	prctl(PR_SET_NAME, "baton-idle", 0UL, 0UL, 0UL);
	/* It inherits the watcher's, which is the watcher's alone. */
	prctl(PR_SET_TIMERSLACK, s->slack, 0UL, 0UL, 0UL);
	s->tid = (pid_t)syscall(SYS_gettid);
	s->class = !sched_setscheduler(0, SCHED_IDLE, &param);
	while (look_begin(s) && !rt_stopping(rt)) {
		bool work = rt_has_work(rt);
		enum look seen = work && at_home(s) ? look(s) : ELSEWHERE;

		if (seen == NOBODY || seen == AGAIN) {
			rest(s, nap, false);
			nap = nap < NAP_MAX_NS / 2 ? 2 * nap : NAP_MAX_NS;
			continue;
		}
		nap = NAP_MIN_NS;
		if (seen == ELSEWHERE)
			rest(s, -1, !work);
		else
			look_end(s);
	}
	look_end(s);
	return NULL;
}

/* --- who is hinted at ---------------------------------------------------- */

/* By worker @w, which has no processor. True: it holds @p. */
static bool take(struct baton_worker *w, unsigned int p)
{
	struct baton_rt *rt = w->rt;
	const struct hint *h = &idle_of(rt)->hints[p];
	const struct sight sight = {
		.proc = p,
		.worker = READ_ONCE(h->sight.worker),
		.state = READ_ONCE(h->sight.state),
		.calls = READ_ONCE(h->sight.calls),
	};
	int64_t when = READ_ONCE(h->when);
	struct baton_site *site;

	/* Of a call it is known if it is the same as then. */
	if (sight.state == BATON_FIBER && now_ns() - when > HINT_NS &&
	    !baton_thread_sleeps(READ_ONCE(rt->slots[sight.worker].tid)))
		return false;
	if (!baton_monitor_take(rt, CLAIM_TAKER(w->index + 1), &sight, when,
				&site))
		return false;
	atomic_fetch_add_relaxed(&rt->recs[p].handoffs, 1);
	atomic_fetch_add_relaxed((uint64_t *)&site->handoffs, 1);
	return true;
}

/* A processor that @w holds, or -1. If there are more they are others'. */
static int take_hinted(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	int got = -1;

	for (unsigned int p = 0; p < rt->nprocs; p++) {
		struct hint *h = &idle_of(rt)->hints[p];

		/* Before what fiber waits, which it was given for. */
		if (!READ_ONCE(h->given) || !xchg(&h->given, 0u) ||
		    !rt_has_work(rt) || !take(w, p))
			continue;
		if (got < 0)
			got = (int)p;
		else
			baton_bunk_wake(rt, p, TIER_ANY);
	}
	if (got >= 0 && !READ_ONCE(idle_of(rt)->monitor.bunks.standby))
		baton_watch_want(&rt->watch);
	return got;
}

static int idle_park(struct baton_worker *w, unsigned int flags)
{
	int p;

	do {
		p = flags & TIER_PINNED ? -1 : take_hinted(w);
		if (p < 0)
			p = baton_bunk_park(w, flags);
	} while (p == -EAGAIN);
	return p;
}

static int idle_swap(struct baton_worker *w, unsigned int proc,
		     unsigned int index, unsigned int flags)
{
	int p = baton_bunk_swap(w, proc, index, flags);

	return p == -EAGAIN ? idle_park(w, flags) : p;
}

/* --- all of them --------------------------------------------------------- */

/* Those that had not ended when their scheduler did. */
static struct sentinel *late;

static void sentinel_free(struct sentinel *s)
{
	CPU_FREE(s->set);
	free(s);
}

static void sentinel_make(struct baton_rt *rt, unsigned int cpu)
{
	struct idle *t = idle_of(rt);
	struct sentinel *s = malloc(sizeof(*s));

	if (!s)
		return;
	*s = (struct sentinel){
		.rt = rt,
		.cpu = cpu,
		.set = CPU_ALLOC(cpu + 1),
		.size = CPU_ALLOC_SIZE(cpu + 1),
		.pid = getpid(),
		.slack = rt->slack,
	};
	if (s->set) {
		CPU_ZERO_S(s->size, s->set);
		CPU_SET_S(cpu, s->size, s->set);
	}
	/* It inherits the watcher's mask, which blocks all signals. */
	if (!s->set || pthread_create(&s->thread, NULL, sentinel, s)) {
		sentinel_free(s);	/* the next tick tries again */
		return;
	}
	rt->helpers++;
	smp_store_release(&t->sentinels[cpu], s);
}

/* One for each CPU where a worker with a processor is, and armed. By the
 * watcher. */
static void sentinels_make(struct baton_rt *rt)
{
	struct idle *t = idle_of(rt);

	read_begin(t);
	for (unsigned int p = 0; p < rt->nprocs; p++) {
		int cpu = proc_cpu(rt, p);

		if (cpu >= 0 && (unsigned int)cpu < t->ncpus &&
		    !t->sentinels[cpu])
			sentinel_make(rt, (unsigned int)cpu);
	}
	arm_all(rt);
	read_end(t);
}

/* @s, which others keep from its CPU, is to run wherever there is room, and binds
 * itself anew at its next look (at_home()). A while, the longer the later. */
static void sentinel_hurry(struct sentinel *s, struct backoff *b)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	/* By the number of the kernel's, which a thread in the middle of
	 * something has published and keeps. */
	sched_setaffinity(s->tid, sizeof(all), &all);
	baton_backoff(b);
}

/*
 * Its thread has been told to end, by idle_stop(), unless that came before it
 * was listed. From here on it touches nothing but @s.
 */
static void sentinel_end(struct sentinel *s)
{
	struct backoff b = { 0 };

	atomic_fetch_or(&s->state, GONE);
	arm(s);
	/* Acquire: its look before the free; pairs with look_end(). */
	while (smp_load_acquire(&s->state) & LOOKING)
		sentinel_hurry(s, &b);	/* it may have bound itself meanwhile */
}

static void sentinel_join(struct sentinel *s, int64_t end)
{
	struct backoff b = { 0 };

	while (pthread_tryjoin_np(s->thread, NULL)) {
		if (now_ns() < end) {
			baton_backoff(&b);
			continue;
		}
		s->next = READ_ONCE(late);
		while (!try_cmpxchg(&late, &s->next, s))
			;
		return;
	}
	sentinel_free(s);
}

/* Nobody else's threads: deadlock.c counts. */
static void sentinels_join_late(void)
{
	struct sentinel *s = xchg(&late, NULL), *next;

	for (; s; s = next) {
		next = s->next;
		if (s->pid == getpid())
			pthread_join(s->thread, NULL);
		sentinel_free(s);
	}
}

static long idle_tick(struct baton_rt *rt, bool fresh)
{
	long ns = baton_monitor_tick(rt, fresh);

	if (idle_of(rt)->monitor.blind || !rt_has_work(rt))
		return ns;
	sentinels_make(rt);
	return ns;
}

/* --- the tier ------------------------------------------------------------ */

static void idle_free(struct idle *t)
{
	free(t->sentinels);
	free(t->hints);
	free(t->cpus);
	free(t);
}

/* A call that cannot succeed: is that because of what it asks for, as it should
 * be, or is the call not to be had? */
static bool forbidden(int ret)
{
	return !ret || errno != EINVAL;
}

/* 0; or why not. */
static int supported(const struct baton_rt *rt)
{
	static const struct sched_param param = { .sched_priority = 1 };
	static const cpu_set_t none;

	if (san_valgrind())
		return baton_error(-ENOTSUP,
				   "valgrind runs one thread at a time");
	if (!own_cpu())
		return baton_error(-ENOTSUP,
				   "no rseq() by the C library, which tells each thread's CPU: glibc 2.35 and Linux 4.18 have it");
	if (rt->fence)
		return baton_error(-ENOTSUP, "no membarrier()");
	if (forbidden(sched_setscheduler(0, SCHED_IDLE, &param)))
		return baton_error(-ENOTSUP,
				   "a thread may not have the class SCHED_IDLE: error %d",
				   errno);
	if (forbidden(sched_setaffinity(0, sizeof(none), &none)))
		return baton_error(-ENOTSUP,
				   "a thread may not be bound to a CPU: error %d",
				   errno);
	return 0;
}

static int idle_open(struct baton_rt *rt)
{
	struct idle *t;
	int err = supported(rt);

	if (err)
		return err;
	t = calloc(1, sizeof(*t));
	if (!t)
		return baton_error(-ENOMEM, "no memory");
	t->ncpus = (unsigned int)get_nprocs_conf();
	t->sentinels = calloc(t->ncpus, sizeof(*t->sentinels));
	t->cpus = calloc(rt->max_workers, sizeof(*t->cpus));
	t->hints = calloc(rt->nprocs, sizeof(*t->hints));
	if (!t->sentinels || !t->cpus || !t->hints)
		err = baton_error(-ENOMEM, "no memory");
	else
		err = baton_monitor_open(rt, &t->monitor);
	if (err) {
		idle_free(t);
		return err;
	}
	sentinels_join_late();
	t->monitor.fibers = true;
	t->monitor.second = true;
	rt->watch.arm = armed;
	rt->tier_data = t;
	return 0;
}

static void idle_close(struct baton_rt *rt)
{
	struct idle *t = idle_of(rt);

	int64_t end;

	for (unsigned int i = 0; i < t->ncpus; i++)
		if (t->sentinels[i])
			sentinel_end(t->sentinels[i]);
	end = now_ns();
	end = LATE_NS > INT64_MAX - end ? INT64_MAX : end + LATE_NS;
	for (unsigned int i = 0; i < t->ncpus; i++)
		if (t->sentinels[i])
			sentinel_join(t->sentinels[i], end);
	baton_monitor_close(rt, &t->monitor);
	idle_free(t);
}

static int idle_attach(struct baton_worker *w)
{
	int err = baton_bunk_attach(w);

	if (!err)
		smp_store_release(&idle_of(w->rt)->cpus[w->index], own_cpu());
	return err;
}

/* The thread may end after this: nobody looks at what is its own any more. Full
 * barrier; pairs with read_begin() and proc_cpu_seen(). */
static void idle_detach(struct baton_worker *w)
{
	struct idle *t = idle_of(w->rt);
	struct backoff b = { 0 };

	smp_store_mb(t->cpus[w->index], NULL);
	while (smp_load_acquire(&t->readers))
		baton_backoff(&b);
	for (unsigned int i = 0; i < t->ncpus; i++) {
		struct sentinel *s = sentinel_of(t, (int)i);

		/* Acquire, here and below: its look before the free. */
		uint32_t reads = s ? smp_load_acquire(&s->reads) : 0;

		while (reads % 2 && smp_load_acquire(&s->reads) == reads)
			sentinel_hurry(s, &b);
	}
	baton_bunk_detach(w);
}

static void idle_stop(struct baton_rt *rt)
{
	struct idle *t = idle_of(rt);

	baton_bunks_stop(rt);
	for (unsigned int i = 0; i < t->ncpus; i++) {
		struct sentinel *s = sentinel_of(t, (int)i);

		if (s)
			arm(s);
	}
}

const struct tier_ops baton_tier_idle = {
	.id = BATON_TIER_IDLE,
	.open = idle_open,
	.close = idle_close,
	.attach = idle_attach,
	.detach = idle_detach,
	.park = idle_park,
	.wake = baton_bunk_wake,
	.swap = idle_swap,
	.rouse = baton_bunk_rouse,
	.stop = idle_stop,
	.tick = idle_tick,
};
