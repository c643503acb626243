// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_profile.c - where fibers have blocked: a place that blocks for 3 ms 100
 * times, as baton_profile() and the files say. t_pprof.sh runs "truth" again,
 * and decodes the other file.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common.h"

#define BLOCKS		100u
#define BLOCK_NS	3000000l
#define SITES		64u

/* A public function that has nothing left to do ends by a call of another, so
 * that it is the program that waits: not where it is compiled to do more. */
#if !defined(SANITIZED) && !defined(BATON_DEBUG)
#define SITES_EXACT
#endif

static int done;
static long slept;	/* so often, in delay() */

/* Are not inlined: files name them, the first one as they name a type, too. */
void delay(void *arg);
void *locks(void *arg);

__attribute__((noinline)) void delay(void *arg)
{
	struct timespec ts = { .tv_nsec = BLOCK_NS };
	struct rusage before, after;

	(void)arg;
	getrusage(RUSAGE_THREAD, &before);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	getrusage(RUSAGE_THREAD, &after);
	add(&slept, after.ru_nvcsw - before.ru_nvcsw);
}

static void *yields(void *arg)
{
	(void)arg;
	yield_until(&done);
	return NULL;
}

/* All that is known of blocks in delay(); those in it that sleep, if @nr. */
static struct baton_profile sum_of(const struct baton_profile *sites, int n,
				   bool sleep)
{
	struct baton_profile sum = { 0 };

	for (int i = 0; i < n; i++) {
		uint64_t count = 0;

		for (int h = 0; h < BATON_PROFILE_HIST; h++)
			count += sites[i].hist[h];
		expect_eq(count, sites[i].count);
		expect(sites[i].longest <= sites[i].total);
		expect(!i || sites[i].total <= sites[i - 1].total);
		if (sites[i].fn != (uintptr_t)delay ||
		    (sleep && sites[i].nr != SYS_clock_nanosleep))
			continue;
		sum.count += sites[i].count;
		sum.total += sites[i].total;
		sum.handoffs += sites[i].handoffs;
		sum.idled += sites[i].idled;
		sum.missed += sites[i].missed;
		if (sites[i].longest > sum.longest)
			sum.longest = sites[i].longest;
	}
	return sum;
}

static int read_sites(struct baton_profile *sites)
{
	int n = baton_profile(sites, SITES, sizeof(*sites));

	expect(n >= 0 && n <= (int)SITES);
	return n;
}

static void block(unsigned int times)
{
	struct baton_fiber *f;

	store(&done, 0);
	/* It waits all the time, for a processor. */
	f = spawn(yields, NULL);
	while (times--)
		expect(baton_call(delay, NULL) >= 0);
	store(&done, 1);
	join(f);
}

/* Until one is seen: the monitor of poll may not get to run for a while. */
static void block_seen(void)
{
	struct baton_profile sites[SITES];

	do
		block(20);
	while (!sum_of(sites, read_sites(sites), false).count);
}

static void *truth_main(void *arg)
{
	struct baton_profile sites[SITES], sum;
	uint64_t begin = now_ns();

	(void)arg;
	block(BLOCKS);
	if (!tier_is_kmod())
		block_seen();
	sum = sum_of(sites, read_sites(sites), tier_is_kmod());
	expect(sum.total <= now_ns() - begin);
	if (tier_is_kmod()) {
		/* Who is preempted on its way to sleep sleeps for less, or not
		 * at all; and there are other waits, such as a fault's. */
		expect(sum.count <= (uint64_t)load(&slept));
		expect(sum.count >= BLOCKS * 9 / 10);
		expect(sum.total >= BLOCKS * BLOCK_NS * 9 / 10);
		expect(sum.longest >= BLOCK_NS);
	} else {
		struct baton_stats st;
		uint64_t all = 0;
		int n = read_sites(sites);

		/* The monitor may be about to count what it has taken. */
		expect(sum.count - (sum.handoffs + sum.missed) <= 1);
		for (int i = 0; i < n; i++)
			all += sites[i].handoffs;
		expect_eq(baton_stats(&st, sizeof(st)), 0);
		expect(st.handoffs - all <= 1);
	}
	sum = sum_of(sites, read_sites(sites), false);
	printf("# delay %llu %llu\n", (unsigned long long)sum.count,
	       (unsigned long long)sum.total);
	fflush(stdout);
	return NULL;
}

