/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* shadow.h - shadow stacks, s390x: none. */
#include "../noshadow.h"
