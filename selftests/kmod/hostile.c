// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * hostile.c - arguments and a region full of lies
 *
 * The contract says what each wrong argument returns.  Of the region it says
 * that a lie harms the liar alone: a call may then fail or the liar's threads
 * starve, but no number out of range comes out of the kernel, STOP ends every
 * wait, and the kernel is as before.  All of it as root and as nobody.
 */

#include <sys/file.h>

#include "common.h"

#define NPROCS		3
#define NWORKERS	8
#define FUZZ_MS		3000

FIXTURE(hostile) {
	struct inst in;
	struct worker w[4];
	char *page;		/* followed by one that cannot be touched */
	size_t page_size;
	struct event go;
	uint32_t stop;
	uint32_t bad;
	uint32_t acts;
	uint64_t seed;
};

FIXTURE_VARIANT(hostile) {
	bool nobody;
};

FIXTURE_VARIANT_ADD(hostile, root) {
	.nobody = false,
};

FIXTURE_VARIANT_ADD(hostile, nobody) {
	.nobody = true,
};

FIXTURE_SETUP(hostile)
{
	self->page_size = sysconf(_SC_PAGESIZE);
	self->page = mmap(NULL, 2 * self->page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page + self->page_size, self->page_size,
			      PROT_NONE));
	if (variant->nobody)
		ASSERT_EQ(0, become_nobody());
	ASSERT_EQ(0, inst_open(&self->in, NPROCS, NWORKERS));
}

FIXTURE_TEARDOWN(hostile)
{
	/* This thread may be a worker of it, and would be until it exits */
	inst_unregister(&self->in);
	inst_close(&self->in);
	EXPECT_TRUE(wait_module_idle()) {
		TH_LOG("%ld references are left", module_refcnt());
	}
}

/*
 * Arguments
 */

/* One kind of call, with an argument that is right */
struct call {
	const char *name;
	unsigned long nr;
	uint32_t size;
	uint32_t known_flags;
	int ret;		/* of a right one, in the scene below */
	uint32_t words[8];	/* of the argument, after size and flags */
};

/*
 * The scene: an instance; the caller is worker 0, is about to be given
 * processor 1, and there is no other worker.
 */
static const struct call calls[] = {
	{ "park", BATON_IOC_PARK, sizeof(struct baton_park),
	  BATON_PARK_PINNED, 1, { 0 } },
	{ "wake", BATON_IOC_WAKE, sizeof(struct baton_wake),
	  0, 1, { 0, BATON_ANY } },
	{ "swap", BATON_IOC_SWAP, sizeof(struct baton_swap),
	  BATON_PARK_PINNED, -ESRCH, { 0, NWORKERS - 1 } },
	{ "counts", BATON_IOC_COUNTS, sizeof(struct baton_counts),
	  0, 0, { 0 } },
};

static const struct call call_create = {
	"create", BATON_IOC_CREATE, sizeof(struct baton_create),
	0, 0, { 1, 1 }
};

static const struct call call_register = {
	"register", BATON_IOC_REGISTER, sizeof(struct baton_register),
	0, 0, { 0 }
};

static void fill(uint32_t *arg, const struct call *c)
{
	arg[0] = c->size;
	arg[1] = 0;
	memcpy(arg + 2, c->words, c->size - 8);
}

