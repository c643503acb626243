/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * handoff.pml - a hand-off that waits, against the thread's return:
 * kmod/handoff.c.
 *
 * A thread blocks some times, with its processor; each time it is woken, and
 * comes back, on the same CPU or another, where the timer may be firing. What
 * a block lasts, and so whether its time is up when the timer fires, is open.
 * Right is:
 *
 *  - a processor is taken while the thread is not in user mode, if at all;
 *  - a block without end is handed off: none is forgotten;
 *  - the timer touches nothing after worker_free().
 *
 * Everything here is under h->lock, the thread's own, or read twice: memory is
 * taken to be sequentially consistent.
 */
#define BLOCKS	3

#define KEPT	0
#define TOOK	2	/* BATON_TAKEN */

bool lock;		/* h->lock */
bool late;
bool look;
bool armed;
byte due;		/* 0; DUE_LATER; or the number of the block, plus one */
#define DUE_LATER	1
byte expires;		/* of the timer: of which block, plus one */

/* The kernel's hrtimer: it may be started while its function runs. */
bool enqueued;
bool running;

byte taken;
byte block;		/* the one in progress, from 1; or the last */
bool asleep;		/* blocked() */
bool user;		/* in user mode */
bool freed;
byte takers;

inline spin_lock()
{
	atomic { !lock -> lock = true }
}

inline spin_unlock()
{
	lock = false
}

inline hrtimer_start(at)
{
	atomic { expires = at; enqueued = true }
}

/* --- the thread ------------------------------------------------------------ */

/* start_locked() */
inline start_locked()
{
	due = block + 1;
	/* Later than what it is started for, or it would be started again. */
	if
	:: armed && expires <= due
	:: else ->
		armed = true;
		hrtimer_start(due)
	fi
}

/* baton_handoff_out(), wait_longer(); with or without a look */
inline handoff_out()
{
	user = false;
	asleep = true;
	block++;
#ifdef BUG_LATE_IS_LOST
	late = (block == 1);
#else
	late = true;
#endif
	spin_lock();
	if
	:: look = true; start_locked()
	:: look = false;
		if
		:: armed -> due = DUE_LATER
		:: else -> start_locked()
		fi
	fi;
	spin_unlock()
}

/* baton_handoff_in() */
inline handoff_in()
{
	if
	:: late ->
		late = false;
#ifndef BUG_IN_WITHOUT_LOCK
		spin_lock();
#endif
#ifndef BUG_DUE_STAYS
		due = 0;
#endif
		look = false;
#ifndef BUG_IN_WITHOUT_LOCK
		spin_unlock();
#endif
	:: else
	fi;
	user = true
}

active proctype thread()
{
	do
	:: block < BLOCKS ->
		handoff_out();
		if
		:: block == BLOCKS ->
			/* Without end, unless its processor is taken. */
			taken == TOOK
		:: block < BLOCKS
		fi;
		/* try_to_wake_up(); some time later it is switched in. */
		asleep = false;
		handoff_in();
		/* claim_enter(), and on with another processor */
		atomic { taken = KEPT; takers = 0 }
	:: else -> break
	od;
	/* worker_free(): baton_handoff_uninit(), hrtimer_cancel() */
#ifndef BUG_FREE_WITHOUT_CANCEL
	do
	:: atomic { !running -> enqueued = false; break }
	od;
#endif
	freed = true
}

/* --- the timer's interrupt --------------------------------------------------- */

/* time_up_locked(), take() */
inline time_up_locked()
{
	/* It has lasted for as long as it was to. */
	assert(expires >= due);
	due = 0;
	if
	:: !asleep
	:: else ->
		look = false;
		atomic {
			assert(!user);
			assert(taken == KEPT);
			taken = TOOK
		}
	fi
}

/* timer_fired() */
active proctype timer()
{
end:	do
	:: atomic { enqueued && !running -> enqueued = false; running = true };
		assert(!freed);
		spin_lock();
		if
		:: due == DUE_LATER -> due = block + 1
		:: else
		fi;
		if
#ifdef BUG_NOT_EARLY
		:: false
#else
		/* It was started for a block that is over. */
		:: due > expires ->
			expires = due;
#endif
#ifdef BUG_NO_RESTART
			spin_unlock();
			running = false
#else
			spin_unlock();
			/* HRTIMER_RESTART */
			atomic {
				assert(!freed);
				enqueued = true;
				running = false
			}
#endif
		:: else ->
#ifndef BUG_ARMED_TOO_LONG
			armed = false;
#endif
			if
			:: due -> time_up_locked()
			:: else
			fi;
			spin_unlock();
#ifdef BUG_ARMED_TOO_LONG
			armed = false;
#endif
			atomic { assert(!freed); running = false }
		fi
	od
}
