// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* foreign.c - the C that peers call, and that calls them back. */
#include <pthread.h>
#include <stdint.h>

void peer_empty(void);
void peer_call_back(void (*fn)(void), intptr_t n);
void peer_from_thread(void (*fn)(void), intptr_t n);

void peer_empty(void)
{
}

void peer_call_back(void (*fn)(void), intptr_t n)
{
	while (n--)
		fn();
}

struct calls {
	void (*fn)(void);
	intptr_t n;
};

static void *call_back(void *arg)
{
	struct calls *c = arg;

	peer_call_back(c->fn, c->n);
	return 0;
}

/* From a thread that the peer has not made */
void peer_from_thread(void (*fn)(void), intptr_t n)
{
	struct calls c = { fn, n };
	pthread_t t;

	if (!pthread_create(&t, 0, call_back, &c))
		pthread_join(t, 0);
}
