// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* init.c - before there are fibers; and in the child of a fork(). */
#include "mutex.h"
#include "table.h"

static void before_fork(void)
{
	baton_wrap_fork_begins(baton_wrap_caller());
}

static void after_fork(void)
{
	baton_wrap_forked();
}

static void __attribute__((constructor(101))) begin(void)
{
	WRITE_ONCE(baton_wrap_real.locks, baton_wrap_locks_known(wrap_real()));
	pthread_atfork(before_fork, baton_wrap_fork_over, after_fork);
}
