// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * offsets.c - the numbers that switch.S may use. Compiled to assembly, never
 * linked: the Makefile turns each "->NAME value" into a #define. As a string,
 * for a compiler that assembles as it compiles looks at what it says.
 */
#include <stddef.h>

#include "ctx.h"

#define OFFSET(name, type, member) \
	__asm__ volatile("\n.ascii \"->" #name " %0\"" : :		\
			 "i"(offsetof(type, member)))

int main(void)
{
	BATON_CTX_OFFSETS(OFFSET);
	return 0;
}
