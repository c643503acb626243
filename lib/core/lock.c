// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* lock.c - waiting for a few instructions of others; what no slice ends. */
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

/* --- sections that no slice ends in -------------------------------------- */

/* In how many such sections this thread is: for a handler of signals. */
static __thread uint32_t unstoppable __attribute__((tls_model("initial-exec")));

/* Never inline: the compiler might keep the address over a switch. */
void __attribute__((noinline)) baton_unstoppable_begin(void)
{
	WRITE_ONCE(unstoppable, unstoppable + 1);
	barrier();
}

void __attribute__((noinline)) baton_unstoppable_end(void)
{
	barrier();
	WRITE_ONCE(unstoppable, unstoppable - 1);
}

bool __attribute__((noinline)) baton_unstoppable(void)
{
	return READ_ONCE(unstoppable);
}

void baton_unstoppable_forked(void)
{
	unstoppable = 0;
}
