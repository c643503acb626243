/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* report.hh - for tests in C++, which libcheck is none for: what they find, as
 * TAP. */
#ifndef SELFTESTS_LIB_REPORT_HH
#define SELFTESTS_LIB_REPORT_HH

#include <cstdio>

static int number;
static bool failed;

static inline void report(bool good, const char *what)
{
	std::printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
	std::fflush(stdout);
	failed |= !good;
}

/* That was all. Return: the status of the program. */
static inline int reported()
{
	std::printf("1..%d\n", number);
	return failed;
}

#endif /* SELFTESTS_LIB_REPORT_HH */
