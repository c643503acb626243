// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_io.c - descriptors that fibers wait for. */
#include "../../lib/core/fiber.h"
#include "common.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

static const unsigned int procs[] = { 1, 4 };

#define LOOP(name) \
	tcase_add_loop_test(tc, name, 0, (int)ARRAY_SIZE(procs))

static void *run(int i, baton_fn fn, void *arg)
{
	return run_on(procs[i], fn, arg);
}

static void pair(int *fds)
{
	expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

/* Until another fiber waits, or has done something. */
static void let_run(void)
{
	for (int i = 0; i < 5; i++)
		baton_yield();
	baton_sleep(2 * BATON_MSEC);
}

/* A listening socket of TCP, and its address. */
static int listener(struct sockaddr_in *a, int backlog)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*a = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	expect(fd >= 0);
	expect_eq(bind(fd, (struct sockaddr *)a, len), 0);
	expect_eq(listen(fd, backlog), 0);
	expect_eq(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

/* --- sockets ------------------------------------------------------------------ */

#define CONNS 24
#define TRIPS 50

static void *echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[256];
	ssize_t n;

	while ((n = baton_read(fd, buf, sizeof(buf))) > 0)
		expect_eq(baton_write(fd, buf, (size_t)n), n);
	expect_eq(n, 0);
	expect_eq(baton_close(fd), 0);
	return NULL;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;

	for (int i = 0; i < CONNS; i++) {
		int c = baton_accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		expect(c >= 0);
		expect_eq(baton_spawn(NULL, NULL, echo, (void *)(intptr_t)c), 0);
	}
	return NULL;
}

static void *client(void *arg)
{
	const struct sockaddr_in *a = arg;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char out[100], in[100];

	expect_eq(baton_connect(fd, (const struct sockaddr *)a, sizeof(*a)), 0);
	for (unsigned int i = 0; i < scaled(TRIPS); i++) {
		memset(out, (int)i, sizeof(out));
		expect_eq(baton_send(fd, out, sizeof(out), 0), sizeof(out));
		expect_eq(baton_recv(fd, in, sizeof(in), MSG_WAITALL),
			  sizeof(in));
		expect(!memcmp(in, out, sizeof(in)));
	}
	/* Half of it is closed; the other one still answers. */
	expect_eq(baton_send(fd, "last", 4, 0), 4);
	expect_eq(baton_shutdown(fd, SHUT_WR), 0);
	expect_eq(baton_recv(fd, in, 4, MSG_WAITALL), 4);
	expect_eq(baton_recv(fd, in, sizeof(in), 0), 0);
	expect_eq(baton_close(fd), 0);
	return NULL;
}

static void *sockets_main(void *arg)
{
	struct baton_fiber *server, *clients[CONNS];
	struct sockaddr_in a;
	int fd = listener(&a, CONNS);

	server = spawn(serve, (void *)(intptr_t)fd);
	for (int i = 0; i < CONNS; i++)
		clients[i] = spawn(client, &a);
	for (int i = 0; i < CONNS; i++)
		join(clients[i]);
	join(server);
	expect_eq(baton_close(fd), 0);
	return arg;
}

START_TEST(sockets)
{
	run(_i, sockets_main, NULL);
}
END_TEST

#define BULK (4 << 20)

static void *sink(void *arg)
{
	int fd = (int)(intptr_t)arg;
	static char buf[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = baton_read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, all++)
			expect_eq((unsigned char)buf[i], all % 251);
	expect_eq(n, 0);
	expect_eq(all, BULK);
	return NULL;
}

/* More than a buffer takes, by one or by several pieces at once. */
static void bulk(int from, int to)
{
	struct baton_fiber *f = spawn(sink, (void *)(intptr_t)from);
	unsigned char *all = malloc(BULK);

	for (size_t i = 0; i < BULK; i++)
		all[i] = i % 251;
	for (size_t at = 0; at < BULK;) {
		struct iovec iov[] = {
			{ all + at, (BULK - at) / 2 },
			{ all + at + (BULK - at) / 2, (BULK - at + 1) / 2 },
		};
		ssize_t n = at % 2 ? baton_writev(to, iov, 2) :
				     baton_write(to, all + at, BULK - at);

		expect(n > 0);
		at += (size_t)n;
	}
	expect_eq(baton_close(to), 0);
	join(f);
	expect_eq(baton_close(from), 0);
	free(all);
}

static void *bulk_main(void *arg)
{
	int fds[2];

	pair(fds);
	bulk(fds[0], fds[1]);
	expect_eq(pipe2(fds, O_CLOEXEC), 0);
	bulk(fds[0], fds[1]);
	return arg;
}

START_TEST(much)
{
	run(_i, bulk_main, NULL);
}
END_TEST

static void *resets_main(void *arg)
{
	struct linger none = { 1, 0 };
	struct sockaddr_in a;
	int fd = listener(&a, 4), c, s;
	char buf[4];

	c = socket(AF_INET, SOCK_STREAM, 0);
	expect_eq(baton_connect(c, (struct sockaddr *)&a, sizeof(a)), 0);
	s = baton_accept(fd, NULL, NULL);
	expect(s >= 0);
	expect_eq(setsockopt(c, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
	expect_eq(baton_close(c), 0);
	expect_eq(baton_recv(s, buf, sizeof(buf), 0), -ECONNRESET);
	/* No SIGPIPE: that would end this process. */
	expect_eq(baton_send(s, buf, sizeof(buf), 0), -EPIPE);
	expect_eq(baton_close(s), 0);
	expect_eq(baton_close(s), -EBADF);
	expect_eq(baton_recv(s, buf, sizeof(buf), 0), -EBADF);
	/* Nobody listens. */
	expect_eq(baton_close(fd), 0);
	c = socket(AF_INET, SOCK_STREAM, 0);
	expect_eq(baton_connect(c, (struct sockaddr *)&a, sizeof(a)),
		  -ECONNREFUSED);
	expect_eq(baton_close(c), 0);
	return arg;
}

START_TEST(resets)
{
	run(_i, resets_main, NULL);
}
END_TEST

/* The queue of a unix socket is full: connect() waits, but not for ever. */
static void *queue_full_main(void *arg)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), c[8], n = 0, err;

	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "baton-t_io-%d",
		 getpid());
	expect_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	expect_eq(listen(fd, 0), 0);
	do {
		c[n] = socket(AF_UNIX, SOCK_STREAM, 0);
		err = baton_connect_until(c[n], (struct sockaddr *)&a,
					  sizeof(a),
					  baton_now() + 30 * BATON_MSEC);
	} while (!err && ++n < 8);
	expect_eq(err, -ETIMEDOUT);
	expect(n > 0);
	return arg;
}

