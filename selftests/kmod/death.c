// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * death.c - processes end: by a signal, their leader first, by exec()
 *
 * Whatever its workers were doing, nothing of a dead process may be left, and
 * the program that exec() starts begins anew.  As in lifetime.c it shows in
 * the module's reference count and in the log.
 */

#include "lifetime.h"

#define EXEC_CHECK	"BATON_TEST_EXEC"

/* What this program does instead of testing after it was started by exec() */
static void __attribute__((constructor)) exec_check(void)
{
	const char *s = getenv(EXEC_CHECK);
	int fd, ret;

	if (!s)
		return;
	fd = atoi(s);
	/* The instance that came along, if it did, is another program's */
	if (fd >= 0 && all_refused(fd, -EPERM))
		_exit(10 + all_refused(fd, -EPERM));
	block_ns(1000000);
	ret = try_instance();
	if (ret) {
		fprintf(stderr, "# after exec: %s\n", strerror(-ret));
		_exit(2);
	}
	_exit(0);
}

/*
 * kill -9, in each state
 */

enum killed {
	K_IDLE,
	K_PARKED,
	K_PINNED,
	K_FIBER,
	K_FOREIGN,
	K_SWAPPING,
	K_GRANTED,
};

FIXTURE(killed) {
	int pipe[2];
};

FIXTURE_VARIANT(killed) {
	enum killed how;
};

FIXTURE_VARIANT_ADD(killed, registered) {
	.how = K_IDLE,
};

FIXTURE_VARIANT_ADD(killed, parked) {
	.how = K_PARKED,
};

FIXTURE_VARIANT_ADD(killed, pinned) {
	.how = K_PINNED,
};

FIXTURE_VARIANT_ADD(killed, running_fiber) {
	.how = K_FIBER,
};

FIXTURE_VARIANT_ADD(killed, handed_off) {
	.how = K_FOREIGN,
};

FIXTURE_VARIANT_ADD(killed, swapping) {
	.how = K_SWAPPING,
};

FIXTURE_VARIANT_ADD(killed, granted) {
	.how = K_GRANTED,
};

FIXTURE_SETUP(killed)
{
	ASSERT_TRUE(wait_module_idle());
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
}

FIXTURE_TEARDOWN(killed)
{
	EXPECT_TRUE(wait_module_idle()) {
		TH_LOG("%ld references are left", module_refcnt());
	}
}

/* In the child: what the workers share */
struct victim {
	struct inst in;
	struct worker w[2];
	uint32_t n;
	uint32_t spinning;
	struct event go;
	int never[2];
};

static void run_wait_forever(struct worker *w)
{
	struct victim *v = w->arg;
	char c;

	while (read(v->never[0], &c, 1) != 1)
		;
}

static void run_foreign_forever(struct worker *w)
{
	slot_enter(worker_slot(w), 0, BATON_FOREIGN);
	run_wait_forever(w);
}

static void run_fiber_forever(struct worker *w)
{
	struct victim *v = w->arg;

	slot_enter(worker_slot(w), 0, BATON_FIBER);
	store(&v->spinning, 1);
	for (;;)
		barrier();
}

static void run_swap_forever(struct worker *w)
{
	struct victim *v = w->arg;
	int p = 0;

	event_wait(&v->go);
	if (w->num)
		p = inst_park(w->in, BATON_PARK_PINNED);
	while (p >= 0) {
		inc(&v->n);
		p = inst_swap(w->in, BATON_PARK_PINNED, p,
			      v->w[!w->num].slot);
	}
}

/* In the child: gets there, says so by up, and waits for its end */
static void be_killed(enum killed how, int up)
{
	static struct victim v;
	struct inst *in = &v.in;
	bool ok = false;

	die_with_parent();
	if (inst_open(in, 1, 8) || pipe2(v.never, O_CLOEXEC))
		_exit(1);
	store(&in->h->nglobal, 1);
	switch (how) {
	case K_IDLE:
	case K_GRANTED:
		ok = worker_start(&v.w[0], in, run_wait_forever, &v) >= 0;
		if (how == K_GRANTED)
			ok = ok && !inst_wake(in, 0, v.w[0].slot);
		break;
	case K_PARKED:
		ok = worker_start(&v.w[0], in, park_once, NULL) >= 0 &&
			wait_standbys(in, 1);
		break;
	case K_PINNED:
		ok = worker_start(&v.w[0], in, park_once_pinned, NULL) >= 0 &&
			wait_blocked(v.w[0].tid);
		break;
	case K_FIBER:
		ok = worker_start(&v.w[0], in, run_fiber_forever, &v) >= 0 &&
			poll_until(load(&v.spinning));
		break;
	case K_FOREIGN:
		/* The second gets the first one's processor, then spins */
		ok = worker_start(&v.w[1], in, park_once, NULL) >= 0 &&
			wait_standbys(in, 1) &&
			worker_start(&v.w[0], in, run_foreign_forever,
				     &v) >= 0 &&
			event_wait(&v.w[1].done) && !v.w[1].ret;
		break;
	case K_SWAPPING:
		v.w[1].num = 1;
		ok = worker_start(&v.w[0], in, run_swap_forever, &v) >= 0 &&
			worker_start(&v.w[1], in, run_swap_forever, &v) >= 0;
		event_set(&v.go);
		ok = ok && poll_until(load(&v.n) > 20);
		break;
	}
	if (ok)
		pipe_put(up, 1);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(killed, dies, TEST_SECONDS)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			be_killed(variant->how, self->pipe[1]);
		ASSERT_EQ(1, pipe_get(self->pipe[0]));
		EXPECT_LT(0, module_refcnt());
		ASSERT_EQ(0, kill(pid, SIGKILL));
		status = wait_child(pid);
		ASSERT_TRUE(WIFSIGNALED(status));
		ASSERT_EQ(SIGKILL, WTERMSIG(status));
	}
}

