// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fuzz.c - everything at random: calls, what the region says, and lifetimes
 *
 * Round after round a child makes instances, and its threads do what comes to
 * their minds: ioctls with right and wrong arguments, mappings, words of the
 * region, blocks that are handed off, allocations that fail, threads and
 * processes that begin and die. Meanwhile its parent stops, traces, freezes and
 * kills it, takes CPUs away, and asks for the module to be removed.
 *
 * What is right is the kernel's to say: it must survive, and nothing may be
 * left. So this shows most under "make check-debug".
 *
 * BATON_SEED	repeats what each thread does, if not when
 * BATON_FUZZ	how many acts, BATON_FUZZ_DEFAULT without
 */
#include <sched.h>
#include <sys/ptrace.h>

#include "cgroup.h"
#include "lifetime.h"

#define BATON_FUZZ_DEFAULT	5000
#define THREADS	5
#define FILES	3
#define PROCS	3
#define WORKERS	6
#define ROUND_ACTS	3000	/* at most, of a child */
#define ROUND_MS	10000	/* the same */

/* What the child has done, which outlives it */
struct record {
	uint64_t acts;
	uint64_t blocks;	/* of workers, with a processor to lose */
	uint64_t lost;		/* of these, when it was lost */
	uint64_t failed;	/* calls in which an allocation was to fail */
	uint32_t over;		/* the threads are to end */
};

/* A file, which may be closed, or another by now: no thread minds */
struct file {
	int fd;
	void *region;
	uint64_t size;
};

static struct record *rec;
static struct file files[FILES];
static uint32_t proc_of[THREADS];

struct self {
	uint64_t rnd;
	int num;
	struct file *file;
};

static uint32_t below(struct self *t, uint32_t n)
{
	return rnd(&t->rnd) % n;
}

static bool one_in(struct self *t, uint32_t n)
{
	return !below(t, n);
}

/* A number that is right, nearly so, or anything */
static uint32_t number(struct self *t, uint32_t right)
{
	static const uint32_t odd[] = {
		0, 1, 63, 64, 255, 256, 257, 16383, 16384, 16385,
		INT_MAX, 1u << 31, ~0u - 1, ~0u,
	};

	if (!one_in(t, 8))
		return below(t, right);
	return one_in(t, 4) ? rnd(&t->rnd) : odd[below(t, ARRAY_SIZE(odd))];
}

/* Some of the flags @all, which the header lists */
static uint32_t some(struct self *t, uint32_t all)
{
	return rnd(&t->rnd) & all;
}

/* Those of CREATE, but two that exclude each other, mostly */
static uint32_t create_flags(struct self *t)
{
	uint32_t flags = some(t, BATON_CREATE_FLAGS);

	if (flags & BATON_CREATE_LEARN && !one_in(t, 16))
		flags &= ~BATON_CREATE_OFF;
	return flags;
}

static struct baton_header *header(struct file *f)
{
	return load(&f->region);
}

/*
 * The calls
 */

/* Where an argument lies: here, at the end of a page, or nowhere */
static void *place(struct self *t, void *arg, size_t size)
{
	static __thread char *page;
	long n = sysconf(_SC_PAGESIZE);

	if (!one_in(t, 16))
		return arg;
	if (!page) {
		page = mmap(NULL, 2 * n, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED || mprotect(page + n, n, PROT_NONE))
			return NULL;
	}
	switch (below(t, 4)) {
	case 0:
		return NULL;
	case 1:
		return (void *)(uintptr_t)rnd(&t->rnd);
	case 2:		/* it can be read, not written */
		mprotect(page, n, PROT_READ | PROT_WRITE);
		memcpy(page, arg, size);
		mprotect(page, n, PROT_READ);
		return page;
	}
	mprotect(page, n, PROT_READ | PROT_WRITE);
	memcpy(page + n - size / 2, arg, size / 2);
	return page + n - size / 2;
}

#define SEND(t, nr, arg) ({						\
	if (one_in(t, 32))						\
		(arg)->size = number(t, 2 * sizeof(*(arg)));		\
	if (one_in(t, 32))						\
		(arg)->flags = number(t, 4);				\
	xioctl((t)->file->fd, nr, place(t, arg, sizeof(*(arg))));	\
})

