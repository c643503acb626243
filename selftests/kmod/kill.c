// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * kill.c - kill -9 at any moment
 *
 * Round after round a child does all that the module offers with a few
 * threads, until it is killed.  Every round is a function of the seed and its
 * number, as far as the machine allows: BATON_SEED repeats a run and
 * BATON_KILL_ROUNDS sets its length.
 */

#include "common.h"

#define ROUNDS		200
#define WORKERS		5
#define PROCS		2
#define KILL_US		20000

struct child {
	struct inst in;
	pthread_t thread[WORKERS];
	uint64_t seed[WORKERS];
	uint32_t acts;
};

/* Shared with the child: what it found wrong before it died */
static struct report {
	uint32_t acts;
	int error;
} *report;

static struct child child;

/* Anything but these is a bug, whatever the others are doing */
static void check(int ret)
{
	switch (ret) {
	case -EAGAIN:
	case -EBUSY:
	case -EINTR:
	case -EINVAL:	/* a swap with oneself */
	case -ESHUTDOWN:
	case -ESRCH:
		return;
	}
	if (ret < 0 || ret >= PROCS)
		store(&report->error, ret);
}

/* Blocks with processor p, as fiber or foreign code; -1 when it was taken */
static int act_block(struct baton_slot *s, int p, uint64_t *seed)
{
	slot_enter(s, p, rnd(seed) & 1 ? BATON_FIBER : BATON_FOREIGN);
	switch (rnd(seed) % 3) {
	case 0:
		block_ns(rnd(seed) % 2000000);
		break;
	case 1:
		sched_yield();
		break;
	case 2:
		munmap(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_POPULATE, -1, 0), 8192);
		break;
	}
	return slot_leave(s) == BATON_TAKEN ? -1 : p;
}

static int act_give(struct inst *in, int p, uint64_t *seed)
{
	uint32_t to = rnd(seed) % 3 ? rnd(seed) % WORKERS : BATON_ANY;
	int ret = inst_wake(in, p, to);

	check(ret);
	return ret < 0 ? p : -1;
}

static int act_swap(struct inst *in, int p, uint64_t *seed)
{
	int ret = inst_swap(in, rnd(seed) % 8 ? 0 : BATON_PARK_PINNED, p,
			    rnd(seed) % WORKERS);

	check(ret);
	return ret;
}

/* One worker's life; p is its processor or negative */
static void live(struct inst *in, int slot, uint64_t *seed)
{
	unsigned int n = rnd(seed) % 200;
	int p = -1;

	while (n--) {
		struct baton_slot *s = &in->slots[slot];

		inc(&report->acts);
		if (p < 0) {
			store(&s->state, BATON_PARKED);
			p = inst_park(in, rnd(seed) % 16 ? 0 :
				      BATON_PARK_PINNED);
			store(&s->state, BATON_RUNTIME);
			check(p);
			continue;
		}
		switch (rnd(seed) % 4) {
		case 0:
			store(&in->h->nglobal, rnd(seed) & 1);
			break;
		case 1:
			p = act_block(s, p, seed);
			break;
		case 2:
			p = act_give(in, p, seed);
			break;
		case 3:
			p = act_swap(in, p, seed);
			break;
		}
	}
	if (p >= 0)
		inst_wake(in, p, BATON_ANY);
}

/*
 * Lives again and again: some of the threads end for good, with or without a
 * word, and another takes their place
 */
static void *run_lives(void *arg)
{
	uint64_t *seed = arg;
	pthread_t next;

	for (;;) {
		int slot = inst_register(&child.in);

		check(slot < 0 ? slot : 0);
		if (slot >= 0)
			live(&child.in, slot, seed);
		if (rnd(seed) & 1)
			inst_unregister(&child.in);
		if (rnd(seed) % 4)
			continue;
		if (!thread_start(&next, run_lives, seed)) {
			pthread_detach(next);
			return NULL;
		}
	}
}

/* A thread that is no worker interferes: wakes, and claims, and interrupts */
static void meddle(uint64_t seed)
{
	uint32_t p;

	for (;;) {
		p = rnd(&seed) % PROCS;
		if (idle_test(&child.in, p) && idle_claim(&child.in, p))
			check(inst_wake(&child.in, p, rnd(&seed) & 1 ?
					BATON_ANY : rnd(&seed) % WORKERS));
		if (rnd(&seed) % 8 == 0)
			kill(getpid(), SIGUSR1);
		if (rnd(&seed) % 512 == 0)
			inst_stop(&child.in);
		block_ns(rnd(&seed) % 500000);
	}
}

static void child_main(uint64_t seed, int up)
{
	int i;

	die_with_parent();
	catch_signal(SIGUSR1, 0);
	if (inst_open_as(&child.in, seed & 1 ? BATON_CREATE_LEARN : 0, PROCS,
			 WORKERS))
		_exit(1);
	store(&child.in.h->nglobal, 1);
	idle_set(&child.in, 0);
	for (i = 0; i < WORKERS; i++) {
		child.seed[i] = seed * WORKERS + i;
		if (thread_start(&child.thread[i], run_lives, &child.seed[i]))
			_exit(2);
	}
	pipe_put(up, 1);
	meddle(seed);
}

FIXTURE(kill) {
	int up[2];
	unsigned int rounds;
};

FIXTURE_SETUP(kill)
{
	const char *s = getenv("BATON_KILL_ROUNDS");

	self->rounds = s ? strtoul(s, NULL, 0) : ROUNDS;
	ASSERT_EQ(0, pipe2(self->up, O_CLOEXEC));
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, report);
	ASSERT_TRUE(wait_module_idle());
}

FIXTURE_TEARDOWN(kill)
{
	EXPECT_TRUE(wait_module_idle()) {
		TH_LOG("%ld references are left", module_refcnt());
	}
}

TEST_F_TIMEOUT(kill, any_moment, 100)
{
	uint64_t seed = seed_get();
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < self->rounds; i++) {
		uint64_t round = seed + i;

		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			child_main(round, self->up[1]);
		ASSERT_EQ(1, pipe_get(self->up[0]));
		/* The moment; half of them before much has happened */
		block_ns(rnd(&round) % (i & 1 ? KILL_US : KILL_US / 20) *
			 1000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		status = wait_child(pid);
		ASSERT_TRUE(WIFSIGNALED(status)) {
			TH_LOG("round %u: status %#x", i, status);
		}
		ASSERT_EQ(0, report->error) {
			TH_LOG("round %u", i);
		}
	}
	TH_LOG("%u rounds, %u acts", self->rounds, report->acts);
	EXPECT_LT(self->rounds, report->acts) {
		TH_LOG("too few: nothing was tested");
	}
}

TEST_HARNESS_MAIN
