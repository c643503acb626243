// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * hash.c - checksum one file.
 *
 * Files are opened and read by the library, which waits for them as --io says;
 * what computes (libcrypto) is called as foreign code, on the worker's own
 * stack. With --unannounced, open and read are called in fiber code like in any
 * program; only a kernel that hands the processor over notices then.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "sum.h"

static EVP_MD *md;

/* Return: 0, or -1 when libcrypto has no SHA-256. */
int sum_hash_init(void)
{
	md = EVP_MD_fetch(NULL, "SHA256", NULL);
	return md && EVP_MD_get_size(md) == SUM_BYTES ? 0 : -1;
}

void sum_hash_uninit(void)
{
	EVP_MD_free(md);
}

/* Run what may block, announced or not. */
void sum_blocking(void (*fn)(void *arg), void *arg)
{
	if (sum_opts.unannounced)
		fn(arg);
	else
		baton_call(fn, arg);
}

/*
 * The two functions that follow run as foreign code or as fiber code, and are not
 * inlined: a fiber may go on on another thread after a foreign call, and a
 * compiler might keep the address of errno across one.
 */
static __attribute__((noinline)) int do_open(const char *name, int flags)
{
	int fd;

	do {
		fd = open(name, flags);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static __attribute__((noinline)) ssize_t do_read(int fd, void *buf,
						 size_t size)
{
	ssize_t n;

	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int open_file(const char *name, int flags)
{
	if (sum_opts.unannounced)
		return do_open(name, flags);
	return baton_openat(AT_FDCWD, name, flags, 0);
}

/* Standard input may be no file, and is where others left it: it is read on from
 * there. */
static ssize_t read_stream(int fd, void *buf, size_t size)
{
	int err;
	ssize_t n;

	if (sum_opts.unannounced)
		return do_read(fd, buf, size);
	n = BATON_CALL(err, do_read, fd, buf, size);
	return err < 0 ? err : n;
}

static ssize_t read_job(const struct sum_job *job, int fd, void *buf)
{
	ssize_t n = -ESPIPE;

	if (!sum_opts.unannounced && job->source != SUM_STDIN)
		n = baton_pread(fd, buf, SUM_CHUNK, (int64_t)job->bytes);
	/* A pipe that has a name */
	return n == -ESPIPE ? read_stream(fd, buf, SUM_CHUNK) : n;
}

static int open_job(struct sum_job *job)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY;

	if (job->source == SUM_STDIN)
		return STDIN_FILENO;
	if (job->source == SUM_WALKED)
		flags |= O_NOFOLLOW;
	return open_file(job->name, flags);
}

static void close_job(struct sum_job *job, int fd)
{
	if (job->source != SUM_STDIN)
		close(fd);
}

struct hashing {
	EVP_MD_CTX *ctx;
	unsigned char *buf;
	size_t len;
	unsigned char *digest;
	bool failed;
};

static void begin(void *arg)
{
	struct hashing *h = arg;

	h->buf = malloc(SUM_CHUNK);
	h->ctx = EVP_MD_CTX_new();
	h->failed = !h->buf || !h->ctx ||
		    !EVP_DigestInit_ex2(h->ctx, md, NULL);
}

static void update(void *arg)
{
	struct hashing *h = arg;

	h->failed = !EVP_DigestUpdate(h->ctx, h->buf, h->len);
}

static void finish(void *arg)
{
	struct hashing *h = arg;

	h->failed = !EVP_DigestFinal_ex(h->ctx, h->digest, NULL);
}

static void release(void *arg)
{
	struct hashing *h = arg;

	EVP_MD_CTX_free(h->ctx);
	free(h->buf);
}

static int step(struct hashing *h, void (*fn)(void *arg))
{
	int err = baton_call(fn, h);

	if (err < 0)
		return err;
	return h->failed ? -ENOMEM : 0;
}

static int hash_fd(struct sum_job *job, struct hashing *h, int fd)
{
	ssize_t n;
	int err;

	while ((n = read_job(job, fd, h->buf)) > 0) {
		job->bytes += (uint64_t)n;
		h->len = (size_t)n;
		err = step(h, update);
		if (err)
			return err;
	}
	return n < 0 ? (int)n : step(h, finish);
}

/* By a hasher. Return: 0 or a negative errno. */
int sum_hash_job(struct sum_job *job)
{
	struct hashing h = { .digest = job->digest };
	int fd, err;

	fd = open_job(job);
	if (fd < 0)
		return fd;
	err = step(&h, begin);
	if (!err)
		err = hash_fd(job, &h, fd);
	baton_call(release, &h);
	close_job(job, fd);
	return err;
}
