// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * polling.c - the watcher looks after the poller.
 *
 * A worker that has nothing to run takes the poller's role. But while fibers
 * run nobody has it, and workers look between two fibers. A processor whose worker
 * blocks in foreign code, with no other fiber to run, goes idle, and nobody
 * looks. So the watcher asks every few milliseconds whether somebody has looked
 * since; if not it looks itself, and gives an idle processor to a standby,
 * which finds nothing to run, and takes the role.
 *
 * While the role is had and nothing happens, or no fiber waits, there is
 * nothing to look after: the watcher rests, and says so. Who leaves the role
 * next, or is the first to wait, tells it (polling.resting), once.
 */
#include "polling.h"

#include "../tier/tier.h"

#define LOOK_NS 4000000

/* Looks at which nothing had happened, before a rest. */
#define QUIET_LOOKS 4u

/* Nobody looks after descriptors: a standby is to. */
static void appoint(struct baton_rt *rt, struct polling *p)
{
	int proc;

	p->ops->look(rt, NULL);
	if (READ_ONCE(p->role) || !READ_ONCE(rt->hdr->nstandby))
		return;
	proc = idle_claim_any(rt->hdr, rt->nprocs);
	if (proc >= 0)
		rt->tier->wake(rt, (unsigned int)proc, TIER_ANY);
}

int64_t baton_polling_watch(struct baton_rt *rt)
{
	struct polling *p = smp_load_acquire(&rt->polling);
	bool moved;

	if (!p || READ_ONCE(p->resting))
		return -1;
	moved = READ_ONCE(p->turns) != p->seen;
	p->seen = READ_ONCE(p->turns);
	p->quiet = moved ? 0 : p->quiet + 1;
	if (!moved && !READ_ONCE(p->role) && READ_ONCE(p->waiting))
		appoint(rt, p);
	if (p->quiet < QUIET_LOOKS)
		return LOOK_NS;
	/* A full barrier: resting before role and waiting; who leaves the role,
	 * or is the first to wait, has it the other way round. */
	smp_store_mb(p->resting, 1u);
	if (READ_ONCE(p->role) || !READ_ONCE(p->waiting))
		return -1;
	WRITE_ONCE(p->resting, 0u);
	return LOOK_NS;
}

void baton_polling_waits(struct baton_rt *rt, int n)
{
	struct polling *p = READ_ONCE(rt->polling);
	uint32_t old;

	/* Full barrier: it is looked at where a queue runs dry. And waiting
	 * before resting: pairs with baton_polling_watch(), which may rest as
	 * nobody waits; there may be nobody who leaves the role to end that. */
	old = atomic_fetch_add(&p->waiting, (uint32_t)n);
	if (n > 0 && !old && unlikely(READ_ONCE(p->resting)) &&
	    xchg(&p->resting, 0u))
		baton_watch_kick(&rt->watch);
}
