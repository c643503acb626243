/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * switch.S - changing stacks, x86_64 System V. PSEUDOCODE.md says what each
 * routine does on any architecture.
 *
 * Saved: rbx rbp r12-r15, the stack pointer, and the control bits of mxcsr and
 * of the x87 unit, as the ABI has it; and, where the thread has one, the shadow
 * stack pointer. Not saved: the signal mask, thread-local storage, mxcsr's
 * status bits.
 *
 * Frames: every routine keeps rbp chained, and its CFI is exact at every
 * instruction, on both sides of the change, but for the few on which a new
 * fiber, which has no frames to describe, is told from an old one.
 *
 * There is no endbr64: each routine is hidden, and is called or jumped to by
 * its name alone, so that no indirect branch ever comes here.
 */
#include "common.h"

/* mxcsr: the bits that a function must preserve (masks, rounding, FZ, DAZ) */
#define MXCSR_CONTROL	0xffc0

	.macro save_registers
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	movq	%rsp, %rbp
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	.endm

	.macro restore_registers
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	.endm

/*
 * @from (rdi) may be resumed from here on, and is not used again: a plain store
 * is a release; pairs with sched_stack_left(), core/switch.h. "Not equal" if the
 * control words of @to (rsi) must be loaded, which stalls; comparing does not.
 */
	.macro release_from
	movl	CTX_MXCSR(%rsi), %edx
	movzwl	CTX_FPUCW(%rsi), %ecx
	xorl	CTX_MXCSR(%rdi), %edx
	xorw	CTX_FPUCW(%rdi), %cx
	andl	$MXCSR_CONTROL, %edx
	movl	$0, CTX_ON_STACK(%rdi)
	orl	%ecx, %edx
	.endm

	.macro load_control
	ldmxcsr	CTX_MXCSR(%rsi)
	fldcw	CTX_FPUCW(%rsi)
	.endm

/*
 * Shadow stacks: shadow.h. rdsspq is a nop on a thread without, and on a CPU
 * that knows none: rax is 0 and "zero" set.
 */
	.macro shadow_read
	xorl	%eax, %eax
	rdsspq	%rax
	testq	%rax, %rax
	.endm

/* Of @from (rdi), its pointer being rax: where shadow_go will leave a token. */
	.macro shadow_save
	subq	$8, %rax		/* below what is on it */
	movq	%rax, CTX_SSP(%rdi)
	.endm

/* To the shadow stack whose token \token points to; our own gets one. */
	.macro shadow_go token:req
	movq	\token, %rax
	rstorssp (%rax)
	saveprevssp
	.endm

/*
 * From the shadow stack of @from (rdi) to that of @to (rsi), which has one; rax
 * scratch. The token is in place before on_stack is cleared: x86 keeps the order
 * of stores.
 */
	.macro shadow_switch
	shadow_read
	jz	9f
	shadow_save
	shadow_go CTX_SSP(%rsi)
9:
	.endm

/* Drop what was pushed since the pointer (rax now) was \to; rcx, rdx scratch. */
	.macro shadow_drop to:req
	movq	\to, %rcx
	subq	%rax, %rcx
	shrq	$3, %rcx
	movl	$255, %edx		/* the most that incsspq counts to */
8:
	cmpq	%rdx, %rcx
	cmovbq	%rcx, %rdx
	incsspq	%rdx
	subq	%rdx, %rcx
	jnz	8b
	.endm

/*
 * struct baton_ctx *baton_asm_switch(struct baton_ctx *from,
 *				      struct baton_ctx *to)
 *	rdi from, rsi to; eax, ecx, edx scratch
 *
 * Ends in ret rather than in an indirect jump: two fibers that change places
 * at the same depth of calls keep the CPU's stack of return addresses right.
 * The control words are stored first and compared last: storing mxcsr is the
 * slowest of it all, and goes on meanwhile. Two things are rare of @to, and are
 * asked at once: that it is new, and that it has a shadow stack. Where threads
 * have one all fibers do.
 */
FUNC(baton_asm_switch)
	stmxcsr	CTX_MXCSR(%rdi)
	fnstcw	CTX_FPUCW(%rdi)
	save_registers
	movq	%rsp, CTX_SP(%rdi)
.Lgo_on:
	movq	CTX_ENTRY(%rsi), %rax
	orq	CTX_SSP(%rsi), %rax
	jne	3f
4:
	.cfi_remember_state
	movq	CTX_SP(%rsi), %rsp
	movq	%rsi, %rax
	restore_registers
	release_from
	jne	1f
	ret
1:
	load_control
	ret
3:
	.cfi_restore_state
	cmpq	$0, CTX_SSP(%rsi)
	je	2f
	shadow_switch
	cmpq	$0, CTX_ENTRY(%rsi)
	je	4b
	/* A new fiber, on its empty stack. */
2:
	movq	CTX_SP(%rsi), %rsp
	.cfi_undefined rip
	release_from
	je	baton_asm_entry
	load_control
	jmp	baton_asm_entry
END(baton_asm_switch)

/*
 * A new fiber's first frame, on its empty stack. Jumped to.
 *	rsi its context
 *
 * Nothing here unbalances the CPU's stack of return addresses: a fiber that
 * is started by a switch and ends by going back costs no misprediction.
 */