/* Each way in which an argument of that kind can be wrong, then a right one */
static void wrong_args(struct __test_metadata *_metadata,
		       FIXTURE_DATA(hostile) *self, int fd,
		       const struct call *c)
{
	static const uint32_t short_sizes[] = { 0, 1, 4, 7 };
	char *end = self->page + self->page_size;
	uint32_t *arg = (uint32_t *)self->page;
	unsigned int i;
	int ret;

	memset(arg, 0, self->page_size);
	fill(arg, c);

	/* Too short */
	for (i = 0; i < ARRAY_SIZE(short_sizes); i++) {
		arg[0] = short_sizes[i];
		EXPECT_EQ(-EINVAL, xioctl(fd, c->nr, arg))
			TH_LOG("%s, size %u", c->name, arg[0]);
	}
	arg[0] = c->size - 1;
	EXPECT_EQ(-EINVAL, xioctl(fd, c->nr, arg))
		TH_LOG("%s, size - 1", c->name);

	/* Longer, with something in its tail: the first byte, the last */
	arg[0] = c->size + 16;
	self->page[c->size] = 1;
	EXPECT_EQ(-E2BIG, xioctl(fd, c->nr, arg)) TH_LOG("%s", c->name);
	self->page[c->size] = 0;
	self->page[c->size + 15] = 1;
	EXPECT_EQ(-E2BIG, xioctl(fd, c->nr, arg)) TH_LOG("%s", c->name);
	self->page[c->size + 15] = 0;

	/* So long that it cannot be true */
	for (i = 0; i < 3; i++) {
		arg[0] = i == 0 ? 2 * self->page_size : i == 1 ? 1u << 31 : ~0u;
		ret = xioctl(fd, c->nr, arg);
		EXPECT_TRUE(ret == -E2BIG || ret == -EFAULT)
			TH_LOG("%s, size %u: %d", c->name, arg[0], ret);
	}
	arg[0] = c->size;

	for (i = 0; i < 32; i++) {
		if (c->known_flags & 1u << i)
			continue;
		arg[1] = 1u << i;
		EXPECT_EQ(-EINVAL, xioctl(fd, c->nr, arg))
			TH_LOG("%s, flag %u", c->name, i);
	}
	arg[1] = ~0u;
	EXPECT_EQ(-EINVAL, xioctl(fd, c->nr, arg)) TH_LOG("%s", c->name);
	arg[1] = 0;

	/* Not there at all, not there in the middle, not ours */
	EXPECT_EQ(-EFAULT, xioctl(fd, c->nr, NULL)) TH_LOG("%s", c->name);
	EXPECT_EQ(-EFAULT, xioctl(fd, c->nr, end)) TH_LOG("%s", c->name);
	EXPECT_EQ(-EFAULT, xioctl(fd, c->nr, end - 2)) TH_LOG("%s", c->name);
	EXPECT_EQ(-EFAULT, xioctl(fd, c->nr, (void *)-4096l))
		TH_LOG("%s", c->name);
	EXPECT_EQ(-EFAULT, xioctl(fd, c->nr, (void *)(1ul << 63)))
		TH_LOG("%s", c->name);
	memcpy(end - 4, arg, 4);
	EXPECT_EQ(-EFAULT, xioctl(fd, c->nr, end - 4)) TH_LOG("%s", c->name);
	memset(end - 4, 0, 4);

	/* Longer, with nothing in its tail: right */
	arg[0] = c->size + 16;
	EXPECT_EQ(c->ret, xioctl(fd, c->nr, arg)) TH_LOG("%s", c->name);
}

TEST_F_TIMEOUT(hostile, args, TEST_SECONDS)
{
	unsigned int i;

	ASSERT_EQ(0, inst_register(&self->in));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].nr == BATON_IOC_PARK)
			ASSERT_EQ(0, inst_wake(&self->in, 1, 0));
		wrong_args(_metadata, self, self->in.fd, &calls[i]);
	}
}

TEST_F_TIMEOUT(hostile, args_of_register, TEST_SECONDS)
{
	struct baton_register *arg = (void *)self->page;

	wrong_args(_metadata, self, self->in.fd, &call_register);
	EXPECT_EQ(0, inst_unregister(&self->in));
	memset(arg, 0, sizeof(*arg));
	arg->size = sizeof(*arg);
	arg->reserved = 1;
	EXPECT_EQ(-EINVAL, xioctl(self->in.fd, BATON_IOC_REGISTER, arg));
	/* What it returns goes nowhere: then it has not happened */
	arg->reserved = 0;
	ASSERT_EQ(0, mprotect(self->page, self->page_size, PROT_READ));
	EXPECT_EQ(-EFAULT, xioctl(self->in.fd, BATON_IOC_REGISTER, arg));
	EXPECT_EQ(-ESRCH, inst_unregister(&self->in));
	EXPECT_EQ(0, load(&self->in.h->nworkers));
	EXPECT_LE(0, inst_register(&self->in));
}

