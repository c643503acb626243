// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * order.c - in a debug build, the order in which mutexes are locked.
 *
 * Two tables of a fixed size, under one lock: which mutexes are had by whom;
 * and which one was ever locked while which other one was had. When a table is
 * full the oldest entry is forgotten, and with it what it might have shown. A
 * circle of more than two mutexes is not seen.
 */
#include "order.h"

#ifdef BATON_DEBUG

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../core/lock.h"
#include "../core/symbols.h"

#define HELD_MAX	256u
#define PAIRS_MAX	1024u

/* @self has @m, NULL: a free entry; it was locked at @site. */
struct held {
	const struct baton_mutex *m;
	uintptr_t self;
	const void *site;
};

/* Somebody locked @second at @at while it had @first, locked at @before. */
struct pair {
	const struct baton_mutex *first;
	const struct baton_mutex *second;
	const void *before;
	const void *at;
	bool said;
};

/* Protects all below. Fiber code has it, too: others back off if that blocks. */
static uint32_t order_lock;
static struct held held[HELD_MAX];
static struct pair pairs[PAIRS_MAX];
static unsigned int oldest_held, oldest_pair;

/* Whoever had the lock is none of the child's threads, and was not done. */
static void after_fork(void)
{
	order_lock = 0;
	memset(held, 0, sizeof(held));
	memset(pairs, 0, sizeof(pairs));
}

/* A process that never runs a scheduler has mutexes, too. */
static void __attribute__((constructor)) begin(void)
{
	pthread_atfork(NULL, NULL, after_fork);
}

static struct pair *find_locked(const struct baton_mutex *first,
				const struct baton_mutex *second)
{
	for (unsigned int i = 0; i < PAIRS_MAX; i++)
		if (pairs[i].first == first && pairs[i].second == second)
			return &pairs[i];
	return NULL;
}

static void say_site(const char *what, const void *site)
{
	struct symbol s;

	/* The call, not what comes after it. */
	if (baton_symbol_find(&s, (uintptr_t)site - 1))
		fprintf(stderr, "  %s at %p %s+%#lx\n", what, site, s.name,
			(unsigned long)s.offset);
	else
		fprintf(stderr, "  %s at %p\n", what, site);
}

static void say(const struct pair *now, const struct pair *then)
{
	fprintf(stderr,
		"baton: lock order: mutex %p is locked after %p, and was locked before it: two who do so at once wait for each other for ever\n",
		(const void *)now->second, (const void *)now->first);
	say_site("now: had since", now->before);
	say_site("now: the other locked", now->at);
	say_site("then: had since", then->before);
	say_site("then: the other locked", then->at);
}

/* True: the other way round was seen before, in *@then; say so. */
static bool pair_locked(const struct pair *now, struct pair *then)
{
	struct pair *other;

	if (find_locked(now->first, now->second))
		return false;
	pairs[oldest_pair++ % PAIRS_MAX] = *now;
	other = find_locked(now->second, now->first);
	if (!other || other->said)
		return false;
	other->said = true;
	*then = *other;
	return true;
}

void baton_order_before(const struct baton_mutex *m, uintptr_t self,
			const void *site)
{
	struct pair now = { .second = m, .at = site }, then;
	bool inverted = false;

	lock_take(&order_lock);
	for (unsigned int i = 0; i < HELD_MAX && !inverted; i++) {
		if (!held[i].m || held[i].m == m || held[i].self != self)
			continue;
		now.first = held[i].m;
		now.before = held[i].site;
		inverted = pair_locked(&now, &then);
	}
	lock_drop(&order_lock);
	if (inverted)
		say(&now, &then);
}

void baton_order_locked(const struct baton_mutex *m, uintptr_t self,
			const void *site)
{
	unsigned int i = 0;

	lock_take(&order_lock);
	while (i < HELD_MAX && held[i].m)
		i++;
	if (i == HELD_MAX)
		i = oldest_held++ % HELD_MAX;
	held[i] = (struct held){ m, self, site };
	lock_drop(&order_lock);
}

void baton_order_unlocked(const struct baton_mutex *m, uintptr_t self)
{
	lock_take(&order_lock);
	for (unsigned int i = 0; i < HELD_MAX; i++)
		if (held[i].m == m && held[i].self == self)
			held[i].m = NULL;
	lock_drop(&order_lock);
}

void baton_order_forget(const struct baton_mutex *m)
{
	lock_take(&order_lock);
	for (unsigned int i = 0; i < PAIRS_MAX; i++)
		if (pairs[i].first == m || pairs[i].second == m)
			pairs[i] = (struct pair){ 0 };
	lock_drop(&order_lock);
}

#endif /* BATON_DEBUG */
