// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* version.c - the version that a program finds when it runs. */
#include <baton/version.h>

const char *baton_version(void)
{
	return BATON_VERSION;
}
