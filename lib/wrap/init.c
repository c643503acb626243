// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* init.c - before there are fibers; and in the child of a fork(). */
#include "mutex.h"
#include "table.h"

/* Who forks: after that, what tells it is no more. */
static __thread uintptr_t forker;

static void before_fork(void)
{
	forker = baton_wrap_caller();
}

/*
 * A child that a fiber makes has no scheduler, ever: baton(7). The library's
 * own handler comes later, and others' in between may lock and unlock.
 */
static void after_fork(void)
{
	if (forker != (uintptr_t)pthread_self())
		WRITE_ONCE(baton_wrap_real.forked, forker);
	baton_wrap_real.pid = getpid();
	baton_table_forked();
}

static void __attribute__((constructor(101))) begin(void)
{
	WRITE_ONCE(baton_wrap_real.locks, baton_wrap_locks_known(wrap_real()));
	pthread_atfork(before_fork, NULL, after_fork);
}
