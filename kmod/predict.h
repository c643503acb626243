/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * predict.h - will this block be a long one?
 *
 * A hand-off costs about what a wake-up does, and the thread that comes back
 * may have to wait for a processor. For a block that is shorter than that it is
 * a loss, and how long a block will be nobody knows; but what blocks in one
 * place mostly does so for about as long as it did there the last few times. So
 * each place has a two-bit counter, as CPUs' branch predictors have: up if a
 * block there was long, down if it was short, and the upper half says "long".
 *
 * Where it says long the hand-off is at once. Where it says short or knows
 * nothing the hand-off waits until the block has lasted for as long as a
 * hand-off costs: that costs at most twice what the better choice would have
 * cost. To tell the two apart takes a timer, and how long a thread was away
 * says little: it may have waited for its CPU. So the counter learns from some
 * blocks alone, the looks: the hand-off waits for just that long, and a block
 * that is not over by then was a long one.
 *
 * Places that share a counter, or change it at once, spoil a guess and no more.
 */
#ifndef BATON_PREDICT_H
#define BATON_PREDICT_H

#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/types.h>

#define BATON_SITE_BITS		10

/* A counter: two bits, and above them how often it was asked. */
#define SITE_SHORT		0u	/* surely */
#define SITE_UNKNOWN		1u
#define SITE_LONG		2u	/* or more */
#define SITE_MAX		3u
#define SITE_ASKED		4u
#define SITE_LOOK		64u	/* where it is sure, one in so many */

enum baton_guess {
	BATON_GUESS_LONG,
	BATON_GUESS_SHORT,
	BATON_GUESS_NONE,	/* a look, to be learnt from */
};

/* Of the table @sites, the one of a call of @fn, blocked in system call @nr. */
static inline u8 *baton_predict_site(u8 *sites, u64 fn, int nr)
{
	return &sites[hash_64(fn + (u32)nr, BATON_SITE_BITS)];
}

static inline enum baton_guess baton_predict(u8 *site)
{
	u8 old = READ_ONCE(*site);

	if ((old & SITE_MAX) == SITE_UNKNOWN)
		return BATON_GUESS_NONE;
	WRITE_ONCE(*site, old + SITE_ASKED);
	if (!(old / SITE_ASKED % SITE_LOOK))
		return BATON_GUESS_NONE;
	return (old & SITE_MAX) < SITE_LONG ? BATON_GUESS_SHORT :
					      BATON_GUESS_LONG;
}

static inline void baton_predict_learn(u8 *site, bool was_long)
{
	u8 old = READ_ONCE(*site);

	if (was_long && (old & SITE_MAX) < SITE_MAX)
		WRITE_ONCE(*site, old + 1);
	else if (!was_long && (old & SITE_MAX))
		WRITE_ONCE(*site, old - 1);
}

#endif /* BATON_PREDICT_H */
