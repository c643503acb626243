// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_wrap_io.c - libbaton-wrap.so: descriptors. Each test has one processor and
 * as few threads as may be: who blocks its thread hangs.
 */
#include "wrapped.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

static void run(baton_fn fn)
{
	run_with(1, 2, fn, NULL);
}

static int listener(struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*a);

	*a = (struct sockaddr_in){ .sin_family = AF_INET };
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect_eq(bind(fd, (struct sockaddr *)a, len), 0);
	expect_eq(listen(fd, 100), 0);
	expect_eq(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

/* Everything that receives, of a descriptor that has nothing: -1, EAGAIN. */
static void all_fail(int fd)
{
	char buf[4];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr mm = { .msg_hdr = m };

	fails(read(fd, buf, 4), EAGAIN);
	fails(readv(fd, &iov, 1), EAGAIN);
	fails(recv(fd, buf, 4, 0), EAGAIN);
	fails(recv(fd, buf, 4, MSG_WAITALL), EAGAIN);
	fails(recvfrom(fd, buf, 4, 0, NULL, NULL), EAGAIN);
	fails(recvmsg(fd, &m, 0), EAGAIN);
	fails(recvmmsg(fd, &mm, 1, 0, NULL), EAGAIN);
}

static void *try_only(void *arg)
{
	struct sockaddr_in a;
	char buf[1] = { 0 };
	int fd[2], server;

	(void)arg;
	pair(fd, SOCK_STREAM | SOCK_NONBLOCK);
	all_fail(fd[0]);
	while (send(fd[0], buf, 1, 0) == 1)
		;
	expect_eq(errno, EAGAIN);
	fails(write(fd[0], buf, 1), EAGAIN);
	close_both(fd);
	/* Of a blocking one, but for this call */
	pair(fd, SOCK_STREAM);
	fails(recv(fd[0], buf, 1, MSG_DONTWAIT), EAGAIN);
	close_both(fd);
	expect_eq(pipe2(fd, O_NONBLOCK), 0);
	fails(read(fd[0], buf, 1), EAGAIN);
	close_both(fd);
	server = listener(&a);
	expect_eq(fcntl(server, F_SETFL, O_NONBLOCK), 0);
	fails(accept(server, NULL, NULL), EAGAIN);
	expect_eq(close(server), 0);
	return NULL;
}

START_TEST(nonblocking)
{
	run(try_only);
}
END_TEST

static void *write_later(void *arg)
{
	usleep(2000);
	expect_eq(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

static void *time_outs(void *arg)
{
	const struct timeval ages = {
		.tv_sec = sizeof(time_t) > 4 ? 10 * BATON_SEC : INT_MAX,
	};
	struct timeval tv = { .tv_usec = 10000 };
	struct baton_fiber *f;
	struct sockaddr_in a;
	char buf[4096] = { 0 };
	int fd[2], server;
	int64_t start;

	(void)arg;
	pair(fd, SOCK_STREAM);
	expect_eq(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)),
		  0);
	expect_eq(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)),
		  0);
	start = baton_now();
	fails(recv(fd[0], buf, 1, 0), EAGAIN);
	expect(baton_now() - start >= 10 * BATON_MSEC);
	all_fail(fd[0]);
	while (send(fd[0], buf, sizeof(buf), 0) > 0)
		;
	expect_eq(errno, EAGAIN);
	/* Longer than nanoseconds can say */
	expect_eq(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &ages,
			     sizeof(ages)), 0);
	f = spawn(write_later, &fd[1]);
	expect_eq(recv(fd[0], buf, 1, 0), 1);
	join(f);
	close_both(fd);
	server = listener(&a);
	expect_eq(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)),
		  0);
	fails(accept(server, NULL, NULL), EAGAIN);
	expect_eq(close(server), 0);
	return NULL;
}

START_TEST(timeouts)
{
	run(time_outs);
}
END_TEST

/* --- cancels and scopes ------------------------------------------------- */