TEST_F_TIMEOUT(hostile, args_of_create, TEST_SECONDS)
{
	static const struct {
		uint32_t nprocs, workers;
		int ret;
	} sizes[] = {
		{ 0, 1, -EINVAL },
		{ 1, 0, -EINVAL },
		{ 0, 0, -EINVAL },
		{ BATON_PROCS_MAX + 1, 1, -EINVAL },
		{ ~0u, 1, -EINVAL },
		{ 1u << 31, 1, -EINVAL },
		{ 1, BATON_WORKERS_MAX + 1, -EINVAL },
		{ 1, ~0u, -EINVAL },
		{ 1, 1u << 26, -EINVAL },
		{ ~0u, ~0u, -EINVAL },
		{ 1, 1, 0 },
		{ BATON_PROCS_MAX, BATON_WORKERS_MAX, 0 },
		{ 1, BATON_WORKERS_MAX, 0 },
		{ BATON_PROCS_MAX, 1, 0 },
	};
	struct baton_create *arg = (void *)self->page;
	unsigned int i;
	int fd, ret;

	fd = dev_open(O_CLOEXEC);
	ASSERT_LE(0, fd);
	wrong_args(_metadata, self, fd, &call_create);
	close(fd);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t size = 0;

		fd = dev_open(O_CLOEXEC);
		ASSERT_LE(0, fd);
		ret = dev_create(fd, sizes[i].nprocs, sizes[i].workers, &size);
		EXPECT_EQ(sizes[i].ret, ret)
			TH_LOG("%u processors, %u workers", sizes[i].nprocs,
			       sizes[i].workers);
		if (!ret)
			EXPECT_LE(sizeof(struct baton_header) +
				  sizes[i].nprocs *
				  sizeof(struct baton_proc_rec) +
				  sizes[i].workers * sizeof(struct baton_slot),
				  size);
		close(fd);
	}
	/* What it returns goes nowhere: then it has not happened */
	fd = dev_open(O_CLOEXEC);
	ASSERT_LE(0, fd);
	memset(arg, 0, sizeof(*arg));
	arg->size = sizeof(*arg);
	arg->nprocs = arg->max_workers = 1;
	ASSERT_EQ(0, mprotect(self->page, self->page_size, PROT_READ));
	EXPECT_EQ(-EFAULT, xioctl(fd, BATON_IOC_CREATE, arg));
	EXPECT_EQ(0, dev_create(fd, 1, 1, NULL));
	close(fd);
}

TEST_F_TIMEOUT(hostile, args_of_counts, TEST_SECONDS)
{
	struct baton_counts *arg = (void *)self->page;

	arg->size = sizeof(*arg);
	ASSERT_EQ(0, mprotect(self->page, self->page_size, PROT_READ));
	EXPECT_EQ(-EFAULT, xioctl(self->in.fd, BATON_IOC_COUNTS, arg));
}

TEST_F_TIMEOUT(hostile, header, TEST_SECONDS)
{
	struct baton_header *h = self->in.h;
	uint32_t p;

	EXPECT_EQ(BATON_ABI, h->abi);
	EXPECT_EQ(NPROCS, h->nprocs);
	EXPECT_EQ(NWORKERS, h->max_workers);
	EXPECT_LE(sizeof(*h), h->proc_offset);
	EXPECT_EQ(0, h->proc_offset % 8);
	EXPECT_LE(h->proc_offset + NPROCS * sizeof(struct baton_proc_rec),
		  h->slot_offset);
	EXPECT_EQ(0, h->slot_offset % 64);
	EXPECT_LE(h->slot_offset + NWORKERS * sizeof(struct baton_slot),
		  self->in.size);
	/* The creator holds the first one */
	EXPECT_FALSE(idle_test(&self->in, 0));
	for (p = 1; p < 64 * ARRAY_SIZE(h->idle); p++)
		EXPECT_EQ(p < NPROCS, idle_test(&self->in, p))
			TH_LOG("processor %u", p);
}

TEST_F_TIMEOUT(hostile, numbers, TEST_SECONDS)
{
	static const uint32_t procs[] = { NPROCS, 64, 256, 1u << 31, ~0u };
	static const uint32_t workers[] = {
		NWORKERS, BATON_WORKERS_MAX, 1u << 31, BATON_ANY - 1,
	};
	unsigned int i;
	int me;

	me = inst_register(&self->in);
	ASSERT_LE(0, me);
	for (i = 0; i < ARRAY_SIZE(procs); i++) {
		EXPECT_EQ(-EINVAL, inst_wake(&self->in, procs[i], BATON_ANY));
		EXPECT_EQ(-EINVAL, inst_wake(&self->in, procs[i], me));
		EXPECT_EQ(-EINVAL, inst_swap(&self->in, 0, procs[i], !me));
	}
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		EXPECT_EQ(-EINVAL, inst_wake(&self->in, 0, workers[i]));
		EXPECT_EQ(-EINVAL, inst_swap(&self->in, 0, 0, workers[i]));
	}
	EXPECT_EQ(-EINVAL, inst_swap(&self->in, 0, 0, BATON_ANY));
	EXPECT_EQ(-EINVAL, inst_swap(&self->in, 0, 0, me));
	/* In range, but nobody is there */
	EXPECT_EQ(-ESRCH, inst_wake(&self->in, 0, NWORKERS - 1));
	EXPECT_EQ(-ESRCH, inst_swap(&self->in, 0, 0, NWORKERS - 1));
	/* None of it gave anything away */
	EXPECT_FALSE(idle_test(&self->in, 0));
	EXPECT_EQ(-EAGAIN, inst_missing(&self->in));
}

