// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * system.c - what the system does to workers, while they hand over
 *
 * CPUs go and come, everything is suspended, threads are traced, frozen, made
 * to change their user, given work by the kernel, or killed by the hundred. In
 * storm.h is what must be right afterwards.
 */

#include <linux/io_uring.h>
#include <sys/ptrace.h>

#include "cgroup.h"
#include "storm.h"

#define CPU1		"/sys/devices/system/cpu/cpu1"
#define POWER		"/sys/power"
#define SUSPEND		"/sys/module/suspend/parameters"
#define ROUNDS		20
#define CROWD		500

FIXTURE(storm) {
	struct storm s;
};

FIXTURE_SETUP(storm)
{
	ASSERT_EQ(0, storm_start(&self->s));
	ASSERT_TRUE(storm_goes_on(&self->s, 20));
}

FIXTURE_TEARDOWN(storm)
{
	EXPECT_STREQ("", storm_end(&self->s));
	EXPECT_TRUE(wait_module_idle());
}

/* Thousands of times, and nothing else */
TEST_F_TIMEOUT(storm, alone, TEST_SECONDS)
{
	EXPECT_TRUE(storm_goes_on(&self->s, 3000));
}

TEST_F_TIMEOUT(storm, cpu_comes_and_goes, TEST_SECONDS)
{
	int i;

	if (access(CPU1 "/online", W_OK))
		SKIP(return, "only one CPU");
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(write_file(CPU1, "online", "0"));
		EXPECT_TRUE(storm_goes_on(&self->s, 10));
		ASSERT_TRUE(write_file(CPU1, "online", "1"));
		EXPECT_TRUE(storm_goes_on(&self->s, 10));
	}
}

/* As far as freezing all processes, which takes threads out of PARK, too */
TEST_F_TIMEOUT(storm, suspend, TEST_SECONDS)
{
	int i;

	if (access(POWER "/pm_test", W_OK))
		SKIP(return, "no pm_test");
	write_file(SUSPEND, "pm_test_delay", "1");
	ASSERT_TRUE(write_file(POWER, "pm_test", "freezer"));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(write_file(POWER, "state", "freeze"));
		EXPECT_TRUE(storm_goes_on(&self->s, 20));
	}
	ASSERT_TRUE(write_file(POWER, "pm_test", "none"));
}

/* The C library interrupts every thread for it, those in PARK among them */
TEST_F_TIMEOUT(storm, change_of_user, TEST_SECONDS)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, setresuid(-1, NOBODY, 0));
		EXPECT_TRUE(storm_goes_on(&self->s, 2));
		ASSERT_EQ(0, setresuid(-1, 0, 0));
	}
}

/*
 * From outside: of a child
 */

FIXTURE(child) {
	struct storm *s;
	struct cgroup group;
	int up[2];
	int down[2];
	pid_t pid;
};

FIXTURE_SETUP(child)
{
	ASSERT_EQ(0, pipe2(self->up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->down, O_CLOEXEC));
	self->s = mmap(NULL, sizeof(*self->s), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->s);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid) {
		const char *why = "cannot start";

		die_with_parent();
		if (!storm_start(self->s)) {
			pipe_put(self->up[1], 1);
			pipe_get(self->down[0]);
			why = storm_end(self->s);
		}
		if (why[0])
			ksft_print_msg("%s\n", why);
		fflush(stdout);
		_exit(why[0] ? 1 : 0);
	}
	ASSERT_EQ(1, pipe_get(self->up[0]));
	ASSERT_TRUE(storm_goes_on(self->s, 20));
}

FIXTURE_TEARDOWN(child)
{
	pipe_put(self->down[1], 1);
	EXPECT_EQ(0, wait_child(self->pid));
	cgroup_end(&self->group);
	EXPECT_TRUE(wait_module_idle());
}

/* Wherever it is: blocked, parked, on its way */
static bool trace_once(pid_t tid)
{
	int status;

	return !ptrace(PTRACE_SEIZE, tid, NULL, NULL) &&
		!ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) &&
		waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status) &&
		!ptrace(PTRACE_DETACH, tid, NULL, NULL);
}

TEST_F_TIMEOUT(child, traced, TEST_SECONDS)
{
	int i, j;

	for (i = 0; i < ROUNDS; i++) {
		for (j = 0; j < STORM_WORKERS; j++)
			ASSERT_TRUE(trace_once(self->s->w[j].tid));
		EXPECT_TRUE(storm_goes_on(self->s, 2));
	}
}

TEST_F_TIMEOUT(child, frozen, TEST_SECONDS)
{
	int i;

	if (!cgroup_make(&self->group, self->pid, NULL))
		SKIP(return, "no cgroup freezer");
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(cgroup_freeze(&self->group));
		EXPECT_TRUE(storm_goes_on(self->s, 2));
	}
}

/*
 * io_uring: what a worker has asked for completes in its own context, for which
 * its sleep is interrupted
 */

