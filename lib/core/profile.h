/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* profile.h - where fibers have blocked, as it is read. */
#ifndef BATON_CORE_PROFILE_H
#define BATON_CORE_PROFILE_H

#include <baton/profile.h>

struct baton_rt;
struct baton_site;

/*
 * The @nfrom sites of a region at @from, or of a copy of them: each place once,
 * the longest total first. How many; *@sites is to be freed. -ENOMEM.
 */
int baton_profile_merge(const struct baton_site *from, unsigned int nfrom,
			struct baton_profile **sites);

/* The same of all sites of @rt, which the caller keeps from its end. */
int baton_profile_read(const struct baton_rt *rt,
		       struct baton_profile **sites);

#endif /* BATON_CORE_PROFILE_H */
