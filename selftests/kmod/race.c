// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * race.c - parks, wakes, swaps and the hook, all at once
 *
 * The tests named *_vs_* run two sides of one race round after round.  One
 * side is delayed, and the delay follows what happened: it grows when the
 * delayed side was too early and shrinks when it was too late, which keeps the
 * rounds at the edge where both happen.
 */

#include "common.h"

#define ROUNDS_MAX	3000
#define ROUNDS_MIN	200
/* A test like this ends after so long when ROUNDS_MIN are done */
#define RACE_MS		5000

struct race {
	struct inst in;
	struct worker a;
	struct worker b;
	uint32_t round;		/* the one to run; set by the main thread */
	uint32_t a_round;	/* the last that A finished */
	uint32_t b_round;
	uint32_t a_error;
	uint32_t b_error;
	uint32_t gate;		/* A's futex */
	uint32_t over;

	int delay;
	uint64_t rnd;
	unsigned int early;
	unsigned int late;
};

FIXTURE(race) {
	struct race r;
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, lock_memory());
	ASSERT_EQ(0, inst_open(&self->r.in, 1, 8));
	self->r.rnd = 1;
}

FIXTURE_TEARDOWN(race)
{
	inst_close(&self->r.in);
}

/* Waits for the round after the last one; false when there is none */
static bool round_wait(struct race *r, uint32_t last)
{
	return spin_until(load_acquire(&r->round) > last || load(&r->over)) &&
		!load(&r->over);
}

static void race_delay(struct race *r)
{
	spin(rnd(&r->rnd) % 64 + r->delay);
}

static void race_learn(struct race *r, bool early)
{
	int step = 1 + r->delay / 16;

	if (early) {
		r->early++;
		r->delay += step;
	} else {
		r->late++;
		if (r->delay > 0)
			r->delay -= step;
	}
}

static bool race_goes_on(struct race *r, uint64_t start)
{
	return r->round < ROUNDS_MAX &&
		(r->round < ROUNDS_MIN || now_ms() - start < RACE_MS);
}

static void race_end(struct __test_metadata *_metadata, struct race *r,
		     struct worker *other)
{
	store(&r->over, 1);
	inst_stop(&r->in);
	if (other)
		ASSERT_TRUE(worker_join(other));
	ASSERT_TRUE(worker_join(&r->b));
	TH_LOG("%u rounds, %u early, %u late", r->round, r->early, r->late);
}

/* A: holds the processor, blocks in every round until B lets it go on */
static void run_blocker(struct worker *w)
{
	struct race *r = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint32_t n = 0;

	while (round_wait(r, n)) {
		n++;
		slot_enter(slot, 0, n & 1 ? BATON_FIBER : BATON_FOREIGN);
		while (load(&r->gate) < n && !load(&r->over))
			futex_wait(&r->gate, n - 1, NULL);
		if (slot_leave(slot) != BATON_TAKEN)
			store(&r->a_error, n);
		store_release(&r->a_round, n);
	}
}

/* B: a standby that takes the work away and gives the processor back to A */
static void run_receiver(struct worker *w)
{
	struct race *r = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint32_t n = 0;
	int p;

	for (;;) {
		p = slot_park(w->in, slot, 0);
		if (p == -ESHUTDOWN)
			return;
		n++;
		if (p)
			store(&r->b_error, n);
		store(&w->in->h->nglobal, 0);
		store_release(&r->gate, n);
		futex_wake(&r->gate);
		if (!spin_until(load_acquire(&r->a_round) == n))
			return;
		store_release(&r->b_round, n);
	}
}

/*
 * Store buffering, the hook's side against a pusher's:
 *
 *	hook (A blocks)			main
 *	---------------			----
 *	idle[0] = 1			nglobal = 1
 *	full barrier			full barrier
 *	look at nglobal			look at idle[0]
 *
 * One of the two has to see the other's store, and B to get the processor.
 */
