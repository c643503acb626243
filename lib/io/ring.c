// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * ring.c - the thread that owns the ring, and how requests come and go.
 *
 * In. A fiber pushes its request on a list without a lock, arms its waiter and
 * blocks. The thread takes the whole list at once. It sleeps in the ring only
 * after it has said so in @asleep and has seen the list empty; who pushes finds
 * that word, and wakes it by an eventfd, which the ring reads. Of all who push
 * meanwhile one does: so many requests cost one wake-up. Both have a full
 * barrier between their store and their load.
 *
 * Through. At most as many requests are in the kernel's hands as there are
 * places for completions; the others queue up, and go as those complete. If the
 * kernel has no memory for another one it is tried again when one completes, or
 * after a while. A request names its file by number until the kernel takes it,
 * which looks the number up: whose descriptor baton_close() has closed meanwhile
 * is not given to it, and baton_close() waits for what has been given to it, and
 * is not taken yet (desc_begin()). The thread is kicked then: it may sleep in the
 * very call that has handed it over.
 *
 * Out. Completions are taken as many as there are, and their fibers made
 * runnable by the batch (baton_sched_ready_all()).
 *
 * Ended early. The waiter is won by one: the completion, the deadline, the
 * cancel. If it is not the completion the kernel still has the fiber's memory.
 * The fiber then marks the request as dropped, arms again, so that nothing but
 * the thread ends the wait, and hands over the node @cancel. The thread resumes
 * it when that node has come *and* the request is completed, in whichever
 * order, so that nothing leads to the fiber's stack any more. Which of the two
 * was first is decided under the request's lock. A cancel may come to nothing: it
 * is a signal to a thread of the kernel's, which has been seen to lose it on the
 * way into a call that blocks (Linux 6.1). So it is said again, ever less often,
 * until the request has completed.
 *
 * The end. baton_sched_stop() calls stop() before anything else: the list is
 * closed, and who pushes from then on waits for good, as fibers of a scheduler
 * that ends do. All requests in the kernel's hands are canceled and waited for;
 * their fibers are not resumed.
 */
#include "ring.h"

#include <baton/call.h>
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

/* <stdatomic.h>, which liburing includes, has others of these names. */
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_fetch_or

#include "../core/descriptor.h"
#include "../core/fatal.h"
#include "../core/wait.h"
#include "desc.h"

/* Of submissions, and of completions: so many requests in flight at most */
#define SUBMISSIONS	256u
#define COMPLETIONS	16384u

/* Without memory for a request: nanoseconds to the next try */
#define RETRY_NS	1000000L

/* A cancel without effect: nanoseconds to the next one, each time twice as many */
#define AGAIN_MIN_NS	10000000L
#define AGAIN_MAX_NS	640000000L

/* Fibers that are made runnable at once */
#define BATCH		64u

/* The list is closed. */
#define CLOSED		((struct ring_node *)1)

/* user_data of what is no request */
#define DATA_EVENT	UINT64_C(1)
#define DATA_CANCEL	UINT64_C(2)

/* ring.asleep */
enum {
	AWAKE,
	SLEEPS,			/* until something completes or comes */
	RESTS,			/* until something comes: there is no request */
};

/* ring_req.state */
enum {
	REQ_HANDED,		/* on none of the thread's lists */
	REQ_QUEUED,
	REQ_FLYING,
	REQ_OVER,		/* completed, but @cancel has not come yet */
};

struct list {
	struct ring_req *first;
	struct ring_req *last;
};

/**
 * struct ring - the ring of a scheduler
 * @aux:     how the scheduler knows it
 * @why:     why it does not work; "" if it does. Constant once it is published,
 *           as all up to @handed
 * @rt:      the scheduler
 * @thread:  the owner
 * @event:   wakes it
 * @carries: a bit for each enum ring_op that the kernel knows
 * @handed:  the list of what comes, the last one first; atomically
 * @asleep:  see above; atomically
 * @closing: stop() was called; atomically
 *
 * The thread's alone:
 *
 * @uring:   liburing's
 * @count:   read from @event
 * @armed:   and that is going on
 * @queued:  requests that wait for room
 * @flying:  those in the kernel's hands, @nflying of them
 * @ntold:   of these it is to cancel so many
 * @again:   when it is told so again, in nanoseconds
 * @batch:   @nbatch fibers that are to be made runnable
 */
