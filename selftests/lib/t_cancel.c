// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_cancel.c - cancels of fibers that block in foreign calls: each is seen as
 * one EINTR, in the call that it was meant for.
 */
#include "common.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

/* Later than any test takes. */
#define LONG (1000 * BATON_SEC)

/* --- calls that block ---------------------------------------------------- */

enum kind {
	READ,
	NANOSLEEP,
	FUTEX,
	POLL,
	SEM_WAIT,
	KINDS
};

/**
 * struct blocks - a call that blocks
 * @kind:   in what
 * @ns:     for so long, if it can; otherwise, and if negative, for ever
 * @fds:    a pipe that stays empty
 * @inside: 1: it is about to
 */
struct blocks {
	enum kind kind;
	long ns;
	int fds[2];
	int inside;
	int word;
	sem_t sem;
};

static void blocks_init(struct blocks *b)
{
	memset(b, 0, sizeof(*b));
	b->ns = -1;
	expect_eq(pipe(b->fds), 0);
	expect_eq(sem_init(&b->sem, 0, 0), 0);
}

static void blocks_uninit(struct blocks *b)
{
	close(b->fds[0]);
	close(b->fds[1]);
	sem_destroy(&b->sem);
}

static void block(void *arg)
{
	struct blocks *b = arg;
	long ns = b->ns < 0 ? (long)(LONG / 2) : b->ns;
	struct timespec ts = {ns / BATON_SEC, ns % BATON_SEC};
	struct pollfd fd = {.fd = b->fds[0], .events = POLLIN};
	char c;

	store(&b->inside, 1);
	switch (b->kind) {
	case READ:
		(void)!read(b->fds[0], &c, 1);
		break;
	case NANOSLEEP:
		nanosleep(&ts, NULL);
		break;
	case FUTEX:
		syscall(SYS_futex, &b->word, FUTEX_WAIT_PRIVATE, 0,
			b->ns < 0 ? NULL : &ts, NULL, 0);
		break;
	case POLL:
		ppoll(&fd, 1, b->ns < 0 ? NULL : &ts, NULL);
		break;
	case SEM_WAIT:
		sem_wait(&b->sem);
		break;
	case KINDS:
		break;
	}
}

/* As a foreign call; its errno. */
static int blocks(struct blocks *b, enum kind kind, long ns)
{
	b->kind = kind;
	b->ns = ns;
	store(&b->inside, 0);
	return baton_call(block, b);
}

/* A call that nobody cancels. */
static void undisturbed(void)
{
	struct blocks b = {0};

	expect_eq(baton_canceled(), 0);
	expect_eq(blocks(&b, NANOSLEEP, 300000), 0);
	expect_eq(baton_sleep(1000), 0);
}

/* --- one of each kind ---------------------------------------------------- */

struct victim {
	struct blocks b;
	bool locked;
	int go;
	int left;
};

static void *every_kind(void *arg)
{
	struct victim *v = arg;

	if (v->locked)
		expect_eq(baton_thread_lock(), 0);
	for (int kind = 0; kind < KINDS; kind++) {
		/* Once when the cancel is due already, and once when not. */
		for (int due = 1; due >= 0; due--) {
			while (due && !baton_canceled())
				baton_yield();
			expect_eq(blocks(&v->b, (enum kind)kind, -1), EINTR);
			undisturbed();
			add(&v->left, 1);
			while (load(&v->go) < load(&v->left))
				baton_yield();
		}
	}
	return NULL;
}

static void *cancels_every_kind(void *arg)
{
	struct victim v = {.locked = arg};
	struct baton_fiber *f;

	blocks_init(&v.b);
	f = spawn(every_kind, &v);
	for (int i = 0; i < 2 * KINDS; i++) {
		if (i % 2)
			yield_until(&v.b.inside);
		expect_eq(baton_cancel(f), 0);
		while (load(&v.left) <= i)
			baton_yield();
		store(&v.b.inside, 0);
		store(&v.go, i + 1);
	}
	join(f);
	blocks_uninit(&v.b);
	return NULL;
}

