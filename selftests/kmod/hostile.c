// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * hostile.c - a region full of lies, and any call at any time
 *
 * Of the region the contract says that a lie harms the liar alone: a call may
 * then fail or the liar's threads starve, but no number out of range comes out
 * of the kernel, STOP ends every wait, and the kernel is as before.  All of it
 * as root and as nobody.
 */

#include "hostile.h"

#define FUZZ_MS		3000

/*
 * The region
 */

/* Parks until it is told to stop; ret is a number out of range, if any */
static void run_parks(struct worker *w)
{
	FIXTURE_DATA(hostile) *self = w->arg;
	int p;

	w->ret = 0;
	while ((p = inst_park(w->in, 0)) != -ESHUTDOWN) {
		if (p >= NPROCS || (p < 0 && p != -EINTR))
			w->ret = p;
		else
			inc(&self->acts);
	}
}

static void expect_in_range(struct __test_metadata *_metadata,
			    FIXTURE_DATA(hostile) *self, int n)
{
	int i;

	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < n; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(0, self->w[i].ret) {
			TH_LOG("was given %d", self->w[i].ret);
		}
	}
}

TEST_F_TIMEOUT(hostile, idle_lies, TEST_SECONDS)
{
	struct inst *in = &self->in;

	store(&in->h->nglobal, 1);
	memset(in->h->idle, 0xff, sizeof(in->h->idle));
	store(&in->h->nprocs, BATON_PROCS_MAX);
	ASSERT_LE(0, worker_start(&self->w[0], in, run_parks, self));
	/* It takes those that exist, and then it sleeps */
	EXPECT_TRUE(wait_standbys(in, 1));
	EXPECT_EQ(NPROCS, load(&self->acts));
	store(&in->h->nprocs, 0);
	EXPECT_EQ(-EINVAL, inst_wake(in, NPROCS, BATON_ANY));
	EXPECT_EQ(0, inst_wake(in, NPROCS - 1, BATON_ANY));
	expect_in_range(_metadata, self, 1);
}

static void run_liar(struct worker *w)
{
	FIXTURE_DATA(hostile) *self = w->arg;
	struct baton_slot *slot = worker_slot(w);

	slot_enter(slot, w->num, BATON_FIBER);
	block_ns(20000000);
	w->ret = slot_leave(slot) == BATON_TAKING;
	inc(&self->stop);
}

TEST_F_TIMEOUT(hostile, proc_lies, TEST_SECONDS)
{
	static const uint32_t procs[] = {
		NPROCS, 64, 255, 256, 1u << 31, ~0u - 1, ~0u,
	};
	struct inst *in = &self->in;
	unsigned int i, j;
	uint32_t p;

	for (p = 1; p < NPROCS; p++)
		ASSERT_TRUE(idle_claim(in, p));
	ASSERT_LE(0, worker_start(&self->w[0], in, run_parks, self));
	for (i = 0; i < 2 * ARRAY_SIZE(procs); i++) {
		/* With work, and without */
		store(&in->h->nglobal, i & 1);
		self->w[1].num = procs[i / 2];
		ASSERT_LE(0, worker_start(&self->w[1], in, run_liar, self));
		ASSERT_TRUE(worker_join(&self->w[1]));
		EXPECT_EQ(0, self->w[1].ret);
		/* Nothing in the region but the slot is the worse for it */
		for (j = 0; j < NPROCS; j++) {
			EXPECT_EQ(0, in->procs[j].handoffs);
			EXPECT_EQ(0, in->procs[j].idled);
			EXPECT_FALSE(idle_test(in, j));
		}
	}
	EXPECT_EQ(0, load(&self->acts));
	expect_in_range(_metadata, self, 1);
}

