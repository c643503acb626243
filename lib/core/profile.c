// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * profile.c - where fibers have blocked, as it is read.
 *
 * The module writes the table by atomic instructions, and the library reads it
 * with none: each word is read once. A site that is USED stays what it is, so no
 * lock keeps anybody off; what may be seen is a block whose time is counted and
 * which is in no histogram yet, or the other way round.
 */
#include "profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rt.h"

_Static_assert(BATON_PROFILE_HIST == BATON_SITE_HIST &&
	       BATON_PROFILE_FAULT == BATON_SITE_FAULT &&
	       BATON_PROFILE_OTHER == BATON_SITE_OTHER &&
	       BATON_PROFILE_CALL == BATON_SITE_CALL, "one meaning");

/* The same place may be in several of the module's tables. */
static struct baton_profile *place(struct baton_profile *sites, int n,
				   const struct baton_site *s)
{
	for (int i = 0; i < n; i++)
		if (sites[i].fn == (uintptr_t)s->fn &&
		    sites[i].pc == (uintptr_t)s->pc && sites[i].nr == s->nr)
			return &sites[i];
	sites[n] = (struct baton_profile){
		.fn = (uintptr_t)s->fn,
		.pc = (uintptr_t)s->pc,
		.nr = s->nr,
	};
	return &sites[n];
}

static uint64_t get(const void *counter)
{
	return READ_ONCE(*(const uint64_t *)counter);
}

static void add(struct baton_profile *p, const struct baton_site *s)
{
	uint64_t longest = get(&s->longest);

	p->total += get(&s->total);
	p->waited += get(&s->waited);
	p->starved += get(&s->starved);
	p->handoffs += get(&s->handoffs);
	p->idled += get(&s->idled);
	p->missed += get(&s->missed);
	p->late += get(&s->late);
	if (longest > p->longest)
		p->longest = longest;
	for (unsigned int i = 0; i < BATON_SITE_HIST; i++) {
		uint64_t n = get(&s->hist[i]);

		p->hist[i] += n;
		p->count += n;
	}
}

static bool empty(const struct baton_site *s)
{
	uint64_t n = get(&s->handoffs) | get(&s->idled) | get(&s->missed);

	for (unsigned int i = 0; i < BATON_SITE_HIST; i++)
		n |= get(&s->hist[i]);
	return !n;
}

static int longer_first(const void *a, const void *b)
{
	uint64_t x = ((const struct baton_profile *)a)->total;
	uint64_t y = ((const struct baton_profile *)b)->total;

	return (x < y) - (x > y);
}

int baton_profile_merge(const struct baton_site *from, unsigned int nfrom,
			struct baton_profile **sites)
{
	int n = 0;

	*sites = malloc((nfrom + 1) * sizeof(**sites));
	if (!*sites)
		return -ENOMEM;
	for (unsigned int i = 0; i < nfrom; i++) {
		const struct baton_site *s = &from[i];
		struct baton_profile *p;

		/* Acquire: where it is; pairs with the module's fill(), and
		 * site.c. */
		if (smp_load_acquire(&s->state) != BATON_SITE_USED || empty(s))
			continue;
		p = place(*sites, n, s);
		n += p == &(*sites)[n];
		add(p, s);
	}
	qsort(*sites, (size_t)n, sizeof(**sites), longer_first);
	return n;
}

int baton_profile_read(const struct baton_rt *rt,
		       struct baton_profile **sites)
{
	return baton_profile_merge(rt->sites, rt->nsites, sites);
}

/* Never inline: malloc() uses errno, which is the thread's. */
int __attribute__((noinline))
baton_profile(struct baton_profile *sites, unsigned int n, size_t size)
{
	struct baton_rt *rt = NULL;
	struct baton_profile *all;
	int found, saved = errno;

	if (!sites && n)
		return -EINVAL;
	rt = baton_rt_hold();
	if (!rt)
		return -ESRCH;
	found = baton_profile_read(rt, &all);
	baton_rt_release();
	errno = saved;
	if (found < 0)
		return found;
	for (int i = 0; i < found && (unsigned int)i < n; i++) {
		char *to = (char *)sites + (size_t)i * size;

		memset(to, 0, size);
		memcpy(to, &all[i], size < sizeof(*all) ? size : sizeof(*all));
	}
	free(all);
	return found;
}
