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

static int open_uffd(void)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd < 0 && errno == EINVAL)	/* before Linux 5.11 */
		fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return (int)fd;
}

static int register_page(struct late *l)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)l->page, l->size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (ioctl(l->uffd, UFFDIO_API, &api))
		return -1;
	return ioctl(l->uffd, UFFDIO_REGISTER, &reg);
}

/* Return: 0; -1 with errno set. */
int late_init(struct late *l)
{
	*l = (struct late) { .size = (size_t)sysconf(_SC_PAGESIZE) };
	l->uffd = open_uffd();
	if (l->uffd < 0)
		return -1;
	l->page = mmap(NULL, l->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->page == MAP_FAILED)
		goto err_close;
	l->fill = malloc(l->size);
	if (l->fill && !register_page(l))
		return 0;
	free(l->fill);
	munmap(l->page, l->size);
err_close:
	close(l->uffd);
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
