// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* watch.c - the one wait of the watcher, and how it is ended. */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "descriptor.h"
#include "fatal.h"
#include "futex.h"
#include "reason.h"
#include "timer.h"

int baton_watch_open(struct watch *t, int fd)
{
	*t = (struct watch){
		.event = -1,
		.fd = fd,
		.until = TIMER_NEVER,
	};
	if (fd < 0)
		return 0;
	t->event = descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (t->event < 0)
		return baton_error(-errno, "eventfd: error %d", errno);
	return 0;
}

void baton_watch_close(struct watch *t)
{
	if (t->event >= 0)
		close(t->event);
}

/* Never inline: errno is that of the thread where the fiber is now. */
void __attribute__((noinline)) baton_watch_kick(struct watch *t)
{
	int saved = errno;

	atomic_fetch_add(&t->kicks, 1);
	if (t->event < 0)
		futex_wake(&t->kicks);
	else
		baton_event_set(t->event);
	errno = saved;
}

void baton_watch_rouse(struct watch *t)
{
	/* One of those who queue at once is enough. */
	uint32_t who = xchg(&t->asleep, 0u);

	if (who & ASLEEP_WATCHER)
		baton_watch_kick(t);
	if (who & ASLEEP_TIER)
		t->arm(t);
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
		baton_descriptor_lost();
}

/* The tier's descriptor or a kick; at most @ns, or, if negative, for ever. */
static void wait_fds(struct watch *t, const struct timespec *limit)
{
	struct pollfd fds[] = {
		{.fd = t->fd, .events = POLLIN},
		{.fd = t->event, .events = POLLIN},
	};
	uint64_t n;

	if (ppoll(fds, 2, limit, NULL) <= 0)
		return;
	check_open(fds);
	if (fds[0].revents && read(t->fd, &n, sizeof(n)) == sizeof(n))
		WRITE_ONCE(t->wanted, 1);
	if (fds[1].revents && read(t->event, &n, sizeof(n)) < 0)
		return; /* another's read came first: there is none */
}

void baton_watch_sleep(struct watch *t, uint32_t kicks, int64_t ns)
{
	struct timespec limit = timespec_of(ns < 0 ? 0 : ns);

	if (t->event >= 0)
		wait_fds(t, ns < 0 ? NULL : &limit);
	else
		futex_wait(&t->kicks, kicks, ns < 0 ? NULL : &limit);
}
