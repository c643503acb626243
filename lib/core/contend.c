// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* contend.c - who has waited for which lock, by the place that called for it. */
#include "contend.h"

#include <stddef.h>
#include <string.h>

#include "clock.h"

#define PLACES		512u	/* a power of two */
#define PROBES		16u

unsigned int baton_contend_rate;

static uint64_t waits;		/* all, to choose those that are timed */
static struct contend_site places[PLACES];

void baton_contend_init(unsigned int rate)
{
	waits = 0;
	if (rate)
		memset(places, 0, sizeof(places));
	WRITE_ONCE(baton_contend_rate, rate);
}

int64_t baton_contend_begin(void)
{
	uint64_t n = atomic_fetch_add_relaxed(&waits, 1);
	unsigned int rate = READ_ONCE(baton_contend_rate);

	/* It was not 0 when the caller looked; another scheduler may run. */
	return !rate || n % rate ? 0 : now_ns();
}

/* Any thread adds entries; whoever makes one its own writes @kind later, which
 * is a part of the key, so that one of another kind is in another entry. */
static struct contend_site *find(uintptr_t key, uint32_t kind)
{
	uint64_t hash = (key + kind) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (unsigned int i = 0; i < PROBES; i++) {
		struct contend_site *s = &places[(hash + i) % PLACES];
		uintptr_t old = 0;

		if (try_cmpxchg(&s->site, &old, key)) {
			WRITE_ONCE(s->kind, kind);
			return s;
		}
		if (old == key && READ_ONCE(s->kind) == kind)
			return s;
	}
	return NULL;
}

void baton_contend_end(int64_t since, enum contend_kind kind, const void *site)
{
	struct contend_site *s = since ? find((uintptr_t)site, kind) : NULL;
	unsigned int rate = READ_ONCE(baton_contend_rate);

	if (!s)
		return;
	atomic_fetch_add_relaxed(&s->waits, rate);
	atomic_fetch_add_relaxed(&s->ns, rate * (uint64_t)(now_ns() - since));
}

const struct contend_site *baton_contend_at(unsigned int i)
{
	return i < PLACES ? &places[i] : NULL;
}
