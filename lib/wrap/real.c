// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* real.c - the C library's own functions; errno of who changes threads. */
#include "real.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

struct wrap_real baton_wrap_real;

/* --- the C library's own ------------------------------------------------- */

/*
 * Of conditions the C library may have two kinds, of which the older one's
 * functions are no longer for anybody; see wrap.map.
 */
static void *look_up(const char *name)
{
	void *f = NULL;

#ifdef WRAP_COND_VERSION
	f = dlvsym(RTLD_NEXT, name, WRAP_COND_VERSION);
#endif
	return f ? f : dlsym(RTLD_NEXT, name);
}

static int no_epoll_pwait2(int epfd, struct epoll_event *events, int n,
			   const struct timespec *timeout, const sigset_t *mask)
{
	(void)epfd;
	(void)events;
	(void)n;
	(void)timeout;
	(void)mask;
	errno = ENOSYS;
	return -1;
}

/* An address of libbaton's would not do: it may be that of a program's stub. */
static int find_own(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct wrap_real *r = arg;

	(void)size;
	if (!strstr(info->dlpi_name, "/libbaton.so"))
		return 0;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
			continue;
		WRITE_ONCE(r->own, info->dlpi_addr + ph->p_vaddr);
		WRITE_ONCE(r->own_size, ph->p_memsz);
	}
	return 1;
}

void baton_wrap_init(void)
{
	struct wrap_real *r = &baton_wrap_real;

	/* Several threads may do this at once: they find the same. */
#define X(f) WRITE_ONCE(r->f, (__typeof__(r->f))look_up(#f));
	WRAP_REAL(X)
#undef X
	if (!r->epoll_pwait2)
		r->epoll_pwait2 = no_epoll_pwait2;
	dl_iterate_phdr(find_own, r);
	WRITE_ONCE(r->pid, getpid());
	smp_store_release(&r->ready, true);
}

/* --- errno --------------------------------------------------------------- */

/* None of these is inlined beside a switch: each finds out where errno is. */

void __attribute__((noinline)) baton_wrap_enter(struct wrap_errno *e)
{
	e->not_at = ~(uintptr_t)&errno;
	e->was = errno;
}

/* In all words from our caller's frame to @top. */
static void __attribute__((noinline))
replace(uintptr_t from, uintptr_t to, const void *top)
{
	uintptr_t *word = __builtin_dwarf_cfa();

	for (; (const void *)word < top; word++)
		if (unlikely(*word == from))
			*word = to;
}

/*
 * The handle of a fiber is at the upper end of its stack. Below us there is
 * nothing in use, and the registers that a call preserves, from where they may
 * come back, are in our frame.
 */
static void __attribute__((noinline)) move(uintptr_t from, uintptr_t to)
{
	__builtin_unwind_init();
	replace(from, to, baton_self());
	/* No jump instead of that call: the frame is needed. */
	__asm__ volatile("" : : : "memory");
}

void __attribute__((noinline))
baton_wrap_leave(const struct wrap_errno *e, int err)
{
	int *at = &errno, value = err ? err : e->was;

	*at = value;
	if (unlikely((uintptr_t)at != ~e->not_at))
		move(~e->not_at, (uintptr_t)at);
}

ssize_t baton_wrap_result(const struct wrap_errno *e, ssize_t result)
{
	baton_wrap_leave(e, result < 0 ? (int)-result : 0);
	return result < 0 ? -1 : result;
}

/* --- time ---------------------------------------------------------------- */

int64_t baton_wrap_deadline(clockid_t clock, int64_t at)
{
	struct timespec ts;

	if (clock != CLOCK_REALTIME || at == BATON_NEVER)
		return at;
	clock_gettime(CLOCK_REALTIME, &ts);
	at -= wrap_ns(&ts);
	return at > 0 ? wrap_after(at) : 0;
}
