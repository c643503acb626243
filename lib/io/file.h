/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* file.h - what poll() does not know: regular files. */
#ifndef BATON_IO_FILE_H
#define BATON_IO_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Read or write at @off; -1: the file position. Bytes, or -errno. */
ssize_t baton_file_rw(int fd, bool write, const struct iovec *iov, int n,
		      int64_t off, int64_t deadline);

#endif /* BATON_IO_FILE_H */
