/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* usage.h - what the command lines of the tools have in common. */
#ifndef TOOLS_USAGE_H
#define TOOLS_USAGE_H

#include <baton/runtime.h>
#include <stddef.h>

/* The program's own: it exits with that if it was called wrongly. */
extern const int usage_status;

/* Ends the program, as one that was called wrongly. */
_Noreturn void usage_error(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* The same where getopt_long() has said what is wrong. */
_Noreturn void usage_try(void);

/* Writes standard output. Return: 0; 1, having said so, if not all of it could
 * be written: the exit status. */
int usage_flush(void);

/* In words, why baton_run(), or one that sets an option, failed with -@err. */
const char *usage_reason(int err);

/* What @option was given: a whole number from 1 to @max; or a usage error. */
unsigned int usage_number(const char *option, const char *arg,
			  unsigned long max);

/* The same of any number from @min to @max. */
double usage_real(const char *option, const char *arg, double min, double max);

/* Print @text, whose lines end in newlines, for --help: lines that are longer
 * than the terminal is wide, or than COLUMNS says, are folded between words. */
void usage_help(const char *text);

/* Columns of standard output for tables; SIZE_MAX where it is no terminal and
 * COLUMNS is not set: whatever reads it wants whole lines. */
size_t usage_table_width(void);

/* A table's cell, @at columns into the line, at least @least columns wide, to
 * the left if that is negative. One that goes beyond @cols begins a line of its
 * own, a little indented. Return: where the next one begins. */
size_t usage_cell(size_t cols, size_t at, int least, const char *text);

/* What --tier was given. */
enum baton_tier usage_tier(const char *arg);

#endif /* TOOLS_USAGE_H */
