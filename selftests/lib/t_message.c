// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_message.c - recvmsg() and sendmsg(): fibers, foreign code and threads. */
#include "descs.h"
#include "sides.h"

#include <fcntl.h>
#include <sys/un.h>

static void packets(int *fds)
{
	expect_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

/* One descriptor, and two pieces of text. */
struct message {
	struct msghdr hdr;
	struct iovec iov[2];
	char text[2][8];
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
};

static struct msghdr *message(struct message *m, size_t first, size_t second)
{
	*m = (struct message){ .iov = { { .iov_len = first },
					{ .iov_len = second } } };
	for (int i = 0; i < 2; i++)
		m->iov[i].iov_base = m->text[i];
	m->hdr.msg_iov = m->iov;
	m->hdr.msg_iovlen = 2;
	m->hdr.msg_control = m->control.buf;
	m->hdr.msg_controllen = sizeof(m->control.buf);
	return &m->hdr;
}

/* Without a descriptor. */
static struct msghdr *text(struct message *m, size_t first, size_t second)
{
	message(m, first, second)->msg_controllen = 0;
	return &m->hdr;
}

static ssize_t send_fd(int to, int fd)
{
	struct message m;
	struct cmsghdr *c;

	message(&m, 4, 4);
	memcpy(m.text, "with\0\0\0\0 fd", 12);
	c = CMSG_FIRSTHDR(&m.hdr);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return baton_sendmsg(to, &m.hdr, 0);
}

static int recv_fd(int from)
{
	struct message m;
	struct cmsghdr *c;
	int fd;

	message(&m, 4, 8);
	/* Not to be inherited by what others start meanwhile. */
	expect_eq(baton_recvmsg(from, &m.hdr, MSG_CMSG_CLOEXEC), 8);
	expect(!memcmp(m.text[0], "with", 4) && !memcmp(m.text[1], " fd", 4));
	c = CMSG_FIRSTHDR(&m.hdr);
	expect(c && c->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	return fd;
}

static void *takes_fd(void *arg)
{
	int fd = recv_fd(*(int *)arg);

	expect_eq(baton_write(fd, "came", 4), 4);
	expect_eq(baton_close(fd), 0);
	return NULL;
}

static void *fd_main(void *arg)
{
	for (int kind = 0; kind < SIDE_KINDS; kind++) {
		int fds[2], through[2];
		char came[4];
		struct side s;

		packets(fds);
		pair(through);
		side_start(&s, (enum side_kind)kind, takes_fd, &fds[1]);
		let_run();
		expect_eq(send_fd(fds[0], through[1]), 8);
		expect_eq(baton_close(through[1]), 0);
		expect_eq(baton_recv(through[0], came, 4, MSG_WAITALL), 4);
		expect(!memcmp(came, "came", 4));
		side_join(&s);
		/* The only one left was closed by the receiver. */
		expect_eq(baton_read(through[0], came, 4), 0);
		close_pair(fds);
		expect_eq(baton_close(through[0]), 0);
	}
	return arg;
}

START_TEST(descriptor)
{
	run(_i, fd_main, NULL);
}
END_TEST

/* What does not fit is cut off, and said. */
static void *cut_main(void *arg)
{
	struct message m;
	int fds[2];

	packets(fds);
	expect_eq(baton_sendmsg(fds[0], text(&m, 8, 8), 0), 16);
	expect_eq(baton_recvmsg(fds[1], message(&m, 4, 4), 0), 8);
	expect(m.hdr.msg_flags & MSG_TRUNC);
	expect_eq(baton_recvmsg(fds[1], message(&m, 4, 4), MSG_DONTWAIT), -EAGAIN);
	expect_eq(baton_close(fds[0]), 0);
	expect_eq(baton_recvmsg(fds[1], message(&m, 4, 4), 0), 0);
	expect_eq(baton_sendmsg(fds[1], text(&m, 4, 4), 0), -EPIPE);
	expect_eq(baton_close(fds[1]), 0);
	expect_eq(baton_recvmsg(fds[1], message(&m, 4, 4), 0), -EBADF);
	return arg;
}

START_TEST(cut)
{
	run(_i, cut_main, NULL);
}
END_TEST

/* --- waits that end without a message ------------------------------------------ */

static void fill(int fd)
{
	char much[4096] = "";

	while (baton_send(fd, much, sizeof(much), MSG_DONTWAIT) > 0)
		;
}

static void *late(void *arg)
{
	const int *fds = arg;
	int64_t end = baton_now() + 5 * BATON_MSEC;
	struct message m;

	expect_eq(baton_recvmsg_until(fds[0], message(&m, 4, 4), 0, end),
		  -ETIMEDOUT);
	expect(baton_now() >= end);
	/* It has come already. */
	expect_eq(baton_recvmsg_until(fds[0], message(&m, 4, 4), 0, end),
		  -ETIMEDOUT);
	expect_eq(baton_sendmsg_until(fds[0], text(&m, 4, 4), 0,
				      baton_now() + 5 * BATON_MSEC), -ETIMEDOUT);
	return NULL;
}

static void *deadlines_main(void *arg)
{
	for (int kind = 0; kind < SIDE_KINDS; kind++) {
		struct side s;
		int fds[2];

		pair(fds);
		fill(fds[0]);
		side_start(&s, (enum side_kind)kind, late, fds);
		side_join(&s);
		close_pair(fds);
	}
	return arg;
}

START_TEST(deadlines)
{
	run(_i, deadlines_main, NULL);
}
END_TEST

static void *canceled_in_recv(void *arg)
{
	struct message m;

	expect_eq(baton_recvmsg(*(int *)arg, message(&m, 4, 4), 0), -ECANCELED);
	/* That was the only one, and nothing of a message was lost. */
	expect_eq(baton_recvmsg(*(int *)arg, message(&m, 4, 4), 0), 8);
	return NULL;
}

static void *canceled_in_send(void *arg)
{
	struct message m;

	expect_eq(baton_sendmsg(*(int *)arg, text(&m, 4, 4), 0), -ECANCELED);
	return NULL;
}

static void *cancels_main(void *arg)
{
	struct baton_fiber *receiver, *sender;
	int fds[2];

	pair(fds);
	fill(fds[0]);
	sender = spawn(canceled_in_send, &fds[0]);
	receiver = spawn(canceled_in_recv, &fds[0]);
	let_run();
	expect_eq(baton_cancel(sender), 0);
	expect_eq(baton_cancel(receiver), 0);
	join(sender);
	let_run();
	expect_eq(baton_send(fds[1], "a message", 8, 0), 8);
	join(receiver);
	close_pair(fds);
	return arg;
}

START_TEST(cancels)
{
	run(_i, cancels_main, NULL);
}
END_TEST

/* What has bounds is had as it was sent, whatever is asked for. */
static void *bounds_main(void *arg)
{
	char buf[8] = "";
	int fds[2];

	packets(fds);
	expect_eq(baton_send(fds[1], "one", 3, 0), 3);
	expect_eq(baton_send(fds[1], "three", 5, 0), 5);
	expect_eq(baton_recv(fds[0], buf, sizeof(buf), MSG_WAITALL), 3);
	expect_eq(baton_recv(fds[0], buf, sizeof(buf), MSG_WAITALL), 5);
	expect(!memcmp(buf, "three", 5));
	close_pair(fds);
	return arg;
}

START_TEST(bounds)
{
	run(_i, bounds_main, NULL);
}
END_TEST

struct connecting {
	struct sockaddr_un to;
	int begun;
	int err;
};

static int connects(struct connecting *c)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	store(&c->begun, 1);
	c->err = baton_connect(fd, (struct sockaddr *)&c->to, sizeof(c->to));
	if (c->err)
		expect_eq(baton_close(fd), 0);
	return c->err;
}

static void *connecting_fiber(void *arg)
{
	connects(arg);
	return NULL;
}

/* The queue is full, and nobody accepts: a scope's end and cancels are heard. */
static void *full_main(void *arg)
{
	static struct connecting c;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct baton_scope scope;
	struct baton_fiber *f;

	c.to.sun_family = AF_UNIX;
	snprintf(c.to.sun_path + 1, sizeof(c.to.sun_path) - 1,
		 "baton-t_message-%d", getpid());
	expect_eq(bind(fd, (struct sockaddr *)&c.to, sizeof(c.to)), 0);
	expect_eq(listen(fd, 0), 0);
	expect_eq(connects(&c), 0);
	expect_eq(baton_deadline_push(&scope, baton_now() + 20 * BATON_MSEC), 0);
	expect_eq(connects(&c), -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&scope), 0);
	for (unsigned int i = 0; i < 20; i++) {
		store(&c.begun, 0);
		f = spawn(connecting_fiber, &c);
		while (!load(&c.begun))
			baton_yield();
		baton_sleep(i % 5 * BATON_MSEC);
		expect_eq(baton_cancel(f), 0);
		join(f);
		expect_eq(c.err, -ECANCELED);
	}
	expect_eq(baton_close(fd), 0);
	return arg;
}

START_TEST(full)
{
	run(_i, full_main, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("message");
	TCase *tc = test_case(s, "message");

	LOOP(descriptor);
	LOOP(cut);
	LOOP(deadlines);
	LOOP(cancels);
	LOOP(bounds);
	LOOP(full);
	return suite_main(s);
}
