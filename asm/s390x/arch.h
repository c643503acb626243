/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* arch.h - the few instructions that C has no words for, s390x. */
#ifndef BATON_ASM_ARCH_H
#define BATON_ASM_ARCH_H

struct baton_worker;

/* The calling thread's worker. Set and read in this file alone. */
extern __thread struct baton_worker *baton_tls_worker
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/*
 * Where this thread has it. A fiber changes threads inside of calls, where a
 * compiler may keep the address of a thread-local variable: a volatile asm
 * makes it look each time.
 */
static inline struct baton_worker **baton_tls(void)
{
	struct baton_worker **p;
	unsigned long tp;

	__asm__ volatile("ear %1, %%a0\n\t"
			 "sllg %1, %1, 32\n\t"
			 "ear %1, %%a1\n\t"
			 "larl %0, baton_tls_worker@indntpoff\n\t"
			 "lg %0, 0(%0)\n\t"
			 "la %0, 0(%0,%1)" : "=&a"(p), "=&a"(tp) : : "memory");
	return p;
}

#include "../self.h"

/* In a loop that waits for another CPU's store. */
static inline void baton_cpu_relax(void)
{
	__asm__ volatile("nopr");
}

#endif /* BATON_ASM_ARCH_H */
