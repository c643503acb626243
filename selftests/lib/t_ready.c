// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_ready.c - waiting for descriptors: who waits for what does not come beside
 * what has come, numbers that are given to another file, and unusual ones.
 */
#include "blocked.h"
#include "descs.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* --- beside what is ready -------------------------------------------------- */

static int controls, no_room;

/* In place of the C library's: counts; with @no_room no descriptor more is had. */
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *e)
{
	add(&controls, 1);
	if (load(&no_room) && op == EPOLL_CTL_ADD) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epfd, op, fd, e);
}

/* Who waits is not woken again and again: if so, thousands of times. */
#define FEW	50

static void *vain_main(void *arg)
{
	static const short events[] = { 0, POLLPRI, POLLRDHUP };
	int fds[2];

	pair(fds);
	expect_eq(write(fds[1], "x", 1), 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++) {
		struct pollfd p = { .fd = fds[0], .events = events[i] };
		int before = load(&controls);

		expect_eq(baton_poll(&p, 1, baton_now() + 200 * BATON_MSEC), 0);
		expect(load(&controls) - before < FEW);
	}
	return arg;
}

START_TEST(vain)
{
	run(_i, vain_main, NULL);
}
END_TEST

/* Who asks for the end alone, or for an error, or for neither, hears of it. */
static void *later_close(void *arg)
{
	let_run();
	expect_eq(baton_close(*(int *)arg), 0);
	return NULL;
}

static void *ends_main(void *arg)
{
	static const short events[] = { 0, POLLHUP, POLLERR, POLLHUP | POLLERR };

	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++) {
		struct baton_fiber *f;
		struct pollfd p;
		int fds[2];

		pair(fds);
		p = (struct pollfd){ .fd = fds[0], .events = events[i] };
		f = spawn(later_close, &fds[1]);
		expect_eq(baton_poll(&p, 1, BATON_NEVER), 1);
		expect_eq(p.revents, POLLHUP);
		join(f);
		expect_eq(baton_close(fds[0]), 0);
	}
	return arg;
}

START_TEST(ends)
{
	run(_i, ends_main, NULL);
}
END_TEST

/*
 * Who was woken in vain waits again, and does not look away: the file may have
 * become another one just before.
 */
static int swaps = -1;		/* the number whose file the next poll() changes */
static int fresh;		/* to this one */

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec ts = { .tv_sec = timeout / 1000 };

	expect(timeout >= 0);
	if (load(&swaps) >= 0) {
		expect_eq(dup3(fresh, swaps, O_CLOEXEC), swaps);
		store(&swaps, -1);
	}
	return (int)syscall(SYS_ppoll, fds, n, &ts, NULL, (size_t)8);
}

static void *polls_in(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	return (void *)(intptr_t)baton_poll(&p, 1,
					    baton_now() + 20 * BATON_SEC);
}

static void *selects_in(void *arg)
{
	struct baton_case c = { .kind = BATON_CASE_READ, .fd = *(int *)arg };

	return (void *)(intptr_t)!baton_select(&c, 1,
					       baton_now() + 20 * BATON_SEC);
}

static void *swapped_main(void *arg)
{
	struct baton_fiber *f;
	int a[2], b[2];

	for (int i = 0; i < 2; i++) {
		pair(a);
		pair(b);
		f = spawn(i ? selects_in : polls_in, &a[0]);
		wait_blocked(f);
		/* So that it is confirmed. */
		let_run();
		fresh = b[0];
		store(&swaps, a[0]);
		expect_eq(write(a[1], "x", 1), 1);
		while (load(&swaps) >= 0)
			baton_yield();
		/* It waits again, or was told. */
		let_run();
		expect_eq(write(b[1], "x", 1), 1);
		expect_eq((intptr_t)join(f), 1);
		for (int j = 0; j < 2; j++) {
			close(a[j]);
			close(b[j]);
		}
	}
	return arg;
}

START_TEST(swapped)
{
	run(_i, swapped_main, NULL);
}
END_TEST

