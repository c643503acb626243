// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * handoff.c - a worker that blocks loses its processor, at once or soon
 *
 * Worker A holds processor 0 and blocks; standby B's PARK has to return 0.
 * Whatever ends A's wait comes after that, so none of it depends on time: a
 * hook that does nothing leaves both asleep until the deadline.  The disk is
 * the exception, being an event of its own; there A must still be inside.
 */

#include <linux/userfaultfd.h>

#include "common.h"

#define DISK		"/dev/nullb0"
#define DISK_NS		"300000000"
#define PAGE		4096

enum how {
	NANOSLEEP,
	PIPE,
	FUTEX,
	FAULT,
	DISK_READ,
};

struct scene {
	struct inst in;
	struct worker a;
	struct worker b;

	/* What A blocks on */
	enum how how;
	uint32_t state;
	uint32_t taken;		/* before it blocks */
	int pipe[2];
	uint32_t futex;
	int uffd;
	char *page;
	pthread_t pager;
	int disk;

	uint32_t a_back;
	uint32_t b_too_late;	/* A was back before B */
	struct event given;	/* B is back */
};

static void block(struct scene *s)
{
	static char buf[PAGE] __attribute__((aligned(PAGE)));
	char c;

	switch (s->how) {
	case NANOSLEEP:
		block_ns(3600ull * 1000000000);
		break;
	case PIPE:
		if (read(s->pipe[0], &c, 1) != 1)
			s->a.ret = -errno;
		break;
	case FUTEX:
		while (!load(&s->futex))
			futex_wait(&s->futex, 0, NULL);
		break;
	case FAULT:
		(void)*(volatile char *)s->page;
		break;
	case DISK_READ:
		if (pread(s->disk, buf, sizeof(buf), 0) != sizeof(buf))
			s->a.ret = -errno;
		break;
	}
}

static void run_a(struct worker *w)
{
	struct scene *s = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint32_t taken;

	w->ret = 0;
	slot_enter(slot, 0, BATON_RUNTIME);
	store(&slot->taken, s->taken);
	barrier();
	store(&slot->state, s->state);
	barrier();
	block(s);
	taken = slot_leave(slot);
	store_release(&s->a_back, 1);
	if (!w->ret)
		w->ret = taken;
}

static void run_b(struct worker *w)
{
	struct scene *s = w->arg;

	w->ret = slot_park(w->in, worker_slot(w), 0);
	store(&s->b_too_late, load_acquire(&s->a_back));
	event_set(&s->given);
}

/* Resolves A's page fault, once B runs */
static void *run_pager(void *arg)
{
	static char zero[PAGE];
	struct scene *s = arg;
	struct uffdio_copy copy = {
		.dst = (unsigned long)s->page,
		.src = (unsigned long)zero,
		.len = PAGE,
	};
	struct uffd_msg msg;

	if (read(s->uffd, &msg, sizeof(msg)) == sizeof(msg))
		event_wait(&s->given);
	ioctl(s->uffd, UFFDIO_COPY, &copy);
	return NULL;
}

/* Returns why it cannot be had, or NULL */
static const char *fault_prepare(struct scene *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (s->uffd < 0)
		return "no userfaultfd";
	s->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (unsigned long)s->page;
	reg.range.len = PAGE;
	if (ioctl(s->uffd, UFFDIO_API, &api) ||
	    ioctl(s->uffd, UFFDIO_REGISTER, &reg) ||
	    thread_start(&s->pager, run_pager, s))
		return "userfaultfd does not work";
	return NULL;
}

/* A disk on which a read takes 300 ms */
static const char *disk_prepare(struct scene *s)
{
	/* One that is there already may be of any speed */
	if (system("modprobe -r null_blk 2>/dev/null; "
		   "modprobe null_blk nr_devices=1 irqmode=2 gb=1 "
		   "completion_nsec=" DISK_NS " 2>/dev/null"))
		return "no null_blk";
	s->disk = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	return s->disk < 0 ? "no null_blk" : NULL;
}

