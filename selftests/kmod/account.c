// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * account.c - a worker blocks, and the region says where and for how long;
 * tracepoints say so at once
 */

#include <sys/mount.h>

#include "common.h"

#define TRACING		"/sys/kernel/tracing"

#define BLOCKS		100
#define BLOCK_NS	3000000ull
#define FN		0x123456789abcull

struct scene {
	struct inst in;
	struct worker w;
	uint32_t state;
	bool computes;
	uint32_t site;		/* what the slot says of the last block */
	uint64_t ns;		/* in all blocks, and what is between them */
	uint64_t slept;		/* so often: not all, on a busy machine */
};

static uint64_t switches(void)
{
	struct rusage u;

	return getrusage(RUSAGE_THREAD, &u) ? 0 : u.ru_nvcsw;
}

static void run(struct worker *w)
{
	struct scene *s = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint64_t begin = now_ns();

	store(&slot->fn, FN);
	s->slept = -switches();
	for (int i = 0; i < BLOCKS; i++) {
		slot_enter(slot, 0, s->state);
		if (s->computes)
			while (now_ns() - begin < (i + 1) * 1000000ull)
				getppid();
		else
			block_ns(BLOCK_NS);
		slot_leave(slot);
	}
	s->slept += switches();
	s->ns = now_ns() - begin;
	s->site = load(&slot->site);
}

static struct baton_site *site_of(struct inst *in, uint32_t i)
{
	return (struct baton_site *)((char *)in->h + in->h->site_offset) + i;
}

static uint64_t blocks_of(const struct baton_site *s)
{
	uint64_t n = 0;

	for (int i = 0; i < BATON_SITE_HIST; i++)
		n += s->hist[i];
	return n;
}

static uint64_t blocks_of_all(struct inst *in)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < in->h->nsites; i++)
		n += blocks_of(site_of(in, i));
	return n;
}

static void run_it(struct __test_metadata *_metadata, struct scene *s)
{
	ASSERT_EQ(0, lock_memory());
	ASSERT_EQ(0, inst_open(&s->in, 1, 8));
	ASSERT_LE(sizeof(struct baton_header), s->in.h->site_offset);
	ASSERT_LE(s->in.h->site_offset +
		  s->in.h->nsites * sizeof(struct baton_site), s->in.size);
	ASSERT_LE(0, worker_start(&s->w, &s->in, run, s));
	ASSERT_TRUE(worker_join(&s->w));
}

static void check(struct __test_metadata *_metadata, struct scene *s,
		  uint64_t fn)
{
	struct baton_site *site;
	uint64_t few = 0, n;

	run_it(_metadata, s);
	ASSERT_LT(0, s->site);
	ASSERT_GE(s->in.h->nsites, s->site);
	site = site_of(&s->in, s->site - 1);
	EXPECT_EQ(BATON_SITE_USED, site->state);
	EXPECT_EQ(fn, site->fn);
	EXPECT_EQ(SYS_clock_nanosleep, site->nr);
	EXPECT_NE(0, site->pc);
	/* One that is preempted on its way to sleep sleeps for less, or not. */
	n = blocks_of(site);
	EXPECT_LE(BLOCKS * 9 / 10, n);
	/* The kernel counts waits of its own, too, such as on PREEMPT_RT. */
	EXPECT_GE(s->slept, n);
	EXPECT_EQ(n, blocks_of_all(&s->in));
	EXPECT_LE(BLOCKS * BLOCK_NS * 9 / 10, site->total);
	EXPECT_GE(s->ns, site->total + site->waited);
	EXPECT_LE(BLOCK_NS, site->longest);
	EXPECT_GE(site->total, site->longest);
	/* No fiber waits. */
	EXPECT_EQ(n, site->idled);
	EXPECT_EQ(0, site->handoffs);
	EXPECT_EQ(0, site->missed);
	for (int i = 0; i < BATON_SITE_HIST && 2ull << (9 + i) <= BLOCK_NS; i++)
		few += site->hist[i];
	EXPECT_GE(BLOCKS / 10, few);
	inst_close(&s->in);
}

TEST(foreign)
{
	struct scene s = { .state = BATON_FOREIGN };

	check(_metadata, &s, FN);
}

TEST(fiber)
{
	struct scene s = { .state = BATON_FIBER };

	check(_metadata, &s, 0);
}

TEST(scheduler)
{
	struct scene s = { .state = BATON_RUNTIME };

	run_it(_metadata, &s);
	EXPECT_EQ(0, blocks_of_all(&s.in));
	inst_close(&s.in);
}

/* Preempted is not blocked */
TEST(computing)
{
	struct scene s = { .state = BATON_FOREIGN, .computes = true };

	run_it(_metadata, &s);
	EXPECT_EQ(0, blocks_of_all(&s.in));
	inst_close(&s.in);
}