FUNC(baton_asm_entry)
	.cfi_undefined rip
	xorl	%ebp, %ebp
	movq	CTX_ENTRY(%rsi), %rax
	movq	$0, CTX_ENTRY(%rsi)
	movq	%rsi, %rbx
	movq	%rsi, %rdi
	call	*%rax
	/*
	 * The end of the fiber; rax is whom to go on with. Nobody wants its
	 * control words, so that those of @to are loaded, which is a third of
	 * what it takes to store and compare. release_from finds them equal.
	 */
	movq	%rbx, %rdi
	movq	%rax, %rsi
	load_control
	movl	CTX_MXCSR(%rsi), %edx
	movzwl	CTX_FPUCW(%rsi), %ecx
	movl	%edx, CTX_MXCSR(%rdi)
	movw	%cx, CTX_FPUCW(%rdi)
	jmp	.Lgo_on
END(baton_asm_entry)

/*
 * struct baton_ctx *baton_asm_leave(struct baton_ctx *from, void *sp,
 *				     void (*fn)(void *), void *arg)
 *	rdi from, rsi sp, rdx fn, rcx arg
 */
FUNC(baton_asm_leave)
	save_registers
	stmxcsr	CTX_MXCSR(%rdi)
	fnstcw	CTX_FPUCW(%rdi)
	movq	%rsp, CTX_SP(%rdi)
	shadow_read
	jz	1f
	shadow_save
	movq	baton_tls_shadow@gottpoff(%rip), %rax
	shadow_go %fs:(%rax)
1:
	/* The scheduler's frames have no caller: it was not called. */
	.cfi_undefined rip
	.cfi_def_cfa rsp, 8
	movq	%rsi, %rsp
	xorl	%ebp, %ebp
	movl	$0, CTX_ON_STACK(%rdi)	/* release; as in baton_asm_switch */
	movq	%rcx, %rdi
	call	*%rdx
	ud2
END(baton_asm_leave)

/*
 * void baton_asm_enter(struct baton_ctx *to)
 *	rdi to
 */
FUNC(baton_asm_enter)
	ldmxcsr	CTX_MXCSR(%rdi)
	fldcw	CTX_FPUCW(%rdi)
	shadow_read
	jz	1f
	/* The scheduler's frames go, so that the token is always in one place;
	 * on this thread's first time, where it is now. */
	movq	baton_tls_shadow@gottpoff(%rip), %rsi
	movq	%fs:(%rsi), %r8
	testq	%r8, %r8
	jnz	2f
	leaq	-8(%rax), %r8
	movq	%r8, %fs:(%rsi)
2:
	addq	$8, %r8
	shadow_drop %r8
	shadow_go CTX_SSP(%rdi)
1:
	movq	CTX_SP(%rdi), %rsp
	movq	%rdi, %rsi
	cmpq	$0, CTX_ENTRY(%rdi)
	jne	baton_asm_entry
	.cfi_def_cfa rsp, 56
	.cfi_rel_offset rbp, 40
	.cfi_rel_offset rbx, 32
	.cfi_rel_offset r12, 24
	.cfi_rel_offset r13, 16
	.cfi_rel_offset r14, 8
	.cfi_rel_offset r15, 0
	movq	%rdi, %rax
	restore_registers
	ret
END(baton_asm_enter)

/*
 * void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save)
 *	rdi fn, rsi arg, rdx sp, rcx save; rax scratch
 *
 * Both directions, call and callback. rbp, which fn preserves, leads back to
 * the old stack: for us, for the frame-pointer chain and for the CFI.
 */
FUNC(baton_asm_call)
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register rbp
	movq	%rsp, (%rcx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsp
STACK_CHANGE
	call	*%rax
STACK_CHANGED
	movq	%rbp, %rsp
	popq	%rbp
	.cfi_def_cfa rsp, 8
	.cfi_restore rbp
	ret
END(baton_asm_call)

/*
 * void baton_asm_start(void (*fn)(void *), void *arg, void **save)
 *	rdi fn, rsi arg, rdx save; rax scratch
 *
 * The shadow stack pointer, or 0, fills the frame up to its alignment.
 */
FUNC(baton_asm_start)
	save_registers
	shadow_read
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	movq	%rsp, (%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	restore_registers
	ret
END(baton_asm_start)

/*
 * void baton_asm_finish(void *sp)
 *	rdi sp, as baton_asm_start() saved it
 */
FUNC(baton_asm_finish)
	movq	%rdi, %rsp
	.cfi_def_cfa rsp, 64
	.cfi_rel_offset rbp, 48
	.cfi_rel_offset rbx, 40
	.cfi_rel_offset r12, 32
	.cfi_rel_offset r13, 24
	.cfi_rel_offset r14, 16
	.cfi_rel_offset r15, 8
	cmpq	$0, (%rsp)
	je	1f
	shadow_read
	shadow_drop (%rsp)
1:
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	restore_registers
	ret
END(baton_asm_finish)

/*
 * Where the token of the scheduler's shadow stack lies while it does not run;
 * 0 before it has.
 */
	.section .tbss, "awT", @nobits
	.p2align 3
	.globl	baton_tls_shadow
	.hidden	baton_tls_shadow
	.type	baton_tls_shadow, @object
	.size	baton_tls_shadow, 8
baton_tls_shadow:
	.zero	8

/* GNU_PROPERTY_X86_FEATURE_1_AND: IBT, SHSTK. */
	.section .note.gnu.property, "a"
	.p2align 3
	.long	1f - 0f
	.long	4f - 1f
	.long	5
0:	.string	"GNU"
1:	.p2align 3
	.long	0xc0000002
	.long	3f - 2f
2:	.long	3
3:	.p2align 3
4:

END_OF_FILE
