// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * nohandoff.c - when a processor must stay where it is, or just become idle
 *
 * In each of these there is work and a standby, so that one hand-off too many
 * would show, unless the test is about there being none.  The verdict is read
 * after worker A is back: the hook has run by then, whatever it did.
 */

#include <sys/ptrace.h>

#include "cgroup.h"

#define HOGS	4

struct scene {
	struct inst in;
	struct worker a;
	struct worker b;
	int pipe[2];
	uint32_t state;
	uint32_t taken;
	uint32_t stop;		/* for A when it spins, and for the hogs */
	uint32_t spinning;
	long switched;		/* involuntary switches of A that will do */
};

static void run_b(struct worker *w)
{
	w->ret = slot_park(w->in, worker_slot(w), 0);
}

/* Blocks in a read, in the state and with the taken of the scene */
static void run_reader(struct worker *w)
{
	struct scene *s = w->arg;
	struct baton_slot *slot = worker_slot(w);
	char c;

	slot_enter(slot, 0, BATON_RUNTIME);
	store(&slot->taken, s->taken);
	barrier();
	store(&slot->state, s->state);
	barrier();
	while (read(s->pipe[0], &c, 1) != 1)
		;
	w->ret = slot_leave(slot);
}

/* Runs without a pause until it is told to stop */
static void run_spinner(struct worker *w)
{
	struct scene *s = w->arg;
	struct baton_slot *slot = worker_slot(w);

	slot_enter(slot, 0, s->state);
	store(&s->spinning, 1);
	while (!load(&s->stop))
		barrier();
	w->ret = slot_leave(slot);
}

static long involuntary(void)
{
	struct rusage u;

	return getrusage(RUSAGE_THREAD, &u) ? -1 : u.ru_nivcsw;
}

/* Runs until it was preempted often enough */
static void run_preempted(struct worker *w)
{
	struct scene *s = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint64_t end = now_ms() + DEADLINE_MS;
	long start = involuntary();

	slot_enter(slot, 0, s->state);
	while (involuntary() - start < s->switched && now_ms() < end)
		barrier();
	w->ret = slot_leave(slot);
	s->switched = involuntary() - start;
}

static void *run_hog(void *arg)
{
	struct scene *s = arg;

	while (!load(&s->stop))
		barrier();
	return NULL;
}

static int scene_open(struct scene *s, uint32_t create_flags)
{
	int ret = lock_memory();

	if (!ret && pipe2(s->pipe, O_CLOEXEC))
		ret = -errno;
	if (!ret)
		ret = inst_open_as(&s->in, create_flags, 1, 8);
	if (ret)
		return ret;
	s->state = BATON_FIBER;
	s->taken = BATON_KEPT;
	store(&s->in.h->nglobal, 1);
	return 0;
}

FIXTURE(quiet) {
	struct scene s;
};

FIXTURE_VARIANT(quiet) {
	uint32_t flags;		/* of CREATE */
};

FIXTURE_VARIANT_ADD(quiet, now) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(quiet, learn) {
	.flags = BATON_CREATE_LEARN,
};

FIXTURE_SETUP(quiet)
{
	ASSERT_EQ(0, scene_open(&self->s, variant->flags));
	ASSERT_LE(0, worker_start(&self->s.b, &self->s.in, run_b, NULL));
	ASSERT_TRUE(wait_standbys(&self->s.in, 1));
}

FIXTURE_TEARDOWN(quiet)
{
	inst_close(&self->s.in);
}

/* Nothing was handed over, nothing made idle; ends B */
static void expect_nothing(struct __test_metadata *_metadata, struct scene *s)
{
	struct baton_counts c;

	EXPECT_EQ(1, s->in.h->nstandby);
	EXPECT_FALSE(idle_test(&s->in, 0));
	ASSERT_EQ(0, inst_counts(&s->in, &c));
	EXPECT_EQ(0, c.handoffs);
	EXPECT_EQ(0, c.idled);
	EXPECT_EQ(0, c.starved);
	EXPECT_EQ(0, s->in.procs[0].handoffs);
	EXPECT_EQ(0, s->in.procs[0].idled);
	EXPECT_EQ(-EAGAIN, inst_missing(&s->in));
	ASSERT_EQ(0, inst_stop(&s->in));
	ASSERT_TRUE(worker_join(&s->b));
	EXPECT_EQ(-ESHUTDOWN, s->b.ret);
}

