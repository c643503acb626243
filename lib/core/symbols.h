/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* symbols.h - the names of functions, static ones too, for a last report. */
#ifndef BATON_CORE_SYMBOLS_H
#define BATON_CORE_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct symbol - what is known of an address in code
 * @name:   of the function; or, if that is not known, of the file; or ""
 * @offset: from the function's begin; or the address in the file, as addr2line
 *          wants it
 */
struct symbol {
	char name[200];
	uintptr_t offset;
};

/* The address of the code of a function that a pointer leads to. */
static inline uintptr_t symbol_code(uintptr_t fn)
{
#if defined(__powerpc64__) && (!defined(_CALL_ELF) || _CALL_ELF < 2)
	return *(const uintptr_t *)fn;	/* that is to a descriptor */
#elif defined(__arm__)
	return fn & ~(uintptr_t)1;	/* that is Thumb's mark */
#else
	return fn;
#endif
}

/*
 * False if nothing is mapped there, or not from a file. Async-signal-safe: it
 * makes system calls, and takes no lock, not even the loader's.
 */
bool baton_symbol_find(struct symbol *s, uintptr_t addr);

/* The same in process @pid, whose files are those that it sees; not
 * async-signal-safe. */
bool baton_symbol_find_of(struct symbol *s, pid_t pid, uintptr_t addr);

#endif /* BATON_CORE_SYMBOLS_H */