TEST_F_TIMEOUT(hostile, unknown_calls, TEST_SECONDS)
{
	int fd = self->in.fd;
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		if (nr >= 0x40 && nr <= 0x47)
			continue;
		EXPECT_EQ(-ENOTTY, xioctl(fd, _IO(BATON_IOC_MAGIC, nr), NULL))
			TH_LOG("%#x", nr);
		EXPECT_EQ(-ENOTTY, xioctl(fd, _IOWR(BATON_IOC_MAGIC, nr,
						    struct baton_wake),
					  self->page))
			TH_LOG("%#x", nr);
	}
	for (nr = 0x40; nr <= 0x47; nr++) {
		EXPECT_EQ(-ENOTTY, xioctl(fd, _IO(BATON_IOC_MAGIC + 1, nr),
					  NULL));
	}
	/* Every file has these */
	EXPECT_EQ(0, xioctl(fd, FIOCLEX, NULL));
}

/* All the calls, of a thread that is no worker, of a file without instance */
static void all_calls(struct __test_metadata *_metadata, struct inst *in,
		      int by_worker, int any)
{
	struct baton_counts c;

	EXPECT_EQ(by_worker, inst_park(in, 0));
	EXPECT_EQ(by_worker, inst_park(in, BATON_PARK_PINNED));
	EXPECT_EQ(by_worker, inst_swap(in, 0, 0, 0));
	EXPECT_EQ(by_worker, inst_unregister(in));
	EXPECT_EQ(any, inst_counts(in, &c));
	EXPECT_EQ(any, inst_stop(in));
}

TEST_F_TIMEOUT(hostile, no_instance, TEST_SECONDS)
{
	struct pollfd p = { .events = POLLIN };
	struct inst in = { .fd = dev_open(O_CLOEXEC | O_NONBLOCK) };

	ASSERT_LE(0, in.fd);
	all_calls(_metadata, &in, -ENXIO, -ENXIO);
	EXPECT_EQ(-ENXIO, inst_register(&in));
	EXPECT_EQ(-ENXIO, inst_wake(&in, 0, BATON_ANY));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, self->page_size, PROT_READ |
				   PROT_WRITE, MAP_SHARED, in.fd, 0));
	EXPECT_GT(0, inst_missing(&in));
	p.fd = in.fd;
	EXPECT_LE(0, poll(&p, 1, 0));
	close(in.fd);
}

TEST_F_TIMEOUT(hostile, no_worker, TEST_SECONDS)
{
	struct inst other;
	int ret;

	ret = inst_wake(&self->in, 0, 0);
	EXPECT_EQ(-ESRCH, ret);
	/* Being one of another instance does not help */
	ASSERT_EQ(0, inst_open(&other, 1, 1));
	ASSERT_EQ(0, inst_register(&other));
	all_calls(_metadata, &self->in, -ESRCH, 0);
	EXPECT_EQ(0, inst_unregister(&other));
	all_calls(_metadata, &self->in, -ESRCH, 0);
	inst_close(&other);
}

TEST_F_TIMEOUT(hostile, twice, TEST_SECONDS)
{
	struct inst other;
	int slot;

	EXPECT_EQ(-EBUSY, dev_create(self->in.fd, 1, 1, NULL));
	slot = inst_register(&self->in);
	EXPECT_LE(0, slot);
	EXPECT_EQ(-EBUSY, inst_register(&self->in));
	EXPECT_EQ(1, load(&self->in.h->nworkers));
	ASSERT_EQ(0, inst_open(&other, 1, 1));
	EXPECT_EQ(-EBUSY, inst_register(&other));
	EXPECT_EQ(0, load(&other.h->nworkers));
	EXPECT_EQ(-ESRCH, inst_unregister(&other));
	EXPECT_EQ(0, inst_unregister(&self->in));
	EXPECT_EQ(-ESRCH, inst_unregister(&self->in));
	EXPECT_LE(0, inst_register(&other));
	EXPECT_EQ(0, inst_unregister(&other));
	inst_close(&other);
}

TEST_F_TIMEOUT(hostile, file, TEST_SECONDS)
{
	int fd = self->in.fd;
	char c[64];
	int i;

	EXPECT_EQ(1, inst_wake(&self->in, 0, BATON_ANY));
	for (i = 0; i < 8; i++)
		EXPECT_GE(0, read(fd, c, i)) TH_LOG("%d bytes", i);
	EXPECT_EQ(-1, read(fd, self->page + self->page_size, 8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write(fd, c, sizeof(c)));
	/* No matter what they say */
	lseek(fd, 1 << 20, SEEK_SET);
	if (pread(fd, c, 8, 1 << 20) < 0)
		errno = 0;
	fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND | O_ASYNC);
	flock(fd, LOCK_EX);
	ftruncate(fd, 0) ? errno = 0 : 0;
	fsync(fd);
}

