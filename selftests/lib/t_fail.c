// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_fail.c - what the system refuses: threads, memory, keys. It is either got
 * over, or baton_run() and baton_callback() return an error with a reason.
 *
 * The program is linked so that its calls of the functions wrapped here, and the
 * library's, come here first.
 */
#include "ends.h"
#include "refuse.h"

#include <baton/io.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/baton.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>

/* So many calls that succeed first, and so many that then fail. */
static struct fail { int spared, left; } threads, memory, maps;

/* Of this thread alone. */
static __thread struct fail own_memory;

/* If there is one: whoever is about to make a thread cancels it. */
static struct baton_fiber *canceled_at_birth;

static bool fails(struct fail *f)
{
	if (load(&f->spared) > 0) {
		add(&f->spared, -1);
		return false;
	}
	if (load(&f->left) <= 0)
		return false;
	add(&f->left, -1);
	return true;
}

int __real_pthread_create(pthread_t *, const pthread_attr_t *,
			  void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *,
			  void *(*)(void *), void *);
void *__real_aligned_alloc(size_t, size_t);
void *__wrap_aligned_alloc(size_t, size_t);

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg)
{
	struct baton_fiber *f = __atomic_load_n(&canceled_at_birth,
						__ATOMIC_SEQ_CST);

	if (f)
		expect_eq(baton_cancel(f), 0);
	return fails(&threads) ? EAGAIN :
				 __real_pthread_create(t, attr, fn, arg);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails(&memory) || fails(&own_memory) ? NULL :
		__real_aligned_alloc(align, size);
}

#define WRAP_MMAP(name, offset_t)					\
void *__real_##name(void *, size_t, int, int, int, offset_t);		\
void *__wrap_##name(void *, size_t, int, int, int, offset_t);		\
void *__wrap_##name(void *addr, size_t size, int prot, int flags,	\
		    int fd, offset_t offset)				\
{									\
	if (!fails(&maps))						\
		return __real_##name(addr, size, prot, flags, fd,	\
				     offset);				\
	errno = ENOMEM;							\
	return MAP_FAILED;						\
}

/* A module of another ABI: 0: there is none; the flags that it knows. */
static uint32_t module_abi, module_flags;
static int module_fd = -1;

#define WRAP_OPEN(name)							\
int __real_##name(const char *, int, ...);				\
int __wrap_##name(const char *, int, ...);				\
int __wrap_##name(const char *path, int flags, ...)			\
{									\
	va_list ap;							\
	mode_t mode;							\
									\
	va_start(ap, flags);						\
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;		\
	va_end(ap);							\
	if (!module_abi || strcmp(path, "/dev/baton"))			\
		return __real_##name(path, flags, mode);		\
	return module_fd = (int)syscall(SYS_memfd_create, "module", 0);	\
}

/* True: @cmd is for the module of another ABI, which answers with *@ret. */
static bool module_answers(int fd, unsigned long cmd, void *arg, int *ret)
{
	struct baton_header hdr = { .abi = module_abi };
	struct baton_create *c = arg;

	if (!module_abi || fd != module_fd || cmd != BATON_IOC_CREATE)
		return false;
	*ret = -1;
	errno = EINVAL;
	if (c->flags & ~module_flags)
		return true;
	expect_eq(ftruncate(fd, 4096), 0);
	expect_eq(pwrite(fd, &hdr, sizeof(hdr), 0), (int)sizeof(hdr));
	c->region_size = 4096;
	*ret = 0;
	return true;
}

#define WRAP_IOCTL(name)						\
int __real_##name(int, unsigned long, ...);				\
int __wrap_##name(int, unsigned long, ...);				\
int __wrap_##name(int fd, unsigned long cmd, ...)			\
{									\
	void *arg;							\
	va_list ap;							\
	int ret;							\
									\
	va_start(ap, cmd);						\
	arg = va_arg(ap, void *);					\
	va_end(ap);							\
	return module_answers(fd, cmd, arg, &ret) ? ret :		\
		__real_##name(fd, cmd, arg);				\
}

