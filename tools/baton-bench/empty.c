// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* empty.c - what is called when only the call is to be measured. */
#include "bench.h"

__attribute__((noinline)) void bench_empty(void *arg)
{
	(void)arg;
	__asm__ volatile("");
}

__attribute__((noinline))
uintptr_t bench_six(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
		    uintptr_t e, uintptr_t f)
{
	__asm__ volatile("");
	return a + b + c + d + e + f;
}
