// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * nap.c - ten fibers on one processor sleep in a call that nobody is told of.
 *
 *	nap		how long it took, by which tier, why by no better one
 *
 * Where that is noticed, with the module or in the tier idle, the next fiber
 * runs meanwhile, and all ten sleep at once: 0.1 s. In the tier poll one after
 * the other.
 */
#include <baton/baton.h>
#include <stdio.h>
#include <unistd.h>

#define NAPS	10

static void *nap(void *arg)
{
	return usleep(100000) ? arg : NULL;
}

static void *naps(void *arg)
{
	struct baton_fiber *fibers[NAPS];
	int64_t start = baton_now();
	const char *why;

	(void)arg;
	for (int i = 0; i < NAPS; i++)
		if (baton_spawn(&fibers[i], NULL, nap, "cannot sleep"))
			return (void *)baton_reason();
	for (int i = 0; i < NAPS; i++) {
		void *failure = NULL;

		baton_join(fibers[i], &failure);
		if (failure)
			return failure;
	}
	printf("%d naps of 0.1 s: %.2f s, tier %s", NAPS,
	       (double)(baton_now() - start) / 1e9,
	       baton_tier_name(baton_tier(&why)));
	if (*why)
		printf(" (%s)", why);
	putchar('\n');
	return NULL;
}

int main(void)
{
	struct baton_config *config = NULL;
	void *failure = NULL;

	if (baton_config_create(&config) ||
	    baton_config_set_nprocs(config, 1) ||
	    baton_run(config, naps, NULL, &failure))
		failure = (void *)baton_reason();
	baton_config_destroy(config);
	if (failure)
		fprintf(stderr, "nap: %s\n", (const char *)failure);
	return failure != NULL;
}
