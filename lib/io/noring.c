// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* noring.c - takes the place of ring.c where there is no liburing. */
#include "ring.h"

bool baton_ring_carries(enum ring_op op, const char **why)
{
	(void)op;
	*why = "the library was built without liburing";
	return false;
}

void baton_ring_do(struct ring_req *req, int64_t deadline)
{
	(void)req;
	(void)deadline;
}
