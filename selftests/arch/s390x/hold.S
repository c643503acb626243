/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hold.S - all callee-saved registers at once, s390x: see ../hold.h.
 */
#include "../hold-asm.h"

	number	hold_count, 16
	number	hold_words, 8
	number	hold_align, 8
	number	hold_bias, 0

func arch_hold
	stmg	%r6, %r15, 48(%r15)
	aghi	%r15, -232
	std	%f8, 160(%r15)
	std	%f9, 168(%r15)
	std	%f10, 176(%r15)
	std	%f11, 184(%r15)
	std	%f12, 192(%r15)
	std	%f13, 200(%r15)
	std	%f14, 208(%r15)
	std	%f15, 216(%r15)
	stg	%r2, 224(%r15)
	lmg	%r6, %r13, 48(%r2)
	ld	%f8, 112(%r2)
	ld	%f9, 120(%r2)
	ld	%f10, 128(%r2)
	ld	%f11, 136(%r2)
	ld	%f12, 144(%r2)
	ld	%f13, 152(%r2)
	ld	%f14, 160(%r2)
	ld	%f15, 168(%r2)
	lg	%r1, 0(%r2)
	lg	%r3, 16(%r2)
	lg	%r4, 24(%r2)
	lg	%r5, 32(%r2)
	lg	%r2, 8(%r2)
	basr	%r14, %r1
	lg	%r1, 224(%r15)
	stg	%r2, 40(%r1)
	stmg	%r6, %r13, 560(%r1)
	std	%f8, 624(%r1)
	std	%f9, 632(%r1)
	std	%f10, 640(%r1)
	std	%f11, 648(%r1)
	std	%f12, 656(%r1)
	std	%f13, 664(%r1)
	std	%f14, 672(%r1)
	std	%f15, 680(%r1)
	ld	%f8, 160(%r15)
	ld	%f9, 168(%r15)
	ld	%f10, 176(%r15)
	ld	%f11, 184(%r15)
	ld	%f12, 192(%r15)
	ld	%f13, 200(%r15)
	ld	%f14, 208(%r15)
	ld	%f15, 216(%r15)
	lmg	%r6, %r15, 280(%r15)
	br	%r14

func arch_trash
	lgr	%r1, %r2
	lgr	%r2, %r3
	lghi	%r6, 23046
	lghi	%r7, 23047
	lghi	%r8, 23048
	lghi	%r9, 23049
	lghi	%r10, 23050
	lghi	%r11, 23051
	lghi	%r12, 23052
	lghi	%r13, 23053
	ldgr	%f8, %r6
	ldgr	%f9, %r7
	ldgr	%f10, %r8
	ldgr	%f11, %r9
	ldgr	%f12, %r10
	ldgr	%f13, %r11
	ldgr	%f14, %r12
	ldgr	%f15, %r13
	br	%r1

func arch_note_sp
	stg	%r15, 128(%r2)
	lg	%r1, 136(%r2)
	br	%r1

	.section .note.GNU-stack, "", %progbits
