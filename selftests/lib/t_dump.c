// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_dump.c - baton_dump() tells of each fiber what it does: on whichever thread
 * it is called, and on a signal.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "common.h"

static struct baton_mutex mutex;
static struct baton_chan chan;
static struct baton_fiber *called_back;
static int fds[2], go;

static void *parks(void *arg)
{
	baton_park();
	return arg;
}

static void *joins(void *arg)
{
	baton_join(arg, NULL);
	return NULL;
}

static void *holds(void *arg)
{
	expect_eq(baton_mutex_lock(&mutex), 0);
	baton_sleep(BATON_NEVER);
	expect_eq(baton_mutex_unlock(&mutex), 0);
	return arg;
}

static void *locks(void *arg)
{
	while (!baton_mutex_trylock(&mutex)) {
		baton_mutex_unlock(&mutex);
		baton_yield();
	}
	if (!baton_mutex_lock(&mutex))
		baton_mutex_unlock(&mutex);
	return arg;
}

static void *receives(void *arg)
{
	int n;

	baton_chan_recv(&chan, &n);
	return arg;
}

static void *reads(void *arg)
{
	char c;

	baton_read(fds[0], &c, 1);
	return arg;
}

static void block(void *arg)
{
	while (!load((int *)arg))
		usleep(1000);
}

static void *calls(void *arg)
{
	baton_call(block, &go);
	return arg;
}

static void park_back(void *arg)
{
	if (arg)
		store((struct baton_fiber **)arg, baton_self());
	baton_park();
}

static void call_back(void *arg)
{
	baton_callback(park_back, arg);
}

static void *calls_back(void *arg)
{
	baton_call(call_back, NULL);
	return arg;
}

static void *adopted(void *arg)
{
	call_back(&called_back);
	return arg;
}

static void *ends(void *arg)
{
	return arg;
}

static void named(const char *name, baton_fn fn)
{
	struct baton_attr *attr;

	expect_eq(baton_attr_create(&attr), 0);
	expect_eq(baton_attr_set_name(attr, name), 0);
	expect_eq(baton_spawn(NULL, attr, fn, NULL), 0);
	baton_attr_destroy(attr);
}

/* What is to be said of each, sooner or later. */
static const char *const texts[] = {
	"baton: ",
	" processors, ",
	", parks+0: baton_park(), for ",
	", joins+0: baton_join() of fiber 0x",
	" \"the holder\", holds+0: waits, for ",
	", held by fiber 0x",
	" \"the holder\", for ",
	", receives+0: waits for 0x",
	", reads+0: waits for descriptor ",
	", calls+0: in a foreign call on worker ",
	", block+0",
	", calls_back+0, on worker ",
	", ends+0: has ended, and nobody has joined it\n",
	", the first",
};

/* Has what was written to @fd since the last time all that? Otherwise what is
 * missing. */
static const char *misses(int fd)
{
	static char text[1 << 16];
	unsigned int parked = 0;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	expect(n >= 0);
	text[n] = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strstr(text, texts[i]))
			return texts[i];
	/* One parks, one in its callback, and one of another thread's. */
	for (const char *at = text; (at = strstr(at, ": baton_park(), for "));
	     at++)
		parked++;
	return parked == 3 ? NULL : "three that park";
}

static void await(int fd, void (*dump)(int fd))
{
	uint64_t end = now_ns() + 20000000000u *
					  env_number("BATON_TEST_SCALE", 1);
	const char *missing;

	do {
		expect_eq(ftruncate(fd, 0), 0);
		expect_eq(lseek(fd, 0, SEEK_SET), 0);
		dump(fd);
		missing = misses(fd);
		if (missing && now_ns() > end)
			ck_abort_msg("not said: %s", missing);
		baton_yield();
	} while (missing);
}

static void by_fiber(int fd)
{
	expect_eq(baton_dump(fd), 0);
}

static void dump_to(void *arg)
{
	expect_eq(baton_dump(*(int *)arg), 0);
}

static void by_call(int fd)
{
	expect_eq(baton_call(dump_to, &fd), 0);
}

