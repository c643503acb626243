// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_io.c - what fibers do with descriptors. */
#include "descs.h"
#include "sides.h"

#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

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

/* --- sockets --------------------------------------------------------------- */

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

/*
 * Several wait for one connection: who does not get it waits on, and is told
 * when the listener is closed.
 */
static void *accepts(void *arg)
{
	return (void *)(intptr_t)baton_accept(*(int *)arg, NULL, NULL);
}

static void *contend_main(void *arg)
{
	struct baton_fiber *f[8];

	for (unsigned int i = 0; i < scaled(100); i++) {
		struct sockaddr_in a;
		int fd = listener(&a, 4), c, got = 0;

		for (int j = 0; j < 8; j++)
			f[j] = spawn(accepts, &fd);
		baton_sleep(BATON_MSEC);
		c = socket(AF_INET, SOCK_STREAM, 0);
		expect_eq(baton_connect(c, (struct sockaddr *)&a, sizeof(a)),
			  0);
		baton_sleep(BATON_MSEC);
		expect_eq(baton_close(fd), 0);
		for (int j = 0; j < 8; j++) {
			int s = (int)(intptr_t)join(f[j]);

			expect(s >= 0 || s == -EBADF);
			got += s >= 0;
			if (s >= 0)
				expect_eq(baton_close(s), 0);
		}
		expect(got <= 1);
		expect_eq(baton_close(c), 0);
	}
	return arg;
}

START_TEST(contend)
{
	run(_i, contend_main, NULL);
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
					  baton_now() + 300 * BATON_MSEC);
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

/* So is that of TCP; once it is emptied there is room for more. */
static void *backlog_main(void *arg)
{
	struct sockaddr_in a;
	int fd = listener(&a, 0), c[8], n = 0, err, s;

	for (;; n++) {
		expect(n < (int)ARRAY_SIZE(c));
		c[n] = socket(AF_INET, SOCK_STREAM, 0);
		err = baton_connect_until(c[n], (struct sockaddr *)&a,
					  sizeof(a),
					  baton_now() + 300 * BATON_MSEC);
		if (err)
			break;
	}
	expect_eq(err, -ETIMEDOUT);
	expect(n > 0);
	expect_eq(baton_close(c[n]), 0);
	for (int i = 0; i < n; i++) {
		s = baton_accept(fd, NULL, NULL);
		expect(s >= 0);
		expect_eq(baton_close(s), 0);
	}
	c[n] = socket(AF_INET, SOCK_STREAM, 0);
	expect_eq(baton_connect(c[n], (struct sockaddr *)&a, sizeof(a)), 0);
	for (int i = 0; i <= n; i++)
		expect_eq(baton_close(c[i]), 0);
	expect_eq(baton_close(fd), 0);
	return arg;
}

START_TEST(backlog)
{
	run(_i, backlog_main, NULL);
}
END_TEST

/*
 * A process is killed in the middle of two transfers: who receives has what came
 * before, and then the end; who sends what is not read hears of a reset, though
 * he waits.
 */
struct killed {
	struct sockaddr_in a;
	int listening;
	pid_t pid;
	int to, from;
};

static void *sends_all(void *arg)
{
	static char data[65536];
	struct killed *k = arg;
	ssize_t n;

	do
		n = baton_send(k->to, data, sizeof(data), 0);
	while (n > 0);
	expect(n == -ECONNRESET || n == -EPIPE);
	expect_eq(baton_send(k->to, data, sizeof(data), 0), -EPIPE);
	return NULL;
}

static void *receives_all(void *arg)
{
	struct killed *k = arg;
	char buf[16];

	expect_eq(baton_recv(k->from, buf, sizeof(buf), MSG_WAITALL), 5);
	expect_eq(baton_recv(k->from, buf, sizeof(buf), 0), 0);
	return NULL;
}

static void *killed_main(void *arg)
{
	struct baton_fiber *sender, *receiver;
	struct killed *k = arg;
	struct pollfd p;

	k->from = baton_accept(k->listening, NULL, NULL);
	k->to = baton_accept(k->listening, NULL, NULL);
	expect(k->from >= 0 && k->to >= 0);
	receiver = spawn(receives_all, k);
	sender = spawn(sends_all, k);
	/* Until nothing more can be sent. */
	p = (struct pollfd){ .fd = k->to, .events = POLLOUT };
	while (poll(&p, 1, 0))
		baton_yield();
	let_run();
	expect_eq(kill(k->pid, SIGKILL), 0);
	join(sender);
	join(receiver);
	expect_eq(baton_close(k->to), 0);
	expect_eq(baton_close(k->from), 0);
	return arg;
}

/* It sends five bytes by the first connection, and reads nothing. */
static void talks(const struct sockaddr_in *a)
{
	int fd[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 2; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd[i], (const struct sockaddr *)a, sizeof(*a)))
			_exit(1);
	}
	if (write(fd[0], "12345", 5) != 5)
		_exit(1);
	for (;;)
		pause();
}

