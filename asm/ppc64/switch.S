/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * switch.S - changing stacks, 64-bit Power, ELFv1 and ELFv2. PSEUDOCODE.md says
 * what each routine does on any architecture. ppc64le includes this file.
 *
 * Saved: r14 to r31, f14 to f31, v20 to v31, cr2 to cr4, lr, the TOC pointer,
 * the stack pointer, and of fpscr the rounding mode and enabled exceptions. Not
 * saved: the signal mask, thread-local storage, decimal rounding.
 *
 * A caller owes the called the lower end of its own frame: the back chain, room
 * for the condition register, lr, the TOC pointer and, in ELFv1, arguments.
 * Every routine that goes to an sp makes such a frame below it.
 */
#if _CALL_ELF == 2
#define TOC_SAVE	24
#else
#define TOC_SAVE	40
/* A function is a descriptor: where its code is, and its TOC. */
#define ASM_LABEL(name)					\
	.section .opd, "aw";				\
	.p2align 3;					\
name:	.quad .L.name, .TOC.@tocbase, 0;		\
	.text;						\
.L.name
#define ASM_CODE(name)	.L.name
#endif

#include "common.h"

#define LINKAGE	112	/* of either ABI; ELFv2's own is smaller */
#define FRAME	592	/* that, r14 to r31, f14 to f31, v20 to v31 */
#define CALL	128	/* baton_asm_call's: LINKAGE, r31 */
#define CR_SAVE	8
#define LR_SAVE	16
#define LR	65	/* as CFI counts */
#define CR	70
#ifdef __LITTLE_ENDIAN__
#define FPSCR_LOW	CTX_FPSCR
#else
#define FPSCR_LOW	CTX_FPSCR + 4
#endif
#define FPSCR_CONTROL	0xff
#define HWCAP		-28776	/* from r13; where compilers look, too */
#define HWCAP_ALTIVEC	0x1000	/* upper half of the word */

	.machine "altivec"

	/* Go to 1 if the CPU has no v registers; ELFv2 demands them. */
	.macro unless_altivec
#if _CALL_ELF != 2
	lwz	%r0, HWCAP(%r13)
	andis.	%r0, %r0, HWCAP_ALTIVEC
	beq	1f
