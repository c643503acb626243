// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* sanitize.c - what sanitizers are told of a thread. */
#include "sanitize.h"

#include <pthread.h>

void baton_san_thread_init(struct san *t)
{
	(void)t;
#ifdef __SANITIZE_ADDRESS__
	pthread_attr_t attr;
	void *low;

	t->fake = NULL;
	t->on = true;
	if (pthread_getattr_np(pthread_self(), &attr))
		return;
	if (!pthread_attr_getstack(&attr, &low, &t->size))
		t->bottom = low;
	pthread_attr_destroy(&attr);
	/* Once it is told of a change of stacks, AddressSanitizer calls the new
	 * one the thread's, and LeakSanitizer looks there instead. */
	if (t->bottom && san_leaks())
		san_root(t->bottom, t->size);
#endif
#ifdef __SANITIZE_THREAD__
	t->tsan = __tsan_get_current_fiber();
#endif
}

void baton_san_thread_uninit(struct san *t)
{
	(void)t;
#ifdef __SANITIZE_ADDRESS__
	if (t->bottom && san_leaks())
		san_unroot(t->bottom, t->size);
#endif
}
