// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * slow.c - memory whose pages come late, as those of a file that is mapped do.
 *
 * Without a disk that is slow, userfaultfd(2) stands for it: a thread on another
 * CPU answers each fault a fixed time after it came, however many there are. A
 * page that was touched is dropped at once, so that it can be touched again.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "client.h"
#include "storm.h"

#define QUEUE	4096u	/* faults that wait; more than there are threads */

/**
 * struct slow - see above
 * @mem:   the pages
 * @size:  of all of them
 * @page:  of one
 * @file:  what is mapped; -1 nothing
 * @uffd:  userfaultfd; -1 none
 * @stop:  a pipe's ends: the thread ends when the other one is closed
 * @ns:    how late a page comes
 * @cpu:   where the thread is to run
 * @thread: answers
 * @fill:  what a page has in it
 * @queue: faults, and when each is to be answered: first in, first out
 * @head, @tail: what was put in and taken out so far
 */
struct slow {
	unsigned char *mem;
	size_t size;
	size_t page;
	int file;
	int uffd;
	int stop[2];
	uint64_t ns;
	int cpu;
	pthread_t thread;
	unsigned char *fill;
	struct {
		uint64_t address;
		uint64_t due;
	} queue[QUEUE];
	unsigned int head;
	unsigned int tail;
};

static void take_faults(struct slow *m)
{
	struct uffd_msg msg[16];
	ssize_t n = read(m->uffd, msg, sizeof(msg));
	uint64_t due = bench_now() + m->ns;

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(*msg); i++) {
		if (msg[i].event != UFFD_EVENT_PAGEFAULT)
			continue;
		m->queue[m->head % QUEUE].address =
			msg[i].arg.pagefault.address & -m->page;
		m->queue[m->head++ % QUEUE].due = due;
	}
}

static void answer(struct slow *m)
{
	struct uffdio_copy copy = {
		.dst = m->queue[m->tail++ % QUEUE].address,
		.src = (uintptr_t)m->fill,
		.len = m->page,
	};

	ioctl(m->uffd, UFFDIO_COPY, &copy);
}

static void *answer_thread(void *arg)
{
	struct slow *m = arg;
	struct pollfd fds[] = {
		{ .fd = m->uffd, .events = POLLIN },
		{ .fd = m->stop[0], .events = POLLIN },
	};
	struct timespec ts;
	uint64_t now, wait;

	bench_pin(&m->cpu, 1);
	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		now = bench_now();
		while (m->tail != m->head &&
		       m->queue[m->tail % QUEUE].due <= now)
			answer(m);
		wait = m->tail == m->head ? BENCH_SEC :
		       m->queue[m->tail % QUEUE].due - now;
		ts = (struct timespec){ .tv_sec = (time_t)(wait / BENCH_SEC),
					.tv_nsec = (long)(wait % BENCH_SEC) };
		if (ppoll(fds, 2, &ts, NULL) <= 0)
			continue;
		if (fds[1].revents)
			return NULL;
		if (fds[0].revents)
			take_faults(m);
	}
}

static struct slow *create(size_t pages, int file)
{
	struct slow *m = calloc(1, sizeof(*m));
	int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

	if (!m)
		return NULL;
	m->page = (size_t)sysconf(_SC_PAGESIZE);
	m->size = pages * m->page;
	m->file = file;
	m->uffd = m->stop[0] = m->stop[1] = -1;
	m->mem = mmap(NULL, m->size, PROT_READ | PROT_WRITE, flags, file, 0);
	if (m->mem == MAP_FAILED) {
		free(m);
		return NULL;
	}
	/* One page at a time: neither huge ones nor those that follow */
	madvise(m->mem, m->size, file < 0 ? MADV_NOHUGEPAGE : MADV_RANDOM);
	return m;
}

/**
 * slow_create() - pages that come @ns after they are touched
 * @pages: how many
 * @ns:    how late
 * @cpu:   where who brings them is to run
 *
 * Return: NULL with errno set.
 */
struct slow *slow_create(size_t pages, uint64_t ns, int cpu)
{
	struct slow *m = create(pages, -1);

	if (!m)
		return NULL;
	m->ns = ns;
	m->cpu = cpu;
	m->fill = malloc(m->page);
	if (m->fill) {
		memset(m->fill, 1, m->page);
		m->uffd = bench_uffd(m->mem, m->size, O_NONBLOCK);
		if (m->uffd >= 0 && !pipe2(m->stop, O_CLOEXEC)) {
			errno = pthread_create(&m->thread, NULL, answer_thread,
					       m);
			if (!errno)
				return m;
		}
	}
	m->thread = 0;
	slow_destroy(m);
	return NULL;
}

/* As slow_create(), of a file without a name in @dir, as slow as its disk. */
struct slow *slow_create_file(size_t pages, const char *dir)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *ones = malloc(page);
	struct slow *m = NULL;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (!ones || fd < 0)
		goto out;
	memset(ones, 1, page);
	for (size_t i = 0; i < pages; i++)
		if (write(fd, ones, page) != (ssize_t)page)
			goto out;
	if (!fsync(fd))
		m = create(pages, fd);
out:
	free(ones);
	if (!m && fd >= 0)
		close(fd);
	return m;
}

void slow_destroy(struct slow *m)
{
	int error = errno;

	if (m->stop[1] >= 0)
		close(m->stop[1]);
	if (m->thread)
		pthread_join(m->thread, NULL);
	if (m->stop[0] >= 0)
		close(m->stop[0]);
	if (m->uffd >= 0)
		close(m->uffd);
	if (m->file >= 0)
		close(m->file);
	munmap(m->mem, m->size);
	free(m->fill);
	free(m);
	errno = error;
}

/* Wait for a page, and drop it. Return: 0; -1 it was not what it should be. */
int slow_touch(struct slow *m, size_t page)
{
	unsigned char *at = m->mem + page * m->page;

	if (*(volatile unsigned char *)at != 1)
		return -1;
	if (madvise(at, m->page, MADV_DONTNEED))
		return -1;
	if (m->file < 0)
		return 0;
	return posix_fadvise(m->file, (off_t)(page * m->page), (off_t)m->page,
			     POSIX_FADV_DONTNEED) ? -1 : 0;
}
