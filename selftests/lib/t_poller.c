// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_poller.c - waiting for descriptors: how it ends, and who looks after it. */
#include "../../lib/io/poller.h"
#include "blocked.h"
#include "descs.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>

/* --- ends of a wait -------------------------------------------------------- */

static void *ends_main(void *arg)
{
	struct reading r[3] = { 0 };
	struct baton_scope scope;
	struct baton_fiber *f[3];
	int fds[2];
	char c;

	pair(fds);
	expect_eq(baton_recv_until(fds[0], &c, 1, 0, baton_now() + BATON_MSEC),
		  -ETIMEDOUT);
	expect_eq(baton_recv(fds[0], &c, 1, MSG_DONTWAIT), -EAGAIN);
	expect_eq(baton_deadline_push(&scope, baton_now() + BATON_MSEC), 0);
	expect_eq(baton_read(fds[0], &c, 1), -ETIMEDOUT);
	expect_eq(baton_write(fds[1], "x", 1), 1);
	/* What is there is had, however late it is. */
	expect_eq(baton_read(fds[0], &c, 1), 1);
	expect_eq(baton_deadline_pop(&scope), 0);
	expect_eq(baton_write(fds[1], "x", 1), 1);
	expect_eq(baton_read_until(fds[0], &c, 1, 0), 1);

	r[0].fd = fds[0];
	f[0] = spawn(reads, &r[0]);
	yield_until(&r[0].begun);
	let_run();
	expect_eq(baton_cancel(f[0]), 0);
	join(f[0]);
	expect_eq(r[0].got, -ECANCELED);

	/* All who wait are told of a close. */
	for (int i = 0; i < 3; i++) {
		r[i].fd = fds[0];
		r[i].begun = 0;
		f[i] = spawn(reads, &r[i]);
		yield_until(&r[i].begun);
	}
	let_run();
	expect_eq(baton_close(fds[0]), 0);
	for (int i = 0; i < 3; i++) {
		join(f[i]);
		expect_eq(r[i].got, -EBADF);
	}
	return arg;
}

START_TEST(ends)
{
	run(_i, ends_main, NULL);
}
END_TEST

/* One end of a pair, whose other end's owner sends nothing but @id. */
struct stormy {
	int fd;
	char id;
};