START_TEST(queue_full)
{
	run(_i, queue_full_main, NULL);
}
END_TEST

static void *emfile_main(void *arg)
{
	struct rlimit old, few;
	struct sockaddr_in a;
	int fd = listener(&a, 4), c = socket(AF_INET, SOCK_STREAM, 0), s;
	int64_t start;
	int tries = 0;

	/* The poller is there. */
	expect_eq(baton_accept4_until(fd, NULL, NULL, 0, 0), -ETIMEDOUT);
	expect_eq(baton_connect(c, (struct sockaddr *)&a, sizeof(a)), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 3;
	expect_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	start = baton_now();
	while (baton_now() - start < 100 * BATON_MSEC) {
		expect_eq(baton_accept(fd, NULL, NULL), -EMFILE);
		tries++;
	}
	expect(tries <= 10);
	expect_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	s = baton_accept(fd, NULL, NULL);
	expect(s >= 0);
	return arg;
}

START_TEST(emfile)
{
	run(_i, emfile_main, NULL);
}
END_TEST

/* --- other kinds of descriptors ------------------------------------------------- */

static void *later_write(void *arg)
{
	let_run();
	expect_eq(baton_write(*(int *)arg, "12345678", 8), 8);
	return NULL;
}

/* What comes out at @from some time after it went in at @to. */
static void through(int from, int to, const char *what)
{
	struct baton_fiber *f = spawn(later_write, &to);
	char buf[64];
	ssize_t n = baton_read(from, buf, sizeof(buf));

	if (n != 8)
		ck_abort_msg("%s: read %zd", what, n);
	join(f);
	/* And that was all. */
	n = baton_read_until(from, buf, sizeof(buf), 0);
	if (n != -ETIMEDOUT)
		ck_abort_msg("%s: then %zd", what, n);
}

static void *kinds_main(void *arg)
{
	struct itimerspec soon = { .it_value.tv_nsec = 3000000 };
	int fds[2], fd, flags;
	uint64_t n;

	expect_eq(pipe2(fds, O_CLOEXEC), 0);
	through(fds[0], fds[1], "pipe");
	flags = fcntl(fds[0], F_GETFL);
	expect(!(flags & O_NONBLOCK));
	expect_eq(baton_close(fds[1]), 0);
	expect_eq(baton_read(fds[0], &n, sizeof(n)), 0);
	expect_eq(baton_close(fds[0]), 0);

	expect_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	through(fds[0], fds[1], "datagrams");
	fd = eventfd(0, EFD_CLOEXEC);
	through(fd, fd, "eventfd");

	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	expect_eq(timerfd_settime(fd, 0, &soon, NULL), 0);
	expect_eq(baton_read(fd, &n, sizeof(n)), sizeof(n));
	expect_eq(n, 1);
	return arg;
}

START_TEST(kinds)
{
	run(_i, kinds_main, NULL);
}
END_TEST

static void *tty_main(void *arg)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct baton_fiber *f;
	char buf[64];

	if (master < 0 || grantpt(master) || unlockpt(master)) {
		skip("tty", "no pseudo-terminals here");
		return arg;
	}
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0) {
		skip("tty", "no pseudo-terminals here");
		return arg;
	}
	f = spawn(later_write, &slave);
	expect_eq(baton_read(master, buf, sizeof(buf)), 8);
	join(f);
	expect_eq(baton_write(master, "line\n", 5), 5);
	expect_eq(baton_read(slave, buf, sizeof(buf)), 5);
	expect_eq(baton_read_until(slave, buf, sizeof(buf),
				   baton_now() + BATON_MSEC), -ETIMEDOUT);
	return arg;
}