/* glibc has others where files are large, or times have 64 bits. */
WRAP_MMAP(mmap, long)
WRAP_OPEN(open)
WRAP_IOCTL(ioctl)
#ifdef __GLIBC__
WRAP_MMAP(mmap64, off64_t)
WRAP_OPEN(open64)
#ifdef __USE_TIME_BITS64
WRAP_IOCTL(__ioctl_time64)
#endif
#endif

static void *nothing(void *arg)
{
	return arg;
}

static void no_call(void *arg)
{
	add((int *)arg, 1);
}

/* --- no thread for the ring, or no memory -------------------------------- */

static void *no_ring(void *arg)
{
	struct fail *f = arg;
	char text[4];
	const char *why;
	int fd;

	store(&f->left, INT_MAX);
	fd = baton_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
	expect(fd >= 0);
	expect_eq(baton_pread(fd, text, 4, 0), 4);
	expect(!memcmp(text, "\177ELF", 4));
	expect_eq(baton_io(&why), BATON_IO_CALL);
	expect(*why);
	store(&f->left, 0);
	expect_eq(baton_pread(fd, text, 3, 1), 3);
	expect(!memcmp(text, "ELF", 3));
	expect_eq(baton_fsync(-1), -EBADF);
	expect_eq(baton_close(fd), 0);
	return arg;
}

START_TEST(no_thread_for_ring)
{
	run_on(1, no_ring, _i ? &memory : &threads);
}
END_TEST

/* --- no thread, or no memory for it, for a while --------------------------- */

#define BLOCKED	8	/* fibers */

static void *reads(void *arg)
{
	char c;
	int err;

	expect_eq(BATON_CALL(err, read, *(int *)arg, &c, 1), 1);
	expect_eq(err, 0);
	return arg;
}

static void *writes(void *arg)
{
	expect_eq(write(*(int *)arg, "xxxxxxxx", BLOCKED), BLOCKED);
	return arg;
}

/*
 * More fibers block, each with a worker, than there are workers, or are about
 * to be, and the one processor is idle, or may be taken; only a new worker can run
 * the fiber that they wait for.
 */
static void *starve(void *arg)
{
	struct fail *f = arg;
	struct baton_fiber *fiber[BLOCKED + 1];
	struct baton_stats st;
	int fd[2];

	expect_eq(pipe(fd), 0);
	do
		expect_eq(baton_stats(&st, sizeof(st)), 0);
	while (st.workers < 2);
	store(&f->left, 6);
	for (int i = 0; i < BLOCKED; i++)
		fiber[i] = spawn(reads, &fd[0]);
	fiber[BLOCKED] = spawn(writes, &fd[1]);
	for (int i = 0; i <= BLOCKED; i++)
		join(fiber[i]);
	expect_eq(load(&f->left), 0);
	close(fd[0]);
	close(fd[1]);
	return arg;
}

START_TEST(no_thread_for_a_while)
{
	run_on(1, starve, &threads);
}
END_TEST

START_TEST(no_memory_for_a_while)
{
	run_on(1, starve, &memory);
}
END_TEST

/*
 * The only worker that there may be is retired, and another one cannot be made
 * for a while: nobody else gets its slot meanwhile.
 */
static int rests;

static void *calls_in_vain(void *arg)
{
	int n = 0;

	while (load(&rests)) {
		expect_eq(baton_callback(no_call, &n), -EAGAIN);
		expect(*baton_reason());
	}
	return arg;
}

static void *end_locked(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	store(&threads.left, 6);
	return arg;
}

static void *only_slot(void *arg)
{
	pthread_t t;

	store(&rests, 1);
	expect_eq(__real_pthread_create(&t, NULL, calls_in_vain, NULL), 0);
	join(spawn(end_locked, arg));
	expect_eq(load(&threads.left), 0);
	store(&rests, 0);
	expect_eq(pthread_join(t, NULL), 0);
	return arg;
}

START_TEST(no_thread_after_retired)
{
	int x;

	expect(run_with(1, 1, only_slot, &x) == &x);
}
END_TEST

/*
 * More fibers become ready than a processor's queue holds, and there is no
 * memory for the queue that they go to instead.
 */
