/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * switch.S - changing stacks, i386 (cdecl). PSEUDOCODE.md says what each
 * routine does on any architecture.
 *
 * Saved: ebx ebp esi edi, the stack pointer, and the control bits of mxcsr and
 * of the x87 unit. Not saved: the signal mask, thread-local storage, mxcsr's
 * status bits, and the shadow stack.
 *
 * Who goes to an sp pushes the argument there first, in 16 bytes of its own.
 */
#define ASM_LANDING	endbr32

#include "common.h"

/* mxcsr: the bits that a function must preserve (masks, rounding, FZ, DAZ) */
#define MXCSR_CONTROL	0xffc0

	.macro save_registers
	pushl	%ebp
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebp, 0
	movl	%esp, %ebp
	pushl	%ebx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebx, 0
	pushl	%esi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset esi, 0
	pushl	%edi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset edi, 0
	.endm

	.macro restore_registers
	popl	%edi
	.cfi_adjust_cfa_offset -4
	.cfi_restore edi
	popl	%esi
	.cfi_adjust_cfa_offset -4
	.cfi_restore esi
	popl	%ebx
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebx
	popl	%ebp
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebp
	.endm

	/* On a stack that was left by save_registers, \extra bytes below. */
	.macro describe_frame extra
	.cfi_def_cfa esp, 20 + \extra
	.cfi_rel_offset ebp, 12 + \extra
	.cfi_rel_offset ebx, 8 + \extra
	.cfi_rel_offset esi, 4 + \extra
	.cfi_rel_offset edi, \extra
	.endm

/*
 * struct baton_ctx *baton_asm_switch(struct baton_ctx *from,
 *				      struct baton_ctx *to)
 *	eax from, edx to; ebx, ecx scratch
 */
FUNC(baton_asm_switch)
	movl	4(%esp), %eax
	movl	8(%esp), %edx
	save_registers
	movl	%esp, CTX_SP(%eax)
	fnstcw	CTX_FPUCW(%eax)
	stmxcsr	CTX_MXCSR(%eax)
.Lgo_on:
	/* Loading a control word stalls, comparing does not. */
	movl	CTX_MXCSR(%eax), %ecx
	xorl	CTX_MXCSR(%edx), %ecx
	movzwl	CTX_FPUCW(%eax), %ebx
	xorw	CTX_FPUCW(%edx), %bx
	andl	$MXCSR_CONTROL, %ecx
	movl	CTX_SP(%edx), %esp
	/* Nothing of @from is used from here on: it may be resumed. A plain
	 * store is a release; pairs with sched_stack_left(), core/switch.h. */
	movl	$0, CTX_ON_STACK(%eax)
	orl	%ebx, %ecx
	jne	1f
0:
	cmpl	$0, CTX_ENTRY(%edx)
	jne	.Lentry
	.cfi_remember_state
	movl	%edx, %eax
	restore_registers
	ret
	.cfi_restore_state
1:
	ldmxcsr	CTX_MXCSR(%edx)
	fldcw	CTX_FPUCW(%edx)
	jmp	0b
END(baton_asm_switch)

/*
 * A new fiber's first frame, on its empty stack. Jumped to.
 *	edx its context
 */
FUNC(baton_asm_entry)
.Lentry:
	.cfi_undefined eip
	xorl	%ebp, %ebp
	movl	CTX_ENTRY(%edx), %ecx
	movl	$0, CTX_ENTRY(%edx)
	movl	%edx, %ebx
	subl	$12, %esp
	pushl	%edx
	call	*%ecx
	/* The end of the fiber; eax is whom to go on with. */
	movl	%eax, %edx
	movl	%ebx, %eax
	stmxcsr	CTX_MXCSR(%eax)
	fnstcw	CTX_FPUCW(%eax)
	jmp	.Lgo_on
END(baton_asm_entry)

/*
 * struct baton_ctx *baton_asm_leave(struct baton_ctx *from, void *sp,
 *				     void (*fn)(void *), void *arg)
 *	eax from, edx sp, ecx fn, esi arg
 */
