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
#endif
#ifdef __SANITIZE_THREAD__
	t->tsan = __tsan_get_current_fiber();
#endif
}
