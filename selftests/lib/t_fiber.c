// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_fiber.c - spawn, join, detach, yield, park, ready. */
#include "common.h"

#include <pthread.h>

/* --- spawn and join ---------------------------------------------------- */

static struct { int n; int order[16]; } seen;

static void *note(void *arg)
{
	seen.order[seen.n++] = (int)(intptr_t)arg;
	return arg;
}

static void *order_main(void *arg)
{
	struct baton_fiber *f[10];

	for (intptr_t i = 0; i < 10; i++)
		f[i] = spawn(note, (void *)i);
	expect_eq(seen.n, 0);
	baton_yield();
	expect_eq(seen.n, 10);
	for (intptr_t i = 10; i-- > 0;)
		expect_eq((intptr_t)join(f[i]), i);
	for (int i = 0; i < 10; i++)
		expect_eq(seen.order[i], i);
	return arg;
}

START_TEST(order)
{
	run_in_order(order_main, NULL);
}
END_TEST

/*
 * Who is joined before it has run is run at once, and the others stay in their
 * order, whether their queue's first, its last or one in between is gone.
 */
static void *joined_first_main(void *arg)
{
	static const int order[10] = { 3, 9, 8, 0, 5, 1, 2, 4, 6, 7 };
	struct baton_fiber *f[10];

	for (intptr_t i = 0; i < 10; i++)
		f[i] = spawn(note, (void *)i);
	for (int i = 0; i < 5; i++) {
		join(f[order[i]]);
		expect_eq(seen.n, i + 1);
	}
	baton_yield();
	expect_eq(seen.n, 10);
	for (int i = 0; i < 10; i++)
		expect_eq(seen.order[i], order[i]);
	for (int i = 5; i < 10; i++)
		join(f[order[i]]);
	/* The same with a queue that none is left in. */
	join(spawn(note, NULL));
	baton_yield();
	expect_eq(seen.n, 11);
	return arg;
}

START_TEST(joined_first)
{
	run_in_order(joined_first_main, NULL);
}
END_TEST

static void *yield_order(void *arg)
{
	for (int i = 0; i < 3; i++) {
		seen.order[seen.n++] = (int)(intptr_t)arg;
		expect_eq(baton_yield(), 0);
	}
	return NULL;
}

static void *round_robin_main(void *arg)
{
	struct baton_fiber *f[3];

	for (intptr_t i = 0; i < 3; i++)
		f[i] = spawn(yield_order, (void *)i);
	for (int i = 0; i < 3; i++)
		join(f[i]);
	for (int i = 0; i < 9; i++)
		expect_eq(seen.order[i], i % 3);
	return arg;
}

START_TEST(round_robin)
{
	run_in_order(round_robin_main, NULL);
}
END_TEST

static void *add_one(void *arg)
{
	add((int *)arg, 1);
	return arg;
}

#define MANY	10000u

static struct { int parked; uint64_t sum; } many;

static void *many_fiber(void *arg)
{
	volatile char room[256];

	room[0] = (char)(uintptr_t)arg;
	add(&many.parked, 1);
	expect_eq(baton_park(), 0);
	expect_eq(room[0], (char)(uintptr_t)arg);
	add(&many.sum, (uintptr_t)arg);
	return (void *)((uintptr_t)arg * 3);
}

static void *many_main(void *arg)
{
	static struct baton_fiber *f[MANY];

	for (uintptr_t i = 0; i < MANY; i++)
		f[i] = spawn(many_fiber, (void *)i);
	while (load(&many.parked) < (int)MANY)
		baton_yield();
	for (uintptr_t i = 0; i < MANY; i++)
		expect_eq(baton_ready(f[i]), 0);
	for (uintptr_t i = 0; i < MANY; i++)
		expect_eq((uintptr_t)join(f[i]), i * 3);
	expect_eq(many.sum, (uint64_t)MANY * (MANY - 1) / 2);
	return arg;
}

START_TEST(ten_thousand)
{
	NOT_UNDER_TSAN("ten_thousand");
	run_on(nprocs_list[_i], many_main, NULL);
}
END_TEST

/* More than a local queue holds, which is 256. A fiber takes ThreadSanitizer
 * milliseconds to make, and there a few more will do. */
