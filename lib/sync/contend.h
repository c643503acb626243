/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* contend.h - a wait that may have to be timed: core/contend.h. */
#ifndef BATON_SYNC_CONTEND_H
#define BATON_SYNC_CONTEND_H

#include "../core/contend.h"
#include "../core/wait.h"

/*
 * Are waits timed? All that is asked where they are not. The two ways are apart
 * in each caller: one function for both has them make ready, in each wait, what
 * only the timed one takes, ten instructions for a channel's.
 */
static inline bool contend_timed(void)
{
	return unlikely(READ_ONCE(baton_contend_rate));
}

/* wait_block(), timed for @site. */
int baton_contend_block(struct wait *t, int64_t deadline,
			enum contend_kind kind, const void *site)
	__attribute__((cold));

#endif /* BATON_SYNC_CONTEND_H */
