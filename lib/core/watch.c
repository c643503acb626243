// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* watch.c - the one wait of the watcher. */
#include "watch.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../tier/tier.h"
#include "fatal.h"
#include "reason.h"
#include "rt.h"

/* Between two looks at the queues when membarrier() is forbidden. */
#define RECHECK_NS	10000000L

int baton_watch_open(struct watch *t, int fd)
{
	*t = (struct watch){ .event = -1, .fd = fd };
	if (fd < 0)
		return 0;
	t->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->event < 0)
		return baton_error(-errno, "eventfd: error %d", errno);
	return 0;
}

void baton_watch_close(struct watch *t)
{
	if (t->event >= 0)
		close(t->event);
}

void baton_watch_kick(struct watch *t)
{
	uint64_t one = 1;
	int saved = errno;

	atomic_fetch_add(&t->kicks, 1);
	if (t->event < 0)
		syscall(SYS_futex, &t->kicks, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
	else	/* It cannot block; at the limit it is readable anyway. */
		while (write(t->event, &one, sizeof(one)) < 0 &&
		       errno == EINTR)
			;
	errno = saved;
}

void baton_watch_want(struct watch *t)
{
	smp_store_mb(t->wanted, 1);
	baton_watch_kick(t);
}

/* What the program closes that is ours cannot be done without. */
static void check_open(const struct pollfd *fds)
{
	if ((fds[0].revents | fds[1].revents) & POLLNVAL)
		baton_fatal("the program has closed a descriptor of the library's");
}

/* The tier's descriptor or a kick; at most @ns, or, if negative, for ever. */
static void wait_fds(struct watch *t, const struct timespec *limit)
{
	struct pollfd fds[] = {
		{ .fd = t->fd, .events = POLLIN },
		{ .fd = t->event, .events = POLLIN },
	};
	uint64_t n;

	if (ppoll(fds, 2, limit, NULL) <= 0)
		return;
	check_open(fds);
	if (fds[0].revents && read(t->fd, &n, sizeof(n)) == sizeof(n))
		WRITE_ONCE(t->wanted, 1);
	if (fds[1].revents && read(t->event, &n, sizeof(n)) < 0)
		return;		/* another's read came first: there is none */
}

/* Times to wait; negative: for ever. */
static long sooner(long a, long b)
{
	return b < 0 || (a >= 0 && a < b) ? a : b;
}

static void wait_for(struct watch *t, uint32_t kicks, long ns)
{
	struct timespec limit = { ns / 1000000000, ns % 1000000000 };

	if (t->event >= 0)
		wait_fds(t, ns < 0 ? NULL : &limit);
	else
		syscall(SYS_futex, &t->kicks, FUTEX_WAIT_PRIVATE, kicks,
			ns < 0 ? NULL : &limit, NULL, 0);
}

/*
 * Nothing to look at until a fiber waits, or for @ns, unless that is negative. The watcher stores asleep, makes
 * every running thread pass a fence, and looks at the queues; whoever queues a fiber
 * stores into a queue and then loads asleep (watch_work()): one of the two sees
 * the other's store.
 */
static void wait_for_work(struct baton_rt *rt, uint32_t kicks, long ns)
{
	struct watch *t = &rt->watch;
	bool passed;

	smp_store_mb(t->asleep, 1);
	passed = !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED,
			  0, 0);
	/* Without the fence a kick may be missing: look again by oneself. */
	if (!rt_has_work(rt) && !READ_ONCE(t->wanted) && !rt_stopping(rt))
		wait_for(t, kicks, passed ? ns : sooner(ns, RECHECK_NS));
	WRITE_ONCE(t->asleep, 0);
}

/* Monotonic, in nanoseconds. */
static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

bool baton_watch_wait(struct baton_rt *rt, long retry)
{
	struct watch *t = &rt->watch;
	int64_t left = 0, end = retry ? now() + retry : 0;
	bool fresh = true;

	while (!rt_stopping(rt)) {
		/* Before all that a kick is to tell about. */
		uint32_t kicks = smp_load_acquire(&t->kicks);
		long ns = rt->tier->tick ? rt->tier->tick(rt, fresh) :
					   TICK_NEVER;
		long stacks = baton_stack_pool_tick(&rt->stacks);

		fresh = false;
		if (end)
			left = end - now();
		if (xchg(&t->wanted, 0) || left < 0)
			return true;
		if (end) {
			wait_for(t, kicks,
				 sooner(sooner(ns, stacks), (long)left));
		} else if (ns == TICK_IDLE) {
			wait_for_work(rt, kicks, stacks);
			fresh = true;
		} else {
			wait_for(t, kicks, sooner(ns, stacks));
		}
	}
	return false;
}