/* The kernel publishes its counts; it does not believe them */
TEST_F_TIMEOUT(hostile, count_lies, TEST_SECONDS)
{
	static const uint32_t lies[] = { 0, 1, 1u << 31, ~0u };
	struct inst *in = &self->in;
	struct baton_counts c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		struct worker *w = &self->w[i];

		store(&in->h->nstandby, 0);
		ASSERT_LE(0, worker_start(w, in, park_once, NULL));
		ASSERT_TRUE(poll_until(load(&worker_slot(w)->state) ==
				       BATON_PARKED));
		ASSERT_TRUE(wait_blocked(w->tid));
		store(&in->h->nstandby, lies[i]);
		store(&in->h->nworkers, lies[i]);
		in->procs[0].handoffs = in->procs[0].idled = ~0ull;
		EXPECT_EQ(0, inst_wake(in, 0, BATON_ANY));
		ASSERT_TRUE(worker_join(w));
		EXPECT_EQ(0, w->ret);
		store(&in->h->nstandby, lies[i]);
		EXPECT_EQ(1, inst_wake(in, 0, BATON_ANY));
	}
	ASSERT_EQ(0, inst_counts(in, &c));
	EXPECT_EQ(ARRAY_SIZE(lies), c.wakes);
	EXPECT_EQ(ARRAY_SIZE(lies), c.parks);
	EXPECT_EQ(0, c.handoffs);
}

/* Any time it looks, the slot belongs to somebody else, or to nobody */
static void run_slot_lies(struct worker *w)
{
	FIXTURE_DATA(hostile) *self = w->arg;
	uint64_t seed = self->seed + w->num;
	uint32_t *word;
	unsigned int i;

	w->ret = 0;
	while (!load(&self->stop)) {
		word = (uint32_t *)worker_slot(w);
		for (i = 0; i < sizeof(struct baton_slot) / 4; i++)
			store(&word[i], rnd(&seed) & 1 ? rnd(&seed) :
			      rnd(&seed) % 5);
		block_ns(rnd(&seed) % 100000);
		inc(&self->acts);
	}
}

TEST_F_TIMEOUT(hostile, slot_lies, TEST_SECONDS)
{
	struct inst *in = &self->in;
	int i;

	self->seed = seed_get();
	store(&in->h->nglobal, 1);
	ASSERT_LE(0, worker_start(&self->w[0], in, run_parks, self));
	for (i = 1; i < 4; i++) {
		self->w[i].num = i;
		ASSERT_LE(0, worker_start(&self->w[i], in, run_slot_lies,
					  self));
	}
	EXPECT_TRUE(poll_until(load(&self->acts) > 500));
	store(&self->stop, 1);
	expect_in_range(_metadata, self, 4);
}

/*
 * Random words all over the region, while workers do what workers do
 */

static bool legal(int ret, int end)
{
	switch (ret) {
	case -EBUSY:
	case -EINTR:
	case -EINVAL:
	case -ESHUTDOWN:
	case -ESRCH:
	case -EAGAIN:
		return true;
	}
	return ret >= 0 && ret < end;
}

static void run_fuzzed(struct worker *w)
{
	FIXTURE_DATA(hostile) *self = w->arg;
	uint64_t seed = self->seed + w->num;
	struct baton_slot *slot = worker_slot(w);
	int ret = 0;

	w->ret = 0;
	while (!load(&self->stop)) {
		switch (rnd(&seed) % 4) {
		case 0:
			ret = inst_park(w->in, rnd(&seed) % 8 == 0);
			break;
		case 1:
			slot_enter(slot, rnd(&seed), 1 + rnd(&seed) % 2);
			block_ns(rnd(&seed) % 50000);
			slot_leave(slot);
			ret = 0;
			break;
		case 2:
			ret = inst_wake(w->in, rnd(&seed) % NPROCS,
					rnd(&seed) & 1 ? BATON_ANY :
					rnd(&seed) % NWORKERS);
			break;
		case 3:
			ret = inst_swap(w->in, rnd(&seed) % 8 == 0,
					rnd(&seed) % NPROCS,
					rnd(&seed) % NWORKERS);
			break;
		}
		if (!legal(ret, NPROCS))
			w->ret = ret;
		inc(&self->acts);
	}
}

static void scribble(struct inst *in, uint64_t *seed)
{
	uint32_t *word = (uint32_t *)in->h;
	uint32_t i = rnd(seed) % (in->size / 4);

	switch (rnd(seed) % 3) {
	case 0:
		store(&word[i], rnd(seed));
		break;
	case 1:
		store(&word[i], rnd(seed) % 8);
		break;
	case 2:
		store(&word[i], ~0u);
		break;
	}
}

