/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * ctx.h - a suspended fiber, x86_64 and (with SSE) i386.
 *
 * All callee-saved integer registers and the return address lie on the
 * fiber's stack, at sp; the control words of both floating-point units here.
 */
#ifndef BATON_ASM_CTX_H
#define BATON_ASM_CTX_H

#include <stdint.h>

/**
 * struct baton_ctx - where a fiber goes on
 * @sp:       stack pointer while suspended; of a new fiber, the top
 * @entry:    what a new fiber runs; NULL once it has started. It gets this
 *            struct, and returns the fiber to go on with.
 * @ssp:      the token of its shadow stack while suspended; 0 without, see
 *            shadow.h
 * @mxcsr:    SSE control and status
 * @fpucw:    x87 control word
 * @on_stack: 1 while a worker is on this stack. Cleared by switch.S after sp
 *            has moved, read before it moves: core/switch.h.
 */
struct baton_ctx {
	void *sp;
	struct baton_ctx *(*entry)(struct baton_ctx *self);
	uintptr_t ssp;
	uint32_t mxcsr;
	uint16_t fpucw;
	uint16_t reserved;
	uint32_t on_stack;
};

/* Of the stack pointer, in bytes, at a call. */
#define BATON_STACK_ALIGN	16

/* From a suspended fiber's sp to where its chain of frame pointers begins. */
#ifdef __x86_64__
#define BATON_CTX_FRAME		40
#else
#define BATON_CTX_FRAME		12
#endif

#define BATON_CTX_OFFSETS(X)				\
	X(CTX_SP, struct baton_ctx, sp);		\
	X(CTX_ENTRY, struct baton_ctx, entry);		\
	X(CTX_SSP, struct baton_ctx, ssp);		\
	X(CTX_MXCSR, struct baton_ctx, mxcsr);		\
	X(CTX_FPUCW, struct baton_ctx, fpucw);		\
	X(CTX_ON_STACK, struct baton_ctx, on_stack)

/* The control words of here to @ctx, or from there: nothing else of it. */
static inline void baton_control_save(struct baton_ctx *ctx)
{
	__asm__("stmxcsr %0" : "=m"(ctx->mxcsr));
	__asm__("fnstcw %0" : "=m"(ctx->fpucw));
}

static inline void baton_control_load(const struct baton_ctx *ctx)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(ctx->mxcsr));
	__asm__ volatile("fldcw %0" : : "m"(ctx->fpucw));
}

#include "../routines.h"

#endif /* BATON_ASM_CTX_H */