static const char *block_prepare(struct scene *s)
{
	switch (s->how) {
	case NANOSLEEP:
		catch_signal(SIGUSR1, 0);
		return NULL;
	case PIPE:
		return pipe2(s->pipe, O_CLOEXEC) ? "no pipe" : NULL;
	case FUTEX:
		return NULL;
	case FAULT:
		return fault_prepare(s);
	case DISK_READ:
		return disk_prepare(s);
	}
	return "unknown";
}

/* Ends A's wait. It may not have begun, if A blocked on its way there. */
static void block_end(struct scene *s)
{
	switch (s->how) {
	case NANOSLEEP:
		do {
			pthread_kill(s->a.thread, SIGUSR1);
		} while (!event_wait_ms(&s->a.done, 10));
		break;
	case PIPE:
		pipe_put(s->pipe[1], 1);
		break;
	case FUTEX:
		store(&s->futex, 1);
		futex_wake(&s->futex);
		break;
	case FAULT:
	case DISK_READ:
		break;
	}
}

FIXTURE(blocked) {
	struct scene s;
};

FIXTURE_VARIANT(blocked) {
	enum how how;
	uint32_t state;
	uint32_t flags;		/* of CREATE */
};

FIXTURE_VARIANT_ADD(blocked, nanosleep_fiber) {
	.how = NANOSLEEP, .state = BATON_FIBER,
};

FIXTURE_VARIANT_ADD(blocked, nanosleep_foreign) {
	.how = NANOSLEEP, .state = BATON_FOREIGN,
};

FIXTURE_VARIANT_ADD(blocked, pipe_fiber) {
	.how = PIPE, .state = BATON_FIBER,
};

FIXTURE_VARIANT_ADD(blocked, pipe_foreign) {
	.how = PIPE, .state = BATON_FOREIGN,
};

FIXTURE_VARIANT_ADD(blocked, futex_fiber) {
	.how = FUTEX, .state = BATON_FIBER,
};

FIXTURE_VARIANT_ADD(blocked, futex_foreign) {
	.how = FUTEX, .state = BATON_FOREIGN,
};

FIXTURE_VARIANT_ADD(blocked, fault_fiber) {
	.how = FAULT, .state = BATON_FIBER,
};

FIXTURE_VARIANT_ADD(blocked, fault_foreign) {
	.how = FAULT, .state = BATON_FOREIGN,
};

FIXTURE_VARIANT_ADD(blocked, disk_fiber) {
	.how = DISK_READ, .state = BATON_FIBER,
};

FIXTURE_VARIANT_ADD(blocked, disk_foreign) {
	.how = DISK_READ, .state = BATON_FOREIGN,
};

/* Where nothing is known of such blocks, a timer ends the wait */

FIXTURE_VARIANT_ADD(blocked, nanosleep_fiber_learn) {
	.how = NANOSLEEP, .state = BATON_FIBER, .flags = BATON_CREATE_LEARN,
};

FIXTURE_VARIANT_ADD(blocked, futex_foreign_learn) {
	.how = FUTEX, .state = BATON_FOREIGN, .flags = BATON_CREATE_LEARN,
};

FIXTURE_VARIANT_ADD(blocked, fault_fiber_learn) {
	.how = FAULT, .state = BATON_FIBER, .flags = BATON_CREATE_LEARN,
};

FIXTURE_VARIANT_ADD(blocked, disk_foreign_learn) {
	.how = DISK_READ, .state = BATON_FOREIGN, .flags = BATON_CREATE_LEARN,
};

FIXTURE_SETUP(blocked)
{
	struct scene *s = &self->s;

	ASSERT_EQ(0, inst_open_as(&s->in, variant->flags, 1, 8));
	s->how = variant->how;
	s->state = variant->state;
	s->taken = BATON_KEPT;
	s->disk = -1;
}

FIXTURE_TEARDOWN(blocked)
{
	struct scene *s = &self->s;

	inst_close(&s->in);
	if (s->disk >= 0) {
		close(s->disk);
		/* If it does not go, the next one to need it will say so */
		if (system("modprobe -r null_blk 2>/dev/null"))
			return;
	}
}

