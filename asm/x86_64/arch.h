/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* arch.h - the few instructions that C has no words for, x86_64. */
#ifndef BATON_ASM_ARCH_H
#define BATON_ASM_ARCH_H

#include <stdint.h>

struct baton_worker;

/* The calling thread's worker. Set and read in this file alone. */
extern __thread struct baton_worker *baton_tls_worker
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/*
 * The worker of the thread we are on, or NULL. A fiber changes threads inside
 * of calls, where a compiler may keep the address of a thread-local variable:
 * a volatile asm makes it look each time.
 */
static inline struct baton_worker *baton_worker_self(void)
{
	struct baton_worker *w;

	__asm__ volatile("movq baton_tls_worker@gottpoff(%%rip), %0\n\t"
			 "movq %%fs:(%0), %0" : "=r"(w) : : "memory");
	return w;
}

static inline void baton_worker_set_self(struct baton_worker *w)
{
	unsigned long off;

	__asm__ volatile("movq baton_tls_worker@gottpoff(%%rip), %0\n\t"
			 "movq %1, %%fs:(%0)" : "=&r"(off) : "r"(w) : "memory");
}

/* In a loop that waits for another CPU's store. */
static inline void baton_cpu_relax(void)
{
	__asm__ volatile("pause");
}

/* A word that one thread writes, and others read: compilers make three
 * instructions of a relaxed load and a relaxed store. */
#define BATON_ARCH_COUNT
static inline void baton_arch_count(uint64_t *n)
{
	__asm__("incq %0" : "+m"(*n) : : "cc");
}

#endif /* BATON_ASM_ARCH_H */