#endif
	.endm

	.macro describe_registers
	.cfi_offset LR, LR_SAVE
	.cfi_offset CR, CR_SAVE
	.cfi_offset 2, TOC_SAVE - FRAME
	.cfi_offset 14, 112 - FRAME
	.cfi_offset 46, 256 - FRAME
	.cfi_offset 15, 120 - FRAME
	.cfi_offset 47, 264 - FRAME
	.cfi_offset 16, 128 - FRAME
	.cfi_offset 48, 272 - FRAME
	.cfi_offset 17, 136 - FRAME
	.cfi_offset 49, 280 - FRAME
	.cfi_offset 18, 144 - FRAME
	.cfi_offset 50, 288 - FRAME
	.cfi_offset 19, 152 - FRAME
	.cfi_offset 51, 296 - FRAME
	.cfi_offset 20, 160 - FRAME
	.cfi_offset 52, 304 - FRAME
	.cfi_offset 21, 168 - FRAME
	.cfi_offset 53, 312 - FRAME
	.cfi_offset 22, 176 - FRAME
	.cfi_offset 54, 320 - FRAME
	.cfi_offset 23, 184 - FRAME
	.cfi_offset 55, 328 - FRAME
	.cfi_offset 24, 192 - FRAME
	.cfi_offset 56, 336 - FRAME
	.cfi_offset 25, 200 - FRAME
	.cfi_offset 57, 344 - FRAME
	.cfi_offset 26, 208 - FRAME
	.cfi_offset 58, 352 - FRAME
	.cfi_offset 27, 216 - FRAME
	.cfi_offset 59, 360 - FRAME
	.cfi_offset 28, 224 - FRAME
	.cfi_offset 60, 368 - FRAME
	.cfi_offset 29, 232 - FRAME
	.cfi_offset 61, 376 - FRAME
	.cfi_offset 30, 240 - FRAME
	.cfi_offset 62, 384 - FRAME
	.cfi_offset 31, 248 - FRAME
	.cfi_offset 63, 392 - FRAME
	.endm

	.macro save_registers
	mflr	%r0
	std	%r0, LR_SAVE(%r1)
	mfcr	%r0
	stw	%r0, CR_SAVE(%r1)
	stdu	%r1, -FRAME(%r1)
	.cfi_def_cfa_offset FRAME
	std	%r2, TOC_SAVE(%r1)
	describe_registers
	std	%r14, 112(%r1)
	std	%r15, 120(%r1)
	std	%r16, 128(%r1)
	std	%r17, 136(%r1)
	std	%r18, 144(%r1)
	std	%r19, 152(%r1)
	std	%r20, 160(%r1)
	std	%r21, 168(%r1)
	std	%r22, 176(%r1)
	std	%r23, 184(%r1)
	std	%r24, 192(%r1)
	std	%r25, 200(%r1)
	std	%r26, 208(%r1)
	std	%r27, 216(%r1)
	std	%r28, 224(%r1)
	std	%r29, 232(%r1)
	std	%r30, 240(%r1)
	std	%r31, 248(%r1)
	stfd	%f14, 256(%r1)
	stfd	%f15, 264(%r1)
	stfd	%f16, 272(%r1)
	stfd	%f17, 280(%r1)
	stfd	%f18, 288(%r1)
	stfd	%f19, 296(%r1)
	stfd	%f20, 304(%r1)
	stfd	%f21, 312(%r1)
	stfd	%f22, 320(%r1)
	stfd	%f23, 328(%r1)
	stfd	%f24, 336(%r1)
	stfd	%f25, 344(%r1)
	stfd	%f26, 352(%r1)
	stfd	%f27, 360(%r1)
	stfd	%f28, 368(%r1)
	stfd	%f29, 376(%r1)
	stfd	%f30, 384(%r1)
	stfd	%f31, 392(%r1)
	unless_altivec
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
1:
	.endm

	.macro restore_registers
	unless_altivec
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
1:
	lfd	%f14, 256(%r1)
	lfd	%f15, 264(%r1)
	lfd	%f16, 272(%r1)
	lfd	%f17, 280(%r1)
	lfd	%f18, 288(%r1)
	lfd	%f19, 296(%r1)
	lfd	%f20, 304(%r1)
	lfd	%f21, 312(%r1)
	lfd	%f22, 320(%r1)
	lfd	%f23, 328(%r1)
	lfd	%f24, 336(%r1)
	lfd	%f25, 344(%r1)
	lfd	%f26, 352(%r1)
	lfd	%f27, 360(%r1)
	lfd	%f28, 368(%r1)
	lfd	%f29, 376(%r1)
	lfd	%f30, 384(%r1)
	lfd	%f31, 392(%r1)
	ld	%r14, 112(%r1)
	ld	%r15, 120(%r1)
	ld	%r16, 128(%r1)
	ld	%r17, 136(%r1)
	ld	%r18, 144(%r1)
	ld	%r19, 152(%r1)
	ld	%r20, 160(%r1)
	ld	%r21, 168(%r1)
	ld	%r22, 176(%r1)
	ld	%r23, 184(%r1)
	ld	%r24, 192(%r1)
	ld	%r25, 200(%r1)
	ld	%r26, 208(%r1)
	ld	%r27, 216(%r1)
	ld	%r28, 224(%r1)
	ld	%r29, 232(%r1)
	ld	%r30, 240(%r1)
	ld	%r31, 248(%r1)
	ld	%r2, TOC_SAVE(%r1)
	addi	%r1, %r1, FRAME
	.cfi_def_cfa_offset 0
	.cfi_restore 2
	.cfi_restore 14
	.cfi_restore 46
	.cfi_restore 15
	.cfi_restore 47
	.cfi_restore 16
	.cfi_restore 48
	.cfi_restore 17
	.cfi_restore 49
	.cfi_restore 18
	.cfi_restore 50
	.cfi_restore 19
	.cfi_restore 51
	.cfi_restore 20
	.cfi_restore 52
	.cfi_restore 21
	.cfi_restore 53
	.cfi_restore 22
	.cfi_restore 54
	.cfi_restore 23
	.cfi_restore 55
	.cfi_restore 24
	.cfi_restore 56
	.cfi_restore 25
	.cfi_restore 57
	.cfi_restore 26
	.cfi_restore 58
	.cfi_restore 27
	.cfi_restore 59
	.cfi_restore 28
	.cfi_restore 60
	.cfi_restore 29
	.cfi_restore 61
	.cfi_restore 30
	.cfi_restore 62
	.cfi_restore 31
	.cfi_restore 63
	ld	%r0, LR_SAVE(%r1)
	mtlr	%r0
	.cfi_restore LR
	lwz	%r0, CR_SAVE(%r1)
	mtcrf	0x38, %r0
	.cfi_restore CR
	.endm

	/* On a stack that was left by save_registers. */
	.macro describe_frame
	.cfi_def_cfa %r1, FRAME
	describe_registers
	.endm

	/* Call through a pointer. The TOC is not what it was after this. */
	.macro call pointer