#ifdef __SANITIZE_THREAD__
#define OVER	300
#else
#define OVER	2000
#endif

/* Made by one fiber that does not stop. */
static void *overflow_main(void *arg)
{
	static struct baton_fiber *f[OVER];
	static int total;
	unsigned int n = ARRAY_SIZE(f);

	(void)arg;
	total = 0;
	for (unsigned int round = 0; round < 3; round++) {
		store(&many.parked, 0);
		for (uintptr_t i = 0; i < n; i++)
			f[i] = spawn(many_fiber, (void *)1);
		while (load(&many.parked) < (int)n)
			baton_yield();
		for (unsigned int i = 0; i < n; i++)
			expect_eq(baton_ready(f[i]), 0);
		for (unsigned int i = 0; i < n; i++)
			total += (int)(uintptr_t)join(f[i]) / 3;
	}
	expect_eq(total, 3 * n);
	return NULL;
}

START_TEST(queue_overflow)
{
	run_on(nprocs_list[_i], overflow_main, NULL);
}
END_TEST

/* Half of a full queue goes elsewhere, with the gaps that joins have left. */
static void *gaps_main(void *arg)
{
	static struct baton_fiber *f[OVER / 2 + 200];
	static int ended;
	unsigned int n = ARRAY_SIZE(f);

	ended = 0;
	for (unsigned int from = 0; from < 200; from += 50) {
		for (unsigned int i = 0; i < n; i++) {
			f[i] = spawn(add_one, &ended);
			/* All of the first half but for a few, or none. */
			for (unsigned int j = from; i == 199 && j < 190; j++)
				join(f[j]);
		}
		for (unsigned int i = 0; i < n; i++)
			if (i < from || i >= 190)
				join(f[i]);
		expect_eq(load(&ended), (from / 50 + 1) * n);
	}
	return arg;
}

START_TEST(queue_with_gaps)
{
	run_on(nprocs_list[_i], gaps_main, NULL);
}
END_TEST

static void *set_flag(void *arg)
{
	store((int *)arg, 1);
	return arg;
}

static void *wait_then_join(void *arg)
{
	return join(arg);
}

static void *join_main(void *arg)
{
	int ended = 0, go = 0;
	struct baton_fiber *f = spawn(set_flag, &ended), *g;
	void *r;

	/* It has ended, or is about to. */
	yield_until(&ended);
	expect(join(f) == &ended);
	/* It runs. */
	f = spawn(wait_flag, &go);
	g = spawn(set_flag, &go);
	expect(join(f) == &go);
	expect(join(g) == &go);
	expect_eq(baton_join(spawn(set_flag, &ended), NULL), 0);
	/* A chain of joins. */
	go = 0;
	f = spawn(wait_flag, &go);
	for (int i = 0; i < 100; i++)
		f = spawn(wait_then_join, f);
	baton_yield();
	store(&go, 1);
	r = join(f);
	expect(r == &go);
	return arg;
}

START_TEST(join_ended_running)
{
	run_on(nprocs_list[_i], join_main, NULL);
}
END_TEST

static struct { struct baton_fiber *target; int waiting, go; } twice;

static void *join_target(void *arg)
{
	add(&twice.waiting, 1);
	join(twice.target);
	return arg;
}

/* Two handles must not be used twice; where it can be told, it is refused. */
static void *join_errors_main(void *arg)
{
	struct baton_fiber *f, *joiner;

	expect_eq(baton_join(NULL, NULL), -EINVAL);
	expect_eq(baton_detach(NULL), -EINVAL);
	expect_eq(baton_ready(NULL), -EINVAL);
	expect_eq(baton_join(baton_self(), NULL), -EDEADLK);
	expect_eq(baton_spawn(&f, NULL, NULL, NULL), -EINVAL);
	expect(*baton_reason());
	/* Its joiner waits: the only processor came back to us from it. */
	twice.target = spawn(wait_flag, &twice.go);
	joiner = spawn(join_target, NULL);
	yield_until(&twice.waiting);
	baton_yield();
	expect_eq(baton_join(twice.target, NULL), -EINVAL);
	expect_eq(baton_detach(twice.target), -EINVAL);
	store(&twice.go, 1);
	join(joiner);
	/* Detached, and it runs for as long as we want. */
	store(&twice.go, 0);
	f = spawn(wait_flag, &twice.go);
	expect_eq(baton_detach(f), 0);
	expect_eq(baton_detach(f), -EINVAL);
	expect_eq(baton_join(f, NULL), -EINVAL);
	store(&twice.go, 1);
	return arg;
}

