/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * ctx.h - a suspended fiber, x86_64, and the routines of switch.S.
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
 * @mxcsr:    SSE control and status
 * @fpucw:    x87 control word
 * @on_stack: 1 while a worker is on this stack. Cleared by switch.S after sp
 *            has moved, read by sched_resume() in core/sched.h before it moves.
 */
struct baton_ctx {
	void *sp;
	struct baton_ctx *(*entry)(struct baton_ctx *self);
	uint32_t mxcsr;
	uint16_t fpucw;
	uint16_t reserved;
	uint32_t on_stack;
};

#define BATON_CTX_OFFSETS(X)				\
	X(CTX_SP, struct baton_ctx, sp);		\
	X(CTX_ENTRY, struct baton_ctx, entry);		\
	X(CTX_MXCSR, struct baton_ctx, mxcsr);		\
	X(CTX_FPUCW, struct baton_ctx, fpucw);		\
	X(CTX_ON_STACK, struct baton_ctx, on_stack)

/* Not to be reached through a table: the calls are a matter of nanoseconds. */
#pragma GCC visibility push(hidden)

/*
 * Suspend the fiber of @from, go on with that of @to. Whoever is suspended
 * gets its own context back on return, so that it need not keep it.
 */
struct baton_ctx *baton_asm_switch(struct baton_ctx *from,
				   struct baton_ctx *to);

/*
 * Suspend the fiber of @from, run @fn(@arg), which never returns, at @sp.
 * Returns as baton_asm_switch() does.
 */
struct baton_ctx *baton_asm_leave(struct baton_ctx *from, void *sp,
				  void (*fn)(void *), void *arg);

/* Drop the current frames, go on with the fiber of @to. */
_Noreturn void baton_asm_enter(struct baton_ctx *to);

/* Run @fn(@arg) at @sp; the stack pointer of here is in *@save meanwhile. */
void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save);

/*
 * As baton_asm_call() without changing stacks. Returns when @fn does, or when
 * baton_asm_finish() says so.
 */
void baton_asm_start(void (*fn)(void *), void *arg, void **save);

/* Drop the current frames and return from the baton_asm_start() of @sp. */
_Noreturn void baton_asm_finish(void *sp);

#pragma GCC visibility pop

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

/*
 * A new fiber, which will run @entry on the stack that ends at @top, aligned
 * to 16, with the control words of the caller.
 */
static inline void baton_ctx_init(struct baton_ctx *ctx, void *top,
				  struct baton_ctx *(*entry)(struct baton_ctx *))
{
	ctx->sp = top;
	ctx->entry = entry;
	baton_control_save(ctx);
}

#endif /* BATON_ASM_CTX_H */
