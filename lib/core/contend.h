/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * contend.h - who has waited for which lock: by the place that called for it.
 *
 * It is off unless BATON_PROFILE_LOCKS is set. Then one wait of so many is
 * timed, and stands for all of them. While it is off a wait looks at one word;
 * who does not wait looks at nothing.
 */
#ifndef BATON_CORE_CONTEND_H
#define BATON_CORE_CONTEND_H

#include <stdint.h>

#include "base.h"

enum contend_kind {
	CONTEND_MUTEX,
	CONTEND_COND,
	CONTEND_SEND,
	CONTEND_RECV,
	CONTEND_KINDS,
};

/**
 * struct contend_site - all that was seen of one place
 * @site:  it; 0: the entry is free
 * @kind:  enum contend_kind
 * @waits: how many there were
 * @ns:    for how long, together
 */
struct contend_site {
	uintptr_t site;
	uint32_t kind;
	uint64_t waits;
	uint64_t ns;
};

/* One wait of so many is timed; 0: none. Set before a scheduler runs. */
extern unsigned int baton_contend_rate __attribute__((visibility("hidden")));

/* Nothing is known; one wait of @rate is timed, or with 0 none. */
void baton_contend_init(unsigned int rate);

/* A wait begins; what baton_contend_end() is to be told. 0: it is not timed. */
int64_t baton_contend_begin(void);
void baton_contend_end(int64_t since, enum contend_kind kind, const void *site);

/* The @i-th entry; NULL: there are no more. It may be a free one. */
const struct contend_site *baton_contend_at(unsigned int i);

#endif /* BATON_CORE_CONTEND_H */