START_TEST(truth)
{
	run_on(1, truth_main, NULL);
}
END_TEST

/* What computes is not blocked. */
static void computes(void *arg)
{
	uint64_t end = now_ns() + 30000000;

	(void)arg;
	while (now_ns() < end)
		;
}

static void *computing_main(void *arg)
{
	struct baton_profile sites[SITES];
	int n;

	(void)arg;
	expect(baton_call(computes, NULL) >= 0);
	n = read_sites(sites);
	for (int i = 0; i < n; i++)
		if (sites[i].nr >= 0)
			expect(sites[i].fn != (uintptr_t)computes);
	return NULL;
}

START_TEST(computing)
{
	run_on(1, computing_main, NULL);
}
END_TEST

static void *errors_main(void *arg)
{
	struct {
		struct baton_profile p;
		uint64_t more;
	} newer = { .more = 1 };
	int n;

	(void)arg;
	block_seen();
	n = baton_profile(NULL, 0, sizeof(newer.p));
	expect(n >= 1);
	expect_eq(baton_profile(NULL, 1, sizeof(newer.p)), -EINVAL);
	/* Programs that know more than the library, and less */
	expect(baton_profile(&newer.p, 1, sizeof(newer)) >= 1);
	expect(newer.p.count);
	expect_eq(newer.more, 0);
	newer.p.nr = 12345;
	expect(baton_profile(&newer.p, 1, offsetof(struct baton_profile, nr)) >=
	       1);
	expect_eq(newer.p.nr, 12345);
	return NULL;
}

START_TEST(errors)
{
	struct baton_profile p;

	expect_eq(baton_profile(&p, 1, sizeof(p)), -ESRCH);
	run_on(1, errors_main, NULL);
	expect_eq(baton_profile(&p, 1, sizeof(p)), -ESRCH);
}
END_TEST

/* --- files ----------------------------------------------------------------- */

static char dir[] = "/tmp/t_profile.XXXXXX";
static char file[64], folded[64];

static void file_setup(void)
{
	expect(mkdtemp(dir) != NULL);
	snprintf(file, sizeof(file), "%s/p", dir);
	snprintf(folded, sizeof(folded), "%s/p.folded", dir);
	setenv("BATON_PROFILE", file, 1);
}

static void file_teardown(void)
{
	unlink(file);
	unlink(folded);
	rmdir(dir);
}

/* Of lines that begin with @stack: what they say, together; -1: there is none. */
static long long folded_sum(const char *stack)
{
	FILE *f = fopen(folded, "r");
	long long sum = -1;
	char line[1024];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		const char *number = strrchr(line, ' ');

		if (strncmp(line, stack, strlen(stack)))
			continue;
		expect(number != NULL);
		sum = (sum < 0 ? 0 : sum) + atoll(number);
	}
	fclose(f);
	return sum;
}

/* It is gzip's, with data that is not compressed. */
static void check_file(void)
{
	static const unsigned char head[] = { 31, 139, 8, 0 };
	unsigned char is[sizeof(head)];
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	expect(fd >= 0);
	expect_eq(read(fd, is, sizeof(is)), sizeof(is));
	expect(!memcmp(head, is, sizeof(is)));
	close(fd);
}

static void *file_main(void *arg)
{
	struct baton_profile sites[SITES];

	block_seen();
	*(uint64_t *)arg = sum_of(sites, read_sites(sites), false).total;
	expect(folded_sum("delay") < 0);
	return NULL;
}

START_TEST(at_end)
{
	uint64_t total;

	run_on(1, file_main, &total);
	check_file();
	expect_eq(folded_sum("delay"), total);
}
END_TEST

static void *signal_main(void *arg)
{
	(void)arg;
	block_seen();
	for (int i = 0; i < 2; i++) {
		unlink(folded);
		expect_eq(raise(SIGUSR2), 0);
		while (folded_sum("delay") <= 0)
			expect_eq(baton_sleep(1000000), 0);
		check_file();
	}
	return NULL;
}

static int heard;

static void hear(int sig)
{
	(void)sig;
	store(&heard, 1);
}

