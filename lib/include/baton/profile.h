/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* profile.h - where fibers block in the kernel, how often and for how long. */
#ifndef BATON_PROFILE_H
#define BATON_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* For baton_site.nr, where there is no system call's number. */
#define BATON_PROFILE_FAULT	(-1)	/* a page fault */
#define BATON_PROFILE_OTHER	(-2)	/* any: there was no room for more */
#define BATON_PROFILE_CALL	(-3)	/* BATON_TIER_POLL: it is not known */

#define BATON_PROFILE_HIST	24

/**
 * struct baton_profile - a place where fibers block, and all blocks there
 * @fn:       the function of the foreign call; 0: fiber code
 * @pc:       where in the program, behind the instruction of the system call,
 *            or that of the page fault; 0: not known
 * @nr:       the system call's number, or one of the above
 * @count:    how often a worker has blocked there
 * @total:    nanoseconds from when it blocked until it was woken, together
 * @longest:  of one
 * @waited:   nanoseconds from then on until its thread had a CPU, together
 * @starved:  nanoseconds that its fiber then waited for a processor, together
 * @handoffs: times that its processor was given to another worker
 * @idled:    times that it became idle instead, since no fiber waited
 * @missed:   times that it became idle although fibers waited, since there was
 *            no worker to have it
 * @late:     of these three, not at once, see BATON_HANDOFF in baton_run(3)
 * @hist:     @count by how long they were: hist[i] those of less than
 *            2^(10 + i) nanoseconds that are not in hist[i - 1]; the last one all others
 *
 * Fields are only ever added at the end.
 */
struct baton_profile {
	uintptr_t fn;
	uintptr_t pc;
	int nr;
	uint64_t count;
	uint64_t total;
	uint64_t longest;
	uint64_t waited;
	uint64_t starved;
	uint64_t handoffs;
	uint64_t idled;
	uint64_t missed;
	uint64_t late;
	uint64_t hist[BATON_PROFILE_HIST];
};

/**
 * baton_profile() - where fibers have blocked in the kernel since baton_run()
 * @sites: where to put them, those with the longest total first
 * @n:     how many there is room for; with 0, @sites may be NULL
 * @size:  sizeof(*sites) as the caller was compiled; what lies beyond the
 *         library's own is zeroed
 *
 * Blocks in progress are not counted yet. With BATON_TIER_KMOD each block of a
 * worker in a foreign call or in fiber code is; with BATON_TIER_POLL calls
 * whose processor was taken, from when that was first thought of.
 *
 * Return: how many there are, which may be more than @n; -EINVAL @sites NULL;
 * -ESRCH no scheduler runs; -ENOMEM. Any thread; not async-signal-safe. Blocks
 * neither, and takes no lock that who is counted would wait for.
 */
#pragma GCC diagnostic push
/* As for baton_stats() */
#pragma GCC diagnostic ignored "-Wshadow"
int baton_profile(struct baton_profile *sites, unsigned int n, size_t size);
#pragma GCC diagnostic pop

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_PROFILE_H */
