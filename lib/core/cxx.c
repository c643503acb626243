// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* cxx.c - is there a C++ runtime in this process? */
#include "cxx.h"

#include <dlfcn.h>

/* Weak: the library needs no C++ runtime, and brings none along. */
extern struct cxx *__cxa_get_globals(void) __attribute__((weak));

/*
 * The linker binds the weak reference if the program itself is linked with a
 * C++ runtime. A runtime that only another library needs, or that was loaded
 * since with RTLD_GLOBAL, has to be looked for.
 */
cxx_fn baton_cxx_find(void)
{
	if (__cxa_get_globals)
		return __cxa_get_globals;
	return (cxx_fn)dlsym(RTLD_DEFAULT, "__cxa_get_globals");
}