/* Waits that nothing ends but what is to end them: each fails with this. */
static void none_comes(int fd, int err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct epoll_event e = { .events = EPOLLIN };
	int epfd = epoll_create1(0);
	char c;
	fd_set in;

	fails(read(fd, &c, 1), err);
	fails(recv(fd, &c, 1, 0), err);
	fails(poll(&p, 1, -1), err);
	FD_ZERO(&in);
	FD_SET(fd, &in);
	fails(select(fd + 1, &in, NULL, NULL, NULL), err);
	expect_eq(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e), 0);
	fails(epoll_wait(epfd, &e, 1, -1), err);
	expect_eq(close(epfd), 0);
}

static void *to_cancel(void *arg)
{
	int *fd = arg;

	none_comes(fd[0], ECANCELED);
	store(&fd[2], 1);
	return NULL;
}

static void *ended_waits(void *arg)
{
	struct timeval tv = { .tv_sec = 100 };
	struct baton_scope scope;
	struct baton_fiber *f;
	int fd[3] = { 0 };

	(void)arg;
	pair(fd, SOCK_STREAM);
	f = spawn(to_cancel, fd);
	while (!load(&fd[2])) {
		baton_cancel(f);
		baton_yield();
	}
	join(f);
	/* The end of a scope is not that of the socket's patience. */
	expect_eq(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)),
		  0);
	baton_deadline_push(&scope, baton_now() + BATON_MSEC);
	none_comes(fd[0], ETIMEDOUT);
	baton_deadline_pop(&scope);
	close_both(fd);
	return NULL;
}

START_TEST(ended)
{
	run(ended_waits);
}
END_TEST

/* --- to and fro ---------------------------------------------------------- */

struct ends {
	int fd[2];
	int kind;
};

