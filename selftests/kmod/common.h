/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * common.h - what the module's tests share
 *
 * Straight against the ioctls and the region: none of libbaton is used, so
 * that a bug there hides none here.  Every wrapper returns what the call did,
 * or -errno.  Nothing waits by sleeping where there is an event to wait for;
 * conditions without one (a thread sleeps, a reference is dropped) are polled,
 * with a deadline that fits an emulated machine ten times slower than a real
 * one.
 *
 * A worker starts out in RUNTIME, in which the hook leaves it alone: what a
 * test does around the few lines under test may block.  In FIBER and FOREIGN
 * it may not, not even for a page; tests that count call lock_memory().
 */
#ifndef SELFTESTS_KMOD_COMMON_H
#define SELFTESTS_KMOD_COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/baton.h>

#include "kselftest_harness.h"

#define BATON_DEV	"/dev/baton"
#define BATON_SYSFS	"/sys/module/baton"

/* How long to wait for what must happen */
#define DEADLINE_MS	20000
/* For TEST_F_TIMEOUT: longer, so that it is the deadline that reports */
#define TEST_SECONDS	60

#define NOBODY		65534

/* Without the device there is nothing to test */
static void __attribute__((constructor)) need_device(void)
{
	if (!access(BATON_DEV, F_OK))
		return;
	ksft_print_header();
	ksft_exit_skip("no " BATON_DEV "\n");
}

/*
 * Time
 */

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static inline uint64_t now_ms(void)
{
	return now_ns() / 1000000;
}

/* Blocks for some time: as what is tested, never to wait for something */
static inline int block_ns(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / 1000000000,
		.tv_nsec = ns % 1000000000,
	};

	return clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* Evaluates cond every millisecond until it is true; false at the deadline */
#define poll_until(cond) ({						\
	uint64_t __end = now_ms() + DEADLINE_MS;			\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && now_ms() < __end)			\
		block_ns(1000000);					\
	__ok;								\
})

/* The same without sleeping, where a round must not take a millisecond */
#define spin_until(cond) ({						\
	uint64_t __end = now_ms() + DEADLINE_MS;			\
	unsigned int __n = 0;						\
	bool __ok;							\
									\
	while (!(__ok = (cond))) {					\
		if (++__n % 256)					\
			continue;					\
		sched_yield();						\
		if (now_ms() >= __end)					\
			break;						\
	}								\
	__ok;								\
})

/*
 * Shared words.  Relaxed unless said otherwise: orders that matter are
 * written out where they do.
 */

#define load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define inc(p)		__atomic_add_fetch(p, 1, __ATOMIC_RELAXED)
#define full_barrier()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define barrier()	__asm__ __volatile__("" ::: "memory")

/* A random number; every thread has its own state, so a seed repeats it */
static inline uint32_t rnd(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) >> 16;
}