static void act_create(struct self *t)
{
	struct baton_create a = {
		.size = sizeof(a),
		.flags = create_flags(t),
		.nprocs = one_in(t, 4) ? number(t, 257) : PROCS,
		.max_workers = one_in(t, 4) ? number(t, 300) : WORKERS,
	};

	if (!SEND(t, BATON_IOC_CREATE, &a))
		t->file->size = a.region_size;
}

static void act_register(struct self *t)
{
	struct baton_register a = { .size = sizeof(a) };

	SEND(t, BATON_IOC_REGISTER, &a);
}

static void act_unregister(struct self *t)
{
	if (one_in(t, 4))
		xioctl(t->file->fd, BATON_IOC_UNREGISTER, NULL);
}

static void act_park(struct self *t)
{
	struct baton_park a = {
		.size = sizeof(a),
		.flags = one_in(t, 2) ? some(t, BATON_PARK_FLAGS) : 0,
	};
	int p = SEND(t, BATON_IOC_PARK, &a);

	if (p >= 0)
		proc_of[t->num] = p;
}

static void act_wake(struct self *t)
{
	struct baton_wake a = {
		.size = sizeof(a),
		.flags = one_in(t, 2) ? some(t, BATON_WAKE_FLAGS) : 0,
		.proc = number(t, PROCS),
		.worker = one_in(t, 2) ? BATON_ANY : number(t, WORKERS),
	};

	SEND(t, BATON_IOC_WAKE, &a);
}

static void act_swap(struct self *t)
{
	struct baton_swap a = {
		.size = sizeof(a),
		.flags = one_in(t, 2) ? some(t, BATON_PARK_FLAGS) : 0,
		.proc = number(t, PROCS),
		.worker = one_in(t, 2) ? BATON_ANY : number(t, WORKERS),
	};

	SEND(t, BATON_IOC_SWAP, &a);
}

static void act_counts(struct self *t)
{
	struct baton_counts a = { .size = sizeof(a) };

	SEND(t, BATON_IOC_COUNTS, &a);
}

static void act_stop(struct self *t)
{
	if (one_in(t, 64))
		xioctl(t->file->fd, BATON_IOC_STOP, NULL);
}

static void act_nonsense(struct self *t)
{
	uint64_t arg[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(arg); i++)
		arg[i] = number(t, 64);
	ioctl(t->file->fd, _IOC(below(t, 4), BATON_IOC_MAGIC,
				0x3e + below(t, 12), number(t, 64)),
	      place(t, arg, sizeof(arg)));
}

/*
 * The file, its memory, its event
 */

/* Never unmapped: others write there. Another one may take its place */
static void act_map(struct self *t)
{
	struct file *f = t->file;
	uint64_t size = one_in(t, 8) ? 4096 * number(t, 8) : f->size;
	int prot = PROT_READ | PROT_WRITE | (one_in(t, 16) ? PROT_EXEC : 0);
	void *p = mmap(NULL, size, prot,
		       one_in(t, 16) ? MAP_PRIVATE : MAP_SHARED, f->fd,
		       one_in(t, 16) ? 4096 * number(t, 8) : 0);

	if (p == MAP_FAILED)
		return;
	if (size == f->size && size && !(prot & PROT_EXEC))
		store(&f->region, p);
	else
		munmap(p, size);
}

/* Another file, and what was done with the one before */
static void act_open(struct self *t)
{
	struct file *f = t->file;
	struct baton_create a = {
		.size = sizeof(a),
		.flags = create_flags(t),
		.nprocs = PROCS,
		.max_workers = WORKERS,
	};
	int fd, old;

	if (f->fd >= 0 && !one_in(t, 16))
		return;
	fd = dev_open((one_in(t, 2) ? O_CLOEXEC : 0) | O_NONBLOCK);
	if (fd < 0)
		return;
	if (!one_in(t, 8) && !xioctl(fd, BATON_IOC_CREATE, &a))
		f->size = a.region_size;
	old = __atomic_exchange_n(&f->fd, fd, __ATOMIC_RELAXED);
	act_map(t);
	if (old >= 0)
		close(old);
}

