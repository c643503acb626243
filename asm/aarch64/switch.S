/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * switch.S - changing stacks, aarch64 (AAPCS64). PSEUDOCODE.md says what each
 * routine does on any architecture.
 *
 * Saved: x19 to x30, d8 to d15, the stack pointer, and fpcr. Not saved: the
 * signal mask, thread-local storage, fpsr.
 *
 * The return address is signed with the stack pointer of its frame, as
 * compilers do (paciasp), wherever it is put on a stack, and is checked by who
 * takes it from there: a fiber goes on at the same stack pointer. Written as
 * hints: nothing, on a CPU that has none of it.
 */
#define ASM_LANDING	hint #34	/* bti c */

#include "common.h"

#define FRAME	160

	.macro describe_registers
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	.cfi_rel_offset x19, 16
	.cfi_rel_offset x20, 24
	.cfi_rel_offset x21, 32
	.cfi_rel_offset x22, 40
	.cfi_rel_offset x23, 48
	.cfi_rel_offset x24, 56
	.cfi_rel_offset x25, 64
	.cfi_rel_offset x26, 72
	.cfi_rel_offset x27, 80
	.cfi_rel_offset x28, 88
	.cfi_rel_offset d8, 96
	.cfi_rel_offset d9, 104
	.cfi_rel_offset d10, 112
	.cfi_rel_offset d11, 120
	.cfi_rel_offset d12, 128
	.cfi_rel_offset d13, 136
	.cfi_rel_offset d14, 144
	.cfi_rel_offset d15, 152
	.endm

	.macro save_registers
	hint	#25			/* paciasp */
	.cfi_negate_ra_state
	stp	x29, x30, [sp, #-FRAME]!
	.cfi_def_cfa_offset FRAME
	describe_registers
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	.endm

	.macro restore_registers
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	ldp	x29, x30, [sp], #FRAME
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore d8
	.cfi_restore d9
	.cfi_restore d10
	.cfi_restore d11
	.cfi_restore d12
	.cfi_restore d13
	.cfi_restore d14
	.cfi_restore d15
	hint	#29			/* autiasp */
	.cfi_negate_ra_state
	.endm

	/* On a stack that was left by save_registers. */
	.macro describe_frame
	.cfi_def_cfa sp, FRAME
	.cfi_negate_ra_state
	describe_registers
	.endm

/*
 * struct baton_ctx *baton_asm_switch(struct baton_ctx *from,
 *				      struct baton_ctx *to)
 *	x0 from, x1 to; x3 from's control word
 */
FUNC(baton_asm_switch)
	save_registers
	mov	x2, sp
	str	x2, [x0, #CTX_SP]
	mrs	x3, fpcr
	str	x3, [x0, #CTX_FPCR]
.Lgo_on:
	ldr	x4, [x1, #CTX_FPCR]
	ldr	x5, [x1, #CTX_SP]
	ldr	x2, [x1, #CTX_ENTRY]
	add	x0, x0, #CTX_ON_STACK
	cmp	x3, x4
	mov	sp, x5
	/* Nothing of @from is used from here on: it may be resumed. Release;
	 * pairs with sched_stack_left(), core/switch.h. */
	stlr	wzr, [x0]
	b.ne	1f
0:
	cbnz	x2, .Lentry
	.cfi_remember_state
	mov	x0, x1
	restore_registers
	ret
	.cfi_restore_state
1:
	msr	fpcr, x4
	b	0b
END(baton_asm_switch)

/*
 * A new fiber's first frame, on its empty stack. Jumped to.
 *	x1 its context, x2 its entry
 */
FUNC(baton_asm_entry)
.Lentry:
	.cfi_undefined x30
	mov	x29, xzr
	mov	x30, xzr
	str	xzr, [x1, #CTX_ENTRY]
	mov	x19, x1
	mov	x0, x1
	blr	x2
	/* The end of the fiber; x0 is whom to go on with. */
	mov	x1, x0
	mov	x0, x19
	mrs	x3, fpcr
	str	x3, [x0, #CTX_FPCR]
	b	.Lgo_on
END(baton_asm_entry)

/*
 * struct baton_ctx *baton_asm_leave(struct baton_ctx *from, void *sp,
 *				     void (*fn)(void *), void *arg)
 *	x0 from, x1 sp, x2 fn, x3 arg
 */
FUNC(baton_asm_leave)
	save_registers
	mrs	x4, fpcr
	str	x4, [x0, #CTX_FPCR]
	mov	x5, sp
	str	x5, [x0, #CTX_SP]
	/* The scheduler's frames have no caller: it was not called. */
	.cfi_undefined x30
	.cfi_def_cfa sp, 0
	mov	sp, x1
	mov	x29, xzr
	add	x0, x0, #CTX_ON_STACK
	stlr	wzr, [x0]		/* release; as in baton_asm_switch */
	mov	x0, x3
	blr	x2
	brk	#0
END(baton_asm_leave)

/*
 * void baton_asm_enter(struct baton_ctx *to)
 *	x0 to
 */
FUNC(baton_asm_enter)
	ldr	x4, [x0, #CTX_FPCR]
	msr	fpcr, x4
	ldr	x5, [x0, #CTX_SP]
	ldr	x2, [x0, #CTX_ENTRY]
	mov	sp, x5
	mov	x1, x0
	cbnz	x2, .Lentry
	describe_frame
	restore_registers
	ret
END(baton_asm_enter)

/*
 * void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save)
 *	x0 fn, x1 arg, x2 sp, x3 save; x4 scratch
 *
 * Both directions, call and callback. x29, which fn preserves, leads back to
 * the old stack: for us, for the frame chain and for the CFI.
 */
FUNC(baton_asm_call)
	hint	#25			/* paciasp */
	.cfi_negate_ra_state
	stp	x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	mov	x29, sp
	.cfi_def_cfa_register x29
	str	x29, [x3]
	mov	x4, x0
	mov	x0, x1
	mov	sp, x2
STACK_CHANGE
	blr	x4
STACK_CHANGED
	mov	sp, x29
	.cfi_def_cfa_register sp
	ldp	x29, x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	hint	#29			/* autiasp */
	.cfi_negate_ra_state
	ret
END(baton_asm_call)

/*
 * void baton_asm_start(void (*fn)(void *), void *arg, void **save)
 *	x0 fn, x1 arg, x2 save; x3 scratch
 */
FUNC(baton_asm_start)
	save_registers
	str	x29, [x2]		/* sp */
	mov	x3, x0
	mov	x0, x1
	blr	x3
	restore_registers
	ret
END(baton_asm_start)

/*
 * void baton_asm_finish(void *sp)
 *	x0 sp, as baton_asm_start() saved it
 */
FUNC(baton_asm_finish)
	mov	sp, x0
	describe_frame
	restore_registers
	ret
END(baton_asm_finish)

/* GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI, PAC. */
	.section .note.gnu.property, "a"
	.p2align 3
	.long	4
	.long	16
	.long	5
	.string	"GNU"
	.long	0xc0000000
	.long	4
	.long	3
	.long	0

END_OF_FILE
