// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * park.c - what PARK, WAKE, SWAP and STOP do, one after the other
 *
 * Who is given which processor, who is missing and is told so, which wait a
 * WAKE, a signal or STOP ends, and what each call returns then.
 */

#include "common.h"

#define RING	4
#define TURNS	2000

FIXTURE(calls) {
	struct inst in;
	struct worker w[RING];
	uint32_t turn;
	uint32_t bad;
	struct event go;
};

FIXTURE_SETUP(calls)
{
	ASSERT_EQ(0, inst_open(&self->in, 1, 8));
}

FIXTURE_TEARDOWN(calls)
{
	inst_close(&self->in);
}

/* Passes the processor on to the next in the ring, by SWAP or WAKE + PARK */
static int pass_on(struct worker *w, int to, uint32_t swap, uint32_t flags)
{
	int ret;

	if (swap)
		return inst_swap(w->in, flags, 0, to);
	ret = inst_wake(w->in, 0, to);
	return ret ? ret : inst_park(w->in, flags);
}

static void run_ring(struct worker *w, uint32_t flags, int swap)
{
	FIXTURE_DATA(calls) *self = w->arg;
	int next = (w->num + 1) % RING;
	uint32_t turn;
	int p = 0;

	event_wait(&self->go);
	if (w->num)
		p = inst_park(w->in, flags);
	for (;;) {
		if (p) {
			w->ret = p;
			return;
		}
		turn = load(&self->turn);
		if (turn % RING != (uint32_t)w->num)
			inc(&self->bad);
		store(&self->turn, turn + 1);
		if (turn + 1 == TURNS)
			break;
		p = pass_on(w, self->w[next].slot,
			    swap < 0 ? turn / RING & 1 : (uint32_t)swap, flags);
	}
	w->ret = inst_stop(w->in);
}

static void run_ring_swap(struct worker *w)
{
	run_ring(w, 0, 1);
}

static void run_ring_wake(struct worker *w)
{
	run_ring(w, 0, 0);
}

static void run_ring_pinned(struct worker *w)
{
	run_ring(w, BATON_PARK_PINNED, -1);
}

static void ring(struct __test_metadata *_metadata, FIXTURE_DATA(calls) *self,
		 void (*fn)(struct worker *), struct baton_counts *c)
{
	int i;

	for (i = 0; i < RING; i++) {
		self->w[i].num = i;
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, fn, self));
	}
	event_set(&self->go);
	for (i = 0; i < RING; i++)
		ASSERT_TRUE(worker_join(&self->w[i])) {
			TH_LOG("stuck in turn %u", self->turn);
		}
	for (i = 0; i < RING; i++)
		EXPECT_EQ(i == (TURNS - 1) % RING ? 0 : -ESHUTDOWN,
			  self->w[i].ret);
	EXPECT_EQ(TURNS, self->turn);
	EXPECT_EQ(0, self->bad);
	ASSERT_EQ(0, inst_counts(&self->in, c));
	EXPECT_EQ(0, c->handoffs);
	EXPECT_EQ(0, c->idled);
	EXPECT_EQ(TURNS - 1, c->wakes + c->swaps);
}

TEST_F_TIMEOUT(calls, ring_by_swap, TEST_SECONDS)
{
	struct baton_counts c;

	ring(_metadata, self, run_ring_swap, &c);
	EXPECT_EQ(TURNS - 1, c.swaps);
}

TEST_F_TIMEOUT(calls, ring_by_wake, TEST_SECONDS)
{
	struct baton_counts c;

	ring(_metadata, self, run_ring_wake, &c);
	EXPECT_EQ(TURNS - 1, c.wakes);
}

TEST_F_TIMEOUT(calls, ring_pinned, TEST_SECONDS)
{
	struct baton_counts c;

	ring(_metadata, self, run_ring_pinned, &c);
}

/* Starts a worker that parks, and waits until it does */
static void start_parked(struct __test_metadata *_metadata, struct inst *in,
			 struct worker *w, void (*fn)(struct worker *))
{
	ASSERT_LE(0, worker_start(w, in, fn, NULL));
	ASSERT_TRUE(poll_until(load(&worker_slot(w)->state) == BATON_PARKED));
	ASSERT_TRUE(wait_blocked(w->tid));
}

