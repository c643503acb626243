/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * noshadow.h - of an architecture whose switch.S knows no shadow stacks:
 * x86_64/shadow.h says what these do. Included by a shadow.h.
 */
#ifndef BATON_ASM_NOSHADOW_H
#define BATON_ASM_NOSHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctx.h"

#define BATON_SHADOW_ALIGN	((size_t)1)

static inline bool baton_shadow_on(void)
{
	return false;
}

static inline uintptr_t baton_shadow_token(uintptr_t top)
{
	(void)top;
	return 0;
}

static inline uintptr_t baton_shadow_map(size_t size, unsigned int n)
{
	(void)size;
	(void)n;
	return 0;
}

static inline void baton_shadow_unmap(uintptr_t base, size_t bytes)
{
	(void)base;
	(void)bytes;
}

static inline bool baton_shadow_has(const struct baton_ctx *ctx)
{
	(void)ctx;
	return false;
}

static inline void baton_shadow_begin(struct baton_ctx *ctx, uintptr_t token)
{
	(void)ctx;
	(void)token;
}

static inline void baton_shadow_scheduler(uintptr_t token)
{
	(void)token;
}

static inline void baton_shadow_resume(const struct baton_ctx *ctx)
{
	(void)ctx;
}

#endif /* BATON_ASM_NOSHADOW_H */
