// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * short.c - where blocks are short they keep their processor
 *
 * Though there is work and somebody to do it; but for the one that lasts.
 *
 * What is short is a matter of time: on a machine that is emulated, and busy,
 * no block is, and the tests are skipped. One that counts instructions is never
 * busy: "make check" runs them there, too, where none may be skipped.
 */

#include "cgroup.h"

#define SHORT_KEPT	100
#define LONG_LOST	60
#define NONE_IS_SHORT	"no block is short here"

struct keeper {
	struct inst in;
	struct worker a;
	struct worker b;
	uint32_t kept;		/* when A blocked */
	uint32_t lost;
	uint32_t naps;		/* A's long ones, with the one about to begin */
	uint32_t slow;		/* NONE_IS_SHORT */
	uint32_t over;
};

static long blocks_so_far(void)
{
	struct rusage u;

	return getrusage(RUSAGE_THREAD, &u) ? -1 : u.ru_nvcsw;
}

/* Gives A back whatever was taken from it */
static void run_giver(struct worker *w)
{
	struct keeper *k = w->arg;
	int p;

	w->ret = 0;
	for (;;) {
		p = slot_park(w->in, worker_slot(w), 0);
		if (p < 0)
			break;
		w->ret = inst_wake(w->in, p, k->a.slot);
		if (w->ret)
			break;
	}
}

/* A's processor after a block, which it may have lost in it; or -errno */
static int processor_after(struct worker *w, int p)
{
	struct keeper *k = w->arg;
	struct baton_slot *slot = worker_slot(w);

	if (slot_leave(slot) != BATON_TAKEN)
		return p;
	k->lost++;
	return slot_park(w->in, slot, BATON_PARK_PINNED);
}

/* A blocks for a moment until it has kept its processor so often, or is slow */
static int keep(struct worker *w, int p, uint32_t n)
{
	struct keeper *k = w->arg;
	uint64_t end = now_ms() + DEADLINE_MS / 4;
	uint32_t lost;
	long before;

	for (k->kept = 0; p >= 0 && k->kept < n && now_ms() < end;) {
		before = blocks_so_far();
		lost = k->lost;
		slot_enter(worker_slot(w), p, BATON_FIBER);
		block_ns(1000);
		p = processor_after(w, p);
		if (k->lost == lost && blocks_so_far() > before)
			k->kept++;
	}
	if (p >= 0 && k->kept < n)
		store(&k->slow, 1);
	return p;
}

static void run_keeper(struct worker *w)
{
	prctl(PR_SET_TIMERSLACK, 1ul, 0, 0, 0);
	w->ret = keep(w, 0, SHORT_KEPT);
	inst_stop(w->in);
}

/* 0 or -errno */
static int keeper_start(struct keeper *k, void (*fn)(struct worker *))
{
	int ret = inst_open_as(&k->in, BATON_CREATE_LEARN, 1, 8);

	if (ret)
		return ret;
	store(&k->in.h->nglobal, 1);
	ret = worker_start(&k->b, &k->in, run_giver, k);
	if (ret >= 0)
		ret = wait_standbys(&k->in, 1) ? 0 : -ETIMEDOUT;
	if (!ret)
		ret = worker_start(&k->a, &k->in, fn, k);
	return ret < 0 ? ret : 0;
}

TEST(short_blocks)
{
	static struct keeper k;

	ASSERT_EQ(0, keeper_start(&k, run_keeper));
	ASSERT_TRUE(worker_join(&k.a));
	ASSERT_TRUE(worker_join(&k.b));
	EXPECT_EQ(0, k.a.ret);
	EXPECT_EQ(0, k.b.ret);
	inst_close(&k.in);
	/* One in 64 keeps it to be learnt from, wherever they are long. */
	if (k.slow || k.lost > SHORT_KEPT)
		SKIP(return, NONE_IS_SHORT);
	EXPECT_EQ(SHORT_KEPT, k.kept);
}

/*
 * Frozen in a sleep that is to last, before that shows: by the freezer that
 * writes over the sleep's state. (That of version 2 wakes who sleeps.)
 */

