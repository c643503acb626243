// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_hog.c - fibers that compute, and slices: others go on beside them, and they
 * notice nothing.
 *
 * What is counted is slices, never time. Whoever computes here does so until a
 * flag is set, which without slices would never be. BATON_TEST_SLICES=N has the
 * tests of what they notice go on for N slices each.
 */
#include "common.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static void set_slices(unsigned int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ms);
	setenv("BATON_SLICE", text, 1);
}

/* Run @fn with slices of @ms milliseconds. */
static void run_sliced(unsigned int nprocs, unsigned int ms, baton_fn fn,
		       void *arg)
{
	set_slices(ms);
	run_on(nprocs, fn, arg);
}

static struct baton_stats stats(void)
{
	struct baton_stats st;

	expect_eq(baton_stats(&st, sizeof(st)), 0);
	return st;
}

/*
 * Under ThreadSanitizer a signal that comes to code which computes is handled at
 * its next system call: such code goes on, without a processor.
 */
static bool stopped_at_once(void)
{
#ifdef __SANITIZE_THREAD__
	return false;
#else
	return true;
#endif
}

/* --- who waits, and for how long ------------------------------------------- */

struct crowd {
	unsigned int hogs;
	int stop;
	int begun;
	struct baton_fiber *waiter;
	int asked;
	uint64_t at;		/* slices taken when it was asked */
};

/* The first to see that the other one sleeps wakes it. */
static void *computes(void *arg)
{
	struct crowd *c = arg;

	add(&c->begun, 1);
	while (!load(&c->stop)) {
		if (!load(&c->asked) || __atomic_exchange_n(&c->asked, 0,
							   __ATOMIC_SEQ_CST) != 1)
			continue;
		c->at = stats().sliced;
		expect_eq(baton_ready(c->waiter), 0);
	}
	return arg;
}

/* Not fewer where all takes longer: it is so many of them that may be late. */
#define WAITS	20u

static void *waits_main(void *arg)
{
	struct crowd *c = arg;
	unsigned int late = 0;

	c->waiter = baton_self();
	for (unsigned int i = 0; i < c->hogs; i++)
		spawn(computes, c);
	while (load(&c->begun) < (int)c->hogs)
		expect_eq(baton_yield(), 0);
	for (unsigned int i = 0; i < WAITS; i++) {
		store(&c->asked, 1);
		expect_eq(baton_park(), 0);
		/* The slice of who woke it; and it may be that the end of that
		 * came first, and another's with it. */
		late += stats().sliced > c->at + 2;
	}
	if (stopped_at_once())
		expect(late <= WAITS / 10);
	/* One of the others is stopped in time, and waits. */
	while (stopped_at_once() && c->hogs > 1 && !stats().turns)
		expect_eq(baton_yield(), 0);
	store(&c->stop, 1);
	return arg;
}

/* Whoever is woken waits for a slice, and not for one of each hog. */
START_TEST(waits)
{
	static const unsigned int hogs[] = { 1, 4, 16 };
	struct crowd c = { .hogs = hogs[_i] };

	run_sliced(1, 5, waits_main, &c);
}
END_TEST

/* --- all of them get their share -------------------------------------------- */

struct share {
	int rounds[4];
	int stop;
};

struct sharer {
	struct share *s;
	unsigned int me;
};

static void *shares(void *arg)
{
	struct sharer *me = arg;

	while (!load(&me->s->stop))
		add(&me->s->rounds[me->me], 1);
	return arg;
}

static void *shares_main(void *arg)
{
	struct share *s = arg;
	struct sharer all[ARRAY_SIZE(s->rounds)];
	struct baton_fiber *f[ARRAY_SIZE(s->rounds)];
	int seen[ARRAY_SIZE(s->rounds)] = { 0 };

	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		all[i] = (struct sharer){ s, i };
		f[i] = spawn(shares, &all[i]);
	}
	/* It yields, and so always waits as well: they have their turn. */
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		for (unsigned int n = 0; n < 3; n++) {
			while (load(&s->rounds[i]) == seen[i])
				expect_eq(baton_yield(), 0);
			seen[i] = load(&s->rounds[i]);
		}
	store(&s->stop, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		join(f[i]);
	return arg;
}

START_TEST(share)
{
	struct share s = { .stop = 0 };

	run_sliced(nprocs_list[_i], 2, shares_main, &s);
}
END_TEST

/* --- they notice nothing ------------------------------------------------------ */

