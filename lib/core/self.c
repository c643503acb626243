// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * self.c - which worker the calling thread is. Only asm/ARCH/arch.h reads and
 * writes the variable, and says why.
 */
#include "arch.h"

/* An optimizer of the whole program does not see what an asm names: without
 * the attribute it drops the variable, or its name. */
__attribute__((used)) __thread struct baton_worker *baton_tls_worker;
