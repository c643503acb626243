/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hold.S - all callee-saved registers at once, arm: see ../hold.h.
 */
	.syntax	unified
	.arch	armv7-a
	.fpu	vfpv3-d16
	.arm
#include "../hold-asm.h"

	number	hold_count, 16
	number	hold_words, 8
	number	hold_align, 8
	number	hold_bias, 0

func arch_hold
	push	{r4-r11, lr}
	vpush	{d8-d15}
	push	{r0}
	add	r12, r0, #112
	vldmia	r12, {d8-d15}
	ldr	r4, [r0, #48]
	ldr	r5, [r0, #56]
	ldr	r6, [r0, #64]
	ldr	r7, [r0, #72]
	ldr	r8, [r0, #80]
	ldr	r9, [r0, #88]
	ldr	r10, [r0, #96]
	ldr	r11, [r0, #104]
	ldr	r12, [r0]
	ldr	r1, [r0, #16]
	ldr	r2, [r0, #24]
	ldr	r3, [r0, #32]
	ldr	r0, [r0, #8]
	blx	r12
	pop	{r1}
	str	r0, [r1, #40]
	mov	r2, #0
	str	r2, [r1, #44]
	add	r12, r1, #560
	str	r4, [r12, #0]
	str	r5, [r12, #8]
	str	r6, [r12, #16]
	str	r7, [r12, #24]
	str	r8, [r12, #32]
	str	r9, [r12, #40]
	str	r10, [r12, #48]
	str	r11, [r12, #56]
	add	r12, r12, #64
	vstmia	r12, {d8-d15}
	vpop	{d8-d15}
	pop	{r4-r11, pc}

func arch_trash
	mov	r12, r0
	mov	r0, r1
	mov	r4, #0x5a
	add	r5, r4, #5
	add	r6, r4, #6
	add	r7, r4, #7
	add	r8, r4, #8
	add	r9, r4, #9
	add	r10, r4, #10
	add	r11, r4, #11
	vmov	d8, r4, r4
	vmov	d9, r4, r5
	vmov	d10, r4, r6
	vmov	d11, r4, r7
	vmov	d12, r4, r8
	vmov	d13, r4, r9
	vmov	d14, r4, r10
	vmov	d15, r4, r11
	bx	r12

func arch_note_sp
	str	sp, [r0, #128]
	mov	r1, #0
	str	r1, [r0, #132]
	ldr	r1, [r0, #136]
	bx	r1

	.section .note.GNU-stack, "", %progbits
