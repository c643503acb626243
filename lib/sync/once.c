// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* once.c - once: a mutex, and whether it was done; after Go's sync.Once. */
#include "word.h"

/* Also when the function is unwound: then it was not done. */
static void unlock(struct baton_once **once)
{
	baton_mutex_unlock(&(*once)->baton_mutex);
}

static void run(struct baton_once *once, void (*fn)(void *), void *arg)
{
	struct baton_once *locked __attribute__((cleanup(unlock))) = once;

	if (READ_ONCE(locked->baton_done))
		return;
	fn(arg);
	/* Release: what it did. */
	smp_store_release(&locked->baton_done, 1u);
}

int baton_once_until(struct baton_once *once, void (*fn)(void *), void *arg,
		     int64_t deadline)
{
	int err;

	if (unlikely(!once || !fn))
		return baton_sync_null(once ? "the function" : "the once");
	if (likely(smp_load_acquire(&once->baton_done)))
		return 0;
	err = baton_mutex_lock_until(&once->baton_mutex, deadline);
	if (err)
		return err;
	run(once, fn, arg);
	return 0;
}

int baton_once(struct baton_once *once, void (*fn)(void *), void *arg)
{
	return baton_once_until(once, fn, arg, BATON_NEVER);
}