/* B parks, A blocks, B gets the processor, A finds out */
static void hand_off(struct __test_metadata *_metadata, struct scene *s)
{
	struct baton_counts c;

	ASSERT_LE(0, worker_start(&s->b, &s->in, run_b, s));
	ASSERT_TRUE(wait_standbys(&s->in, 1));
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_a, s));
	ASSERT_TRUE(event_wait(&s->given)) {
		TH_LOG("the standby was not woken");
	}
	block_end(s);
	ASSERT_TRUE(worker_join(&s->a));
	ASSERT_TRUE(worker_join(&s->b));

	EXPECT_EQ(0, s->b.ret);
	EXPECT_EQ(BATON_TAKEN, s->a.ret);
	EXPECT_EQ(0, s->b_too_late);
	EXPECT_EQ(0, s->in.h->nstandby);
	EXPECT_EQ(0, s->in.h->nworkers);
	EXPECT_FALSE(idle_test(&s->in, 0));
	ASSERT_EQ(0, inst_counts(&s->in, &c));
	EXPECT_EQ(1, c.handoffs);
	EXPECT_EQ(0, c.idled);
	EXPECT_EQ(0, c.starved);
	EXPECT_EQ(1, c.parks);
	EXPECT_EQ(1, s->in.procs[0].handoffs);
	EXPECT_EQ(0, s->in.procs[0].idled);
	/* The last standby was used */
	EXPECT_EQ(1, inst_missing(&s->in));
	EXPECT_EQ(-EAGAIN, inst_missing(&s->in));
}

TEST_F_TIMEOUT(blocked, work_global, TEST_SECONDS)
{
	const char *why = block_prepare(&self->s);

	if (why)
		SKIP(return, "%s", why);
	store(&self->s.in.h->nglobal, 1);
	hand_off(_metadata, &self->s);
}

TEST_F_TIMEOUT(blocked, work_queued, TEST_SECONDS)
{
	const char *why = block_prepare(&self->s);

	if (why)
		SKIP(return, "%s", why);
	/* Indices wrap; only a difference counts */
	store(&self->s.in.procs[0].head, ~0u);
	store(&self->s.in.procs[0].tail, 0);
	store(&self->s.in.h->queued[0], UINT64_C(1));
	hand_off(_metadata, &self->s);
}

/* A taker in user space that has begun does not keep the hook from it */
TEST_F_TIMEOUT(blocked, while_taking, TEST_SECONDS)
{
	const char *why = block_prepare(&self->s);

	if (why)
		SKIP(return, "%s", why);
	self->s.taken = BATON_TAKING;
	store(&self->s.in.h->nglobal, 1);
	hand_off(_metadata, &self->s);
}

/*
 * Ways not to run that are no sleep, or none of the usual
 */

FIXTURE(odd) {
	struct scene s;
};

FIXTURE_SETUP(odd)
{
	ASSERT_EQ(0, inst_open(&self->s.in, 1, 8));
	store(&self->s.in.h->nglobal, 1);
	self->s.disk = -1;
}

FIXTURE_TEARDOWN(odd)
{
	inst_close(&self->s.in);
	if (self->s.disk >= 0 && system("modprobe -r null_blk 2>/dev/null"))
		return;
}

/* As <linux/sched/types.h> has it, which the C library's header excludes */
struct deadline {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
};

static void run_deadline(struct worker *w)
{
	struct deadline attr = {
		.size = sizeof(attr),
		.policy = 6,
		.runtime = 50000000,
		.deadline = 1000000000,
		.period = 1000000000,
	};
	struct scene *s = w->arg;

	if (syscall(SYS_sched_setattr, 0, &attr, 0)) {
		w->ret = -errno;
		return;
	}
	slot_enter(worker_slot(w), 0, BATON_FIBER);
	while (!load(&s->futex))
		barrier();
	w->ret = slot_leave(worker_slot(w));
}

/* Who has used up his time does not run, though he has not blocked */
TEST_F_TIMEOUT(odd, throttled, TEST_SECONDS)
{
	struct scene *s = &self->s;

	ASSERT_LE(0, worker_start(&s->b, &s->in, run_b, s));
	ASSERT_TRUE(wait_standbys(&s->in, 1));
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_deadline, s));
	EXPECT_TRUE(event_wait_ms(&s->given, 5000));
	store(&s->futex, 1);
	ASSERT_TRUE(worker_join(&s->a));
	EXPECT_EQ(BATON_TAKEN, s->a.ret);
	inst_stop(&s->in);
	ASSERT_TRUE(worker_join(&s->b));
	EXPECT_EQ(0, s->b.ret);
}