/* Long blocks, elsewhere, until a hand-off is known to be dear; then naps */
static void run_napper(struct worker *w)
{
	struct keeper *k = w->arg;
	uint32_t n = SHORT_KEPT;
	int p = 0;

	prctl(PR_SET_TIMERSLACK, 1ul, 0, 0, 0);
	while (p >= 0 && k->lost < LONG_LOST) {
		slot_enter(worker_slot(w), p, BATON_FIBER);
		poll(NULL, 0, 1);
		p = processor_after(w, p);
	}
	while (p >= 0 && !load(&k->over)) {
		p = keep(w, p, n);
		n = 5;
		if (p < 0 || k->slow)
			break;
		slot_enter(worker_slot(w), p, BATON_FIBER);
		inc(&k->naps);
		block_ns(1000000ull * DEADLINE_MS / 2);
		p = processor_after(w, p);
	}
	w->ret = p;
	inst_stop(w->in);
}

FIXTURE(nap) {
	struct keeper *k;	/* shared with the child, whose it is */
	struct cgroup group;
	int up[2];
	int down[2];
	int mem;		/* the child's memory */
	pid_t pid;
};

static void nap_child(struct keeper *k, int up, int down)
{
	die_with_parent();
	catch_signal(SIGUSR1, 0);
	if (keeper_start(k, run_napper))
		_exit(1);
	pipe_put(up, 1);
	pipe_get(down);
	if (!worker_join(&k->a) || !worker_join(&k->b))
		_exit(2);
	_exit(k->a.ret || k->b.ret ? 3 : 0);
}

FIXTURE_SETUP(nap)
{
	char path[32];

	ASSERT_EQ(0, pipe2(self->up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->down, O_CLOEXEC));
	self->k = mmap(NULL, sizeof(*self->k), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->k);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		nap_child(self->k, self->up[1], self->down[0]);
	ASSERT_EQ(1, pipe_get(self->up[0]));
	snprintf(path, sizeof(path), "/proc/%d/mem", self->pid);
	self->mem = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->mem);
}

FIXTURE_TEARDOWN(nap)
{
	store(&self->k->over, 1);
	write_file(self->group.dir, "freezer.state", "THAWED");
	syscall(SYS_tgkill, self->pid, self->k->a.tid, SIGUSR1);
	pipe_put(self->down[1], 1);
	EXPECT_EQ(0, wait_child(self->pid));
	cgroup_end(&self->group);
	EXPECT_TRUE(wait_module_idle());
}

/* The word in A's slot, which is in the child's memory alone */
static uint32_t taken(FIXTURE_DATA(nap) *self)
{
	struct keeper *k = self->k;
	uint32_t value = ~0u;

	pread(self->mem, &value, sizeof(value),
	      (uintptr_t)&k->in.slots[k->a.slot].taken);
	return value;
}

/*
 * A nap may show that it lasts before the freezer comes. Then another one is
 * tried, for as long as there is time.
 */
TEST_F_TIMEOUT(nap, frozen, TEST_SECONDS)
{
	struct keeper *k = self->k;
	uint64_t end = now_ms() + 5000;
	uint32_t naps = 0;
	bool kept = false;

	if (!cgroup_make_v1(&self->group, self->pid, "freezer"))
		SKIP(return, "no freezer of cgroups, version 1");
	while (!kept && now_ms() < end) {
		ASSERT_TRUE(spin_until(load(&k->naps) > naps ||
				       load(&k->slow)));
		if (load(&k->slow))
			SKIP(return, NONE_IS_SHORT);
		naps = load(&k->naps);
		ASSERT_TRUE(spin_until(thread_blocked(k->a.tid)));
		ASSERT_TRUE(write_file(self->group.dir, "freezer.state",
				       "FROZEN"));
		kept = taken(self) == BATON_KEPT;
		EXPECT_TRUE(poll_until(taken(self) == BATON_TAKEN));
		ASSERT_TRUE(write_file(self->group.dir, "freezer.state",
				       "THAWED"));
		syscall(SYS_tgkill, self->pid, k->a.tid, SIGUSR1);
	}
	if (!kept)
		SKIP(return, "none of %u naps was frozen in time", naps);
}

TEST_HARNESS_MAIN
