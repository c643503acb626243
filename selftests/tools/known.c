// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * known.c - a program whose truth is known, for tools that look at it.
 *
 * usage: known states	ten fibers in ten states, until standard input ends
 *	  known spawns N	N fibers are spawned, and joined
 *	  known cancels N	N fibers that park are canceled, and joined
 *	  known slices N	one computes until N slices were over at
 *			least, and another one wants to run; says how many
 *	  known blocks N	N foreign calls of 3 ms each, and two
 *			fibers that wake each other as often, from standard
 *			input's end on
 *	  known stays N	the same, after which it is ready once more, and
 *			waits to be killed
 *	  known sites N	N foreign calls of 3 ms each; then it is ready, and
 *			says what baton_profile() has of them: count, total
 *			and longest
 *	  known storm	fibers that yield, until standard input ends
 */
#include <baton/baton.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define load(p)		__atomic_load_n(p, __ATOMIC_SEQ_CST)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_SEQ_CST)

static struct baton_mutex mutex;
static struct baton_chan chan;
static struct baton_fiber *parked;
static int pipe_fds[2], wakes[2];
static int calling, called_back, over;
static unsigned long count;

static void check(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "known: %s: %s (%s)\n", what, strerror(-err),
			baton_reason());
		exit(1);
	}
}

static struct baton_fiber *spawn(const char *name, baton_fn fn)
{
	struct baton_attr *attr;
	struct baton_fiber *f;

	check(baton_attr_create(&attr), "attributes");
	check(baton_attr_set_name(attr, name), "name");
	check(baton_spawn(&f, attr, fn, NULL), "spawn");
	baton_attr_destroy(attr);
	return f;
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* --- states ------------------------------------------------------------ */

static void *parks(void *arg)
{
	baton_mutex_lock(&mutex);
	baton_park();
	return arg;
}

static void *parks_alone(void *arg)
{
	baton_park();
	return arg;
}

static void *joins(void *arg)
{
	baton_join(parked, NULL);
	return arg;
}

static void *sleeps(void *arg)
{
	baton_sleep(INT64_C(3600000000000));
	return arg;
}

static void *locks(void *arg)
{
	baton_mutex_lock(&mutex);
	return arg;
}

static void *receives(void *arg)
{
	baton_chan_recv(&chan, &arg);
	return arg;
}

static void *reads(void *arg)
{
	char c;

	baton_read(pipe_fds[0], &c, 1);
	return arg;
}

static void block_long(void *arg)
{
	char c;

	(void)arg;
	store(&calling, 1);
	if (read(wakes[0], &c, 1) < 0)
		return;
}

static void *calls(void *arg)
{
	baton_call(block_long, NULL);
	return arg;
}

static void park_in_callback(void *arg)
{
	(void)arg;
	store(&called_back, 1);
	baton_park();
}

static void call_back(void *arg)
{
	baton_callback(park_in_callback, arg);
}

static void *calls_back(void *arg)
{
	baton_call(call_back, NULL);
	return arg;
}

static void *never_runs(void *arg)
{
	return arg;
}

static void *input(void *arg)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	store(&over, 1);
	return arg;
}

static void *states(void *arg)
{
	pthread_t thread;

	baton_set_name("runs");
	check(-pipe(pipe_fds), "pipe");
	check(-pipe(wakes), "pipe");
	check(-fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), "fcntl");
	check(baton_chan_init(&chan, sizeof(void *), 0, NULL), "channel");
	parked = spawn("parks", parks);
	for (int i = 0; i < 4; i++)
		baton_yield();
	spawn("joins", joins);
	spawn("sleeps", sleeps);
	spawn("locks", locks);
	spawn("receives", receives);
	spawn("reads", reads);
	spawn("calls", calls);
	spawn("calls back", calls_back);
	while (!load(&calling) || !load(&called_back))
		baton_yield();
	for (int i = 0; i < 200; i++)
		baton_yield();
	spawn("queued", never_runs);
	check(-pthread_create(&thread, NULL, input, NULL), "thread");
	ready();
	while (!load(&over))
		;
	_exit(0);
	return arg;
}

/* --- spawns ------------------------------------------------------------ */

static void *spawns(void *arg)
{
	for (unsigned long i = 0; i < count; i++)
		check(baton_join(spawn("short", never_runs), NULL), "join");
	return arg;
}

/* --- cancels ----------------------------------------------------------- */

static void *cancels(void *arg)
{
	for (unsigned long i = 0; i < count; i++) {
		struct baton_fiber *f = spawn("canceled", parks_alone);

		check(baton_cancel(f), "cancel");
		check(baton_join(f, NULL), "join");
	}
	return arg;
}

/* --- slices ------------------------------------------------------------ */

