/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * op.h - one operation on a descriptor: tried without waiting, again and again
 * until it succeeds, with a wait for the descriptor in between.
 */
#ifndef BATON_IO_OP_H
#define BATON_IO_OP_H

#include <baton/io.h>
#include <errno.h>
#include <stddef.h>

#include "poller.h"

/* What a try may return besides a result, -EAGAIN and -errno: */
#define OP_FILE		(-4096)	/* a regular file, or the like: baton_file_rw() */
#define OP_CALL		(-4097)	/* @call, as a foreign call: it may wait all the
				 * same, if others take what there was */

/**
 * struct op - the operation; part of what @attempt knows
 * @attempt: try it, with errno let be
 * @call:    the same, waiting if need be; after OP_CALL
 * @fd:      the descriptor
 * @side:    which side of it is waited for
 * @kind:    in and out: enum kind, as far as is known
 * @once:    do not wait
 * @asked:   how many bytes are asked for: fewer show that a stream has no more;
 *           0: that shows nothing
 */
struct op {
	ssize_t (*attempt)(struct op *op);
	ssize_t (*call)(struct op *op);
	int fd;
	enum side side;
	uint8_t kind;
	bool once;
	size_t asked;
};

/* All of it. The operation's result; -errno; OP_FILE. */
ssize_t baton_op(struct op *op, int64_t deadline);

/* The errno, negative, of what has just failed; and what it was before is put
 * back. For functions that are never inlined. */
static inline ssize_t op_result(ssize_t ret, int saved)
{
	if (unlikely(ret < 0)) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

/* Is @fd ready for @side? 1, 0; -errno. */
int baton_op_ready(int fd, enum side side);

/* What poll() says at once of @fd for @side: POLL*, or 0; -errno. */
int baton_op_events(int fd, enum side side);

/* A thread waits until some of @fds are ready, by poll(): how many; 0
 * @deadline; -ECANCELED, and other -errno. */
int baton_op_poll(struct pollfd *fds, nfds_t n, int64_t deadline);

#endif /* BATON_IO_OP_H */
