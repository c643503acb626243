// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * uloop.c - echo servers as they are written for io_uring(7), to be compared
 * with the one of eloop.c.
 *
 * All three accept by one request that stays. One waits by a poll of each
 * connection that stays, too, and receives and sends by system calls. The other
 * two leave that to the ring: a request for each connection that stays takes a
 * buffer of a pool whenever something comes, and the answer is sent from there,
 * by a request that copies it, or by one that does not.
 *
 * A client has one message under way on each connection: what is sent there
 * cannot overtake anything.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#ifdef HAVE_URING
#include <liburing.h>
#endif
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

/* liburing knows requests that stay, and sends that do not copy, from 2.3 on. */
#if defined(HAVE_URING) && defined(IORING_CQE_F_NOTIF)

#define SUBMISSIONS	1024u
#define COMPLETIONS	16384u
#define BUFFERS		2048u		/* a power of two */
#define BUFFER		4096u
#define GROUP		0

/* Upper half of user_data; the lower one is a descriptor, or a buffer. */
enum { ACCEPT, STOP, READY, RECEIVED, SENT };

/**
 * struct uloop - a server while it serves
 * @ring:      its ring
 * @how:       which of the three
 * @listening: the socket that listens
 * @total:     connections to accept
 * @accepted, @ended: how many there were
 * @error:     errno of what failed
 * @pool:      buffers that the kernel may take
 * @memory:    where they are
 * @taken:     how many it has taken
 * @starved, @nstarved: connections that found none
 */
struct uloop {
	struct io_uring ring;
	enum uloop_how how;
	int listening;
	uint64_t total;
	uint64_t accepted;
	uint64_t ended;
	int error;
	struct io_uring_buf_ring *pool;
	char *memory;
	unsigned int taken;
	int *starved;
	size_t nstarved;
};

static struct io_uring_sqe *get_sqe(struct uloop *u)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&u->ring)))
		io_uring_submit(&u->ring);
	return sqe;
}

/* After it was filled in, which older versions of liburing begin with this. */
static void set_data(struct io_uring_sqe *sqe, unsigned int what,
		     unsigned int which)
{
	sqe->user_data = (uint64_t)what << 32 | which;
}

/* --- buffers ------------------------------------------------------------- */

static void give_buffer(struct uloop *u, unsigned int i)
{
	io_uring_buf_ring_add(u->pool, u->memory + (size_t)i * BUFFER, BUFFER,
			      (unsigned short)i,
			      io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(u->pool, 1);
}

/* Return: 0; -1 with errno set. */
static int make_buffers(struct uloop *u)
{
	struct io_uring_buf_reg reg = {
		.ring_entries = BUFFERS,
		.bgid = GROUP,
	};
	int err;

	u->memory = aligned_alloc(BUFFER, (size_t)BUFFERS * BUFFER);
	/* By pages, of whatever size: it is 32 KiB, and one page at least. */
	u->pool = aligned_alloc(65536, 65536);
	if (!u->memory || !u->pool)
		return -1;
	reg.ring_addr = (uintptr_t)u->pool;
	io_uring_buf_ring_init(u->pool);
	err = io_uring_register_buf_ring(&u->ring, &reg, 0);
	if (err) {
		errno = -err;
		return -1;
	}
	for (unsigned int i = 0; i < BUFFERS; i++)
		give_buffer(u, i);
	return 0;
}

/* --- requests ------------------------------------------------------------ */

static void ask_accept(struct uloop *u)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	io_uring_prep_multishot_accept(sqe, u->listening, NULL, NULL,
				       SOCK_CLOEXEC | SOCK_NONBLOCK);
	set_data(sqe, ACCEPT, 0);
}

/* The next turn's connections are not for this one. */
static void stop_accept(struct uloop *u)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	io_uring_prep_cancel64(sqe, (uint64_t)ACCEPT << 32, 0);
	set_data(sqe, STOP, 0);
}

static void ask(struct uloop *u, int fd)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	if (u->how == ULOOP_POLL) {
		io_uring_prep_poll_multishot(sqe, fd, POLLIN);
		set_data(sqe, READY, (unsigned int)fd);
		return;
	}
	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	set_data(sqe, RECEIVED, (unsigned int)fd);
}

static void answer(struct uloop *u, int fd, unsigned int buffer, size_t n)
{
	struct io_uring_sqe *sqe = get_sqe(u);
	const char *data = u->memory + (size_t)buffer * BUFFER;

	if (u->how == ULOOP_ZC)
		io_uring_prep_send_zc(sqe, fd, data, n,
				      MSG_NOSIGNAL | MSG_WAITALL, 0);
	else
		io_uring_prep_send(sqe, fd, data, n,
				   MSG_NOSIGNAL | MSG_WAITALL);
	set_data(sqe, SENT, buffer);
}

