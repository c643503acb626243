// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_hdr.c - each public header stands alone, and twice, as C. */
#include <baton/chan.h>
#include <baton/call.h>
#include <baton/call.h>
#include <baton/fiber.h>
#include <baton/runtime.h>
#include <baton/baton.h>
#include <stdio.h>

int buffer[2];
struct baton_chan chan = BATON_CHAN_INIT(sizeof(int), 2, buffer);

static void *check(void *arg)
{
	static const char text[] = "ok 1 - headers as C\n";
	int err = -1;

	fflush(stdout);
	*(int *)arg = BATON_CALL(err, fputs, text, stdout) < 0 || err;
	return NULL;
}

int main(void)
{
	int failed = 1;

	printf("1..1\n");
	if (baton_run(NULL, check, &failed, NULL) || failed)
		printf("not ok 1 - headers as C\n");
	return failed;
}