static ssize_t get(int fd, char *buf, size_t n, int kind)
{
	struct iovec iov[2] = { { buf, 1 }, { buf + 1, n - 1 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	switch (kind) {
	case 0:
		return read(fd, buf, n);
	case 1:
		return readv(fd, iov, 2);
	case 2:
		return recv(fd, buf, n, 0);
	case 3:
		return recvfrom(fd, buf, n, 0, (struct sockaddr *)&a, &len);
	case 4:
		return recv(fd, buf, n, MSG_WAITALL);
	default:
		return recvmsg(fd, &m, 0);
	}
}

static ssize_t put(int fd, const char *buf, size_t n, int kind)
{
	struct iovec iov[2] = { { (void *)buf, 1 },
				{ (void *)(buf + 1), n - 1 } };
	struct mmsghdr mm = { .msg_hdr = { .msg_iov = iov, .msg_iovlen = 2 } };

	switch (kind) {
	case 0:
		return write(fd, buf, n);
	case 1:
		return writev(fd, iov, 2);
	case 2:
		return send(fd, buf, n, 0);
	case 3:
		return sendto(fd, buf, n, 0, NULL, 0);
	case 4:
		expect_eq(sendmmsg(fd, &mm, 1, 0), 1);
		return mm.msg_len;
	default:
		return sendmsg(fd, &mm.msg_hdr, 0);
	}
}

#define BALLS	20
#define BIG	(1 << 20)

static void *pong(void *arg)
{
	struct ends *e = arg;
	char buf[8];

	for (int i = 0; i < BALLS; i++) {
		expect_eq(get(e->fd[1], buf, 8, e->kind), 8);
		expect_eq(put(e->fd[1], buf, 8, e->kind), 8);
	}
	return NULL;
}

static void *drain(void *arg)
{
	struct ends *e = arg;
	static char buf[4096];
	ssize_t n, total = 0;

	for (; total < BIG; total += n) {
		n = get(e->fd[0], buf, sizeof(buf), e->kind);
		expect(n > 0);
	}
	expect_eq(total, BIG);
	return NULL;
}

/* A blocking write is all or nothing, but for errors. */
static void flood(struct ends *e)
{
	char *big = calloc(1, BIG);
	struct baton_fiber *f = spawn(drain, e);

	expect_eq(put(e->fd[1], big, BIG, e->kind), BIG);
	join(f);
	free(big);
}

static void *play(void *arg)
{
	struct ends e;
	struct baton_fiber *f;
	char buf[8] = "ball";

	(void)arg;
	for (e.kind = 0; e.kind < 6; e.kind++) {
		pair(e.fd, SOCK_STREAM);
		f = spawn(pong, &e);
		for (int i = 0; i < BALLS; i++) {
			expect_eq(put(e.fd[0], buf, 8, e.kind), 8);
			memset(buf, 0, sizeof(buf));
			expect_eq(get(e.fd[0], buf, 8, e.kind), 8);
			expect(!strcmp(buf, "ball"));
		}
		join(f);
		flood(&e);
		close_both(e.fd);
	}
	for (e.kind = 0; e.kind < 2; e.kind++) {
		expect_eq(pipe(e.fd), 0);
		flood(&e);
		close_both(e.fd);
	}
	return NULL;
}

START_TEST(to_and_fro)
{
	run(play);
}
END_TEST

/* All of it is had at once, or the end before it. */
static void *send_halves(void *arg)
{
	int *fd = arg;

	for (int i = 0; i < 3; i++) {
		usleep(1000);
		expect_eq(write(fd[1], "half", 4), 4);
	}
	expect_eq(shutdown(fd[1], SHUT_WR), 0);
	return NULL;
}

static void *wait_for_all(void *arg)
{
	struct baton_fiber *f;
	char buf[8];
	int fd[2];

	(void)arg;
	pair(fd, SOCK_STREAM);
	f = spawn(send_halves, fd);
	expect_eq(recv(fd[0], buf, 8, MSG_WAITALL), 8);
	expect(!memcmp(buf, "halfhalf", 8));
	expect_eq(recv(fd[0], buf, 8, MSG_WAITALL), 4);
	expect_eq(recv(fd[0], buf, 8, MSG_WAITALL), 0);
	join(f);
	close_both(fd);
	/* A message is all there is. */
	pair(fd, SOCK_DGRAM);
	expect_eq(send(fd[1], "half", 4, 0), 4);
	expect_eq(recvfrom(fd[0], buf, 8, MSG_WAITALL, NULL, NULL), 4);
	close_both(fd);
	return NULL;
}

START_TEST(waitall)
{
	run(wait_for_all);
}
END_TEST

/* --- a pipe that nobody reads -------------------------------------------- */

static int broken;

static void on_broken(int sig)
{
	(void)sig;
	add(&broken, 1);
}

static void *leave(void *arg)
{
	usleep(5000);
	expect_eq(close(*(int *)arg), 0);
	return NULL;
}

static void *break_pipes(void *arg)
{
	char *big = calloc(1, BIG);
	struct baton_fiber *f;
	int fd[2];

	(void)arg;
	pair(fd, SOCK_STREAM);
	expect_eq(close(fd[0]), 0);
	fails(write(fd[1], "x", 1), EPIPE);
	expect_eq(broken, 1);
	fails(send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	expect_eq(broken, 1);
	expect_eq(close(fd[1]), 0);
	/* While it waits: having written some, and nothing */
	pair(fd, SOCK_STREAM);
	f = spawn(leave, &fd[0]);
	expect(write(fd[1], big, BIG) < BIG);
	join(f);
	expect_eq(broken, 1);
	expect_eq(close(fd[1]), 0);
	pair(fd, SOCK_STREAM);
	while (send(fd[1], big, BIG, MSG_DONTWAIT) > 0)
		;
	f = spawn(leave, &fd[0]);
	fails(write(fd[1], "x", 1), EPIPE);
	expect_eq(broken, 2);
	join(f);
	expect_eq(close(fd[1]), 0);
	expect_eq(pipe(fd), 0);
	expect_eq(close(fd[0]), 0);
	broken = 0;
	fails(write(fd[1], "x", 1), EPIPE);
	expect_eq(broken, 1);
	expect_eq(close(fd[1]), 0);
	free(big);
	return NULL;
}

START_TEST(sigpipe)
{
	signal(SIGPIPE, on_broken);
	run(break_pipes);
}
END_TEST

/* --- poll, select, epoll ------------------------------------------------- */

static void wait_by_poll(const int fd[2])
{
	struct pollfd p = { .fd = fd[0], .events = POLLIN };
	struct timespec ts = { .tv_nsec = 5000000 };
	int64_t start = baton_now();
	sigset_t mask;

	expect_eq(poll(&p, 1, 0), 0);
	expect_eq(poll(&p, 1, 5), 0);
	expect_eq(ppoll(&p, 1, &ts, NULL), 0);
	expect_eq(poll(NULL, 0, 5), 0);
	expect(baton_now() - start >= 15 * BATON_MSEC);
	sigemptyset(&mask);
	expect_eq(ppoll(&p, 1, &ts, &mask), 0);
	spawn(write_later, (void *)&fd[1]);
	expect_eq(poll(&p, 1, -1), 1);
	expect_eq(p.revents, POLLIN);
	p.fd = 1000;
	expect_eq(poll(&p, 1, 1000), 1);
	expect_eq(p.revents, POLLNVAL);
}

static void wait_by_select(const int fd[2])
{
	struct timeval tv = { .tv_usec = 5000 };
	struct timespec ts = { .tv_nsec = 5000000 };
	int64_t start = baton_now();
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd[0], &in);
	expect_eq(select(fd[0] + 1, &in, NULL, NULL, &tv), 0);
	expect(!FD_ISSET(fd[0], &in));
	expect_eq(tv.tv_sec + tv.tv_usec, 0);
	expect_eq(pselect(0, NULL, NULL, NULL, &ts, NULL), 0);
	expect(baton_now() - start >= 10 * BATON_MSEC);
	FD_SET(fd[0], &in);
	FD_SET(fd[1], &out);
	tv.tv_sec = 100;
	expect_eq(select(fd[1] + 1, &in, &out, NULL, &tv), 1);
	expect(FD_ISSET(fd[1], &out) && !FD_ISSET(fd[0], &in));
	FD_SET(fd[0], &in);
	spawn(write_later, (void *)&fd[1]);
	expect_eq(select(fd[0] + 1, &in, NULL, NULL, &tv), 1);
	expect(FD_ISSET(fd[0], &in));
	expect(tv.tv_sec < 100);
	FD_SET(60, &in);
	fails(select(61, &in, NULL, NULL, NULL), EBADF);
	FD_CLR(60, &in);
	/* QEMU's copy of the set has room for FD_SETSIZE, and it looks no further. */
	if (under_qemu_user())
		return;
	/* There are not so many descriptors, nor is the set as large. */
	expect_eq(select(100000, &in, NULL, NULL, &tv), 1);
}

/*
 * An end is nothing exceptional, and who waits for that does not compute all the
 * time. (An emulator has been seen to take 38 ms, beside others, for the code.)
 */
static void wait_for_exception(const int fd[2])
{
	struct timeval tv = { .tv_usec = 400000 };
	int64_t start = baton_now();
	fd_set set;
	clock_t ran;

	expect_eq(write(fd[1], "x", 1), 1);
	expect_eq(shutdown(fd[1], SHUT_RDWR), 0);
	FD_ZERO(&set);
	FD_SET(fd[0], &set);
	ran = clock();
	expect_eq(select(fd[0] + 1, NULL, NULL, &set, &tv), 0);
	expect(!FD_ISSET(fd[0], &set));
	ran = clock() - ran;
	expect(ran * (BATON_SEC / CLOCKS_PER_SEC) < (baton_now() - start) / 4);
}

static void wait_by_epoll(const int fd[2])
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd[0] };
	int64_t start = baton_now();
	int epfd = epoll_create1(0);

	expect_eq(epoll_ctl(epfd, EPOLL_CTL_ADD, fd[0], &e), 0);
	expect_eq(epoll_wait(epfd, &e, 1, 0), 0);
	expect_eq(epoll_wait(epfd, &e, 1, 5), 0);
	expect_eq(epoll_pwait(epfd, &e, 1, 5, NULL), 0);
	expect(baton_now() - start >= 10 * BATON_MSEC);
	spawn(write_later, (void *)&fd[1]);
	expect_eq(epoll_wait(epfd, &e, 1, -1), 1);
	expect_eq(e.data.fd, fd[0]);
	expect_eq(close(epfd), 0);
}