TEST_F_TIMEOUT(race, push_vs_block, TEST_SECONDS)
{
	struct race *r = &self->r;
	uint64_t start = now_ms();

	ASSERT_LE(0, worker_start(&r->b, &r->in, run_receiver, r));
	ASSERT_LE(0, worker_start(&r->a, &r->in, run_blocker, r));
	while (race_goes_on(r, start)) {
		uint32_t n = r->round + 1;
		bool claimed;

		ASSERT_TRUE(spin_until(load(&r->in.h->nstandby) == 1));
		store_release(&r->round, n);
		race_delay(r);
		store(&r->in.h->nglobal, 1);
		full_barrier();
		claimed = idle_test(&r->in, 0) && idle_claim(&r->in, 0);
		if (claimed)
			ASSERT_EQ(0, inst_wake(&r->in, 0, BATON_ANY));
		ASSERT_TRUE(spin_until(load_acquire(&r->b_round) == n)) {
			TH_LOG("a wake-up was lost in round %u", n);
		}
		race_learn(r, !claimed);
	}
	race_end(_metadata, r, &r->a);
	EXPECT_EQ(0, r->a_error);
	EXPECT_EQ(0, r->b_error);
	EXPECT_FALSE(idle_test(&r->in, 0));
}

/*
 * The hook, with work and no standby, against a PARK: the one makes the
 * processor idle, the other looks for idle ones.
 */
static void run_late_receiver(struct worker *w)
{
	struct race *r = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint32_t n = 0;
	int p;

	while (round_wait(r, n)) {
		n++;
		race_delay(r);
		p = slot_park(w->in, slot, 0);
		if (p)
			store(&r->b_error, n);
		store_release(&r->gate, n);
		futex_wake(&r->gate);
		if (!spin_until(load_acquire(&r->a_round) == n))
			return;
		store_release(&r->b_round, n);
	}
}

TEST_F_TIMEOUT(race, park_vs_block, TEST_SECONDS)
{
	struct race *r = &self->r;
	uint64_t start = now_ms();
	struct baton_counts c;
	uint64_t handoffs = 0;

	store(&r->in.h->nglobal, 1);
	ASSERT_LE(0, worker_start(&r->b, &r->in, run_late_receiver, r));
	ASSERT_LE(0, worker_start(&r->a, &r->in, run_blocker, r));
	while (race_goes_on(r, start)) {
		uint32_t n = r->round + 1;

		store_release(&r->round, n);
		ASSERT_TRUE(spin_until(load_acquire(&r->b_round) == n)) {
			TH_LOG("a processor was lost in round %u", n);
		}
		ASSERT_EQ(0, inst_counts(&r->in, &c));
		race_learn(r, c.handoffs != handoffs);
		handoffs = c.handoffs;
	}
	EXPECT_EQ(r->round, c.handoffs + c.idled);
	EXPECT_EQ(c.idled, c.starved);
	race_end(_metadata, r, &r->a);
	EXPECT_EQ(0, r->a_error);
	EXPECT_EQ(0, r->b_error);
}

/*
 * A pusher that claims and wakes, against a PARK: whether PARK finds the
 * processor idle, is given it by WAKE, or finds it after WAKE missed it.
 */
static void run_parker(struct worker *w)
{
	struct race *r = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint32_t n = 0;
	int p;

	while (round_wait(r, n)) {
		n++;
		p = slot_park(w->in, slot, 0);
		if (p)
			store(&r->b_error, n);
		store(&w->in->h->nglobal, 0);
		full_barrier();
		idle_set(w->in, 0);
		store_release(&r->b_round, n);
	}
}

TEST_F_TIMEOUT(race, push_vs_park, TEST_SECONDS)
{
	struct race *r = &self->r;
	uint64_t start = now_ms();

	idle_set(&r->in, 0);
	ASSERT_LE(0, worker_start(&r->b, &r->in, run_parker, r));
	while (race_goes_on(r, start)) {
		uint32_t n = r->round + 1;
		int ret = 0;

		store_release(&r->round, n);
		race_delay(r);
		store(&r->in.h->nglobal, 1);
		full_barrier();
		if (idle_test(&r->in, 0) && idle_claim(&r->in, 0)) {
			ret = inst_wake(&r->in, 0, BATON_ANY);
			ASSERT_LE(0, ret);
		}
		ASSERT_TRUE(spin_until(load_acquire(&r->b_round) == n)) {
			TH_LOG("a wake-up was lost in round %u", n);
		}
		race_learn(r, ret);
	}
	race_end(_metadata, r, NULL);
	EXPECT_EQ(0, r->b_error);
	EXPECT_TRUE(idle_test(&r->in, 0));
}

