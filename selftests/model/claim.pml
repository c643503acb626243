/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * claim.pml - whose processor it is: lib/core/claim.h, take() in
 * kmod/handoff.c, and what of lib/core/sched.c, proc.h and lib/tier/poll.c is
 * around them.
 *
 * Workers make foreign calls, and go through the scheduler between two of them.
 * The hook takes a processor where the thread blocks, the monitor where a call
 * lasts, and at any time the scheduler may stop. Right is:
 *
 *  - a processor is taken from whoever has it, and by one taker;
 *  - who finds that his own was not taken has it;
 *  - none goes astray;
 *  - after baton_sched_stop() nobody comes through the scheduler once more.
 *
 * FENCE: without membarrier(), workers have a fence instead (rt->fence).
 *
 * Two takers and the stop at once, besides two workers, are more states than a
 * machine has room for: so all pairs of them.
 *
 * run: -DSTOP -DNO_MONITOR
 * run: -DSTOP -DNO_HOOK
 * run: -DFENCE
 * BUG_KEEP_BLINDLY: -DSTOP -DNO_MONITOR
 * BUG_NO_FENCE: -DFENCE
 */
#ifndef WORKERS
#define WORKERS	2
#endif
#define PROCS	2
#define CALLS(w)	(w == 0 -> 2 : 1)
#define LOOKS	1	/* of the monitor */

#define MONITOR	WORKERS
#define STOPPER	(WORKERS + 1)
#define THREADS	(WORKERS + 2)

/* The region's words, and rt->stopping */
#define STATE(w)	(w)
#define TAKEN(w)	(WORKERS + (w))
#define NCALLS(w)	(2 * WORKERS + (w))
#define PROC(w)		(3 * WORKERS + (w))
#define IDLE(p)		(4 * WORKERS + (p))
#define WORKER(p)	(4 * WORKERS + PROCS + (p))
#define STOPPING	(4 * WORKERS + 2 * PROCS)
#define WORDS		(4 * WORKERS + 2 * PROCS + 1)

#include "tso.h"

/* enum baton_state, enum baton_taken */
#define RUNTIME	0
#define FIBER	1
#define FOREIGN	2
#define PARKED	3
#define KEPT	0
#define TAKING	1
#define TOOK	2	/* BATON_TAKEN */

/* Who has a processor, as an onlooker sees it: a worker, or */
#define NOBODY	(WORKERS + 2)
byte holder[PROCS];
bool stopped;		/* baton_sched_stop() is over */

inline membarrier_all()
{
#ifndef BUG_NO_MEMBARRIER
	d_step {
		byte m;

		for (m : 0 .. WORKERS - 1) {
			do
			:: buffers[m].n -> flush(m)
			:: else -> break
			od
		}
		m = 0
	}
#else
	skip
#endif
}

/* A taker lets go of @p: idle_set(), which is an atomic. */
inline idle_set(t, p)
{
	atomic {
		buffers[t].n == 0 ->
		assert(mem[IDLE(p)] == 0);
		mem[IDLE(p)] = 1;
		holder[p] = NOBODY
	}
}

#ifdef NO_HOOK
#define blocks(w)	false
#endif

/* --- the hook: in the worker's thread, as it is switched out --------------- */

#ifndef NO_HOOK
/*
 * baton_handoff_out(). The words that it reads first are the worker's own, but
 * for `taken`; and while it is at it the worker does nothing else.
 */
inline blocks(w)
{
	atomic {
		drain(w);
		state = mem[STATE(w)];
		taken = mem[TAKEN(w)]
	}
	atomic {
		if
		:: (state == FIBER || state == FOREIGN) && taken != TOOK ->
			p = mem[PROC(w)];
			/* take() */
#ifdef BUG_HOOK_PLAIN_STORE
			mem[TAKEN(w)] = TOOK;
			taken = KEPT;
#else
			xchg(w, TAKEN(w), TOOK, taken);
#endif
			if
			:: taken != TOOK ->
				assert(holder[p] == w);
				idle_set(w, p)
			:: else
			fi
		:: else
		fi;
		state = 0; p = 0; taken = 0
	}
}
#endif

