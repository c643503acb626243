/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hold.S - all callee-saved registers at once, riscv64: see ../hold.h.
 */
#include "../hold-asm.h"

	number	hold_count, 24
	number	hold_words, 12
	number	hold_align, 16
	number	hold_bias, 0

func arch_hold
	addi	sp, sp, -224
	sd	ra, 200(sp)
	sd	a0, 208(sp)
	sd	s0, 0(sp)
	sd	s1, 8(sp)
	sd	s2, 16(sp)
	sd	s3, 24(sp)
	sd	s4, 32(sp)
	sd	s5, 40(sp)
	sd	s6, 48(sp)
	sd	s7, 56(sp)
	sd	s8, 64(sp)
	sd	s9, 72(sp)
	sd	s10, 80(sp)
	sd	s11, 88(sp)
	fsd	fs0, 96(sp)
	fsd	fs1, 104(sp)
	fsd	fs2, 112(sp)
	fsd	fs3, 120(sp)
	fsd	fs4, 128(sp)
	fsd	fs5, 136(sp)
	fsd	fs6, 144(sp)
	fsd	fs7, 152(sp)
	fsd	fs8, 160(sp)
	fsd	fs9, 168(sp)
	fsd	fs10, 176(sp)
	fsd	fs11, 184(sp)
	ld	s0, 48(a0)
	ld	s1, 56(a0)
	ld	s2, 64(a0)
	ld	s3, 72(a0)
	ld	s4, 80(a0)
	ld	s5, 88(a0)
	ld	s6, 96(a0)
	ld	s7, 104(a0)
	ld	s8, 112(a0)
	ld	s9, 120(a0)
	ld	s10, 128(a0)
	ld	s11, 136(a0)
	fld	fs0, 144(a0)
	fld	fs1, 152(a0)
	fld	fs2, 160(a0)
	fld	fs3, 168(a0)
	fld	fs4, 176(a0)
	fld	fs5, 184(a0)
	fld	fs6, 192(a0)
	fld	fs7, 200(a0)
	fld	fs8, 208(a0)
	fld	fs9, 216(a0)
	fld	fs10, 224(a0)
	fld	fs11, 232(a0)
	ld	t0, 0(a0)
	ld	a1, 16(a0)
	ld	a2, 24(a0)
	ld	a3, 32(a0)
	ld	a0, 8(a0)
	jalr	t0
	ld	a1, 208(sp)
	sd	a0, 40(a1)
	sd	s0, 560(a1)
	sd	s1, 568(a1)
	sd	s2, 576(a1)
	sd	s3, 584(a1)
	sd	s4, 592(a1)
	sd	s5, 600(a1)
	sd	s6, 608(a1)
	sd	s7, 616(a1)
	sd	s8, 624(a1)
	sd	s9, 632(a1)
	sd	s10, 640(a1)
	sd	s11, 648(a1)
	fsd	fs0, 656(a1)
	fsd	fs1, 664(a1)
	fsd	fs2, 672(a1)
	fsd	fs3, 680(a1)
	fsd	fs4, 688(a1)
	fsd	fs5, 696(a1)
	fsd	fs6, 704(a1)
	fsd	fs7, 712(a1)
	fsd	fs8, 720(a1)
	fsd	fs9, 728(a1)
	fsd	fs10, 736(a1)
	fsd	fs11, 744(a1)
	ld	s0, 0(sp)
	ld	s1, 8(sp)
	ld	s2, 16(sp)
	ld	s3, 24(sp)
	ld	s4, 32(sp)
	ld	s5, 40(sp)
	ld	s6, 48(sp)
	ld	s7, 56(sp)
	ld	s8, 64(sp)
	ld	s9, 72(sp)
	ld	s10, 80(sp)
	ld	s11, 88(sp)
	fld	fs0, 96(sp)
	fld	fs1, 104(sp)
	fld	fs2, 112(sp)
	fld	fs3, 120(sp)
	fld	fs4, 128(sp)
	fld	fs5, 136(sp)
	fld	fs6, 144(sp)
	fld	fs7, 152(sp)
	fld	fs8, 160(sp)
	fld	fs9, 168(sp)
	fld	fs10, 176(sp)
	fld	fs11, 184(sp)
	ld	ra, 200(sp)
	addi	sp, sp, 224
	ret

func arch_trash
	mv	t0, a0
	mv	a0, a1
	li	s0, 23040
	li	s1, 23041
	li	s2, 23042
	li	s3, 23043
	li	s4, 23044
	li	s5, 23045
	li	s6, 23046
	li	s7, 23047
	li	s8, 23048
	li	s9, 23049
	li	s10, 23050
	li	s11, 23051
	fmv.d.x	fs0, s0
	fmv.d.x	fs1, s1
	fmv.d.x	fs2, s2
	fmv.d.x	fs3, s3
	fmv.d.x	fs4, s4
	fmv.d.x	fs5, s5
	fmv.d.x	fs6, s6
	fmv.d.x	fs7, s7
	fmv.d.x	fs8, s8
	fmv.d.x	fs9, s9
	fmv.d.x	fs10, s10
	fmv.d.x	fs11, s11
	jr	t0

func arch_note_sp
	sd	sp, 128(a0)
	ld	t0, 136(a0)
	jr	t0

	.section .note.GNU-stack, "", %progbits
