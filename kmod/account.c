// SPDX-License-Identifier: GPL-2.0-only
/*
 * account.c - where workers block, how often and for how long.
 *
 * A block costs thousands of instructions, and is to pay for some forty more
 * at most. So no clock is read: the scheduler has noted when the thread came to
 * its CPU, how long it has run since, and how long it has waited for CPUs. A
 * worker that blocks where it did so last time, as most do, finds the site by
 * three comparisons; nobody takes a lock.
 *
 * The table is in the region, so that user space reads it without a call. It is
 * fixed in size and charged with the region; what finds no room is accounted to
 * an entry that stands for all others. User space may write there what it
 * likes: what is read back is a key to compare with, and a state, and the
 * search has few steps whatever they say. So a lie spoils the liar's own
 * figures.
 *
 * There are several tables, one after the other, and workers take turns: where
 * many CPUs block at once they would fight for the same counters. The reader
 * adds up what is the same.
 */
#include "account.h"

#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/minmax.h>

#include "instance.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define TABLE_BITS	7
#define TABLE_SITES	(1u << TABLE_BITS)
#define TABLES_MAX	16u
#define PROBES		8u	/* under rq->lock */

/* How often to try to raise a maximum that others raise. */
#define RAISES		4u

u32 baton_account_sites(u32 nprocs)
{
	BUILD_BUG_ON(sizeof(struct baton_site) != 320);
	return min_t(u32, roundup_pow_of_two(nprocs), TABLES_MAX) * TABLE_SITES;
}

/* A table's first entry is for all that finds no other. */
void baton_account_init(struct baton_instance *inst)
{
	u32 i;

	for (i = 0; i < inst->nsites; i += TABLE_SITES) {
		inst->site[i].nr = BATON_SITE_OTHER;
		inst->site[i].state = BATON_SITE_USED;
	}
}

/* @s is a free one, and becomes that of @b; false: another was quicker. */
static bool fill(struct baton_site *s, const struct baton_block *b)
{
	if (cmpxchg(&s->state, BATON_SITE_FREE, BATON_SITE_FILLED) !=
	    BATON_SITE_FREE)
		return false;
	s->fn = b->fn;
	s->pc = b->pc;
	s->nr = b->nr;
	/* Release: who finds it USED finds these three; pairs with find(), and
	 * with the library's profile.c. */
	smp_store_release(&s->state, BATON_SITE_USED);
	return true;
}

static struct baton_site *find(struct baton_site *table,
			       const struct baton_block *b)
{
	u64 key = b->fn ^ b->pc << 1 ^ (u64)(u32)b->nr << 32;
	u32 first = hash_64(key, TABLE_BITS), i;

	for (i = 0; i < PROBES; i++) {
		struct baton_site *s = &table[(first + i) % TABLE_SITES];
		u32 state = smp_load_acquire(&s->state);

		if (state == BATON_SITE_FREE && fill(s, b))
			return s;
		if (state == BATON_SITE_USED && s->fn == b->fn &&
		    s->pc == b->pc && s->nr == b->nr)
			return s;
	}
	return table;
}

static struct baton_site *table_of(struct baton_instance *inst, u32 index)
{
	u32 tables = inst->nsites / TABLE_SITES;

	return &inst->site[index % tables * TABLE_SITES];
}

void baton_account_elsewhere(struct baton_block *b, struct baton_instance *inst,
			     struct baton_slot *slot, u64 fn, u64 pc, int nr)
{
	b->fn = fn;
	b->pc = pc;
	b->nr = nr;
	b->guess = baton_predict_site(inst->sites, fn, nr);
	b->site = find(table_of(inst, slot - inst->slots), b);
	WRITE_ONCE(slot->site, 1 + (u32)(b->site - inst->site));
}

void baton_account_start(struct baton_block *b, struct baton_instance *inst,
			 u32 index)
{
	b->nr = BATON_SITE_OTHER;
	b->guess = inst->sites;
	b->site = table_of(inst, index);
}

void baton_account_raise(__u64 *max, u64 value)
{
	s64 old = READ_ONCE(*max);
	u32 i;

	for (i = 0; i < RAISES && (u64)old < value; i++)
		if (atomic64_try_cmpxchg((atomic64_t *)max, &old, value))
			break;
}