START_TEST(tty)
{
	run(_i, tty_main, NULL);
}
END_TEST

static void *files_main(void *arg)
{
	char buf[16];
	FILE *tmp = tmpfile();
	int fd = fileno(tmp), s[2];
	int64_t off = 2;

	expect_eq(baton_write(fd, "0123456789", 10), 10);
	expect_eq(lseek(fd, 0, SEEK_SET), 0);
	expect_eq(baton_read(fd, buf, 4), 4);
	expect_eq(baton_read(fd, buf, sizeof(buf)), 6);
	expect(!memcmp(buf, "456789", 6));
	expect_eq(baton_read(fd, buf, sizeof(buf)), 0);
	pair(s);
	expect_eq(baton_sendfile(s[0], fd, &off, 5), 5);
	expect_eq(off, 7);
	expect_eq(baton_recv(s[1], buf, sizeof(buf), 0), 5);
	expect(!memcmp(buf, "23456", 5));
	fclose(tmp);
	return arg;
}

START_TEST(files)
{
	run(_i, files_main, NULL);
}
END_TEST

static void *splice_main(void *arg)
{
	int from[2], p[2], to[2];
	struct baton_fiber *f;
	char buf[16];

	pair(from);
	pair(to);
	expect_eq(pipe(p), 0);
	f = spawn(later_write, &from[0]);
	expect_eq(baton_splice(from[1], NULL, p[1], NULL, 100, 0), 8);
	join(f);
	expect_eq(baton_splice(p[0], NULL, to[0], NULL, 100, 0), 8);
	expect_eq(baton_recv(to[1], buf, sizeof(buf), 0), 8);
	expect_eq(baton_splice(p[0], NULL, to[0], NULL, 100,
			       SPLICE_F_NONBLOCK), -EAGAIN);
	return arg;
}

START_TEST(splices)
{
	run(_i, splice_main, NULL);
}
END_TEST

/* --- ends of a wait --------------------------------------------------------------- */

struct reading {
	int fd;
	int begun;
	ssize_t got;
	char buf[16];
};

static void *reads(void *arg)
{
	struct reading *r = arg;

	store(&r->begun, 1);
	store(&r->got, baton_read(r->fd, r->buf, sizeof(r->buf)));
	return NULL;
}

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
		while (under &&
		       READ_ONCE(f->waiter.blocked) != WAITER_BLOCKED)
			baton_yield();
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
 * old one is told, and has nothing of the new one's.
 */
