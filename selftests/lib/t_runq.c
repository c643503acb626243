// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_runq.c - a run queue by itself: the gaps that are left when its holder takes
 * a fiber out of the middle, and thieves at work meanwhile.
 */
#include "common.h"

#include <pthread.h>

#include "../../lib/core/runq.h"

#define THIEVES		3
#define RECENT		16

static struct baton_proc_rec recs[1 + THIEVES];
static struct runq queues[1 + THIEVES];

static void queues_init(bool shared)
{
	/* Just before the indices wrap. */
	for (int i = 0; i <= THIEVES; i++) {
		recs[i] = (struct baton_proc_rec){ .head = -100u,
						   .tail = -100u };
		queues[i] = (struct runq){ .rec = &recs[i], .shared = shared };
	}
}

/* The queue touches no fiber: a number does for one. */
static struct baton_fiber *fiber(uintptr_t n)
{
	return (struct baton_fiber *)(n + 1);
}

static uintptr_t number(struct baton_fiber *f)
{
	return (uintptr_t)f - 1;
}

static void fill(struct runq *q, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		expect(runq_push(q, fiber(i)));
}

static bool take_out(struct runq *q, __u32 start, unsigned int i)
{
	return baton_runq_remove(q, fiber(i), start + i);
}

static const bool shared[] = { false, true };

START_TEST(removes)
{
	struct runq *q = &queues[0];
	__u32 start;

	queues_init(shared[_i]);
	start = recs[0].tail;
	fill(q, 0, 10);
	/* The first, the last, one in between, and one that is gone. */
	expect(take_out(q, start, 0));
	expect(take_out(q, start, 9));
	expect_eq(recs[0].tail - start, 9);
	expect(take_out(q, start, 7));
	expect_eq(recs[0].tail - start, 9);
	expect(!take_out(q, start, 7));
	expect(!take_out(q, start, 10));
	/* With the last go the gaps before it. */
	expect(take_out(q, start, 8));
	expect_eq(recs[0].tail - start, 7);
	for (unsigned int i = 1; i < 7; i++)
		expect(runq_pop(q) == fiber(i));
	expect(!runq_pop(q));
	expect(!take_out(q, start, 3));
	/* All of it: then it is empty. */
	start = recs[0].tail;
	fill(q, 0, 3);
	for (unsigned int i = 0; i < 3; i++)
		expect(take_out(q, start, i));
	expect(runq_empty(q));
	expect(!runq_rotate(q, fiber(0)));
	expect(!baton_runq_take(q));
}
END_TEST

/* Yield leaves a gap at the head to pop, which comes to the next one. */
START_TEST(rotates)
{
	struct runq *q = &queues[0];
	__u32 start;

	queues_init(shared[_i]);
	start = recs[0].tail;
	fill(q, 0, 3);
	expect(take_out(q, start, 0));
	if (shared[_i]) {
		expect(runq_rotate(q, fiber(3)) == fiber(1));
	} else {
		expect(!runq_rotate(q, fiber(3)));
		expect(runq_pop(q) == fiber(1));
		expect(runq_push(q, fiber(3)));
	}
	expect(runq_rotate(q, fiber(4)) == fiber(2));
	expect(runq_pop(q) == fiber(3));
	expect(runq_pop(q) == fiber(4));
	expect(!runq_pop(q));
}
END_TEST

/* A thief gets no gap, and what is behind a half that is all gaps. */
START_TEST(steals)
{
	struct runq *q = &queues[0], *to = &queues[1];
	struct baton_fiber *out[RUNQ_SIZE / 2];
	__u32 start;

	queues_init(true);
	start = recs[0].tail;
	fill(q, 0, 8);
	for (unsigned int i = 0; i < 7; i++)
		expect(i == 5 || take_out(q, start, i));
	expect(baton_runq_steal(to, q) == fiber(5));
	expect(runq_empty(to));
	expect(baton_runq_take(q) == fiber(7));
	expect(runq_empty(q));
	start = recs[0].tail;
	fill(q, 0, RUNQ_SIZE);
	expect(!runq_push(q, fiber(0)));
	expect(take_out(q, start, 1));
	expect_eq(baton_runq_pop_half(q, out), RUNQ_SIZE / 2 - 1);
	expect(out[0] == fiber(0));
	expect(out[1] == fiber(2));
	/* The holder does not wait for a thief. */
	q->lock = 1;
	expect(!take_out(q, start, RUNQ_SIZE - 1));
	expect(runq_pop(q) == fiber(RUNQ_SIZE / 2));
	q->lock = 0;
	expect(take_out(q, start, RUNQ_SIZE - 1));
}
END_TEST

static struct { unsigned int n; int over; uint8_t *seen; } race;

static void got(struct baton_fiber *f)
{
	if (f)
		__atomic_add_fetch(&race.seen[number(f)], 1, __ATOMIC_RELAXED);
}

static void *thief(void *arg)
{
	struct runq *q = arg;

	while (!load(&race.over)) {
		got(baton_runq_steal(q, &queues[0]));
		while (!runq_empty(q))
			got(runq_pop(q));
		got(baton_runq_take(&queues[0]));
	}
	return NULL;
}

/* The holder does all that it may, while thieves steal: each fiber goes once. */
START_TEST(thieves)
{
	struct { unsigned int fiber; __u32 place; } recent[RECENT] = { 0 };
	struct runq *q = &queues[0];
	uint32_t rnd = random_seed();
	pthread_t thread[THIEVES];

	queues_init(true);
	race.n = scaled(2000000);
	race.seen = calloc(race.n, 1);
	for (int i = 0; i < THIEVES; i++)
		expect(!pthread_create(&thread[i], NULL, thief,
				       &queues[1 + i]));
	for (unsigned int i = 0; i < race.n;) {
		unsigned int r = random_next(&rnd) >> 8, at = r / 8 % RECENT;

		if (r % 8 < 4) {
			recent[at].fiber = i;
			recent[at].place = recs[0].tail;
			if (runq_push(q, fiber(i)))
				i++;
			else
				got(runq_pop(q));
		} else if (r % 8 < 7) {
			if (baton_runq_remove(q, fiber(recent[at].fiber),
					      recent[at].place))
				got(fiber(recent[at].fiber));
		} else {
			got(runq_pop(q));
		}
	}
	while (!runq_empty(q))
		got(runq_pop(q));
	store(&race.over, 1);
	for (int i = 0; i < THIEVES; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int i = 0; i < race.n; i++)
		expect_eq(race.seen[i], 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("runq");
	TCase *tc = test_case(s, "runq");

	tcase_add_loop_test(tc, removes, 0, ARRAY_SIZE(shared));
	tcase_add_loop_test(tc, rotates, 0, ARRAY_SIZE(shared));
	tcase_add_test(tc, steals);
	tcase_add_test(tc, thieves);
	return suite_main(s);
}
