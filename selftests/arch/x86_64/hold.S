/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hold.S - all callee-saved registers at once, x86_64: see ../hold.h.
 */
#include "../hold-asm.h"

	number	hold_count, 6
	number	hold_words, 6
	number	hold_align, 16
	number	hold_bias, 8

func arch_hold
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movq	48(%rdi), %rbx
	movq	56(%rdi), %rbp
	movq	64(%rdi), %r12
	movq	72(%rdi), %r13
	movq	80(%rdi), %r14
	movq	88(%rdi), %r15
	movq	0(%rdi), %rax
	movq	16(%rdi), %rsi
	movq	24(%rdi), %rdx
	movq	32(%rdi), %rcx
	movq	8(%rdi), %rdi
	call	*%rax
	popq	%rdi
	movq	%rax, 40(%rdi)
	movq	%rbx, 560(%rdi)
	movq	%rbp, 568(%rdi)
	movq	%r12, 576(%rdi)
	movq	%r13, 584(%rdi)
	movq	%r14, 592(%rdi)
	movq	%r15, 600(%rdi)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

func arch_trash
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	$0x5a5a5a00, %rbx
	movq	$0x5a5a5a01, %rbp
	movq	$0x5a5a5a02, %r12
	movq	$0x5a5a5a03, %r13
	movq	$0x5a5a5a04, %r14
	movq	$0x5a5a5a05, %r15
	jmp	*%rax

func arch_note_sp
	movq	%rsp, 128(%rdi)
	jmp	*136(%rdi)

	.section .note.GNU-stack, "", %progbits
