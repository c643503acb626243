// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * delay.c - threads are late where it hurts: a runtime for the instrumentation
 * of -fsanitize=thread that looks for no races, but lets them happen.
 *
 * Each access that the library makes comes here. At a few places, which the
 * seed chooses, one in some accesses is followed or preceded by a delay: long
 * enough for all the other threads to do whatever they can meanwhile. So a
 * window of a few instructions is hit in one of a hundred runs instead of never,
 * and an order of two stores that nobody has thought of is seen. Elsewhere there
 * is a short delay now and then. The idea is that of rr's chaos mode, and of the
 * few ordering points that PCT (Burckhardt et al., 2010) chooses.
 *
 * A seed says where, not when: a failure comes again in some of its runs.
 *
 * BATON_DELAY_SEED	any number but 0; without there are no delays
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define SLOW_PLACES	16u	/* one in so many */
#define SLOW_TIMES	8u	/* and there one access in so many */
#define OTHER_TIMES	3000u	/* elsewhere */
#define LONG_US		2000u
#define SHORT_US	50u

static uint32_t seed;

static void __attribute__((constructor)) delay_init(void)
{
	const char *text = getenv("BATON_DELAY_SEED");

	seed = text ? (uint32_t)strtoul(text, NULL, 0) : 0;
}

/* Each bit of the result depends on all of @x. */
static uint32_t mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

static uint32_t next_random(void)
{
	static __thread uint32_t state;

	if (!state)
		state = mix(seed ^ (uint32_t)((uintptr_t)pthread_self() >> 8));
	state = state * 1664525u + 1013904223u;
	return mix(state);
}

static void late(uint32_t max_us)
{
	struct timespec ts = {
		.tv_nsec = (long)(next_random() % max_us) * 1000,
	};
	int saved = errno;

	if (next_random() % 2)
		sched_yield();
	else
		nanosleep(&ts, NULL);
	errno = saved;
}

/* An access by the code at @pc, before or after it. */
static void __attribute__((noinline)) point(const void *pc)
{
	uint32_t place = (uint32_t)((uintptr_t)pc - (uintptr_t)delay_init);
	bool slow;

	if (!seed)
		return;
	slow = mix(place ^ mix(seed)) % SLOW_PLACES == 0;
	if (next_random() % (slow ? SLOW_TIMES : OTHER_TIMES))
		return;
	late(slow && next_random() % 4 == 0 ? LONG_US : SHORT_US);
}

/* --- what the compiler calls ---------------------------------------------- */

#define POINT()		point(__builtin_return_address(0))

void __tsan_init(void);

void __tsan_init(void)
{
}

#define ACCESS(name)							\
	void __tsan_##name(void *p);					\
	void __tsan_##name(void *p)					\
	{								\
		(void)p;						\
		POINT();						\
	}

#define ACCESSES(n)							\
	ACCESS(read##n)							\
	ACCESS(write##n)						\
	ACCESS(unaligned_read##n)					\
	ACCESS(unaligned_write##n)

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

#define RANGE(name)							\
	void __tsan_##name(void *p, unsigned long bytes);		\
	void __tsan_##name(void *p, unsigned long bytes)		\
	{								\
		(void)p;						\
		(void)bytes;						\
		POINT();						\
	}

RANGE(read_range)
RANGE(write_range)

/*
 * In place of the atomic itself: as strong as it was asked for where that makes
 * a difference, a store, or stronger. @order is the compiler's constant.
 */
#define READ_MODIFY_WRITE(bits, type, op)				\
	type __tsan_atomic##bits##_##op(volatile void *p, type v, int order); \
	type __tsan_atomic##bits##_##op(volatile void *p, type v, int order) \
	{								\
		type old;						\
									\
		(void)order;						\
		POINT();						\
		old = DO_##op((volatile type *)p, v);			\
		POINT();						\
		return old;						\
	}

#define DO_exchange(p, v)	__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define DO_fetch_add(p, v)	__atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define DO_fetch_sub(p, v)	__atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST)
#define DO_fetch_and(p, v)	__atomic_fetch_and(p, v, __ATOMIC_SEQ_CST)
#define DO_fetch_or(p, v)	__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)

#define ATOMICS(bits, type)						\
	type __tsan_atomic##bits##_load(const volatile void *p, int order); \
	type __tsan_atomic##bits##_load(const volatile void *p, int order) \
	{								\
		type v;							\
									\
		(void)order;						\
		POINT();						\
		v = __atomic_load_n((const volatile type *)p,		\
				    __ATOMIC_SEQ_CST);			\
		POINT();						\
		return v;						\
	}								\
									\
	void __tsan_atomic##bits##_store(volatile void *p, type v, int order); \
	void __tsan_atomic##bits##_store(volatile void *p, type v, int order) \
	{								\
		volatile type *word = p;				\
									\
		POINT();						\
		if (order == __ATOMIC_SEQ_CST)				\
			__atomic_store_n(word, v, __ATOMIC_SEQ_CST);	\
		else							\
			__atomic_store_n(word, v, __ATOMIC_RELEASE);	\
		POINT();						\
	}								\
									\
	READ_MODIFY_WRITE(bits, type, exchange)				\
	READ_MODIFY_WRITE(bits, type, fetch_add)			\
	READ_MODIFY_WRITE(bits, type, fetch_sub)			\
	READ_MODIFY_WRITE(bits, type, fetch_and)			\
	READ_MODIFY_WRITE(bits, type, fetch_or)				\
									\
	int __tsan_atomic##bits##_compare_exchange_strong(		\
		volatile void *p, void *old, type v, int order, int fail); \
	int __tsan_atomic##bits##_compare_exchange_strong(		\
		volatile void *p, void *old, type v, int order, int fail) \
	{								\
		bool done;						\
									\
		(void)order;						\
		(void)fail;						\
		POINT();						\
		done = __atomic_compare_exchange_n(			\
			(volatile type *)p, (type *)old, v, false,	\
			__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);		\
		POINT();						\
		return done;						\
	}

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

void __tsan_atomic_thread_fence(int order);

void __tsan_atomic_thread_fence(int order)
{
	POINT();
	if (order == __ATOMIC_SEQ_CST)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else
		__atomic_thread_fence(__ATOMIC_ACQ_REL);
	POINT();
}

void __tsan_atomic_signal_fence(int order);

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
