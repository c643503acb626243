/* SPDX-License-Identifier: GPL-2.0-only */
/* park.h - waiting for a processor, and giving one: PARK, WAKE, SWAP, STOP. */
#ifndef BATON_PARK_H
#define BATON_PARK_H

#include <linux/types.h>

struct baton_instance;
struct baton_worker;

/* Results and errors are those of the calls; see uapi/linux/baton.h. */
int baton_worker_park(struct baton_worker *w, u32 flags);
int baton_instance_wake(struct baton_instance *inst, u32 p, u32 index,
			u32 flags);
int baton_worker_swap(struct baton_worker *w, u32 p, u32 index, u32 flags);
void baton_instance_stop(struct baton_instance *inst);

#endif /* BATON_PARK_H */
