// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * self.c - which worker the calling thread is. Only asm/ARCH/arch.h reads and
 * writes the variable, and says why.
 */
#include "arch.h"

__thread struct baton_worker *baton_tls_worker;