/* --- a worker --------------------------------------------------------------- */

/* He has the processor of his slot, and looks at its queue. */
inline uses(w)
{
	d_step {
		assert(mem[STOPPING] || holder[mine] == w)
	}
}

/* proc_attach() of @mine; claimed by, or granted to this worker */
inline proc_attach(w)
{
	store(w, PROC(w), mine);
	store(w, WORKER(mine), w);
	load(w, TAKEN(w), taken);
	if
	:: taken == TOOK ->
		/* claim_keep() */
		xchg(w, TAKEN(w), KEPT, taken);
#ifndef BUG_KEEP_BLINDLY
		load(w, STOPPING, taken);
		if
		:: taken -> store(w, TAKEN(w), TOOK)
		:: else
		fi
#endif
	:: else
	fi
}

/* A processor that is idle is this worker's: proc_claim() */
inline claim(w, p)
{
	mem[IDLE(p)] = 0;
	holder[p] = w;
	mine = p
}

/*
 * baton_worker_park(): until a processor is there, or the end. Where it comes
 * from is the other models' matter: here it is any idle one.
 */
inline park(w)
{
	store_mb(w, STATE(w), PARKED);	/* a system call */
	if
	:: atomic { mem[IDLE(0)] -> claim(w, 0) }
	:: atomic { mem[IDLE(1)] -> claim(w, 1) }
	:: mem[STOPPING] -> goto over
	fi;
	/* parked() */
	proc_attach(w);
	store(w, STATE(w), RUNTIME)
}

/* claim_enter(): taken */
inline claim_enter(w, to)
{
#ifdef BUG_TAKEN_BEFORE_STATE
	load(w, TAKEN(w), taken);
	store(w, STATE(w), to)
#else
	store(w, STATE(w), to);
	load(w, TAKEN(w), taken)
#endif
}

/* claim_settle(): got */
inline claim_settle(w)
{
#ifdef BUG_SETTLE_BY_STORE
	load(w, TAKEN(w), taken);
	got = (taken != TOOK);
	if
	:: got -> store(w, TAKEN(w), KEPT)
	:: else
	fi
#else
	taken = TAKING;
	try_cmpxchg(w, TAKEN(w), taken, KEPT, got);
	got = got || taken == KEPT
#endif
}

/* sched_enter(), baton_sched_begin_slow(), baton_proc_regain() */
inline sched_enter(w)
{
	late = stopped;
	claim_enter(w, RUNTIME);
#ifdef FENCE
	/* claim_lost() */
#ifndef BUG_NO_FENCE
	smp_mb(w);
#endif
	load(w, TAKEN(w), taken);
#endif
	if
	:: taken == KEPT ->
		/* He goes on: the scheduler has not stopped before. */
		assert(!late)
	:: else ->
		if
		:: mem[STOPPING] -> goto over
		:: else
		fi;
		claim_settle(w);
		if
		:: got
		:: else ->
			if
			:: atomic { mem[IDLE(0)] -> claim(w, 0) };
				proc_attach(w)
			:: atomic { mem[IDLE(1)] -> claim(w, 1) };
				proc_attach(w)
			:: !mem[IDLE(0)] && !mem[IDLE(1)] -> park(w)
			fi
		fi
	fi;
	atomic {
		late = false;
		taken = 0;
		got = false;
		uses(w)
	}
}

proctype worker(byte w)
{
	byte calls, taken, state, p, mine = w;
	bool got, late;

	if
	:: w < PROCS
	:: else -> park(w)
	fi;
	do
	:: calls < CALLS(w) ->
		/* sched_exit(), then baton_call() */
		store(w, STATE(w), FIBER);
		calls++;
		store(w, NCALLS(w), calls);
		store(w, STATE(w), FOREIGN);
		if
		:: true
		:: blocks(w)
		fi;
		/* call_end(); what is rare goes through the scheduler */
		claim_enter(w, FIBER);
#ifdef FENCE
		taken = TAKING;
#endif
		if
		:: taken == KEPT ->
			uses(w);
			if
			:: true
			:: blocks(w)
			fi
		:: else
		fi;
		sched_enter(w);
		if
		:: true
		:: /* nothing to run: baton_sched_loop() */
			idle_set(w, mine);
			park(w)
		fi
	:: else -> break
	od;
	/* It leaves, as in retire(). */
	idle_set(w, mine);
	store(w, STATE(w), PARKED);
over:	skip
}

