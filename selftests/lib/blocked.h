/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* blocked.h - for tests that have to know that a fiber waits. */
#ifndef SELFTESTS_LIB_BLOCKED_H
#define SELFTESTS_LIB_BLOCKED_H

#include "../../lib/core/fiber.h"
#include "common.h"

/* Until @f, which nothing ends meanwhile, waits for something. From a fiber. */
static inline void wait_blocked(const struct baton_fiber *f)
{
	while (READ_ONCE(f->waiter.blocked) != WAITER_BLOCKED)
		baton_yield();
}

#endif /* SELFTESTS_LIB_BLOCKED_H */