/* A reads, sleeps, and is let go */
static void let_read(struct __test_metadata *_metadata, struct scene *s)
{
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_reader, s));
	ASSERT_TRUE(wait_blocked(s->a.tid));
	pipe_put(s->pipe[1], 1);
	ASSERT_TRUE(worker_join(&s->a));
}

static void preempt(struct __test_metadata *_metadata, struct scene *s)
{
	pthread_t hogs[HOGS];
	int i;

	s->switched = 30;
	/* Threads inherit this */
	ASSERT_EQ(0, pin_cpu(0, 0));
	for (i = 0; i < HOGS; i++)
		ASSERT_EQ(0, thread_start(&hogs[i], run_hog, s));
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_preempted, s));
	ASSERT_TRUE(worker_join(&s->a));
	store(&s->stop, 1);
	for (i = 0; i < HOGS; i++)
		ASSERT_TRUE(thread_join(hogs[i]));
	EXPECT_LE(30, s->switched) {
		TH_LOG("was not preempted: nothing was tested");
	}
	EXPECT_EQ(BATON_KEPT, s->a.ret);
	expect_nothing(_metadata, s);
}

TEST_F_TIMEOUT(quiet, preempted_fiber, TEST_SECONDS)
{
	preempt(_metadata, &self->s);
}

TEST_F_TIMEOUT(quiet, preempted_foreign, TEST_SECONDS)
{
	self->s.state = BATON_FOREIGN;
	preempt(_metadata, &self->s);
}

static void run_yielder(struct worker *w)
{
	struct scene *s = w->arg;
	struct baton_slot *slot = worker_slot(w);
	int i;

	slot_enter(slot, 0, s->state);
	for (i = 0; i < 200; i++)
		sched_yield();
	w->ret = slot_leave(slot);
}

/* Who yields to others is scheduled out, but has not blocked */
TEST_F_TIMEOUT(quiet, yields, TEST_SECONDS)
{
	struct scene *s = &self->s;
	pthread_t hog;

	ASSERT_EQ(0, pin_cpu(0, 0));
	ASSERT_EQ(0, thread_start(&hog, run_hog, s));
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_yielder, s));
	ASSERT_TRUE(worker_join(&s->a));
	store(&s->stop, 1);
	ASSERT_TRUE(thread_join(hog));
	EXPECT_EQ(BATON_KEPT, s->a.ret);
	expect_nothing(_metadata, s);
}

/* Nor has who is pushed from one CPU to another */
TEST_F_TIMEOUT(quiet, migrated, TEST_SECONDS)
{
	struct scene *s = &self->s;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "only one CPU");
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_spinner, s));
	ASSERT_TRUE(poll_until(load(&s->spinning)));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, pin_cpu(s->a.tid, i % 2));
	store(&s->stop, 1);
	ASSERT_TRUE(worker_join(&s->a));
	EXPECT_EQ(BATON_KEPT, s->a.ret);
	expect_nothing(_metadata, s);
}

/* It is switched off */

FIXTURE(off) {
	struct scene s;
};

FIXTURE_SETUP(off)
{
	ASSERT_EQ(0, scene_open(&self->s, BATON_CREATE_OFF));
	ASSERT_LE(0, worker_start(&self->s.b, &self->s.in, run_b, NULL));
	ASSERT_TRUE(wait_standbys(&self->s.in, 1));
}

FIXTURE_TEARDOWN(off)
{
	inst_close(&self->s.in);
}