/* Somebody has to wake those that sleep for good, or nothing happens */
static void keep_awake(FIXTURE_DATA(hostile) *self, uint64_t *seed)
{
	int ret = inst_wake(&self->in, rnd(seed) % NPROCS,
			    rnd(seed) & 1 ? BATON_ANY :
			    rnd(seed) % NWORKERS);

	if (!legal(ret, 2))
		self->bad = ret;
	/* It is bound to be in the way of interrupts, too */
	pthread_kill(self->w[rnd(seed) % 4].thread, SIGUSR1);
}

/* A new instance, to see that nothing is left of the lies */
static void expect_sane(struct __test_metadata *_metadata)
{
	struct worker w = { .num = 0 };
	struct inst in;

	ASSERT_EQ(0, inst_open(&in, 1, 2));
	ASSERT_LE(0, worker_start(&w, &in, park_once, NULL));
	ASSERT_TRUE(wait_standbys(&in, 1));
	EXPECT_EQ(0, inst_wake(&in, 0, BATON_ANY));
	ASSERT_TRUE(worker_join(&w));
	EXPECT_EQ(0, w.ret);
	inst_close(&in);
}

TEST_F_TIMEOUT(hostile, region_fuzz, TEST_SECONDS)
{
	uint64_t end = now_ms() + FUZZ_MS, seed;
	unsigned int n;
	int i;

	self->seed = seed = seed_get();
	catch_signal(SIGUSR1, 0);
	for (i = 0; i < 4; i++) {
		self->w[i].num = i;
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_fuzzed,
					  self));
	}
	while (now_ms() < end) {
		for (n = 0; n < 1000; n++)
			scribble(&self->in, &seed);
		keep_awake(self, &seed);
	}
	store(&self->stop, 1);
	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(0, self->w[i].ret);
	}
	TH_LOG("%u acts", self->acts);
	EXPECT_EQ(0, (int)self->bad);
	EXPECT_LT(100, self->acts);
	expect_sane(_metadata);
}

/*
 * Any call with any argument, by several threads
 */

static void *run_any_call(void *arg)
{
	struct worker *w = arg;
	FIXTURE_DATA(hostile) *self = w->arg;
	static const uint32_t sizes[] = { 8, 16, 24, 56, 0, 4096, ~0u };
	uint64_t seed = self->seed + w->num;
	uint32_t a[32];
	unsigned int i;

	while (!load(&self->stop)) {
		for (i = 0; i < ARRAY_SIZE(a); i++) {
			a[i] = rnd(&seed) % 8 < 7 ? rnd(&seed) % 4 :
				rnd(&seed);
			if (i > 3 && rnd(&seed) % 16)
				a[i] = 0;
		}
		a[0] = sizes[rnd(&seed) % ARRAY_SIZE(sizes)];
		a[1] = rnd(&seed) % 4 ? 0 : a[1];
		/* STOP would be the end of it */
		i = 0x40 + rnd(&seed) % 7;
		ioctl(w->in->fd, i == 0x46 ? BATON_IOC_UNREGISTER :
		      i == 0x40 ? BATON_IOC_CREATE :
		      i == 0x41 ? BATON_IOC_REGISTER :
		      i == 0x42 ? BATON_IOC_PARK :
		      i == 0x43 ? BATON_IOC_WAKE :
		      i == 0x44 ? BATON_IOC_SWAP : BATON_IOC_COUNTS, a);
		inc(&self->acts);
	}
	return NULL;
}

TEST_F_TIMEOUT(hostile, call_fuzz, TEST_SECONDS)
{
	uint64_t end = now_ms() + FUZZ_MS;
	int i;

	self->seed = seed_get();
	catch_signal(SIGUSR1, 0);
	for (i = 0; i < 4; i++) {
		self->w[i].num = i;
		self->w[i].arg = self;
		self->w[i].in = &self->in;
		ASSERT_EQ(0, thread_start(&self->w[i].thread, run_any_call,
					  &self->w[i]));
	}
	while (now_ms() < end) {
		/* Parks end only so, for the most part */
		for (i = 0; i < 4; i++)
			pthread_kill(self->w[i].thread, SIGUSR1);
		scribble(&self->in, &self->seed);
		block_ns(200000);
	}
	store(&self->stop, 1);
	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(worker_join(&self->w[i]));
	TH_LOG("%u calls", self->acts);
	EXPECT_LT(100, self->acts);
	/* All are gone, registered or not */
	inst_close(&self->in);
	expect_sane(_metadata);
}

TEST_HARNESS_MAIN
