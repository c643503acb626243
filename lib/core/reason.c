// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* reason.c - why a function of the library failed, in words. */
#include "reason.h"

#include <baton/runtime.h>
#include <stdarg.h>
#include <stdio.h>

/*
 * The text is the thread's. A fiber reads it right after the call that failed,
 * and a call that fails has not moved its fiber to another thread.
 */
static __thread char reason_text[160];

int baton_error(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason_text, sizeof(reason_text), fmt, ap);
	va_end(ap);
	return err;
}

const char *baton_reason(void)
{
	return reason_text;
}
