// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_block.c - one processor, a fiber blocks, another one must run.
 *
 * Announced, in a foreign call, this works in every tier. In all but poll it
 * works in the midst of fiber code, too: each of these tests hangs there.
 */
#include "common.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/*
 * Who sleeps is woken by a signal of the fiber that is to run meanwhile. It
 * would sleep for long, and on an idle machine the other one takes no time.
 */
#define LONG_NS		20000000000u
#define SOON_NS		500000000u

static struct {
	pthread_t thread;
	enum { AWAKE, ASLEEP } state;
	int ran;		/* the other fiber */
	uint64_t shortest;
} nap;

static void *runs_meanwhile(void *arg)
{
	store(&nap.ran, 1);
	/* It may be about to sleep only. */
	do {
		if (load(&nap.state) == ASLEEP)
			pthread_kill(nap.thread, SIGUSR1);
		expect_eq(baton_yield(), 0);
	} while (load(&nap.ran) == 1);
	return arg;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void sleep_long(void *arg)
{
	struct timespec ts = { .tv_sec = LONG_NS / 1000000000u };
	uint64_t start = now_ns();

	(void)arg;
	nap.thread = pthread_self();
	store(&nap.state, ASLEEP);
	while (nanosleep(&ts, &ts) && errno == EINTR && !load(&nap.ran))
		;
	/* Before the call ends: the other fiber has had its turn. */
	expect_eq(load(&nap.ran), 1);
	store(&nap.state, AWAKE);
	store(&nap.ran, 2);
	if (now_ns() - start < nap.shortest)
		nap.shortest = now_ns() - start;
}

static void *sleep_fiber(void *arg)
{
	sleep_long(arg);
	return arg;
}

static void *sleep_in_call(void *arg)
{
	expect(baton_call(sleep_long, arg) >= 0);
	return arg;
}

static void sleep_often(baton_fn sleeps)
{
	struct sigaction act = { .sa_handler = on_signal };

	expect_eq(sigaction(SIGUSR1, &act, NULL), 0);
	nap.shortest = LONG_NS;
	for (int i = 0; i < 5; i++) {
		struct baton_fiber *f;

		store(&nap.ran, 0);
		f = spawn(runs_meanwhile, NULL);
		sleeps(NULL);
		join(f);
	}
	/* Of one of them: the machine may be busy. */
	expect(nap.shortest < SOON_NS);
}

/* --- announced --------------------------------------------------------- */

static void *announced_main(void *arg)
{
	sleep_often(sleep_in_call);
	return arg;
}

START_TEST(announced_sleep)
{
	run_on(1, announced_main, NULL);
}
END_TEST

/* Computing for a while first: a monitor would be slow to look again. */
static void *after_spell_main(void *arg)
{
	uint64_t end = now_ns() + 150000000;

	while (now_ns() < end)
		;
	return announced_main(arg);
}

START_TEST(announced_after_spell)
{
	run_on(1, after_spell_main, NULL);
}
END_TEST

/* --- unannounced ------------------------------------------------------- */

static void *sleep_main(void *arg)
{
	sleep_often(sleep_fiber);
	return arg;
}

START_TEST(nanosleep_in_fiber)
{
	run_on(1, sleep_main, NULL);
}
END_TEST

struct ends {
	int fd[2];
	unsigned int rounds;
};

static void *writer(void *arg)
{
	struct ends *e = arg;

	expect_eq(write(e->fd[1], "x", 1), 1);
	return NULL;
}

static void *pipe_main(void *arg)
{
	struct ends *e = arg;
	char c;

	for (unsigned int i = 0; i < e->rounds; i++) {
		struct baton_fiber *f = spawn(writer, e);

		expect_eq(read(e->fd[0], &c, 1), 1);
		join(f);
	}
	return arg;
}

START_TEST(read_in_fiber)
{
	struct ends e = { .rounds = scaled(2000) };

	expect_eq(pipe(e.fd), 0);
	run_on(1, pipe_main, &e);
}
END_TEST

static void *poll_main(void *arg)
{
	struct ends *e = arg;
	struct pollfd p = { .fd = e->fd[0], .events = POLLIN };
	char c;

	for (unsigned int i = 0; i < e->rounds; i++) {
		struct baton_fiber *f = spawn(writer, e);

		expect_eq(poll(&p, 1, -1), 1);
		expect_eq(read(e->fd[0], &c, 1), 1);
		join(f);
	}
	return arg;
}

START_TEST(poll_in_fiber)
{
	struct ends e = { .rounds = scaled(500) };

	expect_eq(pipe(e.fd), 0);
	run_on(1, poll_main, &e);
}
END_TEST

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Holds the lock while it blocks; who wants it blocks as well. */
static void *locker(void *arg)
{
	struct ends *e = arg;
	char c;

	pthread_mutex_lock(&mutex);
	expect_eq(read(e->fd[0], &c, 1), 1);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void *mutex_main(void *arg)
{
	struct ends *e = arg;

	for (unsigned int i = 0; i < e->rounds; i++) {
		struct baton_fiber *f[4];

		for (size_t j = 0; j < ARRAY_SIZE(f); j++)
			f[j] = spawn(locker, e);
		baton_yield();
		for (size_t j = 0; j < ARRAY_SIZE(f); j++)
			expect_eq(write(e->fd[1], "x", 1), 1);
		for (size_t j = 0; j < ARRAY_SIZE(f); j++)
			join(f[j]);
	}
	return arg;
}

START_TEST(mutex_in_fiber)
{
	struct ends e = { .rounds = scaled(200) };

	expect_eq(pipe(e.fd), 0);
	run_on(1, mutex_main, &e);
}
END_TEST

/* --- page faults ------------------------------------------------------- */

static struct { int fd; char *area; size_t page; } uffd;

static bool uffd_open(size_t pages)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg;

	uffd.page = (size_t)sysconf(_SC_PAGESIZE);
	uffd.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd.fd < 0 || ioctl(uffd.fd, UFFDIO_API, &api))
		return false;
	uffd.area = mmap(NULL, pages * uffd.page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(uffd.area != MAP_FAILED);
	reg = (struct uffdio_register){
		.range = { (uintptr_t)uffd.area, pages * uffd.page },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	return !ioctl(uffd.fd, UFFDIO_REGISTER, &reg);
}

/* The fiber that serves the other one's fault: an event comes first. */
static void *server(void *arg)
{
	static char content[65536] __attribute__((aligned(65536)));
	struct uffdio_copy copy = {
		.src = (uintptr_t)content,
		.len = uffd.page,
	};
	struct uffd_msg msg;

	memset(content, (int)(intptr_t)arg, uffd.page);
	expect_eq(read(uffd.fd, &msg, sizeof(msg)), sizeof(msg));
	expect_eq(msg.event, UFFD_EVENT_PAGEFAULT);
	copy.dst = msg.arg.pagefault.address & ~(uffd.page - 1);
	expect_eq(ioctl(uffd.fd, UFFDIO_COPY, &copy), 0);
	return arg;
}

static void *fault_main(void *arg)
{
	unsigned int pages = (unsigned int)(uintptr_t)arg;

	for (unsigned int i = 0; i < pages; i++) {
		volatile char *at = uffd.area + i * uffd.page;
		intptr_t value = i % 100 + 1;
		struct baton_fiber *f = spawn(server, (void *)value);

		expect_eq(*at, value);
		join(f);
	}
	return NULL;
}

START_TEST(page_fault)
{
	unsigned int pages = scaled(500);

	expect(uffd_open(pages));
	run_on(1, fault_main, (void *)(uintptr_t)pages);
}
END_TEST

/* --- counted ----------------------------------------------------------- */

static void *handoff_main(void *arg)
{
	struct baton_stats a, b;

	expect_eq(baton_stats(&a, sizeof(a)), 0);
	pipe_main(arg);
	expect_eq(baton_stats(&b, sizeof(b)), 0);
	expect(b.handoffs + b.idled > a.handoffs + a.idled);
	return arg;
}

START_TEST(counted)
{
	struct ends e = { .rounds = scaled(500) };

	expect_eq(pipe(e.fd), 0);
	run_on(1, handoff_main, &e);
}
END_TEST

/*
 * Nobody wants the processor while its fiber sleeps: the fiber has it again before
 * it goes on, and so does not run beside another one.
 */
static void *regain_main(void *arg)
{
	struct timespec ts = { .tv_nsec = 1000000 };
	struct baton_stats a, b;

	/* A sleep may be over before it begins: then nothing is taken. */
	for (int i = 0; i < 1000; i++) {
		expect_eq(baton_stats(&a, sizeof(a)), 0);
		nanosleep(&ts, NULL);
		expect_eq(baton_stats(&b, sizeof(b)), 0);
		expect_eq(b.handoffs, a.handoffs);
		expect_eq(b.regained - a.regained, b.idled - a.idled);
		if (b.idled != a.idled)
			return arg;
	}
	expect(!"it was never idle");
	return arg;
}

START_TEST(regained)
{
	run_on(1, regain_main, NULL);
}
END_TEST

/*
 * Two processors, many fibers that block in their own code: no wake-up may be
 * lost in any order of events.
 */
static void *token(void *arg)
{
	struct ends *e = arg;
	char c;

	for (unsigned int i = 0; i < e->rounds; i++) {
		expect_eq(read(e->fd[0], &c, 1), 1);
		if (i % 3 == 0)
			baton_yield();
		expect_eq(write(e->fd[1], &c, 1), 1);
	}
	return NULL;
}

static void *tokens_main(void *arg)
{
	struct ends *e = arg;
	struct baton_fiber *f[16];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(token, e);
	expect_eq(write(e->fd[1], "abc", 3), 3);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(tokens)
{
	struct ends e = { .rounds = scaled(1000) };

	expect_eq(pipe(e.fd), 0);
	run_on(1 + (unsigned int)_i, tokens_main, &e);
}
END_TEST

static void add_unannounced(TCase *tc)
{
	tcase_add_test(tc, nanosleep_in_fiber);
	tcase_add_test(tc, read_in_fiber);
	tcase_add_test(tc, poll_in_fiber);
	tcase_add_test(tc, mutex_in_fiber);
	tcase_add_test(tc, counted);
	tcase_add_loop_test(tc, tokens, 0, 3);
	if (uffd_open(1))
		tcase_add_test(tc, page_fault);
	else
		skip("page_fault", "no userfaultfd");
	if (tier_is_kmod())
		tcase_add_test(tc, regained);
	else
		skip("regained", "the tier idle asks at the next scheduling point");
}

static const char *const unannounced[] = {
	"nanosleep_in_fiber", "read_in_fiber", "poll_in_fiber",
	"mutex_in_fiber", "counted", "tokens", "page_fault", "regained",
};

int main(void)
{
	Suite *s = suite_create("block");
	TCase *tc = test_case(s, "block");

	tcase_add_test(tc, announced_sleep);
	tcase_add_test(tc, announced_after_spell);
	if (tier_sees_fibers())
		add_unannounced(tc);
	else
		for (size_t i = 0; i < ARRAY_SIZE(unannounced); i++)
			skip(unannounced[i], "the tier poll does not see it");
	return suite_main(s);
}
