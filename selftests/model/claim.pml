/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * claim.pml - whose processor it is: lib/core/claim.h, take() and regain() in
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
 * STANDBYS: as in the tier idle, a worker that waits takes a processor for itself,
 * from fiber code, too, once a sentinel has hinted at somebody. When, and at whom,
 * is open; what the hint says may be out of date by then. A sentinel writes
 * nothing that is here.
 *
 * Two takers and the stop at once, besides two workers, are more states than a
 * machine has room for: so all pairs of them.
 *
 * run: -DSTOP -DNO_MONITOR
 * run: -DSTOP -DNO_HOOK
 * run: -DFENCE
 * run: -DSTANDBYS -DNO_HOOK -DNO_MONITOR -DWORKERS=3
 * run: -DSTANDBYS -DNO_HOOK
 * run: -DSTANDBYS -DNO_HOOK -DNO_MONITOR -DSTOP
 * BUG_KEEP_BLINDLY: -DSTOP -DNO_MONITOR
 * BUG_NO_FENCE: -DFENCE
 * BUG_ONE_TOKEN: -DSTANDBYS -DNO_HOOK -DNO_MONITOR -DWORKERS=3
 * BUG_SETTLE_ONCE: -DSTANDBYS -DNO_HOOK
 * BUG_REGAIN_LATE: -DSTOP -DNO_MONITOR
 * BUG_STOP_ONCE: -DSTOP -DNO_MONITOR
 */
#ifndef WORKERS
#define WORKERS	2
#endif
#ifdef STANDBYS
#define PROCS	1
#define CALLS(w)	(w == 0 -> 2 : 0)
#else
#define PROCS	2
#define CALLS(w)	(w == 0 -> 2 : 1)
#endif
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

/* CLAIM_TAKER(): the monitor's is TAKING, that of worker @w */
#ifdef BUG_ONE_TOKEN
#define TAKER(w)	TAKING
#else
#define TAKER(w)	(3 + (w))
#endif

/* Who has a processor, as an onlooker sees it: a worker, or */
#define NOBODY	(WORKERS + 2)
byte holder[PROCS];
bool stopped;		/* baton_sched_stop() is over */
bool stop;		/* baton_instance.stopped */

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
#define comes_back(w)	false
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

/* baton_handoff_in(), which finds it in fiber code: regain(), under the lock */
inline comes_back(w)
{
	atomic {
		drain(w);
		if
		:: mem[STATE(w)] == FIBER && mem[TAKEN(w)] == TOOK &&
#ifndef BUG_REGAIN_LATE
		   !stop &&
#endif
		   mem[IDLE(mem[PROC(w)])] ->
			p = mem[PROC(w)];
			claim(w, p);
			mem[WORKER(p)] = w;
			mem[TAKEN(w)] = KEPT
		:: else
		fi;
		p = 0
	}
}
#endif

/* --- takers in user space ---------------------------------------------------- */

/* claim_take() by @taker, whose word is @token, from @from, which was @doing: ok */
inline claim_take(taker, from, its, token, doing, ncalls)
{
	old = KEPT;
#ifdef BUG_STATE_BEFORE_TAKING
	load(taker, STATE(from), x);
	still = (x == doing);
#endif
	try_cmpxchg(taker, TAKEN(from), old, token, ok);
	if
	:: ok ->
#ifdef FENCE
		smp_mb(taker);
#else
		membarrier_all();
#endif
#ifndef BUG_STATE_BEFORE_TAKING
		load(taker, STATE(from), x);
		still = (x == doing);
#endif
		load(taker, NCALLS(from), x);
		still = still && x == ncalls;
#ifndef BUG_ANY_PROC
		load(taker, PROC(from), x);
		still = still && x == its;
#endif
		old = token;
#ifdef BUG_TAKE_BY_STORE
		if
		:: still -> store_mb(taker, TAKEN(from), TOOK)
		:: else -> store_mb(taker, TAKEN(from), KEPT)
		fi;
#elif defined(BUG_NO_WITHDRAWAL)
		try_cmpxchg(taker, TAKEN(from), old, TOOK, ok);
#else
		if
		:: still -> try_cmpxchg(taker, TAKEN(from), old, TOOK, ok)
		:: else -> try_cmpxchg(taker, TAKEN(from), old, KEPT, ok)
		fi;
#endif
		ok = ok && still
	:: else
	fi;
	still = false; old = 0; x = 0
}

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

#ifdef STANDBYS
#define hinted(p)	(!mem[IDLE(p)] && mem[WORKER(p)] != w &&	\
			 (mem[STATE(mem[WORKER(p)])] == FIBER ||	\
			  mem[STATE(mem[WORKER(p)])] == FOREIGN))

inline read_hint(p)
{
	poked = true;
	v = mem[WORKER(p)];
	seen = mem[STATE(v)];
	calls_seen = mem[NCALLS(v)]
}
#endif

/*
 * baton_worker_park(): until a processor is there, or the end. Where it comes
 * from is the other models' matter: here it is any idle one.
 */
inline park(w)
{
	store_mb(w, STATE(w), PARKED);	/* a system call */
	do
	:: atomic { mem[IDLE(0)] -> claim(w, 0) }; break
#if PROCS > 1
	:: atomic { mem[IDLE(1)] -> claim(w, 1) }; break
#endif
	:: mem[STOPPING] -> goto over
#ifdef STANDBYS
	:: atomic { !poked && hinted(0) -> read_hint(0) };
		/* take_hinted(), take() */
		claim_take(w, v, 0, TAKER(w), seen, calls_seen);
		if
		:: ok ->
			atomic {
				assert(holder[0] == v);
				holder[0] = w;
				mine = 0;
				ok = false
			};
			break
		:: else
		fi
#endif
	od;
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
	do
	:: try_cmpxchg(w, TAKEN(w), taken, KEPT, got);
		if
#ifndef BUG_SETTLE_ONCE
		:: !got && taken != KEPT && taken != TOOK
#endif
		:: else -> break
		fi
	od;
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
#if PROCS > 1
			:: atomic { mem[IDLE(1)] -> claim(w, 1) };
				proc_attach(w)
			:: !mem[IDLE(0)] && !mem[IDLE(1)] -> park(w)
#else
			:: !mem[IDLE(0)] -> park(w)
#endif
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
#ifdef STANDBYS
	byte v, seen, calls_seen, x, old;
	bool poked, still, ok;
#endif

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
#ifndef STANDBYS
			/* Nobody takes it from fiber code but the hook. */
			uses(w);
#endif
			if
			:: true
			:: blocks(w)
			fi
		:: else
		fi;
		if
		:: true
		:: comes_back(w)
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
#if PROCS > 1
			:: p = 1
#endif
			fi;
			w = mem[WORKER(p)]
		}
		atomic {
			ok = (!mem[IDLE(p)] && mem[STATE(w)] == FOREIGN);
			calls = mem[NCALLS(w)]
		}
		if
		:: ok ->
			claim_take(MONITOR, w, p, TAKING, FOREIGN, calls);
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
		/* kmod_stop() */
		stop = true;
#ifndef BUG_STOP_ONCE
		for (w : 0 .. WORKERS - 1) {
			store_mb(STOPPER, TAKEN(w), TOOK)
		}
#endif
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