struct ring {
	struct rt_aux aux;
	char why[96];
	struct baton_rt *rt;
	pthread_t thread;
	int event;
	uint32_t carries;
	struct ring_node *handed __attribute__((aligned(64)));
	uint32_t asleep;
	uint32_t closing;
	struct io_uring uring __attribute__((aligned(64)));
	uint64_t count;
	bool armed;
	struct list queued;
	struct list flying;
	unsigned int nflying;
	unsigned int ntold;
	long again;
	unsigned int nbatch;
	struct baton_fiber *batch[BATCH];
};

static const uint8_t opcodes[RING_OPS] = {
	[RING_READ] = IORING_OP_READ,
	[RING_WRITE] = IORING_OP_WRITE,
	[RING_READV] = IORING_OP_READV,
	[RING_WRITEV] = IORING_OP_WRITEV,
	[RING_FSYNC] = IORING_OP_FSYNC,
	[RING_OPENAT] = IORING_OP_OPENAT,
	[RING_STATX] = IORING_OP_STATX,
	[RING_RENAMEAT] = IORING_OP_RENAMEAT,
	[RING_UNLINKAT] = IORING_OP_UNLINKAT,
	[RING_MKDIRAT] = IORING_OP_MKDIRAT,
};

/* --- the fiber's side ----------------------------------------------------- */

/* If the list is closed, who waits for that waits for good. */
static void push(struct ring *r, struct ring_node *node)
{
	struct ring_node *old = READ_ONCE(r->handed);

	do {
		if (unlikely(old == CLOSED))
			return;
		node->next = old;
		/* Full barrier: the list before asleep; pairs with doze(). */
	} while (!try_cmpxchg(&r->handed, &old, node));
	if (READ_ONCE(r->asleep) != AWAKE && xchg(&r->asleep, AWAKE) != AWAKE)
		baton_event_set(r->event);
}

/*
 * The wait has ended by @err, and not by the completion: the kernel has to let
 * go of the fiber's memory.
 */
static void drop(struct ring *r, struct ring_req *req, struct wait *t, int err)
{
	bool done;

	lock_take(&req->lock);
	done = req->done;
	req->dropped = !done;
	lock_drop(&req->lock);
	if (!done) {
		wait_arm_masked(t);
		push(r, &req->cancel);
		t->w = sched_block(t->w);
	}
	if (req->res == -ECANCELED || req->res == -EINTR)
		req->res = err;
	else if (err == -ECANCELED)
		baton_wait_canceled_later(t);
}

void baton_ring_do(struct ring_req *req, int64_t deadline)
{
	struct ring *r;
	struct wait t;
	int err;

	wait_enter(&t);
	r = (struct ring *)smp_load_acquire(&t.w->rt->ring);
	req->lock = 0;
	req->done = req->dropped = req->told = req->held = false;
	req->state = REQ_HANDED;
	req->waiter = t.waiter;
	req->submit.cancel = false;
	req->cancel.cancel = true;
	wait_arm(&t, WAIT_ON_OTHER);
	push(r, &req->submit);
	err = wait_block(&t, deadline);
	if (unlikely(err))
		drop(r, req, &t, err);
	wait_leave(&t);
}

/* --- the thread: completions ---------------------------------------------- */

static void list_add(struct list *l, struct ring_req *req, uint8_t state)
{
	req->state = state;
	req->next = NULL;
	req->prev = l->last;
	if (l->last)
		l->last->next = req;
	else
		l->first = req;
	l->last = req;
}

static void list_del(struct list *l, struct ring_req *req)
{
	if (req->prev)
		req->prev->next = req->next;
	else
		l->first = req->next;
	if (req->next)
		req->next->prev = req->prev;
	else
		l->last = req->prev;
}

static void flush(struct ring *r)
{
	if (r->nbatch)
		baton_sched_ready_all(r->rt, r->batch, r->nbatch);
	r->nbatch = 0;
}

