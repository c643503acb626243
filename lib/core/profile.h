/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* profile.h - where fibers have blocked, as it is read. */
#ifndef BATON_CORE_PROFILE_H
#define BATON_CORE_PROFILE_H

#include <baton/profile.h>

struct baton_rt;

/*
 * All sites of @rt, which the caller keeps from its end, the longest total
 * first. How many; *@sites is to be freed. -ENOMEM.
 */
int baton_profile_read(const struct baton_rt *rt, struct baton_profile **sites);

#endif /* BATON_CORE_PROFILE_H */