static void *dump_thread(void *arg)
{
	dump_to(arg);
	return NULL;
}

static void thread_dumps(void *arg)
{
	on_thread(dump_thread, arg);
}

static void by_thread(int fd)
{
	expect_eq(baton_call(thread_dumps, &fd), 0);
}

/*
 * ThreadSanitizer puts a signal off until its thread calls the C library, which one
 * that waits for fibers does not: so there it is for the thread that sends it.
 */
static void send_quit(void)
{
#ifdef __SANITIZE_THREAD__
	expect_eq(raise(SIGQUIT), 0);
#else
	expect_eq(kill(getpid(), SIGQUIT), 0);
#endif
}

/* The last of a dump's lines is that of the adopted thread, which parks. */
static void by_signal(int fd)
{
	uint64_t end = now_ns() + 1000000000u;

	send_quit();
	while (misses(fd) && now_ns() < end)
		baton_sleep(BATON_MSEC);
}

static void (*const ways[])(int fd) = {
	by_fiber, by_call, by_thread, by_signal,
};

struct asked {
	int fd;
	void (*dump)(int fd);
};

static void join_thread(void *arg)
{
	expect_eq(pthread_join(*(pthread_t *)arg, NULL), 0);
}

static void *all_states(void *arg)
{
	struct asked *asked = arg;
	struct baton_fiber *parked = spawn(parks, NULL);
	pthread_t thread;

	spawn(joins, parked);
	named("the holder", holds);
	spawn(locks, NULL);
	spawn(receives, NULL);
	spawn(reads, NULL);
	spawn(calls, NULL);
	spawn(calls_back, NULL);
	spawn(ends, NULL);
	expect_eq(pthread_create(&thread, NULL, adopted, NULL), 0);
	await(asked->fd, asked->dump);
	store(&go, 1);
	expect_eq(baton_ready(load(&called_back)), 0);
	expect_eq(baton_call(join_thread, &thread), 0);
	expect_eq(baton_stop(0, BATON_NEVER), 0);
	return arg;
}

START_TEST(states)
{
	struct asked arg = { .dump = ways[_i % (int)ARRAY_SIZE(ways)] };
	bool signaled = arg.dump == by_signal;

	/* What can be written without end blocks nobody. */
	arg.fd = memfd_create("dump", MFD_CLOEXEC);
	expect(arg.fd >= 0);
	if (signaled) {
		setenv("BATON_DUMP", "SIGQUIT", 1);
		signal(SIGQUIT, SIG_IGN);
		expect_eq(dup2(arg.fd, STDERR_FILENO), STDERR_FILENO);
	}
	expect_eq(pipe(fds), 0);
	expect_eq(baton_chan_init(&chan, sizeof(int), 0, NULL), 0);
	run_on(nprocs_list[_i / (int)ARRAY_SIZE(ways)], all_states, &arg);
	/* The signal is the program's again. */
	if (signaled)
		expect(signal(SIGQUIT, SIG_DFL) == SIG_IGN);
}
END_TEST

static void *alone(void *arg)
{
	send_quit();
	return arg;
}

static int handled;

static void handler(int sig)
{
	store(&handled, sig);
}

/* A program that handles the signal keeps it. */
START_TEST(kept)
{
	setenv("BATON_DUMP", "SIGQUIT", 1);
	signal(SIGQUIT, handler);
	run_on(1, alone, NULL);
	expect_eq(load(&handled), SIGQUIT);
}
END_TEST

/* --- a reader that does not read ---------------------------------------------- */

static int pipe_fds[2], dumped;

static int in_pipe(void)
{
	int n = 0;

	expect_eq(ioctl(pipe_fds[0], FIONREAD, &n), 0);
	return n;
}

/* Has somebody begun to write to the last page of it? */
static bool pipe_full(void)
{
	struct pollfd p = { .fd = pipe_fds[1], .events = POLLOUT };

	return !poll(&p, 1, 0);
}

