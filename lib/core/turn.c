// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* turn.c - waiting for a processor in the middle of a fiber's code. */
#include "turn.h"

#include "base.h"
#include "clock.h"
#include "futex.h"

void baton_turn_grant(struct turn *t, uint32_t grant)
{
	/* Release: what the last holder did. Pairs with the wait. */
	smp_store_release(&t->grant, grant);
	/* The worker may be gone by now, and then this wakes nobody. */
	futex_wake(&t->grant);
}

uint32_t baton_turn_wait(struct turn *t, int64_t ns)
{
	int64_t end = ns < 0 ? 0 : now_ns() + ns;
	uint32_t got;

	while ((got = smp_load_acquire(&t->grant)) == TURN_NONE) {
		int64_t left = ns < 0 ? 0 : end - now_ns();
		struct timespec limit = timespec_of(left < 0 ? 0 : left);

		if (left < 0)
			break;
		/* Other signals' handlers may run meanwhile. */
		futex_wait(&t->grant, TURN_NONE, ns < 0 ? NULL : &limit);
	}
	return got;
}