static void act_advise(struct self *t)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DOFORK, MADV_DONTFORK, MADV_WILLNEED,
		MADV_REMOVE, MADV_COLD, MADV_PAGEOUT, MADV_MERGEABLE,
	};
	void *p = header(t->file);

	if (p)
		madvise(p, 4096, advice[below(t, ARRAY_SIZE(advice))]);
}

static void act_event(struct self *t)
{
	struct pollfd p = { .fd = t->file->fd, .events = POLLIN };
	uint64_t n;

	poll(&p, 1, below(t, 2));
	fcntl(p.fd, F_SETFL, one_in(t, 8) ? 0 : O_NONBLOCK);
	if (read(p.fd, place(t, &n, sizeof(n)), one_in(t, 8) ? 4 : 8) < 0)
		return;
}

/* As a debugger does, which the kernel asks the module for */
static void act_proc_mem(struct self *t)
{
	void *p = header(t->file);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t word = 0;
	off_t at = (uintptr_t)p + 8 * below(t, 512);

	if (fd < 0)
		return;
	if (p && pread(fd, &word, sizeof(word), at) == sizeof(word) &&
	    one_in(t, 2) && pwrite(fd, &word, sizeof(word), at) < 0)
		word = 0;
	close(fd);
}

/*
 * What the region says
 */

static void act_lie(struct self *t)
{
	struct baton_header *h = header(t->file);
	uint32_t *word = (void *)h;
	struct baton_slot *slots = (void *)(h + 1);

	if (!h)
		return;
	slots = (void *)((struct baton_proc_rec *)slots + PROCS);
	switch (below(t, 7)) {
	case 0:
		store(word + below(t, 256), number(t, 4));
		break;
	case 1:
		store(&h->idle[below(t, 4)], (uint64_t)rnd(&t->rnd));
		break;
	case 2:
		store(&h->queued[below(t, 4)], (uint64_t)rnd(&t->rnd));
		break;
	case 3:
		store(&slots[below(t, WORKERS)].state, number(t, 5));
		break;
	case 4:
		store(&slots[below(t, WORKERS)].taken, number(t, 3));
		break;
	case 5:
		store(&slots[below(t, WORKERS)].proc, number(t, PROCS));
		break;
	case 6:
		store(&h->nglobal, below(t, 2));
	}
}

/* It blocks as a runtime's worker would, with work for others */
static void act_block(struct self *t)
{
	struct baton_header *h = header(t->file);
	uint32_t i, p = proc_of[t->num] % PROCS;
	bool taken = one_in(t, 3);	/* already */
	struct baton_slot *slot;

	if (!h)
		return;
	/*
	 * What act_lie() says of it would be put right now. Often: it is looked
	 * at only if this blocks, and has not lost its processor before, or if
	 * it has, and comes back
	 */
	if (one_in(t, taken ? 2 : 4))
		p = taken || one_in(t, 2) ? rnd(&t->rnd) : number(t, PROCS);
	slot = (void *)((struct baton_proc_rec *)(h + 1) + PROCS);
	for (i = 0; i < WORKERS && load(&slot->tid) != (uint32_t)gettid(); i++)
		slot++;
	if (i == WORKERS) {
		act_register(t);
		return;
	}
	inc(&rec->blocks);
	store(&h->nglobal, !one_in(t, 4));
	store(&slot->fn, (uint64_t)below(t, 4));
	slot_enter(slot, p,
		   taken || one_in(t, 2) ? BATON_FIBER : BATON_FOREIGN);
	if (taken)
		store(&slot->taken, BATON_TAKEN);
	switch (below(t, 4)) {
	case 0:
		sched_yield();
		break;
	case 1:
		block_ns(below(t, 20000));
		break;
	default:
		block_ns(below(t, 300000));
	}
	if (one_in(t, 16))
		return;		/* it stays so */
	if (slot_leave(slot) != BATON_TAKEN)
		return;
	inc(&rec->lost);
	act_park(t);
}

/*
 * Lives
 */

static void act_fail(struct self *t)
{
	static void (*const acts[])(struct self *t) = {
		act_open, act_create, act_register, act_map,
	};
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;		/* this kernel does not do that */
	if (dprintf(fd, "%u", 1 + below(t, 12)) > 0) {
		acts[below(t, ARRAY_SIZE(acts))](t);
		inc(&rec->failed);
		if (pwrite(fd, "0", 1, 0) < 0)
			abort();
	}
	close(fd);
}