/*
 * Signals against WAKE: an interrupted PARK must not lose what it was given.
 */
static void run_signalled(struct worker *w)
{
	struct race *r = w->arg;
	uint32_t n = 0;
	int p;

	while (round_wait(r, n)) {
		n++;
		while ((p = inst_park(w->in, n & 1 ? BATON_PARK_PINNED : 0)) ==
		       -EINTR)
			inc(&r->gate);
		if (p)
			store(&r->b_error, n);
		store_release(&r->b_round, n);
	}
}

static void *run_signaller(void *arg)
{
	struct race *r = arg;

	while (!load(&r->over)) {
		pthread_kill(r->b.thread, SIGUSR1);
		spin(500);
	}
	return NULL;
}

TEST_F_TIMEOUT(race, signal_vs_wake, TEST_SECONDS)
{
	struct race *r = &self->r;
	uint64_t start = now_ms();
	uint32_t seen = 0;
	pthread_t t;

	catch_signal(SIGUSR1, 0);
	ASSERT_LE(0, worker_start(&r->b, &r->in, run_signalled, r));
	ASSERT_EQ(0, thread_start(&t, run_signaller, r));
	while (race_goes_on(r, start)) {
		uint32_t n = r->round + 1;
		int ret;

		store_release(&r->round, n);
		/* Some rounds are sure to have a signal, the others may */
		if (n % 8)
			spin(rnd(&r->rnd) % (n & 1 ? 2000 : 50000));
		else
			ASSERT_TRUE(spin_until(load(&r->gate) != seen));
		seen = load(&r->gate);
		ret = inst_wake(&r->in, 0, r->b.slot);
		ASSERT_EQ(0, ret);
		ASSERT_TRUE(spin_until(load_acquire(&r->b_round) == n)) {
			TH_LOG("a processor was lost in round %u", n);
		}
	}
	store(&r->over, 1);
	ASSERT_TRUE(thread_join(t));
	ASSERT_TRUE(worker_join(&r->b));
	TH_LOG("%u rounds, %u interrupted", r->round, r->gate);
	EXPECT_EQ(0, r->b_error);
	EXPECT_LT(0, r->gate);
}

/*
 * Everything at once.  owner[p] names who holds p; who comes by p writes
 * itself there, and who lets go must still find itself.  A processor held
 * twice shows as a foreign name, one that is lost as no progress.
 */
#define CROWD_WORKERS	6
#define CROWD_PROCS	2
#define CROWD_TURNS	3000
#define NOBODY_OWNS	(~0u)

FIXTURE(crowd) {
	struct inst in;
	struct worker w[CROWD_WORKERS];
	uint32_t owner[CROWD_PROCS];
	uint32_t turns;
	uint32_t twice;
	uint32_t bad;		/* a result that no call may have */
	uint32_t blocked;
	uint32_t taken;
	uint64_t seed;
	struct event go;
};

FIXTURE_VARIANT(crowd) {
	uint32_t flags;		/* of CREATE */
};

FIXTURE_VARIANT_ADD(crowd, now) {
	.flags = 0,
};

/* A timer takes processors, on one CPU, from who comes back on another */
FIXTURE_VARIANT_ADD(crowd, learn) {
	.flags = BATON_CREATE_LEARN,
};

FIXTURE_SETUP(crowd)
{
	int p;

	ASSERT_EQ(0, inst_open_as(&self->in, variant->flags, CROWD_PROCS,
				  CROWD_WORKERS));
	self->seed = seed_get();
	for (p = 0; p < CROWD_PROCS; p++)
		self->owner[p] = NOBODY_OWNS;
	store(&self->in.h->nglobal, 1);
	/* The creator holds it; let the crowd have it */
	idle_set(&self->in, 0);
}

