/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * site.h - where workers block: struct baton_site of <linux/baton.h>, which the
 * module fills in. Without it the library does, with what it sees: calls whose
 * processor was taken, from when their taker first saw them.
 */
#ifndef BATON_CORE_SITE_H
#define BATON_CORE_SITE_H

#include <linux/baton.h>
#include <stdint.h>

struct baton_rt;
struct baton_worker;

/* How many a region without the module has. */
#define SITES		128u

/* They are zeroed; before anything blocks. */
void baton_sites_init(struct baton_site *sites);

/*
 * A taker in user space is about to take the processor from the worker of
 * @slot, in a foreign call that it has first seen at @since, as now_ns() has
 * it. The site of that, to which it adds what becomes of the processor.
 */
struct baton_site *baton_site_take(struct baton_rt *rt, struct baton_slot *slot,
				   int64_t since);

/*
 * @w is back, and finds its processor taken. Where it blocked; NULL: that is
 * not known. By @w itself, before it has a processor again.
 */
struct baton_site *baton_site_back(const struct baton_worker *w);

/* Its fiber has waited for a processor since @since; @site may be NULL. */
void baton_site_starved(struct baton_site *site, int64_t since);

#endif /* BATON_CORE_SITE_H */
