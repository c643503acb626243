/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * common.h - what every architecture's switch.S needs: how a function begins
 * and ends, how call frames are described, and the notes of the object file.
 */
#ifndef BATON_ASM_COMMON_H
#define BATON_ASM_COMMON_H

#include "asm-offsets.h"	/* generated from offsets.c */

/*
 * What differs: the landing pad of branch tracking, how a function's symbol is
 * defined and its code is reached, and what else describes it.
 */
#ifndef ASM_LANDING
#define ASM_LANDING
#endif
#ifndef ASM_LABEL
#define ASM_LABEL(name)		name
#define ASM_CODE(name)		name
#endif
#ifndef ASM_BEGIN
#define ASM_BEGIN
#define ASM_END
#endif

/* A hidden function: aligned for the fetcher, typed and sized for tools. */
#define FUNC(name)			\
	.text;				\
	.p2align 5;			\
	.globl name;			\
	.hidden name;			\
	.type name, %function;		\
ASM_LABEL(name):			\
	.cfi_startproc;			\
	ASM_BEGIN;			\
	ASM_LANDING

#define END(name)			\
	ASM_END;			\
	.cfi_endproc;			\
	.size name, . - ASM_CODE(name)

/*
 * gdb takes a caller's frame that lies below its callee's for a corrupt stack
 * and stops, unless the caller is in a function of the name that gcc's split
 * stacks use. Two stacks have no order, so each call that changes stacks is
 * put between these two and so gets that name, as a local symbol. gdb looks at
 * the byte before the return address, perf at the return address itself: the
 * symbol covers both. The frame is shown by that name, and its line here.
 */
#define STACK_CHANGE			\
	.local __morestack;		\
	.type __morestack, %function;	\
__morestack:

#define STACK_CHANGED			\
	.size __morestack, . - __morestack + 1

/*
 * Where a suspended fiber is, for debuggers: by the CFI there, all its registers
 * lie at its sp. No symbol of the code's, which would come before its name.
 * And the code here never needs an executable stack.
 */
#ifdef __LP64__
#define ASM_WORD			.8byte
#else
#define ASM_WORD			.4byte
#endif
#define END_OF_FILE			\
	.section .data.rel.ro, "aw", %progbits; \
	.balign __SIZEOF_POINTER__;	\
	.globl baton_asm_suspended;	\
	.hidden baton_asm_suspended;	\
	.type baton_asm_suspended, %object; \
	.size baton_asm_suspended, __SIZEOF_POINTER__; \
baton_asm_suspended:			\
	ASM_WORD .Lgo_on;		\
	.section .note.GNU-stack, "", %progbits

#endif /* BATON_ASM_COMMON_H */
