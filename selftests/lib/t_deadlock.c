// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_deadlock.c - all fibers wait, and nobody could wake one: it is said, with
 * who they are, what each waits for, and where; and never said while anybody
 * could.
 */
#include "ends.h"

#include "../../lib/io/ring.h"

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>

#define ASLEEP "baton: all fibers are asleep - deadlock: "

/* Static functions: they are named nevertheless. A call is not the last thing
 * that they do, or it would be a jump. */
#define NAMED static __attribute__((noinline))
#define NOT_LAST() __asm__ volatile("")

/* --- who waits, in each way there is -------------------------------------- */

NAMED void parks_here(void)
{
	baton_park();
	NOT_LAST();
}

NAMED void *parker(void *arg)
{
	parks_here();
	return arg;
}

NAMED void *joiner(void *arg)
{
	join(arg);
	NOT_LAST();
	return arg;
}

static void back_parks(void *arg)
{
	(void)arg;
	parks_here();
}

static void calls_back(void *arg)
{
	baton_callback(back_parks, arg);
}

NAMED void *in_callback(void *arg)
{
	baton_call(calls_back, arg);
	return arg;
}

NAMED void *locked(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	parks_here();
	return arg;
}

/* What is not told apart. */
NAMED void *sleeps_for_ever(void *arg)
{
	baton_sleep(BATON_NEVER);
	NOT_LAST();
	return arg;
}

NAMED void *own_size(void *arg)
{
	parks_here();
	return arg;
}

static void *ends(void *arg)
{
	return arg;
}

/* Each fiber, by where it waits; some that have ended are none of them. */
NAMED void *all_ways(void *arg)
{
	struct baton_fiber *f = spawn(parker, arg);
	struct baton_attr *attr;

	expect_eq(baton_attr_create(&attr), 0);
	expect_eq(baton_attr_set_stack_size(attr, 1 << 20), 0);
	expect_eq(baton_attr_set_name(attr, "the large one"), 0);
	expect_eq(baton_spawn(NULL, attr, own_size, arg), 0);
	spawn(in_callback, arg);
	spawn(locked, arg);
	spawn(joiner, f);
	spawn(sleeps_for_ever, arg);
	spawn(ends, arg);		/* nobody joins it */
	join(spawn(ends, arg));
	expect_eq(baton_spawn(NULL, NULL, ends, arg), 0);
	parks_here();
	return arg;
}

static void *first_alone(void *arg)
{
	parks_here();
	return arg;
}

static void compute(void *arg)
{
	for (uint64_t end = now_ns() + 700000000; now_ns() < end;)
		;
	(void)arg;
}

/* The monitor of the tier poll has gone to rest by then. */
static void *computes_before(void *arg)
{
	compute(arg);
	parks_here();
	return arg;
}

/* While it computes, the last fiber parks. */
static void *thread_calls_back(void *arg)
{
	expect_eq(baton_callback(compute, arg), 0);
	return arg;
}

static pthread_t thread;

static void start(void *(*fn)(void *), void *arg)
{
	expect_eq(pthread_create(&thread, NULL, fn, arg), 0);
}

/* The last thread that could have woken a fiber ends, having woken none. */
static void *others_end(void *arg)
{
	start(thread_calls_back, arg);
	parks_here();
	return arg;
}

/* A thread of the library's has ended, but so late that it was not joined. */
static struct late {
	pthread_key_t key;
	int go[2];
} late;

static void end_late(void *arg)
{
	char c;

	expect_eq(read(late.go[0], &c, 1), 1);
	(void)arg;
}

static void nap(void *arg)
{
	usleep(20000);
	(void)arg;
}

static void *naps(void *arg)
{
	expect_eq(baton_call(nap, arg), 0);
	return arg;
}

static void *ends_locked(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	expect_eq(pthread_setspecific(late.key, &late), 0);
	return arg;
}

static void *one_retired(void *arg)
{
	struct baton_fiber *f[8];

	expect_eq(pipe(late.go), 0);
	expect_eq(pthread_key_create(&late.key, end_late), 0);
	/* Then there are threads enough, and none is made for the one. */
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(naps, arg);
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	expect_eq(baton_thread_lock(), 0);
	join(spawn(ends_locked, arg));
	expect_eq(baton_thread_unlock(), 0);
	baton_sleep(200 * BATON_MSEC);
	expect_eq(write(late.go[1], "", 1), 1);
	parks_here();
	return arg;
}

/* --- a process of its own ------------------------------------------------- */

struct child {
	pid_t pid;
	int out;	/* what it says on standard error */
	int in;		/* a byte is written there, and it goes on */
};

static int go_on;	/* the child's end of that */

