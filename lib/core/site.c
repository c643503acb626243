// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* site.c - where workers block, as the library writes it. */
#include "site.h"

#include <stddef.h>

#include "clock.h"
#include "worker.h"

#define PROBES		8u

/* The first is for all that finds no other. */
void baton_sites_init(struct baton_site *sites)
{
	sites->nr = BATON_SITE_OTHER;
	sites->state = BATON_SITE_USED;
}

/* The watcher alone adds sites, so that none is ever half filled. */
static struct baton_site *find(struct baton_site *sites, uint64_t fn)
{
	uint64_t hash = fn * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (unsigned int i = 0; i < PROBES; i++) {
		struct baton_site *s = &sites[(hash + i) % SITES];

		if (s->state == BATON_SITE_FREE) {
			s->fn = fn;
			s->nr = BATON_SITE_CALL;
			/* Release: it is whole; pairs with profile.c. */
			smp_store_release(&s->state,
					  (uint32_t)BATON_SITE_USED);
			return s;
		}
		if (s->fn == fn && s->nr == BATON_SITE_CALL)
			return s;
	}
	return sites;
}

struct baton_site *baton_site_take(struct baton_rt *rt, struct baton_slot *slot,
				   int64_t since)
{
	struct baton_site *s = find(rt->sites, READ_ONCE(slot->fn));

	/* Before the claim, which its worker sees first: claim_take(). */
	WRITE_ONCE(slot->site, 1 + (uint32_t)(s - rt->sites));
	WRITE_ONCE(slot->since, (uint64_t)since);
	return s;
}

static void add(uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_relaxed(counter, n);
}

/* A block of @ns that nobody but us has counted. */
static void account(struct baton_site *s, uint64_t ns)
{
	uint64_t old = READ_ONCE(s->longest);
	unsigned int i = 63u - (unsigned int)__builtin_clzll(ns >> 9 | 1);

	add((uint64_t *)&s->total, ns);
	add((uint64_t *)&s->hist[i < BATON_SITE_HIST ? i : BATON_SITE_HIST - 1],
	    1);
	while (old < ns && !try_cmpxchg((uint64_t *)&s->longest, &old, ns))
		;
}

struct baton_site *baton_site_back(const struct baton_worker *w)
{
	uint32_t site = READ_ONCE(w->slot->site);
	uint64_t since = READ_ONCE(w->slot->since);
	struct baton_site *s;

	if (!site || site > w->rt->nsites)
		return NULL;
	s = &w->rt->sites[site - 1];
	/* It may be a taker that has begun, and withdraws. */
	if (since && READ_ONCE(w->slot->taken) == BATON_TAKEN) {
		WRITE_ONCE(w->slot->since, 0);
		account(s, (uint64_t)now_ns() - since);
	}
	return s;
}

void baton_site_starved(struct baton_site *site, int64_t since)
{
	if (site)
		add((uint64_t *)&site->starved,
		    (uint64_t)(now_ns() - since));
}