static void *wait_all_ways(void *arg)
{
	static void (*const ways[])(const int fd[2]) = {
		wait_by_poll, wait_by_select, wait_for_exception, wait_by_epoll,
	};
	char c;
	int fd[2];

	(void)arg;
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		pair(fd, SOCK_STREAM);
		ways[i](fd);
		expect_eq(read(fd[0], &c, 1), 1);
		close_both(fd);
	}
	return NULL;
}

START_TEST(readiness)
{
	run(wait_all_ways);
}
END_TEST

/* --- a FIFO that is opened anew ------------------------------------------- */

#define ROUNDS	20

/**
 * struct fifo - its writers come and go while a fiber waits for a byte
 * @path:  where it is
 * @rests: the reader has had the byte
 */
struct fifo {
	char path[64];
	int rests;
};

static void *comes_and_goes(void *arg)
{
	struct fifo *f = arg;
	int fd;

	for (unsigned int i = scaled(ROUNDS); i; i--) {
		store(&f->rests, 0);
		/* Maybe while the reader is about to see that there is none */
		for (int n = 0; n < 1000; n++)
			close(open(f->path, O_WRONLY));
		fd = open(f->path, O_WRONLY);
		expect_eq(write(fd, "x", 1), 1);
		while (!load(&f->rests))
			sched_yield();
		close(fd);
	}
	return NULL;
}

