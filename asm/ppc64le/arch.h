/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* arch.h - ppc64le: as ppc64. */
#include "../ppc64/arch.h"