START_TEST(killed)
{
	struct killed k;
	int status;

	k.listening = listener(&k.a, 4);
	k.pid = fork();
	expect(k.pid >= 0);
	if (!k.pid)
		talks(&k.a);
	run(_i, killed_main, &k);
	expect_eq(waitpid(k.pid, &status, 0), k.pid);
	expect(WIFSIGNALED(status));
	close(k.listening);
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

/* --- other kinds of descriptors -------------------------------------------- */

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

static void *gets_some(void *arg)
{
	char buf[16];
	int fd = *(int *)arg;

	/* What came before the cancel, which the next wait hears. */
	expect_eq(baton_recv(fd, buf, sizeof(buf), MSG_WAITALL), 8);
	expect_eq(baton_recv_until(fd, buf, sizeof(buf), 0,
				   baton_now() + BATON_SEC), -ECANCELED);
	return arg;
}

static void *partial_main(void *arg)
{
	struct baton_fiber *f;
	int fds[2], n;

	pair(fds);
	f = spawn(gets_some, &fds[0]);
	expect_eq(baton_write(fds[1], "12345678", 8), 8);
	/* It has them, and waits for more. */
	do
		expect_eq(ioctl(fds[0], FIONREAD, &n), 0);
	while (n && !baton_sleep(BATON_MSEC));
	expect_eq(baton_cancel(f), 0);
	join(f);
	return arg;
}

START_TEST(partial)
{
	run(_i, partial_main, NULL);
}
END_TEST

static void *file_among_main(void *arg)
{
	FILE *tmp = tmpfile();
	struct pollfd fds[2] = { { .fd = fileno(tmp) } };
	struct baton_fiber *f;
	int s[2];

	/* Nothing, and what it never has. */
	expect_eq(baton_poll(fds, 1, baton_now() + BATON_MSEC), 0);
	fds[0].events = POLLPRI;
	expect_eq(baton_poll(fds, 1, baton_now() + BATON_MSEC), 0);
	pair(s);
	fds[1] = (struct pollfd){ .fd = s[0], .events = POLLIN };
	f = spawn(later_write, &s[1]);
	expect_eq(baton_poll(fds, 2, BATON_NEVER), 1);
	expect_eq(fds[0].revents, 0);
	expect_eq(fds[1].revents, POLLIN);
	join(f);
	fclose(tmp);
	return arg;
}

START_TEST(file_among)
{
	run(_i, file_among_main, NULL);
}
END_TEST

/* As of write(), not of writev(). */
static void *empty_main(void *arg)
{
	struct iovec iov = { NULL, 0 };
	char buf[16];
	int fds[2];

	expect_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	expect_eq(baton_writev(fds[0], &iov, 1), 0);
	expect_eq(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), -1);
	expect_eq(baton_write(fds[0], buf, 0), 0);
	expect_eq(recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), 0);
	expect_eq(pipe(fds), 0);
	expect_eq(baton_write(fds[1], buf, 0), 0);
	expect_eq(baton_write(fds[0], buf, 0), -EBADF);
	expect_eq(baton_write(-1, buf, 0), -EBADF);
	return arg;
}

START_TEST(empty)
{
	run(_i, empty_main, NULL);
}
END_TEST

static void *tty_main(void *arg)
{
	static const char much[100000];
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	FILE *tmp;
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
	expect_eq(baton_write(slave, "line\n", 5), 5);
	/* Its number is a file's now, to which all is written. */
	tmp = tmpfile();
	expect_eq(dup2(fileno(tmp), slave), slave);
	expect_eq(baton_write(slave, much, sizeof(much)), sizeof(much));
	fclose(tmp);
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

#define PAGES	256

/* Of @fd the first page alone is in memory; false: not so here. */
static bool leave_first(int fd, size_t page)
{
	unsigned char in[PAGES];
	char path[64], *map, c;
	int again;

	expect_eq(fsync(fd), 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	if (again < 0)
		return false;
	posix_fadvise(again, 0, 0, POSIX_FADV_RANDOM);
	expect_eq(pread(again, &c, 1, 0), 1);
	close(again);
	map = mmap(NULL, PAGES * page, PROT_READ, MAP_SHARED, fd, 0);
	expect(map != MAP_FAILED);
	expect_eq(mincore(map, PAGES * page, in), 0);
	munmap(map, PAGES * page);
	return in[0] & 1 && !(in[PAGES - 1] & 1);
}

/* No less than there is, as of read(). */
static void *partly_main(void *arg)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = PAGES * page;
	char *buf = malloc(size), *old = malloc(size);
	struct iovec iov[] = {
		{ buf, 0 },
		{ buf, page / 2 },
		{ buf + page / 2, size / 2 },
		{ buf + page / 2 + size / 2, size / 2 - page / 2 },
	};
	FILE *tmp = tmpfile();
	int fd = fileno(tmp);

	expect(buf && old);
	for (size_t i = 0; i < size; i++)
		old[i] = (char)(i / 100);
	expect_eq(pwrite(fd, old, size, 0), size);
	for (int i = 0; i < 2; i++) {
		if (!leave_first(fd, page)) {
			skip("partly", "a file is in memory as a whole here");
			break;
		}
		expect_eq(lseek(fd, 0, SEEK_SET), 0);
		memset(buf, 0, size);
		expect_eq(i ? baton_readv(fd, iov, 4) :
			      baton_read(fd, buf, size), size);
		expect(!memcmp(buf, old, size));
		expect_eq(baton_read(fd, buf, size), 0);
	}
	fclose(tmp);
	free(buf);
	free(old);
	return arg;
}

START_TEST(partly)
{
	run(_i, partly_main, NULL);
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

/* Of a negative number poll() says nothing, as if it were not there. */
static void *no_number_main(void *arg)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };

	/* There has been no other wait. */
	expect_eq(baton_poll(&p, 1, baton_now() + BATON_MSEC), 0);
	return arg;
}