/* A socket of the loopback with a port, and its address. */
static int bound(int type, struct sockaddr_in *a)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*a);

	*a = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	expect(fd >= 0);
	expect_eq(bind(fd, (struct sockaddr *)a, len), 0);
	expect_eq(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

/* Urgent data, which is not asked for: there is always an EPOLLPRI. */
static void *urgent_main(void *arg)
{
	struct sockaddr_in a;
	int at = bound(SOCK_STREAM, &a);
	int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct baton_case c = { .kind = BATON_CASE_READ };
	int before = load(&controls);
	char byte;

	expect_eq(listen(at, 1), 0);
	expect_eq(baton_connect(to, (struct sockaddr *)&a, sizeof(a)), 0);
	c.fd = baton_accept(at, NULL, NULL);
	expect_eq(baton_send(to, "x", 1, MSG_OOB), 1);
	expect_eq(baton_select(&c, 1, baton_now() + 200 * BATON_MSEC),
		  -ETIMEDOUT);
	expect_eq(baton_read_until(c.fd, &byte, 1,
				   baton_now() + 200 * BATON_MSEC),
		  -ETIMEDOUT);
	expect(load(&controls) - before < FEW);
	expect_eq(baton_send(to, "y", 1, 0), 1);
	expect_eq(baton_select(&c, 1, BATON_NEVER), 0);
	expect_eq(baton_read(c.fd, &byte, 1), 1);
	expect_eq(byte, 'y');
	return arg;
}

START_TEST(urgent)
{
	run(_i, urgent_main, NULL);
}
END_TEST

/* A list of errors that nobody has read: there is always an EPOLLERR. */
static void *errors_main(void *arg)
{
	struct sockaddr_in a;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int gone = bound(SOCK_DGRAM, &a);
	int on = 1, before;
	char c;

	close(gone);
	expect_eq(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	expect_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	expect_eq(send(fd, "x", 1, 0), 1);
	expect_eq(baton_recv(fd, &c, 1, 0), -ECONNREFUSED);
	before = load(&controls);
	expect_eq(baton_recv_until(fd, &c, 1, 0,
				   baton_now() + 200 * BATON_MSEC),
		  -ETIMEDOUT);
	expect(load(&controls) - before < FEW);
	return arg;
}

START_TEST(errors)
{
	run(_i, errors_main, NULL);
}
END_TEST

/* --- another file of the number -------------------------------------------- */

/* Until the reader has some, or hears that there is nothing to be had. */
static void write_until(int fd, const ssize_t *got)
{
	while (!load(got)) {
		expect_eq(write(fd, "n", 1), 1);
		baton_sleep(BATON_MSEC);
	}
}

/*
 * dup2() over a descriptor that is waited for: whether or not the old file is
 * still open by another number, who waits next has what comes to the new one,
 * and nobody waits for ever.
 */
static void *dup_main(void *arg)
{
	for (unsigned int i = 0; i < scaled(40); i++) {
		struct reading old = { 0 }, new = { 0 };
		struct baton_fiber *f, *g;
		int a[2], b[2], kept = -1;

		pair(a);
		pair(b);
		if (i % 2)
			kept = dup(a[0]);
		old.fd = new.fd = a[0];
		f = spawn(reads, &old);
		wait_blocked(f);
		if (i % 4 < 2)
			baton_sleep(15 * BATON_MSEC);
		expect_eq(dup2(b[0], a[0]), a[0]);
		/* The old one's is not the new one's. */
		if (kept >= 0)
			expect_eq(write(a[1], "old", 3), 3);
		g = spawn(reads, &new);
		wait_blocked(g);
		write_until(b[1], &new.got);
		join(g);
		expect(new.got > 0 && new.buf[0] == 'n');
		write_until(b[1], &old.got);
		join(f);
		expect(old.got == -EBADF || (old.got > 0 && old.buf[0] == 'n'));
		close(kept);
		expect_eq(baton_close(a[0]), 0);
		close(a[1]);
		close(b[0]);
		close(b[1]);
	}
	return arg;
}

START_TEST(dup_over)
{
	run(_i, dup_main, NULL);
}
END_TEST

/* --- numbers and kinds ----------------------------------------------------- */

static void *numbers_main(void *arg)
{
	static const int numbers[] = { 1023, 1024, 65537, (1 << 20) - 1,
				       1 << 20 };
	struct rlimit old, new = { (1 << 20) + 1, (1 << 20) + 1 };

	getrlimit(RLIMIT_NOFILE, &old);
	if (setrlimit(RLIMIT_NOFILE, &new))
		setrlimit(RLIMIT_NOFILE,
			  &(struct rlimit){ old.rlim_max, old.rlim_max });
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct reading r = { .fd = numbers[i] };
		struct baton_fiber *f;
		int fds[2];

		pair(fds);
		if (dup2(fds[0], r.fd) < 0)
			break;
		close(fds[0]);
		struct pollfd p[] = {
			{ .fd = r.fd, .events = POLLIN },
			{ .fd = r.fd, .events = POLLIN | POLLPRI },
		};

		f = spawn(reads, &r);
		yield_until(&r.begun);
		expect_eq(baton_write(fds[1], "abc", 3), 3);
		join(f);
		expect_eq(r.got, 3);
		f = spawn(later_write, &fds[1]);
		/* And one descriptor twice at once. */
		expect_eq(baton_poll(p, 2, BATON_NEVER), 2);
		expect_eq(p[0].revents, POLLIN);
		expect_eq(p[1].revents, POLLIN);
		join(f);
		expect_eq(baton_close(r.fd), 0);
		expect_eq(baton_read(r.fd, r.buf, 1), -EBADF);
		close(fds[1]);
	}
	return arg;
}

START_TEST(numbers)
{
	run(_i, numbers_main, NULL);
}
END_TEST

/* As read() has it of each, with and without a place. */
static void *kinds_main(void *arg)
{
	char buf[64];
	int fd;

	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect_eq(baton_read(fd, buf, 1), -EISDIR);
	expect_eq(baton_pread(fd, buf, 1, 0), -EISDIR);
	expect_eq(baton_write(fd, buf, 1), -EBADF);
	close(fd);
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	expect_eq(baton_read(fd, buf, 5), 5);
	expect(!memcmp(buf, "Name:", 5));
	expect_eq(baton_pread(fd, buf, 5, 0), 5);
	expect(!memcmp(buf, "Name:", 5));
	while (baton_read(fd, buf, sizeof(buf)) > 0)
		;
	expect_eq(baton_read(fd, buf, 1), 0);
	close(fd);
	fd = open("/", O_PATH | O_CLOEXEC);
	expect_eq(baton_read(fd, buf, 1), -EBADF);
	close(fd);
	return arg;
}

START_TEST(kinds)
{
	run(_i, kinds_main, NULL);
}
END_TEST

/* --- two of one side ------------------------------------------------------- */

#define READERS	4

struct shared {
	int fd;
	int sum;
};

static void *takes(void *arg)
{
	struct shared *s = arg;
	unsigned char c;
	ssize_t n;

	while ((n = baton_read(s->fd, &c, 1)) == 1)
		add(&s->sum, c);
	expect_eq(n, 0);
	return NULL;
}

/* What comes is had once each, and each hears of the end. */
static void *readers_main(void *arg)
{
	unsigned int n = scaled(20000);
	int kind = *(int *)arg, sum = 0;
	struct baton_fiber *f[READERS];
	struct shared s = { 0 };
	int fds[2];

	if (kind)
		expect_eq(pipe2(fds, O_CLOEXEC), 0);
	else
		pair(fds);
	if (kind == 2)
		expect_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	s.fd = fds[0];
	for (int i = 0; i < READERS; i++)
		f[i] = spawn(takes, &s);
	for (unsigned int i = 0; i < n; i++) {
		unsigned char c = (unsigned char)i;

		expect_eq(baton_write(fds[1], &c, 1), 1);
		sum += c;
		if (i % 7 == 0)
			baton_yield();
	}
	/* Half of it is closed, or all. */
	expect_eq(kind ? close(fds[1]) : baton_shutdown(fds[1], SHUT_WR), 0);
	for (int i = 0; i < READERS; i++)
		join(f[i]);
	expect_eq(s.sum, sum);
	return arg;
}

START_TEST(readers)
{
	for (int kind = 0; kind < 3; kind++)
		run(_i, readers_main, &kind);
}
END_TEST

/* --- what is always ready ------------------------------------------------- */

static int ready_fds[2];
static struct baton_timer ready_timer;
static struct baton_chan ready_chan;

static void ready_pread(void)
{
	char c;

	expect_eq(baton_pread(ready_fds[0], &c, 1, 0), 1);
}

static void ready_read(void)
{
	char c;

	expect_eq(baton_write(ready_fds[1], "x", 1), 1);
	expect_eq(baton_read(ready_fds[0], &c, 1), 1);
}

static void ready_recv(void)
{
	char c;

	expect_eq(baton_send(ready_fds[1], "x", 1, 0), 1);
	expect_eq(baton_recv(ready_fds[0], &c, 1, 0), 1);
}

static void ready_poll(void)
{
	struct pollfd p = { .fd = ready_fds[1], .events = POLLOUT };

	expect_eq(baton_poll(&p, 1, BATON_NEVER), 1);
}

static void ready_select(void)
{
	struct baton_case c = { .kind = BATON_CASE_RECV,
				.object = &ready_chan };

	expect_eq(baton_select(&c, 1, BATON_NEVER), 0);
}

static void ready_tick(void)
{
	expect_eq(baton_timer_wait(&ready_timer, NULL), 0);
}

/* As a loop that is late for each of its periods does. */
static void ready_sleep(void)
{
	expect_eq(baton_sleep_until(1), 0);
}

static void *ready_sets(void *arg)
{
	store((int *)arg, 1);
	return NULL;
}

/* Whoever need not wait lets others run all the same, before long. */
static void *ready_main(void *arg)
{
	void (*once)(void) = *(void (**)(void))arg;
	struct baton_fiber *f;
	int done = 0, n;

	expect_eq(baton_timer_start(&ready_timer, 0, 1), 0);
	expect_eq(baton_chan_init(&ready_chan, 0, 0, NULL), 0);
	expect_eq(baton_chan_close(&ready_chan), 0);
	f = spawn(ready_sets, &done);
	for (n = 0; !load(&done) && n < 10000; n++)
		once();
	expect(n < 10000);
	join(f);
	return arg;
}

START_TEST(always)
{
	void (*const all[])(void) = { ready_read, ready_recv, ready_poll,
				      ready_select, ready_tick, ready_sleep };
	void (*file)(void) = ready_pread;

	pair(ready_fds);
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		run_on(1, ready_main, (void *)(uintptr_t)&all[i]);
	close(ready_fds[0]);
	ready_fds[0] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	expect(ready_fds[0] >= 0);
	run_on(1, ready_main, &file);
}
END_TEST

/* --- without room ---------------------------------------------------------- */

/* A thread waits for them then. */
static void *no_room_main(void *arg)
{
	static struct reading r;
	struct baton_fiber *f;
	struct baton_scope scope;
	int fds[2];
	struct pollfd p;
	char buf[8];

	for (int i = 0; i < 3; i++) {
		pair(fds);
		r = (struct reading){ .fd = fds[0] };
		/* The first has the poller made. */
		store(&no_room, i == 1);
		f = spawn(reads, &r);
		let_run();
		p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
		expect_eq(baton_poll(&p, 1, baton_now() + BATON_MSEC), 0);
		expect_eq(baton_write(fds[1], "12345678", 8), 8);
		join(f);
		expect_eq(r.got, 8);
		expect_eq(baton_read_until(fds[0], buf, 8,
					   baton_now() + BATON_MSEC),
			  -ETIMEDOUT);
		/* A scope's end is not what was asked for. */
		expect_eq(baton_deadline_push(&scope, baton_now() + BATON_MSEC),
			  0);
		expect_eq(baton_poll(&p, 1, BATON_NEVER), -ETIMEDOUT);
		expect_eq(baton_deadline_pop(&scope), 0);
		f = spawn(later_write, &fds[1]);
		expect_eq(baton_poll(&p, 1, BATON_NEVER), 1);
		join(f);
		expect_eq(baton_read(fds[0], buf, 8), 8);
		f = spawn(reads, &r);
		let_run();
		expect_eq(baton_cancel(f), 0);
		join(f);
		expect_eq(r.got, -ECANCELED);
		close_pair(fds);
	}
	return arg;
}

START_TEST(without_room)
{
	run(_i, no_room_main, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ready");
	TCase *tc = test_case(s, "ready");

	LOOP(vain);
	LOOP(ends);
	LOOP(swapped);
	LOOP(urgent);
	LOOP(errors);
	LOOP(dup_over);
	LOOP(numbers);
	LOOP(kinds);
	LOOP(readers);
	LOOP(without_room);
	tcase_add_test(tc, always);
	return suite_main(s);
}