TEST_F_TIMEOUT(off, blocked, TEST_SECONDS)
{
	let_read(_metadata, &self->s);
	EXPECT_EQ(BATON_KEPT, self->s.a.ret);
	expect_nothing(_metadata, &self->s);
}

/* Scheduler code keeps its processor, and so does a state nobody knows */
TEST_F_TIMEOUT(quiet, runtime, TEST_SECONDS)
{
	self->s.state = BATON_RUNTIME;
	let_read(_metadata, &self->s);
	EXPECT_EQ(BATON_KEPT, self->s.a.ret);
	expect_nothing(_metadata, &self->s);
}

TEST_F_TIMEOUT(quiet, other_states, TEST_SECONDS)
{
	static const uint32_t states[] = {
		BATON_PARKED, BATON_DEAD, BATON_DEAD + 1, 0x101, ~0u,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		self->s.state = states[i];
		let_read(_metadata, &self->s);
		EXPECT_EQ(BATON_KEPT, self->s.a.ret) {
			TH_LOG("in state %u", states[i]);
		}
	}
	expect_nothing(_metadata, &self->s);
}

/* What is taken cannot be taken again */
TEST_F_TIMEOUT(quiet, taken_before, TEST_SECONDS)
{
	self->s.taken = BATON_TAKEN;
	let_read(_metadata, &self->s);
	EXPECT_EQ(BATON_TAKEN, self->s.a.ret);
	expect_nothing(_metadata, &self->s);
}

/* A thread that is no worker blocks as ever, and so does one that was */
static void run_leaver(struct worker *w)
{
	struct scene *s = w->arg;
	struct baton_slot *slot = worker_slot(w);
	char c;

	slot_enter(slot, 0, BATON_FIBER);
	inst_unregister(w->in);
	while (read(s->pipe[0], &c, 1) != 1)
		;
	w->ret = load(&slot->taken);
}

TEST_F_TIMEOUT(quiet, unregistered, TEST_SECONDS)
{
	struct scene *s = &self->s;

	s->a.stays = true;
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_leaver, s));
	ASSERT_TRUE(wait_blocked(s->a.tid));
	pipe_put(s->pipe[1], 1);
	ASSERT_TRUE(worker_join(&s->a));
	EXPECT_NE(BATON_TAKEN, s->a.ret);
	expect_nothing(_metadata, s);
}

/* No work: the processor becomes idle, nobody is woken */
TEST_F_TIMEOUT(quiet, nothing_to_run, TEST_SECONDS)
{
	struct scene *s = &self->s;
	struct baton_counts c;

	store(&s->in.h->nglobal, 0);
	store(&s->in.procs[0].head, 7);
	store(&s->in.procs[0].tail, 7);
	/* The bit may be stale */
	store(&s->in.h->queued[0], UINT64_C(1));
	let_read(_metadata, s);
	EXPECT_EQ(BATON_TAKEN, s->a.ret);
	EXPECT_EQ(1, s->in.h->nstandby);
	ASSERT_EQ(0, inst_counts(&s->in, &c));
	EXPECT_EQ(0, c.handoffs);
	EXPECT_EQ(1, c.idled);
	EXPECT_EQ(0, c.starved);
	EXPECT_EQ(1, s->in.procs[0].idled);
	EXPECT_EQ(0, s->in.procs[0].handoffs);
	EXPECT_EQ(-EAGAIN, inst_missing(&s->in));
	/* A, back, takes it again without a system call; only once */
	EXPECT_TRUE(idle_claim(&s->in, 0));
	EXPECT_FALSE(idle_claim(&s->in, 0));
	ASSERT_EQ(0, inst_stop(&s->in));
	ASSERT_TRUE(worker_join(&s->b));
	EXPECT_EQ(-ESHUTDOWN, s->b.ret);
}

/*
 * Many times over: A claims its processor back each time.  A sleep may be over
 * before it begins, and then nothing is taken.
 */
