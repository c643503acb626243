/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* ctx.h - a suspended fiber, ppc64le: as ppc64. */
#include "../ppc64/ctx.h"
