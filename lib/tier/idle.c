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
 * A look. Which worker was here last, that has a processor? The C library's area
 * for restartable sequences tells each thread's CPU (rseq(2)). It may have been
 * preempted for our own small share of time, so two sched_yield() follow: if
 * both come back at once and the slot has not changed, nobody wants this CPU,
 * and the worker sleeps. Then the taker's protocol of claim.h, which is right
 * about the processor even if the look was wrong about the worker.
 *
 * No locks. A sentinel may be kept from its CPU between any two instructions,
 * for long, and would keep whoever waits for it as well. So it takes none that
 * others want: it makes the processor idle, which any worker may then claim,
 * and pokes a standby to do so (baton_bunk_poke()).
 *
 * Behind it is the monitor of the tier poll. On a CPU that other programs keep
 * busy a sentinel comes late or never; and the monitor looks here at fibers,
 * too, whose threads sleep by what /proc says.
 *
 * REJECTED: giving the processor to a standby by baton_bunk_wake(). It takes a
 * lock, see above.
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

/**
 * struct sentinel - the thread of a CPU
 * @rt:     constant
 * @cpu:    its number; constant
 * @thread: constant; the watcher's
 * @pinned: it was bound to its CPU; its own
 * @class:  it is of class SCHED_IDLE; its own
 * @asleep: it sleeps, or is about to; the futex. Whoever makes it 0 wakes it
 */
struct sentinel {
	struct baton_rt *rt;
	unsigned int cpu;
	pthread_t thread;
	bool pinned;
	bool class;
	uint32_t asleep;
};

/**
 * struct idle - the tier's data
 * @monitor:   first; see monitor.h
 * @ncpus:     entries of @sentinels; constant
 * @sentinels: by CPU; NULL: none yet. Written by the watcher alone
 * @cpus:      by slot: where the kernel keeps the number of the CPU of that
 *             thread; NULL: there is no thread. The thread's own
 * @readers:   threads that look at what @cpus leads to, which the C library
 *             frees when the thread has ended: detach waits for them
 */