static void act_move(struct self *t)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(below(t, 2), &set);
	if (one_in(t, 2))
		CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void act_fork(struct self *t)
{
	pid_t pid;

	if (!one_in(t, 8))
		return;
	pid = fork();
	if (!pid) {
		die_with_parent();
		act_create(t);
		act_register(t);
		act_map(t);
		act_wake(t);
		act_unregister(t);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void act_exec(struct self *t)
{
	if (one_in(t, 64))
		execl("/bin/true", "true", NULL);
}

static void act_exit(struct self *t)
{
	if (one_in(t, 8))
		pthread_exit(NULL);
}

static void (*const acts[])(struct self *t) = {
	act_advise, act_block, act_block, act_block, act_block, act_block,
	act_block, act_counts, act_create, act_event, act_exec, act_exit,
	act_fail, act_fork, act_lie, act_lie, act_map, act_move, act_nonsense,
	act_open, act_park, act_park, act_proc_mem, act_register, act_register,
	act_register, act_stop, act_swap, act_unregister, act_wake, act_wake,
	act_wake,
};

static void *thread(void *arg)
{
	struct self *t = arg;

	while (!load(&rec->over)) {
		t->file = &files[below(t, FILES)];
		/* Mostly the first: what two do elsewhere has no effect */
		if (!one_in(t, 4))
			t->file = &files[0];
		acts[below(t, ARRAY_SIZE(acts))](t);
		inc(&rec->acts);
	}
	return NULL;
}

/* The threads, each started again when it has died, until it is enough */
static void child(uint64_t seed, uint64_t until)
{
	struct self self[THREADS], me = { .rnd = seed };
	bool lives[THREADS] = { false };
	pthread_t threads[THREADS];
	uint64_t end = now_ms() + ROUND_MS;
	int i;

	die_with_parent();
	catch_signal(SIGUSR1, 0);
	for (i = 0; i < FILES; i++) {
		files[i].fd = -1;
		me.file = &files[i];
		act_open(&me);
	}
	for (i = 0; i < THREADS; i++)
		self[i] = (struct self){ .rnd = seed + 1 + i, .num = i };
	while (load(&rec->acts) < until && now_ms() < end) {
		i = below(&me, THREADS);
		if (lives[i] && !pthread_tryjoin_np(threads[i], NULL))
			lives[i] = false;
		if (!lives[i])
			lives[i] = !thread_start(&threads[i], thread, &self[i]);
		/* Who parks may wait for good */
		else
			pthread_kill(threads[i], SIGUSR1);
		block_ns(200000);
	}
	/* Some leave their workers as they are */
	if (one_in(&me, 3))
		_exit(0);
	store(&rec->over, 1);
	for (i = 0; i < THREADS; i++)
		while (lives[i] && pthread_tryjoin_np(threads[i], NULL)) {
			pthread_kill(threads[i], SIGUSR1);
			block_ns(100000);
		}
	_exit(0);
}

/*
 * From outside
 */

static pid_t child_pid;
static volatile bool child_dead;

/* What has died, or stopped since it is traced */
static void reap(void)
{
	pid_t tid;
	int status;

	while ((tid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (WIFSTOPPED(status))
			ptrace(PTRACE_DETACH, tid, 0, 0);
		else if (tid == child_pid)
			child_dead = true;
	}
}

static void on_sigchld(int sig)
{
	int err = errno;

	(void)sig;
	reap();
	errno = err;
}

/*
 * A thread in exec() holds a mutex that this call waits for, and itself waits
 * until the others are reaped: those that are traced by us, who are in this
 * call. So we reap while we wait: the signal interrupts it, and it goes on. Of
 * what died earlier the signal is pending, and comes first.
 */
static bool seize(pid_t tid)
{
	sigset_t set;
	bool ok;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	ok = !ptrace(PTRACE_SEIZE, tid, 0, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return ok;
}

/* As seize() needs it; a child has it as it was */
static void block_sigchld(int how)
{
	struct sigaction sa = { .sa_handler = on_sigchld };
	sigset_t set;

	if (how == SIG_UNBLOCK)
		sa.sa_handler = SIG_DFL;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(how, &set, NULL);
	sigaction(SIGCHLD, &sa, NULL);
}

/* Any thread of it, which then may be gone */
static pid_t some_thread(struct self *t, pid_t pid)
{
	return pid + below(t, THREADS + 1);
}

static void outside_trace(struct self *t, pid_t pid)
{
	pid_t tid = some_thread(t, pid);

	/* It stops, now or with its next signal, until reap() lets it go */
	if (seize(tid) && one_in(t, 2))
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
}

static void outside_stop(struct self *t, pid_t pid)
{
	kill(pid, SIGSTOP);
	block_ns(below(t, 200000));
	kill(pid, SIGCONT);
}

static void outside_hotplug(struct self *t)
{
	static const char cpu1[] = "/sys/devices/system/cpu/cpu1";

	write_file(cpu1, "online", "0");
	block_ns(below(t, 1000000));
	write_file(cpu1, "online", "1");
}

static void outside(struct self *t, struct cgroup *g, pid_t pid)
{
	switch (below(t, 64)) {
	case 0 ... 7:
		outside_stop(t, pid);
		break;
	case 8 ... 15:
		outside_trace(t, pid);
		break;
	case 16 ... 17:
		/* It may be dead, so nobody waits until it is frozen */
		if (!g->dir[0])
			break;
		write_file(g->dir, "cgroup.freeze", "1");
		block_ns(below(t, 1000000));
		write_file(g->dir, "cgroup.freeze", "0");
		break;
	case 18:
		outside_hotplug(t);
		break;
	case 19 ... 20:
		/* It is in use, most of the time */
		if (getenv("BATON_KO") && !module_remove())
			module_load();
		break;
	case 21:
		if (one_in(t, 8))
			kill(pid, SIGKILL);
	}
}

/* A child's life; false: it does not end */
static bool fuzz_round(struct self *t, struct cgroup *g, uint64_t until)
{
	uint64_t seed = rnd(&t->rnd), end = now_ms() + 2 * ROUND_MS;
	pid_t pid;

	rec->over = 0;
	child_dead = false;
	pid = fork();
	if (pid < 0) {
		ksft_print_msg("fork: %s\n", strerror(errno));
		return false;
	}
	if (!pid) {
		block_sigchld(SIG_UNBLOCK);
		if (g->dir[0])
			write_number(g->dir, "cgroup.procs", getpid());
		child(seed, until);
	}
	for (child_pid = pid, reap(); !child_dead; reap()) {
		outside(t, g, pid);
		block_ns(1000000);
		if (now_ms() > end && !child_dead)
			kill(pid, SIGKILL);
		if (now_ms() > end + 6 * DEADLINE_MS)
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(life, fuzz, 7200)
{
	const char *text = getenv("BATON_FUZZ");
	uint64_t wanted = text ? strtoull(text, NULL, 0) : BATON_FUZZ_DEFAULT;
	struct self t = { .rnd = seed_get() };
	unsigned int rounds = 0;
	struct cgroup g;

	rec = mmap(NULL, sizeof(*rec), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, rec);
	block_sigchld(SIG_BLOCK);
	if (!cgroup_make(&g, getpid(), NULL))
		g.dir[0] = 0;
	else
		write_number(g.root, "cgroup.procs", getpid());
	/* Also where the kernel would rather wait; see act_fail() */
	write_file("/sys/kernel/debug/failslab", "ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/failslab", "verbose", "0");
	while (rec->acts < wanted) {
		uint64_t until = rec->acts + ROUND_ACTS;

		ASSERT_TRUE(fuzz_round(&t, &g,
				       until < wanted ? until : wanted)) {
			TH_LOG("no child, or it does not end");
		}
		rounds++;
		ASSERT_TRUE(wait_module_idle()) {
			TH_LOG("%ld references are left after %u rounds",
			       module_refcnt(), rounds);
		}
	}
	block_sigchld(SIG_UNBLOCK);
	cgroup_end(&g);
	TH_LOG("%llu acts in %u rounds, %llu blocks, %llu lost, %llu with a failing allocation",
	       (unsigned long long)rec->acts, rounds,
	       (unsigned long long)rec->blocks,
	       (unsigned long long)rec->lost,
	       (unsigned long long)rec->failed);
	EXPECT_EQ(0, try_instance());
}

TEST_HARNESS_MAIN
