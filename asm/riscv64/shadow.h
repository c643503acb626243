/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* shadow.h - shadow stacks, riscv64: none. */
#include "../noshadow.h"
