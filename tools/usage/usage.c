// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* usage.c - what the command lines of the tools have in common. */
#include "usage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void usage_error(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry '%s --help'.\n", program_invocation_short_name);
	exit(usage_status);
}

unsigned int usage_number(const char *option, const char *arg,
			  unsigned long max)
{
	char *end;
	unsigned long v = strtoul(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || !v || v > max)
		usage_error("%s: '%s' is no number from 1 to %lu", option, arg,
			    max);
	return (unsigned int)v;
}

double usage_real(const char *arg, double min, double max)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !(v >= min && v <= max))
		usage_error("bad number: %s", arg);
	return v;
}

enum baton_tier usage_tier(const char *arg)
{
	for (int t = BATON_TIER_AUTO; t <= BATON_TIER_KMOD; t++)
		if (!strcmp(arg, baton_tier_name((enum baton_tier)t)))
			return (enum baton_tier)t;
	usage_error("--tier: '%s' is none of auto, poll, idle, kmod", arg);
}
