/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * probe.h - places in the library at which perf, bpftrace, SystemTap and gdb
 * can stop or count: USDT probes of the provider "baton", see baton-probes(7).
 *
 * A probe is one nop, and a note in the file that says where it is and where
 * its arguments are. So these are to be what is at hand in a register or in
 * memory: nothing is computed for them. Without <sys/sdt.h> (HAVE_SDT) there
 * are none.
 */
#ifndef BATON_CORE_PROBE_H
#define BATON_CORE_PROBE_H

#ifdef HAVE_SDT
#include <sys/sdt.h>

/* Inline: a compiler that counted the lines of the note as instructions would
 * no longer inline what has a probe in it. */
#define __probe(name, n, ...)			\
	__asm__ __inline__ __volatile__(			\
		STAP_PROBE_ASM(baton, name, STAP_PROBE_ASM_TEMPLATE(n)) \
		: : STAP_PROBE_ASM_OPERANDS(n, __VA_ARGS__))
#define probe1(name, a)		__probe(name, 1, a)
#define probe2(name, a, b)	__probe(name, 2, a, b)
#define probe3(name, a, b, c)	__probe(name, 3, a, b, c)
#else
/* Neither evaluated nor unused. */
#define probe1(name, a)		((void)sizeof(a))
#define probe2(name, a, b)	((void)sizeof(a), (void)sizeof(b))
#define probe3(name, a, b, c)						\
	((void)sizeof(a), (void)sizeof(b), (void)sizeof(c))
#endif

#endif /* BATON_CORE_PROBE_H */
