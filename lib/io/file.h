/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* file.h - reading and writing what poll(2) knows nothing of. */
#ifndef BATON_IO_FILE_H
#define BATON_IO_FILE_H

#include <baton/file.h>
#include <errno.h>
#include <stdbool.h>

/*
 * Read from @fd, or @write to it, what @iov, of @n buffers, says. @off: where
 * in the file; -1: at its position, which moves on. Bytes, or -errno. Blocks
 * the fiber, at most until @deadline; on any other thread the thread.
 */
ssize_t baton_file_rw(int fd, bool write, const struct iovec *iov, int n,
		      int64_t off, int64_t deadline);

/* As of Linux 4.14, which not all C libraries' headers know. */
#ifndef RWF_NOWAIT
#define RWF_NOWAIT	8
#endif

/* Instead of an offset: the position of the file. */
#define POSITION	(~UINT64_C(0))

/*
 * preadv2(), pwritev2(), which not all C libraries have. @flags: RWF_*; 0: as
 * kernels without them have it, too. As a system call: -1, and errno.
 */
long baton_sys_rw(int fd, bool write, const struct iovec *iov, unsigned int n,
		  uint64_t off, int flags);

/*
 * Does @ret, -errno, of the above with RWF_NOWAIT, say that there is no such
 * flag: for this file, in this kernel, or, -EPERM, behind a filter of system
 * calls that does not know them? Where -EPERM is the file's, the call without
 * the flag says so again.
 */
static inline bool nowait_missing(long ret)
{
	return ret == -EOPNOTSUPP || ret == -ENOSYS || ret == -EPERM;
}

#endif /* BATON_IO_FILE_H */