static void *stormy_reads(void *arg)
{
	struct stormy *s = arg;
	char buf[64];
	ssize_t n;

	while ((n = baton_read(s->fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			expect_eq(buf[i], s->id);
	expect(n == 0 || n == -EBADF);
	return NULL;
}

/*
 * Numbers are reused all the time, and closed under who waits: that it does is
 * seen, for who is only about to call has the next descriptor of the number.
 */
static void *storm(void *arg)
{
	char id = (char)(intptr_t)arg;

	for (unsigned int i = 0; i < scaled(300); i++) {
		bool under = i % 2;
		struct stormy s = { .id = id };
		struct baton_fiber *f;
		int fds[2];

		pair(fds);
		s.fd = fds[0];
		f = spawn(stormy_reads, &s);
		if (i % 3)
			baton_yield();
		if (!under)
			expect_eq(baton_send(fds[1], &id, 1, 0), 1);
		if (under)
			wait_blocked(f);
		expect_eq(baton_close(fds[!under]), 0);
		join(f);
		expect_eq(baton_close(fds[under]), 0);
	}
	return NULL;
}

static void *storm_main(void *arg)
{
	struct baton_fiber *f[4];

	for (int i = 0; i < 4; i++)
		f[i] = spawn(storm, (void *)(intptr_t)('a' + i));
	for (int i = 0; i < 4; i++)
		join(f[i]);
	return arg;
}

START_TEST(storms)
{
	run(_i, storm_main, NULL);
}
END_TEST

/*
 * The program closes by close(), behind the library's back: who waits for the
 * next descriptor of that number is not forgotten, and who still waits for the
 * old one is told, and has nothing of the new one's: if his wait was confirmed,
 * as lib/io/desc.c has it.
 */
static bool confirmed(int fd)
{
	struct desc *d = baton_desc_get(baton_worker_self()->rt, fd);
	struct baton_wait_entry *e;
	struct wait t;
	bool is;

	wait_enter(&t);
	lock_take(&d->lock);
	e = d->queue[SIDE_READ].first;
	is = e && container_of(e, struct poller_entry, entry)->confirmed;
	lock_drop(&d->lock);
	wait_leave(&t);
	return is;
}

static void *selects_one(void *arg)
{
	return (void *)(intptr_t)baton_select(arg, 1, BATON_NEVER);
}

/* What is not for reading says so, also under a number whose last owner was. */
static void *not_for_reading(void *arg)
{
	int fd = inotify_init1(0), p[2];
	char text[256];

	expect_eq(pipe(p), 0);
	expect_eq(baton_read_until(fd, text, sizeof(text), 0), -ETIMEDOUT);
	close(fd);
	expect_eq(epoll_create1(0), fd);
	expect_eq(baton_read_until(fd, text, 1, 0), -EINVAL);
	expect_eq(dup2(p[1], fd), fd);
	expect_eq(baton_read_until(fd, text, 1, 0), -EBADF);
	expect_eq(dup2(p[0], fd), fd);
	expect_eq(baton_write_until(fd, text, 1, 0), -EBADF);
	close(fd);
	return arg;
}

START_TEST(another_kind)
{
	run_on(1, not_for_reading, NULL);
}
END_TEST

static void *behind_main(void *arg)
{
	struct reading old = { 0 }, new = { 0 };
	struct baton_fiber *f, *g;
	int a[2], b[2];

	for (unsigned int i = 0; i < scaled(50); i++) {
		bool selects = i % 2;

		pair(a);
		struct baton_case c = { .kind = BATON_CASE_READ, .fd = a[0] };

		old = (struct reading){ .fd = a[0] };
		f = selects ? spawn(selects_one, &c) : spawn(reads, &old);
		while (!confirmed(a[0]))
			baton_sleep(BATON_MSEC);
		close(a[0]);
		pair(b);
		expect_eq(b[0], a[0]);
		new = (struct reading){ .fd = b[0] };
		g = spawn(reads, &new);
		yield_until(&new.begun);
		let_run();
		expect_eq(baton_write(b[1], "new", 3), 3);
		join(g);
		expect_eq(new.got, 3);
		join(f);
		if (selects)
			expect_eq(c.result, POLLNVAL);
		else
			expect_eq(old.got, -EBADF);
		close(a[1]);
		close(b[0]);
		close(b[1]);
	}
	return arg;
}

START_TEST(behind)
{
	run(_i, behind_main, NULL);
}
END_TEST

/*
 * Both sides of a new descriptor are waited for at once: neither is forgotten
 * when each puts it into the epoll set.
 */
static void *writes(void *arg)
{
	struct reading *r = arg;

	store(&r->got, baton_write(r->fd, "x", 1));
	return NULL;
}

static void both_blocked(struct baton_fiber *f, struct baton_fiber *g)
{
	wait_blocked(f);
	wait_blocked(g);
}

static void *duplex_main(void *arg)
{
	static char full[4096];
	struct baton_fiber *f, *g;
	struct reading r, w;
	int fds[2];

	for (unsigned int i = 0; i < scaled(1000); i++) {
		pair(fds);
		while (send(fds[0], full, sizeof(full), MSG_DONTWAIT) > 0)
			;
		r = w = (struct reading){ .fd = fds[0] };
		f = spawn(reads, &r);
		g = spawn(writes, &w);
		both_blocked(f, g);
		while (recv(fds[1], full, sizeof(full), MSG_DONTWAIT) > 0)
			;
		expect_eq(write(fds[1], "x", 1), 1);
		join(f);
		join(g);
		expect_eq(r.got, 1);
		expect_eq(w.got, 1);
		expect_eq(baton_close(fds[0]), 0);
		expect_eq(baton_close(fds[1]), 0);
	}
	return arg;
}

START_TEST(duplex)
{
	run(_i, duplex_main, NULL);
}
END_TEST

/* --- several --------------------------------------------------------------- */

static void *poll_main(void *arg)
{
	int a[2], b[2];
	struct baton_fiber *f;

	pair(a);
	pair(b);
	struct pollfd p[] = {
		{ .fd = a[0], .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
		{ .fd = b[0], .events = POLLIN },
	};

	expect_eq(baton_poll(p, 3, 0), 0);
	expect_eq(baton_poll(p, 3, baton_now() + BATON_MSEC), 0);
	f = spawn(later_write, &b[1]);
	expect_eq(baton_poll(p, 3, BATON_NEVER), 1);
	expect_eq(p[0].revents, 0);
	expect_eq(p[2].revents, POLLIN);
	join(f);
	/* A level, not an edge: it is still there. */
	expect_eq(baton_poll(p, 3, BATON_NEVER), 1);
	p[2].events = POLLIN | POLLOUT;
	expect_eq(baton_poll(p, 3, BATON_NEVER), 1);
	expect_eq(p[2].revents, POLLIN | POLLOUT);
	return arg;
}

START_TEST(polls)
{
	run(_i, poll_main, NULL);
}
END_TEST

static void *polls_one(void *arg)
{
	struct pollfd *p = arg;

	return (void *)(intptr_t)baton_poll(p, 1, BATON_NEVER);
}

static void *poll_close_main(void *arg)
{
	struct baton_fiber *f;
	int a[2];

	pair(a);
	struct pollfd p = { .fd = a[0], .events = POLLIN };

	f = spawn(polls_one, &p);
	let_run();
	expect_eq(baton_close(a[0]), 0);
	expect_eq((intptr_t)join(f), 1);
	expect_eq(p.revents, POLLNVAL);
	p.fd = a[1];
	p.events = POLLPRI;
	f = spawn(polls_one, &p);
	let_run();
	expect_eq(baton_cancel(f), 0);
	expect((intptr_t)join(f) == -ECANCELED || p.revents);
	return arg;
}

START_TEST(poll_closes)
{
	run(_i, poll_close_main, NULL);
}
END_TEST

static void *select_main(void *arg)
{
	struct baton_chan ch;
	struct baton_fiber *f;
	int a[2], buffer[1], one = 1;
	char bytes[8];

	pair(a);
	expect_eq(baton_chan_init(&ch, sizeof(int), 1, buffer), 0);
	struct baton_case c[] = {
		{ .kind = BATON_CASE_RECV, .object = &ch },
		{ .kind = BATON_CASE_READ, .fd = a[0] },
		{ .kind = BATON_CASE_WRITE, .fd = a[0] },
	};

	expect_eq(baton_select(c, 2, 0), -ETIMEDOUT);
	expect_eq(baton_select(c, 2, baton_now() + BATON_MSEC), -ETIMEDOUT);
	expect_eq(baton_select(c, 3, BATON_NEVER), 2);
	expect_eq(c[2].result, POLLOUT);
	f = spawn(later_write, &a[1]);
	expect_eq(baton_select(c, 2, BATON_NEVER), 1);
	expect_eq(c[1].result, POLLIN);
	join(f);
	expect_eq(baton_read(a[0], bytes, 8), 8);
	expect_eq(baton_chan_send(&ch, &one), 0);
	expect_eq(baton_select(c, 2, BATON_NEVER), 0);
	/* A closed one says so, also while it is waited for. */
	expect_eq(baton_close(a[0]), 0);
	expect_eq(baton_select(c, 2, BATON_NEVER), 1);
	expect_eq(c[1].result, POLLNVAL);
	return arg;
}

START_TEST(selects)
{
	run(_i, select_main, NULL);
}
END_TEST

static void *select_close_main(void *arg)
{
	struct baton_fiber *f;
	int a[2], b[2];

	for (unsigned int i = 0; i < scaled(50); i++) {
		pair(a);
		struct baton_case c = { .kind = BATON_CASE_READ, .fd = a[0] };

		f = spawn(selects_one, &c);
		wait_blocked(f);
		expect_eq(baton_close(a[0]), 0);
		pair(b);
		expect_eq((intptr_t)join(f), 0);
		expect_eq(c.result, POLLNVAL);
		expect_eq(baton_close(a[1]), 0);
		expect_eq(baton_close(b[0]), 0);
		expect_eq(baton_close(b[1]), 0);
	}
	return arg;
}

START_TEST(select_closes)
{
	run(_i, select_close_main, NULL);
}
END_TEST

/* --- where else ------------------------------------------------------------ */

static void in_foreign(void *arg)
{
	struct reading *r = arg;

	store(&r->begun, 1);
	r->got = baton_read(r->fd, r->buf, sizeof(r->buf));
}

static void *reads_in_foreign(void *arg)
{
	expect(baton_call(in_foreign, arg) >= 0);
	return NULL;
}

static void *by_thread(void *arg)
{
	in_foreign(arg);
	return NULL;
}

static void *foreign_main(void *arg)
{
	struct reading r = { 0 };
	struct baton_fiber *f;
	pthread_t thread;
	int fds[2];

	pair(fds);
	r.fd = fds[0];
	f = spawn(reads_in_foreign, &r);
	baton_sleep(2 * BATON_MSEC);
	expect_eq(baton_write(fds[1], "abc", 3), 3);
	join(f);
	expect_eq(r.got, 3);

	r.begun = 0;
	f = spawn(reads_in_foreign, &r);
	while (!load(&r.begun))
		baton_sleep(BATON_MSEC);
	expect_eq(baton_cancel(f), 0);
	join(f);
	expect_eq(r.got, -ECANCELED);

	r.begun = 0;
	expect_eq(pthread_create(&thread, NULL, by_thread, &r), 0);
	while (!load(&r.begun))
		baton_sleep(BATON_MSEC);
	expect_eq(baton_write(fds[1], "abcd", 4), 4);
	pthread_join(thread, NULL);
	expect_eq(r.got, 4);
	return arg;
}

START_TEST(foreign)
{
	run(_i, foreign_main, NULL);
}
END_TEST

START_TEST(no_scheduler)
{
	int fds[2];
	char c;

	pair(fds);
	expect_eq(baton_read_until(fds[0], &c, 1, baton_now() + BATON_MSEC),
		  -ETIMEDOUT);
	expect_eq(baton_write(fds[1], "x", 1), 1);
	expect_eq(baton_read(fds[0], &c, 1), 1);
	expect_eq(baton_close(fds[0]), 0);
	expect_eq(baton_write_until(-1, &c, 1, 0), -EBADF);
}
END_TEST

/* A thread that is none of the scheduler's closes what a fiber waits for. */
static void *closes(void *arg)
{
	const struct reading *r = arg;

	return (void *)(intptr_t)baton_close(r->fd);
}

static void *thread_closes_main(void *arg)
{
	struct reading r = { 0 };
	struct baton_fiber *f;
	pthread_t thread;
	void *err;
	int fds[2];

	pair(fds);
	r.fd = fds[0];
	f = spawn(reads, &r);
	yield_until(&r.begun);
	let_run();
	expect_eq(pthread_create(&thread, NULL, closes, &r), 0);
	join(f);
	expect_eq(r.got, -EBADF);
	pthread_join(thread, &err);
	expect_eq((intptr_t)err, 0);
	return arg;
}

START_TEST(thread_closes)
{
	run(_i, thread_closes_main, NULL);
}
END_TEST

/* The program closes all that it has, and what is the library's with it. */
static void *closes_all_main(void *arg)
{
	struct reading r = { 0 };
	char path[32], what[32];
	struct baton_fiber *f;
	int fds[2];

	pair(fds);
	r.fd = fds[0];
	f = spawn(reads, &r);
	wait_blocked(f);
	for (int fd = 3; fd < 256; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, what, sizeof(what) - 1);
		what[n > 0 ? n : 0] = '\0';
		if (!strcmp(what, "anon_inode:[eventpoll]"))
			close(fd);
	}
	join(f);
	return arg;
}

START_TEST(closes_all)
{
	run_on(1, closes_all_main, NULL);
}
END_TEST

/* A call blocks the only worker that has a processor; no fiber is runnable. */
static void wait_sem(void *arg)
{
	while (sem_wait(arg) && errno == EINTR)
		;
}

static void *reads_and_posts(void *arg)
{
	struct reading *r = arg;
	sem_t *sem = *(sem_t **)r->buf;

	r->got = baton_read(r->fd, r->buf + sizeof(sem), 1);
	sem_post(sem);
	return NULL;
}

static void *writes_later(void *arg)
{
	struct timespec ts = { .tv_nsec = 20000000 };

	nanosleep(&ts, NULL);
	expect_eq(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

static void *blocked_main(void *arg)
{
	struct reading r = { 0 };
	sem_t sem, *at = &sem;
	struct baton_fiber *f;
	pthread_t thread;
	int fds[2];

	sem_init(&sem, 0, 0);
	for (unsigned int i = 0; i < scaled(10); i++) {
		pair(fds);
		r.fd = fds[0];
		memcpy(r.buf, &at, sizeof(at));
		f = spawn(reads_and_posts, &r);
		if (i % 2)
			let_run();
		expect_eq(pthread_create(&thread, NULL, writes_later, &fds[1]),
			  0);
		expect(baton_call(wait_sem, &sem) >= 0);
		join(f);
		pthread_join(thread, NULL);
		expect_eq(baton_close(fds[0]), 0);
		expect_eq(baton_close(fds[1]), 0);
	}
	return arg;
}

START_TEST(blocked)
{
	run(_i, blocked_main, NULL);
}
END_TEST

/*
 * The same after a while in which no fiber waited, with nobody in the role: the
 * watcher has gone to rest.
 */
static void *rested_main(void *arg)
{
	struct timespec ts = { .tv_nsec = 50000000 };
	struct reading r = { 0 };
	sem_t sem, *at = &sem;
	struct baton_fiber *f;
	int fds[2];

	sem_init(&sem, 0, 0);
	pair(fds);
	r.fd = fds[0];
	memcpy(r.buf, &at, sizeof(at));
	expect_eq(baton_write(fds[0], "x", 1), 1);
	nanosleep(&ts, NULL);
	f = spawn(reads_and_posts, &r);
	wait_blocked(f);
	expect_eq(write(fds[1], "x", 1), 1);
	expect(baton_call(wait_sem, &sem) >= 0);
	join(f);
	expect_eq(r.got, 1);
	return arg;
}

START_TEST(rested)
{
	run(_i, rested_main, NULL);
}
END_TEST

/* A fiber that yields alone, for ever, does not keep out who waits. */
static void *yields_main(void *arg)
{
	struct reading r = { 0 };
	struct baton_fiber *f;
	pthread_t thread;
	int fds[2];

	pair(fds);
	r.fd = fds[0];
	f = spawn(reads, &r);
	expect_eq(pthread_create(&thread, NULL, writes_later, &fds[1]), 0);
	while (!load(&r.got))
		baton_yield();
	join(f);
	pthread_join(thread, NULL);
	return arg;
}

START_TEST(yields)
{
	run(_i, yields_main, NULL);
}
END_TEST

/* --- the end --------------------------------------------------------------- */

/* This test runs; somebody sleeps in the role; a look is to come before the end
 * of that; has begun; has collected. */
static int staged, sleeping, hold, held, stolen;

static void until_readable(int epfd, int ms)
{
	struct pollfd p = { .fd = epfd, .events = POLLIN };

	while (poll(&p, 1, ms) < 0)
		expect_eq(errno, EINTR);
}

static int sleep_last(int epfd, struct epoll_event *events, int n)
{
	int got;

	store(&sleeping, 1);
	until_readable(epfd, -1);
	if (load(&held))
		while (!load(&stolen))
			sched_yield();
	got = epoll_pwait(epfd, events, n, -1, NULL);
	store(&sleeping, 0);
	return got;
}

/*
 * In place of the C library's. With @hold the first who looks waits until there
 * is something, and who sleeps in the role comes after that. If nobody sleeps,
 * nothing may ever come.
 */
int epoll_wait(int epfd, struct epoll_event *events, int n, int timeout)
{
	int none = 0, got;

	if (load(&staged) && timeout)
		return sleep_last(epfd, events, n);
	if (!load(&hold) ||
	    !__atomic_compare_exchange_n(&held, &none, 1, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return epoll_pwait(epfd, events, n, timeout, NULL);
	until_readable(epfd, 1000);
	got = epoll_pwait(epfd, events, n, 0, NULL);
	store(&stolen, 1);
	return got;
}

static void *yields_on(void *arg)
{
	for (;;)
		baton_yield();
	return arg;
}

static void *stolen_main(void *arg)
{
	static struct reading r;
	int fds[2];

	pair(fds);
	r.fd = fds[0];
	expect_eq(baton_spawn(NULL, NULL, reads, &r), 0);
	while (!load(&r.begun))
		baton_yield();
	expect_eq(baton_spawn(NULL, NULL, yields_on, NULL), 0);
	while (!load(&sleeping))
		sched_yield();
	store(&hold, 1);
	while (!load(&held))
		sched_yield();
	return arg;
}

/* The end is a kick for the one in the role, whoever else collects events. */
START_TEST(stolen_kick)
{
	store(&staged, 1);
	run_on(3, stolen_main, NULL);
	store(&staged, 0);
	store(&hold, 0);
}
END_TEST

/* --- at rest --------------------------------------------------------------- */

#ifdef SANITIZED
#define quiet false
#else
#define quiet true
#endif

#define IDLE 200

/* Processor time, in nanoseconds, and switches of all threads' own will. */
static uint64_t cpu_ns(long *switches)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	*switches = u.ru_nvcsw;
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u;
}

struct rest {
	sem_t go;
	int fd;
	long switches;
};

/* While all settle, which may take a while; until nothing happens. */
static void *observe(void *arg)
{
	struct timespec settle = { .tv_nsec = 500000000 };
	struct rest *r = arg;
	long before;

	sem_wait(&r->go);
	for (int i = 0; i < 20; i++) {
		cpu_ns(&before);
		nanosleep(&settle, NULL);
		cpu_ns(&r->switches);
		r->switches -= before + 1;	/* its own */
		if (r->switches <= 1)
			break;
	}
	expect_eq(write(r->fd, "x", 1), 1);
	return NULL;
}

static void *rests_main(void *arg)
{
	struct reading r[IDLE] = { 0 };
	struct baton_fiber *f[IDLE];
	struct rest rest;
	pthread_t thread;
	int fds[IDLE][2];
	char c;

	sem_init(&rest.go, 0, 0);
	expect_eq(pthread_create(&thread, NULL, observe, &rest), 0);
	for (int i = 0; i < IDLE; i++) {
		pair(fds[i]);
		r[i].fd = fds[i][0];
		f[i] = spawn(reads, &r[i]);
	}
	pair(fds[0]);
	rest.fd = fds[0][1];
	sem_post(&rest.go);
	expect_eq(baton_read(fds[0][0], &c, 1), 1);
	pthread_join(thread, NULL);
	expect(rest.switches <= 1);
	for (int i = 0; i < IDLE; i++) {
		expect_eq(baton_cancel(f[i]), 0);
		join(f[i]);
	}
	return arg;
}

START_TEST(rests)
{
	run(_i, rests_main, NULL);
}
END_TEST
int main(void)
{
	Suite *s = suite_create("poller");
	TCase *tc = test_case(s, "poller");

	LOOP(ends);
	LOOP(storms);
	LOOP(behind);
	tcase_add_test(tc, another_kind);
	LOOP(duplex);
	LOOP(polls);
	LOOP(poll_closes);
	LOOP(selects);
	LOOP(select_closes);
	LOOP(foreign);
	tcase_add_test(tc, no_scheduler);
	LOOP(thread_closes);
	tcase_add_test_raise_signal(tc, closes_all, SIGABRT);
	LOOP(blocked);
	LOOP(rested);
	LOOP(yields);
	tcase_add_test(tc, stolen_kick);
	if (under_qemu_user() || under_valgrind() || !quiet)
		skip("rests", "others wake up, or there is no membarrier()");
	else
		LOOP(rests);
	return suite_main(s);
}