#define FIBERS	6u

struct work {
	void (*once)(struct work *w, uint32_t *random);
	uint64_t slices;
	int stop;
	int wrong;
	pthread_mutex_t lock;
	uint64_t inside;
	uint64_t counted;
};

/* Until enough slices are over; and others are there to be waited for. */
static void *does(void *arg)
{
	struct work *w = arg;
	uint32_t random = (uint32_t)(uintptr_t)&random | 1;

	while (!load(&w->stop)) {
		w->once(w, &random);
		/* In fiber code, with a lock of the library's. */
		if (stats().sliced > w->slices)
			store(&w->stop, 1);
	}
	return arg;
}

/* There is always somebody who waits, even where the others block and come back
 * without a processor. */
static void *yields(void *arg)
{
	yield_until(arg);
	return arg;
}

static void *work_main(void *arg)
{
	struct work *w = arg;
	struct baton_fiber *f[FIBERS];

	for (unsigned int i = 0; i < FIBERS; i++)
		f[i] = spawn(i < FIBERS - 3 ? does : yields,
			     i < FIBERS - 3 ? (void *)w : &w->stop);
	for (unsigned int i = 0; i < FIBERS; i++)
		join(f[i]);
	expect_eq(w->wrong, 0);
	return arg;
}

static void run_work(unsigned int nprocs,
		     void (*once)(struct work *, uint32_t *))
{
	struct work w = {
		.once = once,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.slices = scaled((unsigned int)env_number("BATON_TEST_SLICES",
							  30)),
	};

	run_sliced(nprocs, 1, work_main, &w);
	expect_eq(w.inside, w.counted);
}

/* Blocks that go from hand to hand keep what was written there. */
static void mallocs(struct work *w, uint32_t *random)
{
	unsigned char *p[32];
	size_t size[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		size[i] = 1 + random_next(random) % 3000;
		p[i] = malloc(size[i]);
		expect(p[i]);
		memset(p[i], (int)i + 1, size[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		for (size_t k = 0; k < size[i]; k++)
			if (p[i][k] != i + 1)
				add(&w->wrong, 1);
		free(p[i]);
	}
}

START_TEST(in_malloc)
{
	run_work(nprocs_list[_i], mallocs);
}
END_TEST

/* The thread keeps the lock; others wait for it in the kernel. */
static void locks(struct work *w, uint32_t *random)
{
	expect_eq(pthread_mutex_lock(&w->lock), 0);
	w->inside++;
	for (unsigned int i = 0; i < 20000; i++)
		random_next(random);
	__atomic_fetch_add(&w->counted, 1, __ATOMIC_RELAXED);
	expect_eq(pthread_mutex_unlock(&w->lock), 0);
}

START_TEST(with_a_mutex)
{
	run_work(nprocs_list[_i], locks);
}
END_TEST

/* A checksum that fills vector registers, as wide as there are. */
typedef uint64_t vec __attribute__((vector_size(64)));

#define STEP(v, k)							\
do {									\
	(v) ^= (v) << 13;						\
	(v) ^= (v) >> 7;						\
	(v) += (v) << (k);						\
} while (0)

#define CHECKSUM(name, attr)						\
static __attribute__((noinline)) attr uint64_t name(unsigned int n)	\
{									\
	vec a = { 1, 2, 3, 4, 5, 6, 7, 8 }, b = a * 3, c = a * 5;	\
	vec d = a * 7, e = a * 11, f = a * 13, g = a * 17, h = a * 19;	\
	double x = 1.0, y = 2.0;					\
									\
	while (n--) {							\
		STEP(a, 1); STEP(b, 2); STEP(c, 3); STEP(d, 4);		\
		STEP(e, 5); STEP(f, 6); STEP(g, 7); STEP(h, 8);		\
		a += h; b += a; c += b; d += c;				\
		x = x * 1.25 + y; y = y * 0.5 + 1.0;			\
		x = x > 1e6 ? 1.0 : x;					\
	}								\
	a ^= b ^ c ^ d ^ e ^ f ^ g ^ h;					\
	return a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7] ^	\
	       (uint64_t)(x * 1e3) ^ (uint64_t)(y * 1e6);		\
}

CHECKSUM(sum_plain, )
#ifdef __x86_64__
CHECKSUM(sum_avx2, __attribute__((target("avx2"))))
CHECKSUM(sum_avx512, __attribute__((target("avx512f"))))
#endif

static uint64_t (*sum)(unsigned int n) = sum_plain;
static uint64_t sum_right;

#define SUM_ROUNDS	20000u

static void sums(struct work *w, uint32_t *random)
{
	(void)random;
	if (sum(SUM_ROUNDS) != sum_right)
		add(&w->wrong, 1);
}

START_TEST(in_vectors)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512f"))
		sum = sum_avx512;
	else if (__builtin_cpu_supports("avx2"))
		sum = sum_avx2;
#endif
	sum_right = sum(SUM_ROUNDS);
	run_work(nprocs_list[_i], sums);
}
END_TEST

