// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* log.c - what the kernel says, and what everybody was doing */
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <termios.h>
#include <unistd.h>

int console = -1;
int kmsg = -1;

static unsigned long taint_before;

/*
 * What a healthy kernel never says, whatever user space does to it.  Lockdep
 * and the sleep checks say BUG: or WARNING: first, so does KASAN.
 */
static const char *const splats[] = {
	"BUG",
	"INFO: lockdep is turned off",
	"INFO: trying to register non-static key",
	"Kernel panic",
	"ODEBUG:",
	"Oops",
	"UBSAN:",
	"WARNING:",
	"blocked for more than",
	"corruption",
	"detected stall",
	"exited with irqs disabled",
	"exited with preempt_count",
	"general protection fault",
	"new suspected memory leaks",
	"nobody cared",
	"possible deadlock",
	"refcount_t:",
	"scheduling while atomic",
	"sleeping function called",
	"soft lockup",
	"suspicious RCU usage",
};

/* What would match but is what some process did to itself */
static const char *const harmless[] = {
	"segfault at",
	"traps: ",
};

static bool match(const char *text, const char *const *list, size_t n)
{
	while (n--) {
		if (strstr(text, list[n]))
			return true;
	}
	return false;
}

/*
 * Looks at what was logged since the last time.  A record is
 * "priority,sequence,time,flags;text", and the priority says whether it is the
 * kernel's: what programs write to /dev/kmsg proves nothing.
 */
void scan_log(void)
{
	char record[8192], *text;
	ssize_t n;

	for (;;) {
		n = read(kmsg, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* some were overwritten: go on */
		if (n <= 0)
			return;
		record[n] = 0;
		text = strchr(record, ';');
		if (!text || strtoul(record, NULL, 10) >> 3)
			continue;
		*strchrnul(++text, '\n') = 0;
		if (match(text, splats, ARRAY_SIZE(splats)) &&
		    !match(text, harmless, ARRAY_SIZE(harmless)))
			fail("kernel: %s", text);
	}
}

static unsigned long taint(void)
{
	char buf[32];

	get_file("/proc/sys/kernel/tainted", buf, sizeof(buf));
	return strtoul(buf, NULL, 10);
}

/* From here on: what was logged before is not our business */
void start_log(void)
{
	taint_before = taint();
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		die("/dev/kmsg");
	lseek(kmsg, 0, SEEK_END);
}

/* For a splat that our list does not know: bad page, died, warned, lockup */
void check_taint(void)
{
	unsigned long bad = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14;

	bad &= taint() & ~taint_before;
	if (bad)
		fail("kernel: tainted, %#lx", bad);
}

/*
 * The console shows warnings and worse.  This adds all the rest, for the host
 * to find in its file, when somebody is going to read that.  Only the end of
 * it: the line is slow.
 */
void dump_log(void)
{
	static char buf[32768];
	int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, buf, sizeof(buf));

	dprintf(console, "\n---- kernel log:\n");
	if (n > 0)
		write_all(console, buf, n);
	tcdrain(console);
}

static void dump_thread(const char *pid, const char *tid)
{
	static const char *const files[] = { "comm", "syscall", "stack" };
	static char buf[4096];
	char path[PATH_MAX];
	size_t i;

	dprintf(console, "process %s, thread %s, ", pid, tid);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/proc/%s/task/%s/%s", pid, tid,
			 files[i]);
		get_file(path, buf, sizeof(buf));
		dprintf(console, "%s%s", buf, *buf ? "" : "\n");
	}
}

static void dump_process(const char *pid)
{
	char path[PATH_MAX], buf[PATH_MAX];
	struct dirent *de;
	DIR *dir;

	/* kernel threads have no program */
	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	if (readlink(path, buf, sizeof(buf)) < 0)
		return;
	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] != '.')
			dump_thread(pid, de->d_name);
	}
	if (dir)
		closedir(dir);
}

/* What everybody is doing when the time is up */
void dump_processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *de;

	dprintf(console, "\n---- what is running:\n");
	while (dir && (de = readdir(dir))) {
		if (!de->d_name[strspn(de->d_name, "0123456789")] &&
		    strcmp(de->d_name, "1"))
			dump_process(de->d_name);
	}
	tcdrain(console);
	if (dir)
		closedir(dir);
}
