/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * base.h - words that every file needs: likely(), barriers, atomics.
 *
 * Their names and their meanings are the Linux kernel's (its
 * Documentation/memory-barriers.txt and atomic_t.txt), so that both halves of
 * a protocol between module and library read alike. Two names are ours, for
 * orders that the kernel has no word for: xchg_acq_rel() and
 * try_cmpxchg_acq_rel().
 */
#ifndef BATON_CORE_BASE_H
#define BATON_CORE_BASE_H

/* What gcc defines by itself. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#if __has_feature(safe_stack)
#error "-fsanitize=safe-stack: a fiber has no second stack for it"
#endif
#if __has_feature(memory_sanitizer)
#error "-fsanitize=memory: it cannot follow a fiber to another stack"
#endif
#endif

#if defined(__has_include) && !__has_include(<linux/futex.h>)
#error "no headers of the kernel: for musl-gcc, add -idirafter /usr/include and -idirafter /usr/include/$(gcc -print-multiarch)"
#endif

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/*
 * The compiler's order alone: enough against a hook of the kernel's that runs
 * on this CPU, between two instructions of this thread.
 */
#define barrier()	__atomic_signal_fence(__ATOMIC_SEQ_CST)

#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)

#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
/* ThreadSanitizer sees no order in a fence; plain data is handed over by
 * acquire and release. */
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/*
 * A read-modify-write is a full barrier in the kernel's sense: also for plain
 * accesses before and after it. An instruction with a lock prefix is one on
 * x86, and so is compare-and-swap on s390x. Elsewhere C's sequential
 * consistency says less than that, and a fence makes up for it.
 */
#if defined(__x86_64__) || defined(__i386__) || defined(__s390x__)
#define smp_mb__after_atomic()	barrier()
#else
#define smp_mb__after_atomic()	smp_mb()
#endif

/* One access, neither torn nor repeated by the compiler; orders nothing. */
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* A store, and a full barrier after it. */
#define smp_store_mb(x, v)						\
	do {								\
		__atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST);		\
		smp_mb__after_atomic();					\
	} while (0)

#define __atomic_full(op)	__extension__ ({			\
	__typeof__(op) __was = (op);					\
									\
	smp_mb__after_atomic();						\
	__was;								\
})

/* Each returns what was there before. Full barriers. */
#define xchg(p, v)							\
	__atomic_full(__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))
#define atomic_fetch_add(p, n)						\
	__atomic_full(__atomic_fetch_add((p), (n), __ATOMIC_SEQ_CST))
#define atomic_fetch_sub(p, n)						\
	__atomic_full(__atomic_fetch_sub((p), (n), __ATOMIC_SEQ_CST))
#define atomic_fetch_or(p, n)						\
	__atomic_full(__atomic_fetch_or((p), (n), __ATOMIC_SEQ_CST))
#define atomic_fetch_andnot(p, n)					\
	__atomic_full(__atomic_fetch_and((p), ~(n), __ATOMIC_SEQ_CST))

/* Counters, which order nothing. */
#define atomic_fetch_add_relaxed(p, n)					\
	__atomic_fetch_add((p), (n), __ATOMIC_RELAXED)
#define atomic_fetch_sub_relaxed(p, n)					\
	__atomic_fetch_sub((p), (n), __ATOMIC_RELAXED)

#define xchg_acquire(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define xchg_acq_rel(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

/*
 * @new where *@oldp was: true. Otherwise false, and *@oldp is what was there;
 * which is then an acquire load, after the full barrier's form as well.
 */
#define try_cmpxchg(p, oldp, new)					\
	__atomic_full(__atomic_compare_exchange_n((p), (oldp), (new), 0,	\
						  __ATOMIC_SEQ_CST,	\
						  __ATOMIC_ACQUIRE))
#define try_cmpxchg_acq_rel(p, oldp, new)				\
	__atomic_compare_exchange_n((p), (oldp), (new), 0,		\
				    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

#endif /* BATON_CORE_BASE_H */
