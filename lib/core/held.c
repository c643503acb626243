// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * held.c - in a debug build, pthread mutexes that fiber code holds while others
 *          run.
 *
 * The C library's functions are found here first, and then by dlsym(3), in a
 * program that is linked with libbaton.a, but for a static one: that, and one
 * that uses libbaton.so, has the C library's own, and nothing is seen. Foreign
 * code may hold what it likes: others that want it wait in the kernel, and its
 * thread comes back to it. So may a fiber that is on its worker alone.
 *
 * The table is of a fixed size. When it is full the oldest entry is forgotten.
 */
#include "held.h"

#ifdef BATON_DEBUG

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "lock.h"
#include "sched.h"
#include "symbols.h"

#define HELD_MAX	256u

/* Where it is linked in, it is what is called, from wherever. */
#define INTERPOSED	__attribute__((weak, visibility("default"), noinline))

/* @f, or who has taken its place since, has @m, NULL: a free entry; locked at
 * @site. */
struct held {
	const pthread_mutex_t *m;
	const struct baton_fiber *f;
	const void *site;
	bool said;
};

/* Protects what is below. Fiber code has it, too: others back off meanwhile. */
static uint32_t held_lock;
static struct held held[HELD_MAX];
static unsigned int oldest;

/* How many entries are in use; read without the lock, too: a fiber's own locking
 * and unlocking come before its leaving. */
static unsigned int nheld;

/* A handler that ends a slice unlocks mutexes, too. */
static void held_take(void)
{
	baton_unstoppable_begin();
	lock_take(&held_lock);
}

static void held_drop(void)
{
	lock_drop(&held_lock);
	baton_unstoppable_end();
}

static void locked(const pthread_mutex_t *m, const void *site)
{
	struct baton_worker *w = baton_worker_self();
	unsigned int i = 0;

	if (!sched_on_fiber(w) || w->fiber == w->pinned)
		return;
	held_take();
	while (i < HELD_MAX && held[i].m)
		i++;
	if (i == HELD_MAX)
		i = oldest++ % HELD_MAX;
	else
		WRITE_ONCE(nheld, nheld + 1);
	held[i] = (struct held){ m, w->fiber, site, false };
	held_drop();
}

/* By whom does not matter: it is had no more. */
static void unlocked(const pthread_mutex_t *m)
{
	if (!READ_ONCE(nheld))
		return;
	held_take();
	for (unsigned int i = 0; i < HELD_MAX; i++) {
		if (held[i].m != m)
			continue;
		held[i].m = NULL;
		WRITE_ONCE(nheld, nheld - 1);
	}
	held_drop();
}

static void say(const struct held *h)
{
	struct symbol s;

	fprintf(stderr,
		"baton: fiber %p lets others run while it holds the pthread mutex %p: who of them locks it may wait for ever; locked at %p",
		(const void *)h->f, (const void *)h->m, h->site);
	/* The call, not what comes after it. */
	if (baton_symbol_find(&s, (uintptr_t)h->site - 1))
		fprintf(stderr, " %s+%#lx", s.name, (unsigned long)s.offset);
	fputc('\n', stderr);
}

void baton_held_leave(const struct baton_worker *w,
		      const struct baton_fiber *f)
{
	struct held found = { 0 };

	if (!READ_ONCE(nheld) || w->pinned == f)
		return;
	held_take();
	for (unsigned int i = 0; i < HELD_MAX; i++) {
		if (!held[i].m || held[i].f != f || held[i].said)
			continue;
		held[i].said = true;
		found = held[i];
	}
	held_drop();
	if (found.m)
		say(&found);
}

void baton_held_forked(void)
{
	/* Whoever had it is not here; who forked was not in here. */
	held_lock = 0;
}

/* --- the C library's functions --------------------------------------------- */

/* Several threads may look at once: they find the same. */
#define REAL(f)								\
	({								\
		static __typeof__(&f) real;				\
		__typeof__(&f) it = READ_ONCE(real);			\
		if (!it) {						\
			it = (__typeof__(&f))dlsym(RTLD_NEXT, #f);	\
			WRITE_ONCE(real, it);				\
		}							\
		it;							\
	})

/* Who had it may have ended with it. */
static int after(pthread_mutex_t *m, int err, const void *site)
{
	if (!err || err == EOWNERDEAD)
		locked(m, site);
	return err;
}

INTERPOSED int pthread_mutex_lock(pthread_mutex_t *m)
{
	return after(m, REAL(pthread_mutex_lock)(m),
		     __builtin_return_address(0));
}

INTERPOSED int pthread_mutex_trylock(pthread_mutex_t *m)
{
	return after(m, REAL(pthread_mutex_trylock)(m),
		     __builtin_return_address(0));
}

INTERPOSED int pthread_mutex_timedlock(pthread_mutex_t *restrict m,
				       const struct timespec *restrict until)
{
	return after(m, REAL(pthread_mutex_timedlock)(m, until),
		     __builtin_return_address(0));
}

INTERPOSED int pthread_mutex_unlock(pthread_mutex_t *m)
{
	unlocked(m);
	return REAL(pthread_mutex_unlock)(m);
}

#endif /* BATON_DEBUG */
