/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hold.S - all callee-saved registers at once, 64-bit Power, both ABIs. ppc64le includes this file: see ../hold.h.
 */

	.machine "power8"
#if _CALL_ELF == 2
#define TOC_SAVE	24
#else
#define TOC_SAVE	40
#endif

	.macro func name
	.globl	\name
	.type	\name, %function
#if _CALL_ELF != 2
	.section .opd, "aw"
	.p2align 3
\name:
	.quad	.L.\name, .TOC.@tocbase, 0
	.text
	.p2align 4
.L.\name:
#else
	.text
	.p2align 4
\name:
#endif
	.endm

	/* ctr to where pointer points */
	.macro target pointer
#if _CALL_ELF == 2
	mr	%r12, \pointer
	mtctr	%r12
#else
	ld	%r0, 0(\pointer)
	ld	%r2, 8(\pointer)
	mtctr	%r0
#endif
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

	number	hold_count, 61
	number	hold_words, 18
	number	hold_align, 16
	number	hold_bias, 0

#define CR_MASK	0x00fff000

func arch_hold
	mflr	%r0
	std	%r0, 16(%r1)
	mfcr	%r0
	stw	%r0, 8(%r1)
	stdu	%r1, -624(%r1)
	std	%r2, TOC_SAVE(%r1)
	std	%r14, 112(%r1)
	stfd	%f14, 256(%r1)
	std	%r15, 120(%r1)
	stfd	%f15, 264(%r1)
	std	%r16, 128(%r1)
	stfd	%f16, 272(%r1)
	std	%r17, 136(%r1)
	stfd	%f17, 280(%r1)
	std	%r18, 144(%r1)
	stfd	%f18, 288(%r1)
	std	%r19, 152(%r1)
	stfd	%f19, 296(%r1)
	std	%r20, 160(%r1)
	stfd	%f20, 304(%r1)
	std	%r21, 168(%r1)
	stfd	%f21, 312(%r1)
	std	%r22, 176(%r1)
	stfd	%f22, 320(%r1)
	std	%r23, 184(%r1)
	stfd	%f23, 328(%r1)
	std	%r24, 192(%r1)
	stfd	%f24, 336(%r1)
	std	%r25, 200(%r1)
	stfd	%f25, 344(%r1)
	std	%r26, 208(%r1)
	stfd	%f26, 352(%r1)
	std	%r27, 216(%r1)
	stfd	%f27, 360(%r1)
	std	%r28, 224(%r1)
	stfd	%f28, 368(%r1)
	std	%r29, 232(%r1)
	stfd	%f29, 376(%r1)
	std	%r30, 240(%r1)
	stfd	%f30, 384(%r1)
	std	%r31, 248(%r1)
	stfd	%f31, 392(%r1)
	li	%r0, 400
	stvx	%v20, %r1, %r0
	li	%r0, 416
	stvx	%v21, %r1, %r0
	li	%r0, 432
	stvx	%v22, %r1, %r0
	li	%r0, 448
	stvx	%v23, %r1, %r0
	li	%r0, 464
	stvx	%v24, %r1, %r0
	li	%r0, 480
	stvx	%v25, %r1, %r0
	li	%r0, 496
	stvx	%v26, %r1, %r0
	li	%r0, 512
	stvx	%v27, %r1, %r0
	li	%r0, 528
	stvx	%v28, %r1, %r0
	li	%r0, 544
	stvx	%v29, %r1, %r0
	li	%r0, 560
	stvx	%v30, %r1, %r0
	li	%r0, 576
	stvx	%v31, %r1, %r0
	std	%r3, 592(%r1)
	ld	%r14, 48(%r3)
	lfd	%f14, 192(%r3)
	ld	%r15, 56(%r3)
	lfd	%f15, 200(%r3)
	ld	%r16, 64(%r3)
	lfd	%f16, 208(%r3)
	ld	%r17, 72(%r3)
	lfd	%f17, 216(%r3)
	ld	%r18, 80(%r3)
	lfd	%f18, 224(%r3)
	ld	%r19, 88(%r3)
	lfd	%f19, 232(%r3)
	ld	%r20, 96(%r3)
	lfd	%f20, 240(%r3)
	ld	%r21, 104(%r3)
	lfd	%f21, 248(%r3)
	ld	%r22, 112(%r3)
	lfd	%f22, 256(%r3)
	ld	%r23, 120(%r3)
	lfd	%f23, 264(%r3)
	ld	%r24, 128(%r3)
	lfd	%f24, 272(%r3)
	ld	%r25, 136(%r3)
	lfd	%f25, 280(%r3)
	ld	%r26, 144(%r3)
	lfd	%f26, 288(%r3)
	ld	%r27, 152(%r3)
	lfd	%f27, 296(%r3)
	ld	%r28, 160(%r3)
	lfd	%f28, 304(%r3)
	ld	%r29, 168(%r3)
	lfd	%f29, 312(%r3)
	ld	%r30, 176(%r3)
	lfd	%f30, 320(%r3)
	ld	%r31, 184(%r3)
	lfd	%f31, 328(%r3)
	addi	%r4, %r3, 336
	li	%r0, 0
	lxvd2x	52, %r4, %r0
	li	%r0, 16
	lxvd2x	53, %r4, %r0
	li	%r0, 32
	lxvd2x	54, %r4, %r0
	li	%r0, 48
	lxvd2x	55, %r4, %r0
	li	%r0, 64
	lxvd2x	56, %r4, %r0
	li	%r0, 80
	lxvd2x	57, %r4, %r0
	li	%r0, 96
	lxvd2x	58, %r4, %r0
	li	%r0, 112
	lxvd2x	59, %r4, %r0
	li	%r0, 128
	lxvd2x	60, %r4, %r0
	li	%r0, 144
	lxvd2x	61, %r4, %r0
	li	%r0, 160
	lxvd2x	62, %r4, %r0
	li	%r0, 176
	lxvd2x	63, %r4, %r0
	ld	%r0, 528(%r3)
	mtcrf	0x38, %r0
	ld	%r7, 0(%r3)
	ld	%r4, 16(%r3)
	ld	%r5, 24(%r3)
	ld	%r6, 32(%r3)
	ld	%r3, 8(%r3)
	target	%r7
	bctrl
	ld	%r2, TOC_SAVE(%r1)
	mr	%r5, %r3
	ld	%r3, 592(%r1)
	std	%r5, 40(%r3)
	std	%r14, 560(%r3)
	stfd	%f14, 704(%r3)
	std	%r15, 568(%r3)
	stfd	%f15, 712(%r3)
	std	%r16, 576(%r3)
	stfd	%f16, 720(%r3)
	std	%r17, 584(%r3)
	stfd	%f17, 728(%r3)
	std	%r18, 592(%r3)
	stfd	%f18, 736(%r3)
	std	%r19, 600(%r3)
	stfd	%f19, 744(%r3)
	std	%r20, 608(%r3)
	stfd	%f20, 752(%r3)
	std	%r21, 616(%r3)
	stfd	%f21, 760(%r3)
	std	%r22, 624(%r3)
	stfd	%f22, 768(%r3)
	std	%r23, 632(%r3)
	stfd	%f23, 776(%r3)
	std	%r24, 640(%r3)
	stfd	%f24, 784(%r3)
	std	%r25, 648(%r3)
	stfd	%f25, 792(%r3)
	std	%r26, 656(%r3)
	stfd	%f26, 800(%r3)
	std	%r27, 664(%r3)
	stfd	%f27, 808(%r3)
	std	%r28, 672(%r3)
	stfd	%f28, 816(%r3)
	std	%r29, 680(%r3)
	stfd	%f29, 824(%r3)
	std	%r30, 688(%r3)
	stfd	%f30, 832(%r3)
	std	%r31, 696(%r3)
	stfd	%f31, 840(%r3)
	addi	%r4, %r3, 848
	li	%r0, 0
	stxvd2x	52, %r4, %r0
	li	%r0, 16
	stxvd2x	53, %r4, %r0
	li	%r0, 32
	stxvd2x	54, %r4, %r0
	li	%r0, 48
	stxvd2x	55, %r4, %r0
	li	%r0, 64
	stxvd2x	56, %r4, %r0
	li	%r0, 80
	stxvd2x	57, %r4, %r0
	li	%r0, 96
	stxvd2x	58, %r4, %r0
	li	%r0, 112
	stxvd2x	59, %r4, %r0
	li	%r0, 128
	stxvd2x	60, %r4, %r0
	li	%r0, 144
	stxvd2x	61, %r4, %r0
	li	%r0, 160
	stxvd2x	62, %r4, %r0
	li	%r0, 176
	stxvd2x	63, %r4, %r0
	/* of cr, the fields that are preserved */
	mfcr	%r5
	ld	%r6, 528(%r3)
	lis	%r7, CR_MASK >> 16
	ori	%r7, %r7, CR_MASK & 0xffff
	and	%r5, %r5, %r7
	andc	%r6, %r6, %r7
	or	%r5, %r5, %r6
	std	%r5, 1040(%r3)
	ld	%r14, 112(%r1)
	lfd	%f14, 256(%r1)
	ld	%r15, 120(%r1)
	lfd	%f15, 264(%r1)
	ld	%r16, 128(%r1)
	lfd	%f16, 272(%r1)
	ld	%r17, 136(%r1)
	lfd	%f17, 280(%r1)
	ld	%r18, 144(%r1)
	lfd	%f18, 288(%r1)
	ld	%r19, 152(%r1)
	lfd	%f19, 296(%r1)
	ld	%r20, 160(%r1)
	lfd	%f20, 304(%r1)
	ld	%r21, 168(%r1)
	lfd	%f21, 312(%r1)
	ld	%r22, 176(%r1)
	lfd	%f22, 320(%r1)
	ld	%r23, 184(%r1)
	lfd	%f23, 328(%r1)
	ld	%r24, 192(%r1)
	lfd	%f24, 336(%r1)
	ld	%r25, 200(%r1)
	lfd	%f25, 344(%r1)
	ld	%r26, 208(%r1)
	lfd	%f26, 352(%r1)
	ld	%r27, 216(%r1)
	lfd	%f27, 360(%r1)
	ld	%r28, 224(%r1)
	lfd	%f28, 368(%r1)
	ld	%r29, 232(%r1)
	lfd	%f29, 376(%r1)
	ld	%r30, 240(%r1)
	lfd	%f30, 384(%r1)
	ld	%r31, 248(%r1)
	lfd	%f31, 392(%r1)
	li	%r0, 400
	lvx	%v20, %r1, %r0
	li	%r0, 416
	lvx	%v21, %r1, %r0
	li	%r0, 432
	lvx	%v22, %r1, %r0
	li	%r0, 448
	lvx	%v23, %r1, %r0
	li	%r0, 464
	lvx	%v24, %r1, %r0
	li	%r0, 480
	lvx	%v25, %r1, %r0
	li	%r0, 496
	lvx	%v26, %r1, %r0
	li	%r0, 512
	lvx	%v27, %r1, %r0
	li	%r0, 528
	lvx	%v28, %r1, %r0
	li	%r0, 544
	lvx	%v29, %r1, %r0
	li	%r0, 560
	lvx	%v30, %r1, %r0
	li	%r0, 576
	lvx	%v31, %r1, %r0
	addi	%r1, %r1, 624
	ld	%r0, 16(%r1)
	mtlr	%r0
	lwz	%r0, 8(%r1)
	mtcrf	0x38, %r0
	blr