/* All but a page of it is in use; the dump has more to say than that. */
static void fill_pipe(void)
{
	static char page[1 << 16];
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	expect(size <= sizeof(page));
	expect_eq(pipe(pipe_fds), 0);
	expect(fcntl(pipe_fds[1], F_SETPIPE_SZ, 2 * size) == (int)(2 * size));
	expect_eq(write(pipe_fds[1], page, size), size);
}

static void drain_pipe(void)
{
	char text[4096];

	while (!load(&dumped) || in_pipe())
		if (in_pipe())
			expect(read(pipe_fds[0], text, sizeof(text)) > 0);
		else
			sched_yield();
}

static void *dumps(void *arg)
{
	expect_eq(baton_dump(pipe_fds[1]), 0);
	store(&dumped, 1);
	return arg;
}

static void *readies(void *arg)
{
	expect_eq(baton_spawn(NULL, NULL, ends, NULL), 0);
	expect_eq(baton_ready(arg), 0);
	return arg;
}

static void *drains_at_end(void *arg)
{
	struct baton_stats st;

	while (baton_stats(&st, sizeof(st)) != -ESRCH)
		sched_yield();
	drain_pipe();
	return arg;
}

static pthread_t dumper, drainer;

/* Each fiber has a line or more, and the pipe is full. */
static void begin_dump(void)
{
	store(&dumped, 0);
	for (long i = 0; i < sysconf(_SC_PAGESIZE) / 32; i++)
		expect_eq(baton_spawn(NULL, NULL, parks, NULL), 0);
	baton_yield();
	fill_pipe();
	expect_eq(pthread_create(&dumper, NULL, dumps, NULL), 0);
	while (!pipe_full())
		baton_yield();
}

static void end_dump(void)
{
	expect_eq(pthread_join(dumper, NULL), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* Other threads spawn and ready fibers meanwhile. */
static void *spawns_amid(void *arg)
{
	pthread_t thread;

	begin_dump();
	expect_eq(pthread_create(&thread, NULL, readies, baton_self()), 0);
	baton_park();
	expect_eq(pthread_join(thread, NULL), 0);
	expect(!load(&dumped));
	drain_pipe();
	end_dump();
	return arg;
}

/* The scheduler ends meanwhile: not before the dump, which would look at what is
 * freed. */
static void *ends_amid(void *arg)
{
	begin_dump();
	expect_eq(pthread_create(&drainer, NULL, drains_at_end, NULL), 0);
	return arg;
}

START_TEST(unread)
{
	run_on(1, spawns_amid, NULL);
	run_on(1, ends_amid, NULL);
	expect_eq(pthread_join(drainer, NULL), 0);
	end_dump();
}
END_TEST

static void *wrong_fd(void *arg)
{
	expect_eq(baton_dump(-1), -EBADF);
	expect(strstr(baton_reason(), "could not be written"));
	return arg;
}

START_TEST(errors)
{
	expect_eq(baton_dump(STDERR_FILENO), -ESRCH);
	run_on(1, wrong_fd, NULL);
	setenv("BATON_DUMP", "SIGSEGV", 1);
	expect_eq(baton_run(NULL, alone, NULL, NULL), -EINVAL);
	expect(strstr(baton_reason(), "BATON_DUMP"));
}
END_TEST

/* Thousands that come and go meanwhile are no harm. */
static void *comes_and_goes(void *arg)
{
	while (!load(&go))
		expect_eq(baton_join(spawn(ends, arg), NULL), 0);
	return arg;
}

static void *amid(void *arg)
{
	struct baton_fiber *f[8];
	unsigned int n = scaled(50);

	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(comes_and_goes, NULL);
	while (n--) {
		expect_eq(ftruncate(*(int *)arg, 0), 0);
		expect_eq(lseek(*(int *)arg, 0, SEEK_SET), 0);
		expect_eq(baton_dump(*(int *)arg), 0);
		baton_yield();
	}
	store(&go, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(meanwhile)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	expect(fd >= 0);
	run_on(4, amid, &fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dump");
	TCase *tc = test_case(s, "dump");

	tcase_add_loop_test(tc, states, 0,
			    ARRAY_SIZE(ways) * ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, kept);
	tcase_add_test(tc, unread);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, meanwhile);
	return suite_main(s);
}