#define GROUP	200
#define GROUPS	5

static struct { int parked, woken; } many;

static void *parks(void *arg)
{
	add(&many.parked, 1);
	baton_park();
	add(&many.woken, 1);
	return arg;
}

static void *overflows(void *arg)
{
	static struct baton_fiber *f[GROUPS * GROUP];

	/* In groups, none of which is more than the queue holds. */
	for (int i = 0; i < GROUPS * GROUP; i++) {
		f[i] = spawn(parks, NULL);
		if (i % GROUP == GROUP - 1)
			while (load(&many.parked) <= i)
				baton_yield();
	}
	baton_yield();
	store(&maps.left, *(const int *)arg);
	for (int i = 0; i < GROUPS * GROUP; i++)
		expect_eq(baton_ready(f[i]), 0);
	/* With the module, one that had blocked has been there before. */
	if (!tier_is_kmod())
		expect(load(&maps.left) < *(const int *)arg);
	store(&maps.left, 0);
	for (int i = 0; i < GROUPS * GROUP; i++)
		join(f[i]);
	expect_eq(load(&many.woken), GROUPS * GROUP);
	return arg;
}

/* For some of them, and for all. */
static const int refused[] = { 50, 1000000 };

START_TEST(no_memory_for_queue)
{
	run_on(1, overflows, (void *)&refused[_i]);
}
END_TEST

/* --- no thread, or no memory, to begin with -------------------------------- */

static void run_fails(int want)
{
	struct baton_stats st;

	expect_eq(baton_run(NULL, nothing, NULL, NULL), want);
	expect(*baton_reason());
	expect_eq(baton_stats(&st, sizeof(st)), -ESRCH);
	expect_eq(baton_run(NULL, nothing, NULL, NULL), 0);
}

START_TEST(no_watcher)
{
	store(&threads.left, 1);
	run_fails(-EAGAIN);
}
END_TEST

/* The processors' first, then the first worker's. */
START_TEST(no_memory)
{
	store(&memory.spared, _i);
	store(&memory.left, 1);
	run_fails(-ENOMEM);
}
END_TEST

/* --- no key of thread-specific data ----------------------------------------- */

static struct {
	pthread_key_t first;	/* the program's, and key 0 as a rule */
	pthread_key_t last;
	void *seen;		/* by the destructor of the first */
} keys;

static void key_ends(void *value)
{
	keys.seen = value;
}

static void use_up_keys(void)
{
	pthread_key_t key;

	expect_eq(pthread_key_create(&keys.first, key_ends), 0);
	keys.last = keys.first;
	while (!pthread_key_create(&key, NULL))
		keys.last = key;
	expect(keys.last != keys.first);
	expect_eq(pthread_setspecific(keys.first, &keys), 0);
}

START_TEST(no_key)
{
	use_up_keys();
	for (int i = 0; i < 2; i++) {
		expect_eq(baton_run(NULL, nothing, NULL, NULL), -EAGAIN);
		expect(strstr(baton_reason(), "key"));
		expect(pthread_getspecific(keys.first) == &keys);
		expect(!keys.seen);
	}
	/* A key that has become free serves. */
	expect_eq(pthread_key_delete(keys.last), 0);
	expect_eq(baton_run(NULL, nothing, NULL, NULL), 0);
	expect(pthread_getspecific(keys.first) == &keys);
}
END_TEST

/* The scheduler got its key, and the thread has no memory for the value. */
static void *calls_back(void *arg)
{
	int called = 0;

	expect_eq(pthread_setspecific(keys.first, &keys), 0);
	own_memory.left = 1;
	expect_eq(baton_callback(no_call, &called), -ENOMEM);
	expect(*baton_reason());
	expect_eq(called, 0);
	expect_eq(baton_callback(no_call, &called), 0);
	expect_eq(called, 1);
	expect(pthread_getspecific(keys.first) == &keys);
	return arg;
}

static void foreign_thread(void *arg)
{
	on_thread(calls_back, arg);
}

static void *calls_thread(void *arg)
{
	expect_eq(baton_call(foreign_thread, arg), 0);
	expect(keys.seen == &keys);
	return arg;
}

