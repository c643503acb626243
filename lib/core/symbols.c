// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * symbols.c - the names of functions, static ones too, for a last report.
 *
 * The kernel tells which file is mapped at an address, in /proc/self/maps, and
 * that file's own table of symbols tells the function. So neither the loader's
 * lock is needed, as dladdr() does, which a thread that failed within dlopen()
 * may hold, nor does the program have to be linked with -rdynamic.
 *
 * Every offset that the file gives is checked against its size: it may be
 * another one by now. Nothing else is read, not even where a function's symbol
 * is that of a descriptor in memory: so all of it holds for another process,
 * too. That one's files are found as it sees them, in its own file system: by
 * what the kernel has of each mapping, /proc/PID/map_files, which is open to
 * root alone; otherwise by their names below /proc/PID/root.
 */
#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* /proc/self/maps, as far as it was read. */
struct maps {
	int fd;
	size_t pos, len;
	char buf[1024];
};

/**
 * struct mapping - which file is mapped at an address
 * @start, @end: there
 * @offset: where in the file that address is
 * @path:   the file's name
 */
struct mapping {
	uintptr_t start, end;
	uintptr_t offset;
	char path[512];
};

/* A file, as a whole. */
struct image {
	const unsigned char *at;
	size_t size;
};

static int next_char(struct maps *m)
{
	ssize_t n;

	if (m->pos == m->len) {
		n = read(m->fd, m->buf, sizeof(m->buf));
		if (n <= 0)
			return -1;
		m->pos = 0;
		m->len = (size_t)n;
	}
	return (unsigned char)m->buf[m->pos++];
}

/* A number in hexadecimal, and the character after it. */
static uintptr_t next_number(struct maps *m)
{
	uintptr_t value = 0;
	int c;

	while ((c = next_char(m)) > ' ' && c != '-')
		value = value * 16 + (uintptr_t)(c <= '9' ? c - '0' :
						 (c | 32) - 'a' + 10);
	return value;
}

static void skip_word(struct maps *m)
{
	int c;

	while ((c = next_char(m)) > ' ')
		;
}

/* The rest of the line, but for blanks at its begin. */
static void next_path(struct maps *m, char *path, size_t size)
{
	size_t n = 0;
	int c;

	while ((c = next_char(m)) >= 0 && c != '\n')
		if ((n || c != ' ') && n < size - 1)
			path[n++] = (char)c;
	path[n] = 0;
}

/* @maps is the name of what the kernel tells of the process. */
static bool find_file(const char *maps, uintptr_t addr, struct mapping *found)
{
	struct maps m = { .fd = open(maps, O_RDONLY | O_CLOEXEC) };

	if (m.fd < 0)
		return false;
	do {
		found->start = next_number(&m);
		found->end = next_number(&m);
		skip_word(&m);			/* permissions */
		found->offset = next_number(&m);
		skip_word(&m);			/* device */
		skip_word(&m);			/* inode */
		next_path(&m, found->path, sizeof(found->path));
	} while (found->end && !(addr >= found->start && addr < found->end));
	close(m.fd);
	found->offset += addr - found->start;
	return found->end && *found->path;
}

static bool map_file(struct image *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	void *at = MAP_FAILED;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    st.st_size >= (off_t)sizeof(ElfW(Ehdr))) {
		f->size = (size_t)st.st_size;
		at = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	close(fd);
	if (at == MAP_FAILED)
		return false;
	f->at = at;
	return true;
}

/* @n entries of @size bytes at @offset, or NULL. */
static const void *table(const struct image *f, uint64_t offset, uint64_t n,
			 size_t size)
{
	if (offset > f->size || n > (f->size - offset) / size ||
	    (size > 1 && offset % sizeof(uint32_t)))
		return NULL;
	return f->at + offset;
}

/* The entries of @f that say what of it is mapped; NULL: it is no such file. */
static const ElfW(Phdr) *segments(const struct image *f, unsigned int *n)
{
	const ElfW(Ehdr) *e = (const void *)f->at;

	if (memcmp(e->e_ident, ELFMAG, SELFMAG) ||
	    e->e_ident[EI_CLASS] != (sizeof(uintptr_t) > 4 ? ELFCLASS64 :
							     ELFCLASS32))
		return NULL;
	*n = e->e_phnum;
	return table(f, e->e_phoff, e->e_phnum, sizeof(ElfW(Phdr)));
}