static void *reads_fifo(void *arg)
{
	struct fifo *f = arg;
	ssize_t got = 0;
	pthread_t t;
	fd_set set;
	char c;
	int fd;

	fd = open(f->path, O_RDONLY | O_NONBLOCK);
	expect(fd >= 0);
	expect_eq(pthread_create(&t, NULL, comes_and_goes, f), 0);
	for (unsigned int i = scaled(ROUNDS); i; i--) {
		do {
			FD_ZERO(&set);
			FD_SET(fd, &set);
			expect_eq(select(fd + 1, &set, NULL, NULL, NULL), 1);
			got = read(fd, &c, 1);
		} while (got <= 0);
		store(&f->rests, 1);
		while (i > 1 && load(&f->rests))
			sched_yield();
	}
	expect_eq(pthread_join(t, NULL), 0);
	expect_eq(close(fd), 0);
	return NULL;
}

/* An end that was seen is none for the next writer. */
START_TEST(fifo)
{
	struct fifo f = { .rests = 0 };

	snprintf(f.path, sizeof(f.path), "/tmp/baton-fifo-%d", getpid());
	expect_eq(mkfifo(f.path, 0600), 0);
	run_with(1, 2, reads_fifo, &f);
	expect_eq(unlink(f.path), 0);
}
END_TEST

/* --- connections --------------------------------------------------------- */

#define CLIENTS	50

static void *client(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char c;

	expect_eq(connect(fd, arg, sizeof(struct sockaddr_in)), 0);
	expect_eq(read(fd, &c, 1), 1);
	expect_eq(close(fd), 0);
	return NULL;
}

