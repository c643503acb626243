/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * switch.S - changing stacks, riscv64 (lp64d). PSEUDOCODE.md says what each
 * routine does on any architecture.
 *
 * Saved: ra, s0 to s11, fs0 to fs11, the stack pointer, and the rounding mode.
 * Not saved: the signal mask, thread-local storage, fflags.
 *
 * Frames: s0 is the frame's upper end; below it lie ra and the caller's s0.
 */
#ifndef __riscv_float_abi_double
#error "riscv64 is written for the lp64d calling convention"
#endif

#include "common.h"

#define FRAME	208

	.macro describe_registers
	.cfi_rel_offset ra, 200
	.cfi_rel_offset s0, 192
	.cfi_rel_offset s1, 184
	.cfi_rel_offset s2, 176
	.cfi_rel_offset s3, 168
	.cfi_rel_offset s4, 160
	.cfi_rel_offset s5, 152
	.cfi_rel_offset s6, 144
	.cfi_rel_offset s7, 136
	.cfi_rel_offset s8, 128
	.cfi_rel_offset s9, 120
	.cfi_rel_offset s10, 112
	.cfi_rel_offset s11, 104
	.cfi_rel_offset fs0, 96
	.cfi_rel_offset fs1, 88
	.cfi_rel_offset fs2, 80
	.cfi_rel_offset fs3, 72
	.cfi_rel_offset fs4, 64
	.cfi_rel_offset fs5, 56
	.cfi_rel_offset fs6, 48
	.cfi_rel_offset fs7, 40
	.cfi_rel_offset fs8, 32
	.cfi_rel_offset fs9, 24
	.cfi_rel_offset fs10, 16
	.cfi_rel_offset fs11, 8
	.endm

	.macro save_registers
	addi	sp, sp, -FRAME
	.cfi_def_cfa_offset FRAME
	sd	ra, 200(sp)
	sd	s0, 192(sp)
	describe_registers
	addi	s0, sp, FRAME
	sd	s1, 184(sp)
	sd	s2, 176(sp)
	sd	s3, 168(sp)
	sd	s4, 160(sp)
	sd	s5, 152(sp)
	sd	s6, 144(sp)
	sd	s7, 136(sp)
	sd	s8, 128(sp)
	sd	s9, 120(sp)
	sd	s10, 112(sp)
	sd	s11, 104(sp)
	fsd	fs0, 96(sp)
	fsd	fs1, 88(sp)
	fsd	fs2, 80(sp)
	fsd	fs3, 72(sp)
	fsd	fs4, 64(sp)
	fsd	fs5, 56(sp)
	fsd	fs6, 48(sp)
	fsd	fs7, 40(sp)
	fsd	fs8, 32(sp)
	fsd	fs9, 24(sp)
	fsd	fs10, 16(sp)
	fsd	fs11, 8(sp)
	.endm

	.macro restore_registers
	ld	s1, 184(sp)
	ld	s2, 176(sp)
	ld	s3, 168(sp)
	ld	s4, 160(sp)
	ld	s5, 152(sp)
	ld	s6, 144(sp)
	ld	s7, 136(sp)
	ld	s8, 128(sp)
	ld	s9, 120(sp)
	ld	s10, 112(sp)
	ld	s11, 104(sp)
	fld	fs0, 96(sp)
	fld	fs1, 88(sp)
	fld	fs2, 80(sp)
	fld	fs3, 72(sp)
	fld	fs4, 64(sp)
	fld	fs5, 56(sp)
	fld	fs6, 48(sp)
	fld	fs7, 40(sp)
	fld	fs8, 32(sp)
	fld	fs9, 24(sp)
	fld	fs10, 16(sp)
	fld	fs11, 8(sp)
	ld	s0, 192(sp)
	ld	ra, 200(sp)
	addi	sp, sp, FRAME
	.cfi_def_cfa_offset 0
	.cfi_restore ra
	.cfi_restore s0
	.cfi_restore s1
	.cfi_restore s2
	.cfi_restore s3
	.cfi_restore s4
	.cfi_restore s5
	.cfi_restore s6
	.cfi_restore s7
	.cfi_restore s8
	.cfi_restore s9
	.cfi_restore s10
	.cfi_restore s11
	.cfi_restore fs0
	.cfi_restore fs1
	.cfi_restore fs2
	.cfi_restore fs3
	.cfi_restore fs4
	.cfi_restore fs5
	.cfi_restore fs6
	.cfi_restore fs7
	.cfi_restore fs8
	.cfi_restore fs9
	.cfi_restore fs10
	.cfi_restore fs11
	.endm

	/* On a stack that was left by save_registers. */
	.macro describe_frame
	.cfi_def_cfa sp, FRAME
	describe_registers
	.endm

