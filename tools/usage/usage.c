// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* usage.c - what the command lines of the tools have in common. */
#include "usage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Columns of standard output; COLUMNS has a say, as with other tools. If neither
 * tells, it is @unknown. */
static size_t width(size_t unknown)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	long n = columns ? strtol(columns, NULL, 10) : 0;

	if (n > 0)
		return (size_t)n;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col)
		return ws.ws_col;
	return unknown;
}

size_t usage_table_width(void)
{
	return width(SIZE_MAX);
}

/* The most that a line is indented where that would be much of the width. */
#define LEAD	6u

/* A line of @len bytes in @cols columns, whose next ones begin where its second
 * column of text does; or, if that leaves little, a little to the right. */
static void fold(const char *line, size_t len, size_t cols)
{
	size_t indent = strspn(line, " "), at = indent, hang, n;

	if (indent > LEAD && indent > cols / 3) {
		line += indent - LEAD;
		len -= indent - LEAD;
		indent = at = LEAD;
	}
	for (hang = indent; hang + 1 < len; hang++)
		if (line[hang] == ' ' && line[hang + 1] == ' ') {
			hang += strspn(line + hang, " ");
			break;
		}
	if (hang + 1 >= len || hang > cols / 2)
		hang = indent + 4;
	printf("%.*s", (int)indent, line);
	for (size_t i = indent; i < len; i += n) {
		size_t gap = strspn(line + i, " ");
		size_t word = strcspn(line + i + gap, " \n");

		n = gap + word;
		if (at + n > cols && at > hang) {
			printf("\n%*s", (int)hang, "");
			at = hang;
			i += gap, n = word;
		}
		at += n;
		printf("%.*s", (int)n, line + i);
	}
	putchar('\n');
}

void usage_help(const char *text)
{
	size_t cols = width(80), len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (len <= cols)
			printf("%.*s\n", (int)len, text);
		else
			fold(text, len, cols);
	}
}

/* Columns that the rest of a table's row is indented. */
#define CELL_LEAD	2

/* All rows break at the same cells, as those of a column are as wide. */
size_t usage_cell(size_t cols, size_t at, int least, const char *text)
{
	size_t len = strlen(text), wide = (size_t)abs(least);

	if (len < wide)
		len = wide;
	if (at && at + 1 + len > cols) {
		printf("\n%*s", CELL_LEAD, "");
		at = CELL_LEAD;
	} else if (at) {
		putchar(' ');
		at++;
	}
	printf("%*s", least, text);
	return at + len;
}

_Noreturn void usage_try(void)
{
	fprintf(stderr, "Try '%s --help'.\n", program_invocation_short_name);
	exit(usage_status);
}

_Noreturn void usage_error(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	usage_try();
}

int usage_flush(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fprintf(stderr, "%s: standard output: %s\n",
		program_invocation_short_name, strerror(errno));
	return 1;
}

const char *usage_reason(int err)
{
	return *baton_reason() ? baton_reason() : strerror(err);
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

double usage_real(const char *option, const char *arg, double min, double max)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !(v >= min && v <= max))
		usage_error("%s: '%s' is no number from %g to %g", option, arg,
			    min, max);
	return v;
}

enum baton_tier usage_tier(const char *arg)
{
	for (int t = BATON_TIER_AUTO; t <= BATON_TIER_KMOD; t++)
		if (!strcmp(arg, baton_tier_name((enum baton_tier)t)))
			return (enum baton_tier)t;
	usage_error("--tier: '%s' is none of auto, poll, idle, kmod", arg);
}