/*
 * User space has filled the table with what is almost the worker's place, or is
 * not whole. So there is no room, and what blocks is among the rest; afterwards
 * all is as before.
 */

enum lie { LIE_FN, LIE_PC, LIE_NR, LIE_FILLED, LIES };

/* Until it has slept: it may be woken before it does */
static uint32_t block_as(struct worker *w, uint64_t fn)
{
	struct baton_slot *slot = worker_slot(w);

	store(&slot->fn, fn);
	do {
		slot_enter(slot, 0, BATON_FOREIGN);
		block_ns(BLOCK_NS);
	} while (slot_leave(slot) != BATON_TAKEN);
	return load(&slot->site);
}

static void fill_table(struct inst *in, uint64_t fn, uint64_t pc, int32_t nr,
		       uint32_t state)
{
	for (uint32_t i = 1; i < in->h->nsites; i++) {
		struct baton_site *s = site_of(in, i);

		s->fn = fn;
		s->pc = pc;
		s->nr = nr;
		store(&s->state, state);
	}
}

/* The sites of a block with each lie, and of one without, at last */
static void run_among_lies(struct worker *w)
{
	uint32_t *site = w->arg;
	struct baton_site s = *site_of(w->in, block_as(w, FN) - 1);

	for (int i = 0; i <= LIES; i++) {
		fill_table(w->in, s.fn + (i == LIE_FN), s.pc + (i == LIE_PC),
			   s.nr + (i == LIE_NR), i == LIES ? BATON_SITE_FREE :
			   i == LIE_FILLED ? BATON_SITE_FILLED :
			   BATON_SITE_USED);
		/* So that it is looked for anew */
		block_as(w, FN + LIES);
		site[i] = block_as(w, FN);
	}
}

TEST(lies)
{
	uint32_t site[LIES + 1] = { 0 };
	struct worker w = { .num = 0 };
	struct inst in;
	int i;

	ASSERT_EQ(0, lock_memory());
	ASSERT_EQ(0, inst_open(&in, 1, 8));
	ASSERT_LE(0, worker_start(&w, &in, run_among_lies, site));
	ASSERT_TRUE(worker_join(&w));
	/* The first entry is for all that finds no other. */
	for (i = 0; i < LIES; i++) {
		EXPECT_EQ(1, site[i])
			TH_LOG("with lie %d", i);
	}
	ASSERT_LT(1, site[LIES]);
	ASSERT_GE(in.h->nsites, site[LIES]);
	EXPECT_EQ(FN, site_of(&in, site[LIES] - 1)->fn);
	inst_close(&in);
}

/*
 * Tracepoints. A tracer runs this program with BATON_TRACED set: then it blocks,
 * says how often, and runs no test. See also tracers.sh.
 */

static void __attribute__((constructor)) traced(void)
{
	struct scene s = { .state = BATON_FOREIGN };

	if (!getenv("BATON_TRACED"))
		return;
	if (lock_memory() || inst_open(&s.in, 1, 8) ||
	    worker_start(&s.w, &s.in, run, &s) < 0 || !worker_join(&s.w))
		_exit(1);
	dprintf(1, "%lu\n", (unsigned long)blocks_of_all(&s.in));
	_exit(0);
}

/* What the command says, a number; -1: nothing */
static long number_of(const char *command)
{
	FILE *f = popen(command, "r");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		pclose(f);
	return n;
}

static bool tracing(void)
{
	return !access(TRACING "/events/baton/block", F_OK) ||
	       (!mount("tracefs", TRACING, "tracefs", 0, NULL) &&
		!access(TRACING "/events/baton/block", F_OK));
}

TEST(tracefs)
{
	long n;

	ASSERT_TRUE(tracing());
	ASSERT_EQ(0, system("cd " TRACING " && echo > trace &&"
			    "echo 1 > events/baton/enable"));
	n = number_of("BATON_TRACED=1 /proc/$PPID/exe");
	/* As above: on a busy machine, and on a slow one, not all sleep */
	EXPECT_LE(BLOCKS * 9 / 10, n);
	EXPECT_EQ(0, system("echo 0 > " TRACING "/events/baton/enable"));
	EXPECT_EQ(n, number_of("grep -c ' block: .*fn=0x123456789abc "
			       "pc=0x[0-9a-f]* nr=230$' " TRACING "/trace"));
	EXPECT_EQ(n, number_of("grep -c ' handoff: proc=0 to=0$' "
			       TRACING "/trace"));
	EXPECT_EQ(n, number_of("grep -c ' return: slot=0 pid=[0-9]* ns=[0-9]*$' "
			       TRACING "/trace"));
	EXPECT_LE(BLOCKS * 9 / 10,
		  number_of("grep -c ' return: .* ns=[0-9]*[0-9]\\{7\\}$' "
			    TRACING "/trace"));
}

TEST_HARNESS_MAIN
