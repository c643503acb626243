// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* contend.c - a wait that is timed. */
#include "contend.h"

int baton_contend_block(struct wait *t, int64_t deadline,
			enum contend_kind kind, const void *site)
{
	int64_t since = baton_contend_begin();
	int err = wait_block(t, deadline);

	baton_contend_end(since, kind, site);
	return err;
}
