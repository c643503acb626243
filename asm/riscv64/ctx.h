/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * ctx.h - a suspended fiber, riscv64.
 *
 * All callee-saved registers, fs0 to fs11 among them, and the return address
 * lie on the fiber's stack, at sp; the rounding mode here.
 */
#ifndef BATON_ASM_CTX_H
#define BATON_ASM_CTX_H

#include <stdint.h>

/**
 * struct baton_ctx - where a fiber goes on
 * @sp:       stack pointer while suspended; of a new fiber, the top
 * @entry:    what a new fiber runs; NULL once it has started. It gets this
 *            struct, and returns the fiber to go on with.
 * @frm:      rounding mode
 * @on_stack: 1 while a worker is on this stack. Cleared by switch.S after sp
 *            has moved, read before it moves: core/switch.h.
 */
struct baton_ctx {
	void *sp;
	struct baton_ctx *(*entry)(struct baton_ctx *self);
	uint32_t frm;
	uint32_t on_stack;
};

/* Of the stack pointer, in bytes, at a call. */
#define BATON_STACK_ALIGN	16

/* From a suspended fiber's sp to where its chain of frame pointers begins. */
#define BATON_CTX_FRAME		192

#define BATON_CTX_OFFSETS(X)				\
	X(CTX_SP, struct baton_ctx, sp);		\
	X(CTX_ENTRY, struct baton_ctx, entry);		\
	X(CTX_FRM, struct baton_ctx, frm);		\
	X(CTX_ON_STACK, struct baton_ctx, on_stack)

/* The control words of here to @ctx, or from there: nothing else of it. */
static inline void baton_control_save(struct baton_ctx *ctx)
{
	__asm__ volatile("frrm %0" : "=r"(ctx->frm));
}

static inline void baton_control_load(const struct baton_ctx *ctx)
{
	__asm__ volatile("fsrm %0" : : "r"(ctx->frm));
}

#include "../routines.h"

#endif /* BATON_ASM_CTX_H */