/* The leader is gone, a zombie, and other threads go on */
static void *run_after_leader(void *arg)
{
	int ret = -1;

	(void)arg;
	if (poll_until(thread_state(getpid()) == 'Z'))
		ret = try_instance();
	_exit(ret ? 1 : 0);
}

TEST_F_TIMEOUT(life, leader_exits, TEST_SECONDS)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct inst in;
		pthread_t t;
		int slot;

		die_with_parent();
		if (inst_open(&in, 1, 8))
			_exit(2);
		slot = inst_register(&in);
		if (slot < 0 || thread_start(&t, run_after_leader, NULL))
			_exit(3);
		slot_enter(&in.slots[slot], 0, BATON_FIBER);
		/* Not exit(), which would end the others */
		syscall(SYS_exit, 0);
	}
	status = wait_child(pid);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/*
 * exec()
 */

FIXTURE(exec) {
	int pipe[2];
};

FIXTURE_VARIANT(exec) {
	bool leader;		/* which thread does it */
	bool keeps;		/* the file stays open */
	uint32_t state;
};

FIXTURE_VARIANT_ADD(exec, leader) {
	.leader = true, .state = BATON_RUNTIME,
};

FIXTURE_VARIANT_ADD(exec, leader_foreign) {
	.leader = true, .state = BATON_FOREIGN,
};

FIXTURE_VARIANT_ADD(exec, leader_keeps_file) {
	.leader = true, .keeps = true, .state = BATON_FOREIGN,
};

FIXTURE_VARIANT_ADD(exec, thread) {
	.state = BATON_RUNTIME,
};

FIXTURE_VARIANT_ADD(exec, thread_foreign) {
	.state = BATON_FOREIGN,
};

FIXTURE_VARIANT_ADD(exec, thread_keeps_file) {
	.keeps = true, .state = BATON_FIBER,
};

FIXTURE_SETUP(exec)
{
	ASSERT_TRUE(wait_module_idle());
}

FIXTURE_TEARDOWN(exec)
{
	EXPECT_TRUE(wait_module_idle()) {
		TH_LOG("%ld references are left", module_refcnt());
	}
}

struct image {
	struct inst in;
	struct worker w[3];
	uint32_t state;
	struct event go;
};

static void exec_now(struct image *im, int slot)
{
	if (!event_wait(&im->go))
		_exit(4);
	slot_enter(&im->in.slots[slot], 0, im->state);
	execl("/proc/self/exe", "death", NULL);
	_exit(5);
}

static void run_exec(struct worker *w)
{
	exec_now(w->arg, w->slot);
}

static void exec_child(bool leader, bool keeps, uint32_t state)
{
	static struct image im;
	struct inst *in = &im.in;
	char fd[16];
	int slot = 0;

	die_with_parent();
	if (inst_open_flags(in, 1, 8, keeps ? 0 : O_CLOEXEC))
		_exit(1);
	snprintf(fd, sizeof(fd), "%d", keeps ? in->fd : -1);
	setenv(EXEC_CHECK, fd, 1);
	im.state = state;
	store(&in->h->nglobal, 1);
	if (worker_start(&im.w[0], in, park_once, NULL) < 0 ||
	    worker_start(&im.w[1], in, park_once_pinned, NULL) < 0 ||
	    !wait_standbys(in, 1))
		_exit(2);
	if (leader) {
		slot = inst_register(in);
		if (slot < 0)
			_exit(3);
		event_set(&im.go);
		exec_now(&im, slot);
	}
	if (worker_start(&im.w[2], in, run_exec, &im) < 0)
		_exit(3);
	event_set(&im.go);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(exec, fresh, TEST_SECONDS)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			exec_child(variant->leader, variant->keeps,
				   variant->state);
		status = wait_child(pid);
		ASSERT_TRUE(WIFEXITED(status)) {
			TH_LOG("status %#x", status);
		}
		/* 11 and up: a call on the old instance was not refused */
		EXPECT_EQ(0, WEXITSTATUS(status));
	}
}

/*
 * The module
 */

TEST_F_TIMEOUT(life, rmmod_after_exit, TEST_SECONDS)
{
	int i, status, ret;
	pid_t pid;

	if (!getenv("BATON_KO"))
		SKIP(return, "BATON_KO is not set");
	for (i = 0; i < 10; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			be_killed(i & 1 ? K_FOREIGN : K_SWAPPING,
				  self->pipe[1]);
		ASSERT_EQ(1, pipe_get(self->pipe[0]));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		status = wait_child(pid);
		ASSERT_TRUE(WIFSIGNALED(status));
		/* As soon as it goes */
		ASSERT_TRUE(spin_until((ret = module_remove()) !=
				       -EWOULDBLOCK));
		ASSERT_EQ(0, ret);
		ASSERT_NE(0, access(BATON_DEV, F_OK));
		ASSERT_EQ(0, module_load());
	}
	EXPECT_EQ(0, try_instance());
}

TEST_HARNESS_MAIN
