/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * switch.S - changing stacks, s390x. PSEUDOCODE.md says what each routine does
 * on any architecture.
 *
 * Saved: r6 to r15, f8 to f15, and the floating-point control register. Not
 * saved: the signal mask, thread-local storage.
 *
 * A caller owes the called a frame of 160 bytes, with the back chain at its
 * lower end and room for the registers. An sp that is kept for a later call is
 * therefore the stack pointer plus 160, which is also what CFI calls the
 * canonical frame address of who is called: below it all is free. Every
 * routine that goes there makes the frame.
 */
#include "common.h"

#define CALLER	160	/* what the called may use of its caller's frame */
#define FRAME	224	/* that, and f8 to f15 */
/* Masks and rounding, binary and decimal; not flags and the exception code. */
#define FPC_CONTROL	0xfc000077

	/* gas counts from the stack pointer of before: CFA is that plus 160 */
	.macro describe_registers
	.cfi_rel_offset %r6, 272
	.cfi_rel_offset %r7, 280
	.cfi_rel_offset %r8, 288
	.cfi_rel_offset %r9, 296
	.cfi_rel_offset %r10, 304
	.cfi_rel_offset %r11, 312
	.cfi_rel_offset %r12, 320
	.cfi_rel_offset %r13, 328
	.cfi_rel_offset %r14, 336
	.cfi_rel_offset %r15, 344
	.cfi_rel_offset %f8, 160
	.cfi_rel_offset %f9, 168
	.cfi_rel_offset %f10, 176
	.cfi_rel_offset %f11, 184
	.cfi_rel_offset %f12, 192
	.cfi_rel_offset %f13, 200
	.cfi_rel_offset %f14, 208
	.cfi_rel_offset %f15, 216
	.endm

	.macro save_registers
	stmg	%r6, %r15, 48(%r15)
	lgr	%r1, %r15
	aghi	%r15, -FRAME
	.cfi_def_cfa_offset FRAME + CALLER
	stg	%r1, 0(%r15)
	describe_registers
	std	%f8, 160(%r15)
	std	%f9, 168(%r15)
	std	%f10, 176(%r15)
	std	%f11, 184(%r15)
	std	%f12, 192(%r15)
	std	%f13, 200(%r15)
	std	%f14, 208(%r15)
	std	%f15, 216(%r15)
	.endm

	.macro restore_registers
	ld	%f8, 160(%r15)
	ld	%f9, 168(%r15)
	ld	%f10, 176(%r15)
	ld	%f11, 184(%r15)
	ld	%f12, 192(%r15)
	ld	%f13, 200(%r15)
	ld	%f14, 208(%r15)
	ld	%f15, 216(%r15)
	lmg	%r6, %r15, FRAME + 48(%r15)
	.cfi_def_cfa_offset CALLER
	.cfi_restore %r6
	.cfi_restore %r7
	.cfi_restore %r8
	.cfi_restore %r9
	.cfi_restore %r10
	.cfi_restore %r11
	.cfi_restore %r12
	.cfi_restore %r13
	.cfi_restore %r14
	.cfi_restore %r15
	.cfi_restore %f8
	.cfi_restore %f9
	.cfi_restore %f10
	.cfi_restore %f11
	.cfi_restore %f12
	.cfi_restore %f13
	.cfi_restore %f14
	.cfi_restore %f15
	.endm

	/* On a stack that was left by save_registers. */
	.macro describe_frame
	.cfi_def_cfa %r15, FRAME + CALLER
	describe_registers
	.endm

/*
 * struct baton_ctx *baton_asm_switch(struct baton_ctx *from,
 *				      struct baton_ctx *to)
 *	r2 from, r3 to
 */
FUNC(baton_asm_switch)
	save_registers
	stg	%r15, CTX_SP(%r2)
	stfpc	CTX_FPC(%r2)
.Lgo_on:
	l	%r4, CTX_FPC(%r2)
	x	%r4, CTX_FPC(%r3)
	lhi	%r0, 0
	nilf	%r4, FPC_CONTROL
	lg	%r15, CTX_SP(%r3)
	/* Nothing of @from is used from here on: it may be resumed. A plain
	 * store is a release; pairs with sched_stack_left(), core/switch.h. */
	st	%r0, CTX_ON_STACK(%r2)
	jne	1f
0:
	ltg	%r1, CTX_ENTRY(%r3)
	jne	.Lentry
	.cfi_remember_state
	lgr	%r2, %r3
	restore_registers
	br	%r14
	.cfi_restore_state