static void resume(struct ring *r, const struct waiter *waiter)
{
	/* Those of a scheduler that ends are not resumed. */
	if (READ_ONCE(r->closing))
		return;
	r->batch[r->nbatch++] = waiter->fiber;
	if (r->nbatch == BATCH)
		flush(r);
}

/* @req, which was dropped, is nobody's but its fiber's any more. */
static void resume_dropped(struct ring *r, struct ring_req *req)
{
	struct waiter *waiter = req->waiter;

	/* It was armed before @cancel was pushed, for us alone. */
	if (waiter_win(waiter, req))
		resume(r, waiter);
}

/* @req is on no list. */
static void complete(struct ring *r, struct ring_req *req, int res)
{
	struct waiter *waiter = req->waiter;
	bool dropped, won = false;

	/* What the kernel's system calls take for a signal does not always
	 * become -EINTR here: ERESTARTSYS and the like. */
	if (res <= -512 && res >= -516)
		res = -EINTR;
	/* Nobody has canceled it: the kernel has no thread to do it, nor can
	 * make one. As if by a signal, it was not done. */
	if (res == -ECANCELED && !req->told)
		res = -EINTR;
	lock_take(&req->lock);
	req->res = res;
	dropped = req->dropped;
	if (!dropped) {
		/* If it was won already, its fiber finds it done. */
		won = waiter_win(waiter, req);
		req->done = true;
	}
	lock_drop(&req->lock);
	if (won) {
		resume(r, waiter);
	} else if (dropped) {
		req->state = REQ_OVER;
		if (req->told)
			resume_dropped(r, req);
	}
}

static void let_go(struct ring_req *req)
{
	if (req->held && req->desc)
		desc_end(req->desc);
	req->held = false;
}

/* After each enter(). Those that are held are the last that have taken off. */
static void reap(struct ring *r)
{
	struct io_uring_cqe *cqe;
	struct ring_req *held;
	unsigned int head, n = 0;

	if (!io_uring_sq_ready(&r->uring))
		for (held = r->flying.last; held && held->held;
		     held = held->prev)
			let_go(held);
	io_uring_for_each_cqe(&r->uring, head, cqe) {
		uint64_t data = cqe->user_data;

		n++;
		if (data == DATA_EVENT) {
			r->armed = false;
		} else if (data != DATA_CANCEL) {
			struct ring_req *req =
				(struct ring_req *)(uintptr_t)data;

			let_go(req);
			list_del(&r->flying, req);
			r->nflying--;
			r->ntold -= req->told;
			complete(r, req, cqe->res);
		}
	}
	if (n)
		io_uring_cq_advance(&r->uring, n);
}

/* --- the thread: submissions ---------------------------------------------- */

/*
 * A submission to fill in; NULL: there is no room, nor will the kernel make any
 * before it has done something else.
 */
static struct io_uring_sqe *get_sqe(struct ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);

	if (!sqe && io_uring_submit(&r->uring) > 0)
		sqe = io_uring_get_sqe(&r->uring);
	return sqe;
}

static bool arm_event(struct ring *r)
{
	struct io_uring_sqe *sqe = get_sqe(r);

	if (!sqe)
		return false;
	io_uring_prep_read(sqe, r->event, &r->count, sizeof(r->count), 0);
	sqe->user_data = DATA_EVENT;
	return true;
}

/* What is queued, as far as there is room. */
static void launch(struct ring *r)
{
	struct io_uring_sqe *sqe;
	struct ring_req *req;

	if (!r->armed)
		r->armed = arm_event(r);
	while ((req = r->queued.first) && r->nflying < COMPLETIONS) {
		if (req->desc && !desc_begin(req->desc, req->gen)) {
			list_del(&r->queued, req);
			complete(r, req, -EBADF);
			continue;
		}
		req->held = true;
		sqe = get_sqe(r);
		if (!sqe) {
			let_go(req);
			return;
		}
		io_uring_prep_rw(opcodes[req->op], sqe, req->fd,
				 (void *)(uintptr_t)req->addr, req->len,
				 req->off);
		sqe->rw_flags = (int)req->flags;
		/* Tried at once it would be non-blocking, which opens a FIFO
		 * that nobody has at its other end. */
		if (req->op == RING_OPENAT)
			sqe->flags |= IOSQE_ASYNC;
		sqe->user_data = (uintptr_t)req;
		list_del(&r->queued, req);
		list_add(&r->flying, req, REQ_FLYING);
		r->nflying++;
	}
}