static void *server(void *arg)
{
	struct baton_fiber *f[CLIENTS];
	struct sockaddr_in a, peer;
	int fd, conn[CLIENTS];
	socklen_t len;

	(void)arg;
	fd = listener(&a);
	for (int i = 0; i < CLIENTS; i++)
		f[i] = spawn(client, &a);
	for (int i = 0; i < CLIENTS; i++) {
		len = sizeof(peer);
		conn[i] = i % 2 ? accept(fd, (struct sockaddr *)&peer, &len) :
				  accept4(fd, (struct sockaddr *)&peer, &len,
					  SOCK_CLOEXEC);
		expect(conn[i] >= 0);
		expect_eq(len, sizeof(peer));
		expect_eq(!(fcntl(conn[i], F_GETFD) & FD_CLOEXEC), i % 2);
	}
	for (int i = 0; i < CLIENTS; i++) {
		expect_eq(write(conn[i], "x", 1), 1);
		expect_eq(close(conn[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		join(f[i]);
	expect_eq(close(fd), 0);
	/* Nobody listens there any more. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	fails(connect(fd, (struct sockaddr *)&a, sizeof(a)), ECONNREFUSED);
	expect_eq(close(fd), 0);
	return NULL;
}

START_TEST(connections)
{
	run(server);
}
END_TEST

static void *datagrams(void *arg)
{
	struct sockaddr_in a = { .sin_family = AF_INET }, from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int to = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(a);
	struct baton_fiber *f;
	char c;

	(void)arg;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	expect_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	expect_eq(connect(to, (struct sockaddr *)&a, len), 0);
	f = spawn(write_later, &to);
	len = sizeof(from);
	expect_eq(recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from, &len), 1);
	expect_eq(len, sizeof(from));
	expect_eq(from.sin_addr.s_addr, a.sin_addr.s_addr);
	join(f);
	expect_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&from, len), 1);
	expect_eq(recv(to, &c, 1, 0), 1);
	expect_eq(close(fd), 0);
	expect_eq(close(to), 0);
	return NULL;
}

START_TEST(datagram)
{
	run(datagrams);
}
END_TEST

/* --- closing ------------------------------------------------------------- */

static void *read_closed(void *arg)
{
	int *fd = arg;
	char c;

	fails(read(fd[0], &c, 1), EBADF);
	expect(load(&fd[2]));
	return NULL;
}

static void *close_under(void *arg)
{
	struct baton_fiber *f;
	int fd[3] = { 0 };
	pid_t pid;

	(void)arg;
	pair(fd, SOCK_STREAM);
	f = spawn(read_closed, fd);
	usleep(1000);
	/* Of a child that shares our memory it closes its own. */
	pid = vfork();
	if (!pid) {
		close(fd[0]);
		_exit(0);
	}
	expect_eq(waitpid(pid, NULL, 0), pid);
	usleep(1000);
	store(&fd[2], 1);
	expect_eq(close(fd[0]), 0);
	join(f);
	fails(close(fd[0]), EBADF);
	expect_eq(close(fd[1]), 0);
	return NULL;
}

START_TEST(closing)
{
	run(close_under);
}
END_TEST

/* --- the rest ------------------------------------------------------------ */

static void *files_and_names(void *arg)
{
	char name[] = "/tmp/t_wrap_io.XXXXXX", buf[8];
	struct addrinfo *ai, hints = { .ai_flags = AI_NUMERICHOST };
	int fd = mkstemp(name);

	(void)arg;
	expect(fd >= 0);
	expect_eq(write(fd, "contents", 8), 8);
	expect_eq(lseek(fd, 0, SEEK_SET), 0);
	expect_eq(read(fd, buf, 8), 8);
	expect(!memcmp(buf, "contents", 8));
	expect_eq(read(fd, buf, 8), 0);
	expect_eq(close(fd), 0);
	unlink(name);
	expect_eq(getaddrinfo("127.0.0.1", "80", &hints, &ai), 0);
	freeaddrinfo(ai);
	expect_eq(getaddrinfo("no.number", "80", &hints, &ai), EAI_NONAME);
	fails(read(-1, buf, 1), EBADF);
	fails(write(-1, buf, 1), EBADF);
	fails(read(0x7fffffff, buf, 1), EBADF);
	return NULL;
}

START_TEST(rest)
{
	run(files_and_names);
}
END_TEST

/* What _FORTIFY_SOURCE makes of these calls leads there, too. */
static void *fortify(void *arg)
{
	ssize_t (*chk)(int, void *, size_t, size_t);
	struct baton_fiber *f;
	Dl_info info;
	char c;
	int fd[2];

	(void)arg;
	chk = (__typeof__(chk))dlsym(RTLD_DEFAULT, "__read_chk");
	expect(dladdr((void *)chk, &info));
	expect(strstr(info.dli_fname, "libbaton-wrap"));
	pair(fd, SOCK_STREAM);
	f = spawn(write_later, &fd[1]);
	expect_eq(chk(fd[0], &c, 1, 1), 1);
	join(f);
	close_both(fd);
	return NULL;
}

START_TEST(fortified)
{
	run(fortify);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wrap_io");
	TCase *tc = test_case(s, "descriptors");

	/* A debug build would find what is then put right. */
	setenv("BATON_TLS_CHECK", "off", 1);
	tcase_add_test(tc, nonblocking);
	tcase_add_test(tc, timeouts);
	tcase_add_test(tc, ended);
	tcase_add_test(tc, to_and_fro);
	tcase_add_test(tc, waitall);
	tcase_add_test(tc, sigpipe);
	tcase_add_test(tc, readiness);
	tcase_add_test(tc, fifo);
	tcase_add_test(tc, connections);
	tcase_add_test(tc, datagram);
	tcase_add_test(tc, closing);
	tcase_add_test(tc, rest);
	tcase_add_test(tc, fortified);
	return suite_main(s);
}
