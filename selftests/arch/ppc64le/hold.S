/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* hold.S - all callee-saved registers at once, ppc64le: see ppc64. */
#include "../ppc64/hold.S"
