// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* fence.c - membarrier() has come to be forbidden: workers pay for fences. */
#include "fence.h"

#include <errno.h>
#include <sched.h>
#include <sys/sysinfo.h>

#include "claim.h"
#include "interrupt.h"
#include "rt.h"
#include "worker.h"

/* More than there are */
#define CPUS_MAX	65536

/*
 * Run once on each CPU: the switch to this thread is a full barrier for
 * whatever thread of ours ran there before. False: that is forbidden, too.
 */
static bool visit_cpus(void)
{
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *all = CPU_ALLOC(CPUS_MAX), *one = CPU_ALLOC(CPUS_MAX);
	bool visited = false;

	if (!all || !one || sched_getaffinity(0, size, all))
		goto out;
	for (int cpu = 0; cpu < get_nprocs_conf(); cpu++) {
		CPU_ZERO_S(size, one);
		CPU_SET_S(cpu, size, one);
		/* -EINVAL: it is offline, or not for any thread of ours. */
		if (!sched_setaffinity(0, size, one))
			visited = true;
		else if (errno != EINVAL)
			goto out;
	}
	visited &= !sched_setaffinity(0, size, all);
out:
	CPU_FREE(all);
	CPU_FREE(one);
	return visited;
}

bool __baton_fences_on(struct baton_rt *rt)
{
	int saved = errno;
	bool passed;

	baton_rt_assert_locked();
	if (rt->fenced)
		return rt->fenced == FENCED_ALL;
	WRITE_ONCE(rt->fence, 1u);
	for (unsigned int i = 0; i < rt->max_workers; i++)
		if (rt->workers[i])
			atomic_fetch_or(&rt->workers[i]->rare, RARE_FENCE);
	passed = visit_cpus();
	/* Release: the visits, for whoever does not take the lock. */
	smp_store_release(&rt->fenced, passed ? FENCED_ALL : FENCED_BLIND);
	errno = saved;
	return passed;
}

/* Never inline: the errno of its system calls is the thread's. */
bool __attribute__((noinline, cold)) baton_fence_all(struct baton_rt *rt)
{
	uint32_t fenced;
	bool passed;

	if (!READ_ONCE(rt->fence) && membarrier_all())
		return true;
	fenced = smp_load_acquire(&rt->fenced);
	if (fenced)
		return fenced == FENCED_ALL;
	baton_rt_hold_lock();
	passed = __baton_fences_on(rt);
	baton_rt_hold_unlock();
	return passed;
}
