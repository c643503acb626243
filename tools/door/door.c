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

#include "../../lib/core/layout.h"
#include "../../lib/core/symbols.h"

#define CHUNK	((size_t)1 << 16)
#define RECORD_MAX	65536u

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

/* --- where things lie there -------------------------------------------------- */

static const char *const names_of[ATS] = {
	[AT_RT_HDR] = "rt.hdr",
	[AT_RT_RECS] = "rt.recs",
	[AT_RT_SLOTS] = "rt.slots",
	[AT_RT_TIER] = "rt.tier",
	[AT_RT_PROCS] = "rt.procs",
	[AT_RT_WORKERS] = "rt.workers",
	[AT_RT_SERVICE] = "rt.service",
	[AT_RT_SPAWNS] = "rt.spawns",
	[AT_RT_SITES] = "rt.sites",
	[AT_RT_NSITES] = "rt.nsites",
	[AT_RT_SLABS] = "rt.stacks.slabs",
	[AT_TIER_ID] = "tier.id",
	[AT_PROC_SIZE] = "proc",
	[AT_PROC_STEALS] = "proc.steals",
	[AT_PROC_SPAWNS] = "proc.spawns",
	[AT_WORKER_SIZE] = "worker",
	[AT_WORKER_FIBER] = "w.fiber",
	[AT_WORKER_PROC] = "w.proc",
	[AT_WORKER_DEPTH] = "w.depth",
	[AT_WORKER_ADOPTED] = "w.adopted",
	[AT_WORKER_POLLING] = "w.polling",
	[AT_SLAB_NEXT] = "slab.next",
	[AT_SLAB_STEP] = "slab.step",
	[AT_SLAB_N] = "slab.n",
	[AT_SLAB_STACKS] = "slab.stacks",
	[AT_SLAB_NBARE] = "slab.nbare",
	[AT_SLAB_BARE] = "slab.bare",
	[AT_FIBER_SIZE] = "fiber",
	[AT_FIBER_JOINER] = "f.joiner",
	[AT_FIBER_FN] = "f.fn",
	[AT_FIBER_BLOCKED] = "f.waiter.blocked",
	[AT_FIBER_JOINED] = "f.waiter.joined",
	[AT_FIBER_PERMIT] = "f.permit",
	[AT_FIBER_NAME] = "f.name",
	[AT_FIBER_WAITED] = "waited",
};

/* More than there are. */
#define ENTRIES_MAX	1024u

/* No field may lie outside of its record, whatever the other process says. */
static bool sane(const struct target *t)
{
	for (int f = AT_WORKER_FIBER; f <= AT_WORKER_POLLING; f++)
		if (t->lies[f] >= RECORD_MAX ||
		    t->lies[f] + sizeof(uintptr_t) > t->lies[AT_WORKER_SIZE])
			return false;
	for (int f = AT_FIBER_JOINER; f <= AT_FIBER_NAME; f++)
		if (t->lies[f] >= RECORD_MAX ||
		    t->lies[f] + NAME_SIZE > t->lies[AT_FIBER_SIZE])
			return false;
	return t->lies[AT_WORKER_SIZE] <= RECORD_MAX &&
	       t->lies[AT_FIBER_SIZE] <= RECORD_MAX;
}

/* False: it is not told, or not all of it. */
static bool learn(struct target *t)
{
	uintptr_t at = (uintptr_t)t->door.layout;
	__typeof__(((struct layout *)0)->entries[0]) e;
	struct layout head;
	unsigned int found = 0;

	if (!target_read(t, at, &head, sizeof(head)) ||
	    memcmp(head.magic, LAYOUT_MAGIC, sizeof(head.magic)))
		return false;
	at += offsetof(struct layout, entries);
	for (unsigned int i = 0; i < ENTRIES_MAX; i++, at += sizeof(e)) {
		if (!target_read(t, at, &e, sizeof(e)) || !*e.name)
			break;
		e.name[sizeof(e.name) - 1] = 0;
		for (int f = 0; f < ATS; f++) {
			if (strcmp(names_of[f], e.name))
				continue;
			t->lies[f] = e.value;
			found++;
		}
	}
	return found == ATS && sane(t);
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
	if (find(t) && learn(t))
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

/* As symbol_code(), there. */
static uintptr_t code_of(const struct target *t, uintptr_t fn)
{
#if defined(__powerpc64__) && (!defined(_CALL_ELF) || _CALL_ELF < 2)
	uintptr_t code;

	return target_read(t, fn, &code, sizeof(code)) ? code : fn;
#else
	(void)t;
	return symbol_code(fn);
#endif
}

/* Of function @fn or, if not @pointer, the one that has the code at @fn. */
static const char *name_of(const struct target *t, uintptr_t fn, bool pointer)
{
	static struct {
		uintptr_t fn;
		char *name;
	} names[NAMES];
	unsigned int i = (unsigned int)(fn >> 2) % NAMES;
	struct symbol s;
	char *name;

	for (unsigned int n = 0; n < NAMES && names[i].name; n++) {
		if (names[i].fn == fn)
			return names[i].name;
		i = (i + 1) % NAMES;
	}
	if (names[i].name)
		return "?";	/* more than anybody would read */
	if (!baton_symbol_find_of(&s, t->pid, pointer ? code_of(t, fn) : fn) || !*s.name) {
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

const char *target_function(const struct target *t, uintptr_t fn)
{
	return name_of(t, fn, true);
}

const char *target_code(const struct target *t, uintptr_t code)
{
	return name_of(t, code, false);
}
