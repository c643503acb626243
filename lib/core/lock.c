// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* lock.c - waiting for a few instructions of another thread. */
#include "lock.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "arch.h"

#define SPINS_EACH 128u
#define YIELDS 4u
#define SLEEP_MIN_NS 20000L
#define SLEEP_MAX_NS 1000000L

/*
 * Never inline: where it is used twice with a switch in between, the compiler
 * would keep the address of errno from the first, and the thread is another.
 */
void __attribute__((noinline, cold)) baton_backoff(struct backoff *b)
{
	struct timespec pause;
	int saved;

	baton_cpu_relax();
	if (++b->spins % SPINS_EACH)
		return;
	saved = errno;
	if (b->spins <= SPINS_EACH * YIELDS) {
		sched_yield();
	} else {
		b->ns = !b->ns			 ? SLEEP_MIN_NS :
			b->ns < SLEEP_MAX_NS / 2 ? 2 * b->ns :
						   SLEEP_MAX_NS;
		pause = (struct timespec){ .tv_nsec = b->ns };
		nanosleep(&pause, NULL);
	}
	errno = saved;
}

void baton_lock_wait(uint32_t *lock)
{
	struct backoff b = { 0 };

	do
		do
			baton_backoff(&b);
		while (READ_ONCE(*lock));
	while (!lock_try(lock));
}
