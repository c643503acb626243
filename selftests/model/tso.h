/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * tso.h - memory as x86 has it, for the models.
 *
 * A thread's stores wait in a buffer of its own, first in first out, and get to
 * memory at any time; its loads find what is in that buffer first. A full
 * barrier waits until the buffer is empty, and a read-modify-write is one. That
 * is all that the architecture allows, and more than a compiler does with
 * READ_ONCE() and WRITE_ONCE().
 *
 * A model defines THREADS and WORDS, and includes this. Names are those of
 * lib/core/base.h, with the calling thread as the first argument.
 */
#ifndef PENDING
#define PENDING	2	/* stores that a buffer holds: 1 or 2 */
#endif

typedef buffer {
	byte n;
	byte word[PENDING];
	byte value[PENDING]
}

buffer buffers[THREADS];
byte mem[WORDS];

/* The oldest store gets to memory. */
inline flush(t)
{
	mem[buffers[t].word[0]] = buffers[t].value[0];
#if PENDING > 1
	buffers[t].word[0] = buffers[t].word[1];
	buffers[t].value[0] = buffers[t].value[1];
#endif
	buffers[t].word[PENDING - 1] = 0;
	buffers[t].value[PENDING - 1] = 0;
	buffers[t].n--
}

/* All of them do: a context switch, an interrupt, membarrier_all(). */
inline drain(t)
{
	d_step {
		do
		:: buffers[t].n -> flush(t)
		:: else -> break
		od
	}
}

/* WRITE_ONCE(), smp_store_release(): the order of stores is kept anyway. */
inline store(t, a, v)
{
	atomic {
		buffers[t].n < PENDING ->
		buffers[t].word[buffers[t].n] = a;
		buffers[t].value[buffers[t].n] = v;
		buffers[t].n++
	}
}

/* READ_ONCE(), smp_load_acquire() */
inline load(t, a, x)
{
	d_step {
		x = mem[a];
		if
		:: buffers[t].n > 0 && buffers[t].word[0] == a ->
			x = buffers[t].value[0]
		:: else
		fi;
#if PENDING > 1
		if
		:: buffers[t].n > 1 && buffers[t].word[1] == a ->
			x = buffers[t].value[1]
		:: else
		fi
#else
		skip
#endif
	}
}

inline smp_mb(t)
{
	buffers[t].n == 0
}

/* A store and a barrier after it: smp_store_mb() */
inline store_mb(t, a, v)
{
	atomic { buffers[t].n == 0 -> mem[a] = v }
}

inline xchg(t, a, v, old)
{
	atomic { buffers[t].n == 0 -> old = mem[a]; mem[a] = v }
}

/* old: what is expected, then what was there */
inline try_cmpxchg(t, a, old, new, ok)
{
	atomic {
		buffers[t].n == 0 ->
		ok = (mem[a] == old);
		if
		:: ok -> mem[a] = new
		:: else -> old = mem[a]
		fi
	}
}

/* Memory's own part. These come first: their numbers are those of the threads. */
active [THREADS] proctype memory()
{
end:	do
	:: atomic { buffers[_pid].n -> flush(_pid) }
	od
}