/*
 * The last reference to a disk with something to write is dropped when the
 * thread has left its memory already
 */
static void run_exiting(struct worker *w)
{
	static char page[PAGE];
	int disk;

	w->ret = -EIO;
	if (unshare(CLONE_FILES))
		return;
	disk = open(DISK, O_RDWR | O_CLOEXEC);
	if (disk < 0 || pwrite(disk, page, PAGE, 0) != PAGE)
		return;
	w->ret = 0;
	event_set(&w->done);
	slot_enter(worker_slot(w), 0, BATON_FIBER);
	syscall(SYS_exit, 0);
}

static void run_witness(struct worker *w)
{
	struct scene *s = w->arg;

	w->ret = slot_park(w->in, worker_slot(w), 0);
	/* What is A doing? */
	s->state = thread_state(s->a.tid);
}

TEST_F_TIMEOUT(odd, exiting, TEST_SECONDS)
{
	struct scene *s = &self->s;
	const char *why = disk_prepare(s);

	if (why)
		SKIP(return, "%s", why);
	/* Not to be the last one to close it */
	close(s->disk);
	ASSERT_LE(0, worker_start(&s->b, &s->in, run_witness, s));
	ASSERT_TRUE(wait_standbys(&s->in, 1));
	ASSERT_LE(0, worker_start(&s->a, &s->in, run_exiting, s));
	ASSERT_TRUE(worker_join(&s->b));
	EXPECT_EQ(0, s->a.ret);
	EXPECT_EQ(0, s->b.ret);
	EXPECT_EQ('D', s->state);
	EXPECT_TRUE(poll_until(load(&s->in.h->nworkers) == 0));
}

#define MANY	5

FIXTURE(many) {
	struct inst in;
	struct worker w[MANY];
	int pipe[2];
	struct event given;
	uint32_t ngiven;
	uint32_t rounds;
	uint32_t gate;
};

FIXTURE_VARIANT(many) {
	uint32_t flags;		/* of CREATE */
};

FIXTURE_VARIANT_ADD(many, now) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(many, learn) {
	.flags = BATON_CREATE_LEARN,
};

FIXTURE_SETUP(many)
{
	ASSERT_EQ(0, inst_open_as(&self->in, variant->flags, 2, 8));
	/* Both are held; a PARK that finds one idle would not sleep */
	ASSERT_TRUE(idle_claim(&self->in, 1));
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
	store(&self->in.h->nglobal, 1);
}

FIXTURE_TEARDOWN(many)
{
	inst_close(&self->in);
}

/* Blocks as a fiber on the processor that it has; returns taken */
static uint32_t read_as_fiber(struct baton_slot *slot, uint32_t proc, int fd)
{
	char c;

	slot_enter(slot, proc, BATON_FIBER);
	while (read(fd, &c, 1) != 1)
		;
	return slot_leave(slot);
}

static void run_link(struct worker *w)
{
	FIXTURE_DATA(many) *self = w->arg;
	struct baton_slot *slot = worker_slot(w);
	int p = 0;

	if (w->num)
		p = slot_park(w->in, slot, 0);
	w->ret = p;
	if (p)
		return;
	if (inc(&self->ngiven) == MANY)
		event_set(&self->given);
	w->ret = -(int)read_as_fiber(slot, 0, self->pipe[0]);
}

