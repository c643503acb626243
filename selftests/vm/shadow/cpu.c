// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cpu.c - LD_PRELOAD for Bochs: three mistakes of its version 2.7 put right, for
 * which Linux would not keep the shadow stack pointers of two threads apart.
 *
 * CPUID does not say that XSAVES saves them, nor the size of what it saves.
 * XSAVES saves them when there are none instead of when there are some, and
 * 160 bytes from where XRSTORS looks, as all that comes after the SSE registers.
 *
 * All are in tables, which are found by their names. Protection keys, on which
 * CPUID is wrong as well, go.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define VTABLE		"_ZTV11tigerlake_t"
#define CPUID_LEAF	"_ZNK11tigerlake_t14get_cpuid_leafEjjP16cpuid_function_t"
#define XSAVE_TABLE	"xsave_restore"
#define IN_USE		"_ZN8BX_CPU_C24xsave_cet_u_state_xinuseEv"

#define VTABLE_WORDS	11
/* A feature's sizes, and four pointers to members, of two words each */
#define XSAVE_WORDS	9
#define XSAVE_FEATURES	19

#define XSTATE_SSE	1
#define XSTATE_PKRU	9
#define XSTATE_CET_USER	11
#define XSTATE_LEGACY	160	/* bytes before the SSE registers */
#define XSTATE_HEADER	576	/* bytes: legacy area and header */
#define CET_USER_SIZE	16
#define PKU		(1u << 3)	/* leaf 7, ecx */

struct regs {
	uint32_t eax, ebx, ecx, edx;
};

static void (*cpuid_leaf)(const void *this, uint32_t leaf, uint32_t sub,
			  struct regs *regs);
static bool (*in_use)(void *this);

static void *symbol(const char *name)
{
	void *p = dlsym(RTLD_DEFAULT, name);

	if (!p) {
		fprintf(stderr, "not a Bochs we know: no %s\n", name);
		_exit(125);
	}
	return p;
}

/* The word that is @from becomes @to. */
static void replace(void **table, size_t words, void *from, void *to)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t)table & ~(page - 1);

	if (mprotect((void *)first, (uintptr_t)(table + words) - first,
		     PROT_READ | PROT_WRITE))
		_exit(125);
	for (size_t i = 0; i < words; i++)
		if (table[i] == from)
			table[i] = to;
}

static bool really_in_use(void *this)
{
	return !in_use(this);
}

/* Again each time, for CPUID is asked before a CPU has filled in this table. */
static void put_xsave_right(void)
{
	void **table = symbol(XSAVE_TABLE);

	/* Where XSAVES goes on after them. Nobody else asks for this one. */
	*(uint32_t *)&table[XSTATE_SSE * XSAVE_WORDS] =
		XSTATE_HEADER - XSTATE_LEGACY;
	replace(table, XSAVE_FEATURES * XSAVE_WORDS, (void *)in_use,
		(void *)really_in_use);
}

/*
 * Bytes of what the ones in @features stand for: *@packed one after the other,
 * *@apart each in its own place.
 */
static void xstate_sizes(const void *this, uint32_t features, uint32_t *packed,
			 uint32_t *apart)
{
	struct regs regs;

	*packed = *apart = XSTATE_HEADER;
	for (uint32_t i = 2; i < 32; i++) {
		if (!(features & 1u << i))
			continue;
		cpuid_leaf(this, 0xd, i, &regs);
		*packed += regs.eax;
		if (regs.ebx + regs.eax > *apart)
			*apart = regs.ebx + regs.eax;
	}
}

static void xsave_leaf(const void *this, uint32_t sub, struct regs *regs)
{
	uint32_t packed, apart;
	struct regs user;

	cpuid_leaf(this, 0xd, 0, &user);
	user.eax &= ~(1u << XSTATE_PKRU);
	xstate_sizes(this, user.eax, &packed, &apart);
	switch (sub) {
	case 0:
		*regs = user;
		regs->ebx = regs->ecx = apart;
		break;
	case 1:
		regs->ebx = packed + CET_USER_SIZE;
		regs->ecx |= 1u << XSTATE_CET_USER;
		break;
	case XSTATE_PKRU:
		*regs = (struct regs){ 0 };
		break;
	case XSTATE_CET_USER:
		/* 1: only by XSAVES */
		*regs = (struct regs){ .eax = CET_USER_SIZE, .ecx = 1 };
		break;
	}
}

static void true_cpuid_leaf(const void *this, uint32_t leaf, uint32_t sub,
			    struct regs *regs)
{
	put_xsave_right();
	cpuid_leaf(this, leaf, sub, regs);
	if (leaf == 0xd)
		xsave_leaf(this, sub, regs);
	else if (leaf == 7 && !sub)
		regs->ecx &= ~PKU;
}

static __attribute__((constructor)) void put_right(void)
{
	cpuid_leaf = symbol(CPUID_LEAF);
	in_use = symbol(IN_USE);
	replace(symbol(VTABLE), VTABLE_WORDS, (void *)cpuid_leaf,
		(void *)true_cpuid_leaf);
}
