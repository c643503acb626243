// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * lifetime.c - threads, files and the module go, in every order
 *
 * What the kernel keeps for a worker must live as long as the worker may be
 * scheduled out, and no longer.  That shows in the module's reference count,
 * which has to come back to zero after each test.  What would go wrong besides
 * goes wrong in the kernel: the log is part of the verdict.
 *
 * How processes end is in death.c.
 */

#include <sys/socket.h>

#include "lifetime.h"

/*
 * Threads
 */

static void run_nothing(struct worker *w)
{
	w->ret = 0;
}

static void run_exit_foreign(struct worker *w)
{
	slot_enter(worker_slot(w), 0, BATON_FOREIGN);
	event_set(&w->done);
	pthread_exit(NULL);
}

static void run_exit_fiber(struct worker *w)
{
	slot_enter(worker_slot(w), 0, BATON_FIBER);
	event_set(&w->done);
	pthread_exit(NULL);
}

static void expect_dead(struct __test_metadata *_metadata, struct inst *in,
			struct worker *w)
{
	/* pthread_join() returns a bit before the thread's last moment */
	EXPECT_TRUE(poll_until(load(&worker_slot(w)->state) == BATON_DEAD));
	EXPECT_TRUE(poll_until(load(&in->h->nworkers) == 0));
}

static void exit_in(struct __test_metadata *_metadata, struct inst *in,
		    struct worker *w, void (*fn)(struct worker *))
{
	w->stays = true;
	ASSERT_LE(0, worker_start(w, in, fn, NULL));
	ASSERT_TRUE(worker_join(w));
	expect_dead(_metadata, in, w);
}

TEST_F_TIMEOUT(life, thread_exit, TEST_SECONDS)
{
	int i;

	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
	for (i = 0; i < 20; i++) {
		exit_in(_metadata, &self->in, &self->w[0], run_nothing);
		exit_in(_metadata, &self->in, &self->w[0], run_exit_foreign);
		exit_in(_metadata, &self->in, &self->w[0], run_exit_fiber);
	}
}

/* It had work to do and there was a standby, who must survive it, too */
TEST_F_TIMEOUT(life, thread_exit_with_work, TEST_SECONDS)
{
	struct worker *b = &self->w[1];

	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
	store(&self->in.h->nglobal, 1);
	ASSERT_LE(0, worker_start(b, &self->in, park_once, NULL));
	ASSERT_TRUE(wait_standbys(&self->in, 1));
	self->w[0].stays = true;
	ASSERT_LE(0, worker_start(&self->w[0], &self->in, run_exit_foreign,
				  NULL));
	ASSERT_TRUE(worker_join(&self->w[0]));
	EXPECT_TRUE(poll_until(load(&worker_slot(&self->w[0])->state) ==
			       BATON_DEAD));
	ASSERT_EQ(0, inst_stop(&self->in));
	ASSERT_TRUE(worker_join(b));
	EXPECT_TRUE(!b->ret || b->ret == -ESHUTDOWN);
}

static void *run_cancelled(void *arg)
{
	struct worker *w = arg;
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	worker_main(w);
	return NULL;
}

/* A parked thread leaves PARK by a signal and never comes back */
TEST_F_TIMEOUT(life, exit_parked, TEST_SECONDS)
{
	struct worker *w = &self->w[0];

	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
	w->in = &self->in;
	w->fn = park_once;
	w->stays = true;
	ASSERT_EQ(0, thread_start(&w->thread, run_cancelled, w));
	ASSERT_TRUE(event_wait(&w->ready));
	ASSERT_LE(0, w->slot);
	ASSERT_TRUE(wait_standbys(&self->in, 1));
	ASSERT_TRUE(wait_blocked(w->tid));
	ASSERT_EQ(0, pthread_cancel(w->thread));
	ASSERT_TRUE(worker_join(w));
	expect_dead(_metadata, &self->in, w);
	EXPECT_EQ(0, load(&self->in.h->nstandby));
	/* The dead get nothing */
	EXPECT_EQ(-ESRCH, inst_wake(&self->in, 0, w->slot));
	EXPECT_EQ(1, inst_wake(&self->in, 0, BATON_ANY));
}

/* A slot is free again after its worker's death, and as good as new */
static void run_look(struct worker *w)
{
	struct baton_slot zero = { .tid = w->tid };

	w->ret = !memcmp(worker_slot(w), &zero, sizeof(zero));
	memset(worker_slot(w), 0xff, sizeof(zero));
	store(&worker_slot(w)->state, BATON_RUNTIME);
}