#if _CALL_ELF == 2
	mr	%r12, \pointer
	mtctr	%r12
#else
	ld	%r0, 0(\pointer)
	ld	%r2, 8(\pointer)
	mtctr	%r0
#endif
	.endm

/*
 * struct baton_ctx *baton_asm_switch(struct baton_ctx *from,
 *				      struct baton_ctx *to)
 *	r3 from, r4 to
 */
FUNC(baton_asm_switch)
	save_registers
	std	%r1, CTX_SP(%r3)
	mffs	%f0
	stfd	%f0, CTX_FPSCR(%r3)
.Lgo_on:
	lwz	%r5, FPSCR_LOW(%r3)
	lwz	%r6, FPSCR_LOW(%r4)
	xor	%r5, %r5, %r6
	ld	%r7, CTX_ENTRY(%r4)
	andi.	%r5, %r5, FPSCR_CONTROL
	li	%r0, 0
	ld	%r1, CTX_SP(%r4)
	/* Nothing of @from is used from here on: it may be resumed. Release;
	 * pairs with sched_stack_left(), core/switch.h. */
	lwsync
	stw	%r0, CTX_ON_STACK(%r3)
	bne	2f
0:
	cmpdi	%r7, 0
	bne	.Lentry
	.cfi_remember_state
	mr	%r3, %r4
	restore_registers
	blr
	.cfi_restore_state
2:
	lfd	%f0, CTX_FPSCR(%r4)
	mtfsf	3, %f0
	b	0b
END(baton_asm_switch)

/*
 * A new fiber's first frame, on its empty stack. Jumped to.
 *	r4 its context, r7 its entry
 */
FUNC(baton_asm_entry)
.Lentry:
	.cfi_undefined LR
	li	%r0, 0
	addi	%r1, %r1, -LINKAGE
	.cfi_def_cfa_offset LINKAGE
	std	%r0, 0(%r1)		/* the back chain ends here */
	std	%r0, CTX_ENTRY(%r4)
	mr	%r31, %r4
	mr	%r3, %r4
	call	%r7
	bctrl
	/* The end of the fiber; r3 is whom to go on with. */
	mr	%r4, %r3
	mr	%r3, %r31
	mffs	%f0
	stfd	%f0, CTX_FPSCR(%r3)
	b	.Lgo_on
END(baton_asm_entry)

/*
 * struct baton_ctx *baton_asm_leave(struct baton_ctx *from, void *sp,
 *				     void (*fn)(void *), void *arg)
 *	r3 from, r4 sp, r5 fn, r6 arg
 */
