/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * key.h - data of fibers by key: what a fiber has of it.
 *
 * A fiber has slots for the first baton_fiber.nkeys keys, none at first: some
 * in its record, all others in memory of malloc()'s. A slot is of the key whose
 * generation it has.
 */
#ifndef BATON_CORE_KEY_H
#define BATON_CORE_KEY_H

#include <stdint.h>

struct baton_fiber;

#define KEYS_INLINE	4u

struct key_slot {
	void *value;
	uint32_t generation;
};

/* The end of @f, which calls this in fiber code: call destructors, free all. */
void baton_keys_end(struct baton_fiber *f) __attribute__((cold));

/* The memory alone, of a fiber that will not run any more. */
void baton_keys_free(struct baton_fiber *f);

#endif /* BATON_CORE_KEY_H */
