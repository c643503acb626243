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
 * @sp:       stack pointer while suspended
 * @mxcsr:    SSE control and status
 * @fpucw:    x87 control word
 * @on_stack: 1 while a worker is on this stack. Cleared by switch.S after sp
 *            has moved, read by sched_resume() in core/sched.h before it moves.
 */
struct baton_ctx {
	void *sp;
	uint32_t mxcsr;
	uint16_t fpucw;
	uint16_t reserved;
	uint32_t on_stack;
};

#define BATON_CTX_OFFSETS(X)				\
	X(CTX_SP, struct baton_ctx, sp);		\
	X(CTX_MXCSR, struct baton_ctx, mxcsr);		\
	X(CTX_FPUCW, struct baton_ctx, fpucw);		\
	X(CTX_ON_STACK, struct baton_ctx, on_stack)

/* Suspend the fiber of @from, go on with that of @to. */
void baton_asm_switch(struct baton_ctx *from, struct baton_ctx *to);

/* Suspend the fiber of @from, run @fn(@arg), which never returns, at @sp. */
void baton_asm_leave(struct baton_ctx *from, void *sp, void (*fn)(void *),
		     void *arg);

/* Drop the current frames, go on with the fiber of @to. */
_Noreturn void baton_asm_enter(struct baton_ctx *to);

/* Run @fn(@arg) at @sp; the stack pointer of here is in *@save meanwhile. */
void baton_asm_call(void (*fn)(void *), void *arg, void *sp, void **save);

/* As baton_asm_call() without changing stacks; baton_asm_finish() ends it. */
void baton_asm_start(void (*fn)(void *), void *arg, void **save);

/* Drop the current frames and return from the baton_asm_start() of @sp. */
_Noreturn void baton_asm_finish(void *sp);

/* Where a new fiber starts; not to be called. */
void baton_asm_entry(void);

/*
 * Lay out a new fiber's stack as baton_asm_switch() leaves one: it will run
 * @fn(@arg), which must not return, with the control words of the caller.
 * @top is aligned to 16.
 */
static inline void baton_ctx_init(struct baton_ctx *ctx, void *top,
				  void (*fn)(void *), void *arg)
{
	uintptr_t *sp = (uintptr_t *)top - 7;

	sp[0] = 0;				/* r15 */
	sp[1] = 0;				/* r14 */
	sp[2] = (uintptr_t)arg;			/* r13 */
	sp[3] = (uintptr_t)fn;			/* r12 */
	sp[4] = 0;				/* rbx */
	sp[5] = 0;				/* rbp: the end of the chain */
	sp[6] = (uintptr_t)baton_asm_entry;
	ctx->sp = sp;
	__asm__("stmxcsr %0" : "=m"(ctx->mxcsr));
	__asm__("fnstcw %0" : "=m"(ctx->fpucw));
}

#endif /* BATON_ASM_CTX_H */
