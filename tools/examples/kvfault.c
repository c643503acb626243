// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * kvfault.c - a key-value store that is read through a mapping: LMDB in fiber
 * code, where each get may fault, and nothing announces it.
 *
 *	kvfault --load N FOLDER		make one of N values
 *	kvfault [--threads] [-c READERS] [-n READS] [-w] FOLDER
 *					READS of random keys by READERS, fibers
 *					or, to compare, threads
 *
 * With the module the processor of a fiber that faults goes to the next one;
 * without it waits for the disk as well. The page cache is dropped before,
 * unless -w (warm) says otherwise. Prints a sum of all that was read, which is
 * the same for fibers and threads, and the rate.
 */
#include <baton/baton.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE 1500	/* bytes: two of them fill a page */
#define ROOM (16u << 20)

/**
 * struct store - what all readers share
 * @env:     LMDB's
 * @dbi:     its only database
 * @entries: values in there
 * @reads:   of each reader
 * @threads: readers are threads
 * @n:       readers
 * @readers: they
 */
struct store {
	MDB_env *env;
	MDB_dbi dbi;
	uint64_t entries;
	uint64_t reads;
	bool threads;
	unsigned int n;
	struct reader *readers;
};

/**
 * struct reader - a fiber, or a thread
 * @store:  what it reads
 * @seed:   where its random numbers begin
 * @sum:    of what it read
 * @err:    LMDB's
 * @fiber:  it
 * @thread: or it
 */
struct reader {
	const struct store *store;
	uint64_t seed;
	uint64_t sum;
	int err;
	union {
		struct baton_fiber *fiber;
		pthread_t thread;
	};
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "kvfault: %s: %s\n", what, mdb_strerror(err));
	return EXIT_FAILURE;
}

/* Splitmix64: the I-th number of a row, without the ones before it. */
static uint64_t mix(uint64_t i)
{
	i *= 0x9e3779b97f4a7c15;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9;
	i = (i ^ i >> 27) * 0x94d049bb133111eb;
	return i ^ i >> 31;
}

/* --- making one ------------------------------------------------------- */

static int load(MDB_env *env, uint64_t entries)
{
	unsigned char value[VALUE] = { 0 };
	MDB_val v = { .mv_size = VALUE, .mv_data = value };
	MDB_txn *txn;
	MDB_dbi dbi;
	int err;

	err = mdb_txn_begin(env, NULL, 0, &txn);
	if (err)
		return err;
	err = mdb_dbi_open(txn, NULL, MDB_INTEGERKEY | MDB_CREATE, &dbi);
	for (uint64_t i = 0; !err && i < entries; i++) {
		size_t key = (size_t)i;
		MDB_val k = { .mv_size = sizeof(key), .mv_data = &key };
		uint64_t content = mix(i);

		memcpy(value, &content, sizeof(content));
		err = mdb_put(txn, dbi, &k, &v, MDB_APPEND);
	}
	if (!err)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return err;
}

/* --- reading ---------------------------------------------------------- */

/* Fiber code or a thread's: the same, with nothing in it about fibers. */
static void *reader(void *arg)
{
	struct reader *r = arg;
	const struct store *s = r->store;
	MDB_txn *txn;

	r->err = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (r->err)
		return NULL;
	for (uint64_t i = 0; !r->err && i < s->reads; i++) {
		size_t key = (size_t)(mix(r->seed + i) % s->entries);
		MDB_val k = { .mv_size = sizeof(key), .mv_data = &key }, v;
		uint64_t content;

		r->err = mdb_get(txn, s->dbi, &k, &v);
		if (r->err || v.mv_size != VALUE)
			break;
		memcpy(&content, v.mv_data, sizeof(content));
		r->sum += content;
	}
	mdb_txn_abort(txn);
	return NULL;
}

/* Return: 0, -errno. */
static int start(struct reader *r)
{
	return r->store->threads ?
		       -pthread_create(&r->thread, NULL, reader, r) :
		       baton_spawn(&r->fiber, NULL, reader, r);
}

static void join(struct reader *r)
{
	if (r->store->threads)
		pthread_join(r->thread, NULL);
	else
		baton_join(r->fiber, NULL);
}

