// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * args.c - wrong arguments, wrong calls, wrong uses of the file
 *
 * The contract says what each of them returns.  Whatever fails has not
 * happened: nothing was given away, nobody registered, nothing counted.  All
 * of it as root and as nobody.
 */

#include <sys/file.h>
#include <sys/personality.h>
#include <sys/uio.h>

#include "hostile.h"

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
	  BATON_WAKE_STANDBY, 1, { 0, BATON_ANY } },
	{ "swap", BATON_IOC_SWAP, sizeof(struct baton_swap),
	  BATON_PARK_PINNED, -ESRCH, { 0, NWORKERS - 1 } },
	{ "counts", BATON_IOC_COUNTS, sizeof(struct baton_counts),
	  0, 0, { 0 } },
};

static const struct call call_create = {
	"create", BATON_IOC_CREATE, sizeof(struct baton_create),
	BATON_CREATE_LEARN | BATON_CREATE_OFF | BATON_CREATE_REGAIN, 0,
	{ 1, 1 }
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
	arg->reserved = 0;
	arg->slot = 1;
	EXPECT_EQ(-EINVAL, xioctl(self->in.fd, BATON_IOC_REGISTER, arg));
	arg->slot = 0;
	/* What it returns goes nowhere: then it has not happened */
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
	arg->region_size = 1;
	EXPECT_EQ(-EINVAL, xioctl(fd, BATON_IOC_CREATE, arg));
	arg->region_size = 0;
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
	/* And nobody has queued anything */
	for (p = 0; p < ARRAY_SIZE(h->queued); p++)
		EXPECT_EQ(0, h->queued[p]);
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

/* A large one takes long to make, so that both are at it when one is first */
static void *create_once(void *fd)
{
	return (void *)(intptr_t)dev_create(*(int *)fd, 1, BATON_WORKERS_MAX,
					    NULL);
}

TEST_F_TIMEOUT(hostile, twice_at_once, TEST_SECONDS)
{
	int fd, i, ret, made;
	pthread_t thread;
	void *other;

	for (i = 0; i < 50; i++) {
		fd = dev_open(O_CLOEXEC);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, thread_start(&thread, create_once, &fd));
		ret = (intptr_t)create_once(&fd);
		ASSERT_EQ(0, pthread_join(thread, &other));
		made = !ret + !other;
		EXPECT_EQ(1, made);
		EXPECT_EQ(-EBUSY, ret + (int)(intptr_t)other);
		close(fd);
	}
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

struct reader {
	int fd;
	int error;
	uint32_t done;
};

static void *read_missing(void *arg)
{
	struct reader *r = arg;
	uint64_t n;

	r->error = read(r->fd, &n, sizeof(n)) < 0 ? errno : 0;
	store(&r->done, 1);
	return NULL;
}

/* Who waits for an event that never comes hears a signal */
TEST_F_TIMEOUT(hostile, read_interrupted, TEST_SECONDS)
{
	struct reader r = { 0 };
	struct inst in;
	pthread_t t;

	catch_signal(SIGUSR1, 0);
	ASSERT_EQ(0, inst_open(&in, 1, 1));
	r.fd = in.fd;
	ASSERT_EQ(0, fcntl(r.fd, F_SETFL, 0));
	ASSERT_EQ(0, thread_start(&t, read_missing, &r));
	/* One that comes before the call is nobody's: once more */
	ASSERT_TRUE(poll_until(pthread_kill(t, SIGUSR1) || load(&r.done)));
	ASSERT_EQ(0, pthread_join(t, NULL));
	EXPECT_EQ(EINTR, r.error);
	inst_close(&in);
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

/* Whatever the parent says, its child is no user of it */
TEST_F_TIMEOUT(hostile, map_for_child, TEST_SECONDS)
{
	struct inst *in = &self->in;
	unsigned char vec;
	pid_t pid;

	store(&in->h->nglobal, 1);
	EXPECT_EQ(-1, madvise(in->h, in->size, MADV_DOFORK));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		die_with_parent();
		if (!mincore(in->h, 1, &vec) || errno != ENOMEM)
			store(&in->h->nglobal, 2);
		_exit(0);
	}
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_EQ(1, load(&in->h->nglobal));
}

/* The protection of what lies at an address, as in /proc/self/maps */
static bool protection(const void *p, char prot[5])
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	void *start;
	bool ok = false;

	while (f && !ok && fgets(line, sizeof(line), f))
		ok = sscanf(line, "%p-%*p %4s", &start, prot) == 2 &&
			start == p;
	if (f)
		fclose(f);
	return ok;
}

