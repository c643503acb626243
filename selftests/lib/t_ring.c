// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_ring.c - a ring that is tiny, that is full, or short of memory or threads:
 * what waits for it goes on, by a foreign call if need be; and what is closed
 * before the ring has it. Where there is no ring all goes by foreign calls.
 */
#include "../../lib/io/poller.h"
#include "blocked.h"
#include "common.h"
#include "descs.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#ifdef HAVE_URING
#include <liburing.h>
#endif

#define BLOCK	512
#define BLOCKS	64
#define FIBERS	200

static int fd;
static unsigned int entries;	/* of the next ring; 0: as it was asked for */
static unsigned int refusals;	/* every so many times the kernel is short */

static unsigned int asked;	/* how often the kernel was entered */
static int gate;		/* it is not, until this is 0 again */
static int at_gate;		/* somebody waits for that */

#ifdef HAVE_URING

static int making;		/* no ring is made, until this is 0 again */
static int at_making;		/* somebody waits for that */

int __real_io_uring_queue_init_params(unsigned int n, struct io_uring *r,
				      struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned int n, struct io_uring *r,
				      struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned int n, struct io_uring *r,
				      struct io_uring_params *p)
{
	while (load(&making)) {
		store(&at_making, 1);
		sched_yield();
	}
	if (entries) {
		n = entries;
		p->cq_entries = 2 * entries;
	}
	return __real_io_uring_queue_init_params(n, r, p);
}

/* By turns what the kernel says when it has no memory for a request. */
static int refused(void)
{
	static const int errors[] = { EAGAIN, EBUSY, ENOMEM };

	while (load(&gate)) {
		store(&at_gate, 1);
		sched_yield();
	}
	asked++;
	return refusals && asked % refusals ?
		       -errors[asked % ARRAY_SIZE(errors)] :
		       0;
}

#define WRAP(name, params, args)					\
	int __real_##name params;					\
	int __wrap_##name params;					\
	int __wrap_##name params					\
	{								\
		int err = refused();					\
									\
		return err ? err : __real_##name args;			\
	}

WRAP(io_uring_submit, (struct io_uring *r), (r))
WRAP(io_uring_submit_and_wait, (struct io_uring *r, unsigned int n), (r, n))
WRAP(io_uring_submit_and_get_events, (struct io_uring *r), (r))
WRAP(io_uring_submit_and_wait_timeout,
	(struct io_uring *r, struct io_uring_cqe **cqe, unsigned int n,
	 struct __kernel_timespec *ts, sigset_t *mask),
	(r, cqe, n, ts, mask))

#endif /* HAVE_URING */

static void file_make(void)
{
	char path[128], block[BLOCK];
	const char *tmp = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%.40s/t_ring.XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	expect(fd >= 0);
	unlink(path);
	for (int i = 0; i < BLOCKS; i++) {
		memset(block, i, sizeof(block));
		expect_eq(write(fd, block, sizeof(block)), sizeof(block));
	}
}

/* Fewer than this go without waiting. */
#define VECTORS	9

/* A block in pieces goes by the ring; so does what has a deadline. */
static void *requests(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	struct iovec iov[VECTORS];
	char buf[BLOCK];

	for (unsigned int i = 0; i < scaled(40); i++, seed += 7) {
		unsigned int at = seed % BLOCKS;
		struct baton_scope scope;
		int err;

		for (int j = 0; j < VECTORS; j++) {
			iov[j].iov_base = buf + j;
			iov[j].iov_len = j < VECTORS - 1 ?
						 1 :
						 sizeof(buf) - VECTORS + 1;
		}
		memset(buf, 0xff, sizeof(buf));
		expect_eq(baton_preadv(fd, iov, VECTORS, (int64_t)at * BLOCK),
			  BLOCK);
		for (unsigned int j = 0; j < BLOCK; j++)
			expect_eq(buf[j], (char)at);
		expect_eq(baton_deadline_push(&scope,
					      baton_now() + (seed % 5) *
							      10000),
			  0);
		err = baton_fsync(fd);
		expect(!err || err == -ETIMEDOUT);
		expect_eq(baton_deadline_pop(&scope), 0);
	}
	return NULL;
}

