/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * routines.h - the routines of every switch.S. Each ctx.h ends by including
 * this one; nothing else does.
 */
#ifndef BATON_ASM_ROUTINES_H
#define BATON_ASM_ROUTINES_H

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

/* Code by whose CFI the registers of any suspended fiber are found. */
extern const uintptr_t baton_asm_suspended;

#pragma GCC visibility pop

/*
 * A new fiber, which will run @entry on the stack that ends at @top, aligned
 * to 16, with the control words of the caller. Without @entry: a stack to call
 * back on, of a thread that has been running.
 */
static inline void baton_ctx_init(struct baton_ctx *ctx, void *top,
				  struct baton_ctx *(*entry)(struct baton_ctx *))
{
	ctx->sp = top;
	/* As one access: who lists fibers looks. */
	__atomic_store_n(&ctx->entry, entry, __ATOMIC_RELAXED);
	baton_control_save(ctx);
}

#endif /* BATON_ASM_ROUTINES_H */