START_TEST(join_errors)
{
	run_in_order(join_errors_main, NULL);
}
END_TEST

static void *count_one(void *arg)
{
	add((int *)arg, 1);
	return NULL;
}

static void *detach_main(void *arg)
{
	unsigned int rounds = scaled(20000);
	static int total;
	struct baton_fiber *f;

	total = 0;
	for (unsigned int i = 0; i < rounds; i++) {
		f = spawn(count_one, &total);
		if (i % 3 == 0)
			baton_yield();	/* has ended, by chance */
		expect_eq(baton_detach(f), 0);
		expect_eq(baton_spawn(NULL, NULL, count_one, &total), 0);
		if (i % 64 == 0)
			baton_yield();
	}
	while (load(&total) < (int)rounds * 2)
		baton_yield();
	return arg;
}

START_TEST(detach)
{
	run_on(nprocs_list[_i], detach_main, NULL);
}
END_TEST

/*
 * A tree of fibers, each of which joins its children: it is gone through from
 * leaf to leaf, though all are spawned before any is joined. So few live at a
 * time, some ten for each level, and as many again for each time that others
 * have had their turn.
 */
#define CHILDREN	10
#define LEAVES		10000

static struct { int live, most; } tree;

static void *tree_node(void *arg)
{
	intptr_t leaves = (intptr_t)arg, sum = 0;
	struct baton_fiber *f[CHILDREN];

	if (leaves > 1) {
		int live = add(&tree.live, CHILDREN);

		if (live > load(&tree.most))
			store(&tree.most, live);
		for (int i = 0; i < CHILDREN; i++)
			f[i] = spawn(tree_node, (void *)(leaves / CHILDREN));
		for (int i = 0; i < CHILDREN; i++)
			sum += (intptr_t)join(f[i]);
		add(&tree.live, -CHILDREN);
	}
	return (void *)(leaves > 1 ? sum : 1);
}

START_TEST(leaf_by_leaf)
{
	int most;

	tree.live = tree.most = 0;
	expect_eq((intptr_t)run_on(nprocs_list[_i], tree_node, (void *)LEAVES),
		  LEAVES);
	expect_eq(tree.live, 0);
	most = tree.most;
	expect(most < LEAVES / 2);
}
END_TEST

/* --- park and ready ---------------------------------------------------- */

static void *ready_it(void *arg)
{
	expect_eq(baton_ready(arg), 0);
	return NULL;
}

static void *permit_main(void *arg)
{
	struct baton_fiber *self = baton_self();
	static int told;
	struct baton_fiber *f;

	expect(self != NULL);
	expect_eq(baton_ready(self), 0);
	expect_eq(baton_park(), 0);
	/* Two make one. */
	expect_eq(baton_ready(self), 0);
	expect_eq(baton_ready(self), 0);
	expect_eq(baton_park(), 0);
	/* So the next one waits, for the fiber below. */
	f = spawn(set_flag, &told);
	expect_eq(told, 0);
	baton_spawn(NULL, NULL, ready_it, self);
	expect_eq(baton_park(), 0);
	expect_eq(told, 1);
	join(f);
	return arg;
}

START_TEST(permit)
{
	run_in_order(permit_main, NULL);
}
END_TEST

struct pong {
	struct baton_fiber *peer;
	unsigned int rounds, turn, mine;
	unsigned int *ball;
};

static void *pong(void *arg)
{
	struct pong *p = arg;

	for (unsigned int i = 0; i < p->rounds; i++) {
		while (__atomic_load_n(p->ball, __ATOMIC_RELAXED) % 2 !=
		       p->mine)
			baton_park();
		/* Plain: the order comes from park and ready. */
		p->turn++;
		__atomic_fetch_add(p->ball, 1, __ATOMIC_RELAXED);
		baton_ready(load(&p->peer));
	}
	return NULL;
}