FUNC(baton_asm_leave)
	movl	4(%esp), %eax
	movl	8(%esp), %edx
	movl	12(%esp), %ecx
	save_registers
	movl	32(%esp), %esi
	stmxcsr	CTX_MXCSR(%eax)
	fnstcw	CTX_FPUCW(%eax)
	movl	%esp, CTX_SP(%eax)
	/* The scheduler's frames have no caller: it was not called. */
	.cfi_undefined eip
	.cfi_def_cfa esp, 4
	movl	%edx, %esp
	xorl	%ebp, %ebp
	movl	$0, CTX_ON_STACK(%eax)	/* release; as in baton_asm_switch */
	subl	$12, %esp
	pushl	%esi
	call	*%ecx
	ud2
END(baton_asm_leave)

/*
 * void baton_asm_enter(struct baton_ctx *to)
 *	edx to
 */
FUNC(baton_asm_enter)
	movl	4(%esp), %edx
	ldmxcsr	CTX_MXCSR(%edx)
	fldcw	CTX_FPUCW(%edx)
	movl	CTX_SP(%edx), %esp
	cmpl	$0, CTX_ENTRY(%edx)
	jne	.Lentry
	describe_frame 0
	movl	%edx, %eax
	restore_registers
	ret
END(baton_asm_enter)

/*
 * void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save)
 *	eax fn, ecx arg, edx sp, save
 *
 * Both directions, call and callback. ebp, which fn preserves, leads back to
 * the old stack: for us, for the frame-pointer chain and for the CFI.
 */
FUNC(baton_asm_call)
	pushl	%ebp
	.cfi_def_cfa_offset 8
	.cfi_offset ebp, -8
	movl	%esp, %ebp
	.cfi_def_cfa_register ebp
	subl	$8, %esp		/* alignment */
	movl	20(%ebp), %edx
	movl	%esp, (%edx)
	movl	8(%ebp), %eax
	movl	12(%ebp), %ecx
	movl	16(%ebp), %esp
	subl	$12, %esp
	pushl	%ecx
STACK_CHANGE
	call	*%eax
STACK_CHANGED
	movl	%ebp, %esp
	popl	%ebp
	.cfi_def_cfa esp, 4
	.cfi_restore ebp
	ret
END(baton_asm_call)

/*
 * void baton_asm_start(void (*fn)(void *), void *arg, void **save)
 *	eax fn, ecx arg, edx save
 */
FUNC(baton_asm_start)
	movl	4(%esp), %eax
	movl	8(%esp), %ecx
	movl	12(%esp), %edx
	save_registers
	subl	$8, %esp		/* alignment */
	.cfi_adjust_cfa_offset 8
	pushl	%ecx
	.cfi_adjust_cfa_offset 4
	movl	%esp, (%edx)
	call	*%eax
	addl	$12, %esp
	.cfi_adjust_cfa_offset -12
	restore_registers
	ret
END(baton_asm_start)

/*
 * void baton_asm_finish(void *sp)
 *	sp, as baton_asm_start() saved it
 */
FUNC(baton_asm_finish)
	movl	4(%esp), %esp
	describe_frame 12
	addl	$12, %esp
	.cfi_adjust_cfa_offset -12
	restore_registers
	ret
END(baton_asm_finish)

/*
 * struct baton_worker **baton_asm_tls(void)
 *	eax, ecx scratch
 */
FUNC(baton_asm_tls)
	call	1f
0:
	addl	$_GLOBAL_OFFSET_TABLE_ + (. - 0b), %eax
	movl	baton_tls_worker@gotntpoff(%eax), %eax
	addl	%gs:0, %eax
	ret
1:
	movl	(%esp), %eax
	ret
END(baton_asm_tls)

/* GNU_PROPERTY_X86_FEATURE_1_AND: IBT. */
	.section .note.gnu.property, "a"
	.p2align 2
	.long	4
	.long	12
	.long	5
	.string	"GNU"
	.long	0xc0000002
	.long	4
	.long	1

END_OF_FILE
