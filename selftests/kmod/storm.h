/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * storm.h - workers that block all the time, with always something to run
 *
 * Two processors go round among six workers.  What each of them lost is counted
 * here, what the hook did with it by the kernel, once per instance and once per
 * processor: in the end all three are the same.
 */
#ifndef SELFTESTS_KMOD_STORM_H
#define SELFTESTS_KMOD_STORM_H

#include "common.h"

#define STORM_PROCS	2
#define STORM_WORKERS	6

struct storm {
	struct inst in;
	struct worker w[STORM_WORKERS];
	uint64_t seed;
	uint32_t lost;		/* processors, by all workers */
};

static inline void run_storm(struct worker *w)
{
	struct storm *s = w->arg;
	struct baton_slot *slot = worker_slot(w);
	uint64_t seed = s->seed + w->num;
	int i, p = w->num < STORM_PROCS ? w->num : -1;

	for (;;) {
		if (p < 0)
			p = slot_park(w->in, slot, 0);
		if (p < 0)
			break;
		/* Mostly there is somebody to have it, sometimes not */
		for (i = 0; i < 200 && !load(&w->in->h->nstandby); i++)
			sched_yield();
		slot_enter(slot, p, rnd(&seed) & 1 ? BATON_FIBER :
			   BATON_FOREIGN);
		block_ns(rnd(&seed) % 50000);
		if (slot_leave(slot) != BATON_TAKEN)
			continue;
		inc(&s->lost);
		p = -1;
	}
	w->ret = p;
}

/* 0 or -errno */
static inline int storm_start(struct storm *s)
{
	int i, ret;

	memset(s, 0, sizeof(*s));
	s->seed = seed_get();
	ret = inst_open(&s->in, STORM_PROCS, STORM_WORKERS);
	if (ret)
		return ret;
	/* Each processor has its worker */
	for (i = 1; i < STORM_PROCS; i++)
		idle_claim(&s->in, i);
	store(&s->in.h->nglobal, 1);
	for (i = 0; i < STORM_WORKERS; i++) {
		s->w[i].num = i;
		ret = worker_start(&s->w[i], &s->in, run_storm, s);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static inline bool storm_goes_on(struct storm *s, uint32_t more)
{
	uint32_t lost = load(&s->lost);

	return poll_until(load(&s->lost) - lost >= more);
}

/* Why it did not go as it should; otherwise an empty string */
static inline const char *storm_end(struct storm *s)
{
	uint64_t handoffs = 0, idled = 0;
	struct baton_counts c;
	int i;

	if (!storm_goes_on(s, 50))
		return "nothing is handed over any more";
	/* PARK says so to each of them once it has lost what it has */
	if (inst_stop(&s->in))
		return "STOP failed";
	for (i = 0; i < STORM_WORKERS; i++) {
		/* After STOP nothing is taken: let it find itself out */
		if (!load(&s->w[i].done.set))
			store(&worker_slot(&s->w[i])->taken, BATON_TAKEN);
	}
	for (i = 0; i < STORM_WORKERS; i++) {
		while (!event_wait_ms(&s->w[i].done, 10))
			store(&worker_slot(&s->w[i])->taken, BATON_TAKEN);
		if (!worker_join(&s->w[i]))
			return "a worker hangs";
		if (s->w[i].ret != -ESHUTDOWN)
			return "PARK returned something odd";
	}
	if (inst_counts(&s->in, &c))
		return "COUNTS failed";
	for (i = 0; i < STORM_PROCS; i++) {
		handoffs += s->in.procs[i].handoffs;
		idled += s->in.procs[i].idled;
	}
	ksft_print_msg("%llu handed over, %llu idled\n",
		       (unsigned long long)c.handoffs,
		       (unsigned long long)c.idled);
	fflush(stdout);
	if (handoffs != c.handoffs || idled != c.idled)
		return "the processors' counts do not add up";
	/* What STOP ended was lost to us, and taken by nobody */
	if (c.handoffs + c.idled > s->lost ||
	    c.handoffs + c.idled + STORM_PROCS < s->lost)
		return "the kernel's count is not ours";
	inst_close(&s->in);
	return "";
}

#endif /* SELFTESTS_KMOD_STORM_H */