/* All workers that may be are there: nothing is mapped to find that out. */
static void *calls_back_at_limit(void *arg)
{
	int called = 0;

	store(&maps.left, INT_MAX);
	expect_eq(baton_callback(no_call, &called), -EAGAIN);
	store(&maps.left, 0);
	expect(strstr(baton_reason(), "all 1 workers"));
	expect_eq(called, 0);
	return arg;
}

static void foreign_thread_at_limit(void *arg)
{
	on_thread(calls_back_at_limit, arg);
}

static void *calls_thread_at_limit(void *arg)
{
	expect_eq(baton_call(foreign_thread_at_limit, arg), 0);
	return arg;
}

/*
 * Fibers end on their locked threads, and with them these; a fiber that ran on
 * one of them still leads to its record, in which the next one begins.
 */
static void *waits_masked(void *arg)
{
	baton_cancel_mask();
	expect_eq(baton_sem_wait(arg), 0);
	baton_cancel_unmask();
	return arg;
}

static void *ends_locked(void *arg)
{
	expect_eq(baton_thread_lock(), 0);
	return arg;
}

static void *cancel_while_born(void *arg)
{
	struct baton_sem over = BATON_SEM_INIT(0);
	struct baton_fiber *f;

	/* All others run on the only other thread. */
	expect_eq(baton_thread_lock(), 0);
	f = spawn(waits_masked, &over);
	join(spawn(ends_locked, arg));
	__atomic_store_n(&canceled_at_birth, f, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 8; i++)
		join(spawn(ends_locked, arg));
	__atomic_store_n(&canceled_at_birth, NULL, __ATOMIC_SEQ_CST);
	expect_eq(baton_sem_post(&over), 0);
	join(f);
	return arg;
}

START_TEST(cancel_reused)
{
	run_with(1, 2, cancel_while_born, NULL);
}
END_TEST

START_TEST(callback_at_limit)
{
	run_with(1, 1, calls_thread_at_limit, NULL);
}
END_TEST

START_TEST(no_memory_for_callback)
{
	expect_eq(pthread_key_create(&keys.first, key_ends), 0);
	run_on(2, calls_thread, NULL);
}
END_TEST

/* --- the program closes what is not its own ---------------------------------- */

#define OURS	200	/* and below: the library's */
#define SKIPPED	77	/* exit status */

static void *closes_all(void *arg)
{
	for (int fd = 3; fd < OURS; fd++)
		close(fd);
	baton_park();
	return arg;
}

/* Its eventfds, by which a ring's thread is woken, and who waits for others */
static void close_events(void)
{
	char link[64], name[64];
	ssize_t n;

	for (int fd = 3; fd < OURS; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, name, sizeof(name));
		if (n > 17 && !memcmp(name, "anon_inode:[event", 17))
			close(fd);
	}
}

static void *closes_ring(void *arg)
{
	char byte;

	if (baton_io(NULL) != BATON_IO_URING)
		_exit(SKIPPED);
	expect_eq(dup2(open("/proc/self/exe", O_RDONLY), OURS), OURS);
	expect_eq(baton_pread(OURS, &byte, 1, 0), 1);
	close_events();
	baton_pread(OURS, &byte, 1, 0);
	return arg;
}

/* False: it could not be tried. */
static bool aborts(baton_fn fn, const char *says)
{
	const struct end e = { fn, says };
	char said[8192];
	int status = ends_run(&e, said, sizeof(said));

	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		return false;
	ends_aborted(status, said, says);
	return true;
}

START_TEST(closed)
{
	if (tier_is_kmod())
		aborts(closes_all, "has closed");
	else
		skip("closed", "this tier has no descriptor");
}
END_TEST

START_TEST(ring_closed)
{
	if (!aborts(closes_ring, "has closed"))
		skip("ring_closed", "there is no ring");
}
END_TEST

/* --- a filter that knows too few system calls -------------------------------- */