static void *behind_main(void *arg)
{
	struct reading old = { 0 }, new = { 0 };
	struct baton_fiber *f, *g;
	int a[2], b[2];

	for (unsigned int i = 0; i < scaled(50); i++) {
		pair(a);
		old = (struct reading){ .fd = a[0] };
		f = spawn(reads, &old);
		yield_until(&old.begun);
		let_run();
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

/* --- several ---------------------------------------------------------------------- */

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
	expect_eq(baton_read(a[0], buffer, 8), 8);
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

static void *selects_one(void *arg)
{
	return (void *)(intptr_t)baton_select(arg, 1, BATON_NEVER);
}

static void *select_close_main(void *arg)
{
	struct baton_fiber *f;
	int a[2], b[2];

	for (unsigned int i = 0; i < scaled(50); i++) {
		pair(a);
		struct baton_case c = { .kind = BATON_CASE_READ, .fd = a[0] };

		f = spawn(selects_one, &c);
		while (READ_ONCE(f->waiter.blocked) != WAITER_BLOCKED)
			baton_yield();
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

/* --- where else ------------------------------------------------------------------- */

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

/* --- names, children, signals ------------------------------------------------------ */

static void *names_main(void *arg)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *res = NULL;

	expect_eq(baton_getaddrinfo("127.0.0.1", "80", &hints, &res), 0);
	expect(res && res->ai_family == AF_INET);
	freeaddrinfo(res);
	expect_eq(baton_getaddrinfo("no number", NULL, &hints, &res),
		  EAI_NONAME);
	return arg;
}

START_TEST(names)
{
	run(_i, names_main, NULL);
}
END_TEST

static pid_t child(int fd)
{
	pid_t pid = fork();
	char c;

	if (!pid) {
		while (read(fd, &c, 1) < 0 && errno == EINTR)
			;
		_exit(7);
	}
	expect(pid > 0);
	return pid;
}

static void *children_main(void *arg)
{
	int fds[2], status = 0;
	pid_t pid;

	expect_eq(baton_waitpid(-1, &status, 0), -ECHILD);
	for (int any = 0; any < 2; any++) {
		expect_eq(pipe2(fds, O_CLOEXEC), 0);
		pid = child(fds[0]);
		expect_eq(baton_waitpid(pid, &status, WNOHANG), 0);
		expect_eq(baton_waitpid_until(any ? -1 : pid, &status, 0,
					      baton_now() + BATON_MSEC),
			  -ETIMEDOUT);
		expect_eq(baton_write(fds[1], "x", 1), 1);
		expect_eq(baton_waitpid(any ? -1 : pid, &status, 0), pid);
		expect(WIFEXITED(status));
		expect_eq(WEXITSTATUS(status), 7);
		expect_eq(baton_close(fds[0]), 0);
		expect_eq(baton_close(fds[1]), 0);
	}
	return arg;
}

START_TEST(children)
{
	run(_i, children_main, NULL);
}
END_TEST

static void *signals_main(void *arg)
{
	struct signalfd_siginfo buffer[4], other[4], info;
	struct baton_chan ch = BATON_CHAN_INIT(sizeof(info), 4, buffer);
	struct baton_chan too = BATON_CHAN_INIT(sizeof(info), 4, other);
	sigset_t set, usr2;

	sigemptyset(&usr2);
	expect_eq(baton_signal_notify(&ch, &usr2), -EINVAL);
	sigaddset(&usr2, SIGUSR2);
	expect_eq(baton_signal_notify(&ch, &usr2), -EPERM);
	expect_eq(baton_signal_stop(&ch), -EINVAL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	expect_eq(baton_signal_notify(&ch, &set), 0);
	expect_eq(baton_signal_notify(&too, &set), 0);
	sigaddset(&set, SIGHUP);
	expect_eq(baton_signal_notify(&ch, &set), 0);
	for (int i = 0; i < 3; i++) {
		kill(getpid(), SIGUSR1);
		expect_eq(baton_chan_recv(&ch, &info), 0);
		expect_eq(info.ssi_signo, SIGUSR1);
		expect_eq(info.ssi_pid, getpid());
		expect_eq(baton_chan_recv(&too, &info), 0);
		kill(getpid(), SIGHUP);
		expect_eq(baton_chan_recv(&ch, &info), 0);
		expect_eq(info.ssi_signo, SIGHUP);
	}
	expect_eq(baton_signal_stop(&too), 0);
	kill(getpid(), SIGUSR1);
	expect_eq(baton_chan_recv(&ch, &info), 0);
	expect_eq(baton_chan_try_recv(&too, &info), -EAGAIN);
	expect_eq(baton_signal_stop(&ch), 0);
	return arg;
}

START_TEST(signals)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* Each scheduler begins anew. */
	run(_i, signals_main, NULL);
	run(_i, signals_main, NULL);
}
END_TEST

/* --- at rest ---------------------------------------------------------------------- */

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

/* The first of these while all settle, the second one while nothing happens. */
static void *observe(void *arg)
{
	struct timespec settle = { .tv_nsec = 500000000 };
	struct rest *r = arg;
	long before;

	sem_wait(&r->go);
	nanosleep(&settle, NULL);
	cpu_ns(&before);
	nanosleep(&settle, NULL);
	cpu_ns(&r->switches);
	r->switches -= before + 1;	/* its own */
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
	Suite *s = suite_create("io");
	TCase *tc = test_case(s, "io");

	LOOP(sockets);
	LOOP(much);
	LOOP(resets);
	LOOP(queue_full);
	LOOP(emfile);
	LOOP(kinds);
	LOOP(tty);
	LOOP(files);
	LOOP(splices);
	LOOP(ends);
	LOOP(storms);
	LOOP(behind);
	LOOP(polls);
	LOOP(poll_closes);
	LOOP(selects);
	LOOP(select_closes);
	LOOP(foreign);
	tcase_add_test(tc, no_scheduler);
	LOOP(blocked);
	LOOP(yields);
	LOOP(names);
	LOOP(children);
	LOOP(signals);
	if (under_qemu_user() || under_valgrind() || !quiet)
		skip("rests", "others wake up, or there is no membarrier()");
	else
		LOOP(rests);
	return suite_main(s);
}
