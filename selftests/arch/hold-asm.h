/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* hold-asm.h - how every hold.S but Power's defines functions and numbers. */
	.macro func name
	.text
	.p2align 4
	.globl	\name
	.type	\name, %function
\name:
	.endm

	.macro number name value
	.section .rodata
	.p2align 2
	.globl	\name
	.type	\name, %object
	.size	\name, 4
\name:
	.long	\value
	.endm
