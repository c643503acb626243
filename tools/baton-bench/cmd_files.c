// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cmd_files.c - files: random reads of 4 KiB, so many at once; by fibers, by a
 * program that has nothing but its ring, by one that has told its ring of the
 * file and the buffers before, and by threads, in turns.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_URING
#include <liburing.h>
#endif

#include "bench.h"

#define BLOCK		4096
#define BLOCKS		16384u		/* 64 MiB */
#define DEPTH_MAX	64
#define TURNS		7
#define TURN_NS		(100 * BENCH_MSEC)

struct setting {
	unsigned int depth;
	bool direct;
};

/**
 * struct files - one case while it runs
 * @c:      the case
 * @set:    how many at once, and whether past the page cache
 * @fd:     the file
 * @bufs:   a block for each that reads
 * @until:  when a turn ends
 * @reads:  in this turn; atomic
 * @failed: a read was not what it should be
 * @ns:     of a read, in each turn of each of the four
 */
struct files {
	const struct bench_case *c;
	const struct setting *set;
	int fd;
	char *bufs;
	uint64_t until;
	uint64_t reads;
	bool failed;
	double ns[4][TURNS];
};

enum { FIBERS, RING, RING_FIXED, THREADS };

struct reader {
	struct files *files;
	unsigned int index;
	uint32_t seed;
};

static off_t next_place(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return (off_t)(*seed % BLOCKS) * BLOCK;
}

static void read_turn(struct reader *r,
		      ssize_t (*read_at)(int, void *, size_t, int64_t))
{
	struct files *f = r->files;
	char *buf = f->bufs + (size_t)r->index * BLOCK;
	uint64_t n = 0;

	do {
		for (int i = 0; i < 8; i++, n++)
			if (read_at(f->fd, buf, BLOCK, next_place(&r->seed)) !=
			    BLOCK)
				f->failed = true;
	} while (!f->failed && bench_now() < f->until);
	__atomic_fetch_add(&f->reads, n, __ATOMIC_RELAXED);
}

static void *fiber(void *arg)
{
	read_turn(arg, baton_pread);
	return NULL;
}

static void by_fibers(struct files *f, struct reader *r)
{
	struct baton_fiber *fibers[DEPTH_MAX];

	for (unsigned int i = 0; i < f->set->depth; i++)
		if (baton_spawn(&fibers[i], NULL, fiber, &r[i]))
			f->failed = true;
	for (unsigned int i = 0; i < f->set->depth && !f->failed; i++)
		baton_join(fibers[i], NULL);
}

static ssize_t plain_pread(int fd, void *buf, size_t n, int64_t off)
{
	return pread(fd, buf, n, off);
}

static void *thread(void *arg)
{
	read_turn(arg, plain_pread);
	return NULL;
}

static void by_threads(struct files *f, struct reader *r)
{
	pthread_t threads[DEPTH_MAX];

	for (unsigned int i = 0; i < f->set->depth; i++)
		if (pthread_create(&threads[i], NULL, thread, &r[i])) {
			fputs("baton-bench: no thread\n", stderr);
			exit(1);
		}
	for (unsigned int i = 0; i < f->set->depth; i++)
		pthread_join(threads[i], NULL);
}

#ifdef HAVE_URING
static void submit_read(struct io_uring *ring, struct files *f,
			struct reader *r, bool fixed)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	char *buf = f->bufs + (size_t)r->index * BLOCK;
	uint64_t place = (uint64_t)next_place(&r->seed);

	if (fixed) {
		io_uring_prep_read_fixed(sqe, 0, buf, BLOCK, place, 0);
		sqe->flags |= IOSQE_FIXED_FILE;
	} else {
		io_uring_prep_read(sqe, f->fd, buf, BLOCK, place);
	}
	io_uring_sqe_set_data(sqe, r);
}

/* Return: whether the kernel has taken them. */
static bool register_both(struct io_uring *ring, struct files *f)
{
	struct iovec iov = { f->bufs, (size_t)DEPTH_MAX * BLOCK };

	return !io_uring_register_files(ring, &f->fd, 1) &&
	       !io_uring_register_buffers(ring, &iov, 1);
}

/* What has completed is submitted anew, before the next wait. */
static void by_ring(struct files *f, struct reader *r, bool fixed)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN,
	};
	unsigned int flying = f->set->depth;
	struct io_uring ring;

	if (io_uring_queue_init_params(DEPTH_MAX, &ring, &p) &&
	    io_uring_queue_init(DEPTH_MAX, &ring, 0)) {
		f->failed = true;
		return;
	}
	if (fixed && !register_both(&ring, f))
		flying = 0;
	for (unsigned int i = 0; i < flying; i++)
		submit_read(&ring, f, &r[i], fixed);
	while (flying) {
		struct io_uring_cqe *cqe;
		unsigned int head, n = 0;
		bool over;

		io_uring_submit_and_wait(&ring, 1);
		over = bench_now() >= f->until;
		io_uring_for_each_cqe(&ring, head, cqe) {
			n++;
			if (cqe->res != BLOCK)
				f->failed = over = true;
			if (over)
				flying--;
			else
				submit_read(&ring, f,
					    io_uring_cqe_get_data(cqe), fixed);
		}
		io_uring_cq_advance(&ring, n);
		f->reads += n;
	}
	io_uring_queue_exit(&ring);
}
#endif

