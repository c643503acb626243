/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * order.h - in a debug build (make DEBUG=1), the order in which mutexes are
 *           locked; nothing otherwise.
 *
 * If one mutex was ever locked by somebody who had another one, and is now had
 * by somebody who locks the other one, then two who do so at the same time may
 * wait for each other for ever. It is said on standard error, once for the two
 * mutexes, whether or not that happens this time.
 */
#ifndef BATON_SYNC_ORDER_H
#define BATON_SYNC_ORDER_H

#include <stdint.h>

struct baton_mutex;

#ifdef BATON_DEBUG

/* @self is about to lock @m, at @site, and may wait for it. */
void baton_order_before(const struct baton_mutex *m, uintptr_t self,
			const void *site);

/* It has it. */
void baton_order_locked(const struct baton_mutex *m, uintptr_t self,
			const void *site);

/* It has it no more, or will not have it in a moment. */
void baton_order_unlocked(const struct baton_mutex *m, uintptr_t self);

/* @m is no more: what comes to lie there is another one. */
void baton_order_forget(const struct baton_mutex *m);

#else

static inline void baton_order_before(const struct baton_mutex *m,
				      uintptr_t self, const void *site)
{
	(void)m;
	(void)self;
	(void)site;
}

static inline void baton_order_locked(const struct baton_mutex *m,
				      uintptr_t self, const void *site)
{
	(void)m;
	(void)self;
	(void)site;
}

static inline void baton_order_unlocked(const struct baton_mutex *m,
					uintptr_t self)
{
	(void)m;
	(void)self;
}

static inline void baton_order_forget(const struct baton_mutex *m)
{
	(void)m;
}

#endif /* BATON_DEBUG */

#endif /* BATON_SYNC_ORDER_H */