/* Where a byte of the file lies in the file's own addresses. */
static bool file_address(const struct image *f, uintptr_t *offset)
{
	unsigned int n;
	const ElfW(Phdr) *p = segments(f, &n);

	for (; p && n--; p++)
		if (p->p_type == PT_LOAD && *offset >= p->p_offset &&
		    *offset - p->p_offset < p->p_filesz) {
			*offset += p->p_vaddr - p->p_offset;
			return true;
		}
	return false;
}

#if defined(__powerpc64__) && (!defined(_CALL_ELF) || _CALL_ELF < 2)
/*
 * A function's symbol is that of its descriptor, the first word of which is
 * where its code is: in the file's addresses, as the file has it. 0: there is
 * none.
 */
static uintptr_t begin_of(const struct image *f, const ElfW(Sym) *sym)
{
	unsigned int n;
	const ElfW(Phdr) *p = segments(f, &n);
	uintptr_t at = sym->st_value;
	const void *word;

	for (; p && n--; p++) {
		if (p->p_type != PT_LOAD || at < p->p_vaddr ||
		    at - p->p_vaddr >= p->p_filesz)
			continue;
		word = table(f, p->p_offset + (at - p->p_vaddr), 1,
			     sizeof(uintptr_t));
		return word ? *(const uintptr_t *)word : 0;
	}
	return 0;
}
#else
/* Where the function @sym begins; Thumb's mark is none of the address. */
static uintptr_t begin_of(const struct image *f, const ElfW(Sym) *sym)
{
	(void)f;
#ifdef __arm__
	return sym->st_value & ~(uintptr_t)1;
#else
	return sym->st_value;
#endif
}
#endif

/* In one section: the function, and if there are several the longest. */
static bool find_in(const struct image *f, const ElfW(Shdr) *sh,
		    const ElfW(Shdr) *strings, uintptr_t at, struct symbol *s)
{
	size_t n = sh->sh_size / sizeof(ElfW(Sym)), len, longest = 0;
	const ElfW(Sym) *sym = table(f, sh->sh_offset, n, sizeof(*sym));
	const char *text = table(f, strings->sh_offset, strings->sh_size, 1);
	uintptr_t begin;

	for (; sym && text && n--; sym++) {
		if (ELF32_ST_TYPE(sym->st_info) != STT_FUNC ||
		    !sym->st_shndx || sym->st_size <= longest ||
		    sym->st_name >= strings->sh_size)
			continue;
		begin = begin_of(f, sym);
		if (at < begin || at - begin >= sym->st_size)
			continue;
		longest = sym->st_size;
		len = strnlen(text + sym->st_name,
			      strings->sh_size - sym->st_name);
		if (len >= sizeof(s->name))
			len = sizeof(s->name) - 1;
		memcpy(s->name, text + sym->st_name, len);
		s->name[len] = 0;
		s->offset = at - begin;
	}
	return longest;
}

static void find_function(const struct image *f, uintptr_t at,
			  struct symbol *s)
{
	const ElfW(Ehdr) *e = (const void *)f->at;
	const ElfW(Shdr) *sh = table(f, e->e_shoff, e->e_shnum, sizeof(*sh));

	for (unsigned int i = 0; sh && i < e->e_shnum; i++)
		if ((sh[i].sh_type == SHT_SYMTAB ||
		     sh[i].sh_type == SHT_DYNSYM) &&
		    sh[i].sh_link < e->e_shnum &&
		    find_in(f, &sh[i], &sh[sh[i].sh_link], at, s))
			return;
}

/* @f was opened for @m, or not: then the file's name is what is known. */
static void name(struct symbol *s, struct image *f, const struct mapping *m)
{
	s->offset = m->offset;
	memcpy(s->name, m->path, sizeof(s->name) - 1);
	s->name[sizeof(s->name) - 1] = 0;
	if (!f->at)
		return;
	if (file_address(f, &s->offset))
		find_function(f, s->offset, s);
	munmap((void *)f->at, f->size);
}

bool baton_symbol_find(struct symbol *s, uintptr_t addr)
{
	struct image f = { 0 };
	struct mapping m;

	if (!find_file("/proc/self/maps", addr, &m))
		return false;
	map_file(&f, m.path);
	name(s, &f, &m);
	return true;
}

bool baton_symbol_find_of(struct symbol *s, pid_t pid, uintptr_t addr)
{
	char path[sizeof(((struct mapping *)0)->path) + 64];
	struct image f = { 0 };
	struct mapping m;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (!find_file(path, addr, &m))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", (int)pid,
		 (unsigned long)m.start, (unsigned long)m.end);
	if (!map_file(&f, path) && m.path[0] == '/') {
		snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid,
			 m.path);
		map_file(&f, path);
	}
	name(s, &f, &m);
	return true;
}