TEST_F_TIMEOUT(calls, wake_nobody, TEST_SECONDS)
{
	struct worker *w = &self->w[0];
	struct baton_counts c;

	EXPECT_FALSE(inst_readable(&self->in));
	EXPECT_EQ(-EAGAIN, inst_missing(&self->in));
	EXPECT_EQ(1, inst_wake(&self->in, 0, BATON_ANY));
	EXPECT_TRUE(idle_test(&self->in, 0));
	EXPECT_TRUE(inst_readable(&self->in));
	ASSERT_TRUE(idle_claim(&self->in, 0));
	EXPECT_EQ(1, inst_wake(&self->in, 0, BATON_ANY));
	EXPECT_EQ(2, inst_missing(&self->in));
	EXPECT_EQ(-EAGAIN, inst_missing(&self->in));
	EXPECT_FALSE(inst_readable(&self->in));

	/* Without work PARK leaves the idle processor alone */
	start_parked(_metadata, &self->in, w, park_once);
	EXPECT_TRUE(idle_test(&self->in, 0));
	EXPECT_EQ(1, load(&self->in.h->nstandby));
	/* Whoever makes work claims it, and this time somebody is there */
	store(&self->in.h->nglobal, 1);
	full_barrier();
	ASSERT_TRUE(idle_claim(&self->in, 0));
	EXPECT_EQ(0, inst_wake(&self->in, 0, BATON_ANY));
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(0, w->ret);
	/* It was the last, which counts as well */
	EXPECT_EQ(1, inst_missing(&self->in));

	/* With work it claims it, and does not sleep */
	idle_set(&self->in, 0);
	ASSERT_LE(0, worker_start(w, &self->in, park_once, NULL));
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(0, w->ret);
	EXPECT_FALSE(idle_test(&self->in, 0));
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(1, c.parks);
	EXPECT_EQ(1, c.wakes);
}

static void *run_blocking_read(void *arg)
{
	struct worker *w = arg;

	w->tid = gettid();
	event_set(&w->ready);
	w->ret = inst_missing(w->in);
	return NULL;
}

/* On a file that may block, read() waits for somebody to be missing */
TEST_F_TIMEOUT(calls, blocking_read, TEST_SECONDS)
{
	struct worker *w = &self->w[0];
	struct pollfd p;
	struct inst in;

	ASSERT_EQ(0, inst_open_flags(&in, 1, 8, O_CLOEXEC));
	p.fd = in.fd;
	p.events = POLLIN;
	w->in = &in;
	ASSERT_EQ(0, thread_start(&w->thread, run_blocking_read, w));
	ASSERT_TRUE(event_wait(&w->ready));
	ASSERT_TRUE(wait_blocked(w->tid));
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_EQ(1, inst_wake(&in, 0, BATON_ANY));
	ASSERT_TRUE(thread_join(w->thread));
	EXPECT_EQ(1, w->ret);
	inst_close(&in);
}

static void *run_poll(void *arg)
{
	struct worker *w = arg;
	struct pollfd p = { .fd = w->in->fd, .events = POLLIN };

	w->tid = gettid();
	event_set(&w->ready);
	w->ret = poll(&p, 1, DEADLINE_MS) == 1 ? p.revents : 0;
	return NULL;
}

/* A sleep may be over before it begins, if the machine is busy: then again */
static void run_sleep_once(struct worker *w)
{
	struct baton_slot *slot = worker_slot(w);
	int i;

	for (i = 0; i < 100 && w->ret != BATON_TAKEN; i++) {
		slot_enter(slot, 0, BATON_FIBER);
		block_ns(10000000);
		w->ret = slot_leave(slot);
	}
}

/* The hook, too, wakes who polls; and what it left is there for the next */
TEST_F_TIMEOUT(calls, starved, TEST_SECONDS)
{
	struct worker *reader = &self->w[0], *a = &self->w[1], *b = &self->w[2];
	struct baton_counts c;

	store(&self->in.h->nglobal, 1);
	reader->in = &self->in;
	ASSERT_EQ(0, thread_start(&reader->thread, run_poll, reader));
	ASSERT_TRUE(event_wait(&reader->ready));
	ASSERT_TRUE(wait_blocked(reader->tid));
	ASSERT_LE(0, worker_start(a, &self->in, run_sleep_once, NULL));
	ASSERT_TRUE(thread_join(reader->thread));
	EXPECT_TRUE(reader->ret & POLLIN);
	ASSERT_TRUE(worker_join(a));
	EXPECT_EQ(BATON_TAKEN, a->ret);
	EXPECT_TRUE(idle_test(&self->in, 0));
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(0, c.handoffs);
	EXPECT_EQ(1, c.idled);
	EXPECT_EQ(1, c.starved);
	EXPECT_EQ(1, inst_missing(&self->in));

	ASSERT_LE(0, worker_start(b, &self->in, park_once, NULL));
	ASSERT_TRUE(worker_join(b));
	EXPECT_EQ(0, b->ret);
	EXPECT_FALSE(idle_test(&self->in, 0));
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(0, c.parks);
}