/* errno, the signal mask, deadlines and masked sections stay as they are. */
static void states(struct work *w, uint32_t *random)
{
	struct baton_scope scope;
	sigset_t now;

	baton_cancel_mask();
	baton_deadline_push(&scope, BATON_NEVER - 1);
	errno = ENOTTY;
	for (unsigned int i = 0; i < 20000; i++)
		random_next(random);
	if (errno != ENOTTY)
		add(&w->wrong, 1);
	expect_eq(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
	for (int sig = 1; sig < NSIG && sig <= 64; sig++)
		if (sigismember(&now, sig) > 0)
			add(&w->wrong, 1);
	baton_deadline_pop(&scope);
	baton_cancel_unmask();
}

START_TEST(in_scopes)
{
	run_work(nprocs_list[_i], states);
}
END_TEST

/* No call that sleeps, in fiber code, hears of it; nor in foreign code. */
static void naps(void *arg)
{
	const struct timespec ts = { .tv_nsec = 50000 };
	struct work *w = arg;

	if (nanosleep(&ts, NULL) && errno == EINTR)
		add(&w->wrong, 1);
	if (poll(NULL, 0, 1) < 0)
		add(&w->wrong, 1);
}

static void sleeps(struct work *w, uint32_t *random)
{
	for (unsigned int i = 0; i < 200000; i++)
		random_next(random);
	naps(w);
	expect(baton_call(naps, w) >= 0);
}

START_TEST(no_eintr)
{
	run_work(nprocs_list[_i], sleeps);
}
END_TEST

/* --- without ---------------------------------------------------------------- */

static void *sets(void *flag)
{
	store((int *)flag, 1);
	return NULL;
}

static void compute_ms(unsigned int ms)
{
	uint64_t end = now_ns() + ms * 1000000u;

	while (now_ns() < end)
		;
}

static void *keeps_main(void *arg)
{
	int ran = 0;
	struct baton_fiber *f;

	if (arg)
		expect_eq(baton_set_slice(UINT_MAX), 0);
	f = spawn(sets, &ran);
	compute_ms(60);
	expect_eq(load(&ran), 0);
	expect_eq(stats().sliced, 0);
	join(f);
	return arg;
}

/* No option, no slices; and a fiber may do without. */
START_TEST(off)
{
	unsetenv("BATON_SLICE");
	run_in_order(keeps_main, NULL);
	set_slices(2);
	run_in_order(keeps_main, "not this one");
}
END_TEST

static void *own_main(void *arg)
{
	int ran = 0;

	/* A slice of its own, which is much shorter than that of the others. */
	expect_eq(baton_set_slice(2), 0);
	spawn(sets, &ran);
	while (!load(&ran))
		;
	expect_eq(baton_set_slice(0), 0);
	expect_eq(baton_set_slice(10001), -EINVAL);
	return arg;
}

static void *clean(void *arg)
{
	(void)arg;
	/* The fiber that had this record before had a name and a slice. */
	expect_eq(baton_set_slice(1), 0);
	expect_eq(baton_set_name("short"), 0);
	return NULL;
}

static void *bounds_main(void *arg)
{
	join(spawn(clean, NULL));
	join(spawn(keeps_main, NULL));
	return arg;
}

START_TEST(own)
{
	struct baton_config *cfg;

	run_sliced(1, 1000, own_main, NULL);
	unsetenv("BATON_SLICE");
	run_in_order(bounds_main, NULL);
	expect_eq(baton_config_create(&cfg), 0);
	expect_eq(baton_config_set_slice(cfg, 10001), -EINVAL);
	expect_eq(baton_config_set_slice(cfg, 10000), 0);
	expect_eq(baton_config_set_slice(cfg, 0), 0);
	baton_config_destroy(cfg);
	expect_eq(baton_set_slice(0), -EPERM);
}
END_TEST

/* --- foreign code, others' threads, the end ------------------------------------ */

static void awaits(void *flag)
{
	while (!load((int *)flag))
		;
}

static void *foreign_main(void *arg)
{
	int ran = 0;

	spawn(sets, &ran);
	expect(baton_call(awaits, &ran) >= 0);
	return arg;
}

START_TEST(foreign)
{
	run_sliced(1, 5, foreign_main, NULL);
}
END_TEST

struct guest {
	int ran;
	pthread_t thread;
};

static void *calls_back(void *arg)
{
	struct guest *g = arg;

	/* In a callback of a thread that is not the library's. */
	expect_eq(baton_callback(awaits, &g->ran), 0);
	return NULL;
}

static void *guest_main(void *arg)
{
	struct guest *g = arg;

	expect_eq(pthread_create(&g->thread, NULL, calls_back, g), 0);
	while (!stats().sliced)
		expect_eq(baton_yield(), 0);
	store(&g->ran, 1);
	return arg;
}

START_TEST(adopted)
{
	struct guest g = { 0 };

	run_sliced(1, 2, guest_main, &g);
	expect_eq(pthread_join(g.thread, NULL), 0);
}
END_TEST

static void *nested(void *arg)
{
	/* The first has to wait for its turn within a callback. */
	awaits(arg);
	return NULL;
}

static void in_callback(void *flag)
{
	awaits(flag);
}

static void in_call(void *flag)
{
	expect_eq(baton_callback(in_callback, flag), 0);
}

static void *in_callbacks(void *flag)
{
	expect(baton_call(in_call, flag) >= 0);
	return NULL;
}

static void *nested_main(void *arg)
{
	struct baton_fiber *f[4];
	int stop = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(i % 2 ? nested : in_callbacks, &stop);
	while (stats().sliced < 20)
		expect_eq(baton_yield(), 0);
	store(&stop, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(callbacks)
{
	run_sliced(nprocs_list[_i], 1, nested_main, NULL);
}
END_TEST

static void *crowd_main(void *arg)
{
	struct crowd *c = arg;

	for (unsigned int i = 0; i < 8; i++)
		spawn(computes, c);
	while (stats().sliced < 10)
		expect_eq(baton_yield(), 0);
	/* Some wait for their turn, some compute. */
	store(&c->stop, 1);
	return arg;
}

START_TEST(ends)
{
	for (unsigned int i = 0; i < scaled(10); i++) {
		struct crowd c = { .stop = 0 };

		run_sliced(nprocs_list[_i], 1, crowd_main, &c);
	}
}
END_TEST

/* --- at rest ------------------------------------------------------------------- */

static unsigned long watcher_switches(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned long n = 0;
	struct dirent *e;

	expect(dir);
	while ((e = readdir(dir))) {
		char path[300], line[128];
		bool ours = false;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
			 e->d_name);
		f = atoi(e->d_name) ? fopen(path, "re") : NULL;
		while (f && fgets(line, sizeof(line), f)) {
			if (strstr(line, "baton-watch"))
				ours = true;
			if (ours)
				sscanf(line, "voluntary_ctxt_switches: %lu",
				       &n);
		}
		if (f)
			fclose(f);
	}
	closedir(dir);
	return n;
}

static void *alone_main(void *arg)
{
	unsigned long before;

	/* Until it rests, however long it takes it to get there. */
	do {
		before = watcher_switches();
		compute_ms(500);
	} while (watcher_switches() - before > 5);
	expect_eq(stats().sliced, 0);
	return arg;
}

/* While nobody waits no timer runs. */
START_TEST(alone)
{
	run_sliced(1, 2, alone_main, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hog");
	TCase *tc = test_case(s, "hog");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, waits, 0, 3);
	tcase_add_loop_test(tc, share, 0, n);
	tcase_add_loop_test(tc, in_malloc, 0, 2);
	tcase_add_loop_test(tc, with_a_mutex, 0, 2);
	tcase_add_loop_test(tc, in_vectors, 0, 2);
	tcase_add_loop_test(tc, in_scopes, 0, 2);
	tcase_add_loop_test(tc, no_eintr, 0, 2);
	tcase_add_test(tc, off);
	tcase_add_test(tc, own);
	tcase_add_test(tc, foreign);
	tcase_add_test(tc, adopted);
	tcase_add_loop_test(tc, callbacks, 0, 2);
	tcase_add_loop_test(tc, ends, 0, 2);
	tcase_add_test(tc, alone);
	return suite_main(s);
}
