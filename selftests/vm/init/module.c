// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* module.c - a kernel that forgives nothing; baton.ko in, and out again */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Anything wrong shall end the machine at once, with the state in which it went
 * wrong in the log.  Not set on the kernel's command line: what Debian's kernel
 * does while it boots is not our business.  The time limits are generous
 * because the machine under this one may be busy.
 */
void set_sysctls(void)
{
	static const struct {
		const char *name, *value;
	} sysctls[] = {
		{ "hung_task_panic", "1" },
		{ "hung_task_timeout_secs", "60" },
		{ "panic_on_oops", "1" },
		{ "panic_on_rcu_stall", "1" },
		{ "panic_on_warn", "1" },
		{ "softlockup_panic", "1" },
		{ "sysrq", "1" },
		{ "watchdog_thresh", "30" },
	};
	char path[PATH_MAX];
	size_t i;

	/* a kernel need not have each of them */
	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		snprintf(path, sizeof(path), "/proc/sys/kernel/%s",
			 sysctls[i].name);
		put_file(path, sysctls[i].value);
	}
	put_file("/sys/kernel/debug/kmemleak", "scan=off");
}

bool load_module(void)
{
	const char *params = getenv("BATON_KO_PARAMS") ?: "";
	int fd;

	if (!conf.ko[0])
		return true;
	fd = open(conf.ko, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, params, 0)) {
		fail("insmod %s %s: %s", conf.ko, params, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

/* In a process of its own, since the module's exit function may never return */
void remove_module(void)
{
	long deadline = now_ms() + 10000;
	pid_t pid = fork();
	int status;

	if (!pid) {
		/* files that were open until just now are put a bit later */
		while (syscall(SYS_delete_module, "baton", O_NONBLOCK)) {
			if ((errno != EWOULDBLOCK && errno != EBUSY) ||
			    now_ms() > deadline)
				_exit(errno);
			msleep(10);
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now_ms() > deadline + 5000) {
			fail("rmmod baton: does not return");
			dump_processes();
			return;
		}
		msleep(2);
	}
	status = WEXITSTATUS(status);
	if (status && status != ENOENT)
		fail("rmmod baton: %s", status == EWOULDBLOCK ?
		     "still in use" : strerror(status));
}

/*
 * Takes objects for leaked that are older than five seconds and that did not
 * change from one scan to the next
 */
void check_leaks(void)
{
	static const char kmemleak[] = "/sys/kernel/debug/kmemleak";
	char line[256];
	FILE *file;

	if (access(kmemleak, F_OK))
		return;
	msleep(5500);
	if (!put_file(kmemleak, "scan") || !put_file(kmemleak, "scan"))
		fail("kmemleak: cannot scan");
	file = fopen(kmemleak, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		fail("kmemleak: %s", line);
	}
	if (file)
		fclose(file);
}