FIXTURE_TEARDOWN(crowd)
{
	inst_close(&self->in);
}

static void own(FIXTURE_DATA(crowd) *self, struct worker *w, int p)
{
	struct baton_slot *slot = worker_slot(w);

	store(&slot->proc, p);
	store(&slot->taken, BATON_KEPT);
	__atomic_store_n(&self->owner[p], w->num, __ATOMIC_SEQ_CST);
}

static void disown(FIXTURE_DATA(crowd) *self, struct worker *w, int p)
{
	uint32_t me = w->num;

	if (!__atomic_compare_exchange_n(&self->owner[p], &me, NOBODY_OWNS,
					 false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		inc(&self->twice);
}

/* Holds p, works and blocks a little; false when it was taken meanwhile */
static bool crowd_work(FIXTURE_DATA(crowd) *self, struct worker *w, int p,
		       uint64_t *seed)
{
	struct baton_slot *slot = worker_slot(w);
	uint32_t me = w->num;

	spin(rnd(seed) % 512);
	if (rnd(seed) % 4)
		return true;
	inc(&self->blocked);
	slot_enter(slot, p, rnd(seed) & 1 ? BATON_FIBER : BATON_FOREIGN);
	block_ns(rnd(seed) % 20000);
	if (slot_leave(slot) != BATON_TAKEN)
		return true;
	inc(&self->taken);
	__atomic_compare_exchange_n(&self->owner[p], &me, NOBODY_OWNS, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return false;
}

/* Gives p away and waits for another; returns what PARK does */
static int crowd_pass(FIXTURE_DATA(crowd) *self, struct worker *w, int p,
		      uint64_t *seed)
{
	uint32_t other = rnd(seed) % CROWD_WORKERS;
	int ret;

	disown(self, w, p);
	switch (other == (uint32_t)w->num ? 0 : rnd(seed) % 4) {
	case 0:
	case 1:
		ret = inst_wake(w->in, p, BATON_ANY);
		break;
	case 2:
		ret = inst_wake(w->in, p, self->w[other].slot);
		break;
	default:
		ret = inst_swap(w->in, 0, p, self->w[other].slot);
		if (ret >= 0 || ret == -EINTR || ret == -ESHUTDOWN)
			return ret;
	}
	if (ret == -EBUSY || ret == -ESRCH) {
		/* Still ours */
		return p;
	}
	if (ret < 0)
		return ret;
	return inst_park(w->in, 0);
}

static void run_crowd(struct worker *w)
{
	FIXTURE_DATA(crowd) *self = w->arg;
	uint64_t seed = self->seed + w->num;
	int p;

	w->ret = 0;
	event_wait(&self->go);
	p = inst_park(w->in, 0);
	for (;;) {
		if (p == -ESHUTDOWN)
			return;
		if (p >= CROWD_PROCS || (p < 0 && p != -EINTR)) {
			inc(&self->bad);
			w->ret = p;
			return;
		}
		if (p == -EINTR) {
			p = inst_park(w->in, 0);
			continue;
		}
		own(self, w, p);
		inc(&self->turns);
		p = crowd_work(self, w, p, &seed) ?
			crowd_pass(self, w, p, &seed) : inst_park(w->in, 0);
	}
}

TEST_F_TIMEOUT(crowd, exclusive, TEST_SECONDS)
{
	int i;

	for (i = 0; i < CROWD_WORKERS; i++) {
		self->w[i].num = i;
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_crowd,
					  self));
	}
	event_set(&self->go);
	EXPECT_TRUE(poll_until(load(&self->turns) >= CROWD_TURNS)) {
		TH_LOG("only %u turns", self->turns);
	}
	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < CROWD_WORKERS; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(0, self->w[i].ret);
	}
	TH_LOG("%u turns, blocked %u times, taken %u times", self->turns,
	       self->blocked, self->taken);
	EXPECT_EQ(0, self->twice);
	EXPECT_EQ(0, self->bad);
	EXPECT_LT(0, self->taken);
	EXPECT_EQ(0, load(&self->in.h->nstandby));
	EXPECT_EQ(0, load(&self->in.h->nworkers));
}

TEST_HARNESS_MAIN