/* Each that is given the processor blocks in turn; the last finds nobody */
TEST_F_TIMEOUT(many, chain, TEST_SECONDS)
{
	struct baton_counts c;
	int i;

	for (i = MANY - 1; i >= 0; i--) {
		self->w[i].num = i;
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_link,
					  self));
		if (i)
			ASSERT_TRUE(wait_standbys(&self->in, MANY - i));
	}
	ASSERT_TRUE(event_wait(&self->given));
	ASSERT_TRUE(poll_until(idle_test(&self->in, 0)));
	for (i = 0; i < MANY; i++)
		pipe_put(self->pipe[1], 1);
	for (i = 0; i < MANY; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(-BATON_TAKEN, self->w[i].ret);
	}
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(MANY - 1, c.handoffs);
	EXPECT_EQ(1, c.idled);
	EXPECT_EQ(1, c.starved);
	EXPECT_EQ(MANY - 1, self->in.procs[0].handoffs);
	EXPECT_EQ(1, self->in.procs[0].idled);
	EXPECT_TRUE(idle_claim(&self->in, 0));
	/* The last was used; then one was missing */
	EXPECT_EQ(2, inst_missing(&self->in));
}

/* Reads with processor w->num */
static void run_reader(struct worker *w)
{
	FIXTURE_DATA(many) *self = w->arg;

	w->ret = read_as_fiber(worker_slot(w), w->num, self->pipe[0]);
}

static void run_given(struct worker *w)
{
	FIXTURE_DATA(many) *self = w->arg;

	w->ret = slot_park(w->in, worker_slot(w), 0);
	inc(&self->ngiven);
}

/* Two processors, two standbys: each one gets one, and not the same */
TEST_F_TIMEOUT(many, two_processors, TEST_SECONDS)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_given,
					  self));
	ASSERT_TRUE(wait_standbys(&self->in, 2));
	for (i = 2; i < 4; i++) {
		self->w[i].num = i - 2;
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_reader,
					  self));
	}
	ASSERT_TRUE(poll_until(load(&self->ngiven) == 2));
	pipe_put(self->pipe[1], 1);
	pipe_put(self->pipe[1], 1);
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(worker_join(&self->w[i]));
	EXPECT_EQ(1, self->w[0].ret + self->w[1].ret);
	EXPECT_EQ(0, self->w[0].ret * self->w[1].ret);
	EXPECT_EQ(BATON_TAKEN, self->w[2].ret);
	EXPECT_EQ(BATON_TAKEN, self->w[3].ret);
	EXPECT_EQ(1, self->in.procs[0].handoffs);
	EXPECT_EQ(1, self->in.procs[1].handoffs);
}

/* One processor, three standbys: one of them, no more */
TEST_F_TIMEOUT(many, only_one, TEST_SECONDS)
{
	struct baton_counts c;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_given,
					  self));
	ASSERT_TRUE(wait_standbys(&self->in, 3));
	ASSERT_LE(0, worker_start(&self->w[3], &self->in, run_reader, self));
	ASSERT_TRUE(poll_until(load(&self->ngiven)));
	pipe_put(self->pipe[1], 1);
	ASSERT_TRUE(worker_join(&self->w[3]));
	EXPECT_EQ(BATON_TAKEN, self->w[3].ret);
	EXPECT_EQ(2, load(&self->in.h->nstandby));
	EXPECT_EQ(1, load(&self->ngiven));
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(1, c.handoffs);
	/* Two are left, so none is missing */
	EXPECT_EQ(-EAGAIN, inst_missing(&self->in));
	EXPECT_FALSE(inst_readable(&self->in));
	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(worker_join(&self->w[i]));
}

/* Fibers that wait in another processor's queue are work as well */
TEST_F_TIMEOUT(many, work_elsewhere, TEST_SECONDS)
{
	store(&self->in.h->nglobal, 0);
	store(&self->in.procs[1].tail, 3);
	store(&self->in.h->queued[0], UINT64_C(2));
	ASSERT_LE(0, worker_start(&self->w[0], &self->in, run_given, self));
	ASSERT_TRUE(wait_standbys(&self->in, 1));
	ASSERT_LE(0, worker_start(&self->w[1], &self->in, run_reader, self));
	ASSERT_TRUE(poll_until(load(&self->ngiven)));
	pipe_put(self->pipe[1], 1);
	ASSERT_TRUE(worker_join(&self->w[1]));
	ASSERT_TRUE(worker_join(&self->w[0]));
	EXPECT_EQ(0, self->w[0].ret);
	EXPECT_EQ(BATON_TAKEN, self->w[1].ret);
}

