// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * preload.c - LD_PRELOAD: run a program with a shadow stack, as a C library
 * that knows of them does (glibc 2.39). One that does not leaves two things to
 * be desired: threads have shadow stacks all the same, since the kernel sees to
 * that, but longjmp() and makecontext() do not know of them.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARCH_SHSTK_ENABLE	0x5001
#define ARCH_SHSTK_SHSTK	1ul

typedef int (*main_fn)(int, char **, char **);

static main_fn real_main;

/* No function may return that was called before, and none does. */
static int shadowed_main(int argc, char **argv, char **envp)
{
	long ret = SYS_arch_prctl;

	/* Not by a function: it could not return, either. */
	__asm__ volatile("syscall" : "+a"(ret)
			 : "D"(ARCH_SHSTK_ENABLE), "S"(ARCH_SHSTK_SHSTK)
			 : "rcx", "r11", "memory");
	if (ret)
		_exit(125);
	exit(real_main(argc, argv, envp));
}

int __libc_start_main(main_fn main, int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack);

int __libc_start_main(main_fn main, int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack)
{
	__typeof__(__libc_start_main) *next =
		dlsym(RTLD_NEXT, "__libc_start_main");

	real_main = main;
	return next(shadowed_main, argc, argv, init, fini, rtld_fini, stack);
}

/*
 * Where there is no such symbol, dlsym() finds its way out by longjmp(). The
 * library looks for one that a program has only if it was written in C++; then
 * it is linked to it, and does not look.
 */
void *dlsym(void *handle, const char *name)
{
	void *(*next)(void *, const char *);

	if (!strcmp(name, "__cxa_get_globals"))
		return NULL;
	next = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
	return next(handle, name);
}