/* A fiber, the first one, or main(). */
static void *read_all(void *arg)
{
	struct store *s = arg;
	unsigned int n;
	int err = 0;

	for (n = 0; !err && n < s->n; n++) {
		s->readers[n].store = s;
		s->readers[n].seed = n * s->reads;
		err = start(&s->readers[n]);
	}
	if (err)
		s->readers[--n].err = -err;
	for (unsigned int i = 0; i < n; i++)
		join(&s->readers[i]);
	return NULL;
}

/* --- start ------------------------------------------------------------ */

/* The mapping has to be gone: what is mapped stays in the page cache. */
static int drop_cache(const char *folder)
{
	char name[4096];
	int fd, err;

	snprintf(name, sizeof(name), "%s/data.mdb", folder);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = fdatasync(fd) ? errno : 0;
	if (!err)
		err = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return err;
}

/* Readers belong to transactions, not to threads: MDB_NOTLS. */
static int open_env(MDB_env **env, const char *folder, unsigned int readers,
		    size_t size, unsigned int flags)
{
	int err = mdb_env_create(env);

	if (err)
		return err;
	err = mdb_env_set_maxreaders(*env, readers);
	if (!err && size)
		err = mdb_env_set_mapsize(*env, size);
	if (!err)
		err = mdb_env_open(*env, folder, MDB_NOTLS | flags, 0644);
	return err;
}

static int open_store(struct store *s)
{
	MDB_txn *txn;
	MDB_stat st;
	int err;

	err = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (err)
		return err;
	err = mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &s->dbi);
	if (!err)
		err = mdb_stat(txn, s->dbi, &st);
	if (!err)
		err = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	s->entries = err ? 0 : st.ms_entries;
	return err || s->entries ? err : MDB_NOTFOUND;
}

static int make(const char *folder, uint64_t entries)
{
	size_t size = entries * VALUE * 2 + ROOM;
	MDB_env *env = NULL;
	int err;

	if (mkdir(folder, 0755) && errno != EEXIST)
		return fail(folder, errno);
	err = open_env(&env, folder, 1, size, 0);
	if (!err)
		err = load(env, entries);
	mdb_env_close(env);
	return err ? fail(folder, err) : EXIT_SUCCESS;
}

static int run(struct store *s)
{
	const char *kind = s->threads ? "threads" : "fibers";
	int64_t begun = baton_now();
	uint64_t sum = 0, n = s->n * s->reads;
	double took;
	int err = 0;

	if (s->threads)
		read_all(s);
	else if (baton_run(NULL, read_all, s, NULL))
		return fail(baton_reason(), EINVAL);
	took = (double)(baton_now() - begun) / BATON_SEC;
	for (unsigned int i = 0; i < s->n; i++) {
		sum += s->readers[i].sum;
		if (s->readers[i].err)
			err = s->readers[i].err;
	}
	if (err)
		return fail(kind, err);
	printf("sum %016" PRIx64 "\n", sum);
	printf("%u %s: %" PRIu64 " reads, %.2f s, %.0f a second\n", s->n, kind,
	       n, took, (double)n / took);
	return EXIT_SUCCESS;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: kvfault --load N FOLDER\n"
		"       kvfault [--threads] [-c READERS] [-n READS] [-w] FOLDER\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "load", required_argument, NULL, 'l' },
		{ "threads", no_argument, NULL, 't' },
		{ 0 },
	};
	struct store s = { .n = 64 };
	uint64_t entries = 0, reads = 10000;
	bool warm = false;
	int opt, err;

	while ((opt = getopt_long(argc, argv, "c:n:w", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			s.n = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			entries = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			reads = strtoull(optarg, NULL, 10);
			break;
		case 't':
			s.threads = true;
			break;
		case 'w':
			warm = true;
			break;
		default:
			return usage();
		}
	}
	if (optind != argc - 1 || !s.n)
		return usage();
	if (entries)
		return make(argv[optind], entries);
	s.reads = (reads + s.n - 1) / s.n;
	s.readers = calloc(s.n, sizeof(*s.readers));
	err = s.readers ? 0 : ENOMEM;
	if (!err && !warm)
		err = drop_cache(argv[optind]);
	if (!err)
		err = open_env(&s.env, argv[optind], s.n + 1, 0,
			       MDB_RDONLY | MDB_NORDAHEAD);
	if (!err)
		err = open_store(&s);
	err = err ? fail(argv[optind], err) : run(&s);
	if (s.env)
		mdb_env_close(s.env);
	free(s.readers);
	return err;
}
