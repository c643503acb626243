/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * switch.S - changing stacks, arm (EABI, hard float, ARMv7). PSEUDOCODE.md says
 * what each routine does on any architecture.
 *
 * Saved: r4 to r11, lr, d8 to d15, the stack pointer, and the control bits of
 * fpscr. Not saved: the signal mask, thread-local storage, fpscr's flags.
 *
 * Described twice: in CFI for debuggers, and in the EABI's own tables for what
 * unwinds a running program. Those are exact only at calls, and only where
 * something may be unwound: baton_asm_call and baton_asm_start.
 */
	.syntax	unified
	.arch	armv7-a
	.fpu	vfpv3-d16
	.arm
	.cfi_sections .debug_frame

#define ASM_BEGIN	.fnstart
#define ASM_END		.fnend

#include "common.h"

#define FRAME	104
/* Alternative formats, rounding, flush to zero, traps; not the flags. */
#define FPSCR_CONTROL	0x07f79f00

	.macro describe_registers
	.cfi_rel_offset r4, 68
	.cfi_rel_offset r5, 72
	.cfi_rel_offset r6, 76
	.cfi_rel_offset r7, 80
	.cfi_rel_offset r8, 84
	.cfi_rel_offset r9, 88
	.cfi_rel_offset r10, 92
	.cfi_rel_offset r11, 96
	.cfi_rel_offset lr, 100
	.cfi_rel_offset d8, 0
	.cfi_rel_offset d9, 8
	.cfi_rel_offset d10, 16
	.cfi_rel_offset d11, 24
	.cfi_rel_offset d12, 32
	.cfi_rel_offset d13, 40
	.cfi_rel_offset d14, 48
	.cfi_rel_offset d15, 56
	.endm

	.macro save_registers
	push	{r3-r11, lr}		/* r3: alignment */
	.cfi_def_cfa_offset 40
	vpush	{d8-d15}
	.cfi_def_cfa_offset FRAME
	describe_registers
	.endm

	.macro restore_registers
	vpop	{d8-d15}
	pop	{r3-r11, pc}
	.endm

	/* On a stack that was left by save_registers. */
	.macro describe_frame
	.cfi_def_cfa sp, FRAME
	describe_registers
	.endm

/*
 * struct baton_ctx *baton_asm_switch(struct baton_ctx *from,
 *				      struct baton_ctx *to)
 *	r0 from, r1 to; r2 from's control word
 */
FUNC(baton_asm_switch)
	.cantunwind
	save_registers
	str	sp, [r0, #CTX_SP]
	vmrs	r2, fpscr
	str	r2, [r0, #CTX_FPSCR]
.Lgo_on:
	ldr	r3, [r1, #CTX_FPSCR]
	movw	r12, #(FPSCR_CONTROL & 0xffff)
	movt	r12, #(FPSCR_CONTROL >> 16)
	eor	r2, r2, r3
	ldr	r4, [r1, #CTX_ENTRY]
	tst	r2, r12
	mov	r2, #0
	ldr	sp, [r1, #CTX_SP]
	/* Nothing of @from is used from here on: it may be resumed. Release;
	 * pairs with sched_stack_left(), core/switch.h. */
	dmb	ish
	str	r2, [r0, #CTX_ON_STACK]
	bne	1f
0:
	cmp	r4, #0
	bne	.Lentry
	mov	r0, r1
	restore_registers
1:
	vmsr	fpscr, r3
	b	0b
END(baton_asm_switch)

/*
 * A new fiber's first frame, on its empty stack. Jumped to.
 *	r1 its context, r4 its entry
 */
FUNC(baton_asm_entry)
	.cantunwind
.Lentry:
	.cfi_undefined lr
	mov	r11, #0
	mov	lr, #0
	mov	r3, #0
	str	r3, [r1, #CTX_ENTRY]
	mov	r2, r4
	mov	r4, r1
	mov	r0, r1
	blx	r2
	/* The end of the fiber; r0 is whom to go on with. */
	mov	r1, r0
	mov	r0, r4
	vmrs	r2, fpscr
	str	r2, [r0, #CTX_FPSCR]
	b	.Lgo_on
END(baton_asm_entry)

/*
 * struct baton_ctx *baton_asm_leave(struct baton_ctx *from, void *sp,
 *				     void (*fn)(void *), void *arg)
 *	r0 from, r1 sp, r2 fn, r3 arg
 */
FUNC(baton_asm_leave)
	.cantunwind
	save_registers
	vmrs	r12, fpscr
	str	r12, [r0, #CTX_FPSCR]
	str	sp, [r0, #CTX_SP]
	/* The scheduler's frames have no caller: it was not called. */
	.cfi_undefined lr
	.cfi_def_cfa sp, 0
	mov	sp, r1
	mov	r11, #0
	mov	r12, #0
	dmb	ish			/* release; as in baton_asm_switch */
	str	r12, [r0, #CTX_ON_STACK]
	mov	r0, r3
	blx	r2
	udf	#0
END(baton_asm_leave)

/*
 * void baton_asm_enter(struct baton_ctx *to)
 *	r0 to
 */
FUNC(baton_asm_enter)
	.cantunwind
	ldr	r2, [r0, #CTX_FPSCR]
	vmsr	fpscr, r2
	ldr	r4, [r0, #CTX_ENTRY]
	ldr	sp, [r0, #CTX_SP]
	mov	r1, r0
	cmp	r4, #0
	bne	.Lentry
	describe_frame
	restore_registers
END(baton_asm_enter)

/*
 * void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save)
 *	r0 fn, r1 arg, r2 sp, r3 save
 *
 * Both directions, call and callback. r11, which fn preserves, leads back to
 * the old stack: for us, for the CFI and for the EABI's tables.
 */
FUNC(baton_asm_call)
	push	{r11, lr}
	.save	{r11, lr}
	.cfi_def_cfa_offset 8
	.cfi_rel_offset r11, 0
	.cfi_rel_offset lr, 4
	mov	r11, sp
	.setfp	r11, sp
	.cfi_def_cfa_register r11
	str	r11, [r3]
	mov	r3, r0
	mov	r0, r1
	mov	sp, r2
STACK_CHANGE
	blx	r3
STACK_CHANGED
	mov	sp, r11
	.cfi_def_cfa_register sp
	pop	{r11, pc}
END(baton_asm_call)

/*
 * void baton_asm_start(void (*fn)(void *), void *arg, void **save)
 *	r0 fn, r1 arg, r2 save; r3 scratch
 */
FUNC(baton_asm_start)
	.save	{r3-r11, lr}
	.vsave	{d8-d15}
	save_registers
	str	sp, [r2]
	mov	r3, r0
	mov	r0, r1
	blx	r3
	restore_registers
END(baton_asm_start)

/*
 * void baton_asm_finish(void *sp)
 *	r0 sp, as baton_asm_start() saved it
 */
FUNC(baton_asm_finish)
	.cantunwind
	mov	sp, r0
	describe_frame
	restore_registers
END(baton_asm_finish)

/*
 * struct baton_worker **baton_asm_tls(void)
 *	r0, r1 scratch
 */
FUNC(baton_asm_tls)
	.cantunwind
	ldr	r0, 1f
0:
	add	r0, pc, r0
	ldr	r0, [r0]
	mrc	p15, 0, r1, c13, c0, 3
	add	r0, r0, r1
	bx	lr
	.p2align 2
1:
	.word	baton_tls_worker(gottpoff) + (. - 0b - 8)
END(baton_asm_tls)

END_OF_FILE
