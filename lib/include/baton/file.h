/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * file.h - files, which a fiber waits for while its worker runs others.
 *
 * Names, arguments and results are those of POSIX and Linux, but that a
 * negative error number is returned, and errno has nothing to do with it. What
 * is in the page cache is had at once. What has to be waited for goes through
 * io_uring; where that cannot be had (an old kernel, a sysctl, a container's
 * filter), the same is done by foreign calls: see baton_io(). So it is for a
 * fiber that is locked to its thread, whose rights may be its own.
 *
 * All of these block the fiber; in foreign code, and on other threads, the
 * thread. None ends by a signal: what is interrupted is begun again. A fiber's
 * deadline (baton_deadline_push()) and its cancel end a request that the kernel
 * can still give up: -ETIMEDOUT, -ECANCELED. The kernel has let go of the
 * memory by then. A request that is done anyway returns its result, and a
 * cancel is for the next wait. With foreign calls a deadline counts until the
 * call begins.
 *
 * None is async-signal-safe.
 */
#ifndef BATON_FILE_H
#define BATON_FILE_H

#include <baton/runtime.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct statx;

/**
 * baton_io() - how files are waited for, and why not in a better way
 * @why: where to put the reason ("" for the best way), or NULL. Valid until
 *       baton_run() returns.
 *
 * In a fiber this makes the ring, if no request did so before.
 *
 * Return: BATON_IO_URING or BATON_IO_CALL; BATON_IO_AUTO on a thread that is in
 * no fiber. May block the fiber.
 */
enum baton_io baton_io(const char **why);

/**
 * baton_pread(), baton_pwrite() - read from a place in a file, write to it
 * @fd:  the descriptor
 * @buf: memory, for O_DIRECT aligned as that asks for
 * @n:   bytes
 * @off: where; not negative
 *
 * The result may be less than @n at the end of the file, on a full disk, at
 * RLIMIT_FSIZE, and if an error or a cancel came after a part was done.
 * SIGXFSZ may or may not come along with -EFBIG.
 *
 * Return: bytes; -errno.
 */
ssize_t baton_pread(int fd, void *buf, size_t n, int64_t off);
ssize_t baton_pwrite(int fd, const void *buf, size_t n, int64_t off);

/** baton_preadv(), baton_pwritev() - the same with @n buffers */
ssize_t baton_preadv(int fd, const struct iovec *iov, int n, int64_t off);
ssize_t baton_pwritev(int fd, const struct iovec *iov, int n, int64_t off);

/** baton_fsync(), baton_fdatasync() - wait until all is on the disk. Return: 0;
 * -errno. */
int baton_fsync(int fd);
int baton_fdatasync(int fd);

/**
 * baton_openat() - open a file
 * @dir:   a directory, or AT_FDCWD
 * @path:  the path
 * @flags: as openat(2) has them; O_LARGEFILE is implied
 * @mode:  of a new one; 0
 *
 * Return: a descriptor; -errno.
 */
int baton_openat(int dir, const char *path, int flags, mode_t mode);

/** baton_statx() - as statx(2). Return: 0; -errno. */
int baton_statx(int dir, const char *path, int flags, unsigned int mask,
		struct statx *st);

/** baton_renameat(), baton_unlinkat(), baton_mkdirat() - as those of POSIX.
 * Return: 0; -errno. */
int baton_renameat(int olddir, const char *oldpath, int newdir,
		   const char *newpath);
int baton_unlinkat(int dir, const char *path, int flags);
int baton_mkdirat(int dir, const char *path, mode_t mode);

/**
 * baton_getdents() - read a directory
 * @fd:  the directory
 * @buf: where to put struct dirent64, one after the other, d_reclen apart
 * @n:   bytes there
 *
 * Always a foreign call: io_uring has no such operation. Return: bytes; 0 at
 * the end; -errno.
 */
ssize_t baton_getdents(int fd, void *buf, size_t n);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_FILE_H */