static void run_claimer(struct worker *w)
{
	struct scene *s = w->arg;
	struct baton_slot *slot = worker_slot(w);
	int blocked = 0, tries = 0;

	w->ret = 0;
	while (blocked < 200 && tries++ < 1000) {
		slot_enter(slot, 0, s->state);
		block_ns(100000);
		if (slot_leave(slot) != BATON_TAKEN)
			continue;
		blocked++;
		if (!idle_claim(w->in, 0)) {
			w->ret = blocked;
			return;
		}
	}
}

TEST_F_TIMEOUT(quiet, nothing_to_run_often, TEST_SECONDS)
{
	struct scene *s = &self->s;
	struct baton_counts c;

	store(&s->in.h->nglobal, 0);
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_claimer, s));
	ASSERT_TRUE(worker_join(&s->a));
	EXPECT_EQ(0, s->a.ret);
	EXPECT_EQ(1, s->in.h->nstandby);
	ASSERT_EQ(0, inst_counts(&s->in, &c));
	EXPECT_EQ(0, c.handoffs);
	EXPECT_EQ(200, c.idled);
	EXPECT_EQ(0, c.starved);
	ASSERT_EQ(0, inst_stop(&s->in));
	ASSERT_TRUE(worker_join(&s->b));
}

/*
 * Work comes and goes all the time, and another takes the processor, when it is
 * idle, and lets it go. However the two looks of the hook turn out, it is idle
 * once for each block.
 */
static void *run_flicker(void *arg)
{
	struct scene *s = arg;

	while (!load(&s->stop)) {
		store(&s->in.h->nglobal, 0);
		spin(10);
		store(&s->in.h->nglobal, 1);
		if (idle_claim(&s->in, 0))
			idle_set(&s->in, 0);
	}
	return NULL;
}

static void run_persistent(struct worker *w)
{
	int blocked = 0;

	w->ret = 0;
	while (blocked < 500) {
		slot_enter(worker_slot(w), 0, BATON_FIBER);
		block_ns(20000);
		if (slot_leave(worker_slot(w)) != BATON_TAKEN)
			continue;
		blocked++;
		if (!spin_until(idle_claim(w->in, 0))) {
			w->ret = blocked;
			return;
		}
	}
}

TEST(work_flickers)
{
	struct scene s = { .stop = 0 };
	struct baton_counts c;
	pthread_t flicker;

	ASSERT_EQ(0, scene_open(&s, 0));
	ASSERT_EQ(0, thread_start(&flicker, run_flicker, &s));
	ASSERT_LE(0, worker_start(&s.a, &s.in, run_persistent, &s));
	ASSERT_TRUE(worker_join(&s.a));
	store(&s.stop, 1);
	ASSERT_TRUE(thread_join(flicker));
	EXPECT_EQ(0, s.a.ret);
	ASSERT_EQ(0, inst_counts(&s.in, &c));
	EXPECT_EQ(500, c.idled);
	EXPECT_EQ(500, s.in.procs[0].idled);
	EXPECT_GE(500, c.starved);
	EXPECT_EQ(0, c.handoffs);
	inst_close(&s.in);
}

/*
 * Stops: of a child, by us.  A spins in the child; while it is stopped it does
 * not run and yet has not blocked.  B is a standby again before each stop, for
 * the signal may have interrupted its wait.
 */

enum stop {
	STOP_SIGNAL,
	STOP_PTRACE,
	STOP_FREEZE,
};

enum verdict {
	CHILD_OK,
	CHILD_SETUP,
	CHILD_TAKEN,
	CHILD_COUNTED,
	CHILD_HUNG,
};

