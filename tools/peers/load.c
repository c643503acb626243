// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * load.c - baton-bench's client, for the echo servers of tools/peers.
 *
 *	load PORT CONNECTIONS MILLISECONDS
 *
 * prints the nanoseconds per request. Until the server listens it tries again.
 */
#include <errno.h>

#include "../baton-bench/net.h"
#include "peer.h"

int main(int argc, char **argv)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	struct load_result r;
	struct load l = { .kind = LOAD_ECHO };

	if (argc != 4)
		return 2;
	l.port = (uint16_t)atoi(argv[1]);
	l.conns = (unsigned int)atoi(argv[2]);
	l.ns = (uint64_t)atoi(argv[3]) * 1000000;
	l.warm_ns = l.ns / 5;
	for (int i = 0; i < 500; i++) {
		load_run(&l, &r);
		if (r.error != ECONNREFUSED)
			break;
		nanosleep(&pause, NULL);
	}
	if (r.error || !r.requests) {
		fprintf(stderr, "load: %s: %s\n", r.what, strerror(r.error));
		return 1;
	}
	printf("%.2f\n", (double)r.ns / (double)r.requests);
	return 0;
}
