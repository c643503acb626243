/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* descriptor.h - the library's own descriptors. */
#ifndef BATON_CORE_DESCRIPTOR_H
#define BATON_CORE_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * The numbers of standard input, output and error are the program's, even while
 * it has them closed: others print there, and daemons put files there by
 * dup2(). So nothing that is kept for long stays on one of them. For an instant
 * it does: who closes and opens them meanwhile, on another thread, is too late.
 *
 * Returns @fd, which may be -1, or the same under another number; -1 and errno
 * if there is none, and @fd is closed then.
 */
static inline int descriptor_keep(int fd)
{
	int kept, err;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	kept = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	err = errno;
	close(fd);
	errno = err;
	return kept;
}

/* One of them is none any more, or another: who waits for it would for good. */
_Noreturn void baton_descriptor_lost(void);

/* Wakes who waits for eventfd @fd. Leaves errno as it is. */
void baton_event_set(int fd);

#endif /* BATON_CORE_DESCRIPTOR_H */
