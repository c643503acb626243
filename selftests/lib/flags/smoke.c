// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* smoke.c - a little of everything, for flags.sh. The exit status tells. */
#include <baton/baton.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIBERS	10
#define ROUNDS	50

static int inner_runs;

static void inner(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&inner_runs, 1, __ATOMIC_RELAXED);
	baton_yield();
}

static void foreign(void *arg)
{
	if (baton_callback(inner, arg))
		_exit(10);
}

static void boom(void *arg)
{
	baton_panic(arg, "smoke");
}

static void foreign_boom(void *arg)
{
	baton_callback(boom, arg);
	_exit(11);
}

static void deep_boom(void *arg)
{
	baton_call(foreign_boom, arg);
	_exit(12);
}

static void *fiber(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *value = NULL;
		int err;

		baton_call(foreign, arg);
		if (baton_try(deep_boom, &inner_runs, &value) != 1 ||
		    value != &inner_runs)
			_exit(13);
		if (BATON_CALL(err, usleep, 10) || err)
			_exit(14);
		baton_yield();
	}
	return arg;
}

static void *adopted(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		foreign(arg);
	return NULL;
}

static void threads(void *arg)
{
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&t[i], NULL, adopted, arg))
			_exit(15);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

static void *first(void *arg)
{
	struct baton_fiber *f[FIBERS];

	for (int i = 0; i < FIBERS; i++)
		if (baton_spawn(&f[i], NULL, fiber, &f[i]))
			_exit(16);
	baton_call(threads, arg);
	for (int i = 0; i < FIBERS; i++) {
		void *result = NULL;

		if (baton_join(f[i], &result) || result != &f[i])
			_exit(17);
	}
	return arg;
}

int main(void)
{
	struct baton_config *cfg;

	if (baton_config_create(&cfg))
		return 1;
	baton_config_set_nprocs(cfg, 2);
	for (int i = 0; i < 3; i++)
		if (baton_run(cfg, first, NULL, NULL)) {
			fprintf(stderr, "%s\n", baton_reason());
			return 2;
		}
	baton_config_destroy(cfg);
	return inner_runs == 3 * (FIBERS + 2) * ROUNDS ? 0 : 3;
}