struct ring {
	int fd;
	uint32_t *tail;
	uint32_t *mask;
	uint32_t *array;
	uint32_t *done;		/* tail of the completions */
	struct io_uring_sqe *sqes;
};

static const char *ring_make(struct ring *r)
{
	struct io_uring_params p = { .flags = 0 };
	char *sq, *cq;

	r->fd = syscall(SYS_io_uring_setup, 8, &p);
	if (r->fd < 0)
		return "no io_uring";
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4,
		  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes +
		  p.cq_entries * sizeof(struct io_uring_cqe),
		  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		  IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, p.sq_entries * sizeof(*r->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       r->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED ||
	    (void *)r->sqes == MAP_FAILED)
		return "io_uring cannot be mapped";
	r->tail = (uint32_t *)(sq + p.sq_off.tail);
	r->mask = (uint32_t *)(sq + p.sq_off.ring_mask);
	r->array = (uint32_t *)(sq + p.sq_off.array);
	r->done = (uint32_t *)(cq + p.cq_off.tail);
	return NULL;
}

static int ring_poll(struct ring *r, int fd)
{
	uint32_t tail = *r->tail;
	uint32_t i = tail & *r->mask;

	memset(&r->sqes[i], 0, sizeof(r->sqes[i]));
	r->sqes[i].opcode = IORING_OP_POLL_ADD;
	r->sqes[i].fd = fd;
	r->sqes[i].poll32_events = POLLIN;
	r->array[i] = i;
	store_release(r->tail, tail + 1);
	return syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0);
}

FIXTURE(ring) {
	struct inst in;
	struct worker w[2];
	struct ring ring;
	int asked[2];		/* what the ring waits for */
	int wait[2];		/* what the worker waits for */
};

FIXTURE_SETUP(ring)
{
	ASSERT_EQ(0, inst_open(&self->in, 1, 4));
	ASSERT_EQ(0, pipe2(self->asked, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->wait, O_CLOEXEC));
}

FIXTURE_TEARDOWN(ring)
{
	inst_close(&self->in);
	EXPECT_TRUE(wait_module_idle());
}

static void run_asker(struct worker *w)
{
	FIXTURE_DATA(ring) *self = w->arg;
	char c;

	if (ring_poll(&self->ring, self->asked[0]) != 1) {
		w->ret = -EIO;
		return;
	}
	slot_enter(worker_slot(w), 0, BATON_FIBER);
	while (read(self->wait[0], &c, 1) != 1)
		;
	w->ret = slot_leave(worker_slot(w));
}

TEST_F_TIMEOUT(ring, task_work, TEST_SECONDS)
{
	const char *why = ring_make(&self->ring);
	struct baton_counts c;

	if (why)
		SKIP(return, "%s", why);
	store(&self->in.h->nglobal, 1);
	ASSERT_LE(0, worker_start(&self->w[1], &self->in, park_once, NULL));
	ASSERT_TRUE(wait_standbys(&self->in, 1));
	ASSERT_LE(0, worker_start(&self->w[0], &self->in, run_asker, self));
	ASSERT_TRUE(worker_join(&self->w[1]));
	EXPECT_EQ(0, self->w[1].ret);
	/* It sleeps, and it has nothing more to lose */
	ASSERT_TRUE(wait_blocked(self->w[0].tid));
	pipe_put(self->asked[1], 1);
	EXPECT_TRUE(poll_until(load_acquire(self->ring.done) == 1));
	EXPECT_FALSE(load(&self->w[0].done.set));
	pipe_put(self->wait[1], 1);
	ASSERT_TRUE(worker_join(&self->w[0]));
	EXPECT_EQ(BATON_TAKEN, self->w[0].ret);
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(1, c.handoffs);
	EXPECT_EQ(0, c.idled);
}

/*
 * Hundreds, killed at once
 */

static int crowd(int up)
{
	static struct worker w[CROWD];
	struct inst in;
	int i;

	die_with_parent();
	if (inst_open(&in, 1, CROWD))
		return 1;
	for (i = 0; i < CROWD; i++) {
		if (worker_start(&w[i], &in, i % 2 ? park_once :
				 park_once_pinned, NULL) < 0)
			return 2;
	}
	if (!wait_standbys(&in, CROWD / 2))
		return 3;
	pipe_put(up, 1);
	for (;;)
		pause();
}

TEST(crowd_killed)
{
	int up[2], status;
	pid_t pid;

	ASSERT_TRUE(wait_module_idle());
	ASSERT_EQ(0, pipe2(up, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(crowd(up[1]));
	ASSERT_EQ(1, pipe_get(up[0]));
	EXPECT_LT(CROWD, module_refcnt());
	ASSERT_EQ(0, kill(pid, SIGKILL));
	status = wait_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(wait_module_idle());
}

TEST_HARNESS_MAIN