/* --- what has completed -------------------------------------------------- */

static void accepted(struct uloop *u, const struct io_uring_cqe *cqe)
{
	int one = 1;

	if (cqe->res >= 0) {
		setsockopt(cqe->res, IPPROTO_TCP, TCP_NODELAY, &one,
			   sizeof(one));
		ask(u, cqe->res);
		if (++u->accepted == u->total)
			stop_accept(u);
	} else if (cqe->res != -ECANCELED && cqe->res != -ECONNABORTED) {
		u->error = -cqe->res;
	}
	if (!(cqe->flags & IORING_CQE_F_MORE) && u->accepted < u->total)
		ask_accept(u);
}

static void close_one(struct uloop *u, int fd)
{
	close(fd);
	u->ended++;
}

/* A poll that stays holds the file: it goes first. */
static void ready(struct uloop *u, const struct io_uring_cqe *cqe)
{
	int fd = (int)(uint32_t)cqe->user_data;
	struct io_uring_sqe *sqe;

	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		if (cqe->res >= 0 && eloop_echo(fd))
			ask(u, fd);
		else
			close_one(u, fd);
	} else if (!eloop_echo(fd)) {
		sqe = get_sqe(u);
		io_uring_prep_poll_remove(sqe, cqe->user_data);
		set_data(sqe, STOP, 0);
	}
}

static void received(struct uloop *u, const struct io_uring_cqe *cqe)
{
	int fd = (int)(uint32_t)cqe->user_data;

	if (cqe->res > 0) {
		u->taken++;
		answer(u, fd, cqe->flags >> IORING_CQE_BUFFER_SHIFT,
		       (size_t)cqe->res);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			ask(u, fd);
	} else if (cqe->res == -ENOBUFS) {
		u->starved[u->nstarved++] = fd;
	} else {
		close_one(u, fd);
	}
}

/* Without a copy: two completions, and the buffer is free after the second. */
static void sent(struct uloop *u, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_NOTIF) && cqe->res < 0 &&
	    cqe->res != -ECONNRESET && cqe->res != -EPIPE)
		u->error = -cqe->res;
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	give_buffer(u, (uint32_t)cqe->user_data);
	u->taken--;
}

static void completed(struct uloop *u, const struct io_uring_cqe *cqe)
{
	switch (cqe->user_data >> 32) {
	case ACCEPT:
		accepted(u, cqe);
		break;
	case READY:
		ready(u, cqe);
		break;
	case RECEIVED:
		received(u, cqe);
		break;
	case SENT:
		sent(u, cqe);
		break;
	}
}

static void serve(struct uloop *u)
{
	ask_accept(u);
	/* All that was sent is to be over: its memory is freed next. */
	while (!u->error && (u->ended < u->total || u->taken)) {
		struct io_uring_cqe *cqe;
		unsigned int head, n = 0;
		int ret = io_uring_submit_and_wait(&u->ring, 1);

		if (ret < 0 && ret != -EINTR && ret != -EBUSY)
			u->error = -ret;
		io_uring_for_each_cqe(&u->ring, head, cqe) {
			n++;
			completed(u, cqe);
		}
		io_uring_cq_advance(&u->ring, n);
		while (u->nstarved && u->taken < BUFFERS)
			ask(u, u->starved[--u->nstarved]);
	}
}

static int queue_init(struct io_uring *ring)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = COMPLETIONS,
	};
	int err = io_uring_queue_init_params(SUBMISSIONS, ring, &p);

	errno = -err;
	return err ? -1 : 0;
}

/* Can there be a ring here that has what these servers need? -1: errno. */
int uloop_probe(void)
{
	struct io_uring ring;

	if (queue_init(&ring))
		return -1;
	io_uring_queue_exit(&ring);
	return 0;
}

/**
 * uloop_serve() - what eloop_serve() does, by a ring
 * @fd:    a socket that listens
 * @total: how many connections to accept
 * @how:   by which requests
 *
 * Return: 0 when the last one has ended; -1 with errno set.
 */
int uloop_serve(int fd, uint64_t total, enum uloop_how how)
{
	struct uloop u = { .how = how, .listening = fd, .total = total };

	if (queue_init(&u.ring))
		return -1;
	u.starved = calloc(total, sizeof(*u.starved));
	if (!u.starved || (how != ULOOP_POLL && make_buffers(&u)))
		u.error = errno;
	else
		serve(&u);
	io_uring_queue_exit(&u.ring);
	free(u.starved);
	free(u.pool);
	free(u.memory);
	errno = u.error;
	return u.error ? -1 : 0;
}

#else

int uloop_probe(void)
{
	errno = ENOSYS;
	return -1;
}

int uloop_serve(int fd, uint64_t total, enum uloop_how how)
{
	(void)fd;
	(void)total;
	(void)how;
	errno = ENOSYS;
	return -1;
}

#endif