static void run_park_when_told(struct worker *w)
{
	FIXTURE_DATA(calls) *self = w->arg;

	event_wait(&self->go);
	w->ret = inst_park(w->in, w->num);
}

/* A WAKE that names its worker may come before that worker's PARK */
TEST_F_TIMEOUT(calls, wake_before_park, TEST_SECONDS)
{
	struct worker *w = &self->w[0];
	struct baton_counts c;

	ASSERT_LE(0, worker_start(w, &self->in, run_park_when_told, self));
	EXPECT_EQ(0, inst_wake(&self->in, 0, w->slot));
	EXPECT_EQ(-EBUSY, inst_wake(&self->in, 0, w->slot));
	EXPECT_FALSE(idle_test(&self->in, 0));
	event_set(&self->go);
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(0, w->ret);
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(0, c.parks);
	EXPECT_EQ(1, c.wakes);
}

TEST_F_TIMEOUT(calls, wake_before_pinned_park, TEST_SECONDS)
{
	struct worker *w = &self->w[0];

	w->num = BATON_PARK_PINNED;
	ASSERT_LE(0, worker_start(w, &self->in, run_park_when_told, self));
	EXPECT_EQ(0, inst_wake(&self->in, 0, w->slot));
	event_set(&self->go);
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(0, w->ret);
}

/* A worker that is named and parked, pinned or not, gets it at once */
TEST_F_TIMEOUT(calls, wake_named, TEST_SECONDS)
{
	struct inst in;
	int i;

	ASSERT_EQ(0, inst_open(&in, 3, 8));
	for (i = 0; i < 3; i++)
		start_parked(_metadata, &in, &self->w[i],
			     i == 1 ? park_once_pinned : park_once);
	EXPECT_EQ(2, load(&in.h->nstandby));
	for (i = 2; i >= 0; i--)
		EXPECT_EQ(0, inst_wake(&in, i, self->w[i].slot));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(i, self->w[i].ret);
	}
	EXPECT_EQ(0, load(&in.h->nstandby));
	inst_close(&in);
}

/* To a standby alone: not before the park, nor to who is pinned */
TEST_F_TIMEOUT(calls, wake_standby, TEST_SECONDS)
{
	struct worker *w = self->w;
	struct baton_wake a = {
		.size = sizeof(a), .flags = BATON_WAKE_STANDBY,
	};
	struct inst in;

	ASSERT_EQ(0, inst_open(&in, 1, 8));
	start_parked(_metadata, &in, &w[0], park_once_pinned);
	start_parked(_metadata, &in, &w[1], park_once);
	a.worker = w[0].slot;
	EXPECT_EQ(-EBUSY, xioctl(in.fd, BATON_IOC_WAKE, &a));
	a.worker = w[1].slot;
	EXPECT_EQ(0, xioctl(in.fd, BATON_IOC_WAKE, &a));
	ASSERT_TRUE(worker_join(&w[1]));
	EXPECT_EQ(0, w[1].ret);
	a.worker = 7;
	EXPECT_EQ(-ESRCH, xioctl(in.fd, BATON_IOC_WAKE, &a));
	a.flags = 2;
	EXPECT_EQ(-EINVAL, xioctl(in.fd, BATON_IOC_WAKE, &a));
	EXPECT_EQ(0, inst_wake(&in, 0, w[0].slot));
	ASSERT_TRUE(worker_join(&w[0]));
	inst_close(&in);
}

TEST_F_TIMEOUT(calls, pinned, TEST_SECONDS)
{
	struct worker *w = &self->w[0], *a = &self->w[1];
	struct baton_counts c;

	/* Idle and work: not for this one */
	store(&self->in.h->nglobal, 1);
	idle_set(&self->in, 0);
	start_parked(_metadata, &self->in, w, park_once_pinned);
	EXPECT_TRUE(idle_claim(&self->in, 0));
	EXPECT_EQ(0, load(&self->in.h->nstandby));
	/* WAKE and the hook find nobody */
	EXPECT_EQ(1, inst_wake(&self->in, 0, BATON_ANY));
	EXPECT_TRUE(idle_claim(&self->in, 0));
	ASSERT_LE(0, worker_start(a, &self->in, run_sleep_once, NULL));
	ASSERT_TRUE(worker_join(a));
	EXPECT_EQ(BATON_TAKEN, a->ret);
	EXPECT_TRUE(idle_claim(&self->in, 0));
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(0, c.handoffs);
	EXPECT_EQ(1, c.starved);
	EXPECT_TRUE(thread_blocked(w->tid));
	EXPECT_EQ(BATON_PARKED, load(&worker_slot(w)->state));
	/* Its name does it */
	EXPECT_EQ(0, inst_wake(&self->in, 0, w->slot));
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(0, w->ret);
}

