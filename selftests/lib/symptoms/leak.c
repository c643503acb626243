// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* leak.c - fibers that forget what they have allocated, see baton-debug(7) */
#include "symptoms.h"
#include <string.h>

static void *request(void *arg)
{
	char *name = strdup(arg);

	return name[0] ? arg : NULL;
}

static void *first(void *arg)
{
	int i;

	for (i = 0; i < 3; i++)
		baton_join(spawn("request", request, "guest"), NULL);
	return arg;
}

int main(void)
{
	return -baton_run(NULL, first, NULL, NULL);
}