START_TEST(kinds)
{
	run_on(nprocs_list[_i], cancels_every_kind, NULL);
}
END_TEST

START_TEST(locked)
{
	run_on(nprocs_list[_i], cancels_every_kind, (void *)1);
}
END_TEST

/* --- at random ----------------------------------------------------------- */

/*
 * None lost, none early, none for others: a partner sends the next cancel only
 * when the last was seen, so an EINTR with none on its way is one too many, and
 * one that never comes leaves the fiber blocked. Between them are calls that end
 * by themselves, and waits in the library.
 */
#define VICTIMS 8

struct random_victim {
	struct blocks b;
	struct baton_fiber *fiber;
	struct baton_fiber *partner;
	int rounds;
	int sent;
	int seen;
	int strays;
};

static int random_wait(struct random_victim *v, uint32_t *seed)
{
	uint32_t r = random_next(seed);
	enum kind kind = (enum kind)(r % KINDS);

	switch (r / 64 % 4) {
	case 0: /* ends by itself */
		if (kind == READ || kind == SEM_WAIT)
			kind = NANOSLEEP;
		return blocks(&v->b, kind, random_next(seed) % 100000);
	case 1:
		return baton_sleep(random_next(seed) % 100000) ? EINTR : 0;
	default:
		return blocks(&v->b, kind, -1);
	}
}

static void *suffers(void *arg)
{
	struct random_victim *v = arg;
	uint32_t seed = (uint32_t)(uintptr_t)v;

	while (v->seen < v->rounds) {
		int err = random_wait(v, &seed);

		if (err != EINTR)
			continue;
		if (load(&v->sent) != v->seen + 1) {
			v->strays++;
			continue;
		}
		expect_eq(baton_canceled(), 0);
		add(&v->seen, 1);
		expect_eq(baton_ready(v->partner), 0);
	}
	return NULL;
}

static void *cancels_at_random(void *arg)
{
	struct random_victim *v = arg;
	uint32_t seed = ~(uint32_t)(uintptr_t)v;

	v->partner = baton_self();
	v->fiber = spawn(suffers, v);
	for (int i = 0; i < v->rounds; i++) {
		while (load(&v->seen) != i)
			expect_eq(baton_park(), 0);
		for (uint32_t n = random_next(&seed) % 8; n; n--)
			baton_yield();
		if (random_next(&seed) % 2)
			baton_sleep(random_next(&seed) % 50000);
		add(&v->sent, 1);
		expect_eq(baton_cancel(v->fiber), 0);
	}
	join(v->fiber);
	return NULL;
}

static void *all_at_random(void *arg)
{
	static struct random_victim v[VICTIMS];
	struct baton_fiber *f[VICTIMS];
	unsigned long n = env_number("BATON_TEST_CANCELS", scaled(8000));

	memset(v, 0, sizeof(v));
	for (int i = 0; i < VICTIMS; i++) {
		blocks_init(&v[i].b);
		v[i].rounds = (int)(n / VICTIMS + 1);
		f[i] = spawn(cancels_at_random, &v[i]);
	}
	for (int i = 0; i < VICTIMS; i++) {
		join(f[i]);
		expect_eq(v[i].strays, 0);
		expect_eq(v[i].seen, v[i].sent);
		blocks_uninit(&v[i].b);
	}
	return arg;
}

START_TEST(at_random)
{
	run_on(nprocs_list[_i], all_at_random, NULL);
}
END_TEST

/* --- masks, computing, retries ------------------------------------------- */

static void *masked(void *arg)
{
	struct blocks *b = arg;

	expect_eq(baton_cancel_mask(), 0);
	do
		expect_eq(blocks(b, NANOSLEEP, 10 * BATON_MSEC), 0);
	while (!baton_canceled());
	expect_eq(blocks(b, NANOSLEEP, BATON_MSEC), 0);
	expect_eq(baton_cancel_unmask(), 0);
	expect_eq(blocks(b, READ, -1), EINTR);
	undisturbed();
	return NULL;
}