START_TEST(on_signal)
{
	signal(SIGUSR2, hear);
	run_on(1, signal_main, NULL);
	/* It is the program's again. */
	expect_eq(heard, 0);
	raise(SIGUSR2);
	expect_eq(heard, 1);
}
END_TEST

static void *left_alone_main(void *arg)
{
	(void)arg;
	raise(SIGUSR2);
	expect_eq(heard, 1);
	return NULL;
}

START_TEST(left_alone)
{
	unsetenv("BATON_PROFILE");
	signal(SIGUSR2, hear);
	run_on(1, left_alone_main, NULL);
}
END_TEST

START_TEST(bad_path)
{
	char bad[sizeof(file) + 8];

	snprintf(bad, sizeof(bad), "%s/no/p", dir);
	setenv("BATON_PROFILE", bad, 1);
	expect_eq(baton_run(NULL, left_alone_main, NULL, NULL), -ENOENT);
	expect(strstr(baton_reason(), "BATON_PROFILE=") != NULL);
}
END_TEST

/* --- locks ----------------------------------------------------------------- */

#define LOCKS	10

static struct baton_mutex mutex;
static struct baton_cond cond;
static int ready;

__attribute__((noinline)) void *locks(void *arg)
{
	(void)arg;
	for (int i = 0; i < LOCKS; i++) {
		expect_eq(baton_mutex_lock(&mutex), 0);
		expect_eq(baton_yield(), 0);
		expect_eq(baton_mutex_unlock(&mutex), 0);
	}
	expect_eq(baton_mutex_lock(&mutex), 0);
	while (!ready)
		expect_eq(baton_cond_wait(&cond, &mutex), 0);
	expect_eq(baton_mutex_unlock(&mutex), 0);
	return NULL;
}

static void *receives(void *arg)
{
	int n;

	expect_eq(baton_chan_recv(arg, &n), 0);
	return NULL;
}

static void *locks_main(void *arg)
{
	struct baton_chan ch = BATON_CHAN_INIT(sizeof(int), 0, NULL);
	struct baton_fiber *f[3] = {
		spawn(locks, NULL), spawn(locks, NULL), spawn(receives, &ch),
	};
	int n = 1;

	(void)arg;
	for (int i = 0; i < 8 * LOCKS; i++)
		expect_eq(baton_yield(), 0);
	expect_eq(baton_mutex_lock(&mutex), 0);
	ready = 1;
	expect_eq(baton_cond_broadcast(&cond), 0);
	expect_eq(baton_mutex_unlock(&mutex), 0);
	expect_eq(baton_chan_send(&ch, &n), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return NULL;
}

START_TEST(contended)
{
	setenv("BATON_PROFILE_LOCKS", "1", 1);
	run_in_order(locks_main, NULL);
#ifdef SITES_EXACT
	expect(folded_sum("locks;wait for a mutex") > 0);
#endif
	expect(folded_sum("locks;wait for a condition") > 0);
#ifdef SITES_EXACT
	expect(folded_sum("receives;wait to receive") > 0);
#endif
}
END_TEST

START_TEST(not_sampled)
{
	run_in_order(locks_main, NULL);
	expect(folded_sum("locks;wait") < 0);
	/* One of more than there are: the first one */
	setenv("BATON_PROFILE_LOCKS", "1000", 1);
	ready = 0;
	run_in_order(locks_main, NULL);
#ifdef SITES_EXACT
	expect((folded_sum("locks;wait") > 0) + (folded_sum("receives;") > 0) ==
	       1);
#endif
}
END_TEST

int main(void)
{
	Suite *s = suite_create("profile");
	TCase *tc = test_case(s, "truth");

	tcase_add_test(tc, truth);
	tc = test_case(s, "api");
	tcase_add_test(tc, computing);
	tcase_add_test(tc, errors);
	tc = test_case(s, "file");
	tcase_add_checked_fixture(tc, file_setup, file_teardown);
	tcase_add_test(tc, at_end);
	tcase_add_test(tc, on_signal);
	tcase_add_test(tc, left_alone);
	tcase_add_test(tc, bad_path);
	tcase_add_test(tc, contended);
	tcase_add_test(tc, not_sampled);
	return suite_main(s);
}
