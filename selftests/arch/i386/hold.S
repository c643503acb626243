/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hold.S - all callee-saved registers at once, i386: see ../hold.h.
 */
#include "../hold-asm.h"

	number	hold_count, 4
	number	hold_words, 4
	number	hold_align, 16
	number	hold_bias, 4

func arch_hold
	pushl	%ebx
	pushl	%ebp
	pushl	%esi
	pushl	%edi
	subl	$12, %esp
	movl	32(%esp), %eax
	pushl	32(%eax)
	pushl	24(%eax)
	pushl	16(%eax)
	pushl	8(%eax)
	movl	48(%eax), %ebx
	movl	56(%eax), %ebp
	movl	64(%eax), %esi
	movl	72(%eax), %edi
	call	*0(%eax)
	movl	48(%esp), %ecx
	movl	%eax, 40(%ecx)
	movl	$0, 44(%ecx)
	movl	%ebx, 560(%ecx)
	movl	%ebp, 568(%ecx)
	movl	%esi, 576(%ecx)
	movl	%edi, 584(%ecx)
	addl	$28, %esp
	popl	%edi
	popl	%esi
	popl	%ebp
	popl	%ebx
	ret

func arch_trash
	movl	4(%esp), %eax
	movl	8(%esp), %ecx
	movl	%ecx, 4(%esp)
	movl	$0x5a5a5a00, %ebx
	movl	$0x5a5a5a01, %ebp
	movl	$0x5a5a5a02, %esi
	movl	$0x5a5a5a03, %edi
	jmp	*%eax

func arch_note_sp
	movl	4(%esp), %eax
	movl	%esp, 128(%eax)
	movl	$0, 132(%eax)
	jmp	*136(%eax)

	.section .note.GNU-stack, "", %progbits