static void *pong_main(void *arg)
{
	static unsigned int ball[8];
	struct pong p[8][2];
	struct baton_fiber *f[8][2];
	unsigned int rounds = scaled(20000);

	for (int i = 0; i < 8; i++) {
		for (int j = 0; j < 2; j++) {
			p[i][j] = (struct pong){ baton_self(), rounds, 0,
						 (unsigned int)j, &ball[i] };
		}
		for (int j = 0; j < 2; j++)
			f[i][j] = spawn(pong, &p[i][j]);
		for (int j = 0; j < 2; j++)
			store(&p[i][j].peer, f[i][!j]);
		/* It may have readied us instead. */
		for (int j = 0; j < 2; j++)
			baton_ready(f[i][j]);
	}
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 2; j++) {
			/* The peer's handle must stay good to its end. */
			while (load(&ball[i]) < 2 * rounds)
				baton_yield();
		}
	for (int i = 0; i < 8; i++) {
		/* The last act is to ready the peer: which is joined second. */
		join(f[i][1]);
		join(f[i][0]);
		expect_eq(p[i][0].turn, rounds);
		expect_eq(p[i][1].turn, rounds);
	}
	return arg;
}

START_TEST(ping_pong)
{
	run_on(nprocs_list[_i], pong_main, NULL);
}
END_TEST

/*
 * Where nothing blocks, one more than may run is enough, however often the last
 * standby is used. With the module, a page fault may block.
 */
static void expect_few_workers(void)
{
	struct baton_stats st;

	if (tier_sees_fibers())
		return;
	expect_eq(baton_stats(&st, sizeof(st)), 0);
	expect(st.workers_max <= baton_nprocs() + 1);
}

/* A plain thread spawns and readies. */
static struct {
	int ready, spawned, waiting;
	unsigned int rounds;
	struct baton_fiber *fiber;
} ext;

static void *external(void *arg)
{
	while (!load(&ext.waiting))
		;
	for (unsigned int i = 0; i < ext.rounds; i++) {
		expect_eq(baton_spawn(NULL, NULL, count_one, &ext.spawned), 0);
		add(&ext.ready, 1);
		expect_eq(baton_ready(ext.fiber), 0);
		/* One at a time: the fiber is often asleep by then. */
		while (load(&ext.waiting) == (int)i + 1)
			sched_yield();
	}
	expect_eq(baton_yield(), -EPERM);
	expect_eq(baton_park(), -EPERM);
	expect_eq(baton_join(ext.fiber, NULL), -EPERM);
	expect(!baton_self());
	return arg;
}

static void *external_main(void *arg)
{
	pthread_t thread;

	ext.fiber = baton_self();
	ext.rounds = scaled(3000);
	expect(!pthread_create(&thread, NULL, external, NULL));
	for (unsigned int i = 1; i <= ext.rounds; i++) {
		store(&ext.waiting, (int)i);
		while (load(&ext.ready) < (int)i)
			expect_eq(baton_park(), 0);
	}
	store(&ext.waiting, (int)ext.rounds + 1);
	while (load(&ext.spawned) < (int)ext.rounds)
		baton_yield();
	pthread_join(thread, NULL);
	expect_few_workers();
	return arg;
}

START_TEST(plain_thread)
{
	run_on(nprocs_list[_i], external_main, NULL);
}
END_TEST

/*
 * Several at once on the global queue, from where each processor takes its
 * share, and gone as soon as they have run: a fiber on two queues would be freed
 * on one. What orders it all is the library's own, hence relaxed.
 */
#define BURST	4
#define BURSTS	20000

static struct { unsigned int rounds, ended; int over; } burst;

static unsigned int burst_ended(void)
{
	return __atomic_load_n(&burst.ended, __ATOMIC_RELAXED);
}

static void *end_at_once(void *arg)
{
	__atomic_fetch_add(&burst.ended, 1, __ATOMIC_RELAXED);
	return arg;
}

/* Two threads that take turns by looking: not for ever on a busy machine. */
static void *burst_thread(void *arg)
{
	uint64_t end = now_ns() + 3 * BATON_SEC;
	unsigned int i;

	for (i = 0; i < scaled(BURSTS) && now_ns() < end; i++) {
		for (int j = 0; j < BURST; j++)
			expect_eq(baton_spawn(NULL, NULL, end_at_once, NULL),
				  0);
		while (burst_ended() < i * BURST)
			sched_yield();
	}
	burst.rounds = i;
	store(&burst.over, 1);
	return arg;
}