/* --- the monitor ------------------------------------------------------------- */

/* claim_take(): ok */
inline claim_take(w, p, calls)
{
	old = KEPT;
#ifdef BUG_STATE_BEFORE_TAKING
	load(MONITOR, STATE(w), x);
	still = (x == FOREIGN);
#endif
	try_cmpxchg(MONITOR, TAKEN(w), old, TAKING, ok);
	if
	:: ok ->
#ifdef FENCE
		smp_mb(MONITOR);
#else
		membarrier_all();
#endif
#ifndef BUG_STATE_BEFORE_TAKING
		load(MONITOR, STATE(w), x);
		still = (x == FOREIGN);
#endif
		load(MONITOR, NCALLS(w), x);
		still = still && x == calls;
#ifndef BUG_ANY_PROC
		load(MONITOR, PROC(w), x);
		still = still && x == p;
#endif
		old = TAKING;
#ifdef BUG_TAKE_BY_STORE
		if
		:: still -> store_mb(MONITOR, TAKEN(w), TOOK)
		:: else -> store_mb(MONITOR, TAKEN(w), KEPT)
		fi;
#elif defined(BUG_NO_WITHDRAWAL)
		try_cmpxchg(MONITOR, TAKEN(w), old, TOOK, ok);
#else
		if
		:: still -> try_cmpxchg(MONITOR, TAKEN(w), old, TOOK, ok)
		:: else -> try_cmpxchg(MONITOR, TAKEN(w), old, KEPT, ok)
		fi;
#endif
		ok = ok && still
	:: else
	fi;
	still = false; old = 0; x = 0
}

/* poll_tick(), retake(): that p's worker has changed since is found out there */
proctype monitor()
{
	byte looks, p, w, x, old, calls;
	bool ok, still;

	do
	:: looks < LOOKS ->
		atomic {
			looks++;
			if
			:: p = 0
			:: p = 1
			fi;
			w = mem[WORKER(p)]
		}
		atomic {
			ok = (!mem[IDLE(p)] && mem[STATE(w)] == FOREIGN);
			calls = mem[NCALLS(w)]
		}
		if
		:: ok ->
			claim_take(w, p, calls);
			if
			:: ok ->
				atomic {
					assert(holder[p] == w);
					idle_set(MONITOR, p)
				}
			:: else
			fi
		:: else
		fi;
		p = 0; w = 0; calls = 0; ok = false
	:: break
	od
}

/* --- the end of the scheduler ------------------------------------------------ */

/* baton_sched_stop() */
proctype stopper()
{
	byte w;

	if
	:: true ->
		store_mb(STOPPER, STOPPING, 1);
		for (w : 0 .. WORKERS - 1) {
			/* claim_stop() */
			store_mb(STOPPER, TAKEN(w), TOOK)
		}
		stopped = true
	:: true
	fi
}

#ifndef STOP
/* All have left, and none has gone astray. */
active proctype rest()
{
	byte p;

	timeout ->
	for (p : 0 .. PROCS - 1) {
		assert(holder[p] == NOBODY && mem[IDLE(p)])
	}
}
#endif

init
{
	byte i;

	atomic {
		for (i : 0 .. WORKERS - 1) {
			if
			:: i < PROCS ->
				holder[i] = i;
				mem[PROC(i)] = i;
				mem[WORKER(i)] = i
			:: else -> mem[STATE(i)] = PARKED
			fi
		}
		for (i : 0 .. WORKERS - 1) {
			run worker(i)
		}
#ifndef NO_MONITOR
		run monitor();
#endif
#ifdef STOP
		run stopper();
#endif
		skip
	}
}