/*
 * mmap()
 */

static int try_map(struct inst *in, size_t size, int prot, int flags,
		   off_t offset)
{
	void *p = mmap(NULL, size, prot, flags, in->fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, size);
	return 0;
}

TEST_F_TIMEOUT(hostile, map, TEST_SECONDS)
{
	const int rw = PROT_READ | PROT_WRITE;
	size_t page = self->page_size;
	struct inst *in = &self->in;
	struct inst big;

	/* More than a page, so that there is a part of it */
	ASSERT_EQ(0, inst_open(&big, 2, BATON_WORKERS_MAX));
	EXPECT_GT(0, try_map(&big, page, rw, MAP_SHARED, 0));
	EXPECT_GT(0, try_map(&big, big.size - page, rw, MAP_SHARED, 0));
	EXPECT_GT(0, try_map(&big, big.size - page, rw, MAP_SHARED, page));
	EXPECT_GT(0, try_map(&big, page, rw, MAP_SHARED, page));
	EXPECT_GT(0, try_map(&big, page, rw, MAP_SHARED, big.size));
	EXPECT_GT(0, mprotect(big.h, page, rw | PROT_EXEC));
	EXPECT_EQ(MAP_FAILED, mremap(big.h, big.size, 2 * big.size,
				     MREMAP_MAYMOVE));
	/* A hole in it is the user's own affair */
	EXPECT_EQ(0, munmap((char *)big.h + page, page));
	EXPECT_EQ(1, inst_wake(&big, 0, BATON_ANY));
	inst_close(&big);

	EXPECT_GT(0, try_map(in, in->size + page, rw, MAP_SHARED, 0));
	EXPECT_GT(0, try_map(in, 1ul << 30, rw, MAP_SHARED, 0));
	EXPECT_GT(0, try_map(in, in->size, rw, MAP_SHARED, page));
	EXPECT_GT(0, try_map(in, in->size, rw, MAP_SHARED,
			     (off_t)(1ull << 62)));
	EXPECT_GT(0, try_map(in, in->size, rw, MAP_SHARED,
			     (off_t)-page));
	EXPECT_GT(0, try_map(in, in->size, rw, MAP_PRIVATE, 0));
	EXPECT_GT(0, try_map(in, in->size, PROT_READ, MAP_PRIVATE, 0));
	EXPECT_GT(0, try_map(in, in->size, rw | PROT_EXEC, MAP_SHARED, 0));
	EXPECT_GT(0, try_map(in, in->size, PROT_READ | PROT_EXEC, MAP_SHARED,
			     0));
	EXPECT_EQ(BATON_ABI, in->h->abi);
}

/*
 * The region
 */

/* Parks until it is told to stop; ret is a number out of range, if any */
static void run_parks(struct worker *w)
{
	FIXTURE_DATA(hostile) *self = w->arg;
	int p;

	w->ret = 0;
	while ((p = inst_park(w->in, 0)) != -ESHUTDOWN) {
		if (p >= NPROCS || (p < 0 && p != -EINTR))
			w->ret = p;
		else
			inc(&self->acts);
	}
}

static void expect_in_range(struct __test_metadata *_metadata,
			    FIXTURE_DATA(hostile) *self, int n)
{
	int i;

	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < n; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(0, self->w[i].ret) {
			TH_LOG("was given %d", self->w[i].ret);
		}
	}
}

TEST_F_TIMEOUT(hostile, idle_lies, TEST_SECONDS)
{
	struct inst *in = &self->in;

	store(&in->h->nglobal, 1);
	memset(in->h->idle, 0xff, sizeof(in->h->idle));
	store(&in->h->nprocs, BATON_PROCS_MAX);
	ASSERT_LE(0, worker_start(&self->w[0], in, run_parks, self));
	/* It takes those that exist, and then it sleeps */
	EXPECT_TRUE(wait_standbys(in, 1));
	EXPECT_EQ(NPROCS, load(&self->acts));
	store(&in->h->nprocs, 0);
	EXPECT_EQ(-EINVAL, inst_wake(in, NPROCS, BATON_ANY));
	EXPECT_EQ(0, inst_wake(in, NPROCS - 1, BATON_ANY));
	expect_in_range(_metadata, self, 1);
}

static void run_liar(struct worker *w)
{
	FIXTURE_DATA(hostile) *self = w->arg;
	struct baton_slot *slot = worker_slot(w);

	slot_enter(slot, w->num, BATON_FIBER);
	block_ns(20000000);
	w->ret = slot_leave(slot) == BATON_TAKING;
	inc(&self->stop);
}

