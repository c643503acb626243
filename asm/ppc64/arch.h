/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* arch.h - the few instructions that C has no words for, ppc64. */
#ifndef BATON_ASM_ARCH_H
#define BATON_ASM_ARCH_H

struct baton_worker;

/*
 * Where this thread has its worker: switch.S. A fiber changes threads inside
 * of calls, where a compiler may keep the address of a thread-local variable,
 * but not what a function in another language returns.
 */
struct baton_worker **baton_asm_tls(void)
	__attribute__((visibility("hidden")));

static inline struct baton_worker **baton_tls(void)
{
	return baton_asm_tls();
}

#include "../self.h"

/* In a loop that waits for another CPU's store. */
static inline void baton_cpu_relax(void)
{
	__asm__ volatile("or 27, 27, 27");	/* yield */
}

#endif /* BATON_ASM_ARCH_H */