static unsigned long sliced(void)
{
	struct baton_stats st;

	check(baton_stats(&st, sizeof(st)), "stats");
	return (unsigned long)st.sliced;
}

static void *computes(void *arg)
{
	while (sliced() < count)
		;
	store(&over, 1);
	return arg;
}

static void *slices(void *arg)
{
	struct baton_fiber *f = spawn("computes", computes);

	while (!load(&over))
		baton_yield();
	check(baton_join(f, NULL), "join");
	printf("times %lu\n", sliced());
	fflush(stdout);
	return arg;
}

/* --- blocks ------------------------------------------------------------ */

static void block_3ms(void *arg)
{
	(void)arg;
	usleep(3000);
}

static void *blocks(void *arg)
{
	for (unsigned long i = 0; i < count; i++)
		check(baton_call(block_3ms, NULL), "call");
	return arg;
}

static void *wakes_other(void *arg)
{
	for (unsigned long i = 0; i < count; i++) {
		check(baton_ready(parked), "ready");
		baton_sleep(1000000);
	}
	return arg;
}

static void *is_woken(void *arg)
{
	for (unsigned long i = 0; i < count; i++)
		baton_park();
	return arg;
}

static void wait_input(void *arg)
{
	input(arg);
}

static void *site(void *arg)
{
	struct baton_fiber *blocker, *waker;

	ready();
	baton_call(wait_input, NULL);
	parked = spawn("woken", is_woken);
	waker = spawn("waker", wakes_other);
	blocker = spawn("blocker", blocks);
	check(baton_join(blocker, NULL), "join");
	check(baton_join(waker, NULL), "join");
	check(baton_join(parked, NULL), "join");
	return arg;
}

static void wait_killed(void *arg)
{
	(void)arg;
	pause();
}

static void *stays(void *arg)
{
	site(arg);
	ready();
	baton_call(wait_killed, NULL);
	return arg;
}

/* --- sites ------------------------------------------------------------- */

#define PLACES	64

/* All zero: it has not been seen to block. */
static struct baton_profile find_site(void (*fn)(void *arg))
{
	struct baton_profile places[PLACES];
	int n = baton_profile(places, PLACES, sizeof(*places));

	check(n < 0 ? n : 0, "profile");
	for (int i = 0; i < n && i < PLACES; i++)
		if (places[i].fn == (uintptr_t)fn)
			return places[i];
	return (struct baton_profile){ 0 };
}

/* As many as there are to be; and more, until one of them was seen. */
static void *blocks_then_over(void *arg)
{
	blocks(arg);
	while (!find_site(block_3ms).count)
		check(baton_call(block_3ms, NULL), "call");
	store(&over, 1);
	return arg;
}

static void *sites(void *arg)
{
	struct baton_fiber *blocker = spawn("blocker", blocks_then_over);
	struct baton_profile p;

	/* For whom processors are taken. */
	while (!load(&over))
		baton_yield();
	check(baton_join(blocker, NULL), "join");
	p = find_site(block_3ms);
	printf("ready %llu %llu %llu\n", (unsigned long long)p.count,
	       (unsigned long long)p.total, (unsigned long long)p.longest);
	fflush(stdout);
	baton_call(wait_input, NULL);
	return arg;
}

/* --- storm ------------------------------------------------------------- */

static void *yields(void *arg)
{
	while (!load(&over))
		baton_yield();
	return arg;
}

static void *storm(void *arg)
{
	pthread_t thread;

	check(-pthread_create(&thread, NULL, input, NULL), "thread");
	check(baton_spawn(NULL, NULL, yields, NULL), "spawn");
	ready();
	yields(NULL);
	pthread_join(thread, NULL);
	return arg;
}

int main(int argc, char **argv)
{
	struct baton_config *cfg;
	const char *what = argc > 1 ? argv[1] : "";
	baton_fn fn = !strcmp(what, "states") ? states :
		      !strcmp(what, "spawns") ? spawns :
		      !strcmp(what, "cancels") ? cancels :
		      !strcmp(what, "slices") ? slices :
		      !strcmp(what, "blocks") ? site :
		      !strcmp(what, "stays")  ? stays :
		      !strcmp(what, "sites")  ? sites :
		      !strcmp(what, "storm")  ? storm : NULL;

	count = argc > 2 ? strtoul(argv[2], NULL, 0) : 100;
	if (!fn) {
		fputs("usage: known states|spawns|cancels|slices|blocks|stays|sites|"
		      "storm [N]\n", stderr);
		return 2;
	}
	check(baton_config_create(&cfg), "options");
	check(baton_config_set_nprocs(cfg, 1), "one processor");
	if (fn == slices)
		check(baton_config_set_slice(cfg, 10), "slice");
	check(baton_run(cfg, fn, NULL, NULL), "run");
	baton_config_destroy(cfg);
	return 0;
}
