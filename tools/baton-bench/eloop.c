// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * eloop.c - an echo server as it is written for epoll(7): what ours is compared
 * with.
 *
 * Level-triggered, so that one recv() for each event is enough.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

#define EVENTS	512

/* A socket of 127.0.0.1 that listens. Return: it; -1 with errno set. */
int eloop_listen(uint16_t *port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(*port),
	};
	socklen_t len = sizeof(a);
	int one = 1, fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&a, &len)) {
		close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static int add(int ep, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

/* Return: how many connections were accepted; -1 with errno set. */
static int accept_all(int ep, int listening, uint64_t most)
{
	int one = 1, fd, n = 0;

	while (most--) {
		fd = accept4(listening, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return errno == EAGAIN || errno == ECONNABORTED ? n : -1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (add(ep, fd))
			return -1;
		n++;
	}
	return n;
}

/* Send back what has come. Return: whether the connection goes on. */
bool eloop_echo(int fd)
{
	char buf[4096];
	ssize_t n, done = 0, ret;

	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0 && errno == EAGAIN)
		return true;
	for (; done < n; done += ret) {
		ret = send(fd, buf + done, (size_t)(n - done), MSG_NOSIGNAL);
		if (ret < 0 && errno == EAGAIN) {
			/* Who does not read his answers makes all wait here. */
			poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, -1);
			ret = 0;
		} else if (ret < 0) {
			return false;
		}
	}
	return n > 0;
}

/**
 * eloop_serve() - accept connections, and send back what comes, until they end
 * @fd:    a socket that listens
 * @total: how many connections to accept
 *
 * Return: 0 when the last one has ended; -1 with errno set.
 */
int eloop_serve(int fd, uint64_t total)
{
	struct epoll_event ev[EVENTS];
	uint64_t accepted = 0, ended = 0;
	int ep = epoll_create1(EPOLL_CLOEXEC), ret = -1, n;

	if (ep < 0 || add(ep, fd))
		goto out;
	while (ended < total) {
		n = epoll_wait(ep, ev, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			goto out;
		for (int i = 0; i < n; i++) {
			int got = ev[i].data.fd, more;

			if (got == fd) {
				more = accept_all(ep, fd, total - accepted);
				if (more < 0)
					goto out;
				accepted += (uint64_t)more;
			} else if (!eloop_echo(got)) {
				close(got);
				ended++;
			}
		}
	}
	ret = 0;
out:
	if (ep >= 0)
		close(ep);
	return ret;
}
