/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * ctx.h - a suspended fiber, aarch64.
 *
 * All callee-saved registers, the low halves of v8 to v15 among them, and the
 * return address, signed where the CPU does that, lie on the fiber's stack, at
 * sp; the floating-point control register here.
 */
#ifndef BATON_ASM_CTX_H
#define BATON_ASM_CTX_H

#include <stdint.h>

/**
 * struct baton_ctx - where a fiber goes on
 * @sp:       stack pointer while suspended; of a new fiber, the top
 * @entry:    what a new fiber runs; NULL once it has started. It gets this
 *            struct, and returns the fiber to go on with.
 * @fpcr:     rounding, flush to zero, traps
 * @on_stack: 1 while a worker is on this stack. Cleared by switch.S after sp
 *            has moved, read before it moves: core/switch.h.
 */
struct baton_ctx {
	void *sp;
	struct baton_ctx *(*entry)(struct baton_ctx *self);
	uint64_t fpcr;
	uint32_t on_stack;
};

/* Of the stack pointer, in bytes, at a call. */
#define BATON_STACK_ALIGN	16

/* From a suspended fiber's sp to where its chain of frame pointers begins. */
#define BATON_CTX_FRAME		0

#define BATON_CTX_OFFSETS(X)				\
	X(CTX_SP, struct baton_ctx, sp);		\
	X(CTX_ENTRY, struct baton_ctx, entry);		\
	X(CTX_FPCR, struct baton_ctx, fpcr);		\
	X(CTX_ON_STACK, struct baton_ctx, on_stack)

/* The control words of here to @ctx, or from there: nothing else of it. */
static inline void baton_control_save(struct baton_ctx *ctx)
{
	__asm__ volatile("mrs %0, fpcr" : "=r"(ctx->fpcr));
}

static inline void baton_control_load(const struct baton_ctx *ctx)
{
	__asm__ volatile("msr fpcr, %0" : : "r"(ctx->fpcr));
}

#include "../routines.h"

#endif /* BATON_ASM_CTX_H */