/* Unmasked in a callback, which the call then goes on from. */
static void unmask(void *arg)
{
	struct blocks *b = arg;

	while (!baton_canceled())
		expect_eq(baton_yield(), 0);
	expect_eq(baton_cancel_unmask(), 0);
	expect_eq(blocks(b, READ, -1), EINTR);
	expect_eq(baton_cancel_mask(), 0);
	store(&b->word, 1);
	while (!baton_canceled())
		expect_eq(baton_yield(), 0);
	expect_eq(baton_cancel_unmask(), 0);
}

static void calls_unmask(void *arg)
{
	struct blocks *b = arg;

	expect_eq(baton_callback(unmask, arg), 0);
	b->kind = POLL;
	block(b);
}

static void *masked_outside(void *arg)
{
	expect_eq(baton_cancel_mask(), 0);
	expect_eq(baton_call(calls_unmask, arg), EINTR);
	undisturbed();
	return NULL;
}

static void *cancels_masked(void *arg)
{
	struct blocks b;
	struct baton_fiber *f;

	blocks_init(&b);
	f = spawn(masked, &b);
	yield_until(&b.inside);
	expect_eq(baton_cancel(f), 0);
	join(f);
	f = spawn(masked_outside, &b);
	baton_yield();
	expect_eq(baton_cancel(f), 0);
	yield_until(&b.word);
	expect_eq(baton_cancel(f), 0);
	join(f);
	blocks_uninit(&b);
	return arg;
}

START_TEST(masks)
{
	run_on(nprocs_list[_i], cancels_masked, NULL);
}
END_TEST

struct work {
	int inside;
	int stop;
	int tries;
};

static void computes(void *arg)
{
	struct work *w = arg;

	store(&w->inside, 1);
	while (!load(&w->stop))
		;
}

static void retries(void *arg)
{
	struct work *w = arg;
	struct timespec ts = {1000, 0};

	while (w->tries < 5 && nanosleep(&ts, NULL) && errno == EINTR)
		add(&w->tries, 1);
	errno = 0;
}

static void *works(void *arg)
{
	struct work *w = arg;

	/* It has not heard of it, so that the next wait does. */
	expect_eq(baton_call(computes, w), 0);
	expect_eq(baton_sleep(LONG), -ECANCELED);
	expect_eq(baton_canceled(), 0);
	/* A call that will not hear is told again; then the next wait is. */
	store(&w->stop, 2);
	expect_eq(baton_call(retries, w), 0);
	expect_eq(w->tries, 5);
	expect_eq(baton_canceled(), 1);
	expect_eq(baton_park(), -ECANCELED);
	undisturbed();
	return NULL;
}

static void *cancels_work(void *arg)
{
	struct work w = {0};
	struct baton_fiber *f = spawn(works, &w);

	yield_until(&w.inside);
	expect_eq(baton_cancel(f), 0);
	/* Long enough for signals to come. */
	baton_sleep(5 * BATON_MSEC);
	store(&w.stop, 1);
	while (load(&w.stop) != 2)
		baton_yield();
	expect_eq(baton_cancel(f), 0);
	join(f);
	return arg;
}

START_TEST(unheard)
{
	run_on(4, cancels_work, NULL);
}
END_TEST

/* --- callbacks, panics --------------------------------------------------- */

struct nest {
	struct blocks b;
	int stage;
};

static void inner(void *arg)
{
	struct nest *n = arg;
	struct timespec ts = {.tv_nsec = 3000000};

	/* The innermost call is the one. */
	expect_eq(blocks(&n->b, READ, -1), EINTR);
	undisturbed();
	store(&n->stage, 1);
	while (!baton_canceled())
		expect_eq(baton_yield(), 0);
	/* Nor is it fiber code's affair, even if it blocks. */
	expect_eq(nanosleep(&ts, NULL), 0);
	expect_eq(baton_canceled(), 1);
}