/* Tells A's tid through up; stops once down is closed; never returns */
static void child_main(int up, int down)
{
	struct scene s;
	struct baton_counts c;
	char go;

	memset(&s, 0, sizeof(s));
	die_with_parent();
	if (scene_open(&s, 0) ||
	    worker_start(&s.b, &s.in, run_b, NULL) ||
	    worker_start(&s.a, &s.in, run_spinner, &s) < 0 ||
	    !poll_until(load(&s.spinning)) || !wait_standbys(&s.in, 1))
		_exit(CHILD_SETUP);
	for (;;) {
		if (write(up, &s.a.tid, sizeof(s.a.tid)) != sizeof(s.a.tid) ||
		    read(down, &go, 1) != 1)
			break;
		/* After a stop */
		if (inst_counts(&s.in, &c) || c.handoffs || c.idled ||
		    c.starved)
			_exit(CHILD_COUNTED);
		if (!wait_standbys(&s.in, 1))
			_exit(CHILD_HUNG);
	}
	store(&s.stop, 1);
	if (!worker_join(&s.a))
		_exit(CHILD_HUNG);
	if (s.a.ret != BATON_KEPT)
		_exit(CHILD_TAKEN);
	if (inst_counts(&s.in, &c) || c.handoffs || c.idled || c.starved)
		_exit(CHILD_COUNTED);
	inst_stop(&s.in);
	if (!worker_join(&s.b))
		_exit(CHILD_HUNG);
	_exit(CHILD_OK);
}

static bool stop_by_signal(pid_t pid)
{
	int status;

	return !kill(pid, SIGSTOP) &&
		waitpid(pid, &status, WUNTRACED) == pid &&
		WIFSTOPPED(status) &&
		!kill(pid, SIGCONT) &&
		waitpid(pid, &status, WCONTINUED) == pid &&
		WIFCONTINUED(status);
}

static bool stop_by_ptrace(pid_t tid)
{
	int status;

	return !ptrace(PTRACE_SEIZE, tid, NULL, NULL) &&
		!ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) &&
		waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status) &&
		!ptrace(PTRACE_DETACH, tid, NULL, NULL);
}

FIXTURE(stopped) {
	struct cgroup group;
};

FIXTURE_VARIANT(stopped) {
	enum stop how;
};

FIXTURE_VARIANT_ADD(stopped, signal) {
	.how = STOP_SIGNAL,
};

FIXTURE_VARIANT_ADD(stopped, ptrace) {
	.how = STOP_PTRACE,
};

FIXTURE_VARIANT_ADD(stopped, freezer) {
	.how = STOP_FREEZE,
};

FIXTURE_SETUP(stopped)
{
}

FIXTURE_TEARDOWN(stopped)
{
	cgroup_end(&self->group);
}

static bool stop_once(FIXTURE_DATA(stopped) *self, enum stop how, pid_t pid,
		      pid_t tid)
{
	switch (how) {
	case STOP_SIGNAL:
		return stop_by_signal(pid);
	case STOP_PTRACE:
		return stop_by_ptrace(tid);
	case STOP_FREEZE:
		return cgroup_freeze(&self->group);
	}
	return false;
}

static bool read_tid(struct __test_metadata *_metadata, int up, pid_t pid,
		     pid_t *tid)
{
	if (read(up, tid, sizeof(*tid)) == sizeof(*tid))
		return true;
	TH_LOG("the child ended, status %#x", wait_child(pid));
	return false;
}

TEST_F_TIMEOUT(stopped, kept, TEST_SECONDS)
{
	int up[2], down[2], i, status;
	pid_t pid, tid;

	ASSERT_EQ(0, pipe2(up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(down, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(down[1]);
		child_main(up[1], down[0]);
	}
	close(up[1]);
	ASSERT_TRUE(read_tid(_metadata, up[0], pid, &tid));
	if (variant->how == STOP_FREEZE && !cgroup_make(&self->group, pid, NULL)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		SKIP(return, "no cgroup freezer");
	}
	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(stop_once(self, variant->how, pid, tid));
		pipe_put(down[1], 1);
		ASSERT_TRUE(read_tid(_metadata, up[0], pid, &tid)) {
			TH_LOG("after %d stops", i + 1);
		}
	}
	close(down[1]);
	status = wait_child(pid);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(CHILD_OK, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
