// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* late.c - a page that comes late: userfaultfd(2). */
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

/**
 * bench_uffd() - hear of what is touched and missing
 * @mem:   pages
 * @size:  of all of them
 * @flags: of the descriptor, besides O_CLOEXEC
 *
 * Return: a userfaultfd; -1 with errno set.
 */
int bench_uffd(void *mem, size_t size, int flags)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)mem, size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd, error;

	flags |= O_CLOEXEC;
	fd = (int)syscall(SYS_userfaultfd, flags | UFFD_USER_MODE_ONLY);
	if (fd < 0 && errno == EINVAL)	/* before Linux 5.11 */
		fd = (int)syscall(SYS_userfaultfd, flags);
	if (fd < 0)
		return -1;
	if (!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Return: 0; -1 with errno set. */
int late_init(struct late *l)
{
	*l = (struct late) { .size = (size_t)sysconf(_SC_PAGESIZE) };
	l->page = mmap(NULL, l->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->page == MAP_FAILED)
		return -1;
	l->fill = malloc(l->size);
	l->uffd = l->fill ? bench_uffd(l->page, l->size, 0) : -1;
	if (l->uffd >= 0)
		return 0;
	free(l->fill);
	munmap(l->page, l->size);
	return -1;
}

void late_uninit(struct late *l)
{
	munmap(l->page, l->size);
	free(l->fill);
	close(l->uffd);
}

/* Whoever touches it next waits until it is brought. */
void late_drop(struct late *l)
{
	l->mark++;
	memset(l->fill, l->mark, l->size);
	if (madvise(l->page, l->size, MADV_DONTNEED))
		l->wrong++;
}

void late_touch(struct late *l)
{
	if (*(volatile unsigned char *)l->page != l->mark)
		l->wrong++;
}

/* By another thread. */
void late_bring(struct late *l)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)l->page,
		.src = (uintptr_t)l->fill,
		.len = l->size,
	};

	if (ioctl(l->uffd, UFFDIO_COPY, &copy))
		l->wrong++;
}

/* Wait until somebody touches it. */
void late_await(struct late *l)
{
	struct uffd_msg msg;

	while (read(l->uffd, &msg, sizeof(msg)) < 0 && errno == EINTR)
		;
}
