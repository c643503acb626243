/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* shadow.h - shadow stacks, ppc64le: none. */
#include "../noshadow.h"
