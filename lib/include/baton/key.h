/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * key.h - data that each fiber has for itself, by key; after POSIX's
 * pthread_key_create() and so on.
 *
 * A fiber's data is the same in its callbacks and in the foreign code that it
 * calls, on whichever thread. When the fiber ends, destructors are called for
 * it. Of a thread that was adopted (baton_callback()), that is the end of its
 * outermost callback. Fibers that have not ended when baton_run() returns are
 * gone, and no destructor is called for theirs.
 */
#ifndef BATON_KEY_H
#define BATON_KEY_H

#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/** struct baton_key - names data that each fiber has; private. All zeros: none. */
struct baton_key {
	uint32_t baton_index;
	uint32_t baton_generation;
};

/** How many there may be at a time. */
#define BATON_KEYS_MAX			1024

/** How often destructors are called while data is left. */
#define BATON_DESTRUCTOR_ITERATIONS	4

/**
 * baton_key_create() - a key, by which each fiber has NULL at first
 * @key:        where to put it
 * @destructor: called when a fiber ends with other data than NULL by this key,
 *              with that, which is set to NULL before; or NULL
 *
 * It is called by the fiber, as its last code, in no particular order of keys,
 * and may block, like any fiber code. If data is left after all were called, in
 * case they set some, that is repeated up to BATON_DESTRUCTOR_ITERATIONS times.
 * The fiber has not ended for who joins it, or waits for its group, before.
 *
 * Return: 0; -EAGAIN there are BATON_KEYS_MAX; -EINVAL @key NULL. Any thread,
 * with or without a scheduler. Blocks neither.
 */
int baton_key_create(struct baton_key *key, void (*destructor)(void *value));

/**
 * baton_key_delete() - the key is not valid any more
 * @key: the key. No destructor is called for data that fibers have by it, and
 *       no later key finds that data.
 *
 * Return: 0; -EINVAL it is not valid. Any thread. Blocks neither.
 */
int baton_key_delete(struct baton_key key);

/**
 * baton_getspecific() - what the calling fiber has by a key
 * @key: the key; that it is valid is not checked
 *
 * Return: the data; NULL by default, and on a thread that runs no fiber. Blocks
 * neither. Not async-signal-safe.
 */
void *baton_getspecific(struct baton_key key);

/**
 * baton_setspecific() - set that
 * @key:   the key
 * @value: the data; it may be NULL
 *
 * Return: 0; -EINVAL the key is not valid; -EPERM not of a fiber, neither its
 * code nor foreign code that it called; -ENOMEM. Blocks neither. Not
 * async-signal-safe.
 */
int baton_setspecific(struct baton_key key, void *value);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_KEY_H */
