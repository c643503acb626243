// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* guard.c - what catches a fiber that runs over the low end of its stack. */
#include "guard.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"
#include "descriptor.h"
#include "sanitize.h"

/* Of kernels newer than many headers: Linux 6.13, and 5.11. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* --- PROT_NONE ---------------------------------------------------------- */

/* How many more there may be. They are the process's, not a scheduler's. */
static long pages_left;

/* Two mappings each, and the program's are to be more than half of all. */
static void count_pages(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
	long max = 65530;	/* the kernel's default */

	if (f && fscanf(f, "%ld", &max) != 1)
		max = 65530;
	if (f)
		fclose(f);
	pages_left = max / 4 - 256;
}

static bool pages_take(unsigned int n)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, count_pages);
	if (atomic_fetch_sub_relaxed(&pages_left, (long)n) >= (long)n)
		return true;
	atomic_fetch_add_relaxed(&pages_left, (long)n);
	return false;
}

/* --- userfaultfd -------------------------------------------------------- */

/* A kernel that knows them may lack them on this architecture. */
#define UFFD_FEATURES (UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP)

/* A descriptor, or -1. Without the flag it is for privileged users alone. */
static int uffd_open(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURES,
	};
	int fd = descriptor_keep((int)syscall(SYS_userfaultfd,
		O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY));

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* All of the mapping: to the kernel it is to stay a single one. */
static bool uffd_register(int *uffd, void *map, size_t bytes)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)map, .len = bytes },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	if (*uffd < 0)
		*uffd = uffd_open();
	return *uffd >= 0 && !ioctl(*uffd, UFFDIO_REGISTER, &reg);
}

static bool uffd_protect(int uffd, char *addr)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)addr, .len = page_size() },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	/* Only a page that is there can be protected: now it is the page of
	 * zeros that all share. */
	READ_ONCE(*addr);
	return !ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}

/* --- all of them -------------------------------------------------------- */

enum guard baton_guard_choose(int *uffd, void *map, size_t bytes, void *first,
			      unsigned int n)
{
	static int markers;	/* 0: not known yet; 1: yes; -1: no */

	if (!READ_ONCE(markers))
		WRITE_ONCE(markers, madvise(first, page_size(),
					    MADV_GUARD_INSTALL) ? -1 : 1);
	if (READ_ONCE(markers) > 0)
		return GUARD_MARKER;
	if (pages_take(n))
		return GUARD_PAGE;
	if (uffd && uffd_register(uffd, map, bytes))
		return GUARD_WRITE;
	return GUARD_NONE;
}

bool baton_guard_set(enum guard how, int uffd, char *addr)
{
	switch (how) {
	case GUARD_MARKER:
		return !madvise(addr, page_size(), MADV_GUARD_INSTALL);
	case GUARD_PAGE:
		return !mprotect(addr, page_size(), PROT_NONE);
	case GUARD_WRITE:
		return uffd_protect(uffd, addr);
	case GUARD_NONE:
		break;
	}
	return false;
}

void baton_guard_forget(enum guard how, unsigned int n)
{
	if (how == GUARD_PAGE)
		atomic_fetch_add_relaxed(&pages_left, (long)n);
}

NO_SANITIZE bool baton_guard_untouched(const char *addr)
{
	const uintptr_t *word = (const uintptr_t *)addr;
	uintptr_t any = 0;
	size_t n = page_size() / sizeof(*word);

	for (size_t i = 0; i < n; i++)
		any |= word[i];
	return !any;
}
