/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * interrupt.pml - a cancel that reaches a foreign call: lib/core/interrupt.h,
 * baton_cancel_held() in cancel.c, and the two ends of baton_call().
 *
 * A worker makes a foreign call of fiber 0, which may never end by itself, and
 * then one of fiber 1, which does. Fiber 0 is canceled, at any time. Right is:
 *
 *  - the call of fiber 0 ends, or was canceled after it had;
 *  - a signal is sent, and comes, during a call of fiber 0;
 *  - none is left when the worker is out of the call.
 */
#define WORKER		0
#define CANCELER	1
#define WATCHER		2
#define THREADS		3

#define STATE		0
#define RARE		1	/* baton_worker.rare */
#define CANCELED	2	/* of fiber 0 */
#define INTERRUPTS	3	/* rt->interrupts, and the kick that goes with it */
#define WORDS		4

#include "tso.h"

#define FIBER		1
#define FOREIGN		2

#define RARE_WANTED	2
#define RARE_SENDING	4
#define RARE_HIT	8

#define CANCEL_DUE	1

byte fiber;		/* w->fiber; FIBERS: it has run all */
bool pending;		/* the signal, sent and not come yet */
bool over;		/* the worker has left foreign code of fiber 0 */
#define FIBERS	2

/* It comes: the handler runs, and does nothing. */
inline signal_comes()
{
	assert(fiber == 0);
	pending = false
}

/* baton_interrupt_want() */
inline interrupt_want(t)
{
	atomic {
		buffers[t].n == 0 ->
		mem[RARE] = mem[RARE] | RARE_WANTED
	}
	store_mb(t, INTERRUPTS, 1)
}

/* --- the worker ---------------------------------------------------------- */

inline enter_foreign(w)
{
#ifdef BUG_CANCELED_BEFORE_STATE
	load(w, CANCELED, canceled);
	store(w, STATE, FOREIGN)
#else
	store(w, STATE, FOREIGN);
	load(w, CANCELED, canceled)
#endif
	if
	:: canceled && fiber == 0 -> interrupt_want(w)	/* baton_interrupt_begin() */
	:: else
	fi
}

/*
 * Some instructions, then a system call that blocks. In it the signal ends the
 * wait; before it, it does not.
 */
inline foreign_code(w)
{
	if
	:: atomic { pending -> signal_comes() }
	:: true
	fi;
	drain(w);
	if
	:: atomic { pending -> signal_comes(); eintr = true }
	:: !endless || fiber == 1
	fi
}

/* withdraw(): hit */
inline withdraw(w)
{
	do
	:: load(w, RARE, rare);
		if
#ifndef BUG_NO_WAIT_FOR_SENDING
		:: rare & RARE_SENDING ->
			/* baton_backoff() */
			atomic { !(mem[RARE] & RARE_SENDING) -> skip }
#endif
		:: else ->
			old = rare;
			try_cmpxchg(w, RARE, old, 0, ok);
			if
			:: ok -> break
			:: else
			fi
		fi
	od;
	hit = (rare & RARE_HIT) != 0
}

/* call_end(), call_end_slow(), baton_interrupt_over() */
inline leave_foreign(w)
{
#ifdef BUG_RARE_BEFORE_STATE
	load(w, RARE, rare);
	store(w, STATE, FIBER);
#else
	store(w, STATE, FIBER);
	load(w, RARE, rare);
#endif
	if
	:: rare ->
		withdraw(w);
		if
		:: hit ->
#ifndef BUG_NO_AWAIT
			/* await(): a system call */
			atomic {
				drain(w);
				if
				:: pending -> signal_comes()
				:: else
				fi
			}
#endif
#ifndef BUG_DEAF
			if
			:: eintr -> store(w, CANCELED, 0)
			:: else
			fi
#endif
		:: else
		fi
	:: else
	fi;
	assert(!pending)
}

active proctype worker()
{
	byte canceled, rare, old;
	bool eintr, hit, ok, endless;

	if
	:: endless = true
	:: endless = false
	fi;
	do
	:: fiber < FIBERS ->
		enter_foreign(WORKER);
		foreign_code(WORKER);
		leave_foreign(WORKER);
		/* A call that was interrupted has heard of its cancel. */
		smp_mb(WORKER);
		assert(!eintr || !mem[CANCELED]);
		atomic {
			eintr = false; hit = false; ok = false;
			canceled = 0; rare = 0; old = 0;
			fiber++
		}
	:: else -> break
	od
}

/* --- who cancels ----------------------------------------------------------- */

/* baton_cancel_held(), interrupt(); fiber 0's worker is known. */
active proctype canceler()
{
	byte state;

	store_mb(CANCELER, CANCELED, CANCEL_DUE);
#ifndef BUG_NO_MEMBARRIER_CANCEL
	drain(WORKER);
#endif
	load(CANCELER, STATE, state);
	if
	:: state == FOREIGN -> interrupt_want(CANCELER)
	:: else
	fi
}

/* --- the watcher ----------------------------------------------------------- */

/* send(): to the thread, whatever that does. */
inline send()
{
	atomic {
		assert(fiber == 0);
		pending = true
	}
}

inline change_rare(off, on)
{
	mem[RARE] = (mem[RARE] & ~(off)) | (on)
}

/* interrupt_locked(): more */
inline interrupt_locked()
{
#ifndef BUG_NO_MEMBARRIER_WATCH
	drain(WORKER);
#endif
	load(WATCHER, STATE, state);
	more = false;
	if
	:: state == FOREIGN && fiber == 0 ->
		load(WATCHER, CANCELED, canceled);
		if
		:: canceled ->
			change_rare(0, RARE_HIT);
#ifndef BUG_SEND_AFTER_SENDING
			send();
#endif
			more = true
		:: else
		fi
	:: else
	fi
}

/* baton_interrupt_watch(), watch_locked(); between two looks, a pause */
active proctype watcher()
{
	byte state, canceled;
	bool more;

end:	do
	:: atomic { mem[INTERRUPTS] || more -> mem[INTERRUPTS] = 0 };
		if
		:: atomic {
			mem[RARE] & RARE_WANTED ->
			change_rare(RARE_WANTED, RARE_SENDING)
		};
			interrupt_locked();
#ifndef BUG_SEND_ONCE
			if
			:: more -> change_rare(0, RARE_WANTED)
			:: else
			fi;
#else
			change_rare(0, 0);
#endif
			change_rare(RARE_SENDING, 0);
#ifdef BUG_SEND_AFTER_SENDING
			if
			:: more -> send()
			:: else
			fi;
#endif
			state = 0; canceled = 0
		:: else -> more = false
		fi
	od
}
