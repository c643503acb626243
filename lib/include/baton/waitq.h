/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * waitq.h - who waits on an object: a part of those that lie in the caller's
 * memory. All of it is the library's own.
 */
#ifndef BATON_WAITQ_H
#define BATON_WAITQ_H

#include <stddef.h>

/** struct baton_wait_entry - a place on the list of an object; private */
struct baton_wait_entry {
	struct baton_wait_entry *next;
	struct baton_wait_entry *prev;
	void *waiter;
};

/** struct baton_waitq - who waits on an object, in order; private */
struct baton_waitq {
	struct baton_wait_entry *first;
	struct baton_wait_entry *last;
};

/* Nobody. */
#define BATON_WAITQ_INIT	{ NULL, NULL }

#endif /* BATON_WAITQ_H */