/* BATON_SEED or the clock; printed, so that a failure can be run again */
static inline uint64_t seed_get(void)
{
	const char *s = getenv("BATON_SEED");
	uint64_t seed = s ? strtoull(s, NULL, 0) : now_ns() % 1000000007;

	ksft_print_msg("BATON_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

static inline void spin(unsigned int n)
{
	while (n--)
		barrier();
}

/*
 * Events, by futex
 */

struct event {
	uint32_t set;
};

static inline int futex_wait(uint32_t *word, uint32_t seen,
			     const struct timespec *rel)
{
	return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, rel, NULL, 0)
		? -errno : 0;
}

static inline void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static inline void event_set(struct event *e)
{
	store_release(&e->set, 1);
	futex_wake(&e->set);
}

static inline bool event_wait_ms(struct event *e, unsigned int ms)
{
	uint64_t end = now_ms() + ms;

	while (!load_acquire(&e->set)) {
		uint64_t now = now_ms();
		struct timespec ts;

		if (now >= end)
			return false;
		ts.tv_sec = (end - now) / 1000;
		ts.tv_nsec = (end - now) % 1000 * 1000000;
		futex_wait(&e->set, 0, &ts);
	}
	return true;
}

static inline bool event_wait(struct event *e)
{
	return event_wait_ms(e, DEADLINE_MS);
}

/*
 * Processes
 */

/* For every child: nothing may outlive a test that was ended by a timeout */
static inline void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Returns 0 or -errno */
static inline int become_nobody(void)
{
	if (syscall(SYS_setgroups, 0, NULL) ||
	    setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	/* A change of user has cleared this */
	die_with_parent();
	return 0;
}

/*
 * No page of ours can fault from now on. Thread stacks are small because of
 * this.
 */
static inline int lock_memory(void)
{
	return mlockall(MCL_CURRENT | MCL_FUTURE) ? -errno : 0;
}

/* The letter from /proc/TID/stat, of any process's thread, or 0 */
static inline char thread_state(pid_t tid)
{
	char path[64], buf[256], *s;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	s = strrchr(buf, ')');
	return s && s[1] ? s[2] : 0;
}

static inline bool thread_blocked(pid_t tid)
{
	char c = thread_state(tid);

	return c == 'S' || c == 'D';
}

static inline bool wait_blocked(pid_t tid)
{
	return poll_until(thread_blocked(tid));
}

/* Waits for a child; the status as waitpid() has it, or -1 at the deadline */
static inline int wait_child(pid_t pid)
{
	int status = -1;

	if (!poll_until(waitpid(pid, &status, WNOHANG) != 0)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -1;
	}
	return status;
}

/* Reads a byte from a pipe, with a deadline; -1 when none came */
static inline int pipe_get(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned char c;

	if (poll(&p, 1, DEADLINE_MS) != 1 || read(fd, &c, 1) != 1)
		return -1;
	return c;
}

static inline void pipe_put(int fd, unsigned char c)
{
	if (write(fd, &c, 1) != 1)
		abort();
}

/* An unsigned number in a file, or -1 */
static inline long file_number(const char *path)
{
	char buf[32];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	buf[n] = 0;
	return strtol(buf, NULL, 10);
}

static inline long module_refcnt(void)
{
	return file_number(BATON_SYSFS "/refcnt");
}

/*
 * The module is let go some time after the last process: the last reference
 * of a dead thread is dropped by a work item.
 */
static inline bool wait_module_idle(void)
{
	return poll_until(module_refcnt() == 0);
}

/*
 * An instance
 */

struct inst {
	int fd;
	uint32_t nprocs;
	uint32_t max_workers;
	uint64_t size;
	struct baton_header *h;
	struct baton_proc_rec *procs;
	struct baton_slot *slots;
};

static inline int xioctl(int fd, unsigned long nr, void *arg)
{
	int ret = ioctl(fd, nr, arg);

	return ret < 0 ? -errno : ret;
}

static inline int dev_open(int flags)
{
	int fd = open(BATON_DEV, O_RDWR | flags);

	return fd < 0 ? -errno : fd;
}

/* flags: when a processor is taken, BATON_CREATE_* */
static inline int dev_create_as(int fd, uint32_t flags, uint32_t nprocs,
				uint32_t max_workers, uint64_t *size)
{
	struct baton_create arg = {
		.size = sizeof(arg),
		.flags = flags,
		.nprocs = nprocs,
		.max_workers = max_workers,
	};
	int ret = xioctl(fd, BATON_IOC_CREATE, &arg);

	if (size)
		*size = arg.region_size;
	return ret;
}

static inline int dev_create(int fd, uint32_t nprocs, uint32_t max_workers,
			     uint64_t *size)
{
	return dev_create_as(fd, 0, nprocs, max_workers, size);
}

static inline int inst_map(struct inst *in)
{
	void *p = mmap(NULL, in->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       in->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	in->h = p;
	in->procs = p + in->h->proc_offset;
	in->slots = p + in->h->slot_offset;
	return 0;
}

static inline void inst_unmap(struct inst *in)
{
	if (in->h)
		munmap(in->h, in->size);
	in->h = NULL;
}

static inline void inst_close(struct inst *in)
{
	inst_unmap(in);
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}

/* flags as for open(), create_flags as for CREATE */
static inline int __inst_open(struct inst *in, uint32_t nprocs,
			      uint32_t max_workers, int flags,
			      uint32_t create_flags)
{
	int ret;

	memset(in, 0, sizeof(*in));
	in->nprocs = nprocs;
	in->max_workers = max_workers;
	in->fd = dev_open(flags);
	if (in->fd < 0)
		return in->fd;
	ret = dev_create_as(in->fd, create_flags, nprocs, max_workers,
			    &in->size);
	if (!ret)
		ret = inst_map(in);
	if (ret)
		inst_close(in);
	return ret;
}

static inline int inst_open_flags(struct inst *in, uint32_t nprocs,
				  uint32_t max_workers, int flags)
{
	return __inst_open(in, nprocs, max_workers, flags, 0);
}

/* Without blocking reads */
static inline int inst_open_as(struct inst *in, uint32_t create_flags,
			       uint32_t nprocs, uint32_t max_workers)
{
	return __inst_open(in, nprocs, max_workers, O_CLOEXEC | O_NONBLOCK,
			   create_flags);
}

static inline int inst_open(struct inst *in, uint32_t nprocs,
			    uint32_t max_workers)
{
	return inst_open_as(in, 0, nprocs, max_workers);
}

/* The slot, or -errno */
static inline int inst_register(struct inst *in)
{
	struct baton_register arg = { .size = sizeof(arg) };
	int ret = xioctl(in->fd, BATON_IOC_REGISTER, &arg);

	return ret < 0 ? ret : (int)arg.slot;
}

static inline int inst_unregister(struct inst *in)
{
	return xioctl(in->fd, BATON_IOC_UNREGISTER, NULL);
}

static inline int inst_park(struct inst *in, uint32_t flags)
{
	struct baton_park arg = { .size = sizeof(arg), .flags = flags };

	return xioctl(in->fd, BATON_IOC_PARK, &arg);
}

static inline int inst_wake(struct inst *in, uint32_t proc, uint32_t worker)
{
	struct baton_wake arg = {
		.size = sizeof(arg),
		.proc = proc,
		.worker = worker,
	};

	return xioctl(in->fd, BATON_IOC_WAKE, &arg);
}

static inline int inst_swap(struct inst *in, uint32_t flags, uint32_t proc,
			    uint32_t worker)
{
	struct baton_swap arg = {
		.size = sizeof(arg),
		.flags = flags,
		.proc = proc,
		.worker = worker,
	};

	return xioctl(in->fd, BATON_IOC_SWAP, &arg);
}

static inline int inst_stop(struct inst *in)
{
	return xioctl(in->fd, BATON_IOC_STOP, NULL);
}

static inline int inst_counts(struct inst *in, struct baton_counts *c)
{
	memset(c, 0, sizeof(*c));
	c->size = sizeof(*c);
	return xioctl(in->fd, BATON_IOC_COUNTS, c);
}

/* What read() reports; -EAGAIN when nothing was missing */
static inline int64_t inst_missing(struct inst *in)
{
	uint64_t n;
	ssize_t ret = read(in->fd, &n, sizeof(n));

	if (ret < 0)
		return -errno;
	return ret == sizeof(n) ? (int64_t)n : -EIO;
}

static inline bool inst_readable(struct inst *in)
{
	struct pollfd p = { .fd = in->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

static inline bool wait_standbys(struct inst *in, uint32_t n)
{
	return poll_until(load(&in->h->nstandby) == n);
}

/*
 * Idle bits: who clears one, and found it set, holds the processor
 */

static inline bool idle_test(struct inst *in, uint32_t p)
{
	return load(&in->h->idle[p / 64]) >> p % 64 & 1;
}

static inline bool idle_claim(struct inst *in, uint32_t p)
{
	uint64_t bit = 1ull << p % 64;

	return __atomic_fetch_and(&in->h->idle[p / 64], ~bit,
				  __ATOMIC_SEQ_CST) & bit;
}

static inline void idle_set(struct inst *in, uint32_t p)
{
	__atomic_fetch_or(&in->h->idle[p / 64], 1ull << p % 64,
			  __ATOMIC_SEQ_CST);
}

/*
 * What a worker writes in its slot
 */

/* The worker has got a processor and runs something else with it than us */
static inline void slot_enter(struct baton_slot *s, uint32_t proc,
			      uint32_t state)
{
	store(&s->proc, proc);
	store(&s->taken, BATON_KEPT);
	barrier();
	store(&s->state, state);
	barrier();
}

/* Back again; returns enum baton_taken */
static inline uint32_t slot_leave(struct baton_slot *s)
{
	barrier();
	store(&s->state, BATON_RUNTIME);
	/*
	 * The hook runs on this CPU, between two instructions of this thread:
	 * the compiler is the only one that could swap the two.
	 */
	barrier();
	return load(&s->taken);
}

/* PARK as a runtime would call it; a signal does not end it */
static inline int slot_park(struct inst *in, struct baton_slot *s,
			    uint32_t flags)
{
	int ret;

	store(&s->state, BATON_PARKED);
	do {
		ret = inst_park(in, flags);
	} while (ret == -EINTR);
	store(&s->state, BATON_RUNTIME);
	return ret;
}

/*
 * Threads.  EXPECT and ASSERT are for the main thread alone: a worker leaves
 * what it saw in ret, and the main thread looks after worker_join().
 */

struct worker {
	struct inst *in;
	void (*fn)(struct worker *w);
	void *arg;
	bool stays;		/* exits without UNREGISTER */
	int num;		/* for fn */

	pthread_t thread;
	struct event ready;	/* tid and slot are valid */
	struct event done;	/* so is ret */
	pid_t tid;
	int slot;		/* or -errno */
	int ret;		/* by fn */
};

static inline struct baton_slot *worker_slot(struct worker *w)
{
	return &w->in->slots[w->slot];
}

static inline void *worker_main(void *arg)
{
	struct worker *w = arg;

	w->tid = gettid();
	w->slot = inst_register(w->in);
	event_set(&w->ready);
	if (w->slot >= 0) {
		w->fn(w);
		if (!w->stays)
			inst_unregister(w->in);
	}
	event_set(&w->done);
	return NULL;
}

static inline int thread_start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	ret = pthread_create(t, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return -ret;
}

/* Joins with a deadline */
static inline bool thread_join(pthread_t t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += DEADLINE_MS / 1000;
	return !pthread_timedjoin_np(t, NULL, &ts);
}

/* Starts a registered worker; returns its slot or -errno */
static inline int worker_start(struct worker *w, struct inst *in,
			       void (*fn)(struct worker *), void *arg)
{
	int ret;

	w->in = in;
	w->fn = fn;
	w->arg = arg;
	w->ready.set = w->done.set = 0;
	w->ret = INT_MIN;
	ret = thread_start(&w->thread, worker_main, w);
	if (ret)
		return ret;
	if (!event_wait(&w->ready))
		return -ETIMEDOUT;
	return w->slot;
}

static inline bool worker_join(struct worker *w)
{
	return thread_join(w->thread);
}

/* For worker_start(): parks once, ret is what PARK returned */
static inline void park_once(struct worker *w)
{
	w->ret = slot_park(w->in, worker_slot(w), 0);
}

static inline void park_once_pinned(struct worker *w)
{
	w->ret = slot_park(w->in, worker_slot(w), BATON_PARK_PINNED);
}

/* Runs the thread on one CPU; tid 0 is the caller. 0 or -errno */
static inline int pin_cpu(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}

/* A handler that does nothing: the signal only interrupts */
static inline void on_signal(int sig)
{
	(void)sig;
}

static inline void catch_signal(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
}

#endif /* SELFTESTS_KMOD_COMMON_H */
