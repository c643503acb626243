/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* mutex.h - what a condition needs of a mutex. */
#ifndef BATON_SYNC_MUTEX_H
#define BATON_SYNC_MUTEX_H

#include "word.h"

/* 0 if @self owns @m; or why it must not unlock it: -EPERM, -EINVAL. */
int baton_mutex_check(const struct baton_mutex *m, uintptr_t self);

/* @self, who owns @m, lets go of it. @t: in scheduler code, and maybe armed. */
void baton_mutex_give(struct wait *t, struct baton_mutex *m, uintptr_t self);

/*
 * @self has it again, whatever cancel or deadline there may be; or -EINVAL.
 * @site: who wanted it.
 */
int baton_mutex_regain(struct baton_mutex *m, uintptr_t self, const void *site);

#endif /* BATON_SYNC_MUTEX_H */