TEST_F_TIMEOUT(hostile, proc_lies, TEST_SECONDS)
{
	static const uint32_t procs[] = {
		NPROCS, 64, 255, 256, 1u << 31, ~0u - 1, ~0u,
	};
	struct inst *in = &self->in;
	unsigned int i, j;
	uint32_t p;

	for (p = 1; p < NPROCS; p++)
		ASSERT_TRUE(idle_claim(in, p));
	ASSERT_LE(0, worker_start(&self->w[0], in, run_parks, self));
	for (i = 0; i < 2 * ARRAY_SIZE(procs); i++) {
		/* With work, and without */
		store(&in->h->nglobal, i & 1);
		self->w[1].num = procs[i / 2];
		ASSERT_LE(0, worker_start(&self->w[1], in, run_liar, self));
		ASSERT_TRUE(worker_join(&self->w[1]));
		EXPECT_EQ(0, self->w[1].ret);
		/* Nothing in the region but the slot is the worse for it */
		for (j = 0; j < NPROCS; j++) {
			EXPECT_EQ(0, in->procs[j].handoffs);
			EXPECT_EQ(0, in->procs[j].idled);
			EXPECT_FALSE(idle_test(in, j));
		}
	}
	EXPECT_EQ(0, load(&self->acts));
	expect_in_range(_metadata, self, 1);
}

/* The kernel publishes its counts; it does not believe them */
TEST_F_TIMEOUT(hostile, count_lies, TEST_SECONDS)
{
	static const uint32_t lies[] = { 0, 1, 1u << 31, ~0u };
	struct inst *in = &self->in;
	struct baton_counts c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		struct worker *w = &self->w[i];

		store(&in->h->nstandby, 0);
		ASSERT_LE(0, worker_start(w, in, park_once, NULL));
		ASSERT_TRUE(poll_until(load(&worker_slot(w)->state) ==
				       BATON_PARKED));
		ASSERT_TRUE(wait_blocked(w->tid));
		store(&in->h->nstandby, lies[i]);
		store(&in->h->nworkers, lies[i]);
		in->procs[0].handoffs = in->procs[0].idled = ~0ull;
		EXPECT_EQ(0, inst_wake(in, 0, BATON_ANY));
		ASSERT_TRUE(worker_join(w));
		EXPECT_EQ(0, w->ret);
		store(&in->h->nstandby, lies[i]);
		EXPECT_EQ(1, inst_wake(in, 0, BATON_ANY));
	}
	ASSERT_EQ(0, inst_counts(in, &c));
	EXPECT_EQ(ARRAY_SIZE(lies), c.wakes);
	EXPECT_EQ(ARRAY_SIZE(lies), c.parks);
	EXPECT_EQ(0, c.handoffs);
}

/* Any time it looks, the slot belongs to somebody else, or to nobody */
static void run_slot_lies(struct worker *w)
{
	FIXTURE_DATA(hostile) *self = w->arg;
	uint64_t seed = self->seed + w->num;
	uint32_t *word;
	unsigned int i;

	w->ret = 0;
	while (!load(&self->stop)) {
		word = (uint32_t *)worker_slot(w);
		for (i = 0; i < sizeof(struct baton_slot) / 4; i++)
			store(&word[i], rnd(&seed) & 1 ? rnd(&seed) :
			      rnd(&seed) % 5);
		block_ns(rnd(&seed) % 100000);
		inc(&self->acts);
	}
}

TEST_F_TIMEOUT(hostile, slot_lies, TEST_SECONDS)
{
	struct inst *in = &self->in;
	int i;

	self->seed = seed_get();
	store(&in->h->nglobal, 1);
	ASSERT_LE(0, worker_start(&self->w[0], in, run_parks, self));
	for (i = 1; i < 4; i++) {
		self->w[i].num = i;
		ASSERT_LE(0, worker_start(&self->w[i], in, run_slot_lies,
					  self));
	}
	EXPECT_TRUE(poll_until(load(&self->acts) > 500));
	store(&self->stop, 1);
	expect_in_range(_metadata, self, 4);
}

/*
 * Random words all over the region, while workers do what workers do
 */

static bool legal(int ret, int end)
{
	switch (ret) {
	case -EBUSY:
	case -EINTR:
	case -EINVAL:
	case -ESHUTDOWN:
	case -ESRCH:
	case -EAGAIN:
		return true;
	}
	return ret >= 0 && ret < end;
}