static struct child child_start(const char *mode, unsigned int nprocs,
				baton_fn fn)
{
	int out[2], in[2];
	struct child c;

	expect_eq(pipe(out), 0);
	expect_eq(pipe(in), 0);
	c.pid = fork();
	expect(c.pid >= 0);
	if (!c.pid) {
		setenv("BATON_DEADLOCK", mode, 1);
		/* Or it would be joined with the next one that is idle. */
		if (fn == one_retired)
			setenv("BATON_WORKER_KEEP_MS", "4294967295", 1);
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		close(out[1]);
		close(in[1]);
		go_on = in[0];
		signal(SIGABRT, SIG_DFL);
		run_on(nprocs, fn, NULL);
		_exit(0);
	}
	close(out[1]);
	close(in[0]);
	c.out = out[0];
	c.in = in[1];
	return c;
}

static void child_kill(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->out);
	close(c->in);
}

/* Until it says all of @texts, the last of which is NULL. */
static void child_says(struct child *c, const char *const *texts)
{
	char said[16384] = "";
	size_t len = 0;
	ssize_t n;

	while (*texts) {
		if (strstr(said, *texts)) {
			texts++;
			continue;
		}
		n = read(c->out, said + len, sizeof(said) - 1 - len);
		if (n <= 0)
			ck_abort_msg("it does not say \"%s\": %s", *texts,
				     said);
		len += (size_t)n;
		said[len] = 0;
	}
	/* Of which it is the only one. */
	expect(!strstr(strstr(said, ASLEEP) + 1, ASLEEP));
	expect(!strstr(said, "ends+"));
}

/* Nothing is to be said: some times longer than it takes to say something. */
static void children_silent(const struct child *c, unsigned int n)
{
	struct timespec ts = {.tv_nsec = 600000000};

	nanosleep(&ts, NULL);
	for (unsigned int i = 0; i < n; i++) {
		struct pollfd fd = {.fd = c[i].out, .events = POLLIN};
		char said[512] = "";

		if (poll(&fd, 1, 0) == 0)
			continue;
		expect(read(c[i].out, said, sizeof(said) - 1) >= 0);
		ck_abort_msg("%u says: %s", i, said);
	}
}

/* What counts the threads of a process finds one that it has by itself. */
static bool not_alone(const char *name)
{
#ifdef __SANITIZE_THREAD__
	skip(name, "ThreadSanitizer has a thread of its own");
	return true;
#else
	if (!under_qemu_user())
		return false;
	skip(name, "the emulator has a thread of its own");
	return true;
#endif
}

/* --- said ----------------------------------------------------------------- */

/* Where frames are chained by pointers, they are listed. */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) ||	\
	defined(__riscv)
#define FRAMES
#endif

#ifdef FRAMES
#define WHERE "    parks_here+0x"
#else
#define WHERE ASLEEP
#endif

static const char *const alone[] = {ASLEEP, "+0, the first: baton_park(), for ",
				    WHERE, NULL};

static const char *const bound[] = {ASLEEP, ", the first, on worker ", WHERE,
				    NULL};

static const char *const ways[] = {
	ASLEEP,
	", all_ways+0, the first: baton_park(), for ",
	", parker+0: baton_park(), for ",
	", joiner+0: baton_join() of fiber 0x",
	", in_callback+0, on worker ",
	", locked+0, on worker ",
	" \"the large one\", own_size+0: baton_park(), for ",
	", sleeps_for_ever+0: waits, for ",
#ifdef FRAMES
	"    parks_here+0x",
	"    joiner+0x",
	"    own_size+0x",
	"    locked+0x",
	"    all_ways+0x",
#endif
	NULL,
};

/* Of all requests none is left, but threads that served them are. */
static void *request_over(void *arg)
{
	int fd = memfd_create("request_over", MFD_CLOEXEC);

	expect(fd >= 0);
	expect_eq(baton_fsync(fd), 0);
	return first_alone(arg);
}

static const struct said {
	baton_fn fn;
	const char *const *texts;
} saids[] = {
	{request_over, alone},
	{all_ways, ways},
	{first_alone, alone},
	{locked, bound},
	{computes_before, alone},
	{others_end, alone},
	{one_retired, alone},
};

/* All of them at once: most take their time until they wait. */
START_TEST(said)
{
	struct child c[ARRAY_SIZE(saids)];

	if (not_alone("said"))
		return;
	/* The default. */
	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++)
		c[i] = child_start("", nprocs_list[_i], saids[i].fn);
	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++) {
		child_says(&c[i], saids[i].texts);
		child_kill(&c[i]);
	}
}
END_TEST

START_TEST(aborts)
{
	char said[16384];
	struct child c;
	int status;

	if (not_alone("aborts"))
		return;
	c = child_start("abort", 2, all_ways);
	status = ends_said(c.pid, c.out, said, sizeof(said));
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT ||
	    strncmp(said, ASLEEP, strlen(ASLEEP)))
		ck_abort_msg("status %#x: %s", status, said);
	close(c.in);
}
END_TEST

