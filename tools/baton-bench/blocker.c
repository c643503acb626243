// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * blocker.c - ways to block for a known time.
 *
 * A sleep needs nobody's help. A page fault needs a thread that brings the
 * page: it is not woken by the fault, which would disturb what is measured,
 * but sleeps until a time that was fixed when the trial was prepared.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "handoff.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY	1
#endif

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) && errno == EINTR)
		;
}

static int copy_page(struct blocker *b)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)b->page,
		.src = (uintptr_t)b->fill,
		.len = b->page_size,
	};

	return ioctl(b->uffd, UFFDIO_COPY, &copy);
}

static void *resolver_thread(void *arg)
{
	struct blocker *b = arg;

	for (;;) {
		wait_for(&b->armed);
		if (b->stop)
			return NULL;
		bench_sleep_until(b->due);
		if (copy_page(b))
			b->wrong++;
	}
}

static int open_uffd(void)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0 && errno == EINVAL)	/* before Linux 5.11 */
		fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return (int)fd;
}

static int register_page(struct blocker *b)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)b->page, b->page_size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (ioctl(b->uffd, UFFDIO_API, &api))
		return -1;
	return ioctl(b->uffd, UFFDIO_REGISTER, &reg);
}

static int start_fault(struct blocker *b)
{
	b->uffd = open_uffd();
	if (b->uffd < 0)
		return -1;
	b->page = mmap(NULL, b->page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->page == MAP_FAILED)
		goto err_close;
	b->fill = malloc(b->page_size);
	if (!b->fill || register_page(b))
		goto err_free;
	sem_init(&b->armed, 0, 0);
	errno = pthread_create(&b->resolver, NULL, resolver_thread, b);
	if (!errno)
		return 0;
err_free:
	free(b->fill);
	munmap(b->page, b->page_size);
err_close:
	close(b->uffd);
	return -1;
}

/* @fault, @ns and @compute_ns are set. Return: 0; -1 with errno set. */
int blocker_init(struct blocker *b)
{
	b->page_size = (size_t)sysconf(_SC_PAGESIZE);
	return b->fault ? start_fault(b) : 0;
}

void blocker_uninit(struct blocker *b)
{
	if (!b->fault)
		return;
	b->stop = true;
	sem_post(&b->armed);
	pthread_join(b->resolver, NULL);
	sem_destroy(&b->armed);
	munmap(b->page, b->page_size);
	free(b->fill);
	close(b->uffd);
}

/* Called from a plain thread or a foreign call; then settle, and block. */
void blocker_prepare(struct blocker *b)
{
	if (b->fault) {
		b->mark++;
		memset(b->fill, b->mark, b->page_size);
		if (madvise(b->page, b->page_size, MADV_DONTNEED))
			b->wrong++;
		b->due = bench_now() + SETTLE_NS + b->compute_ns + b->ns;
		sem_post(&b->armed);
	}
	bench_sleep(SETTLE_NS);
}

/* Return: how long it took. Called from a thread, a foreign call or a fiber. */
uint64_t blocker_block(struct blocker *b)
{
	uint64_t start = bench_now();

	if (!b->fault)
		bench_sleep(b->ns);
	else if (*(volatile unsigned char *)b->page != b->mark)
		b->wrong++;
	return bench_now() - start;
}
