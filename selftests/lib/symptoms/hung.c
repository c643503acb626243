// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* hung.c - fibers lock two mutexes in different orders, see baton-debug(7) */
#include "symptoms.h"

static struct baton_mutex from = BATON_MUTEX_INIT, to = BATON_MUTEX_INIT;
static int locked;

static void *transfer(void *arg)
{
	struct baton_mutex *first = arg, *second = first == &to ? &from : &to;

	baton_mutex_lock(first);
	__atomic_add_fetch(&locked, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&locked, __ATOMIC_RELAXED) < 2)
		baton_yield();
	baton_mutex_lock(second);
	return arg;
}

static void *heartbeat(void *arg)
{
	for (;;)
		baton_sleep(1 * BATON_SEC);
	return arg;
}

static void *first(void *arg)
{
	struct baton_fiber *there = spawn("there", transfer, &from);

	spawn("back", transfer, &to);
	spawn("heartbeat", heartbeat, NULL);
	baton_join(there, NULL);
	return arg;
}

int main(void)
{
	return -baton_run(NULL, first, NULL, NULL);
}