static void run_fuzzed(struct worker *w)
{
	FIXTURE_DATA(hostile) *self = w->arg;
	uint64_t seed = self->seed + w->num;
	struct baton_slot *slot = worker_slot(w);
	int ret = 0;

	w->ret = 0;
	while (!load(&self->stop)) {
		switch (rnd(&seed) % 4) {
		case 0:
			ret = inst_park(w->in, rnd(&seed) % 8 == 0);
			break;
		case 1:
			slot_enter(slot, rnd(&seed), 1 + rnd(&seed) % 2);
			block_ns(rnd(&seed) % 50000);
			slot_leave(slot);
			ret = 0;
			break;
		case 2:
			ret = inst_wake(w->in, rnd(&seed) % NPROCS,
					rnd(&seed) & 1 ? BATON_ANY :
					rnd(&seed) % NWORKERS);
			break;
		case 3:
			ret = inst_swap(w->in, rnd(&seed) % 8 == 0,
					rnd(&seed) % NPROCS,
					rnd(&seed) % NWORKERS);
			break;
		}
		if (!legal(ret, NPROCS))
			w->ret = ret;
		inc(&self->acts);
	}
}

static void scribble(struct inst *in, uint64_t *seed)
{
	uint32_t *word = (uint32_t *)in->h;
	uint32_t i = rnd(seed) % (in->size / 4);

	switch (rnd(seed) % 3) {
	case 0:
		store(&word[i], rnd(seed));
		break;
	case 1:
		store(&word[i], rnd(seed) % 8);
		break;
	case 2:
		store(&word[i], ~0u);
		break;
	}
}

/* Somebody has to wake those that sleep for good, or nothing happens */
static void keep_awake(FIXTURE_DATA(hostile) *self, uint64_t *seed)
{
	int ret = inst_wake(&self->in, rnd(seed) % NPROCS,
			    rnd(seed) & 1 ? BATON_ANY :
			    rnd(seed) % NWORKERS);

	if (!legal(ret, 2))
		self->bad = ret;
	/* It is bound to be in the way of interrupts, too */
	pthread_kill(self->w[rnd(seed) % 4].thread, SIGUSR1);
}

/* A new instance, to see that nothing is left of the lies */
static void expect_sane(struct __test_metadata *_metadata)
{
	struct worker w = { .num = 0 };
	struct inst in;

	ASSERT_EQ(0, inst_open(&in, 1, 2));
	ASSERT_LE(0, worker_start(&w, &in, park_once, NULL));
	ASSERT_TRUE(wait_standbys(&in, 1));
	EXPECT_EQ(0, inst_wake(&in, 0, BATON_ANY));
	ASSERT_TRUE(worker_join(&w));
	EXPECT_EQ(0, w.ret);
	inst_close(&in);
}

TEST_F_TIMEOUT(hostile, region_fuzz, TEST_SECONDS)
{
	uint64_t end = now_ms() + FUZZ_MS, seed;
	unsigned int n;
	int i;

	self->seed = seed = seed_get();
	catch_signal(SIGUSR1, 0);
	for (i = 0; i < 4; i++) {
		self->w[i].num = i;
		ASSERT_LE(0, worker_start(&self->w[i], &self->in, run_fuzzed,
					  self));
	}
	while (now_ms() < end) {
		for (n = 0; n < 1000; n++)
			scribble(&self->in, &seed);
		keep_awake(self, &seed);
	}
	store(&self->stop, 1);
	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(worker_join(&self->w[i]));
		EXPECT_EQ(0, self->w[i].ret);
	}
	TH_LOG("%u acts", self->acts);
	EXPECT_EQ(0, (int)self->bad);
	EXPECT_LT(100, self->acts);
	expect_sane(_metadata);
}

/*
 * Any call with any argument, by several threads
 */

static void *run_any_call(void *arg)
{
	struct worker *w = arg;
	FIXTURE_DATA(hostile) *self = w->arg;
	static const uint32_t sizes[] = { 8, 16, 24, 56, 0, 4096, ~0u };
	uint64_t seed = self->seed + w->num;
	uint32_t a[32];
	unsigned int i;

	while (!load(&self->stop)) {
		for (i = 0; i < ARRAY_SIZE(a); i++) {
			a[i] = rnd(&seed) % 8 < 7 ? rnd(&seed) % 4 :
				rnd(&seed);
			if (i > 3 && rnd(&seed) % 16)
				a[i] = 0;
		}
		a[0] = sizes[rnd(&seed) % ARRAY_SIZE(sizes)];
		a[1] = rnd(&seed) % 4 ? 0 : a[1];
		/* STOP would be the end of it */
		i = 0x40 + rnd(&seed) % 7;
		ioctl(w->in->fd, i == 0x46 ? BATON_IOC_UNREGISTER :
		      i == 0x40 ? BATON_IOC_CREATE :
		      i == 0x41 ? BATON_IOC_REGISTER :
		      i == 0x42 ? BATON_IOC_PARK :
		      i == 0x43 ? BATON_IOC_WAKE :
		      i == 0x44 ? BATON_IOC_SWAP : BATON_IOC_COUNTS, a);
		inc(&self->acts);
	}
	return NULL;
}

