// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * key.c - data of fibers by key.
 *
 * The table of keys is the process's, and outlives schedulers. An entry is free
 * while its destructor is NULL; who makes it something else by compare-and-swap
 * has the entry, and then makes its generation odd, by which the key is valid.
 * Who makes that even again has deleted it, and lets go of the entry by storing
 * NULL. There is no lock, which a child of fork() might find taken.
 *
 * To get a value looks at the fiber's own slot alone: one of an older key has
 * another generation.
 */
#include "key.h"

#include <baton/key.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fiber.h"
#include "reason.h"
#include "worker.h"

struct key {
	void (*destructor)(void *value);
	uint32_t generation;	/* odd: valid */
};

static struct key table[BATON_KEYS_MAX];

/* Of a key without one. */
static void no_destructor(void *value)
{
	(void)value;
}

int baton_key_create(struct baton_key *key, void (*destructor)(void *value))
{
	if (!key)
		return baton_error(-EINVAL, "the key is NULL");
	if (!destructor)
		destructor = no_destructor;
	for (uint32_t i = 0; i < BATON_KEYS_MAX; i++) {
		void (*none)(void *) = NULL;

		if (READ_ONCE(table[i].destructor) ||
		    !try_cmpxchg_acq_rel(&table[i].destructor, &none,
					 destructor))
			continue;
		key->baton_index = i;
		key->baton_generation = table[i].generation + 1;
		/* Release: the destructor before the key is valid. */
		smp_store_release(&table[i].generation, key->baton_generation);
		return 0;
	}
	return baton_error(-EAGAIN, "there are %d keys", BATON_KEYS_MAX);
}

static bool valid(struct baton_key key)
{
	return key.baton_index < BATON_KEYS_MAX && key.baton_generation % 2 &&
	       smp_load_acquire(&table[key.baton_index].generation) ==
		       key.baton_generation;
}

static int not_valid(void)
{
	return baton_error(-EINVAL, "not a valid key");
}

int baton_key_delete(struct baton_key key)
{
	uint32_t generation = key.baton_generation;

	if (!valid(key) ||
	    !try_cmpxchg_acq_rel(&table[key.baton_index].generation,
				 &generation, generation + 1))
		return not_valid();
	/* Release: the generation, which the next one goes on from. */
	smp_store_release(&table[key.baton_index].destructor,
			  (void (*)(void *))NULL);
	return 0;
}

/* The calling fiber, also in foreign code; NULL: none. */
static struct baton_fiber *current(void)
{
	const struct baton_worker *w = baton_worker_self();

	/* An adopted thread is PARKED outside of its callbacks. */
	return w && slot_state(w->slot) != BATON_PARKED ? w->fiber : NULL;
}

static struct key_slot *slot_at(struct baton_fiber *f, uint32_t i)
{
	return i < KEYS_INLINE ? &f->keys[i] : &f->more_keys[i - KEYS_INLINE];
}

void *baton_getspecific(struct baton_key key)
{
	struct baton_fiber *f = current();
	const struct key_slot *slot;

	if (unlikely(!f || key.baton_index >= f->nkeys))
		return NULL;
	slot = slot_at(f, key.baton_index);
	return likely(slot->generation == key.baton_generation) ? slot->value :
								  NULL;
}

/* Slots up to that of key @i at least. False: no memory. */
static bool grow(struct baton_fiber *f, uint32_t i)
{
	unsigned int had = f->nkeys > KEYS_INLINE ? f->nkeys - KEYS_INLINE : 0;
	unsigned int n = had ? had : 4;
	struct key_slot *more;

	for (; f->nkeys < KEYS_INLINE && f->nkeys <= i; f->nkeys++)
		f->keys[f->nkeys] = (struct key_slot){ 0 };
	if (i < f->nkeys)
		return true;
	while (KEYS_INLINE + n <= i)
		n *= 2;
	more = calloc(n, sizeof(*more));
	if (!more)
		return false;
	if (had) {
		memcpy(more, f->more_keys, had * sizeof(*more));
		free(f->more_keys);
	}
	f->more_keys = more;
	f->nkeys = KEYS_INLINE + n;
	WRITE_ONCE(baton_worker_self()->rt->more_keys, true);
	return true;
}

int baton_setspecific(struct baton_key key, void *value)
{
	struct baton_fiber *f = current();

	if (unlikely(!f))
		return baton_error(-EPERM, "not a fiber's code");
	if (unlikely(!valid(key)))
		return not_valid();
	if (unlikely(key.baton_index >= f->nkeys &&
		     !grow(f, key.baton_index)))
		return baton_error(-ENOMEM, "no memory");
	*slot_at(f, key.baton_index) = (struct key_slot){
		.value = value,
		.generation = key.baton_generation,
	};
	return 0;
}

void baton_keys_free(struct baton_fiber *f)
{
	if (f->nkeys > KEYS_INLINE)
		free(f->more_keys);
	f->nkeys = 0;
}

/* Call what @f has one for. False: there was nothing left. */
static bool call_destructors(struct baton_fiber *f)
{
	bool any = false;

	/* They may grow the slots. */
	for (uint32_t i = 0; i < f->nkeys; i++) {
		struct key_slot *slot = slot_at(f, i);
		void *value = slot->value;
		struct baton_key key = { i, slot->generation };
		void (*destructor)(void *);

		if (!value || !valid(key))
			continue;
		slot->value = NULL;
		/* Acquire: the generation is read after it. It may have been
		 * deleted just now, and be another key's already. */
		destructor = smp_load_acquire(&table[i].destructor);
		if (!destructor || !valid(key))
			continue;
		destructor(value);
		any = true;
	}
	return any;
}

void baton_keys_end(struct baton_fiber *f)
{
	int n = BATON_DESTRUCTOR_ITERATIONS;

	while (n-- && call_destructors(f))
		;
	baton_keys_free(f);
}
