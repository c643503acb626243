// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* slow.c - fibers block where the library sees nothing, see baton-debug(7) */
#include "symptoms.h"
#include <unistd.h>

static void *handler(void *arg)
{
	for (;;) {
		usleep(50000);
		baton_yield();
	}
	return arg;
}

static void *first(void *arg)
{
	int i;

	for (i = 0; i < 7; i++)
		spawn("", handler, NULL);
	return handler(arg);
}

int main(void)
{
	return -baton_run(NULL, first, NULL, NULL);
}