FUNC(baton_asm_leave)
	save_registers
	mffs	%f0
	stfd	%f0, CTX_FPSCR(%r3)
	std	%r1, CTX_SP(%r3)
	/* The scheduler's frames have no caller: it was not called. */
	.cfi_undefined LR
	.cfi_def_cfa %r1, LINKAGE
	li	%r0, 0
	addi	%r1, %r4, -LINKAGE
	std	%r0, 0(%r1)
	lwsync				/* release; as in baton_asm_switch */
	stw	%r0, CTX_ON_STACK(%r3)
	mr	%r3, %r6
	call	%r5
	bctrl
	trap
END(baton_asm_leave)

/*
 * void baton_asm_enter(struct baton_ctx *to)
 *	r3 to
 */
FUNC(baton_asm_enter)
	lfd	%f0, CTX_FPSCR(%r3)
	mtfsf	3, %f0
	ld	%r7, CTX_ENTRY(%r3)
	ld	%r1, CTX_SP(%r3)
	mr	%r4, %r3
	cmpdi	%r7, 0
	bne	.Lentry
	describe_frame
	restore_registers
	blr
END(baton_asm_enter)

/*
 * void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save)
 *	r3 fn, r4 arg, r5 sp, r6 save
 *
 * Both directions, call and callback. r31, which fn preserves, leads back to
 * the old stack for us and for the CFI; the back chain does as well.
 */
FUNC(baton_asm_call)
	mflr	%r0
	std	%r0, LR_SAVE(%r1)
	.cfi_offset LR, LR_SAVE
	stdu	%r1, -CALL(%r1)
	.cfi_def_cfa_offset CALL
	std	%r2, TOC_SAVE(%r1)
	.cfi_offset 2, TOC_SAVE - CALL
	std	%r31, LINKAGE(%r1)
	.cfi_offset 31, LINKAGE - CALL
	mr	%r31, %r1
	.cfi_def_cfa_register %r31
	std	%r1, 0(%r6)
	addi	%r5, %r5, -LINKAGE
	std	%r1, 0(%r5)
	std	%r2, TOC_SAVE(%r5)
	mr	%r7, %r3
	mr	%r3, %r4
	mr	%r1, %r5
	call	%r7
STACK_CHANGE
	bctrl
STACK_CHANGED
	mr	%r1, %r31
	.cfi_def_cfa_register %r1
	ld	%r2, TOC_SAVE(%r1)
	.cfi_restore 2
	ld	%r31, LINKAGE(%r1)
	.cfi_restore 31
	addi	%r1, %r1, CALL
	.cfi_def_cfa_offset 0
	ld	%r0, LR_SAVE(%r1)
	mtlr	%r0
	.cfi_restore LR
	blr
END(baton_asm_call)

/*
 * void baton_asm_start(void (*fn)(void *), void *arg, void **save)
 *	r3 fn, r4 arg, r5 save
 */
FUNC(baton_asm_start)
	save_registers
	std	%r1, 0(%r5)
	mr	%r7, %r3
	mr	%r3, %r4
	call	%r7
	bctrl
	restore_registers
	blr
END(baton_asm_start)

/*
 * void baton_asm_finish(void *sp)
 *	r3 sp, as baton_asm_start() saved it
 */
FUNC(baton_asm_finish)
	mr	%r1, %r3
	describe_frame
	restore_registers
	blr
END(baton_asm_finish)

/*
 * struct baton_worker **baton_asm_tls(void)
 *	r3
 */
FUNC(baton_asm_tls)
#if _CALL_ELF == 2
0:
	addis	%r2, %r12, .TOC. - 0b@ha
	addi	%r2, %r2, .TOC. - 0b@l
	.localentry baton_asm_tls, . - 0b
#endif
	addis	%r3, %r2, baton_tls_worker@got@tprel@ha
	ld	%r3, baton_tls_worker@got@tprel@l(%r3)
	add	%r3, %r3, baton_tls_worker@tls
	blr
END(baton_asm_tls)

END_OF_FILE