/* The kernel is to end @req, which it has. False: no room to say so. */
static bool cancel_flying(struct ring *r, struct ring_req *req)
{
	struct io_uring_sqe *sqe = get_sqe(r);

	if (!sqe)
		return false;
	io_uring_prep_rw(IORING_OP_ASYNC_CANCEL, sqe, -1, req, 0, 0);
	sqe->user_data = DATA_CANCEL;
	return true;
}

/* The same for the first time, of one that was not told so. */
static bool tell(struct ring *r, struct ring_req *req)
{
	if (!cancel_flying(r, req))
		return false;
	req->told = true;
	if (!r->ntold++)
		r->again = AGAIN_MIN_NS;
	return true;
}

static void tell_again(struct ring *r)
{
	struct ring_req *req;

	for (req = r->flying.first; req; req = req->next)
		if (req->told && !cancel_flying(r, req))
			break;
	if (r->again < AGAIN_MAX_NS)
		r->again *= 2;
}

/* The node @cancel of @req has come. False: not to be had yet. */
static bool cancel(struct ring *r, struct ring_req *req)
{
	switch (req->state) {
	case REQ_FLYING:
		return tell(r, req);
	case REQ_QUEUED:
		list_del(&r->queued, req);
		req->told = true;
		complete(r, req, -ECANCELED);
		break;
	default:
		resume_dropped(r, req);
	}
	return true;
}

