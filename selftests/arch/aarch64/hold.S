/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hold.S - all callee-saved registers at once, aarch64: see ../hold.h.
 */
#include "../hold-asm.h"

	number	hold_count, 19
	number	hold_words, 11
	number	hold_align, 16
	number	hold_bias, 0

func arch_hold
	stp	x29, x30, [sp, #-176]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	str	x0, [sp, #160]
	ldr	x19, [x0, #48]
	ldr	x20, [x0, #56]
	ldr	x21, [x0, #64]
	ldr	x22, [x0, #72]
	ldr	x23, [x0, #80]
	ldr	x24, [x0, #88]
	ldr	x25, [x0, #96]
	ldr	x26, [x0, #104]
	ldr	x27, [x0, #112]
	ldr	x28, [x0, #120]
	ldr	x29, [x0, #128]
	ldr	d8, [x0, #136]
	ldr	d9, [x0, #144]
	ldr	d10, [x0, #152]
	ldr	d11, [x0, #160]
	ldr	d12, [x0, #168]
	ldr	d13, [x0, #176]
	ldr	d14, [x0, #184]
	ldr	d15, [x0, #192]
	ldr	x4, [x0]
	ldr	x1, [x0, #16]
	ldr	x2, [x0, #24]
	ldr	x3, [x0, #32]
	ldr	x0, [x0, #8]
	blr	x4
	ldr	x1, [sp, #160]
	str	x0, [x1, #40]
	str	x19, [x1, #560]
	str	x20, [x1, #568]
	str	x21, [x1, #576]
	str	x22, [x1, #584]
	str	x23, [x1, #592]
	str	x24, [x1, #600]
	str	x25, [x1, #608]
	str	x26, [x1, #616]
	str	x27, [x1, #624]
	str	x28, [x1, #632]
	str	x29, [x1, #640]
	str	d8, [x1, #648]
	str	d9, [x1, #656]
	str	d10, [x1, #664]
	str	d11, [x1, #672]
	str	d12, [x1, #680]
	str	d13, [x1, #688]
	str	d14, [x1, #696]
	str	d15, [x1, #704]
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	ldp	x29, x30, [sp], #176
	ret

func arch_trash
	mov	x4, x0
	mov	x0, x1
	mov	x19, #23059
	mov	x20, #23060
	mov	x21, #23061
	mov	x22, #23062
	mov	x23, #23063
	mov	x24, #23064
	mov	x25, #23065
	mov	x26, #23066
	mov	x27, #23067
	mov	x28, #23068
	mov	x29, #23069
	fmov	d8, x19
	fmov	d9, x20
	fmov	d10, x21
	fmov	d11, x22
	fmov	d12, x23
	fmov	d13, x24
	fmov	d14, x25
	fmov	d15, x26
	br	x4

func arch_note_sp
	mov	x1, sp
	str	x1, [x0, #128]
	ldr	x1, [x0, #136]
	br	x1

	.section .note.GNU-stack, "", %progbits
