// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* door.c - find the door of another process, and read its memory. */
#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/core/symbols.h"

#define CHUNK	((size_t)1 << 16)

bool target_read(const struct target *t, uintptr_t at, void *to, size_t n)
{
	return pread(t->mem, to, n, (off_t)at) == (ssize_t)n;
}

bool target_write(const struct target *t, uintptr_t at, const void *from,
		  size_t n)
{
	return pwrite(t->mem, from, n, (off_t)at) == (ssize_t)n;
}

bool target_lives(const struct target *t)
{
	return !kill(t->pid, 0) || errno != ESRCH;
}

/* Is there a door in @chunk, @n bytes from @start on? */
static bool find_in(struct target *t, const char *chunk, size_t n,
		    uintptr_t start)
{
	for (size_t i = 0; i + sizeof(t->door) <= n; i += DOOR_ALIGN) {
		memcpy(&t->door, chunk + i, sizeof(t->door));
		if (!memcmp(t->door.magic, DOOR_MAGIC, sizeof(t->door.magic)) &&
		    (uintptr_t)t->door.self == start + i) {
			t->at = start + i;
			return true;
		}
	}
	return false;
}

static bool find_between(struct target *t, uintptr_t start, uintptr_t end)
{
	/* A door may begin in one chunk, and end in the next. */
	static char chunk[CHUNK + sizeof(t->door)];

	for (; start < end; start += CHUNK) {
		size_t n = end - start < sizeof(chunk) ? end - start :
							 sizeof(chunk);

		if (target_read(t, start, chunk, n) &&
		    find_in(t, chunk, n, start))
			return true;
	}
	return false;
}

static bool find(struct target *t)
{
	uintptr_t start, end;
	char path[64], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)t->pid);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	while (!found && getline(&line, &size, maps) > 0)
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " rw", &start,
			   &end) == 2 &&
		    strstr(line, " rw-p ") && strchr(line, '/'))
			found = find_between(t, start, end);
	free(line);
	fclose(maps);
	return found;
}

int target_open(struct target *t, pid_t pid, bool writes)
{
	char path[64];

	t->pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	t->mem = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (t->mem < 0) {
		fprintf(stderr, "%s: process %d: %s\n",
			program_invocation_short_name, (int)pid,
			errno == ENOENT ? "there is none" : strerror(errno));
		if (errno == EACCES || errno == EPERM)
			fputs("Who may attach a debugger may look: see ptrace(2), and "
			      "/proc/sys/kernel/yama/ptrace_scope.\n",
			      stderr);
		return -1;
	}
	if (find(t))
		return 0;
	fprintf(stderr,
		"%s: process %d: no libbaton in it, or one that this program does not know\n",
		program_invocation_short_name, (int)pid);
	close(t->mem);
	return -1;
}

void target_close(struct target *t)
{
	close(t->mem);
}

/* --- names ------------------------------------------------------------------ */

#define NAMES 1024

const char *target_function(const struct target *t, uintptr_t fn)
{
	static struct {
		uintptr_t fn;
		char *name;
	} names[NAMES];
	unsigned int i = (unsigned int)(fn >> 2) % NAMES;
	char maps[64], *name;
	struct symbol s;

	for (unsigned int n = 0; n < NAMES && names[i].name; n++) {
		if (names[i].fn == fn)
			return names[i].name;
		i = (i + 1) % NAMES;
	}
	if (names[i].name)
		return "?";	/* more than anybody would read */
	snprintf(maps, sizeof(maps), "/proc/%d/maps", (int)t->pid);
	if (!baton_symbol_find_in(&s, maps, fn) || !*s.name) {
		if (asprintf(&name, "%#" PRIxPTR, fn) < 0)
			return "?";
	} else if (s.name[0] == '/') {
		if (asprintf(&name, "%s+%#" PRIxPTR, strrchr(s.name, '/') + 1,
			     s.offset) < 0)
			return "?";
	} else {
		name = strdup(s.name);
	}
	names[i].fn = fn;
	names[i].name = name;
	return name ? name : "?";
}
