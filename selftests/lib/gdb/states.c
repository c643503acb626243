// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * states.c - fibers in all the states that there are, one in each, for those who
 * look at them from outside: gdb, baton_dump().
 *
 * usage: states [FIBERS]: so many more, which are parked
 *
 * One processor, so that what may run does not, while one fiber computes for
 * ever. That one says "ready" when all others are as they are to be.
 */
#include <baton/baton.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct baton_mutex mutex = BATON_MUTEX_INIT;
static struct baton_chan chan = BATON_CHAN_INIT(sizeof(int), 0, NULL);
static struct baton_sem forever = BATON_SEM_INIT(0);
static struct baton_fiber *parked, *more;
static int fds[2];
static unsigned long spun;

static void *park(void *arg)
{
	baton_park();
	return arg;
}

static void *park_deep(void *arg)
{
	char room[256];

	memset(room, 1, sizeof(room));
	park(arg);
	return room[0] ? arg : NULL;
}

static void *wait_mutex(void *arg)
{
	baton_mutex_lock(&mutex);
	return arg;
}

static void *hold(void *arg)
{
	baton_mutex_lock(&mutex);
	baton_sleep(3600 * BATON_SEC);
	return arg;
}

static void *receive(void *arg)
{
	int n;

	baton_chan_recv(&chan, &n);
	return arg;
}

static void *wait_sem(void *arg)
{
	baton_sem_wait(&forever);
	return arg;
}

static void *read_pipe(void *arg)
{
	char c;

	baton_read(fds[0], &c, 1);
	return arg;
}

static void block(void *arg)
{
	(void)arg;
	pause();
}

static void *call(void *arg)
{
	baton_call(block, NULL);
	return arg;
}

static bool came_back;

static void park_back(void *arg)
{
	(void)arg;
	__atomic_store_n(&came_back, true, __ATOMIC_RELAXED);
	baton_park();
}

static void call_back(void *arg)
{
	baton_callback(park_back, arg);
}

static void *callback(void *arg)
{
	baton_call(call_back, NULL);
	return arg;
}

static void *end(void *arg)
{
	return arg;
}

static void *yield(void *arg)
{
	baton_yield();
	return arg;
}

static void spawn(const char *name, baton_fn fn)
{
	struct baton_attr *attr;
	struct baton_fiber *f;

	if (baton_attr_create(&attr) || baton_attr_set_name(attr, name) ||
	    baton_spawn(&f, attr, fn, NULL))
		exit(1);
	baton_attr_destroy(attr);
	if (!strcmp(name, "parks"))
		parked = f;
}

static void __attribute__((noinline)) spin(void)
{
	for (;;)
		__atomic_add_fetch(&spun, 1, __ATOMIC_RELAXED);
}

static void *run(void *arg)
{
	/* All others were queued before, and have come to rest; but for the one
	 * that calls back, if its call took so long that it lost its processor. */
	while (!__atomic_load_n(&came_back, __ATOMIC_RELAXED))
		baton_yield();
	spawn("is-ready", yield);
	baton_yield();
	spawn("is-new", end);
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		exit(1);
	spin();
	return arg;
}

static void *first(void *arg)
{
	long n = arg ? strtol(arg, NULL, 0) : 0;

	while (n-- > 0)
		if (baton_spawn(&more, NULL, park_deep, NULL))
			exit(1);
	spawn("parks", park);
	spawn("holds", hold);
	spawn("locks", wait_mutex);
	spawn("receives", receive);
	spawn("reads", read_pipe);
	spawn("counts", wait_sem);
	spawn("calls", call);
	spawn("calls-back", callback);
	spawn("has-ended", end);
	spawn("runs", run);
	baton_join(parked, NULL);
	return arg;
}

int main(int argc, char **argv)
{
	struct baton_config *cfg;

	if (pipe(fds) || baton_config_create(&cfg) ||
	    baton_config_set_nprocs(cfg, 1))
		return 1;
	return -baton_run(cfg, first, argc > 1 ? argv[1] : NULL, NULL);
}