struct idle {
	struct monitor monitor;
	unsigned int ncpus;
	struct sentinel **sentinels;
	const uint32_t **cpus;
	uint32_t readers;
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
 * processor is idle, or nobody knows. Full barriers: the count before the look at
 * @cpus, and what that leads to before the count. Pair with idle_detach().
 */
static int proc_cpu(struct baton_rt *rt, unsigned int p)
{
	struct idle *t = idle_of(rt);
	const uint32_t *at;
	int cpu = -1;

	atomic_fetch_add(&t->readers, 1);
	at = smp_load_acquire(&t->cpus[READ_ONCE(rt->recs[p].worker)]);
	if (at && !idle_test(rt->hdr, p))
		cpu = (int)READ_ONCE(*at);
	atomic_fetch_sub(&t->readers, 1);
	return cpu;
}

/* --- arming -------------------------------------------------------------- */

static void arm(struct sentinel *s)
{
	if (READ_ONCE(s->asleep) && xchg(&s->asleep, 0u))
		futex_wake(&s->asleep);
}

static struct sentinel *sentinel_of(struct idle *t, int cpu)
{
	return cpu < 0 || (unsigned int)cpu >= t->ncpus ?
		       NULL :
		       smp_load_acquire(&t->sentinels[cpu]);
}

/*
 * Arm the sentinels of all CPUs where workers with processors are. True: each
 * processor that is not idle has such a worker, and none is on @but. Any thread.
 */
static bool arm_all(struct baton_rt *rt, int but)
{
	struct idle *t = idle_of(rt);
	bool elsewhere = true;

	for (unsigned int p = 0; p < rt->nprocs; p++) {
		int cpu = proc_cpu(rt, p);
		struct sentinel *s = sentinel_of(t, cpu);

		if (s && cpu != but)
			arm(s);
		else if (!idle_test(rt->hdr, p))
			elsewhere = false;
	}
	return elsewhere;
}

static void armed(struct watch *watch)
{
	arm_all((struct baton_rt *)((char *)watch -
				    offsetof(struct baton_rt, watch)), -1);
}

/* --- a sentinel ---------------------------------------------------------- */

/* Bound to its CPU, and there? A program may have bound all its threads anew. */
static bool at_home(struct sentinel *s)
{
	size_t size = CPU_ALLOC_SIZE(s->cpu + 1);
	cpu_set_t *set;

	if (s->pinned && sched_getcpu() == (int)s->cpu)
		return s->class;
	set = CPU_ALLOC(s->cpu + 1);
	if (!set)
		return false;
	CPU_ZERO_S(size, set);
	CPU_SET_S(s->cpu, size, set);
	/* -EINVAL: the CPU is offline, or not for us any more. */
	s->pinned = !sched_setaffinity(0, size, set);
	CPU_FREE(set);
	return s->pinned && s->class;
}

/**
 * struct sight - a worker with a processor that was here last
 */
struct sight {
	unsigned int proc;
	uint32_t worker;
	uint32_t state;
	uint64_t calls;
};

static bool see(const struct sentinel *s, unsigned int p, struct sight *sight)
{
	struct baton_rt *rt = s->rt;
	const struct baton_slot *slot;

	if (proc_cpu(rt, p) != (int)s->cpu)
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
static bool see_any(const struct sentinel *s, unsigned int from,
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

static bool take(const struct sentinel *s, const struct sight *sight)
{
	struct baton_rt *rt = s->rt;
	struct baton_slot *slot = &rt->slots[sight->worker];

	if (!claim_take(slot, CLAIM_TAKER(s->cpu + 1), sight->proc,
			sight->state, sight->calls, READ_ONCE(rt->fence)))
		return false;
	/* Nobody's for two instructions, and from here on anybody's. It is not
	 * recorded (trace.h): that takes a lock. */
	idle_set(rt->hdr, sight->proc);
	atomic_fetch_add_relaxed(&rt->recs[sight->proc].handoffs, 1);
	if (!baton_bunk_poke(rt))
		baton_watch_want(&rt->watch);
	return true;
}

/* What a look came to. */
enum look {
	TOOK,		/* a processor */
	BUSY,		/* the CPU is wanted by others */
	NOBODY,		/* whom to take from, for now */
	ELSEWHERE,	/* are all who have processors */
};

static enum look look(const struct sentinel *s)
{
	struct sight first, second;
	unsigned int p = 0;
	int64_t start;

	if (!see_any(s, p, &first))
		return arm_all(s->rt, (int)s->cpu) ? ELSEWHERE : NOBODY;
	start = now_ns();
	sched_yield();
	sched_yield();
	if (now_ns() - start > LOOK_NS ||
	    !see_any(s, first.proc, &second) || !same(&first, &second))
		return BUSY;
	return take(s, &first) ? TOOK : NOBODY;
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

	WRITE_ONCE(s->asleep, 1u);
	atomic_fetch_or(&s->rt->watch.asleep, ASLEEP_TIER);
	if (!rt_stopping(s->rt) && !(work && rt_has_work(s->rt)))
		do
			futex_wait(&s->asleep, 1, ns < 0 ? NULL : &limit);
		while (ns < 0 && READ_ONCE(s->asleep));
	WRITE_ONCE(s->asleep, 0u);
}

static void *sentinel(void *arg)
{
	static const struct sched_param param;
	struct sentinel *s = arg;
	struct baton_rt *rt = s->rt;
	long nap = NAP_MIN_NS;

	prctl(PR_SET_NAME, "baton-idle", 0UL, 0UL, 0UL);
	s->class = !sched_setscheduler(0, SCHED_IDLE, &param);
	while (!rt_stopping(rt)) {
		bool work = rt_has_work(rt);
		enum look seen = work && at_home(s) ? look(s) : ELSEWHERE;

		if (seen == NOBODY) {
			rest(s, nap, false);
			nap = nap < NAP_MAX_NS / 2 ? 2 * nap : NAP_MAX_NS;
			continue;
		}
		nap = NAP_MIN_NS;
		if (seen == ELSEWHERE)
			rest(s, -1, !work);
	}
	return NULL;
}

/* --- all of them --------------------------------------------------------- */

static void sentinel_make(struct baton_rt *rt, unsigned int cpu)
{
	struct idle *t = idle_of(rt);
	struct sentinel *s = malloc(sizeof(*s));

	if (!s)
		return;
	*s = (struct sentinel){ .rt = rt, .cpu = cpu };
	/* It inherits the watcher's mask, which blocks all signals. */
	if (pthread_create(&s->thread, NULL, sentinel, s)) {
		free(s);	/* the next tick tries again */
		return;
	}
	rt->helpers++;
	smp_store_release(&t->sentinels[cpu], s);
}

/* One for each CPU where a worker with a processor is. By the watcher. */
static void sentinels_make(struct baton_rt *rt)
{
	struct idle *t = idle_of(rt);

	for (unsigned int p = 0; p < rt->nprocs; p++) {
		int cpu = proc_cpu(rt, p);

		if (cpu >= 0 && (unsigned int)cpu < t->ncpus &&
		    !t->sentinels[cpu])
			sentinel_make(rt, (unsigned int)cpu);
	}
}

/*
 * Its thread has been told to end. Where others keep its CPU busy, that takes
 * its time: it may go elsewhere for that, and leave the idle class, if allowed.
 */
static void sentinel_join(struct sentinel *s)
{
	static const struct sched_param param;
	cpu_set_t all;

	/* idle_stop() may have come before it was listed. */
	arm(s);
	if (pthread_tryjoin_np(s->thread, NULL)) {
		for (int i = 0; i < CPU_SETSIZE; i++)
			CPU_SET(i, &all);
		pthread_setaffinity_np(s->thread, sizeof(all), &all);
		pthread_setschedparam(s->thread, SCHED_OTHER, &param);
		pthread_join(s->thread, NULL);
	}
	free(s);
}

static long idle_tick(struct baton_rt *rt, bool fresh)
{
	long ns = baton_monitor_tick(rt, fresh);

	if (idle_of(rt)->monitor.blind || !rt_has_work(rt))
		return ns;
	sentinels_make(rt);
	arm_all(rt, -1);
	/* A poke that came to nothing. */
	if (idle_any(rt->hdr, rt->nprocs))
		baton_bunk_poke(rt);
	return ns;
}

/* --- the tier ------------------------------------------------------------ */

static void idle_free(struct idle *t)
{
	free(t->sentinels);
	free(t->cpus);
	free(t);
}

/* 0; or why not. */
static int supported(const struct baton_rt *rt)
{
	if (san_valgrind())
		return baton_error(-ENOTSUP,
				   "valgrind runs one thread at a time");
	if (!own_cpu())
		return baton_error(-ENOTSUP,
				   "no rseq() by the C library, which tells each thread's CPU: glibc 2.35 and Linux 4.18 have it");
	if (rt->fence)
		return baton_error(-ENOTSUP, "no membarrier()");
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
	if (!t->sentinels || !t->cpus)
		err = baton_error(-ENOMEM, "no memory");
	else
		err = baton_monitor_open(rt, &t->monitor);
	if (err) {
		idle_free(t);
		return err;
	}
	t->monitor.fibers = true;
	rt->watch.arm = armed;
	rt->tier_data = t;
	return 0;
}

static void idle_close(struct baton_rt *rt)
{
	struct idle *t = idle_of(rt);

	for (unsigned int i = 0; i < t->ncpus; i++)
		if (t->sentinels[i])
			sentinel_join(t->sentinels[i]);
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
 * barrier; pairs with proc_cpu(). */
static void idle_detach(struct baton_worker *w)
{
	struct idle *t = idle_of(w->rt);
	struct backoff b = { 0 };

	smp_store_mb(t->cpus[w->index], NULL);
	while (smp_load_acquire(&t->readers))
		baton_backoff(&b);
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
	.park = baton_bunk_park,
	.wake = baton_bunk_wake,
	.swap = baton_bunk_swap,
	.rouse = baton_bunk_rouse,
	.stop = idle_stop,
	.tick = idle_tick,
};