START_TEST(no_number)
{
	run(_i, no_number_main, NULL);
}
END_TEST

static void *bad_number(void *arg)
{
	int64_t soon = baton_now() + 100 * BATON_MSEC;
	int p[2];

	expect_eq(pipe(p), 0);
	expect_eq(baton_accept4_until(-1, NULL, NULL, 0, soon), -EBADF);
	expect_eq(baton_accept(-1, NULL, NULL), -EBADF);
	expect_eq(baton_splice(-1, NULL, p[1], NULL, 1, 0), -EBADF);
	expect_eq(baton_splice(p[0], NULL, -1, NULL, 1, 0), -EBADF);
	expect_eq(baton_sendfile(-1, -1, NULL, 1), -EBADF);
	expect_eq(baton_close(p[0]), 0);
	expect_eq(baton_close(p[1]), 0);
	return arg;
}

static void *bad_select(void *arg)
{
	static const int fds[] = { -1, 1 << 28, INT_MAX, 99999 };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct baton_case c = { .kind = BATON_CASE_READ, .fd = fds[i] };

		expect_eq(baton_select(&c, 1, BATON_NEVER), 0);
		expect_eq(c.result, POLLNVAL);
	}
	return arg;
}

static void *bad_numbers_main(void *arg)
{
	struct side s;

	for (int kind = 0; kind < SIDE_KINDS; kind++) {
		side_start(&s, kind, bad_number, NULL);
		side_join(&s);
	}
	return bad_select(arg);
}

START_TEST(bad_numbers)
{
	run(_i, bad_numbers_main, NULL);
}
END_TEST

/* Nobody reads: an error, and no signal. */
static void *broken(void *arg)
{
	int fds[2], p[2], file = open("/proc/self/exe", O_RDONLY);
	sigset_t set, old;

	expect(file >= 0);
	pair(fds);
	expect_eq(pipe(p), 0);
	expect_eq(write(p[1], "x", 1), 1);
	expect_eq(baton_close(fds[1]), 0);
	expect_eq(baton_sendfile(fds[0], file, NULL, 10), -EPIPE);
	expect_eq(baton_splice(p[0], NULL, fds[0], NULL, 1, 0), -EPIPE);
	/* In the thread's own mask nothing has changed. */
	sigemptyset(&set);
	expect_eq(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
	expect(!sigismember(&old, SIGPIPE));
	expect_eq(sigpending(&set), 0);
	expect(!sigismember(&set, SIGPIPE));
	close(fds[0]);
	close(file);
	close(p[0]);
	close(p[1]);
	return arg;
}

static void *broken_main(void *arg)
{
	struct side s;

	for (int kind = 0; kind < SIDE_KINDS; kind++) {
		side_start(&s, kind, broken, NULL);
		side_join(&s);
	}
	return arg;
}

START_TEST(breaks)
{
	run(_i, broken_main, NULL);
}
END_TEST

START_TEST(pipe_signal_kept)
{
	int fds[2], file = open("/proc/self/exe", O_RDONLY);
	sigset_t set, now;

	expect(file >= 0);
	pair(fds);
	close(fds[1]);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	expect_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	expect_eq(baton_sendfile(fds[0], file, NULL, 10), -EPIPE);
	expect_eq(sigpending(&now), 0);
	expect(!sigismember(&now, SIGPIPE));
	/* The program's own. */
	raise(SIGPIPE);
	expect_eq(baton_sendfile(fds[0], file, NULL, 10), -EPIPE);
	expect_eq(sigpending(&now), 0);
	expect(sigismember(&now, SIGPIPE));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("io");
	TCase *tc = test_case(s, "io");

	LOOP(sockets);
	LOOP(much);
	LOOP(resets);
	LOOP(contend);
	LOOP(queue_full);
	LOOP(backlog);
	LOOP(killed);
	LOOP(emfile);
	LOOP(kinds);
	LOOP(partial);
	LOOP(empty);
	LOOP(file_among);
	LOOP(tty);
	LOOP(files);
	LOOP(partly);
	LOOP(splices);
	LOOP(no_number);
	LOOP(bad_numbers);
	LOOP(breaks);
	tcase_add_test(tc, pipe_signal_kept);
	return suite_main(s);
}