static void run_swap(struct worker *w)
{
	struct worker *to = w->arg;

	w->ret = inst_swap(w->in, BATON_PARK_PINNED, 0, to->slot);
}

static void run_swap_any(struct worker *w)
{
	w->ret = inst_swap(w->in, BATON_PARK_PINNED, 0, BATON_ANY);
}

/* SWAP to whoever is there; pinned ones are not. */
TEST_F_TIMEOUT(calls, swap_any, TEST_SECONDS)
{
	struct worker *w = self->w;
	struct baton_counts c;

	start_parked(_metadata, &self->in, &w[0], park_once_pinned);
	start_parked(_metadata, &self->in, &w[1], park_once);
	ASSERT_TRUE(wait_standbys(&self->in, 1));
	ASSERT_LE(0, worker_start(&w[2], &self->in, run_swap_any, NULL));
	ASSERT_TRUE(worker_join(&w[1]));
	EXPECT_EQ(0, w[1].ret);
	ASSERT_TRUE(wait_blocked(w[2].tid));
	EXPECT_FALSE(idle_claim(&self->in, 0));

	/* Nobody: it is idle then, and one more worker is asked for. */
	ASSERT_LE(0, worker_start(&w[3], &self->in, run_swap_any, NULL));
	ASSERT_TRUE(wait_blocked(w[3].tid));
	EXPECT_TRUE(idle_claim(&self->in, 0));
	EXPECT_LE(1, inst_missing(&self->in));

	/* Both wait for their names. */
	EXPECT_EQ(1, inst_wake(&self->in, 0, BATON_ANY));
	EXPECT_TRUE(idle_claim(&self->in, 0));
	EXPECT_EQ(0, inst_wake(&self->in, 0, w[2].slot));
	ASSERT_TRUE(worker_join(&w[2]));
	EXPECT_EQ(0, w[2].ret);
	ASSERT_EQ(0, inst_stop(&self->in));
	ASSERT_TRUE(worker_join(&w[0]));
	ASSERT_TRUE(worker_join(&w[3]));
	EXPECT_EQ(-ESHUTDOWN, w[3].ret);
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(2, c.swaps);
}

TEST_F_TIMEOUT(calls, stop_ends_parks, TEST_SECONDS)
{
	struct worker *w = self->w;
	int i;

	start_parked(_metadata, &self->in, &w[0], park_once);
	start_parked(_metadata, &self->in, &w[1], park_once_pinned);
	start_parked(_metadata, &self->in, &w[2], park_once_pinned);
	ASSERT_LE(0, worker_start(&w[3], &self->in, run_swap, &w[2]));
	ASSERT_TRUE(worker_join(&w[2]));
	EXPECT_EQ(0, w[2].ret);
	ASSERT_TRUE(wait_blocked(w[3].tid));
	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		ASSERT_TRUE(worker_join(&w[i]));
		EXPECT_EQ(-ESHUTDOWN, w[i].ret);
	}
	EXPECT_EQ(0, load(&self->in.h->nstandby));
	EXPECT_EQ(-ESHUTDOWN, inst_register(&self->in));
	EXPECT_EQ(-ESHUTDOWN, inst_wake(&self->in, 0, BATON_ANY));
	EXPECT_EQ(0, inst_stop(&self->in));
}

static void run_park_after_stop(struct worker *w)
{
	FIXTURE_DATA(calls) *self = w->arg;
	int ret;

	event_wait(&self->go);
	w->ret = 0;
	ret = inst_park(w->in, 0);
	if (ret != -ESHUTDOWN)
		w->ret = ret;
	ret = inst_park(w->in, BATON_PARK_PINNED);
	if (ret != -ESHUTDOWN)
		w->ret = ret;
	ret = inst_swap(w->in, 0, 0, self->w[!w->num].slot);
	if (ret != -ESHUTDOWN)
		w->ret = ret;
	/* Neither may be gone before both are through */
	inc(&self->turn);
	spin_until(load(&self->turn) == 2);
	ret = inst_unregister(w->in);
	if (ret)
		w->ret = ret;
}

