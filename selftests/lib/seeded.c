// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * seeded.c - faults in fibers, for sanitizers to find.
 *
 * usage: seeded race|overflow|shift|leak|held|none
 *
 * leak and held exit in a fiber, while memory is held by one stack of each
 * kind; that is no leak.
 */
#include <baton/baton.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int shared;
static int running;

static void *racer(void *arg)
{
	__atomic_add_fetch(&running, 1, __ATOMIC_RELAXED);
	/* No yield: the two are on different threads then. */
	while (__atomic_load_n(&running, __ATOMIC_RELAXED) < 2)
		;
	for (int i = 0; i < 100000; i++)
		shared = shared + 1;
	return arg;
}

static void *race(void *arg)
{
	struct baton_fiber *f[2];

	for (int i = 0; i < 2; i++)
		if (baton_spawn(&f[i], NULL, racer, arg))
			exit(2);
	for (int i = 0; i < 2; i++)
		baton_join(f[i], NULL);
	return arg;
}

static void fill(void *arg)
{
	memset(arg, 1, 17 + (size_t)shared);
}

static void back(void *arg)
{
	char room[16];

	(void)arg;
	fill(room);
	shared += room[3];
}

static void foreign(void *arg)
{
	baton_callback(back, arg);
}

/* On the fiber's stack, below a foreign call. */
static void *overflow(void *arg)
{
	baton_yield();
	baton_call(foreign, arg);
	return arg;
}

static void *shift(void *arg)
{
	baton_yield();
	shared = 1 << (shared + 40);
	return arg;
}

static void *none(void *arg)
{
	char room[17];

	baton_yield();
	fill(room);
	return room[16] == 1 ? arg : NULL;
}

/*
 * The library's own threads come and go. What the C library and the sanitizer
 * do when one starts is lost for an instant, while its stack is not known yet.
 */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:pthread_getattr_np\n";
}

/* Those below, the parked visitor's two among them, and main()'s. */
#define HELD	8

static int holders;

/* Goes on only when whoever holds something does so. */
static void *hold(size_t bytes)
{
	void *p = malloc(bytes);

	__atomic_add_fetch(&holders, 1, __ATOMIC_SEQ_CST);
	return p;
}

static void *parks(void *arg)
{
	void *volatile held = hold(1001);

	baton_park();
	free(held);
	return arg;
}

static void sleeps(void *arg)
{
	void *volatile held = hold(1002);

	pause();
	free(held);
	(void)arg;
}

static void *calls(void *arg)
{
	void *volatile held = hold(1003);

	baton_call(sleeps, arg);
	free(held);
	return arg;
}

static void spins(void *arg)
{
	void *volatile held = hold(1004);

	while (!*(volatile int *)&shared)
		;
	free(held);
	(void)arg;
}

static void calls_back(void *arg)
{
	void *volatile held = hold(1005);

	baton_callback(spins, arg);
	free(held);
}

static void *spins_in_callback(void *arg)
{
	baton_call(calls_back, arg);
	return arg;
}

static void waits(void *arg)
{
	parks(arg);
}

static void *visitor(void *arg)
{
	void *volatile held = hold(1006);

	baton_callback(waits, arg);
	free(held);
	return arg;
}

static void *held(void *arg)
{
	static const baton_fn fns[] = { parks, calls, spins_in_callback };
	struct baton_fiber *f;
	pthread_t thread;

	if (pthread_create(&thread, NULL, visitor, arg))
		exit(2);
	for (size_t i = 0; i < sizeof(fns) / sizeof(fns[0]); i++)
		if (baton_spawn(&f, NULL, fns[i], arg))
			exit(2);
	while (__atomic_load_n(&holders, __ATOMIC_SEQ_CST) < HELD)
		baton_yield();
	exit(0);
}

/* So many that old words on stacks cannot hide them all. */
static void *leak(void *arg)
{
	for (int i = 0; i < 100; i++) {
		void *volatile lost = malloc(2000);

		memset(lost, 0, 2000);
		lost = NULL;
	}
	return held(arg);
}

/* @fn, while the caller holds something, too. */
static int run_holding(const struct baton_config *cfg, baton_fn fn)
{
	void *volatile mine = hold(1007);
	int err = baton_run(cfg, fn, NULL, NULL);

	free(mine);
	return err ? 2 : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		baton_fn fn;
	} seeds[] = { { "race", race }, { "overflow", overflow },
		      { "shift", shift }, { "leak", leak },
		      { "held", held }, { "none", none } };
	struct baton_config *cfg;
	int status = 2;

	if (baton_config_create(&cfg) || baton_config_set_nprocs(cfg, 2))
		return 2;
	for (size_t i = 0; argc == 2 && i < sizeof(seeds) / sizeof(*seeds); i++)
		if (!strcmp(argv[1], seeds[i].name))
			status = run_holding(cfg, seeds[i].fn);
	if (status)
		fprintf(stderr,
			"usage: seeded race|overflow|shift|leak|held|none\n");
	baton_config_destroy(cfg);
	return status;
}