TEST_F_TIMEOUT(life, slot_again, TEST_SECONDS)
{
	struct worker *w = &self->w[0];
	int i;

	ASSERT_EQ(0, inst_open(&self->in, 1, 1));
	for (i = 0; i < 20; i++) {
		w->stays = i & 1;
		ASSERT_TRUE(poll_until(
			worker_start(w, &self->in, run_look, NULL) >= 0 ||
			(thread_join(w->thread), w->slot != -EAGAIN)));
		ASSERT_EQ(0, w->slot);
		ASSERT_TRUE(worker_join(w));
		EXPECT_EQ(1, w->ret);
	}
}

static void run_until_go(struct worker *w)
{
	FIXTURE_DATA(life) *self = w->arg;

	w->ret = event_wait(&self->go);
}

TEST_F_TIMEOUT(life, workers_full, TEST_SECONDS)
{
	uint32_t i;

	ASSERT_EQ(0, inst_open(&self->in, 1, 3));
	for (i = 0; i < 3; i++) {
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_until_go,
					  self));
		EXPECT_EQ(i + 1, load(&self->in.h->nworkers));
		EXPECT_EQ((uint32_t)self->w[i].tid,
			  worker_slot(&self->w[i])->tid);
	}
	EXPECT_NE(self->w[0].slot, self->w[1].slot);
	EXPECT_NE(self->w[1].slot, self->w[2].slot);
	EXPECT_NE(self->w[2].slot, self->w[0].slot);
	EXPECT_EQ(-EAGAIN, worker_start(&self->w[3], &self->in, run_nothing,
					NULL));
	ASSERT_TRUE(worker_join(&self->w[3]));
	event_set(&self->go);
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(worker_join(&self->w[i]));
	EXPECT_EQ(0, load(&self->in.h->nworkers));
	EXPECT_LE(0, worker_start(&self->w[3], &self->in, run_nothing, NULL));
	ASSERT_TRUE(worker_join(&self->w[3]));
}