TEST_F_TIMEOUT(calls, stop_before_parks, TEST_SECONDS)
{
	struct worker *w = self->w;
	int i;

	store(&self->in.h->nglobal, 1);
	idle_set(&self->in, 0);
	for (i = 0; i < 2; i++) {
		w[i].num = i;
		ASSERT_LE(0, worker_start(&w[i], &self->in,
					  run_park_after_stop, self));
	}
	ASSERT_EQ(0, inst_stop(&self->in));
	event_set(&self->go);
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(worker_join(&w[i]));
		EXPECT_EQ(0, w[i].ret);
	}
}

static void run_interrupted(struct worker *w)
{
	FIXTURE_DATA(calls) *self = w->arg;
	int ret;

	store(&worker_slot(w)->state, BATON_PARKED);
	ret = inst_park(w->in, w->num);
	store(&worker_slot(w)->state, BATON_RUNTIME);
	if (ret != -EINTR) {
		w->ret = ret;
		return;
	}
	store(&self->turn, 1);
	w->ret = slot_park(w->in, worker_slot(w), w->num);
}

static void interrupt(struct __test_metadata *_metadata,
		      FIXTURE_DATA(calls) *self, int sa_flags, uint32_t flags)
{
	struct worker *w = &self->w[0];

	catch_signal(SIGUSR1, sa_flags);
	w->num = flags;
	ASSERT_LE(0, worker_start(w, &self->in, run_interrupted, self));
	ASSERT_TRUE(poll_until(load(&worker_slot(w)->state) == BATON_PARKED));
	ASSERT_TRUE(wait_blocked(w->tid));
	ASSERT_EQ(0, pthread_kill(w->thread, SIGUSR1));
	ASSERT_TRUE(poll_until(load(&self->turn)));
	if (!flags)
		ASSERT_TRUE(wait_standbys(&self->in, 1));
	EXPECT_EQ(0, inst_wake(&self->in, 0, flags ? (uint32_t)w->slot : BATON_ANY));
	ASSERT_TRUE(worker_join(w));
	EXPECT_EQ(0, w->ret);
}

TEST_F_TIMEOUT(calls, interrupted, TEST_SECONDS)
{
	interrupt(_metadata, self, 0, 0);
}

TEST_F_TIMEOUT(calls, interrupted_pinned, TEST_SECONDS)
{
	interrupt(_metadata, self, 0, BATON_PARK_PINNED);
}

/* A runtime wants to know, whatever the handler's flags are */
TEST_F_TIMEOUT(calls, interrupted_restart, TEST_SECONDS)
{
	interrupt(_metadata, self, SA_RESTART, 0);
}

/* SWAP gave the processor away before it was interrupted: only once */
static void run_swap_interrupted(struct worker *w)
{
	FIXTURE_DATA(calls) *self = w->arg;
	int ret;

	ret = inst_swap(w->in, BATON_PARK_PINNED, 0, self->w[0].slot);
	if (ret != -EINTR) {
		w->ret = ret;
		return;
	}
	store(&self->turn, 1);
	w->ret = inst_park(w->in, BATON_PARK_PINNED);
}

TEST_F_TIMEOUT(calls, interrupted_swap, TEST_SECONDS)
{
	struct worker *w = self->w;
	struct baton_counts c;

	catch_signal(SIGUSR1, SA_RESTART);
	start_parked(_metadata, &self->in, &w[0], park_once_pinned);
	ASSERT_LE(0, worker_start(&w[1], &self->in, run_swap_interrupted,
				  self));
	ASSERT_TRUE(worker_join(&w[0]));
	EXPECT_EQ(0, w[0].ret);
	ASSERT_TRUE(wait_blocked(w[1].tid));
	ASSERT_EQ(0, pthread_kill(w[1].thread, SIGUSR1));
	ASSERT_TRUE(poll_until(load(&self->turn)));
	EXPECT_EQ(0, inst_wake(&self->in, 0, w[1].slot));
	ASSERT_TRUE(worker_join(&w[1]));
	EXPECT_EQ(0, w[1].ret);
	ASSERT_EQ(0, inst_counts(&self->in, &c));
	EXPECT_EQ(1, c.swaps);
	EXPECT_EQ(1, c.wakes);
}

TEST_HARNESS_MAIN
