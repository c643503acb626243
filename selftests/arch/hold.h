/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hold.h - every callee-saved register of the architecture at once. What each
 * <arch>/hold.S defines.
 */
#ifndef SELFTESTS_ARCH_HOLD_H
#define SELFTESTS_ARCH_HOLD_H

#include <stdint.h>

#define HOLD_MAX	64

/**
 * struct hold - registers around a call. hold.S knows where each field is.
 * @fn:  what to call, with @arg; an address, as all of these
 * @ret: what it returned
 * @in:  what the registers are when it is called
 * @out: what they are when it has returned
 */
struct hold {
	uint64_t fn;
	uint64_t arg[4];
	uint64_t ret;
	uint64_t in[HOLD_MAX];
	uint64_t out[HOLD_MAX];
};

/**
 * struct note - what arch_note_sp() gets, and what it does
 * @ctx:  room for a context, if it is called as a fiber's entry
 * @sp:   the stack pointer that it was entered with
 * @next: what it goes on to, with the same argument
 */
struct note {
	char ctx[128];
	uint64_t sp;
	uint64_t next;
};

/*
 * How many registers there are in @in and @out; the first so many of them are
 * as wide as a pointer, the others 64 bits.
 */
extern const uint32_t hold_count, hold_words;

/* What the ABI says of the stack pointer on entry, plus so much. */
extern const uint32_t hold_align, hold_bias;

void arch_hold(struct hold *h);

/* Fill all of these registers with rubbish and go on to @fn(@arg). */
void arch_trash(void (*fn)(void *), void *arg);

void arch_note_sp(void *note);

#endif /* SELFTESTS_ARCH_HOLD_H */
