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
 * another one by now.
 */
#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
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

/*
 * Which file is mapped at @addr, and where in the file is that? @maps is the
 * name of what the kernel tells of the process.
 */
static bool find_file(const char *maps, uintptr_t addr, char *path, size_t size,
		      uintptr_t *offset)
{
	struct maps m = { .fd = open(maps, O_RDONLY | O_CLOEXEC) };
	uintptr_t start, end = 0;

	if (m.fd < 0)
		return false;
	do {
		start = next_number(&m);
		end = next_number(&m);
		skip_word(&m);			/* permissions */
		*offset = next_number(&m);
		skip_word(&m);			/* device */
		skip_word(&m);			/* inode */
		next_path(&m, path, size);
	} while (end && !(addr >= start && addr < end));
	close(m.fd);
	*offset += addr - start;
	return end && *path;
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
	f->at = at;
	return at != MAP_FAILED;
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

/* Where a byte of the file lies in the file's own addresses. */
static bool file_address(const struct image *f, uintptr_t *offset)
{
	const ElfW(Ehdr) *e = (const void *)f->at;
	const ElfW(Phdr) *p = table(f, e->e_phoff, e->e_phnum, sizeof(*p));

	if (memcmp(e->e_ident, ELFMAG, SELFMAG) || !p)
		return false;
	for (unsigned int i = 0; i < e->e_phnum; i++, p++)
		if (p->p_type == PT_LOAD && *offset >= p->p_offset &&
		    *offset - p->p_offset < p->p_filesz) {
			*offset += p->p_vaddr - p->p_offset;
			return true;
		}
	return false;
}

/*
 * Where the function @sym begins. @bias is what the loader has added to the
 * file's addresses. Thumb's mark is none of the address; and where a function's
 * symbol is that of a descriptor, in memory, the first word of this tells.
 */
static uintptr_t begin_of(const ElfW(Sym) *sym, uintptr_t bias)
{
#if defined(__powerpc64__) && (!defined(_CALL_ELF) || _CALL_ELF < 2)
	return *(const uintptr_t *)(sym->st_value + bias) - bias;
#elif defined(__arm__)
	(void)bias;
	return sym->st_value & ~(uintptr_t)1;
#else
	(void)bias;
	return sym->st_value;
#endif
}

/* In one section: the function, and if there are several the longest. */
static bool find_in(const struct image *f, const ElfW(Shdr) *sh,
		    const ElfW(Shdr) *strings, uintptr_t at, uintptr_t bias,
		    struct symbol *s)
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
		begin = begin_of(sym, bias);
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

static void find_function(const struct image *f, uintptr_t at, uintptr_t bias,
			  struct symbol *s)
{
	const ElfW(Ehdr) *e = (const void *)f->at;
	const ElfW(Shdr) *sh = table(f, e->e_shoff, e->e_shnum, sizeof(*sh));

	for (unsigned int i = 0; sh && i < e->e_shnum; i++)
		if ((sh[i].sh_type == SHT_SYMTAB ||
		     sh[i].sh_type == SHT_DYNSYM) &&
		    sh[i].sh_link < e->e_shnum &&
		    find_in(f, &sh[i], &sh[sh[i].sh_link], at, bias, s))
			return;
}

bool baton_symbol_find(struct symbol *s, uintptr_t addr)
{
	return baton_symbol_find_in(s, "/proc/self/maps", addr);
}

bool baton_symbol_find_in(struct symbol *s, const char *maps, uintptr_t addr)
{
	char path[512];
	struct image f;

	if (!find_file(maps, addr, path, sizeof(path), &s->offset))
		return false;
	memcpy(s->name, path, sizeof(s->name) - 1);
	s->name[sizeof(s->name) - 1] = 0;
	if (!map_file(&f, path))
		return true;
	if (file_address(&f, &s->offset))
		find_function(&f, s->offset, addr - s->offset, s);
	munmap((void *)f.at, f.size);
	return true;
}
