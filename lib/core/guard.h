/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * guard.h - what catches a fiber that runs over the low end of its stack.
 *
 * The page below a stack is its guard. Four ways to make it one, the best that
 * there is:
 *
 *  GUARD_MARKER  a marker in the page table (MADV_GUARD_INSTALL, Linux 6.13).
 *		  Any access faults with SIGSEGV. It costs no mapping.
 *  GUARD_PAGE	  PROT_NONE. The same, but each guard costs two of the mappings
 *		  that a process may have (vm.max_map_count), so that only
 *		  somewhat less than half of those are spent on guards.
 *  GUARD_WRITE	  userfaultfd's write protection, with UFFD_FEATURE_SIGBUS
 *		  (Linux 5.11, on some architectures). A write faults with
 *		  SIGBUS, and a system call that is to write there fails with
 *		  EFAULT; a read does not fault. It costs no mapping, but one
 *		  descriptor. If the program closes that, the guards are gone,
 *		  and nothing else happens.
 *  GUARD_NONE	  an ordinary page that nobody uses. What was written to it is
 *		  found when the fiber ends. An overflow by more than a page is
 *		  written to the next fiber's stack.
 *
 * REJECTED: userfaultfd before PROT_NONE. Most programs have few fibers, and
 * are to need no descriptor for them.
 * REJECTED: a guard for each group of stacks. An overflow would hit the others
 * of its group first, and be told at the wrong fiber's end.
 * REJECTED: a protection key. One process has 15, all pages of a key are open
 * or closed at once, and a mapping has one key.
 */
#ifndef BATON_CORE_GUARD_H
#define BATON_CORE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

enum guard {
	GUARD_MARKER,
	GUARD_PAGE,
	GUARD_WRITE,
	GUARD_NONE,
};

/*
 * How the @n guards of the mapping @map of @bytes are to be made, @first being
 * one of them. @uffd: where the descriptor for GUARD_WRITE is kept, -1 at
 * first, to be closed by the caller; NULL: do without. Any thread.
 */
enum guard baton_guard_choose(int *uffd, void *map, size_t bytes, void *first,
			      unsigned int n);

/* Make the page at @addr a guard, which it may be already. False: it is not. */
bool baton_guard_set(enum guard how, int uffd, char *addr);

/* @n guards that were chosen to be made like this are gone. */
void baton_guard_forget(enum guard how, unsigned int n);

/* Has nothing been written to the page at @addr, which is no guard? */
bool baton_guard_untouched(const char *addr);

#endif /* BATON_CORE_GUARD_H */