/*
 * Of those who wait it is the last to park, or, of the last eight, one that ran
 * on the CPU where the processor is lost
 */

#define WAITING	9

static void run_waiting(struct worker *w)
{
	w->ret = pin_cpu(0, w->num);
	if (!w->ret)
		w->ret = slot_park(w->in, worker_slot(w), 0);
}

static void run_loser(struct worker *w)
{
	int *fd = w->arg;

	w->ret = pin_cpu(0, w->num);
	if (!w->ret)
		w->ret = read_as_fiber(worker_slot(w), 0, fd[0]);
}

/* Who of them gets it, if @here alone, or none, ran on the loser's CPU */
static int heir(struct __test_metadata *_metadata, int here)
{
	struct worker w[WAITING + 1] = { 0 };
	int fd[2], i, ret = -1;
	struct inst in;

	ASSERT_EQ(0, pipe2(fd, O_CLOEXEC));
	ASSERT_EQ(0, inst_open(&in, 1, WAITING + 1));
	store(&in.h->nglobal, 1);
	for (i = 0; i < WAITING; i++) {
		w[i].num = i != here;
		ASSERT_LE(0, worker_start(&w[i], &in, run_waiting, NULL));
		ASSERT_TRUE(wait_standbys(&in, i + 1));
	}
	ASSERT_LE(0, worker_start(&w[i], &in, run_loser, fd));
	ASSERT_TRUE(wait_standbys(&in, WAITING - 1));
	pipe_put(fd[1], 1);
	ASSERT_TRUE(worker_join(&w[i]));
	EXPECT_EQ(BATON_TAKEN, w[i].ret);
	ASSERT_EQ(0, inst_stop(&in));
	while (i--) {
		ASSERT_TRUE(worker_join(&w[i]));
		if (w[i].ret != -ESHUTDOWN) {
			EXPECT_EQ(0, w[i].ret);
			ret = i;
		}
	}
	inst_close(&in);
	close(fd[0]);
	close(fd[1]);
	return ret;
}

TEST(who_is_chosen)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "only one CPU");
	EXPECT_EQ(WAITING - 1, heir(_metadata, -1));
	EXPECT_EQ(3, heir(_metadata, 3));
	/* The eighth that is looked at, and the ninth, which is not */
	EXPECT_EQ(1, heir(_metadata, 1));
	EXPECT_EQ(WAITING - 1, heir(_metadata, 0));
}

#define ROUNDS	300

/*
 * Who has the processor waits until the other is standby, then blocks until
 * the other, having been given the processor, lets it go on.
 */
static void run_relay(struct worker *w)
{
	FIXTURE_DATA(many) *self = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint32_t round;
	int p = 0;

	w->ret = 0;
	if (w->num)
		goto park;
	for (;;) {
		round = load_acquire(&self->rounds);
		if (round == ROUNDS)
			break;
		if (!spin_until(load(&w->in->h->nstandby) == 1))
			goto fail;
		slot_enter(slot, p, BATON_FIBER);
		while (load(&self->gate) == round)
			futex_wait(&self->gate, round, NULL);
		if (slot_leave(slot) != BATON_TAKEN)
			goto fail;
park:
		p = slot_park(w->in, slot, 0);
		if (p == -ESHUTDOWN)
			return;
		if (p)
			goto fail;
		round = load(&self->rounds);
		store_release(&self->rounds, round + 1);
		store(&self->gate, round + 1);
		futex_wake(&self->gate);
	}
	inst_stop(w->in);
	return;
fail:
	w->ret = -1;
	inst_stop(w->in);
}

/* All are handed over, none is missed and none is counted twice */
TEST_F_TIMEOUT(many, relay, TEST_SECONDS)
{
	struct baton_counts c;
	int i;

	for (i = 1; i >= 0; i--) {
		self->w[i].num = i;
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_relay,
					  self));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(0, self->w[i].ret);
	}
	EXPECT_EQ(ROUNDS, self->rounds);
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(ROUNDS, c.handoffs);
	EXPECT_EQ(0, c.idled);
	EXPECT_EQ(ROUNDS, self->in.procs[0].handoffs);
}

TEST_HARNESS_MAIN
