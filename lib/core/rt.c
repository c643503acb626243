// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* rt.c - which scheduler runs, and who still uses it. */
#include "rt.h"

#include <stdlib.h>

#include "../tier/tier.h"
#include "debug.h"
#include "lock.h"
#include "worker.h"

struct baton_rt *baton_rt_running;

static pthread_mutex_t lock = BATON_LOCK_INITIALIZER;
static pthread_cond_t looked = PTHREAD_COND_INITIALIZER;

void baton_rt_lock(void)
{
	baton_unstoppable_begin();
	pthread_mutex_lock(&lock);
}

void baton_rt_unlock(void)
{
	pthread_mutex_unlock(&lock);
	baton_unstoppable_end();
}

void baton_rt_wait(pthread_cond_t *cond)
{
	pthread_cond_wait(cond, &lock);
}

void baton_rt_assert_locked(void)
{
	debug_assert_locked(&lock);
}

/*
 * The scheduler of the calling worker. The end of a scheduler waits for its own
 * workers, and for adopted ones that are in a callback, so it cannot vanish
 * under them.
 */
static struct baton_rt *own_rt(void)
{
	const struct baton_worker *w = baton_worker_self();

	return w && (!w->adopted || w->depth) ? w->rt : NULL;
}

struct baton_rt *baton_rt_hold(void)
{
	struct baton_rt *rt = own_rt();

	if (rt)
		return rt;
	/* The end of a scheduler takes the lock too: baton_adopted_drain(). */
	baton_rt_lock();
	rt = rt_running();
	if (!rt)
		baton_rt_unlock();
	return rt;
}

void baton_rt_release(void)
{
	if (!own_rt())
		baton_rt_unlock();
}

struct baton_rt *baton_rt_look(void)
{
	struct baton_rt *rt = baton_rt_hold();

	if (rt && !own_rt()) {
		rt->lookers++;
		baton_rt_unlock();
	}
	return rt;
}

void baton_rt_look_over(struct baton_rt *rt)
{
	if (own_rt())
		return;
	baton_rt_lock();
	if (!--rt->lookers)
		pthread_cond_broadcast(&looked);
	baton_rt_unlock();
}

void baton_rt_await_lookers_locked(struct baton_rt *rt)
{
	baton_rt_assert_locked();
	while (rt->lookers)
		baton_rt_wait(&looked);
}

void baton_rt_hold_lock(void)
{
	if (own_rt())
		baton_rt_lock();
}

void baton_rt_hold_unlock(void)
{
	if (own_rt())
		baton_rt_unlock();
}

void baton_rt_forked(void)
{
	baton_lock_init(&lock);
	looked = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	baton_unstoppable_forked();
	WRITE_ONCE(baton_rt_running, NULL);
}

bool __baton_rt_put(struct baton_rt *rt)
{
	baton_rt_assert_locked();
	return !--rt->users;
}

void baton_rt_free(struct baton_rt *rt)
{
	if (rt->tier)
		rt->tier->close(rt);
	free(rt->workers);
	baton_global_uninit(&rt->global);
	pthread_mutex_destroy(&rt->ring_lock);
	free(rt);
}