/* Registers and leaves as often as it can, while others do, too */
static void *run_turnstile(void *arg)
{
	struct worker *w = arg;
	int i, ret;

	w->ret = 0;
	for (i = 0; i < 300; i++) {
		ret = inst_register(w->in);
		if (ret == -EAGAIN)
			continue;
		if (ret < 0) {
			w->ret = ret;
			break;
		}
		slot_enter(&w->in->slots[ret], 0, BATON_FIBER);
		sched_yield();
		if (i % 16 == 0)
			block_ns(1000);
		slot_leave(&w->in->slots[ret]);
		ret = inst_unregister(w->in);
		if (ret) {
			w->ret = ret;
			break;
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(life, register_often, TEST_SECONDS)
{
	int i;

	ASSERT_EQ(0, inst_open(&self->in, 1, 3));
	for (i = 0; i < 4; i++) {
		self->w[i].in = &self->in;
		ASSERT_EQ(0, thread_start(&self->w[i].thread, run_turnstile,
					  &self->w[i]));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(0, self->w[i].ret);
	}
	EXPECT_EQ(0, load(&self->in.h->nworkers));
}

/*
 * Files and mappings
 */

/* Blocks on and on, lap after lap, touching nothing of the instance */
static void run_laps(struct worker *w)
{
	FIXTURE_DATA(life) *self = w->arg;

	slot_enter(worker_slot(w), 0, w->num & 1 ? BATON_FIBER :
		   BATON_FOREIGN);
	while (!load(&self->stop)) {
		block_ns(50000);
		inc(&self->laps[w->num]);
	}
	w->ret = 0;
}

static void start_laps(struct __test_metadata *_metadata,
		       FIXTURE_DATA(life) *self)
{
	int i;

	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
	store(&self->in.h->nglobal, 1);
	for (i = 0; i < 4; i++) {
		self->w[i].num = i;
		self->w[i].stays = true;
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_laps,
					  self));
	}
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(poll_until(load(&self->laps[i]) >= 3));
}

static void end_laps(struct __test_metadata *_metadata,
		     FIXTURE_DATA(life) *self)
{
	uint32_t laps;
	int i;

	for (i = 0; i < 4; i++) {
		laps = load(&self->laps[i]);
		ASSERT_TRUE(poll_until(load(&self->laps[i]) >= laps + 20));
	}
	store(&self->stop, 1);
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(worker_join(&self->w[i]));
}

/* The mapping holds the file: the instance stays whole, only unreachable */
TEST_F_TIMEOUT(life, close, TEST_SECONDS)
{
	start_laps(_metadata, self);
	ASSERT_EQ(0, close(self->in.fd));
	self->in.fd = -1;
	end_laps(_metadata, self);
	EXPECT_TRUE(poll_until(load(&self->in.h->nworkers) == 0));
	EXPECT_LT(0, module_refcnt());
}

TEST_F_TIMEOUT(life, unmap, TEST_SECONDS)
{
	struct worker w = { .num = 0 };

	start_laps(_metadata, self);
	inst_unmap(&self->in);
	end_laps(_metadata, self);
	/* The calls do without the mapping */
	w.in = &self->in;
	ASSERT_LE(0, worker_start(&w, &self->in, run_nothing, NULL));
	ASSERT_TRUE(worker_join(&w));
	EXPECT_EQ(1, inst_wake(&self->in, 0, BATON_ANY));
}

/* The instance goes; its workers stay for a while */
TEST_F_TIMEOUT(life, close_and_unmap, TEST_SECONDS)
{
	start_laps(_metadata, self);
	inst_close(&self->in);
	end_laps(_metadata, self);
}

TEST_F_TIMEOUT(life, unmap_and_close, TEST_SECONDS)
{
	int fd;

	start_laps(_metadata, self);
	fd = dup(self->in.fd);
	ASSERT_LE(0, fd);
	inst_close(&self->in);
	/* Not the last one, so these are workers still */
	self->in.fd = fd;
	EXPECT_EQ(1, inst_wake(&self->in, 0, BATON_ANY));
	inst_close(&self->in);
	end_laps(_metadata, self);
}

/* Who has closed its file is a worker no more, if it wants to be another's */
static void run_twice(struct worker *w)
{
	FIXTURE_DATA(life) *self = w->arg;

	event_set(&self->go);
	while (!load(&self->stop))
		block_ns(1000000);
	w->ret = try_instance();
}

TEST_F_TIMEOUT(life, register_after_close, TEST_SECONDS)
{
	struct worker *w = &self->w[0];

	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
	w->stays = true;
	ASSERT_LE(0, worker_start(w, &self->in, run_twice, self));
	ASSERT_TRUE(event_wait(&self->go));
	inst_close(&self->in);
	store(&self->stop, 1);
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(0, w->ret);
}

/* By any file: one with an instance, one without */
static int leave_twice(struct inst *in, int then)
{
	int ret = inst_unregister(in);

	if (ret)
		return ret;
	ret = inst_unregister(in);
	return ret == then ? 0 : ret;
}

static void run_leave(struct worker *w)
{
	FIXTURE_DATA(life) *self = w->arg;
	struct inst in;

	event_set(&self->go);
	while (!load(&self->stop))
		block_ns(1000000);
	if (w->num) {
		w->ret = inst_open(&in, 1, 1);
	} else {
		in.h = NULL;
		in.fd = dev_open(O_CLOEXEC);
		w->ret = in.fd < 0 ? in.fd : 0;
	}
	if (!w->ret)
		w->ret = leave_twice(&in, w->num ? -ESRCH : -ENXIO);
	inst_close(&in);
	/* And the thread lives on */
	if (!w->ret && !wait_module_idle())
		w->ret = -EBUSY;
}

TEST_F_TIMEOUT(life, unregister_after_close, TEST_SECONDS)
{
	struct worker *w = &self->w[0];
	int i;

	for (i = 0; i < 2; i++) {
		self->go.set = self->stop = 0;
		ASSERT_EQ(0, inst_open(&self->in, 1, 8));
		w->num = i;
		w->stays = true;
		ASSERT_LE(0, worker_start(w, &self->in, run_leave, self));
		ASSERT_TRUE(event_wait(&self->go));
		inst_close(&self->in);
		store(&self->stop, 1);
		ASSERT_TRUE(worker_join(w));
		EXPECT_EQ(0, w->ret);
	}
}

/*
 * fork()
 */

/* In the child; returns the number of a check that failed, or 0 */
static int check_child(struct inst *in, uint32_t *blocked)
{
	unsigned char vec;

	block_ns(1000000);
	if (blocked)
		store(blocked, 1);
	if (all_refused(in->fd, -EPERM))
		return 20 + all_refused(in->fd, -EPERM);
	if (mmap(NULL, in->size, PROT_READ | PROT_WRITE, MAP_SHARED, in->fd,
		 0) != MAP_FAILED)
		return 40;
	/* Was not copied: VM_DONTCOPY */
	if (!mincore(in->h, 1, &vec) || errno != ENOMEM)
		return 41;
	if (try_instance())
		return 42;
	return 0;
}

TEST_F_TIMEOUT(life, fork, TEST_SECONDS)
{
	struct worker *w = &self->w[0];
	int status;
	pid_t pid;

	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
	store(&self->in.h->nglobal, 1);
	ASSERT_LE(0, worker_start(w, &self->in, park_once, NULL));
	ASSERT_TRUE(wait_standbys(&self->in, 1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		die_with_parent();
		_exit(check_child(&self->in, NULL));
	}
	status = wait_child(pid);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	/* Nothing happened to the parent */
	EXPECT_EQ(1, load(&self->in.h->nstandby));
	EXPECT_EQ(1, load(&self->in.h->nworkers));
	ASSERT_EQ(0, inst_wake(&self->in, 0, BATON_ANY));
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(0, w->ret);
}

/* The same by a worker: its child is none, and what it does costs it nothing */
static void run_fork(struct worker *w)
{
	FIXTURE_DATA(life) *self = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint32_t *blocked = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	w->ret = -1;
	if (blocked == MAP_FAILED)
		return;
	/* The page is there, and FIBER need not fault for it */
	store(blocked, 0);
	store(&slot->proc, 0);
	pid = fork();
	if (!pid) {
		/* The parent of this one is a thread */
		_exit(check_child(&self->in, blocked));
	}
	slot_enter(slot, 0, BATON_FIBER);
	while (!load(blocked))
		barrier();
	w->ret = slot_leave(slot);
	status = wait_child(pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		w->ret = status;
}

TEST_F_TIMEOUT(life, fork_by_worker, TEST_SECONDS)
{
	struct worker *w = &self->w[0];
	struct baton_counts c;

	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
	ASSERT_LE(0, worker_start(w, &self->in, run_fork, self));
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(BATON_KEPT, w->ret);
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(0, c.idled);
	EXPECT_FALSE(idle_test(&self->in, 0));
}

/* The child keeps the file open when its parent, the owner, is long gone */
TEST_F_TIMEOUT(life, fork_outlives, TEST_SECONDS)
{
	int status, up[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(up, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct worker w = { .num = 0 };
		struct inst in;

		if (inst_open(&in, 1, 8) ||
		    worker_start(&w, &in, park_once, NULL) < 0 ||
		    !wait_standbys(&in, 1))
			_exit(1);
		if (fork())
			_exit(0);
		/* Its end is what the parent waits for */
		pipe_get(self->pipe[0]);
		pipe_put(up[1], all_refused(in.fd, -EPERM));
		_exit(0);
	}
	status = wait_child(pid);
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	EXPECT_LT(0, module_refcnt());
	pipe_put(self->pipe[1], 1);
	EXPECT_EQ(0, pipe_get(up[0]));
}

/*
 * Another process is sent the file
 */

static int send_fd(int sock, int fd)
{
	char c = 0, buf[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = buf,
		.msg_controllen = sizeof(buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int sock)
{
	char c, buf[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = buf,
		.msg_controllen = sizeof(buf),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return -EIO;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

TEST_F_TIMEOUT(life, sent_file, TEST_SECONDS)
{
	long page = sysconf(_SC_PAGESIZE);
	int sock[2], fd, i;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct worker w = { .num = 0 };
		struct inst in;

		die_with_parent();
		if (inst_open(&in, 1, 8) ||
		    worker_start(&w, &in, park_once, NULL) < 0 ||
		    !wait_standbys(&in, 1) || send_fd(sock[1], in.fd))
			_exit(1);
		for (;;)
			pause();
	}
	fd = receive_fd(sock[0]);
	ASSERT_LE(0, fd);
	/* While the owner lives, and when it is dead */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, all_refused(fd, -EPERM));
		EXPECT_EQ(MAP_FAILED, mmap(NULL, page, PROT_READ | PROT_WRITE,
					   MAP_SHARED, fd, 0));
		EXPECT_EQ(MAP_FAILED, mmap(NULL, page, PROT_READ, MAP_SHARED,
					   fd, 0));
		if (i)
			break;
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
	EXPECT_LT(0, module_refcnt());
	close(fd);
}

/*
 * The module
 */

TEST_F_TIMEOUT(life, rmmod_in_use, TEST_SECONDS)
{
	int fd;

	/* A file alone; one with an instance; a mapping; a worker */
	fd = dev_open(O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, module_remove());
	close(fd);
	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
	EXPECT_EQ(-EWOULDBLOCK, module_remove());
	ASSERT_EQ(0, close(self->in.fd));
	self->in.fd = -1;
	EXPECT_EQ(-EWOULDBLOCK, module_remove());
	inst_close(&self->in);
	start_laps(_metadata, self);
	EXPECT_EQ(-EWOULDBLOCK, module_remove());
	end_laps(_metadata, self);
}

/*
 * Code that a living worker's switches still call must not go: either the
 * module stays, or there is nothing left that would call it.
 */
TEST_F_TIMEOUT(life, rmmod_after_close, TEST_SECONDS)
{
	int ret;

	if (!getenv("BATON_KO"))
		SKIP(return, "BATON_KO is not set");
	start_laps(_metadata, self);
	inst_close(&self->in);
	ret = module_remove();
	EXPECT_TRUE(!ret || ret == -EWOULDBLOCK);
	end_laps(_metadata, self);
	if (!ret)
		ASSERT_EQ(0, module_load());
}

TEST_HARNESS_MAIN
