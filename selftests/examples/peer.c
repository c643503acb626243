// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * peer.c - a client of the example servers that does what clients do, and what
 * they should not
 *
 *	peer [OPTION]... PORT TEXT
 *		send TEXT, print what comes, until the end
 *	  -h	send no more after TEXT: half-close
 *	  -s	a byte of TEXT each 20 ms
 *	  -p N	after N bytes say "paused" on stderr, and go on after a line
 *		of standard input
 *	  -r N	after N bytes reset the connection
 *	  -k N	after N bytes be killed, with no time to close anything
 *	peer -i N PORT TEXT
 *		send it on N connections, wait for something on each, say
 *		"idle"; after a line of standard input once more, and end
 *	peer -b TEXT
 *		say a port, and TEXT to who connects there
 *	peer -f
 *		say a port that accepts nobody
 *
 * The last two go on until they are killed. Exits with 1 after an error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
	bool half_close;
	bool slow;
	long pause_at;
	long reset_at;
	long kill_at;
};

static void die(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int connect_to(int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	return fd;
}

static void wait_for_line(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0 && c != '\n')
		;
}

/* Some of the text. Return: how much of it; 0 the server listens no more. */
static size_t send_some(const struct peer *p, int fd, const char *text,
			size_t n)
{
	ssize_t sent;

	if (p->slow) {
		usleep(20000);
		n = 1;
	}
	sent = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN)
		return 0;
	return sent < 0 ? 0 : (size_t)sent;
}

static void look_at(const struct peer *p, int fd, long got, long before)
{
	const struct linger now = { .l_onoff = 1 };

	if (p->kill_at && got >= p->kill_at)
		raise(SIGKILL);
	if (p->reset_at && got >= p->reset_at) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
		exit(EXIT_SUCCESS);
	}
	if (p->pause_at && got >= p->pause_at && before < p->pause_at) {
		fprintf(stderr, "paused\n");
		wait_for_line();
	}
}

static int talk(const struct peer *p, int port, const char *text)
{
	static char buf[65536];
	size_t left = strlen(text);
	int fd = connect_to(port);
	long got = 0;
	ssize_t n;

	for (;;) {
		struct pollfd pfd = {
			.fd = fd,
			.events = (short)(POLLIN | (left ? POLLOUT : 0)),
		};

		if (poll(&pfd, 1, -1) < 0)
			die("poll");
		if (pfd.revents & POLLOUT && left) {
			size_t sent = send_some(p, fd, text, left);

			text += sent;
			left -= sent;
			if (!sent && pfd.revents & (POLLERR | POLLHUP))
				left = 0;
			if (!left && p->half_close)
				shutdown(fd, SHUT_WR);
		}
		if (!(pfd.revents & (POLLIN | POLLERR | POLLHUP)))
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n < 0)
			die("read");
		if (!n)
			return EXIT_SUCCESS;
		fwrite(buf, 1, (size_t)n, stdout);
		fflush(stdout);
		look_at(p, fd, got + n, got);
		got += n;
	}
}

/* On each something, and more of it if there is more at once. */
static void ask_all(const int *fds, int n, const char *text)
{
	char buf[4096];

	for (int i = 0; i < n; i++)
		if (send(fds[i], text, strlen(text), MSG_NOSIGNAL) < 0)
			die("send");
	for (int i = 0; i < n; i++) {
		if (recv(fds[i], buf, sizeof(buf), 0) <= 0)
			die("an answer");
		while (recv(fds[i], buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	}
}

static int idle(int n, int port, const char *text)
{
	int *fds = calloc((size_t)n, sizeof(*fds));
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	for (int i = 0; fds && i < n; i++)
		fds[i] = connect_to(port);
	if (!fds)
		die("calloc");
	ask_all(fds, n, text);
	puts("idle");
	fflush(stdout);
	wait_for_line();
	ask_all(fds, n, text);
	free(fds);
	return EXIT_SUCCESS;
}

static int listen_somewhere(int backlog, int *port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) ||
	    listen(fd, backlog) ||
	    getsockname(fd, (struct sockaddr *)&a, &len))
		die("listen");
	*port = ntohs(a.sin_port);
	return fd;
}

static void __attribute__((noreturn)) banner(const char *text)
{
	int port, fd = listen_somewhere(16, &port), to;

	printf("peer: port %d\n", port);
	fflush(stdout);
	for (;;) {
		to = accept(fd, NULL, NULL);
		if (to < 0)
			die("accept");
		send(to, text, strlen(text), MSG_NOSIGNAL);
		close(to);
	}
}

/* With one in its queue, which is all that it holds. */
static void __attribute__((noreturn)) full(void)
{
	int port;

	listen_somewhere(0, &port);
	connect_to(port);
	printf("peer: port %d\n", port);
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct peer p = { 0 };
	int opt, n = 0;

	while ((opt = getopt(argc, argv, "b:fhi:k:p:r:s")) != -1) {
		switch (opt) {
		case 'b':
			banner(optarg);
		case 'f':
			full();
		case 'h':
			p.half_close = true;
			break;
		case 'i':
			n = atoi(optarg);
			break;
		case 'k':
			p.kill_at = atol(optarg);
			break;
		case 'p':
			p.pause_at = atol(optarg);
			break;
		case 'r':
			p.reset_at = atol(optarg);
			break;
		case 's':
			p.slow = true;
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 2)
		return 2;
	if (n)
		return idle(n, atoi(argv[optind]), argv[optind + 1]);
	return talk(&p, atoi(argv[optind]), argv[optind + 1]);
}
