/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * crowd.h - fibers, foreign code of fibers and threads that all do the same,
 *           while their waits are canceled at random.
 */
#ifndef SELFTESTS_LIB_CROWD_H
#define SELFTESTS_LIB_CROWD_H

#include <pthread.h>

#include "common.h"

#define EACH	4u
#define CROWD	(3 * EACH)

struct crowd {
	void (*body)(void *arg, uint32_t *seed);
	void *arg;
	uint32_t seed;
	int done;		/* fibers */
	struct baton_fiber *fibers[2 * EACH];
	pthread_t threads[EACH];
};

static inline void crowd_body(void *arg)
{
	struct crowd *c = arg;
	uint32_t seed = (uint32_t)add(&c->seed, 0x9e3779b9);

	c->body(c->arg, &seed);
}

static inline void *crowd_fiber(void *arg)
{
	crowd_body(arg);
	add(&((struct crowd *)arg)->done, 1);
	return NULL;
}

static inline void *crowd_foreign(void *arg)
{
	expect_eq(baton_call(crowd_body, arg), 0);
	add(&((struct crowd *)arg)->done, 1);
	return NULL;
}

static inline void *crowd_thread(void *arg)
{
	crowd_body(arg);
	return NULL;
}

static inline void threads_join(void *arg)
{
	struct crowd *c = arg;

	for (unsigned int i = 0; i < EACH; i++)
		expect_eq(pthread_join(c->threads[i], NULL), 0);
}

static inline void threads_create(struct crowd *c)
{
	for (unsigned int i = 0; i < EACH; i++)
		expect_eq(pthread_create(&c->threads[i], NULL, crowd_thread, c),
			  0);
}

static inline void *crowd_canceler(void *arg)
{
	struct crowd *c = arg;
	uint32_t seed = load(&c->seed);

	while (load(&c->done) < (int)(2 * EACH)) {
		uint32_t i = random_next(&seed) % (2 * EACH);

		expect_eq(baton_cancel(c->fibers[i]), 0);
		for (i = random_next(&seed) % 8; i; i--)
			baton_yield();
	}
	return NULL;
}

static inline void *crowd_all(void *arg)
{
	struct crowd *c = arg;
	struct baton_fiber *canceler;

	for (unsigned int i = 0; i < 2 * EACH; i++)
		c->fibers[i] = spawn(i % 2 ? crowd_fiber : crowd_foreign, c);
	threads_create(c);
	canceler = spawn(crowd_canceler, c);
	expect_eq(baton_call(threads_join, c), 0);
	/* Not freed before the last cancel. */
	join(canceler);
	for (unsigned int i = 0; i < 2 * EACH; i++)
		join(c->fibers[i]);
	return NULL;
}

/* @nprocs 0: threads alone, and no scheduler. */
static inline void crowd(unsigned int nprocs, void (*body)(void *, uint32_t *),
		  void *arg)
{
	struct crowd c = { .body = body, .arg = arg, .seed = random_seed() };

	if (nprocs) {
		run_on(nprocs, crowd_all, &c);
	} else {
		threads_create(&c);
		threads_join(&c);
	}
}

static const unsigned int crowd_nprocs[] = { 0, 1, 2, 4 };

static inline unsigned int crowd_size(unsigned int nprocs)
{
	return nprocs ? CROWD : EACH;
}

/* A deadline: never, past, or soon. */
static inline int64_t random_deadline(uint32_t *seed)
{
	switch (random_next(seed) % 4) {
	case 0:
		return 0;
	case 1:
		return baton_now() + random_next(seed) % 50000;
	default:
		return BATON_NEVER;
	}
}

static inline bool in_vain(int err)
{
	if (err && err != -ETIMEDOUT && err != -ECANCELED)
		ck_abort_msg("%d: %s", err, baton_reason());
	return err;
}

/* Fibers let others run; threads go on. */
static inline void maybe_yield(uint32_t *seed)
{
	if (random_next(seed) % 2)
		baton_yield();
}

#endif /* SELFTESTS_LIB_CROWD_H */