static void outer(void *arg)
{
	struct nest *n = arg;
	expect_eq(baton_callback(inner, n), 0);
	n->b.kind = POLL;
	n->b.ns = -1;
	block(&n->b);
	expect_eq(errno, EINTR);
}

static void *nests(void *arg)
{
	expect_eq(baton_call(outer, arg), EINTR);
	undisturbed();
	return NULL;
}

static void *cancels_nested(void *arg)
{
	struct nest n = {0};
	struct baton_fiber *f;

	blocks_init(&n.b);
	f = spawn(nests, &n);
	yield_until(&n.b.inside);
	expect_eq(baton_cancel(f), 0);
	yield_until(&n.stage);
	expect_eq(baton_cancel(f), 0);
	join(f);
	blocks_uninit(&n.b);
	return arg;
}

START_TEST(nested)
{
	run_on(nprocs_list[_i], cancels_nested, NULL);
}
END_TEST

static void panics(void *arg)
{
	struct nest *n = arg;

	expect_eq(blocks(&n->b, READ, -1), EINTR);
	store(&n->stage, 1);
	while (!baton_canceled())
		expect_eq(baton_yield(), 0);
	baton_panic(arg, "in a test");
}

static void calls_panics(void *arg)
{
	baton_callback(panics, arg);
}

static void tries_it(void *arg)
{
	baton_call(calls_panics, arg);
}

static void *survives(void *arg)
{
	struct nest *n = arg;
	void *value = NULL;

	expect_eq(baton_try(tries_it, arg, &value), 1);
	expect(value == arg);
	/* What it had not heard of is due as before. */
	expect_eq(baton_canceled(), 1);
	expect_eq(blocks(&n->b, POLL, -1), EINTR);
	undisturbed();
	return NULL;
}

static void *cancels_panics(void *arg)
{
	struct nest n = {0};
	struct baton_fiber *f;

	blocks_init(&n.b);
	f = spawn(survives, &n);
	yield_until(&n.b.inside);
	expect_eq(baton_cancel(f), 0);
	yield_until(&n.stage);
	expect_eq(baton_cancel(f), 0);
	join(f);
	blocks_uninit(&n.b);
	return arg;
}

START_TEST(panicked)
{
	run_on(nprocs_list[_i], cancels_panics, NULL);
}
END_TEST

/* --- threads ------------------------------------------------------------- */

struct sleeper {
	int inside;
	int err;
};

static void sleeps(void *arg)
{
	struct sleeper *s = arg;

	store(&s->inside, 1);
	s->err = baton_sleep(LONG);
}

/* Waits in the library by foreign code are the fiber's as well. */
static void *sleeps_in_calls(void *arg)
{
	struct sleeper *s = arg;

	for (int i = 0; i < 2; i++) {
		while (i && !baton_canceled())
			baton_yield();
		expect_eq(baton_call(sleeps, s), 0);
		expect_eq(s->err, -ECANCELED);
		undisturbed();
		store(&s->inside, 2);
		while (load(&s->inside) == 2)
			baton_yield();
	}
	return NULL;
}

static void *cancels_sleepers(void *arg)
{
	struct sleeper s = {0};
	struct baton_fiber *f = spawn(sleeps_in_calls, &s);

	for (int i = 0; i < 2; i++) {
		if (!i)
			yield_until(&s.inside);
		expect_eq(baton_cancel(f), 0);
		while (load(&s.inside) != 2)
			baton_yield();
		store(&s.inside, 3);
	}
	join(f);
	return arg;
}

START_TEST(waits_in_calls)
{
	run_on(nprocs_list[_i], cancels_sleepers, NULL);
}
END_TEST

/* A thread that the library did not make, in a callback. */
struct stranger {
	struct blocks b;
	struct baton_fiber *fiber;
	pthread_t thread;
	int known;
	int heard;
	int done;
};

