/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * ctx.h - a suspended fiber, s390x.
 *
 * All callee-saved registers, f8 to f15 among them, and the return address lie
 * on the fiber's stack, at sp; the floating-point control register here.
 */
#ifndef BATON_ASM_CTX_H
#define BATON_ASM_CTX_H

#include <stdint.h>

/**
 * struct baton_ctx - where a fiber goes on
 * @sp:       stack pointer while suspended; of a new fiber, the top
 * @entry:    what a new fiber runs; NULL once it has started. It gets this
 *            struct, and returns the fiber to go on with.
 * @fpc:      floating-point control: masks, rounding
 * @on_stack: 1 while a worker is on this stack. Cleared by switch.S after sp
 *            has moved, read before it moves: core/switch.h.
 */
struct baton_ctx {
	void *sp;
	struct baton_ctx *(*entry)(struct baton_ctx *self);
	uint32_t fpc;
	uint32_t on_stack;
};

/* Of the stack pointer, in bytes, at a call. */
#define BATON_STACK_ALIGN	8

#define BATON_CTX_OFFSETS(X)				\
	X(CTX_SP, struct baton_ctx, sp);		\
	X(CTX_ENTRY, struct baton_ctx, entry);		\
	X(CTX_FPC, struct baton_ctx, fpc);		\
	X(CTX_ON_STACK, struct baton_ctx, on_stack)

/* The control words of here to @ctx, or from there: nothing else of it. */
static inline void baton_control_save(struct baton_ctx *ctx)
{
	__asm__ volatile("stfpc %0" : "=Q"(ctx->fpc));
}

static inline void baton_control_load(const struct baton_ctx *ctx)
{
	__asm__ volatile("lfpc %0" : : "Q"(ctx->fpc));
}

#include "../routines.h"

#endif /* BATON_ASM_CTX_H */