static void *reads_without_flag(void *arg)
{
	const struct iovec iov[] = { { "te", 2 }, { "x", 1 }, { "t", 1 } };
	int p[2], fd;
	char text[4];

	(void)arg;
	expect_eq(pipe(p), 0);
	expect_eq(baton_write(p[1], "text", 4), 4);
	expect_eq(baton_read(p[0], text, 4), 4);
	expect(!memcmp(text, "text", 4));
	/* A pipe's readers see it in one piece. */
	expect_eq(baton_writev(p[1], iov, 3), 4);
	expect_eq(baton_read(p[0], text, 4), 4);
	expect(!memcmp(text, "text", 4));
	fd = open("/proc/self/exe", O_RDONLY);
	expect(fd >= 0);
	expect_eq(baton_pread(fd, text, 3, 1), 3);
	expect(!memcmp(text, "ELF", 3));
	expect_eq(baton_read(fd, text, 4), 4);
	expect_eq(baton_write(fd, "x", 1), -EBADF);
	return NULL;
}

START_TEST(no_preadv2)
{
	static const int errs[] = { EPERM, ENOSYS };

	if (refuse(SYS_preadv2, 0, errs[_i]) &&
	    refuse(SYS_pwritev2, 0, errs[_i]))
		run_on(2, reads_without_flag, NULL);
	else
		skip("no_preadv2", "no seccomp");
}
END_TEST

static void *reads_byte(void *arg)
{
	char byte;

	expect_eq(baton_read(*(int *)arg, &byte, 1), 1);
	return NULL;
}

static void *reads_and_writes(void *arg)
{
	struct baton_fiber *f;
	int p[2];

	expect_eq(pipe(p), 0);
	f = spawn(reads_byte, p);
	expect_eq(baton_yield(), 0);
	expect_eq(baton_write(p[1], "x", 1), 1);
	join(f);
	return arg;
}

/* An epoll descriptor can be made, but not waited for. */
START_TEST(no_epoll_wait)
{
#ifdef SYS_epoll_wait
	if (!refuse(SYS_epoll_wait, 0, EPERM)) {
		skip("no_epoll_wait", "no seccomp");
		return;
	}
#endif
	if (refuse(SYS_epoll_pwait, 0, EPERM))
		run_on(2, reads_and_writes, NULL);
	else
		skip("no_epoll_wait", "no seccomp");
}
END_TEST

static void *syncs(void *arg)
{
	const char *why;
	int fd = open("/proc/self/exe", O_RDONLY);

	(void)arg;
	expect_eq(baton_fsync(fd), 0);
	expect_eq(baton_io(&why), BATON_IO_CALL);
	expect(*why);
	return NULL;
}

/* A ring can be made, but not entered. */
START_TEST(no_enter)
{
	if (refuse(SYS_io_uring_enter, 0, EPERM))
		run_on(2, syncs, NULL);
	else
		skip("no_enter", "no seccomp");
}
END_TEST

static void *forbids_enter(void *arg)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	(void)arg;
	if (baton_io(NULL) != BATON_IO_URING ||
	    !refuse(SYS_io_uring_enter, 0, EPERM))
		_exit(SKIPPED);
	/* What the ring's thread is in by then may still end well. */
	while (!baton_fsync(fd))
		;
	return NULL;
}

START_TEST(no_enter_later)
{
	if (!aborts(forbids_enter, "io_uring_enter() has come to be forbidden"))
		skip("no_enter_later", "no ring, or no seccomp");
}
END_TEST

/* --- membarrier() is forbidden later on ---------------------------------- */

static int other_ran;

static void *set_other_ran(void *arg)
{
	store(&other_ran, 1);
	return arg;
}

static void until_other_ran(void *arg)
{
	(void)arg;
	while (!load(&other_ran))
		usleep(1000);
}

static void *forbidden_main(void *arg)
{
	bool *done = arg;

	if (!refuse(SYS_membarrier, 0, EPERM))
		return arg;
	for (int i = 0; i < 20; i++) {
		struct baton_fiber *f;

		store(&other_ran, 0);
		f = spawn(set_other_ran, NULL);
		expect(baton_call(until_other_ran, NULL) >= 0);
		join(f);
	}
	*done = true;
	return arg;
}