1:
	lfpc	CTX_FPC(%r3)
	j	0b
END(baton_asm_switch)

/*
 * A new fiber's first frame, on its empty stack. Jumped to.
 *	r3 its context, r1 its entry
 */
FUNC(baton_asm_entry)
.Lentry:
	.cfi_undefined %r14
	.cfi_def_cfa %r15, CALLER
	lghi	%r0, 0
	aghi	%r15, -CALLER
	stg	%r0, 0(%r15)		/* the back chain ends here */
	lghi	%r11, 0
	stg	%r0, CTX_ENTRY(%r3)
	lgr	%r6, %r3
	lgr	%r2, %r3
	basr	%r14, %r1
	/* The end of the fiber; r2 is whom to go on with. */
	lgr	%r3, %r2
	lgr	%r2, %r6
	stfpc	CTX_FPC(%r2)
	j	.Lgo_on
END(baton_asm_entry)

/*
 * struct baton_ctx *baton_asm_leave(struct baton_ctx *from, void *sp,
 *				     void (*fn)(void *), void *arg)
 *	r2 from, r3 sp, r4 fn, r5 arg
 */
FUNC(baton_asm_leave)
	save_registers
	stfpc	CTX_FPC(%r2)
	stg	%r15, CTX_SP(%r2)
	/* The scheduler's frames have no caller: it was not called. */
	.cfi_undefined %r14
	.cfi_def_cfa %r15, CALLER
	aghi	%r3, -CALLER
	lgr	%r15, %r3
	lghi	%r0, 0
	stg	%r0, 0(%r15)
	lghi	%r11, 0
	st	%r0, CTX_ON_STACK(%r2)	/* release; as in baton_asm_switch */
	lgr	%r2, %r5
	basr	%r14, %r4
	.insn	e, 0x0001		/* a trap */
END(baton_asm_leave)

/*
 * void baton_asm_enter(struct baton_ctx *to)
 *	r2 to
 */
FUNC(baton_asm_enter)
	lfpc	CTX_FPC(%r2)
	lg	%r15, CTX_SP(%r2)
	lgr	%r3, %r2
	ltg	%r1, CTX_ENTRY(%r2)
	jne	.Lentry
	describe_frame
	restore_registers
	br	%r14
END(baton_asm_enter)

/*
 * void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save)
 *	r2 fn, r3 arg, r4 sp, r5 save; r1 scratch
 *
 * Both directions, call and callback. r11, which fn preserves, leads back to
 * the old stack for us and for the CFI; the back chain does as well.
 */
FUNC(baton_asm_call)
	stmg	%r11, %r15, 88(%r15)
	.cfi_rel_offset %r11, 88
	.cfi_rel_offset %r12, 96
	.cfi_rel_offset %r13, 104
	.cfi_rel_offset %r14, 112
	.cfi_rel_offset %r15, 120
	lgr	%r11, %r15
	.cfi_def_cfa_register %r11
	stg	%r11, 0(%r5)
	aghi	%r4, -CALLER
	stg	%r11, 0(%r4)
	lgr	%r1, %r2
	lgr	%r2, %r3
	lgr	%r15, %r4
STACK_CHANGE
	basr	%r14, %r1
STACK_CHANGED
	lmg	%r11, %r15, 88(%r11)
	.cfi_def_cfa %r15, CALLER
	.cfi_restore %r11
	.cfi_restore %r12
	.cfi_restore %r13
	.cfi_restore %r14
	.cfi_restore %r15
	br	%r14
END(baton_asm_call)

/*
 * void baton_asm_start(void (*fn)(void *), void *arg, void **save)
 *	r2 fn, r3 arg, r4 save; r1, r5 scratch
 */
FUNC(baton_asm_start)
	save_registers
	la	%r5, CALLER(%r15)
	stg	%r5, 0(%r4)
	lgr	%r1, %r2
	lgr	%r2, %r3
	basr	%r14, %r1
	restore_registers
	br	%r14
END(baton_asm_start)

/*
 * void baton_asm_finish(void *sp)
 *	r2 sp, as baton_asm_start() saved it
 */
FUNC(baton_asm_finish)
	aghi	%r2, -CALLER
	lgr	%r15, %r2
	describe_frame
	restore_registers
	br	%r14
END(baton_asm_finish)

END_OF_FILE
