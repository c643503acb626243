/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* shadow.h - shadow stacks, i386: none. */
#include "../noshadow.h"
