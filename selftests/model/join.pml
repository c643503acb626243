/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * join.pml - the end of a fiber against cancels of the fiber that waits for it:
 * joiner_win() and fiber_end() in lib/core/fiber.c, take_back() in wait.c.
 *
 * A fiber ends, another waits for that, and is canceled by two at any time. When
 * a cancel has ended its wait it joins again. Right is:
 *
 *  - whoever resumes it has found it waiting, and nobody else resumes it then;
 *  - it is resumed in the end, or finds that the fiber has ended.
 *
 * Not here: joins with a deadline and workers without membarrier(), which take a
 * swap; a record that is a new fiber's meanwhile; the look at whether the fiber
 * still waits, before each try to end its wait.
 */
#define ENDER		0
#define CANCELER	1	/* and 2 */
#define THREADS		3
#define CANCELER_PID	(THREADS + 2)	/* after the other processes */

#define ENDING		0
#define REVOKERS	1
#define JOINER		2
#define WORDS		3

#include "tso.h"

/* baton_fiber.joiner */
#define WAITS		0	/* the fiber that joins, which waits already */
#define NONE		1
#define DONE		2
#define FREED		3

/* Who has resumed the fiber that joins; it waits otherwise. */
#define BY_CANCEL	1
#define BY_END		2
byte by;

inline resume(who)
{
	atomic { assert(!by); by = who }
}

/* --- the fiber that joins --------------------------------------------------- */

/* join_wait(), again; its store is a swap, or nobody else has a processor. */
active proctype joiner()
{
	do
	:: atomic {
		by == BY_CANCEL ->
		if
		:: mem[JOINER] == NONE -> mem[JOINER] = WAITS; by = 0
		:: mem[JOINER] == DONE -> break
		:: else -> assert(false)
		fi
	}
	:: by == BY_END -> break
	od
}

/* --- the fiber that ends ---------------------------------------------------- */

/* fiber_end() */
inline end_slow(w)
{
	load(w, JOINER, old);
	do
	:: if
	   :: old == NONE -> try_cmpxchg(w, JOINER, old, DONE, ok)
	   :: else -> try_cmpxchg(w, JOINER, old, FREED, ok)
	   fi;
	   if
	   :: ok -> break
	   :: else
	   fi
	od;
	if
	:: old == WAITS -> resume(BY_END)
	:: else
	fi
}

active proctype ender()
{
	byte revokers, old;
	bool ok;

	/* joiner_win() */
#ifdef BUG_REVOKERS_BEFORE_ENDING
	load(ENDER, REVOKERS, revokers);
	store(ENDER, ENDING, 1);
#else
	store(ENDER, ENDING, 1);
#ifdef BUG_JOINER_BEFORE_REVOKERS
	load(ENDER, JOINER, old);
#endif
#ifndef BUG_NO_REVOKERS
	load(ENDER, REVOKERS, revokers);
#endif
#endif
#ifndef BUG_JOINER_BEFORE_REVOKERS
	load(ENDER, JOINER, old);
#endif
	if
	:: !revokers && old == WAITS ->
		store(ENDER, JOINER, FREED);
		resume(BY_END)
	:: else ->
		end_slow(ENDER)
	fi
}

/* --- who cancels ------------------------------------------------------------ */

/* take_back() */
active [2] proctype canceler()
{
	byte me = _pid - CANCELER_PID + CANCELER;
	byte ending, old = WAITS;
	bool ok;

	atomic { buffers[me].n == 0 -> mem[REVOKERS] = mem[REVOKERS] + 1 }
#ifndef BUG_NO_MEMBARRIER
	drain(ENDER);
#endif
#ifndef BUG_NO_ENDING
	load(me, ENDING, ending);
#endif
	if
	:: !ending ->
#ifdef BUG_LEFT_TOO_EARLY
		atomic { mem[REVOKERS] = mem[REVOKERS] - 1 }
#endif
		try_cmpxchg(me, JOINER, old, NONE, ok);
		if
		:: ok -> resume(BY_CANCEL)
		:: else
		fi
	:: else
	fi;
#ifndef BUG_LEFT_TOO_EARLY
	atomic { buffers[me].n == 0 -> mem[REVOKERS] = mem[REVOKERS] - 1 }
#endif
}
