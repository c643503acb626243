// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_file.c - files: by io_uring and by foreign calls, in fibers, foreign code
 * and ordinary threads; canceled, too late, refused, and left behind at the
 * end.
 */
#include "refuse.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#ifndef STATX_SIZE
#include <linux/stat.h>	/* a C library that does not know statx() */
#endif

#define BLOCK	4096

static const enum baton_io backends[] = { BATON_IO_URING, BATON_IO_CALL };

/* The library's own, behind baton_read() of a file. */
ssize_t baton_file_rw(int fd, bool write, const struct iovec *iov, int n,
		      int64_t off, int64_t deadline);

static char dir[64];	/* of this test, and what is in it */

static char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void dir_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.40s/t_file.XXXXXX", tmp ? tmp : "/tmp");
	expect(mkdtemp(dir));
}

static void dir_remove(void)
{
	static const char *const names[] = { "file", "else", "fifo", "sub" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		unlink(in_dir(names[i]));
	rmdir(in_dir("sub"));
	rmdir(dir);
}

/* In a fiber, by one of both ways. */
static void run_by(enum baton_io io, unsigned int nprocs, baton_fn fn,
		   void *arg)
{
	struct baton_config *cfg;
	int err;

	expect_eq(baton_config_create(&cfg), 0);
	expect_eq(baton_config_set_nprocs(cfg, nprocs), 0);
	expect_eq(baton_config_set_io(cfg, io), 0);
	err = baton_run(cfg, fn, arg, NULL);
	if (err)
		ck_abort_msg("baton_run: %s: %s", strerror(-err),
			     baton_reason());
	baton_config_destroy(cfg);
}

/* Is it io_uring that carries requests here? Else the reason is printed. */
static bool has_ring(const char *name)
{
	const char *why;

	if (baton_io(&why) == BATON_IO_URING)
		return true;
	skip(name, why);
	return false;
}

/* --- what each of them does ----------------------------------------------- */

static void fill(char *buf, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(seed + i * 7 + i / 251);
}

static void check_data(int fd)
{
	char out[10000], in[sizeof(out) + 100];
	struct iovec iov[12];

	fill(out, sizeof(out), 3);
	expect_eq(baton_pwrite(fd, out, sizeof(out), 0), sizeof(out));
	memset(in, 0, sizeof(in));
	expect_eq(baton_pread(fd, in, sizeof(out), 0), sizeof(out));
	expect(!memcmp(in, out, sizeof(out)));
	/* Short at the end of the file, nothing beyond. */
	expect_eq(baton_pread(fd, in, sizeof(in), 9000), 1000);
	expect(!memcmp(in, out + 9000, 1000));
	expect_eq(baton_pread(fd, in, sizeof(in), 10000), 0);
	expect_eq(baton_pread(fd, in, sizeof(in), INT64_C(1) << 40), 0);
	/* So many vectors that they are not tried at once, and fewer. */
	for (int n = 3; n <= 12; n += 9) {
		for (int i = 0; i < n; i++)
			iov[i] = (struct iovec){ out + 100 * i, 100 };
		expect_eq(baton_pwritev(fd, iov, n, 20000), 100 * n);
		memset(in, 0, sizeof(in));
		for (int i = 0; i < n; i++)
			iov[i].iov_base = in + 100 * i;
		expect_eq(baton_preadv(fd, iov, n, 20000), 100 * n);
		expect(!memcmp(in, out, 100 * (size_t)n));
	}
	expect_eq(baton_fsync(fd), 0);
	expect_eq(baton_fdatasync(fd), 0);
	/* At the position, which moves on. */
	iov[0] = (struct iovec){ in, 600 };
	expect_eq(lseek(fd, 0, SEEK_SET), 0);
	for (int at = 0; at < 3000; at += 600) {
		expect_eq(baton_file_rw(fd, false, iov, 1, -1, BATON_NEVER),
			  600);
		expect(!memcmp(in, out + at, 600));
	}
}

static void check_names(void)
{
	struct statx st;
	char entries[1024], path[128];
	int fd, err;

	fd = baton_openat(AT_FDCWD, in_dir("file"), O_RDWR | O_CREAT | O_EXCL,
			  0600);
	expect(fd >= 0);
	expect_eq(baton_openat(AT_FDCWD, in_dir("file"),
			       O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
	check_data(fd);
	err = baton_statx(AT_FDCWD, in_dir("file"), 0, STATX_SIZE, &st);
	expect_eq(err, 0);
	expect_eq(st.stx_size, 21200);
	expect_eq(baton_statx(AT_FDCWD, in_dir("none"), 0, STATX_SIZE, &st),
		  -ENOENT);
	expect_eq(baton_mkdirat(AT_FDCWD, in_dir("sub"), 0700), 0);
	expect_eq(baton_mkdirat(AT_FDCWD, in_dir("sub"), 0700), -EEXIST);
	snprintf(path, sizeof(path), "%s", in_dir("file"));
	expect_eq(baton_renameat(AT_FDCWD, path, AT_FDCWD, in_dir("else")), 0);
	expect_eq(baton_renameat(AT_FDCWD, path, AT_FDCWD, in_dir("else")),
		  -ENOENT);
	expect_eq(close(fd), 0);
	fd = baton_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	expect(fd >= 0);
	/* ".", "..", "sub", "else" */
	expect(baton_getdents(fd, entries, sizeof(entries)) >= 4 * 20);
	expect_eq(baton_getdents(fd, entries, sizeof(entries)), 0);
	expect_eq(baton_unlinkat(fd, "else", 0), 0);
	expect_eq(baton_unlinkat(fd, "else", 0), -ENOENT);
	expect_eq(baton_unlinkat(fd, "sub", AT_REMOVEDIR), 0);
	expect_eq(close(fd), 0);
}

static void check_errors(void)
{
	struct iovec iov = { NULL, 0 };
	char byte = 'x';
	int fd[2];

	expect_eq(baton_pread(-1, &byte, 1, 0), -EBADF);
	expect_eq(baton_pwrite(-1, &byte, 1, 0), -EBADF);
	expect_eq(baton_fsync(-1), -EBADF);
	expect_eq(baton_getdents(-1, &byte, 1), -EBADF);
	expect_eq(baton_pread(0, &byte, 1, -1), -EINVAL);
	expect(*baton_reason());
	expect_eq(baton_preadv(0, &iov, -1, 0), -EINVAL);
	expect_eq(baton_preadv(0, NULL, 1, 0), -EINVAL);
	expect_eq(baton_preadv(0, &iov, 5000, 0), -EINVAL);
	expect_eq(pipe(fd), 0);
	expect_eq(baton_pread(fd[0], &byte, 1, 0), -ESPIPE);
	expect_eq(baton_pwrite(fd[1], &byte, 1, 0), -ESPIPE);
	close(fd[0]);
	close(fd[1]);
	/* A full disk */
	fd[0] = open("/dev/full", O_WRONLY);
	expect(fd[0] >= 0);
	expect_eq(baton_pwrite(fd[0], "x", 1, 0), -ENOSPC);
	close(fd[0]);
}

static void check_all(void *arg)
{
	(void)arg;
	check_names();
	check_errors();
}

static void *check_fiber(void *arg)
{
	const char *why = NULL;
	enum baton_io io = baton_io(&why);

	expect(io == BATON_IO_URING || io == BATON_IO_CALL);
	expect(!*why == (io == BATON_IO_URING));
	check_all(arg);
	/* Foreign code has the same. */
	expect_eq(baton_call(check_all, arg), 0);
	/* A thread of the fiber's own may have rights of its own. */
	expect_eq(baton_thread_lock(), 0);
	check_all(arg);
	expect_eq(baton_thread_unlock(), 0);
	return arg;
}

START_TEST(results)
{
	dir_make();
	if (_i < 2) {
		for (unsigned int n = 0; n < ARRAY_SIZE(nprocs_list); n++)
			run_by(backends[_i], nprocs_list[n], check_fiber, NULL);
	} else {
		const char *why;

		errno = 77;
		check_all(NULL);
		expect_eq(baton_io(&why), BATON_IO_AUTO);
		expect(*why);
		errno = 77;
		expect_eq(baton_fsync(-1), -EBADF);
		expect_eq(errno, 77);
	}
	dir_remove();
}
END_TEST

/* --- limits of the system ------------------------------------------------- */

static void *at_the_limit(void *arg)
{
	char buf[2 * BLOCK];
	int fd = *(int *)arg;

	fill(buf, sizeof(buf), 1);
	expect_eq(baton_pwrite(fd, buf, sizeof(buf), 3 * BLOCK), BLOCK);
	expect_eq(baton_pwrite(fd, buf, sizeof(buf), 4 * BLOCK), -EFBIG);
	return arg;
}

START_TEST(file_size)
{
	struct rlimit limit = { 4 * BLOCK, 4 * BLOCK };
	int fd;

	dir_make();
	signal(SIGXFSZ, SIG_IGN);
	fd = open(in_dir("file"), O_RDWR | O_CREAT, 0600);
	expect(fd >= 0);
	expect_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	run_by(backends[_i], 1, at_the_limit, &fd);
	close(fd);
	dir_remove();
}
END_TEST

static void *fill_disk(void *arg)
{
	static char buf[16 * BLOCK];
	int fd = *(int *)arg;
	ssize_t n, sum = 0;

	while ((n = baton_pwrite(fd, buf, sizeof(buf), sum)) > 0)
		sum += n;
	expect_eq(n, -ENOSPC);
	expect(sum >= 8 * BLOCK && sum <= 16 * BLOCK);
	return arg;
}

START_TEST(full_disk)
{
	int fd;

	dir_make();
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, "") ||
	    mount("none", dir, "tmpfs", 0, "size=64k")) {
		skip("full_disk", "this user may not mount");
		dir_remove();
		return;
	}
	fd = open(in_dir("file"), O_RDWR | O_CREAT, 0600);
	expect(fd >= 0);
	run_by(backends[_i], 1, fill_disk, &fd);
	close(fd);
	expect_eq(umount(dir), 0);
	dir_remove();
}
END_TEST

/* --- a request that blocks: a FIFO is opened that nobody writes to -------- */

static void fifo_make(void)
{
	dir_make();
	expect_eq(mkfifo(in_dir("fifo"), 0600), 0);
}

struct opener {
	int started;
	int result;
};

static void *open_fifo(void *arg)
{
	struct opener *o = arg;
	struct baton_scope scope;
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo", dir);
	/* It is the ring that is to open it, which it does if this is set. */
	expect_eq(baton_deadline_push(&scope, BATON_NEVER - 1), 0);
	store(&o->started, 1);
	o->result = baton_openat(AT_FDCWD, path, O_RDONLY, 0);
	expect_eq(baton_deadline_pop(&scope), 0);
	/* Nobody reads it any more. */
	memset(path, 'x', sizeof(path));
	return arg;
}

static void *cancel_all(void *arg)
{
	struct opener o[8] = { { 0 } };
	struct baton_fiber *f[ARRAY_SIZE(o)];

	for (unsigned int i = 0; i < ARRAY_SIZE(o); i++)
		f[i] = spawn(open_fifo, &o[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(o); i++)
		yield_until(&o[i].started);
	for (unsigned int i = 0; i < ARRAY_SIZE(o); i++)
		expect_eq(baton_cancel(f[i]), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(o); i++) {
		join(f[i]);
		expect_eq(o[i].result, -ECANCELED);
	}
	/* And one that is due when it comes. */
	expect_eq(baton_cancel(baton_self()), 0);
	open_fifo(&o[0]);
	expect_eq(o[0].result, -ECANCELED);
	expect_eq(baton_canceled(), 0);
	return arg;
}

START_TEST(canceled)
{
	fifo_make();
	run_by(backends[_i % 2], nprocs_list[_i / 2], cancel_all, NULL);
	dir_remove();
}
END_TEST

static void *too_late(void *arg)
{
	struct baton_scope scope;
	struct opener o;

	/* By calls a deadline that is past, only. */
	expect_eq(baton_deadline_push(&scope, 0), 0);
	open_fifo(&o);
	expect_eq(o.result, -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&scope), 0);
	if (!has_ring("deadline"))
		return arg;
	for (int i = 0; i < 3; i++) {
		expect_eq(baton_deadline_push(&scope,
					      baton_now() + 5 * BATON_MSEC),
			  0);
		open_fifo(&o);
		expect_eq(o.result, -ETIMEDOUT);
		expect_eq(baton_deadline_pop(&scope), 0);
	}
	return arg;
}

START_TEST(deadline)
{
	fifo_make();
	run_by(BATON_IO_URING, nprocs_list[_i], too_late, NULL);
	dir_remove();
}
END_TEST

/* The first fiber ends, and what others wait for never comes. */
static void *leave_behind(void *arg)
{
	static struct opener o[40];

	if (!has_ring("end"))
		return arg;
	for (unsigned int i = 0; i < ARRAY_SIZE(o); i++)
		spawn(open_fifo, &o[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(o); i++)
		yield_until(&o[i].started);
	return arg;
}

START_TEST(end)
{
	fifo_make();
	for (unsigned int i = 0; i < 5; i++)
		run_by(BATON_IO_URING, nprocs_list[_i], leave_behind, NULL);
	dir_remove();
}
END_TEST

/* --- data, with cancels at random ----------------------------------------- */

#define READERS	32
#define BLOCKS	64

struct storm {
	int fd;
	unsigned int rounds;
	uint32_t seed;
	int running;
	struct baton_fiber *f[READERS];
};

struct reader {
	struct storm *storm;
	uint32_t seed;
};

static bool is_block(const char *buf, unsigned int n)
{
	static __thread char want[BLOCK];

	fill(want, BLOCK, n);
	return !memcmp(buf, want, BLOCK);
}

static void *reader(void *arg)
{
	struct reader *r = arg;
	char *buf = aligned_alloc(BLOCK, BLOCK);

	expect(buf);
	for (unsigned int i = 0; i < r->storm->rounds; i++) {
		unsigned int n = random_next(&r->seed) % BLOCKS;
		struct baton_scope scope;
		int64_t in = random_next(&r->seed) % 4 ?
				     BATON_SEC * 1000 :
				     random_next(&r->seed) % 100000;
		ssize_t got;

		expect_eq(baton_deadline_push(&scope, baton_now() + in), 0);
		got = baton_pread(r->storm->fd, buf, BLOCK, n * BLOCK);
		expect_eq(baton_deadline_pop(&scope), 0);
		if (got >= 0) {
			expect_eq(got, BLOCK);
			expect(is_block(buf, n));
		} else {
			expect(got == -ECANCELED || got == -ETIMEDOUT);
		}
		/* It is ours again, and nobody writes to it. */
		memset(buf, 'x', BLOCK);
		baton_yield();
		for (unsigned int b = 0; b < BLOCK; b += 256)
			expect_eq(buf[b], 'x');
	}
	free(buf);
	add(&r->storm->running, -1);
	return arg;
}

static void *canceler(void *arg)
{
	struct storm *s = arg;

	while (load(&s->running)) {
		if (s->f[random_next(&s->seed) % READERS])
			baton_cancel(s->f[random_next(&s->seed) % READERS]);
		baton_yield();
	}
	return arg;
}

static void *storm(void *arg)
{
	static struct reader r[READERS];
	struct storm *s = arg;
	struct baton_fiber *c;

	s->running = READERS;
	for (unsigned int i = 0; i < READERS; i++) {
		r[i] = (struct reader){ s, random_next(&s->seed) };
		s->f[i] = spawn(reader, &r[i]);
	}
	c = spawn(canceler, s);
	join(c);
	for (unsigned int i = 0; i < READERS; i++)
		join(s->f[i]);
	return arg;
}

/* O_DIRECT waits for a disk; where there is none, the page cache is dropped. */
START_TEST(storms)
{
	struct storm s = { .rounds = scaled(400), .seed = random_seed() };
	char buf[BLOCK];

	dir_make();
	s.fd = open(in_dir("file"), O_RDWR | O_CREAT, 0600);
	expect(s.fd >= 0);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		fill(buf, BLOCK, i);
		expect_eq(pwrite(s.fd, buf, BLOCK, i * BLOCK), BLOCK);
	}
	expect_eq(fsync(s.fd), 0);
	if (fcntl(s.fd, F_SETFL, O_DIRECT))
		posix_fadvise(s.fd, 0, 0, POSIX_FADV_DONTNEED);
	run_by(backends[_i % 2], nprocs_list[_i / 2], storm, &s);
	close(s.fd);
	dir_remove();
}
END_TEST

/* --- other fibers' foreign calls ------------------------------------------ */

struct stuck {
	sem_t go;
	int in;
	int interrupted;
	int fd;
};

static void *requests(void *arg)
{
	struct stuck *s = arg;
	struct statx st;

	/* Neither is ever had at once. */
	for (unsigned int i = scaled(200); i; i--) {
		expect_eq(baton_fsync(s->fd), 0);
		expect_eq(baton_statx(s->fd, "", AT_EMPTY_PATH, STATX_SIZE,
				      &st), 0);
	}
	return arg;
}

/* Not to be interrupted, as a thread in the kernel's state D. */
static void wait_stuck(void *arg)
{
	struct stuck *s = arg;

	store(&s->in, 1);
	while (sem_wait(&s->go))
		add(&s->interrupted, 1);
}

static void *stuck_fiber(void *arg)
{
	expect(baton_call(wait_stuck, arg) >= 0);
	return arg;
}

static void poll_long(void *arg)
{
	struct stuck *s = arg;

	store(&s->in, 1);
	/* No SA_RESTART begins these again. */
	while (sem_trywait(&s->go))
		if (poll(NULL, 0, 2))
			add(&s->interrupted, 1);
}

static void *polling_fiber(void *arg)
{
	expect(baton_call(poll_long, arg) >= 0);
	return arg;
}

/* It asks for something, and is stuck when that completes. */
static void *asks_then_sticks(void *arg)
{
	requests(arg);
	return stuck_fiber(arg);
}

static void *beside_calls(void *arg)
{
	static const baton_fn fns[] = { stuck_fiber, polling_fiber,
					asks_then_sticks };
	struct stuck s[ARRAY_SIZE(fns)] = { { .fd = -1 } };
	struct baton_fiber *f[ARRAY_SIZE(fns)];

	for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++) {
		s[i].fd = *(int *)arg;
		sem_init(&s[i].go, 0, 0);
		f[i] = spawn(fns[i], &s[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
		yield_until(&s[i].in);
	/* All those threads are out there while these complete. */
	requests(&s[0]);
	for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++) {
		sem_post(&s[i].go);
		join(f[i]);
		expect_eq(s[i].interrupted, 0);
	}
	return arg;
}

START_TEST(foreign_calls)
{
	int fd;

	dir_make();
	fd = open(in_dir("file"), O_RDWR | O_CREAT, 0600);
	expect(fd >= 0);
	run_by(backends[_i % 2], nprocs_list[_i / 2], beside_calls, &fd);
	close(fd);
	dir_remove();
}
END_TEST

/* --- one file position, many writers -------------------------------------- */

#define LINES	200
#define WRITERS	8

static void *line_writer(void *arg)
{
	char line[] = "0123456789abcde\n";
	struct iovec iov = { line, 16 };

	for (int i = 0; i < LINES; i++)
		expect_eq(baton_file_rw(*(int *)arg, true, &iov, 1, -1,
					BATON_NEVER),
			  16);
	return arg;
}

static void *line_writers(void *arg)
{
	struct baton_fiber *f[WRITERS];

	for (int i = 0; i < WRITERS; i++)
		f[i] = spawn(line_writer, arg);
	for (int i = 0; i < WRITERS; i++)
		join(f[i]);
	return arg;
}

START_TEST(position)
{
	int fd;

	dir_make();
	fd = open(in_dir("file"), O_RDWR | O_CREAT, 0600);
	expect(fd >= 0);
	run_by(BATON_IO_URING, 4, line_writers, &fd);
	expect_eq(lseek(fd, 0, SEEK_END), LINES * WRITERS * 16);
	close(fd);
	dir_remove();
}
END_TEST

/* --- no ring -------------------------------------------------------------- */

static void *refused(void *arg)
{
	const char *why;

	expect_eq(baton_io(&why), BATON_IO_CALL);
	if (arg && !strstr(why, arg) && !strstr(why, "without liburing"))
		ck_abort_msg("%s, not %s", why, (const char *)arg);
	check_all(NULL);
	return arg;
}

/* As containers do it; or a control group has no memory for it. */
START_TEST(forbidden)
{
	static const int errs[] = { EPERM, ENOSYS, ENOMEM };

	dir_make();
	if (!refuse(SYS_io_uring_setup, 0, errs[_i])) {
		skip("forbidden", "no seccomp");
		dir_remove();
		return;
	}
	run_by(BATON_IO_URING, 2, refused, strerror(errs[_i]));
	dir_remove();
}
END_TEST

/* Is there a ring? Then it is there still, or there was no memory for it. */
static void *either(void *arg)
{
	const char *why;
	bool *had = arg;

	if (!*had)
		*had = has_ring("no_memlock");
	else if (baton_io(&why) == BATON_IO_CALL)
		expect(strstr(why, strerror(ENOMEM)));
	check_all(NULL);
	return arg;
}

/* No memory may be locked, by one whom that concerns: root it does not. */
START_TEST(no_memlock)
{
	struct rlimit none = { 0, 0 };
	bool ring = false;

	dir_make();
	run_by(BATON_IO_URING, 2, either, &ring);
	if (!geteuid())
		expect_eq(chown(dir, 65534, 65534) || seteuid(65534), 0);
	expect_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (ring)
		run_by(BATON_IO_URING, 2, either, &ring);
	if (!getuid())
		expect_eq(seteuid(0), 0);
	dir_remove();
}
END_TEST

/* In the virtual machine: the kernel lets nobody have a ring. */
START_TEST(disabled)
{
	if (!getenv("BATON_TEST_NO_RING")) {
		skip("disabled", "that would be for all of this machine");
		return;
	}
	dir_make();
	run_by(BATON_IO_URING, 2, refused, strerror(EPERM));
	dir_remove();
}
END_TEST

static void *no_files(void *arg)
{
	struct rlimit old, limit;
	const char *why;
	struct statx st;
	int fd = dup(0);

	expect_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	/* None, and one, that is left: for the eventfd, but not for the ring */
	limit.rlim_cur = (rlim_t)fd + *(unsigned int *)arg;
	close(fd);
	expect_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect_eq(baton_statx(AT_FDCWD, "/", 0, STATX_SIZE, &st), 0);
	expect_eq(baton_io(&why), BATON_IO_CALL);
	expect_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	/* What it took is given back. */
	expect_eq(dup(0), fd);
	close(fd);
	return arg;
}

START_TEST(no_descriptors)
{
	unsigned int left = (unsigned int)_i;

	run_by(BATON_IO_URING, 1, no_files, &left);
}
END_TEST

/* --- a slow disk, in the virtual machine ---------------------------------- */

#define IN_FLIGHT	10000

static const char *disk;
static int disk_fd;

static void *read_disk(void *arg)
{
	static char bufs[16 * BLOCK] __attribute__((aligned(BLOCK)));
	long i = (long)(intptr_t)arg;

	/* Far from each other, or the kernel makes one of several. */
	expect_eq(baton_pread(disk_fd, bufs + i % 16 * BLOCK, BLOCK,
			      i * 16 * BLOCK),
		  BLOCK);
	return NULL;
}

static long in_flight(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = 0, writes;

	expect(f);
	expect_eq(fscanf(f, "%ld %ld", &n, &writes), 2);
	fclose(f);
	return n;
}

static void *many_reads(void *arg)
{
	static struct baton_fiber *f[IN_FLIGHT];
	struct baton_stats st;
	char path[128];
	long n = 0;

	if (!has_ring("slow_disk"))
		return arg;
	snprintf(path, sizeof(path), "/sys/block/%s/inflight",
		 strrchr(disk, '/') + 1);
	for (long i = 0; i < IN_FLIGHT; i++)
		f[i] = spawn(read_disk, (void *)(intptr_t)i);
	/* All at once: the disk takes longer for each than we for all. */
	while (n < IN_FLIGHT) {
		long now = in_flight(path);

		expect(now >= n);
		n = now;
		baton_sleep(BATON_MSEC);
	}
	for (long i = 0; i < IN_FLIGHT; i++)
		join(f[i]);
	expect_eq(baton_stats(&st, sizeof(st)), 0);
	expect(st.workers_max <= 8);
	return arg;
}

START_TEST(slow_disk)
{
	disk = getenv("BATON_TEST_DISK");
	if (!disk) {
		skip("slow_disk", "there is none");
		return;
	}
	disk_fd = open(disk, O_RDONLY | O_DIRECT);
	expect(disk_fd >= 0);
	run_by(BATON_IO_URING, 2, many_reads, NULL);
}
END_TEST

static void *bad_blocks(void *arg)
{
	static char buf[BLOCK] __attribute__((aligned(BLOCK)));
	int fd = *(int *)arg;

	for (int i = 0; i < 3; i++) {
		expect_eq(baton_pread(fd, buf, BLOCK, 0), -EIO);
		expect_eq(baton_pread(fd, buf, BLOCK, 8 * BLOCK), BLOCK);
	}
	return arg;
}

START_TEST(bad_disk)
{
	const char *bad = getenv("BATON_TEST_BAD_DISK");
	int fd;

	if (!bad) {
		skip("bad_disk", "there is none");
		return;
	}
	fd = open(bad, O_RDONLY | (_i / 2 ? O_DIRECT : 0));
	expect(fd >= 0);
	run_by(backends[_i % 2], 1, bad_blocks, &fd);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("file");
	TCase *tc = test_case(s, "file");
	int n = ARRAY_SIZE(nprocs_list);

	unsetenv("BATON_IO");
	tcase_add_loop_test(tc, results, 0, 3);
	tcase_add_loop_test(tc, file_size, 0, 2);
	tcase_add_loop_test(tc, full_disk, 0, 2);
	tcase_add_loop_test(tc, canceled, 0, 2 * n);
	tcase_add_loop_test(tc, deadline, 0, n);
	tcase_add_loop_test(tc, end, 0, n);
	tcase_add_loop_test(tc, storms, 0, 2 * n);
	tcase_add_loop_test(tc, foreign_calls, 0, 2 * n);
	tcase_add_test(tc, position);
	tcase_add_loop_test(tc, forbidden, 0, 3);
	tcase_add_test(tc, no_memlock);
	tcase_add_loop_test(tc, no_descriptors, 0, 2);
	tc = test_case(s, "disk");
	tcase_add_test(tc, slow_disk);
	tcase_add_loop_test(tc, bad_disk, 0, 4);
	tc = test_case(s, "disabled");
	tcase_add_test(tc, disabled);
	return suite_main(s);
}
