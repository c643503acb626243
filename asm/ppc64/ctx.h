/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * ctx.h - a suspended fiber, ppc64.
 *
 * All callee-saved registers, f14 to f31 and v20 to v31 among them, the condition
 * register and the return address lie on the fiber's stack, at sp; the
 * floating-point control register here.
 */
#ifndef BATON_ASM_CTX_H
#define BATON_ASM_CTX_H

#include <stdint.h>

/**
 * struct baton_ctx - where a fiber goes on
 * @sp:       stack pointer while suspended; of a new fiber, the top
 * @entry:    what a new fiber runs; NULL once it has started. It gets this
 *            struct, and returns the fiber to go on with.
 * @fpscr:    rounding, enabled exceptions; and status
 * @on_stack: 1 while a worker is on this stack. Cleared by switch.S after sp
 *            has moved, read before it moves: core/switch.h.
 */
struct baton_ctx {
	void *sp;
	struct baton_ctx *(*entry)(struct baton_ctx *self);
	uint64_t fpscr;
	uint32_t on_stack;
};

/* Of the stack pointer, in bytes, at a call. */
#define BATON_STACK_ALIGN	16

#define BATON_CTX_OFFSETS(X)				\
	X(CTX_SP, struct baton_ctx, sp);		\
	X(CTX_ENTRY, struct baton_ctx, entry);		\
	X(CTX_FPSCR, struct baton_ctx, fpscr);		\
	X(CTX_ON_STACK, struct baton_ctx, on_stack)

/* The control words of here to @ctx, or from there: nothing else of it. */
static inline void baton_control_save(struct baton_ctx *ctx)
{
	double d;

	__asm__ volatile("mffs %0" : "=d"(d));
	__builtin_memcpy(&ctx->fpscr, &d, sizeof(d));
}

static inline void baton_control_load(const struct baton_ctx *ctx)
{
	double d;

	__builtin_memcpy(&d, &ctx->fpscr, sizeof(d));
	/* The last two fields: rounding and enabled exceptions, no status. */
	__asm__ volatile("mtfsf 3, %0" : : "d"(d));
}

#include "../routines.h"

#endif /* BATON_ASM_CTX_H */