static void sleep_ns(long ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

/* Does @err, -errno, say that a filter of system calls, or a policy, forbids it? */
static bool forbidden(int err)
{
	return err == -EPERM || err == -EACCES || err == -ENOSYS;
}

/* Submit, and wait for something to complete: or, if not @wait, only look. */
static void enter(struct ring *r, bool wait)
{
	struct __kernel_timespec limit = { .tv_nsec = r->again };
	struct io_uring_cqe *cqe;
	int n;

	if (!wait)
		n = io_uring_submit_and_get_events(&r->uring);
	else if (!r->ntold)
		n = io_uring_submit_and_wait(&r->uring, 1);
	else
		n = io_uring_submit_and_wait_timeout(&r->uring, &cqe, 1, &limit,
						     NULL);
	if (n == -ETIME)
		tell_again(r);
	/* A filter of system calls came later: nothing of what the kernel has
	 * can be waited for any more. */
	if (unlikely(forbidden(n)))
		baton_fatal(
			"io_uring_enter() has come to be forbidden: BATON_IO=call, or forbid it before");
	/* It is no descriptor, or another's. */
	if (unlikely(n == -EBADF || n == -EOPNOTSUPP))
		baton_descriptor_lost();
	/* Without memory for one: those in flight give some back. */
	if ((n == -EAGAIN || n == -EBUSY || n == -ENOMEM) &&
	    !io_uring_cq_ready(&r->uring))
		sleep_ns(RETRY_NS);
}

/* Whatever is handed over, in the order in which it was. */
static void take(struct ring *r)
{
	struct ring_node *node, *first = NULL, *next;

	if (!READ_ONCE(r->handed))
		return;
	/* Acquire: the requests. */
	for (node = xchg_acquire(&r->handed, NULL); node; node = next) {
		next = node->next;
		node->next = first;
		first = node;
	}
	for (node = first; node; node = next) {
		struct ring_req *req;

		next = node->next;
		if (node->cancel) {
			req = container_of(node, struct ring_req, cancel);
			/* Full rings empty themselves. */
			while (!cancel(r, req)) {
				enter(r, false);
				reap(r);
			}
		} else {
			req = container_of(node, struct ring_req, submit);
			list_add(&r->queued, req, REQ_QUEUED);
		}
	}
}

/* --- the thread: its life ------------------------------------------------- */

/* Say that it is about to sleep. False: there is something to do. */
static bool doze(struct ring *r)
{
	/* Full barrier: asleep before the list; pairs with push(). */
	smp_store_mb(r->asleep, r->nflying || r->queued.first ? SLEEPS : RESTS);
	return !READ_ONCE(r->handed) && !READ_ONCE(r->closing) && r->armed &&
	       (!r->queued.first || r->nflying >= COMPLETIONS);
}

static void serve(struct ring *r)
{
	while (!READ_ONCE(r->closing)) {
		take(r);
		launch(r);
		flush(r);	/* whom take() has resumed, too */
		enter(r, doze(r));
		WRITE_ONCE(r->asleep, AWAKE);
		reap(r);
		flush(r);
	}
}

/* Nothing comes any more. What the kernel has is canceled and waited for. */
static void close_down(struct ring *r)
{
	struct ring_req *req;
	bool all;

	xchg(&r->handed, CLOSED);
	while (r->nflying) {
		all = true;
		for (req = r->flying.first; req && all; req = req->next)
			if (!req->told)
				all = tell(r, req);
		/* There may be no room to say more before what has completed
		 * is taken: each request completes, and so does its cancel. */
		enter(r, all);
		reap(r);
	}
}

/* Which of our operations the kernel has: a bit for each. */
static uint32_t probe(struct ring *r)
{
	struct io_uring_probe *p = io_uring_get_probe_ring(&r->uring);
	uint32_t mask = 0;

	if (!p)
		return 0;
	for (unsigned int i = 0; i < RING_OPS; i++)
		if (io_uring_opcode_supported(p, opcodes[i]))
			mask |= 1u << i;
	io_uring_free_probe(p);
	return mask;
}

static int queue_init(struct ring *r, unsigned int flags)
{
	struct io_uring_params p = {
		.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = COMPLETIONS,
	};
	unsigned int needs = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
			     IORING_FEAT_RW_CUR_POS | IORING_FEAT_FAST_POLL |
			     IORING_FEAT_EXT_ARG;
	int err = io_uring_queue_init_params(SUBMISSIONS, &r->uring, &p);

	if (err)
		return err;
	r->uring.ring_fd = descriptor_keep(r->uring.ring_fd);
	r->uring.enter_ring_fd = r->uring.ring_fd;
	if (r->uring.ring_fd < 0)
		err = -errno;
	else if ((p.features & needs) != needs)
		err = -ENOSYS;
	if (err)
		io_uring_queue_exit(&r->uring);
	return err;
}

static int uring_open(struct ring *r)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int err = -EINVAL;

	/* A kernel that does not know a flag says -EINVAL. */
	for (unsigned int i = 0; err == -EINVAL && i < 3; i++)
		err = queue_init(r, flags[i]);
	if (err)
		return err;
	/* Who may make a ring may be forbidden to enter it. Any other error is
	 * enter()'s to try again. */
	err = io_uring_submit_and_get_events(&r->uring);
	if (forbidden(err)) {
		io_uring_queue_exit(&r->uring);
		return err;
	}
	/* A child of fork() is not to have it. */
	io_uring_ring_dontfork(&r->uring);
	r->carries = probe(r);
	return 0;
}

struct birth {
	struct ring *ring;
	sem_t born;
	int err;
};

static void *ring_thread(void *arg)
{
	struct birth *b = arg;
	struct ring *r = b->ring;
	int err;

	prctl(PR_SET_NAME, "baton-io", 0UL, 0UL, 0UL);
	err = uring_open(r);
	b->err = err;
	sem_post(&b->born);	/* the last touch of @b */
	if (err)
		return NULL;
	serve(r);
	close_down(r);
	io_uring_queue_exit(&r->uring);
	return NULL;
}

/* --- how it comes to be --------------------------------------------------- */

/* Fibers in flight are not dead. */
static bool ring_busy(const struct rt_aux *aux)
{
	const struct ring *r = (const struct ring *)aux;

	/* What was taken off the list is the thread's until it rests. */
	return READ_ONCE(r->handed) || smp_load_acquire(&r->asleep) != RESTS;
}

