/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * shadow.h - shadow stacks, x86_64: where the system has turned them on, the
 * CPU keeps return addresses a second time, on a stack that only calls and
 * returns write to, and faults if a return goes elsewhere.
 *
 * A fiber has one of its own, which its foreign calls and their callbacks use
 * as well: they return in the opposite order, as it must be, so that a call
 * changes nothing, and unwinders and longjmp() find on it what they expect. The
 * scheduler has the thread's own. On an adopted thread that one has the frames
 * that called back, and is thus the fiber's; the scheduler has the fiber's.
 *
 * A shadow stack that nobody is on has a *token* on top, which rstorssp takes:
 * no other place can be gone to. saveprevssp leaves one where we were.
 *
 * The kernel's side: Documentation/arch/x86/shstk.rst.
 */
#ifndef BATON_ASM_SHADOW_H
#define BATON_ASM_SHADOW_H

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ctx.h"

/* Of a kernel newer than many headers: Linux 6.6. */
#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack	453
#endif
#ifndef SHADOW_STACK_SET_TOKEN
#define SHADOW_STACK_SET_TOKEN	(1u << 0)
#endif

/*
 * Sizes are multiples of this, and so are the addresses where they end: a page
 * at an end is then never the first of those that could be one huge page.
 */
#define BATON_SHADOW_ALIGN	((size_t)64 << 10)

/* Has the calling thread one? */
static inline bool baton_shadow_on(void)
{
	unsigned long ssp = 0;

	__asm__ volatile("rdsspq %0" : "+r"(ssp));
	return ssp;
}

/* Where the token of an empty one lies that ends at @top. */
static inline uintptr_t baton_shadow_token(uintptr_t top)
{
	return top - 8;
}

/* @addr: 0: anywhere; otherwise there, if nothing is. 0: no. */
static inline uintptr_t baton_shadow_map_one(uintptr_t addr, size_t bytes,
					     unsigned int flags)
{
	long ret = syscall(SYS_map_shadow_stack, addr, bytes, flags);

	return ret == -1 ? 0 : (uintptr_t)ret;
}

/*
 * From @base to @end, if nothing is there. The page with the token comes before
 * what lies below it, or it would become a huge page; and after what lies above
 * it, so that all are one mapping to the kernel.
 */
static inline bool baton_shadow_map_at(uintptr_t base, uintptr_t end,
				       size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (uintptr_t top = end; top != base; top -= size) {
		uintptr_t last = top - page;

		if (baton_shadow_map_one(last, page, SHADOW_STACK_SET_TOKEN)) {
			if (baton_shadow_map_one(top - size, size - page, 0))
				continue;
			munmap((void *)last, page);
		}
		if (top != end)
			munmap((void *)top, end - top);
		return false;
	}
	return true;
}

/*
 * @n of them, of @size bytes each, one above the other. Their lowest address, or
 * 0 without memory.
 */
static inline uintptr_t baton_shadow_map(size_t size, unsigned int n)
{
	size_t room = n * size + BATON_SHADOW_ALIGN;

	/* Who maps something at the same moment may take the place: another. */
	for (int i = 0; i < 10; i++) {
		uintptr_t base = baton_shadow_map_one(0, room, 0);

		if (!base)
			return 0;
		munmap((void *)base, room);
		base = (base + BATON_SHADOW_ALIGN - 1) &
		       ~(BATON_SHADOW_ALIGN - 1);
		if (!baton_shadow_map_at(base, base + n * size, size))
			continue;
		madvise((void *)base, n * size, MADV_NOHUGEPAGE);
		return base;
	}
	return 0;
}

static inline void baton_shadow_unmap(uintptr_t base, size_t bytes)
{
	munmap((void *)base, bytes);
}

/* Does @ctx have a shadow stack? */
static inline bool baton_shadow_has(const struct baton_ctx *ctx)
{
	return ctx->ssp;
}

/*
 * @ctx, which is new, begins on an empty shadow stack, whose token is to lie at
 * @token. What ran there before may have left it without returning: then its
 * frames are dropped, for which we go there. A thread that cannot, having none,
 * leaves them.
 */
static inline void baton_shadow_begin(struct baton_ctx *ctx, uintptr_t token)
{
	unsigned long count = (token - ctx->ssp) / 8, own = 0, one = 1;

	if (__builtin_expect(ctx->ssp == token, 1))
		return;
	if (ctx->ssp && !baton_shadow_on())
		return;
	if (ctx->ssp)
		__asm__ volatile("rdsspq %0\n\t"
				 "subq $8, %0\n\t"
				 "rstorssp (%2)\n\t"
				 "saveprevssp\n"
				 "1:\t"
				 "incsspq %3\n\t"
				 "decq %1\n\t"
				 "jnz 1b\n\t"
				 "rstorssp (%0)\n\t"
				 "saveprevssp"
				 : "+&r"(own), "+&r"(count)
				 : "r"(ctx->ssp), "r"(one)
				 : "memory", "cc");
	ctx->ssp = token;
}

/* The scheduler of this thread is to have that of @token; 0: the thread's own. */
static inline void baton_shadow_scheduler(uintptr_t token)
{
	unsigned long off;

	__asm__ volatile("movq baton_tls_shadow@gottpoff(%%rip), %0\n\t"
			 "movq %1, %%fs:(%0)"
			 : "=&r"(off) : "r"(token) : "memory");
}

/*
 * To where @ctx left its own: frames of that stack are about to be dropped.
 * Part of its caller, which must not return.
 */
static inline __attribute__((always_inline)) void
baton_shadow_resume(const struct baton_ctx *ctx)
{
	if (baton_shadow_on())
		__asm__ volatile("rstorssp (%0)\n\t"
				 "saveprevssp" : : "r"(ctx->ssp) : "memory");
}

#endif /* BATON_ASM_SHADOW_H */
