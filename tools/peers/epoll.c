// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* epoll.c - the row echo of tools/peers for an epoll loop: baton-bench's. */
#include "../baton-bench/net.h"
#include "peer.h"

int main(int argc, char **argv)
{
	uint16_t port = argc > 2 ? (uint16_t)atoi(argv[2]) : 0;
	int fd;

	if (!port || strcmp(argv[1], "echo"))
		return 3;
	fd = eloop_listen(&port);
	peer_check(fd >= 0 && !eloop_serve(fd, UINT64_MAX), "server");
	return 0;
}
