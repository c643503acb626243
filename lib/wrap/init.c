// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* init.c - before there are fibers; and in the child of a fork(). */
#include "mutex.h"
#include "table.h"

static void forked(void)
{
	/* What it makes of itself has no scheduler, see baton(7). */
	if (baton_self())
		WRITE_ONCE(baton_wrap_real.forked, true);
	baton_wrap_real.pid = getpid();
	baton_table_forked();
}

static void __attribute__((constructor(101))) begin(void)
{
	WRITE_ONCE(baton_wrap_real.locks, baton_wrap_locks_known(wrap_real()));
	pthread_atfork(NULL, NULL, forked);
}
