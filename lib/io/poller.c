// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * poller.c - the poller: one epoll set for each scheduler.
 *
 * A fiber that has to wait for a descriptor is listed with it, and parks
 * (desc.c). Who collects readiness makes it runnable. Three collect:
 *
 *  - a worker that finds nothing to run takes the *role*, of which there is
 *    one: without a processor it sleeps in epoll_wait(). When something is
 *    ready it claims an idle processor and runs the fibers itself, with no hop
 *    to another thread; if none is idle it queues them for all, and sleeps on.
 *    It has given its processor up before, and is no standby (worker.polling);
 *  - a worker with a processor looks without waiting when its queue runs dry,
 *    and every SCHED_FAIRNESS decisions;
 *  - the watcher looks if nobody has for some milliseconds (core/polling.c).
 *
 * No wake-up of the one in the role is lost. A worker's idle bit was set
 * before; it then stores asleep, a full barrier, and looks at the queues as
 * tier->park() does. Who queues a fiber claims an idle processor, for a standby;
 * if there is none the watcher hears of it, and kicks the one in the role, by an
 * eventfd that is in the epoll set: a kick that comes before the sleep ends it.
 * The eventfd alone is level-triggered, and only the one in the role reads it:
 * an edge would be gone once any other who looks had collected it, and the
 * sleep would go on. Who reads a kick looks around after that, and sees what it
 * was about; one that comes too late for that is the next one's in the role.
 */
#include "poller.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/descriptor.h"
#include "../core/fatal.h"
#include "../core/probe.h"

#define CONFIRM_NS	10000000

#define KICK		UINT64_MAX	/* data of the eventfd's events */

/* --- system calls, with errno let be -------------------------------------- */

/* Fibers wait already, and cannot do without. */
static _Noreturn void lost(int err)
{
	/* By a filter: open_fds() has found that it was allowed then. */
	if (err == EPERM || err == ENOSYS)
		baton_fatal("epoll_wait() has come to be forbidden");
	baton_descriptor_lost();
}

static int __attribute__((noinline))
collect(const struct poller *p, struct epoll_event *events, int timeout)
{
	int saved = errno, n;

	n = epoll_wait(p->epoll, events, EVENTS, timeout);
	if (unlikely(n < 0 && errno != EINTR))
		lost(errno);
	errno = saved;
	probe2(poll, n, timeout);
	return n < 0 ? 0 : n;
}

/* By the one in the role, before it looks around. */
static void __attribute__((noinline)) take_kick(int fd)
{
	uint64_t n;
	int saved = errno;

	while (read(fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
	errno = saved;
}

/* NULL: no memory. */
static void *__attribute__((noinline)) map(size_t bytes)
{
	int saved = errno;
	void *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	errno = saved;
	return m == MAP_FAILED ? NULL : m;
}

/* --- the table ------------------------------------------------------------ */

static struct desc *chunk_make(struct poller *p, int fd)
{
	struct desc *new = map(CHUNK_DESCS * sizeof(*new)), *old = NULL;

	if (!new)
		return NULL;
	for (int i = 0; i < CHUNK_DESCS; i++) {
		new[i].fd = (fd & ~(CHUNK_DESCS - 1)) + i;
		new[i].seq[SIDE_READ] = new[i].seq[SIDE_WRITE] = 1;
	}
	/* Release: the chunk before the pointer to it. */
	if (!try_cmpxchg(&p->chunk[fd >> CHUNK_BITS], &old, new)) {
		munmap(new, CHUNK_DESCS * sizeof(*new));
		new = old;
	}
	return &new[fd % CHUNK_DESCS];
}

static const struct polling_ops ops;

static void __attribute__((noinline)) destroy(struct poller *p)
{
	int saved = errno;

	for (int i = 0; i < CHUNKS; i++)
		if (p->chunk[i])
			munmap(p->chunk[i],
			       CHUNK_DESCS * sizeof(struct desc));
	if (p->event >= 0)
		close(p->event);
	if (p->epoll >= 0)
		close(p->epoll);
	munmap(p, sizeof(*p));
	errno = saved;
}

static int __attribute__((noinline)) open_fds(struct poller *p)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = KICK };
	int saved = errno, err = 0;

	p->epoll = descriptor_keep(epoll_create1(EPOLL_CLOEXEC));
	p->event = descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (p->epoll < 0 || p->event < 0 ||
	    epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->event, &e) ||
	    epoll_wait(p->epoll, &e, 1, 0) < 0)
		err = -errno;
	errno = saved;
	return err;
}

/* The first use of a descriptor by a fiber of @rt. NULL: no memory and the
 * like; it is tried again next time. */
static struct poller *poller_make(struct baton_rt *rt)
{
	struct poller *p = map(sizeof(*p));
	struct polling *old = NULL;

	if (!p)
		return NULL;
	p->polling.ops = &ops;
	if (open_fds(p)) {
		destroy(p);
		return NULL;
	}
	if (!try_cmpxchg(&rt->polling, &old, &p->polling)) {
		destroy(p);
		return (struct poller *)old;
	}
	/* It looks after the poller from now on. */
	baton_watch_kick(&rt->watch);
	return p;
}