TEST_F_TIMEOUT(hostile, call_fuzz, TEST_SECONDS)
{
	uint64_t end = now_ms() + FUZZ_MS;
	int i;

	self->seed = seed_get();
	catch_signal(SIGUSR1, 0);
	for (i = 0; i < 4; i++) {
		self->w[i].num = i;
		self->w[i].arg = self;
		self->w[i].in = &self->in;
		ASSERT_EQ(0, thread_start(&self->w[i].thread, run_any_call,
					  &self->w[i]));
	}
	while (now_ms() < end) {
		/* Parks end only so, for the most part */
		for (i = 0; i < 4; i++)
			pthread_kill(self->w[i].thread, SIGUSR1);
		scribble(&self->in, &self->seed);
		block_ns(200000);
	}
	store(&self->stop, 1);
	ASSERT_EQ(0, inst_stop(&self->in));
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(worker_join(&self->w[i]));
	TH_LOG("%u calls", self->acts);
	EXPECT_LT(100, self->acts);
	/* All are gone, registered or not */
	inst_close(&self->in);
	expect_sane(_metadata);
}

/*
 * Limits
 */

/* In the child, as nobody: opens as many as it may; true when that was max */
static bool use_up(long max)
{
	int fd = -1;
	long n;

	for (n = 0; n <= max; n++) {
		int ret;

		fd = dev_open(O_CLOEXEC);
		if (fd < 0)
			return false;
		ret = dev_create(fd, 1, 1, NULL);
		if (ret)
			return ret == -EUSERS && n == max;
	}
	return false;
}

static int limit_child(long max, int up, int down)
{
	struct rlimit files = { max + 64, max + 64 };
	struct inst in;
	int fd;

	if (setrlimit(RLIMIT_NOFILE, &files) || become_nobody())
		return 1;
	if (!use_up(max))
		return 2;
	/* Closing one of them makes room for one */
	fd = dev_open(O_CLOEXEC);
	if (fd < 0 || dev_create(fd, 1, 1, NULL) != -EUSERS)
		return 3;
	close(fd - 2);
	if (!poll_until(dev_create(fd, 1, 1, NULL) == 0))
		return 4;
	if (inst_open(&in, 1, 1) != -EUSERS)
		return 5;
	pipe_put(up, 1);
	pipe_get(down);
	return 0;
}

FIXTURE(limits) {
	int up[2];
	int down[2];
	long max;
};

FIXTURE_SETUP(limits)
{
	ASSERT_EQ(0, pipe2(self->up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->down, O_CLOEXEC));
	self->max = file_number(BATON_SYSFS "/parameters/user_instances");
	ASSERT_LT(0, self->max);
	ASSERT_GT(100000, self->max);
}

FIXTURE_TEARDOWN(limits)
{
	EXPECT_TRUE(wait_module_idle());
}

TEST_F_TIMEOUT(limits, per_user, TEST_SECONDS)
{
	struct inst in;
	int i, status;
	pid_t pid;

	/* The second time shows that the first one's were given back */
	for (i = 0; i < 2; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(limit_child(self->max, self->up[1],
					  self->down[0]));
		EXPECT_EQ(1, pipe_get(self->up[0]));
		/* It is that user's limit, not everybody's */
		EXPECT_EQ(0, inst_open(&in, 1, 1));
		inst_close(&in);
		pipe_put(self->down[1], 1);
		status = wait_child(pid);
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(0, WEXITSTATUS(status));
		EXPECT_TRUE(wait_module_idle());
	}
}

/* What fails must not count */
TEST_F_TIMEOUT(limits, failed_creates, TEST_SECONDS)
{
	long i;
	int fd;

	fd = dev_open(O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2 * self->max + 10; i++)
		ASSERT_EQ(-EINVAL, dev_create(fd, 0, 1, NULL));
	ASSERT_EQ(0, dev_create(fd, 1, 1, NULL));
	for (i = 0; i < 2 * self->max + 10; i++)
		ASSERT_EQ(-EBUSY, dev_create(fd, 1, 1, NULL));
	close(fd);
	fd = dev_open(O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, dev_create(fd, 1, 1, NULL));
	close(fd);
}

TEST_HARNESS_MAIN