func arch_trash
	mr	%r7, %r3
	mr	%r3, %r4
	li	%r14, 23054
	mtvsrd	14, %r14
	li	%r15, 23055
	mtvsrd	15, %r15
	li	%r16, 23056
	mtvsrd	16, %r16
	li	%r17, 23057
	mtvsrd	17, %r17
	li	%r18, 23058
	mtvsrd	18, %r18
	li	%r19, 23059
	mtvsrd	19, %r19
	li	%r20, 23060
	mtvsrd	20, %r20
	li	%r21, 23061
	mtvsrd	21, %r21
	li	%r22, 23062
	mtvsrd	22, %r22
	li	%r23, 23063
	mtvsrd	23, %r23
	li	%r24, 23064
	mtvsrd	24, %r24
	li	%r25, 23065
	mtvsrd	25, %r25
	li	%r26, 23066
	mtvsrd	26, %r26
	li	%r27, 23067
	mtvsrd	27, %r27
	li	%r28, 23068
	mtvsrd	28, %r28
	li	%r29, 23069
	mtvsrd	29, %r29
	li	%r30, 23070
	mtvsrd	30, %r30
	li	%r31, 23071
	mtvsrd	31, %r31
	vspltisb	%v20, -2
	vspltisb	%v21, -1
	vspltisb	%v22, 0
	vspltisb	%v23, 1
	vspltisb	%v24, 2
	vspltisb	%v25, 3
	vspltisb	%v26, 4
	vspltisb	%v27, 5
	vspltisb	%v28, 6
	vspltisb	%v29, 7
	vspltisb	%v30, 8
	vspltisb	%v31, 9
	li	%r0, -1
	mtcrf	0x38, %r0
	target	%r7
	bctr

func arch_note_sp
	std	%r1, 128(%r3)
	ld	%r7, 136(%r3)
	target	%r7
	bctr

	.section .note.GNU-stack, "", %progbits
