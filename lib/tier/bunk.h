/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * bunk.h - where workers wait for a processor in the tiers without a module:
 * each sleeps on a futex of its own, its bunk, and is granted a processor by
 * number. The operations are those of tier.h; a tier takes them as they are,
 * and adds how blocking is found out.
 */
#ifndef BATON_TIER_BUNK_H
#define BATON_TIER_BUNK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct baton_rt;
struct baton_worker;

/**
 * struct bunk - where one worker sleeps
 * @grant:  the futex: 0, a processor's number plus one, or what else there is
 *          to be said. Written under the lock, but for baton_bunk_poke(); only
 *          its worker, once granted, clears it without
 * @listed: it is on the list of standbys
 * @cpu:    where its worker last became a standby
 * @next:   the standby that parked before this one; the next vacant bunk
 */
struct bunk {
	uint32_t grant;
	bool listed;
	int cpu;
	struct bunk *next;
};

/**
 * struct bunks - all of one scheduler; a tier's data begins with it
 * @lock:    protects all below, but for @bunk itself and the region
 * @standby: list of those that any processor may go to, last parked first;
 *           baton_bunk_poke() looks, too
 * @vacant:  list of bunks whose workers are gone
 * @nslots:  bunks given out, ever
 * @stopped: the scheduler ends
 * @bunk:    each slot's; constant
 * @bytes:   of the region; constant
 */
struct bunks {
	pthread_mutex_t lock;
	struct bunk *standby;
	struct bunk *vacant;
	unsigned int nslots;
	bool stopped;
	struct bunk *bunk;
	size_t bytes;
};

/* Make the region of @rt in plain memory, and the bunks. 0, -ENOMEM. */
int baton_bunks_open(struct baton_rt *rt, struct bunks *t);
void baton_bunks_close(struct baton_rt *rt, struct bunks *t);

int baton_bunk_attach(struct baton_worker *w);
void baton_bunk_detach(struct baton_worker *w);
/* This one and baton_bunk_swap() return -EAGAIN, too: @w was poked. It is no
 * standby any more. */
int baton_bunk_park(struct baton_worker *w, unsigned int flags);
int baton_bunk_wake(struct baton_rt *rt, unsigned int proc,
		    unsigned int index);
int baton_bunk_swap(struct baton_worker *w, unsigned int proc,
		    unsigned int index, unsigned int flags);
/*
 * A standby is to look for itself: its park ends. Preferably one that went to
 * sleep on CPU @cpu, the caller's: the kernel wakes it there, whereas an idle
 * CPU would have to be fetched from its sleep. False: there is none. It may come
 * to nothing if the standby is given a processor just then; who calls this has
 * somebody look after that. Takes no lock, and nobody waits for the caller,
 * which may be kept from its CPU at any time, for long. Any thread.
 */
bool baton_bunk_poke(struct baton_rt *rt, int cpu);
int baton_bunk_rouse(struct baton_rt *rt, unsigned int index);
void baton_bunks_stop(struct baton_rt *rt);

#endif /* BATON_TIER_BUNK_H */