static void blocks_as_guest(void *arg)
{
	struct stranger *s = arg;

	s->fiber = baton_self();
	store(&s->known, 1);
	expect_eq(blocks(&s->b, SEM_WAIT, -1), EINTR);
	undisturbed();
	store(&s->heard, 1);
	yield_until(&s->done);
}

static void *stranger(void *arg)
{
	struct timespec ts = {.tv_nsec = 1000000};

	expect_eq(baton_callback(blocks_as_guest, arg), 0);
	expect_eq(nanosleep(&ts, NULL), 0);
	return NULL;
}

static void start_stranger(void *arg)
{
	struct stranger *s = arg;

	expect_eq(pthread_create(&s->thread, NULL, stranger, s), 0);
}

static void join_stranger(void *arg)
{
	struct stranger *s = arg;

	pthread_join(s->thread, NULL);
}

static void *cancels_stranger(void *arg)
{
	struct stranger s = {0};

	blocks_init(&s.b);
	expect(baton_call(start_stranger, &s) >= 0);
	yield_until(&s.known);
	expect_eq(baton_cancel(s.fiber), 0);
	yield_until(&s.heard);
	store(&s.done, 1);
	expect(baton_call(join_stranger, &s) >= 0);
	blocks_uninit(&s.b);
	return arg;
}

START_TEST(adopted)
{
	run_on(nprocs_list[_i], cancels_stranger, NULL);
}
END_TEST

/* --- what the program does with the signal ------------------------------- */

static int urgent;

static void on_urgent(int sig)
{
	(void)sig;
	add(&urgent, 1);
}

static void blocks_the_signal(void *arg)
{
	struct blocks *b = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	block(b);
	while (!load(&b->word))
		block(b);
	errno = 0;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void blocks_and_leaves(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	block(arg);
}

static void none_pending(void *arg)
{
	sigset_t set;

	sigpending(&set);
	expect(!sigismember(&set, SIGURG));
	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void)arg;
}

static void *blocked_signal(void *arg)
{
	struct blocks *b = arg;

	b->kind = NANOSLEEP;
	b->ns = 5 * BATON_MSEC;
	expect_eq(baton_thread_lock(), 0);
	/* It comes when it is let in, which is within this call. */
	expect_eq(baton_call(blocks_the_signal, b), 0);
	expect_eq(baton_canceled(), 1);
	/* Never let in: taken off the queue on the way home. */
	expect_eq(baton_call(blocks_and_leaves, b), 0);
	expect_eq(baton_cancel_mask(), 0);
	expect_eq(baton_call(none_pending, b), 0);
	expect_eq(baton_cancel_unmask(), 0);
	expect_eq(baton_canceled(), 1);
	expect_eq(blocks(b, READ, -1), EINTR);
	undisturbed();
	expect_eq(baton_thread_unlock(), 0);
	return NULL;
}

static void *cancels_blocked_signal(void *arg)
{
	struct blocks b;
	struct baton_fiber *f;

	blocks_init(&b);
	f = spawn(blocked_signal, &b);
	yield_until(&b.inside);
	expect_eq(baton_cancel(f), 0);
	store(&b.word, 1);
	join(f);
	blocks_uninit(&b);
	return arg;
}

START_TEST(signal_blocked)
{
	run_on(nprocs_list[_i], cancels_blocked_signal, NULL);
}
END_TEST

static void raises(void *arg)
{
	(void)arg;
	raise(SIGURG);
}

/* The program's own handler hears of its own signals, and of them alone. */
static void *cancels_and_raises(void *arg)
{
	cancels_every_kind(NULL);
	expect_eq(urgent, 0);
	expect(baton_call(raises, NULL) >= 0);
	expect_eq(urgent, 1);
	return arg;
}

static void *sets_handler(void *arg)
{
	struct sigaction act = {.sa_handler = on_urgent};

	cancels_every_kind(NULL);
	/* Over ours: it must not be SA_RESTART, but may be anything else. */
	expect_eq(sigaction(SIGURG, &act, NULL), 0);
	cancels_every_kind(NULL);
	expect(urgent >= 2 * KINDS);
	return arg;
}

