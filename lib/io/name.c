// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* name.c - getaddrinfo(), which waits for servers and files as it likes. */
#include <baton/call.h>
#include <baton/io.h>
#include <errno.h>
#include <netdb.h>

#include "../core/sched.h"

struct names {
	const char *node;
	const char *service;
	const struct addrinfo *hints;
	struct addrinfo **res;
	int ret;
};

static void look_up(void *arg)
{
	struct names *a = arg;

	a->ret = getaddrinfo(a->node, a->service, a->hints, a->res);
}

static void __attribute__((noinline)) set_errno(int err)
{
	errno = err;
}

int baton_getaddrinfo(const char *node, const char *service,
		      const struct addrinfo *hints, struct addrinfo **res)
{
	struct names a = { node, service, hints, res, 0 };
	int err;

	if (!sched_on_fiber(baton_worker_self())) {
		look_up(&a);
		return a.ret;
	}
	err = baton_call(look_up, &a);
	if (a.ret == EAI_SYSTEM)
		set_errno(err);
	return a.ret;
}
