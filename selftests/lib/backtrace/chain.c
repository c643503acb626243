// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * chain.c - a stack that changes stacks three times, to be looked at
 *
 *	fiber_fn -> foreign_outer -> callback_fn -> foreign_inner -> leaf
 *
 * usage: backtrace [first|other] [spin]
 *
 * first: on the worker that baton_run()'s caller is, whose system stack is
 * the process's own and lies above every fiber's; other: on a worker with a
 * thread of its own, whose stack lies among them. leaf() does nothing, or
 * spins for a second, for perf to find it.
 */
#include <baton/baton.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME	__attribute__((noinline))

static volatile unsigned long counter;
static bool spin;
static int go;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void leaf(void *arg);
FRAME void leaf(void *arg)
{
	double end = now() + 1;

	counter += (unsigned long)(arg != NULL);
	while (spin && now() < end)
		for (int i = 0; i < 1000000; i++)
			counter++;
}

void foreign_inner(void *arg);
FRAME void foreign_inner(void *arg)
{
	leaf(arg);
	counter++;
}

void callback_fn(void *arg);
FRAME void callback_fn(void *arg)
{
	baton_call(foreign_inner, arg);
	counter++;
}

void foreign_outer(void *arg);
FRAME void foreign_outer(void *arg)
{
	baton_callback(callback_fn, arg);
	counter++;
}

void *fiber_fn(void *arg);
FRAME void *fiber_fn(void *arg)
{
	baton_call(foreign_outer, arg);
	counter++;
	return arg;
}

/* Blocks the first worker until the other fiber, elsewhere, is done. */
static void wait_go(void *arg)
{
	char c;

	if (read(*(int *)arg, &c, 1) != 1)
		counter++;
}

static void *other_fn(void *arg)
{
	fiber_fn(arg);
	if (write(go, "g", 1) != 1)
		counter++;
	return NULL;
}

static void *main_fiber(void *arg)
{
	int fd[2];

	if (!strcmp(arg, "first"))
		return fiber_fn(arg);
	if (pipe(fd))
		return NULL;
	go = fd[1];
	baton_spawn(NULL, NULL, other_fn, arg);
	baton_call(wait_go, &fd[0]);
	return arg;
}

int main(int argc, char **argv)
{
	char *where = argc > 1 ? argv[1] : "first";
	struct baton_config *cfg;

	spin = argc > 2 && !strcmp(argv[2], "spin");
	if (baton_config_create(&cfg) || baton_config_set_nprocs(cfg, 1))
		return 1;
	if (baton_run(cfg, main_fiber, where, NULL)) {
		fprintf(stderr, "%s\n", baton_reason());
		return 1;
	}
	baton_config_destroy(cfg);
	return counter ? 0 : 1;
}