/* Is there one? If not, not for what is refused here. */
static void see_ring(void)
{
	const char *why;

	if (baton_io(&why) == BATON_IO_URING)
		return;
	printf("# no ring: %s\n", why);
	expect(!asked);
}

static void *all_main(void *arg)
{
	struct baton_fiber *f[FIBERS];

	see_ring();
	for (uintptr_t i = 0; i < FIBERS; i++)
		f[i] = spawn(requests, (void *)i);
	for (int i = 0; i < FIBERS; i++)
		join(f[i]);
	return arg;
}

static const unsigned int sizes[] = { 1, 2, 8 };

START_TEST(tiny)
{
	file_make();
	entries = sizes[_i];
	run_on(2, all_main, NULL);
}
END_TEST

START_TEST(short_of_memory)
{
	file_make();
	refusals = 3;
	run_on(2, all_main, NULL);
}
END_TEST

START_TEST(tiny_and_short)
{
	file_make();
	entries = sizes[_i];
	refusals = 2;
	run_on(2, all_main, NULL);
}
END_TEST

/*
 * The ring's own threads cannot be made: the kernel then says that requests
 * were canceled, which nobody has done.
 */
static void *threads_main(void *arg)
{
	struct rlimit old, none;

	see_ring();
	expect_eq(setgroups(0, NULL), 0);
	expect_eq(setgid(65534), 0);
	expect_eq(setuid(65534), 0);
	expect_eq(getrlimit(RLIMIT_NPROC, &old), 0);
	none = old;
	none.rlim_cur = 1;
	expect_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	for (int i = 0; i < 10; i++)
		expect_eq(baton_fsync(fd), 0);
	/* A sanitizer needs a thread, and leave to look, when this ends. */
	expect_eq(setrlimit(RLIMIT_NPROC, &old), 0);
	expect_eq(prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL), 0);
	return arg;
}

START_TEST(no_threads)
{
	file_make();
	run_on(1, threads_main, NULL);
}
END_TEST

/*
 * A request names its file by number until the kernel has it. Of one that is
 * closed before that, and whose number is another file's then, nothing is read.
 */
struct blocks {
	int fd;
	long got;
	char buf[BLOCK];
};

static void *reads_block(void *arg)
{
	struct blocks *b = arg;
	struct iovec iov[VECTORS] = { { b->buf, BLOCK - VECTORS + 1 } };

	for (int i = 1; i < VECTORS; i++) {
		iov[i].iov_base = b->buf + BLOCK - VECTORS + i;
		iov[i].iov_len = 1;
	}
	b->got = baton_preadv(b->fd, iov, VECTORS, BLOCK);
	return NULL;
}

static void *syncs(void *arg)
{
	expect_eq(baton_fsync(fd), 0);
	return arg;
}

/* The number @n is another file's, whose bytes are zeros. */
static void reopen(int n)
{
	int other = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	expect(other >= 0);
	if (other != n) {
		expect_eq(dup3(other, n, O_CLOEXEC), n);
		close(other);
	}
}

static void *closes(void *arg)
{
	struct blocks *b = arg;

	expect_eq(baton_close(b->fd), 0);
	reopen(b->fd);
	return NULL;
}

/* The thread has not even looked at the request. */
static void *stale_main(void *arg)
{
	struct blocks b = { 0 };
	struct baton_fiber *f, *g;
	const char *why;

	if (baton_io(&why) != BATON_IO_URING)
		return arg;
	for (unsigned int i = 0; i < scaled(50); i++) {
		b = (struct blocks){ .fd = dup(fd) };
		store(&at_gate, 0);
		store(&gate, 1);
		g = spawn(syncs, NULL);
		yield_until(&at_gate);
		f = spawn(reads_block, &b);
		wait_blocked(f);
		closes(&b);
		store(&gate, 0);
		join(f);
		join(g);
		expect_eq(b.got, -EBADF);
		close(b.fd);
	}
	return arg;
}

