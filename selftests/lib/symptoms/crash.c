// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* crash.c - a foreign call that has nothing to count in, see baton-debug(7) */
#include "symptoms.h"

struct request {
	int *count;
};

static void parse(void *arg)
{
	struct request *r = arg;

	++*r->count;
}

static void *serve(void *arg)
{
	struct request r = { NULL };

	baton_call(parse, &r);
	return arg;
}

static void *first(void *arg)
{
	struct baton_fiber *f = spawn("connection 7", serve, NULL);

	baton_join(f, NULL);
	return arg;
}

int main(void)
{
	return -baton_run(NULL, first, NULL, NULL);
}