static void *burst_main(void *arg)
{
	pthread_t thread;

	expect(!pthread_create(&thread, NULL, burst_thread, NULL));
	while (!load(&burst.over) || burst_ended() < burst.rounds * BURST)
		baton_yield();
	pthread_join(thread, NULL);
	expect_eq(burst_ended(), burst.rounds * BURST);
	return arg;
}

START_TEST(bursts)
{
	run_on(nprocs_list[_i], burst_main, NULL);
}
END_TEST

/* --- fairness ---------------------------------------------------------- */

static int done;

static void *yield_till_done(void *arg)
{
	yield_until(&done);
	return arg;
}

static void *set_done(void *arg)
{
	store(&done, 1);
	return arg;
}

static void *spawn_setter(void *arg)
{
	/* From no processor: to the global queue. */
	expect_eq(baton_spawn(NULL, NULL, set_done, NULL), 0);
	return arg;
}

static void *fair_main(void *arg)
{
	struct baton_fiber *f[4];
	pthread_t thread;

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(yield_till_done, NULL);
	baton_yield();
	expect(!pthread_create(&thread, NULL, spawn_setter, NULL));
	yield_until(&done);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	pthread_join(thread, NULL);
	return arg;
}

START_TEST(global_queue_not_starved)
{
	run_on(nprocs_list[_i], fair_main, NULL);
}
END_TEST

/* Those that park and ready one another for ever do not starve it, either. */
static void *handover(void *arg)
{
	struct pong *p = arg;

	while (!load(&done)) {
		baton_ready(load(&p->peer));
		baton_park();
	}
	baton_ready(load(&p->peer));
	return NULL;
}

static void *fair_park_main(void *arg)
{
	static struct pong p[2];
	struct baton_fiber *f[2];
	pthread_t thread;

	p[0].peer = p[1].peer = baton_self();
	f[0] = spawn(handover, &p[0]);
	f[1] = spawn(handover, &p[1]);
	store(&p[0].peer, f[1]);
	store(&p[1].peer, f[0]);
	baton_ready(f[0]);
	expect(!pthread_create(&thread, NULL, spawn_setter, NULL));
	while (!load(&done))
		baton_yield();
	/* Neither handle goes before both have readied the other. */
	baton_ready(f[0]);
	baton_ready(f[1]);
	for (int i = 0; i < 1000; i++)
		baton_yield();
	pthread_join(thread, NULL);
	return arg;
}

START_TEST(global_queue_beside_parking)
{
	run_on(1, fair_park_main, NULL);
}
END_TEST

/* Nor do those that spawn and join for ever keep out who waits in any queue. */
static void *spawn_and_join(void *arg)
{
	while (!load(&done))
		join(spawn(add_one, &(int){ 0 }));
	return arg;
}

static void *fair_join_main(void *arg)
{
	pthread_t thread;

	/* In our own queue. */
	expect_eq(baton_spawn(NULL, NULL, set_done, NULL), 0);
	spawn_and_join(NULL);
	/* In the global one, while our own is never empty. */
	store(&done, 0);
	for (int i = 0; i < 3; i++)
		expect_eq(baton_spawn(NULL, NULL, spawn_and_join, NULL), 0);
	expect(!pthread_create(&thread, NULL, spawn_setter, NULL));
	spawn_and_join(NULL);
	pthread_join(thread, NULL);
	return arg;
}

START_TEST(others_beside_joining)
{
	run_on(1, fair_join_main, NULL);
}
END_TEST

/*
 * Fibers that are bound to a thread and others take their turns in the global
 * queue as they came.
 */
static int about_to_park, keeps_on, all_ready;

static void *park_and_note(void *arg)
{
	if ((intptr_t)arg % 3 == 1)
		expect_eq(baton_thread_lock(), 0);
	add(&about_to_park, 1);
	baton_park();
	return note(arg);
}

#define MIXED	9

static void *ready_all(void *arg)
{
	struct baton_fiber **f = arg;

	while (!load(&keeps_on))
		;
	for (int i = 0; i < MIXED; i++)
		expect_eq(baton_ready(f[i]), 0);
	store(&all_ready, 1);
	return arg;
}