/* By the end of the scheduler, before that stops. */
static void ring_stop(struct rt_aux *aux)
{
	struct ring *r = (struct ring *)aux;

	if (*r->why)
		return;
	smp_store_mb(r->closing, 1);
	baton_event_set(r->event);
	pthread_join(r->thread, NULL);
}

/* Whether or not it says that it sleeps: it may be about to. */
static void ring_kick(struct rt_aux *aux)
{
	struct ring *r = (struct ring *)aux;

	if (!*r->why)
		baton_event_set(r->event);
}

/* A fiber on its way into a wait may have written to the eventfd until now. */
static void ring_free(struct rt_aux *aux)
{
	struct ring *r = (struct ring *)aux;

	if (r->event >= 0)
		close(r->event);
	free(r);
}

static int ring_thread_start(struct ring *r, struct birth *b)
{
	sigset_t all, old;
	int err;

	/* Signals are for the program's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&r->thread, NULL, ring_thread, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return err;
	while (sem_wait(&b->born))
		;
	if (b->err)
		pthread_join(r->thread, NULL);
	return b->err;
}

/* On failure @r->why says why. */
static void ring_start(struct ring *r)
{
	struct birth b = { .ring = r };
	const char *what = "no eventfd";
	int err = 0;

	r->event = descriptor_keep(eventfd(0, EFD_CLOEXEC));
	if (r->event < 0) {
		err = -errno;
	} else {
		what = "no io_uring";
		sem_init(&b.born, 0, 0);
		err = ring_thread_start(r, &b);
		sem_destroy(&b.born);
	}
	if (err) {
		snprintf(r->why, sizeof(r->why), "%s: %s", what,
			 strerror(-err));
		if (r->event >= 0)
			close(r->event);
		r->event = -1;
	}
}

/* A ring for @rt, or one that says why not; NULL without memory. */
static struct ring *ring_create(struct baton_rt *rt)
{
	struct ring *r = aligned_alloc(64, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct ring){
		.aux = { ring_busy, ring_stop, ring_free, ring_kick },
		.rt = rt,
		.event = -1,
	};
	if (rt->calls_only)
		snprintf(r->why, sizeof(r->why), "calls were asked for");
	else if (san_valgrind())
		/* Nor does it know what the kernel has written. */
		snprintf(r->why, sizeof(r->why),
			 "valgrind stops all threads while one waits in a ring");
	else
		ring_start(r);
	if (*r->why)
		r->aux.busy = NULL;
	return r;
}

struct making {
	struct baton_rt *rt;
	struct ring *ring;
};

/*
 * In a foreign call: a thread is started, and waited for. The lock is the
 * scheduler's: a child of fork() may begin another one meanwhile.
 */
static void make(void *arg)
{
	struct making *m = arg;
	struct ring *r;
	bool closing;

	pthread_mutex_lock(&m->rt->ring_lock);
	r = (struct ring *)smp_load_acquire(&m->rt->ring);
	if (!r && (r = ring_create(m->rt))) {
		/* Either the end of the scheduler finds it, or it is told. */
		baton_rt_lock();
		closing = m->rt->closing;
		if (!closing)
			smp_store_release(&m->rt->ring, &r->aux);
		baton_rt_unlock();
		if (closing) {
			ring_stop(&r->aux);
			ring_free(&r->aux);
			r = NULL;
		}
	}
	pthread_mutex_unlock(&m->rt->ring_lock);
	m->ring = r;
	errno = 0;	/* no cancel was heard of */
}

bool baton_ring_carries(enum ring_op op, const char **why)
{
	struct making m = { .rt = baton_worker_self()->rt };

	m.ring = (struct ring *)smp_load_acquire(&m.rt->ring);
	if (unlikely(!m.ring))
		baton_call(make, &m);
	if (unlikely(!m.ring)) {
		*why = "no memory, or the scheduler ends";
		return false;
	}
	*why = *m.ring->why ? m.ring->why :
			      "the kernel's io_uring has no such operation";
	return m.ring->carries & 1u << op;
}