START_TEST(programs_handler)
{
	struct sigaction act = {.sa_handler = on_urgent}, now;

	expect_eq(sigaction(SIGURG, &act, NULL), 0);
	run_on(2, cancels_and_raises, NULL);
	expect_eq(sigaction(SIGURG, NULL, &now), 0);
	expect(now.sa_handler == on_urgent);
	signal(SIGURG, SIG_DFL);
	urgent = 0;
	run_on(2, sets_handler, NULL);
	expect_eq(sigaction(SIGURG, NULL, &now), 0);
	expect(now.sa_handler == on_urgent);
}
END_TEST

/* A program whose signals are all for one thread of it, in sigwait(). */
START_TEST(all_blocked)
{
	sigset_t set, now;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	run_on(nprocs_list[_i], cancels_every_kind, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	expect(sigismember(&now, SIGURG));
	sigpending(&now);
	expect(!sigismember(&now, SIGURG));
}
END_TEST

/* --- what others do ------------------------------------------------------ */

/*
 * A signal at a thread, once, as pthread_kill() sends it: to one that is about
 * to block it comes too early, and is lost; to one that has just come home it
 * comes too late, and ends the next call. Nothing is asserted of that: the
 * figures are for comparison.
 */
struct plain {
	pthread_t thread;
	int rounds;
	int begun;
	int sent;
	int ended;
	int stray;
};

static void *plain_victim(void *arg)
{
	struct plain *p = arg;
	struct timespec shortly = {.tv_nsec = 50000};

	for (int i = 0; i < p->rounds; i++) {
		store(&p->begun, i + 1);
		/* Ends by itself just about when the signal comes. */
		nanosleep(&shortly, NULL);
		store(&p->ended, i + 1);
		/* A call that nobody has sent it for. */
		if (nanosleep(&shortly, NULL))
			p->stray++;
		while (load(&p->sent) <= i)
			sched_yield();
	}
	return NULL;
}

static void compare(void)
{
	struct sigaction act = {.sa_handler = on_urgent}, old;
	struct plain p = {.rounds = (int)scaled(2000)};
	uint32_t seed = 1;

	sigaction(SIGUSR1, &act, &old);
	expect_eq(pthread_create(&p.thread, NULL, plain_victim, &p), 0);
	for (int i = 0; i < p.rounds; i++) {
		while (load(&p.begun) <= i)
			sched_yield();
		for (uint32_t n = random_next(&seed) % 100; n; n--)
			now_ns();
		while (load(&p.ended) <= i && random_next(&seed) % 64)
			now_ns();
		pthread_kill(p.thread, SIGUSR1);
		store(&p.sent, i + 1);
	}
	pthread_join(p.thread, NULL);
	sigaction(SIGUSR1, &old, NULL);
	printf("# pthread_kill(): %d of %d signals ended the next call\n",
	       p.stray, p.rounds);
	fflush(stdout);
}

START_TEST(what_others_do)
{
	compare();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cancel");
	TCase *tc = test_case(s, "cancel");
	int n = (int)ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, kinds, 0, n);
	tcase_add_loop_test(tc, locked, 0, n);
	tcase_add_loop_test(tc, at_random, 0, n);
	tcase_add_loop_test(tc, masks, 0, n);
	tcase_add_test(tc, unheard);
	tcase_add_loop_test(tc, nested, 0, n);
	tcase_add_loop_test(tc, panicked, 0, n);
	tcase_add_loop_test(tc, waits_in_calls, 0, n);
	tcase_add_loop_test(tc, adopted, 0, n);
	tcase_add_loop_test(tc, signal_blocked, 0, n);
	tcase_add_test(tc, programs_handler);
	tcase_add_loop_test(tc, all_blocked, 0, n);
	tcase_add_test(tc, what_others_do);
	return suite_main(s);
}