struct plain {
	struct files *files;
	struct reader *readers;
	int how;
};

/* What knows nothing of fibers, in a foreign call. */
static void plain(void *arg)
{
	struct plain *p = arg;

#ifdef HAVE_URING
	if (p->how == RING || p->how == RING_FIXED)
		by_ring(p->files, p->readers, p->how == RING_FIXED);
#endif
	if (p->how == THREADS)
		by_threads(p->files, p->readers);
}

static void turn(struct files *f, int how, int number)
{
	struct reader readers[DEPTH_MAX];
	struct plain p = { f, readers, how };
	uint64_t start = bench_now();

	for (unsigned int i = 0; i < DEPTH_MAX; i++)
		readers[i] = (struct reader){
			f, i, (uint32_t)start * 2654435761u + i * 97 + 1
		};
	f->reads = 0;
	f->until = start + TURN_NS;
	if (how == FIBERS)
		by_fibers(f, readers);
	else
		baton_call(plain, &p);
	if (f->reads)
		f->ns[how][number] =
			(double)(bench_now() - start) / (double)f->reads;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, TURNS, sizeof(*v), ascending);
	return v[TURNS / 2];
}

static void *first_fiber(void *arg)
{
	struct files *f = arg;
	struct bench_row row;
	double ns, ring, fixed;

	for (int i = 0; i < TURNS && !f->failed; i++)
		for (int how = FIBERS; how <= THREADS; how++)
			turn(f, how, i);
	if (f->failed)
		return NULL;
	ns = median(f->ns[FIBERS]);
	ring = median(f->ns[RING]);
	fixed = median(f->ns[RING_FIXED]);
	bench_row_init(&row, f->c, TURNS);
	bench_row_set(&row, BENCH_NS_PER_OP, ns);
	if (ring > 0)
		bench_row_set(&row, BENCH_RATIO, ring / ns);
	bench_row_set(&row, BENCH_RATIO_THREADS,
		      median(f->ns[THREADS]) / ns);
	bench_row_print(&row);
	if (fixed > 0) {
		row.tier = "ring-fixed";
		bench_row_set(&row, BENCH_NS_PER_OP, fixed);
		bench_row_set(&row, BENCH_RATIO, ring / fixed);
		bench_row_set(&row, BENCH_RATIO_THREADS,
			      median(f->ns[THREADS]) / fixed);
		bench_row_print(&row);
	}
	return NULL;
}

/* A file that has no name. Return: a descriptor; -1. */
static int make_file(bool direct, char *buf)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir ? dir : "/var/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC,
		      0600);

	if (fd < 0)
		return -1;
	memset(buf, 'x', DEPTH_MAX * BLOCK);
	for (unsigned int i = 0; i < BLOCKS; i += DEPTH_MAX)
		if (pwrite(fd, buf, DEPTH_MAX * BLOCK, (off_t)i * BLOCK) !=
		    DEPTH_MAX * BLOCK)
			goto fail;
	if (direct && (fsync(fd) || fcntl(fd, F_SETFL, O_DIRECT)))
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

static int run(const struct bench_case *c)
{
	struct files f = { .c = c, .set = c->data };
	int ret;

	f.bufs = aligned_alloc(BLOCK, DEPTH_MAX * BLOCK);
	if (!f.bufs)
		return bench_fail(c, "no memory");
	f.fd = make_file(f.set->direct, f.bufs);
	if (f.fd < 0) {
		free(f.bufs);
		return bench_fail(c, "no file in TMPDIR: %s", strerror(errno));
	}
	ret = bench_run(bench_opts.nprocs, first_fiber, &f);
	if (!ret && f.failed)
		ret = bench_fail(c, "a read failed");
	close(f.fd);
	free(f.bufs);
	return ret;
}

static const struct setting disk1 = { 1, true };
static const struct setting disk8 = { 8, true };
static const struct setting disk64 = { 64, true };
static const struct setting cache1 = { 1, false };
static const struct setting cache8 = { 8, false };
static const struct setting cache64 = { 64, false };

const struct bench_case bench_files_cases[] = {
	{ .scenario = "files", .name = "disk1", .run = run, .data = &disk1 },
	{ .scenario = "files", .name = "disk8", .run = run, .data = &disk8 },
	{ .scenario = "files", .name = "disk64", .run = run, .data = &disk64 },
	{ .scenario = "files", .name = "cache1", .run = run, .data = &cache1 },
	{ .scenario = "files", .name = "cache8", .run = run, .data = &cache8 },
	{ .scenario = "files", .name = "cache64", .run = run,
	  .data = &cache64 },
	{ .name = NULL }
};