static void *mixed_main(void *arg)
{
	struct baton_fiber *f[MIXED];
	pthread_t thread;

	for (intptr_t i = 0; i < MIXED; i++)
		f[i] = spawn(park_and_note, (void *)i);
	while (load(&about_to_park) < MIXED)
		baton_yield();
	baton_yield();
	expect(!pthread_create(&thread, NULL, ready_all, f));
	/* An idle processor would go to one that is bound, out of turn. */
	store(&keeps_on, 1);
	while (!load(&all_ready))
		;
	for (int i = 0; i < MIXED; i++)
		join(f[i]);
	pthread_join(thread, NULL);
	for (int i = 0; i < MIXED; i++)
		expect_eq(seen.order[i], i);
	return arg;
}

START_TEST(locked_in_their_turn)
{
	run_in_order(mixed_main, NULL);
}
END_TEST

/* --- anything goes ----------------------------------------------------- */

static struct { int budget; uint64_t work, expected; uint32_t seed; } stress;

static void foreign_work(void *arg)
{
	add((uint64_t *)arg, 1);
}

static void *stress_fiber(void *arg);

static void stress_step(uint32_t *rnd)
{
	struct baton_fiber *f;

	switch (random_next(rnd) >> 8 & 7) {
	case 0: case 1:
		baton_yield();
		break;
	case 2:
		/* A permit left over would end the wait early, no harm. */
		f = spawn(ready_it, baton_self());
		baton_park();
		join(f);
		break;
	case 3:
		baton_ready(baton_self());
		baton_park();
		break;
	case 4:
		add(&stress.expected, 1);
		baton_call(foreign_work, &stress.work);
		break;
	case 5:
		if (add(&stress.budget, -1) > 0)
			join(spawn(stress_fiber,
				   (void *)(uintptr_t)random_next(rnd)));
		break;
	case 6:
		f = spawn(count_one, &(int){ 0 });
		if (*rnd & 1 << 20)
			baton_yield();
		join(f);
		break;
	default:
		for (volatile int i = 0; i < 200; i++)
			;
	}
}

static void *stress_fiber(void *arg)
{
	uint32_t rnd = (uint32_t)(uintptr_t)arg;

	for (int i = 0; i < 50; i++)
		stress_step(&rnd);
	return arg;
}

static void *stress_main(void *arg)
{
	struct baton_fiber *f[64];
	uint32_t rnd = stress.seed + (uint32_t)baton_nprocs();
	unsigned int rounds = scaled(40);

	stress.budget = (int)scaled(20000);
	while (rounds--) {
		uint32_t seeds[ARRAY_SIZE(f)];

		for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
			seeds[i] = random_next(&rnd);
			f[i] = spawn(stress_fiber,
				     (void *)(uintptr_t)seeds[i]);
		}
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			expect_eq((uintptr_t)join(f[i]), seeds[i]);
	}
	expect_eq(stress.work, stress.expected);
	return arg;
}

START_TEST(random_operations)
{
	stress.seed = random_seed();
	run_on(nprocs_list[_i], stress_main, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fiber");
	TCase *tc = test_case(s, "fiber");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_test(tc, order);
	tcase_add_test(tc, joined_first);
	tcase_add_test(tc, round_robin);
	tcase_add_loop_test(tc, ten_thousand, 0, n);
	tcase_add_loop_test(tc, queue_overflow, 0, n);
	tcase_add_loop_test(tc, queue_with_gaps, 0, n);
	tcase_add_loop_test(tc, join_ended_running, 0, n);
	tcase_add_test(tc, join_errors);
	tcase_add_loop_test(tc, detach, 0, n);
	tcase_add_loop_test(tc, leaf_by_leaf, 0, n);
	tcase_add_test(tc, permit);
	tcase_add_loop_test(tc, ping_pong, 0, n);
	tcase_add_loop_test(tc, plain_thread, 0, n);
	tcase_add_loop_test(tc, bursts, 0, n);
	tcase_add_loop_test(tc, global_queue_not_starved, 0, n);
	tcase_add_test(tc, global_queue_beside_parking);
	tcase_add_test(tc, others_beside_joining);
	tcase_add_test(tc, locked_in_their_turn);
	tcase_add_loop_test(tc, random_operations, 0, n);
	return suite_main(s);
}