struct desc *baton_desc_get(struct baton_rt *rt, int fd)
{
	struct poller *p = poller_of(rt);
	struct desc *d;

	if (unlikely(!p))
		p = poller_make(rt);
	if (unlikely(!p))
		return NULL;
	d = poller_lookup(p, fd);
	if (unlikely(!d) && (unsigned int)fd < CHUNKS * CHUNK_DESCS)
		d = chunk_make(p, fd);
	return d;
}

bool baton_poller_at_end(struct baton_rt *rt, void (*fn)(void))
{
	struct poller *p = poller_of(rt);

	if (!p)
		p = poller_make(rt);
	if (!p)
		return false;
	WRITE_ONCE(p->at_end, fn);
	return true;
}

/* --- readiness ------------------------------------------------------------ */

static void turn(struct poller *p)
{
	WRITE_ONCE(p->polling.turns, READ_ONCE(p->polling.turns) + 1);
}

static void poller_look(struct baton_rt *rt, struct baton_worker *w)
{
	struct poller *p = poller_of(rt);
	struct waiter *all;
	int64_t now;

	if (READ_ONCE(p->looking) || xchg(&p->looking, 1u))
		return;
	turn(p);
	if (READ_ONCE(p->unconfirmed)) {
		now = tick_ns();
		if (now - p->confirmed > CONFIRM_NS) {
			p->confirmed = now;
			wait_resume_all(w, baton_desc_confirm_all(p));
		}
	}
	all = baton_desc_events(p, p->look, collect(p, p->look, 0));
	smp_store_release(&p->looking, 0u);
	wait_resume_all(w, all);
}

/* --- the role ------------------------------------------------------------- */

/*
 * Who has a processor for these runs the first of them itself: nobody is woken
 * for that one.
 */
static void resume(struct baton_worker *w, struct waiter *all)
{
	struct baton_fiber *f = all ? all->fiber : NULL;

	if (f && w->proc && !f->pin && runq_empty(&w->proc->runq)) {
		all = all->next;
		runq_push(&w->proc->runq, f);
		proc_mark_queued(w->rt, w->proc);
		/* Nor is it another's turn first, who may run for long. */
		w->proc->budget = SCHED_FAIRNESS;
	}
	wait_resume_all(w->proc ? w : NULL, all);
}

/* @w sleeps until something is ready, it is kicked, or there is work. */
static int role_sleep(struct poller *p, struct baton_worker *w,
		      struct waiter **all)
{
	struct baton_rt *rt = w->rt;
	int n = 0;

	/* Full barrier: see the top, twice. */
	smp_store_mb(p->asleep, 1u);
	*all = baton_desc_confirm_all(p);
	if (!*all && !rt_stopping(rt) &&
	    !(rt_has_work(rt) && proc_claim(w)))
		n = collect(p, p->sleep, -1);
	WRITE_ONCE(p->asleep, 0u);
	for (int i = 0; i < n; i++)
		if (p->sleep[i].data.u64 == KICK)
			take_kick(p->event);
	return n;
}

static void poller_wait(struct baton_worker *w)
{
	struct baton_rt *rt = w->rt;
	struct poller *p = poller_of(rt);
	struct waiter *all;
	int n;

	WRITE_ONCE(w->polling, true);
	/* One is to be ahead of need, and this is none. */
	if (!READ_ONCE(rt->hdr->nstandby) &&
	    READ_ONCE(rt->nworkers) < rt->max_workers)
		baton_watch_want(&rt->watch);
	do {
		count(&w->parks);
		slot_set_state(w->slot, BATON_PARKED);
		n = role_sleep(p, w, &all);
		if (!w->proc)
			proc_claim(w);
		slot_set_state(w->slot, BATON_RUNTIME);
		if (w->proc)
			san_acquire(w->proc);
		if (n > 0) {
			struct waiter **last = &all;

			while (*last)
				last = &(*last)->next;
			*last = baton_desc_events(p, p->sleep, n);
		}
		resume(w, all);
		turn(p);
	} while (!w->proc && !rt_stopping(rt) && READ_ONCE(p->polling.waiting));
	WRITE_ONCE(w->polling, false);
	/* Full barrier: role before resting; as in baton_polling_watch(). */
	xchg(&p->polling.role, 0u);
	if (READ_ONCE(p->polling.resting) && xchg(&p->polling.resting, 0u))
		baton_watch_kick(&rt->watch);
}

static void poller_kick(struct baton_rt *rt)
{
	baton_event_set(poller_of(rt)->event);
}

static void poller_end(struct baton_rt *rt)
{
	struct poller *p = poller_of(rt);

	if (p->at_end)
		p->at_end();
	destroy(p);
	rt->polling = NULL;
}

static void poller_forked(struct baton_rt *rt)
{
	struct poller *p = poller_of(rt);

	close(p->event);
	close(p->epoll);
}

static const struct polling_ops ops = {
	.look = poller_look,
	.wait = poller_wait,
	.kick = poller_kick,
	.close = poller_end,
	.forked = poller_forked,
};
