// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * scale.c - does a hand-off cost more where there is more of all? no test
 *
 * Of two workers one blocks in a foreign call, and the other, who is a standby,
 * gets its processor, ends that block, waits until the first is a standby, and
 * blocks in turn. Beside them are processors that others hold, and workers that
 * have lost theirs, and sleep. What a turn takes, with work to be found at once,
 * and in the queue that is looked at last; what it takes if they pass the
 * processor on by SWAP; and what a block takes that finds no work. In
 * nanoseconds; instructions, where those are counted:
 *
 *	selftests/vm/run -i -k 6.12 -t 0 -- build/selftests/kmod/scale
 *
 * With a number: so many processors, and four workers for each, block for some
 * 20 us again and again, until each processor has been lost 1,000 times; for
 * locks.sh, which looks at what the locks have to say about it.
 */
#include "common.h"

#define TURNS	4000
#define BEGIN	(TURNS / 10)	/* they are not counted */

enum way { GLOBAL, LAST_QUEUE, SWAP, IDLE };

struct pair {
	struct inst in;
	enum way way;
	uint32_t turns;
	uint64_t begin, end;
	int pipe[2][2];
};

static void die(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

/* A turn is over; false: it was the last one */
static bool turn(struct pair *p)
{
	if (p->turns == BEGIN)
		p->begin = now_ns();
	if (p->turns++ < BEGIN + TURNS)
		return true;
	if (!p->end)
		p->end = now_ns();
	return false;
}

/* Blocks until the other ends that; false: which came first */
static bool block(struct worker *w)
{
	struct pair *p = w->arg;
	char c;

	slot_enter(worker_slot(w), 0, BATON_FOREIGN);
	if (read(p->pipe[w->num][0], &c, 1) != 1)
		abort();
	return slot_leave(worker_slot(w)) == BATON_TAKEN;
}

static void take_turns(struct worker *w)
{
	struct pair *p = w->arg;

	for (;;) {
		if (slot_park(w->in, worker_slot(w), 0) < 0)
			return;
		/* In the first turn the other has not blocked yet */
		if (!load(&w->in->h->nstandby))
			pipe_put(p->pipe[!w->num][1], 0);
		while (!load(&w->in->h->nstandby))
			sched_yield();
		if (!turn(p))
			break;
		if (!block(w))
			die("a block was not handed off", -EIO);
	}
	inst_stop(w->in);
}

static void swap(struct worker *w)
{
	int ret = slot_park(w->in, worker_slot(w), 0);

	while (ret >= 0 && turn(w->arg))
		ret = inst_swap(w->in, 0, 0, BATON_ANY);
	inst_stop(w->in);
}

/* The other is no worker, and answers */
static void lose(struct worker *w)
{
	struct pair *p = w->arg;

	while (turn(p)) {
		pipe_put(p->pipe[1][1], 0);
		if (block(w) && !idle_claim(w->in, 0))
			die("it is not idle", -EIO);
	}
	close(p->pipe[1][1]);
}

static void *answer(void *arg)
{
	struct sched_param param = { 0 };
	struct pair *p = arg;
	char c;

	/* So that it does not preempt who is about to block */
	sched_setscheduler(0, SCHED_BATCH, &param);
	while (read(p->pipe[1][0], &c, 1) == 1)
		pipe_put(p->pipe[0][1], 0);
	return NULL;
}

/* A fiber in the queue of the last processor */
static void queue_last(struct inst *in)
{
	uint32_t last = in->nprocs - 1;

	store(&in->procs[last].tail, 1);
	store(&in->h->queued[last / 64], 1ull << last % 64);
}

static double measure(struct inst *in, enum way way)
{
	struct pair p = { .in = *in, .way = way };
	struct worker w[2];
	pthread_t thread;
	uint32_t proc;
	int i;

	if (pipe(p.pipe[0]) || pipe(p.pipe[1]))
		die("pipe", -errno);
	for (proc = 0; proc < in->nprocs; proc++)
		idle_claim(in, proc);
	store(&in->h->nglobal, way == GLOBAL);
	if (way == LAST_QUEUE)
		queue_last(in);
	if (way == IDLE && thread_start(&thread, answer, &p))
		die("thread", -EAGAIN);
	for (i = 0; i < (way == IDLE ? 1 : 2); i++) {
		w[i].num = i;
		w[i].stays = false;
		if (worker_start(&w[i], in, way == SWAP ? swap :
				 way == IDLE ? lose : take_turns, &p) < 0)
			die("worker", -EAGAIN);
	}
	if (way != IDLE) {
		wait_standbys(in, 2);
		inst_wake(in, 0, BATON_ANY);
	}
	while (i--)
		pthread_join(w[i].thread, NULL);
	if (way == IDLE)
		pthread_join(thread, NULL);
	for (i = 0; i < 2; i++) {
		close(p.pipe[i][0]);
		if (way != IDLE || !i)
			close(p.pipe[i][1]);
	}
	return (double)(p.end - p.begin) / TURNS;
}

/* One of the crowd: in a foreign call, without a processor, until it is over */
static void sleep_on(struct worker *w)
{
	struct baton_slot *slot = worker_slot(w);
	char c;

	store(&slot->taken, BATON_TAKEN);
	store(&slot->state, BATON_FOREIGN);
	if (read(*(int *)w->arg, &c, 1))
		abort();
	store(&slot->state, BATON_RUNTIME);
}

static double beside(uint32_t nprocs, uint32_t blocked, enum way way)
{
	struct worker *crowd = calloc(blocked, sizeof(*crowd));
	struct inst in;
	int fd[2];
	uint32_t i;
	double ns;

	if (!crowd || pipe(fd) || inst_open(&in, nprocs, blocked + 2))
		die("instance", -EIO);
	for (i = 0; i < blocked; i++) {
		if (worker_start(&crowd[i], &in, sleep_on, &fd[0]) < 0)
			die("crowd", -EAGAIN);
	}
	wait_blocked(crowd[blocked - 1].tid);
	ns = measure(&in, way);
	close(fd[1]);
	for (i = 0; i < blocked; i++)
		pthread_join(crowd[i].thread, NULL);
	close(fd[0]);
	inst_close(&in);
	free(crowd);
	return ns;
}

struct storm {
	uint32_t lost;
	uint32_t over;
};

static void run_storm(struct worker *w)
{
	struct baton_slot *slot = worker_slot(w);
	struct storm *s = w->arg;
	uint64_t seed = w->num;
	int p;

	while ((p = slot_park(w->in, slot, 0)) >= 0) {
		do {
			if (load(&s->over))
				return;
			/* Longer than it blocks, so that others can be back */
			spin(100000);
			slot_enter(slot, p, BATON_FOREIGN);
			block_ns(10000 + rnd(&seed) % 20000);
		} while (slot_leave(slot) != BATON_TAKEN);
		inc(&s->lost);
	}
}

static void storm(uint32_t nprocs)
{
	uint32_t n = 4 * nprocs, i;
	struct worker *w = calloc(n, sizeof(*w));
	struct storm s = { 0 };
	struct baton_counts c;
	struct inst in;

	if (!w || inst_open(&in, nprocs, n))
		die("instance", -EIO);
	store(&in.h->nglobal, 1);
	idle_set(&in, 0);
	for (i = 0; i < n; i++) {
		w[i].num = i;
		if (worker_start(&w[i], &in, run_storm, &s) < 0)
			die("worker", -EAGAIN);
	}
	while (load(&s.lost) < 1000 * nprocs)
		block_ns(10000000);
	store(&s.over, 1);
	inst_counts(&in, &c);
	inst_stop(&in);
	for (i = 0; i < n; i++)
		pthread_join(w[i].thread, NULL);
	inst_close(&in);
	free(w);
	printf("%u processors, %llu hand-offs, %llu starved, %llu parks\n",
	       nprocs, (unsigned long long)c.handoffs,
	       (unsigned long long)c.starved, (unsigned long long)c.parks);
}

int main(int argc, char **argv)
{
	static const uint32_t size[][2] = {
		{ 1, 10 }, { 8, 10 }, { 64, 10 }, { 256, 10 }, { 1, 100 },
		{ 1, 1000 }, { 1, 10000 }, { 256, 10000 },
	};
	unsigned int i, way;

	if (argc > 1) {
		storm(atoi(argv[1]));
		return 0;
	}
	printf("%10s %8s %9s %9s %9s %9s\n", "processors", "blocked",
	       "hand-off", "last", "swap", "idle");
	/* The first after boot is off */
	beside(1, 10, GLOBAL);
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		printf("%10u %8u", size[i][0], size[i][1]);
		for (way = GLOBAL; way <= IDLE; way++)
			printf(" %9.0f", beside(size[i][0], size[i][1], way));
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