/*
 * struct baton_ctx *baton_asm_switch(struct baton_ctx *from,
 *				      struct baton_ctx *to)
 *	a0 from, a1 to; t0 from's rounding mode
 */
FUNC(baton_asm_switch)
	save_registers
	sd	sp, CTX_SP(a0)
	frrm	t0
	sw	t0, CTX_FRM(a0)
.Lgo_on:
	lw	t1, CTX_FRM(a1)
	ld	a2, CTX_ENTRY(a1)
	ld	sp, CTX_SP(a1)
	/* Nothing of @from is used from here on: it may be resumed. Release;
	 * pairs with sched_stack_left(), core/switch.h. */
	fence	rw, w
	sw	zero, CTX_ON_STACK(a0)
	bne	t0, t1, 1f
0:
	bnez	a2, .Lentry
	.cfi_remember_state
	mv	a0, a1
	restore_registers
	ret
	.cfi_restore_state
1:
	fsrm	t1
	j	0b
END(baton_asm_switch)

/*
 * A new fiber's first frame, on its empty stack. Jumped to.
 *	a1 its context, a2 its entry
 */
FUNC(baton_asm_entry)
.Lentry:
	.cfi_undefined ra
	li	s0, 0
	li	ra, 0
	sd	zero, CTX_ENTRY(a1)
	mv	s1, a1
	mv	a0, a1
	jalr	a2
	/* The end of the fiber; a0 is whom to go on with. */
	mv	a1, a0
	mv	a0, s1
	frrm	t0
	sw	t0, CTX_FRM(a0)
	j	.Lgo_on
END(baton_asm_entry)

/*
 * struct baton_ctx *baton_asm_leave(struct baton_ctx *from, void *sp,
 *				     void (*fn)(void *), void *arg)
 *	a0 from, a1 sp, a2 fn, a3 arg
 */
FUNC(baton_asm_leave)
	save_registers
	frrm	t0
	sw	t0, CTX_FRM(a0)
	sd	sp, CTX_SP(a0)
	/* The scheduler's frames have no caller: it was not called. */
	.cfi_undefined ra
	.cfi_def_cfa sp, 0
	mv	sp, a1
	li	s0, 0
	fence	rw, w			/* release; as in baton_asm_switch */
	sw	zero, CTX_ON_STACK(a0)
	mv	a0, a3
	jalr	a2
	ebreak
END(baton_asm_leave)

/*
 * void baton_asm_enter(struct baton_ctx *to)
 *	a0 to
 */
FUNC(baton_asm_enter)
	lw	t0, CTX_FRM(a0)
	fsrm	t0
	ld	a2, CTX_ENTRY(a0)
	ld	sp, CTX_SP(a0)
	mv	a1, a0
	bnez	a2, .Lentry
	describe_frame
	restore_registers
	ret
END(baton_asm_enter)

/*
 * void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save)
 *	a0 fn, a1 arg, a2 sp, a3 save; t0 scratch
 *
 * Both directions, call and callback. s0, which fn preserves, leads back to
 * the old stack: for us, for the frame chain and for the CFI.
 */
FUNC(baton_asm_call)
	addi	sp, sp, -16
	.cfi_def_cfa_offset 16
	sd	ra, 8(sp)
	sd	s0, 0(sp)
	.cfi_rel_offset ra, 8
	.cfi_rel_offset s0, 0
	addi	s0, sp, 16
	.cfi_def_cfa s0, 0
	sd	sp, 0(a3)
	mv	t0, a0
	mv	a0, a1
	mv	sp, a2
STACK_CHANGE
	jalr	t0
STACK_CHANGED
	addi	sp, s0, -16
	.cfi_def_cfa sp, 16
	ld	ra, 8(sp)
	ld	s0, 0(sp)
	.cfi_restore ra
	.cfi_restore s0
	addi	sp, sp, 16
	.cfi_def_cfa_offset 0
	ret
END(baton_asm_call)

/*
 * void baton_asm_start(void (*fn)(void *), void *arg, void **save)
 *	a0 fn, a1 arg, a2 save; t0 scratch
 */
FUNC(baton_asm_start)
	save_registers
	sd	sp, 0(a2)
	mv	t0, a0
	mv	a0, a1
	jalr	t0
	restore_registers
	ret
END(baton_asm_start)

/*
 * void baton_asm_finish(void *sp)
 *	a0 sp, as baton_asm_start() saved it
 */
FUNC(baton_asm_finish)
	mv	sp, a0
	describe_frame
	restore_registers
	ret
END(baton_asm_finish)

END_OF_FILE
