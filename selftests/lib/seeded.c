// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * seeded.c - faults in fibers, for sanitizers to find: seeded.sh runs it.
 *
 * usage: seeded race|overflow|none
 */
#include <baton/baton.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void *none(void *arg)
{
	char room[17];

	baton_yield();
	fill(room);
	return room[16] == 1 ? arg : NULL;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		baton_fn fn;
	} seeds[] = { { "race", race }, { "overflow", overflow },
		      { "none", none } };
	struct baton_config *cfg;

	if (baton_config_create(&cfg) || baton_config_set_nprocs(cfg, 2))
		return 2;
	for (size_t i = 0; argc == 2 && i < 3; i++)
		if (!strcmp(argv[1], seeds[i].name))
			return baton_run(cfg, seeds[i].fn, NULL, NULL) ? 2 : 0;
	fprintf(stderr, "usage: seeded race|overflow|none\n");
	return 2;
}
