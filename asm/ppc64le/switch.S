/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* switch.S - changing stacks, ppc64le (ELFv2): see ppc64. */
#include "../ppc64/switch.S"