/* setarch -X, and programs with an executable stack on some architectures */
TEST_F_TIMEOUT(hostile, map_where_read_is_exec, TEST_SECONDS)
{
	struct inst *in = &self->in;
	char prot[5];

	inst_unmap(in);
	ASSERT_LE(0, personality(READ_IMPLIES_EXEC));
	ASSERT_EQ(0, inst_map(in));
	EXPECT_EQ(BATON_ABI, in->h->abi);
	ASSERT_TRUE(protection(in->h, prot));
	EXPECT_STREQ("rw-s", prot);
	EXPECT_EQ(0, mprotect(in->h, in->size, PROT_READ));
	ASSERT_TRUE(protection(in->h, prot));
	EXPECT_STREQ("r--s", prot);
}

/* It may lie elsewhere, or in pieces, but there is never more of it */
TEST_F_TIMEOUT(hostile, map_moved, TEST_SECONDS)
{
	size_t page = self->page_size;
	struct inst big;
	char *old, *to;

	ASSERT_EQ(0, inst_open(&big, 2, BATON_WORKERS_MAX));
	old = (char *)big.h;
	to = mmap(NULL, big.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	ASSERT_NE(MAP_FAILED, to);
	ASSERT_EQ(to, mremap(old, big.size, big.size,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	big.h = (void *)to;
	EXPECT_EQ(BATON_ABI, load(&big.h->abi));
	EXPECT_EQ(1, inst_wake(&big, 0, BATON_ANY));
	EXPECT_TRUE(idle_test(&big, 0));
	EXPECT_EQ(MAP_FAILED, mremap(to + page, page, 2 * page,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(0, mprotect(to + page, page, PROT_READ));
	EXPECT_EQ(to, mremap(to, big.size, page, 0));
	EXPECT_EQ(BATON_ABI, load(&big.h->abi));
	EXPECT_NE(0, remap_file_pages(to, page, 0, 1, 0));
	big.size = page;
	inst_close(&big);
}

/* A debugger sees it, and may write to it */
TEST_F_TIMEOUT(hostile, map_debugged, TEST_SECONDS)
{
	size_t page = self->page_size;
	uint32_t word, words[2];
	struct inst big;
	off_t last;
	int mem;

	ASSERT_EQ(0, inst_open(&big, 2, BATON_WORKERS_MAX));
	/* A change of user has cleared this */
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, mem);
	ASSERT_EQ(sizeof(word), pread(mem, &word, sizeof(word),
				      (off_t)(uintptr_t)&big.h->abi));
	EXPECT_EQ(BATON_ABI, word);
	word = 12345;
	EXPECT_EQ(sizeof(word), pwrite(mem, &word, sizeof(word),
				       (off_t)(uintptr_t)&big.h->nglobal));
	EXPECT_EQ(12345, load(&big.h->nglobal));
	/* Its end, and what lies behind a piece that is gone */
	last = (off_t)(uintptr_t)big.h + big.size - sizeof(word);
	store((uint32_t *)((char *)big.h + big.size - 4), 54321);
	EXPECT_EQ(sizeof(word), pread(mem, &word, sizeof(word), last));
	EXPECT_EQ(54321, word);
	/* Nothing beyond it */
	EXPECT_EQ(-1, pread(mem, words, sizeof(words), last));
	EXPECT_EQ(0, munmap(big.h, page));
	EXPECT_EQ(sizeof(word), pread(mem, &word, sizeof(word), last));
	EXPECT_EQ(54321, word);
	big.h = (void *)((char *)big.h + page);
	big.size -= page;
	inst_close(&big);
	close(mem);
}

/* Pages that others hold live on when all else is gone */
TEST_F_TIMEOUT(hostile, map_pinned, TEST_SECONDS)
{
	struct iovec iov;
	struct inst in;
	char c[8];
	int fds[2];
	ssize_t n;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	ASSERT_EQ(0, inst_open(&in, 1, 1));
	iov.iov_base = in.h;
	iov.iov_len = in.size;
	/* It may be refused */
	n = vmsplice(fds[1], &iov, 1, 0);
	inst_close(&in);
	if (n > 0) {
		EXPECT_EQ(sizeof(c), read(fds[0], c, sizeof(c)));
		EXPECT_EQ(BATON_ABI, c[0]);
	}
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN
