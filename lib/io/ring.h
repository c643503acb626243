/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * ring.h - requests to files that the kernel serves while the fiber waits:
 *          io_uring, by way of liburing.
 *
 * What a ring completes is run by the kernel in the thread that has submitted
 * it. A worker may be in foreign code, where that would have to wait, and where
 * it could end system calls with an EINTR that they have not earned. So one
 * thread, "baton-io", owns the ring, and does nothing else. It is made when the
 * first request needs it, and ends with the scheduler, before any fiber is left
 * behind: the kernel then writes to nobody's memory any more.
 *
 * ring.c has it; noring.c takes its place in a library that is built without
 * liburing.
 */
#ifndef BATON_IO_RING_H
#define BATON_IO_RING_H

#include <stdbool.h>
#include <stdint.h>

struct baton_rt;
struct desc;
struct waiter;

enum ring_op {
	RING_READ,
	RING_WRITE,
	RING_READV,
	RING_WRITEV,
	RING_FSYNC,
	RING_OPENAT,
	RING_STATX,
	RING_RENAMEAT,
	RING_UNLINKAT,
	RING_MKDIRAT,
	RING_OPS,
	RING_GETDENTS = RING_OPS,	/* which no kernel has */
};

/**
 * struct ring_node - something that is handed to the ring's thread
 * @next:   handed before it
 * @cancel: it is the request's @cancel, not its @submit
 */
struct ring_node {
	struct ring_node *next;
	bool cancel;
};

/**
 * struct ring_req - a request; lies on the stack of the fiber that waits for it
 *
 * To be filled in by the caller, as the kernel's submission has them:
 * @op:     which
 * @fd:     a descriptor, or of a directory
 * @flags:  those of this operation
 * @len:    bytes, buffers, a mode, a mask, or another descriptor
 * @addr:   a buffer, an array of them, or a path
 * @off:    where in the file; or the address of what else there is
 * @desc, @gen: what is known of @fd (desc.h), and desc.gen when this began: if
 *          it is closed before the kernel has the request, that fails with
 *          -EBADF, and goes to no other file; NULL: nobody closes it
 *
 * The ring's:
 * @lock:   protects @done, @dropped, and @res until one of them is set
 * @done:   it is completed, and nothing looks at it any more
 * @dropped: its fiber has been canceled, or its deadline has come, and it waits
 *          until nothing looks at this any more
 * @res:    what the system call would have returned, or -errno
 * @waiter: the fiber
 * @submit, @cancel: handed over by the fiber
 *
 * The thread's alone:
 * @next, @prev: of the list that it is on
 * @state:  which that is
 * @told:   @cancel has come, or the end of the ring
 * @held:   the kernel may not have taken it yet: counts in desc.busy
 */
struct ring_req {
	enum ring_op op;
	int fd;
	uint32_t flags;
	uint32_t len;
	uint64_t addr;
	uint64_t off;
	struct desc *desc;
	uint32_t gen;

	uint32_t lock;
	bool done;
	bool dropped;
	int32_t res;
	struct waiter *waiter;
	struct ring_node submit;
	struct ring_node cancel;

	struct ring_req *next;
	struct ring_req *prev;
	uint8_t state;
	bool told;
	bool held;
};

/*
 * Is there a ring for @op in the scheduler of the calling fiber? It is made if
 * there was none. False: *@why, a string that is there until the end of the
 * scheduler, is the reason. By a fiber, and not in scheduler code; may block
 * it.
 */
bool baton_ring_carries(enum ring_op op, const char **why);

/*
 * By a fiber, after baton_ring_carries(): have @req done, and wait for it until
 * @deadline, or that of a scope. @req->res is its result. That is -ETIMEDOUT, or
 * -ECANCELED, if it was ended early; if it could not be ended, its result is what
 * it was. Nothing looks at @req, nor at the memory that it names, from then on.
 * If the scheduler ends meanwhile this does not return.
 */
void baton_ring_do(struct ring_req *req, int64_t deadline);

#endif /* BATON_IO_RING_H */
