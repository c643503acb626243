// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_trace.c - what is recorded for baton-trace, read in the same process. */
#include <sys/mman.h>
#include <sys/stat.h>

#include "../../lib/core/trace.h"
#include "common.h"

#define ROUNDS 100u

static const struct trace_region *region;
static unsigned int counts[16];

static void trace(uint32_t on)
{
	__atomic_store_n(&baton_door.trace, on, __ATOMIC_RELAXED);
}

/* How many entries of each type there are, all of which were made before. */
static void count_all(void)
{
	struct stat st;

	expect(baton_door.rings > 0);
	expect(!fstat(baton_door.rings, &st));
	region = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
		      baton_door.rings, 0);
	expect(region != MAP_FAILED);
	for (uint64_t i = 0; i < region->nrings; i++) {
		const struct trace_ring *ring = &region->rings[i];
		uint64_t n = load(&ring->count);

		expect(n <= TRACE_ENTRIES);
		for (uint64_t k = 0; k < n; k++) {
			const struct trace_entry *e = &ring->entries[k];

			expect(e->when >> TRACE_TYPE_SHIFT < 16);
			counts[e->when >> TRACE_TYPE_SHIFT]++;
		}
	}
}

static void nothing(void *arg)
{
	(void)arg;
}

static void yields(void *arg)
{
	(void)arg;
	expect_eq(baton_yield(), 0);
}

static void calls_back(void *arg)
{
	expect_eq(baton_callback(yields, arg), 0);
}

static void *ends(void *arg)
{
	return arg;
}

/* Until this worker has looked whether it is to record. */
static void look(void)
{
	for (int i = 0; i < 200; i++)
		expect_eq(baton_yield(), 0);
}

static void *all_kinds(void *arg)
{
	struct baton_fiber *f;

	trace(TRACE_ON);
	look();
	expect_eq(baton_set_name("a name of more than 16 bytes"), 0);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		expect_eq(baton_call(nothing, NULL), 0);
		expect_eq(baton_call(calls_back, NULL), 0);
		f = spawn(ends, arg);
		join(f);
	}
	trace(0);
	look();
	/* Nothing is recorded any more */
	for (unsigned int i = 0; i < ROUNDS; i++)
		expect_eq(baton_call(nothing, NULL), 0);
	return arg;
}

START_TEST(counted)
{
	run_in_order(all_kinds, NULL);
	count_all();
	expect_eq(counts[TRACE_CALL], 2 * ROUNDS);
	expect_eq(counts[TRACE_RETURN], 2 * ROUNDS);
	expect_eq(counts[TRACE_RUNS], 2 * ROUNDS);
	expect_eq(counts[TRACE_CALLBACK], ROUNDS);
	expect_eq(counts[TRACE_CALLBACK_OVER], ROUNDS);
	expect_eq(counts[TRACE_SPAWN], ROUNDS);
	expect_eq(counts[TRACE_NAME], 1);
	expect_eq(counts[TRACE_NAME_END], 1);
	/* To the fiber that ends, and back */
	expect(counts[TRACE_SWITCH] >= 2 * ROUNDS);
}
END_TEST

/* On and off at any time, while several workers do all that is recorded */
static int over;

static void *works(void *arg)
{
	while (!load(&over)) {
		expect_eq(baton_call(calls_back, NULL), 0);
		join(spawn(ends, arg));
	}
	return arg;
}

static void *switches(void *arg)
{
	struct baton_fiber *f[4];

	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(works, arg);
	for (unsigned int i = 0; i < scaled(2000); i++) {
		trace(i % 2 ? 0 : TRACE_ON);
		expect_eq(baton_yield(), 0);
	}
	trace(0);
	store(&over, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(on_and_off)
{
	store(&over, 0);
	run_on(nprocs_list[_i], switches, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace");
	TCase *tc = test_case(s, "trace");

	tcase_add_test(tc, counted);
	tcase_add_loop_test(tc, on_and_off, 0, ARRAY_SIZE(nprocs_list));
	return suite_main(s);
}
