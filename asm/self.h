/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * self.h - the worker of the thread we are on, given baton_tls(). Included by
 * an arch.h that has no shorter way.
 */
#ifndef BATON_ASM_SELF_H
#define BATON_ASM_SELF_H

/* NULL if it has none. */
static inline struct baton_worker *baton_worker_self(void)
{
	return *baton_tls();
}

static inline void baton_worker_set_self(struct baton_worker *w)
{
	*baton_tls() = w;
}

#endif /* BATON_ASM_SELF_H */
