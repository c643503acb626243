// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * find.c - what the unwinder of a gcc for glibc asks of the C library, for
 * programs that are linked with musl by musl-gcc. A gcc for musl asks
 * dl_iterate_phdr() itself.
 */
#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* As glibc 2.35 has it. */
struct dl_find_object {
	unsigned long long flags;
	void *map_start, *map_end;
	struct link_map *map;
	void *eh_frame;
#ifndef __x86_64__
	void *eh_dbase;
#endif
	unsigned long long reserved[7];
};

struct search {
	uintptr_t pc;
	struct dl_find_object *result;
};

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	struct dl_find_object found = { 0 };

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_GNU_EH_FRAME)
			found.eh_frame = (void *)start;
		if (ph->p_type != PT_LOAD || s->pc - start >= ph->p_memsz)
			continue;
		found.map_start = (void *)start;
		found.map_end = (void *)(start + ph->p_memsz);
	}
	if (!found.map_start || !found.eh_frame)
		return 0;
	*s->result = found;
	return 1;
}

int _dl_find_object(void *pc, struct dl_find_object *result);

int _dl_find_object(void *pc, struct dl_find_object *result)
{
	struct search s = { (uintptr_t)pc, result };

	return dl_iterate_phdr(look, &s) ? 0 : -1;
}