/* It is about to hand it to the kernel: who closes waits for that. */
static void *handed_main(void *arg)
{
	struct blocks b = { 0 };
	struct baton_fiber *f, *g;
	struct desc *d;
	const char *why;
	uint32_t gen;

	if (baton_io(&why) != BATON_IO_URING)
		return arg;
	for (unsigned int i = 0; i < scaled(50); i++) {
		b = (struct blocks){ .fd = dup(fd) };
		d = baton_desc_get(baton_worker_self()->rt, b.fd);
		gen = READ_ONCE(d->gen);
		store(&at_gate, 0);
		store(&gate, 1);
		f = spawn(reads_block, &b);
		yield_until(&at_gate);
		wait_blocked(f);	/* it has noted which file it is */
		g = spawn(closes, &b);
		while (READ_ONCE(d->gen) == gen)
			baton_yield();
		let_run();
		store(&gate, 0);
		join(f);
		join(g);
		expect(b.got == -EBADF ||
		       (b.got == BLOCK && b.buf[0] == 1 &&
			b.buf[BLOCK - 1] == 1));
		close(b.fd);
	}
	return arg;
}

START_TEST(stale)
{
	file_make();
	run_on(2, stale_main, NULL);
}
END_TEST

START_TEST(handed)
{
	file_make();
	run_on(2, handed_main, NULL);
}
END_TEST

/* --- a child of fork() -------------------------------------------------------- */

#if defined(HAVE_URING) && !defined(SANITIZED)

/* Without a ring none is made; a sanitizer says nothing of a child. */
#define FORKS_BESIDE 1

static void *reads_in_child(void *arg)
{
	struct blocks b = { .fd = fd };

	reads_block(&b);
	expect_eq(b.got, BLOCK);
	expect_eq(b.buf[0], 1);
	return arg;
}

/* A thread forks while a ring is being made; its child makes one of its own. */
static void *forks_child(void *arg)
{
	int status;
	pid_t pid;

	while (!load(&at_making))
		sched_yield();
	pid = fork();
	expect(pid >= 0);
	if (!pid) {
		alarm(10);
		store(&making, 0);
		run_on(1, reads_in_child, NULL);
		_exit(6);
	}
	store(&making, 0);
	status = child_status(pid);
	expect(WIFEXITED(status));
	expect_eq(WEXITSTATUS(status), 6);
	return arg;
}

START_TEST(fork_beside)
{
	pthread_t thread;

	file_make();
	making = 1;
	expect_eq(pthread_create(&thread, NULL, forks_child, NULL), 0);
	run_on(1, reads_in_child, NULL);
	expect_eq(pthread_join(thread, NULL), 0);
}
END_TEST

#endif

int main(void)
{
	Suite *s = suite_create("ring");
	TCase *tc = test_case(s, "ring");

	tcase_add_loop_test(tc, tiny, 0, (int)ARRAY_SIZE(sizes));
	tcase_add_test(tc, short_of_memory);
	tcase_add_loop_test(tc, tiny_and_short, 0, (int)ARRAY_SIZE(sizes));
	tcase_add_test(tc, stale);
	tcase_add_test(tc, handed);
#ifdef FORKS_BESIDE
	if (!getenv("BATON_IO") && !under_valgrind())
		tcase_add_test(tc, fork_beside);
#endif
	if (geteuid() || under_qemu_user() || under_valgrind())
		skip("no_threads", "not root, or there is no ring");
	else
		tcase_add_test(tc, no_threads);
	return suite_main(s);
}
