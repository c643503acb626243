// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* baton.c - the rows of tools/peers for baton. */
#include <baton/baton.h>
#include <baton/io.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "../baton-bench/net.h"
#include "peer.h"

void peer_empty(void);
void peer_call_back(void (*fn)(void), intptr_t n);
void peer_from_thread(void (*fn)(void), intptr_t n);

static void *yields(void *n)
{
	for (uintptr_t i = (uintptr_t)n; i; i--)
		baton_yield();
	return NULL;
}

static struct baton_fiber *spawn(baton_fn fn, void *arg)
{
	struct baton_fiber *f;

	peer_check(!baton_spawn(&f, NULL, fn, arg), "spawn");
	return f;
}

static void *join(struct baton_fiber *f)
{
	void *result;

	peer_check(!baton_join(f, &result), "join");
	return result;
}

static void yield_row(uint64_t n)
{
	struct baton_fiber *other = spawn(yields, (void *)(uintptr_t)n);

	yields((void *)(uintptr_t)n);
	join(other);
}

static void *give_back(void *arg)
{
	return arg;
}

static void spawn_row(uint64_t n)
{
	for (uintptr_t i = 0; i < n; i++)
		peer_check(join(spawn(give_back, (void *)i)) == (void *)i,
			   "result");
}

static void batch_row(uint64_t n)
{
	static struct baton_fiber *fibers[10000];

	while (n--) {
		for (int i = 0; i < 10000; i++)
			fibers[i] = spawn(give_back, NULL);
		for (int i = 0; i < 10000; i++)
			join(fibers[i]);
	}
}

static struct baton_chan to, from;

static void *answers(void *arg)
{
	uint64_t v;

	while (!baton_chan_recv(&to, &v))
		baton_chan_send(&from, &v);
	return arg;
}

static void chan_row(uint64_t n)
{
	struct baton_fiber *other;
	uint64_t v = 0;

	baton_chan_init(&to, sizeof(v), 0, NULL);
	baton_chan_init(&from, sizeof(v), 0, NULL);
	other = spawn(answers, NULL);
	for (uint64_t i = 0; i < n; i++) {
		baton_chan_send(&to, &i);
		peer_check(!baton_chan_recv(&from, &v) && v == i, "element");
	}
	baton_chan_close(&to);
	join(other);
}

struct node {
	uintptr_t first;
	uintptr_t n;
};

static void *node(void *arg)
{
	struct node *me = arg, parts[10];
	struct baton_fiber *fibers[10];
	uintptr_t sum = 0;

	if (me->n == 1)
		return (void *)me->first;
	for (unsigned int i = 0; i < 10; i++) {
		parts[i].n = me->n / 10;
		parts[i].first = me->first + i * parts[i].n;
		fibers[i] = spawn(node, &parts[i]);
	}
	for (unsigned int i = 0; i < 10; i++)
		sum += (uintptr_t)join(fibers[i]);
	return (void *)sum;
}

static void skynet_row(uint64_t n)
{
	struct node root = { 0, 1000000 };

	while (n--)
		peer_check(node(&root) == (void *)499999500000, "sum");
}

static struct baton_mutex mutex = BATON_MUTEX_INIT;
static uint64_t inside;

static void *contender(void *n)
{
	for (uintptr_t i = (uintptr_t)n; i; i--) {
		baton_mutex_lock(&mutex);
		inside++;
		baton_mutex_unlock(&mutex);
	}
	return NULL;
}

static void mutex_row(uint64_t n)
{
	struct baton_fiber *fibers[4];

	inside = 0;
	baton_mutex_lock(&mutex);
	for (int i = 0; i < 4; i++)
		fibers[i] = spawn(contender, (void *)(uintptr_t)n);
	baton_yield();
	baton_mutex_unlock(&mutex);
	for (int i = 0; i < 4; i++)
		join(fibers[i]);
	peer_check(inside == 4 * n, "exclusion");
}

static void empty(void *arg)
{
	(void)arg;
	peer_empty();
}

static void call_row(uint64_t n)
{
	while (n--)
		baton_call(empty, NULL);
}

static void back(void)
{
	baton_callback(empty, NULL);
}

static void call_back(void *n)
{
	peer_call_back(back, (intptr_t)n);
}

static void callback_row(uint64_t n)
{
	baton_call(call_back, (void *)(uintptr_t)n);
}

static void from_thread(void *n)
{
	peer_from_thread(back, (intptr_t)n);
}

static void foreign_row(uint64_t n)
{
	baton_call(from_thread, (void *)(uintptr_t)n);
}

static void *echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[4096];
	ssize_t n;

	while ((n = baton_recv(fd, buf, sizeof(buf), 0)) > 0)
		if (baton_send(fd, buf, (size_t)n, 0) != n)
			break;
	baton_close(fd);
	return NULL;
}

static void *serve(void *arg)
{
	uint16_t port = (uint16_t)(uintptr_t)arg;
	int one = 1, listening = eloop_listen(&port), fd;

	peer_check(listening >= 0, "listen");
	for (;;) {
		fd = baton_accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		peer_check(fd >= 0, "accept");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		peer_check(!baton_spawn(NULL, NULL, echo,
					(void *)(intptr_t)fd), "spawn");
	}
}

static const struct peer_row rows[] = {
	{ "yield", 1, 2, yield_row },
	{ "spawn", 1, 1, spawn_row },
	{ "batch", 1, 10000, batch_row },
	{ "chan1", 1, 1, chan_row },
	{ "chan2", 2, 1, chan_row },
	{ "skynet1", 1, 1000000, skynet_row },
	{ "skynet2", 2, 1000000, skynet_row },
	{ "mutex", 1, 4, mutex_row },
	{ "call", 1, 1, call_row },
	{ "callback", 1, 1, callback_row },
	{ "foreign", 1, 1, foreign_row },
	{ NULL, 0, 0, NULL }
};

static void *first(void *row)
{
	peer_measure(row);
	return NULL;
}

int main(int argc, char **argv)
{
	int serves = argc > 2 && !strcmp(argv[1], "echo");
	const struct peer_row *row = serves ? rows : peer_row(rows, argv[1]);
	struct baton_config *cfg;

	peer_check(!baton_config_create(&cfg) &&
		   !baton_config_set_nprocs(cfg, row->workers), "configuration");
	if (serves)
		baton_run(cfg, serve, (void *)(uintptr_t)atoi(argv[2]), NULL);
	else
		baton_run(cfg, first, (void *)row, NULL);
	baton_config_destroy(cfg);
	return 0;
}
