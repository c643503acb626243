/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* ctx.h - a suspended fiber, i386: as x86_64, with pointers half as wide. */
#include "../x86_64/ctx.h"