/* Calls that block are handed over all the same. */
START_TEST(no_membarrier)
{
	bool done = false;

	run_on(1, forbidden_main, &done);
	if (!done)
		skip("no_membarrier", "no seccomp");
}
END_TEST

/* Until a cancel ends it. */
static void block(void *arg)
{
	int fd[2];
	char byte;

	expect_eq(pipe(fd), 0);
	store(&other_ran, 1);
	if (read(fd[0], &byte, 1) < 0 && errno == EINTR)
		*(bool *)arg = true;
	close(fd[0]);
	close(fd[1]);
}

static void *blocks(void *arg)
{
	baton_call(block, arg);
	return arg;
}

static void *sleeps(void *arg)
{
	*(bool *)arg = baton_sleep(BATON_NEVER) == -ECANCELED;
	return arg;
}

static void cancel_from_call(void *arg)
{
	expect_eq(baton_cancel(arg), 0);
}

static void *forbidden_cancels(void *arg)
{
	bool canceled = false, *done = arg;
	struct baton_fiber *f;

	store(&other_ran, 0);
	f = spawn(blocks, &canceled);
	yield_until(&other_ran);
	if (!refuse(SYS_membarrier, 0, EPERM))
		_exit(0);
	expect_eq(baton_cancel(f), 0);
	join(f);
	expect(canceled);
	f = spawn(sleeps, &canceled);
	baton_yield();
	expect(baton_call(cancel_from_call, f) >= 0);
	join(f);
	expect(canceled);
	*done = true;
	return arg;
}

/* Cancels come, whoever has them sent, and in each state. */
START_TEST(no_membarrier_cancel)
{
	bool done = false;

	run_on(2, forbidden_cancels, &done);
	expect(done);
}
END_TEST

/* --- a module of another ABI ----------------------------------------------- */

static const struct {
	uint32_t abi, flags;
} modules[] = {
	{ 2, 0 },
	{ 3, BATON_CREATE_LEARN | BATON_CREATE_OFF },
	{ BATON_ABI + 1, UINT32_MAX },
};

static void *says_why(void *arg)
{
	const char *why;

	expect(baton_tier(&why) != BATON_TIER_KMOD);
	expect(strstr(why, arg));
	return arg;
}

/* It says which, and which is needed; without it there are other tiers. */
START_TEST(other_abi)
{
	char says[80];

	module_abi = modules[_i].abi;
	module_flags = modules[_i].flags;
	snprintf(says, sizeof(says), "/dev/baton: ABI %u, need %u", module_abi,
		 BATON_ABI);
	setenv("BATON_TIER", "kmod", 1);
	expect_eq(baton_run(NULL, nothing, NULL, NULL), -EPROTO);
	ck_assert_str_eq(baton_reason(), says);
	setenv("BATON_TIER", "auto", 1);
	expect_eq(baton_run(NULL, says_why, says, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fail");
	TCase *tc = test_case(s, "fail");

	tcase_add_loop_test(tc, no_thread_for_ring, 0, 2);
	tcase_add_test(tc, no_thread_for_a_while);
	tcase_add_test(tc, no_memory_for_a_while);
	tcase_add_test(tc, no_thread_after_retired);
	tcase_add_loop_test(tc, no_memory_for_queue, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, no_watcher);
	tcase_add_loop_test(tc, no_memory, 0, 2);
	tcase_add_test(tc, no_key);
	tcase_add_test(tc, no_memory_for_callback);
	tcase_add_test(tc, callback_at_limit);
	tcase_add_test(tc, cancel_reused);
	tcase_add_test(tc, closed);
	tcase_add_test(tc, ring_closed);
	tcase_add_loop_test(tc, no_preadv2, 0, 2);
	tcase_add_test(tc, no_epoll_wait);
	tcase_add_test(tc, no_enter);
	tcase_add_test(tc, no_enter_later);
	tcase_add_test(tc, no_membarrier);
	tcase_add_test(tc, no_membarrier_cancel);
	tcase_add_loop_test(tc, other_abi, 0, ARRAY_SIZE(modules));
	return suite_main(s);
}
