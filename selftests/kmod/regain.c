// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * regain.c - a worker that is back in fiber code has its processor again, if
 * that is idle
 *
 * Worker A holds processor 0 of two, and reads from an empty pipe.  No fiber
 * waits, so its processor becomes idle.  Only then is something written.
 */

#include "common.h"

#define HELD	0
#define OTHER	1

FIXTURE(back) {
	struct inst in;
	struct worker a;
	int pipe[2];
	uint32_t state;
	uint32_t rounds;
	uint32_t round;		/* which A is in, from 1 on */
	uint32_t taken[2];	/* of each, when A is back */
};

FIXTURE_VARIANT(back) {
	uint32_t flags;		/* of CREATE */
};

FIXTURE_VARIANT_ADD(back, now) {
	.flags = BATON_CREATE_REGAIN,
};

FIXTURE_VARIANT_ADD(back, learn) {
	.flags = BATON_CREATE_REGAIN | BATON_CREATE_LEARN,
};

FIXTURE_SETUP(back)
{
	ASSERT_EQ(0, lock_memory());
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
	ASSERT_EQ(0, inst_open_as(&self->in, variant->flags, 2, 8));
	ASSERT_TRUE(idle_claim(&self->in, OTHER));
	self->state = BATON_FIBER;
	self->rounds = 1;
}

FIXTURE_TEARDOWN(back)
{
	inst_close(&self->in);
}

static void run_a(struct worker *w)
{
	FIXTURE_DATA(back) *self = w->arg;
	struct baton_slot *slot = worker_slot(w);
	char c;

	slot_enter(slot, HELD, self->state);
	while (self->round < self->rounds) {
		store(&self->round, self->round + 1);
		w->ret = -(read(self->pipe[0], &c, 1) != 1);
		store(&self->taken[self->round - 1], load(&slot->taken));
	}
	slot_leave(slot);
}

/* A sleeps in its round @n, and its processor is idle */
static bool a_blocks(FIXTURE_DATA(back) *self, uint32_t n)
{
	return poll_until(load(&self->round) == n) &&
	       wait_blocked(self->a.tid) &&
	       poll_until(load(&worker_slot(&self->a)->taken) == BATON_TAKEN);
}

static void start(struct __test_metadata *_metadata,
		  FIXTURE_DATA(back) *self)
{
	ASSERT_LE(0, worker_start(&self->a, &self->in, run_a, self));
	ASSERT_TRUE(a_blocks(self, 1));
	ASSERT_TRUE(poll_until(idle_test(&self->in, HELD)));
}

static void finish(struct __test_metadata *_metadata,
		   FIXTURE_DATA(back) *self)
{
	pipe_put(self->pipe[1], 1);
	ASSERT_TRUE(worker_join(&self->a));
	EXPECT_EQ(0, self->a.ret);
}

TEST_F_TIMEOUT(back, its_own, TEST_SECONDS)
{
	start(_metadata, self);
	/* It is written by whoever holds it, and A does again */
	store(&self->in.procs[HELD].worker, 7);
	finish(_metadata, self);
	EXPECT_EQ(BATON_KEPT, self->taken[0]);
	EXPECT_FALSE(idle_test(&self->in, HELD));
	EXPECT_EQ(self->a.slot, self->in.procs[HELD].worker);
	EXPECT_LE(1, self->in.procs[HELD].regained);
	EXPECT_EQ(self->in.procs[HELD].idled, self->in.procs[HELD].regained);
}

/* Foreign code is outside of the limit */
TEST_F_TIMEOUT(back, foreign, TEST_SECONDS)
{
	self->state = BATON_FOREIGN;
	start(_metadata, self);
	finish(_metadata, self);
	EXPECT_EQ(BATON_TAKEN, self->taken[0]);
	EXPECT_TRUE(idle_test(&self->in, HELD));
	EXPECT_EQ(0, self->in.procs[HELD].regained);
}

/* Another has it; its holder lets it go, and A blocks once more */
TEST_F_TIMEOUT(back, when_it_is_let_go, TEST_SECONDS)
{
	self->rounds = 2;
	start(_metadata, self);
	ASSERT_TRUE(idle_claim(&self->in, HELD));
	pipe_put(self->pipe[1], 1);
	ASSERT_TRUE(a_blocks(self, 2));
	EXPECT_EQ(BATON_TAKEN, self->taken[0]);
	EXPECT_EQ(0, self->in.procs[HELD].regained);
	idle_set(&self->in, HELD);
	finish(_metadata, self);
	EXPECT_EQ(BATON_KEPT, self->taken[1]);
	EXPECT_FALSE(idle_test(&self->in, HELD));
	EXPECT_EQ(1, self->in.procs[HELD].regained);
}

/* What A has noted of one processor does not hold for another */
TEST_F_TIMEOUT(back, not_another, TEST_SECONDS)
{
	start(_metadata, self);
	ASSERT_TRUE(idle_claim(&self->in, HELD));
	idle_set(&self->in, OTHER);
	finish(_metadata, self);
	EXPECT_EQ(BATON_TAKEN, self->taken[0]);
	EXPECT_TRUE(idle_test(&self->in, OTHER));
}

/* The end has made it TAKEN for good */
TEST_F_TIMEOUT(back, not_after_stop, TEST_SECONDS)
{
	start(_metadata, self);
	ASSERT_EQ(0, inst_stop(&self->in));
	finish(_metadata, self);
	EXPECT_EQ(BATON_TAKEN, self->taken[0]);
	EXPECT_TRUE(idle_test(&self->in, HELD));
}

/* It may be about to stop, and would keep it meanwhile */
TEST_F_TIMEOUT(back, not_for_a_signal, TEST_SECONDS)
{
	const struct sched_param first = { .sched_priority = 99 };

	catch_signal(SIGUSR1, 0);
	start(_metadata, self);
	/* Preempted after the signal, with none pending, it would have it. */
	ASSERT_EQ(0, sched_setscheduler(self->a.tid, SCHED_FIFO, &first));
	do {
		pthread_kill(self->a.thread, SIGUSR1);
	} while (!event_wait_ms(&self->a.done, 10));
	ASSERT_TRUE(worker_join(&self->a));
	EXPECT_EQ(-1, self->a.ret);
	EXPECT_EQ(BATON_TAKEN, self->taken[0]);
	EXPECT_TRUE(idle_test(&self->in, HELD));
}

/* A number that is none */
TEST_F_TIMEOUT(back, out_of_range, TEST_SECONDS)
{
	start(_metadata, self);
	store(&worker_slot(&self->a)->proc, 2);
	finish(_metadata, self);
	EXPECT_EQ(BATON_TAKEN, self->taken[0]);
}

/* Nobody asked for it */
TEST(not_asked)
{
	FIXTURE_DATA(back) self = { .state = BATON_FIBER, .rounds = 1 };

	ASSERT_EQ(0, lock_memory());
	ASSERT_EQ(0, pipe2(self.pipe, O_CLOEXEC));
	ASSERT_EQ(0, inst_open(&self.in, 2, 8));
	ASSERT_TRUE(idle_claim(&self.in, OTHER));
	start(_metadata, &self);
	finish(_metadata, &self);
	EXPECT_EQ(BATON_TAKEN, self.taken[0]);
	EXPECT_TRUE(idle_test(&self.in, HELD));
	inst_close(&self.in);
}

TEST_HARNESS_MAIN