/* Only so many are listed; the others are counted. */
static void *many_park(void *arg)
{
	for (int i = 0; i < 200; i++)
		spawn(parker, arg);
	return first_alone(arg);
}

START_TEST(many)
{
	static const char *const texts[] = {ASLEEP, "  and 137 more\n", NULL};
	struct child c;

	if (not_alone("many"))
		return;
	c = child_start("report", 2, many_park);
	child_says(&c, texts);
	child_kill(&c);
}
END_TEST

/* --- not said ------------------------------------------------------------- */

START_TEST(off)
{
	struct child c = child_start("off", 2, first_alone);

	children_silent(&c, 1);
	child_kill(&c);
}
END_TEST

static void wait_byte(void *arg)
{
	char byte;

	expect_eq(read(go_on, &byte, 1), 1);
	(void)arg;
}

/* A foreign call is in progress, and all others wait for what comes of it. */
static void *calls(void *arg)
{
	expect(baton_call(wait_byte, arg) >= 0);
	return arg;
}

static void *call_in_progress(void *arg)
{
	spawn(joiner, spawn(calls, arg));
	join(spawn(joiner, spawn(calls, arg)));
	return arg;
}

/* Fiber code blocks in the kernel. */
static void *blocks(void *arg)
{
	wait_byte(arg);
	return arg;
}

static void *code_blocks(void *arg)
{
	join(spawn(blocks, arg));
	return arg;
}

static void *readies(void *arg)
{
	wait_byte(NULL);
	expect_eq(baton_ready(arg), 0);
	return arg;
}

static void *other_thread(void *arg)
{
	start(readies, baton_self());
	expect_eq(baton_park(), 0);
	pthread_join(thread, NULL);
	return arg;
}

static void back_nothing(void *arg)
{
	(void)arg;
}

static void *adopted_readies(void *arg)
{
	expect_eq(baton_callback(back_nothing, NULL), 0);
	return readies(arg);
}

static void *adopted_thread(void *arg)
{
	start(adopted_readies, baton_self());
	expect_eq(baton_park(), 0);
	pthread_join(thread, NULL);
	return arg;
}

static int over;

/* It comes and goes, so that all sleep now and then, and goes on for long. */
static void *readies_often(void *arg)
{
	for (int i = 0; i < 100; i++) {
		usleep(5000);
		expect_eq(baton_ready(arg), 0);
	}
	wait_byte(NULL);
	store(&over, 1);
	expect_eq(baton_ready(arg), 0);
	return arg;
}

static void *often(void *arg)
{
	start(readies_often, baton_self());
	while (!load(&over))
		expect_eq(baton_park(), 0);
	pthread_join(thread, NULL);
	return arg;
}

/* All fibers wait, one of them for a time; then until it may end. */
static void *sleeps(void *arg)
{
	expect_eq(baton_sleep(700 * BATON_MSEC), 0);
	return calls(arg);
}

static void *timer_set(void *arg)
{
	join(spawn(sleeps, arg));
	return arg;
}

/* The kernel has a request, of a thread that is the scheduler's own. */
static void *ring_reads(void *arg)
{
	char byte;
	struct ring_req req = {
		.op = RING_READ,
		.fd = go_on,
		.addr = (uintptr_t)&byte,
		.len = 1,
		.off = UINT64_MAX,
	};
	const char *why;

	if (!baton_ring_carries(RING_READ, &why))
		return calls(arg);
	baton_ring_do(&req, BATON_NEVER);
	expect_eq(req.res, 1);
	return arg;
}

static void *request_in_progress(void *arg)
{
	join(spawn(joiner, spawn(ring_reads, arg)));
	return arg;
}

static const baton_fn awake[] = {
	call_in_progress, code_blocks, other_thread,
	adopted_thread,	  often,       timer_set,
	request_in_progress,
};

START_TEST(not_said)
{
	struct child c[ARRAY_SIZE(awake)];
	char said[512];

	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++)
		c[i] = child_start("abort", nprocs_list[_i], awake[i]);
	children_silent(c, ARRAY_SIZE(c));
	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++) {
		/* Two of them read one each. */
		expect_eq(write(c[i].in, "xx", 2), 2);
		expect_eq(ends_said(c[i].pid, c[i].out, said, sizeof(said)), 0);
		expect_eq(*said, 0);
		close(c[i].in);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("deadlock");
	TCase *tc = test_case(s, "deadlock");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, said, 0, n);
	tcase_add_test(tc, aborts);
	tcase_add_test(tc, many);
	tcase_add_test(tc, off);
	tcase_add_loop_test(tc, not_said, 0, n);
	return suite_main(s);
}
