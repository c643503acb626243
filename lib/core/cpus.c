// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cpus.c - how many CPUs this process may use: the affinity mask, and the
 * tightest quota on the way from its cgroup to the root, in both versions'
 * interfaces. Where nothing can be read nothing limits.
 *
 * Paths are on the heap: baton_run() may be called on a stack of 16 KiB, the
 * smallest that a thread can have, of which two of PATH_MAX are a half.
 */
#include "cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int affinity(void)
{
	/* The kernel may have more CPUs than a cpu_set_t: grow until it fits */
	for (int n = 1024; n <= 1 << 20; n *= 2) {
		cpu_set_t *set = CPU_ALLOC(n);
		size_t size = CPU_ALLOC_SIZE(n);
		int cpus = 0;

		if (!set)
			break;
		if (!sched_getaffinity(0, size, set))
			cpus = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (cpus > 0)
			return (unsigned int)cpus;
	}
	return 1;
}

static bool read_line(const char *dir, const char *file, char *buf, int size)
{
	char *path;
	FILE *f;
	bool ok;

	if (asprintf(&path, "%s/%s", dir, file) < 0)
		return false;
	f = fopen(path, "re");
	free(path);
	if (!f)
		return false;
	ok = fgets(buf, size, f);
	fclose(f);
	return ok;
}

/* CPUs that the cgroup at @dir has a quota for, rounded up; or UINT_MAX. */
static unsigned int quota(const char *dir)
{
	long long max = -1, period = 0;
	char buf[64];

	if (read_line(dir, "cpu.max", buf, sizeof(buf))) {
		if (sscanf(buf, "%lld %lld", &max, &period) != 2)
			return UINT_MAX;
	} else if (read_line(dir, "cpu.cfs_quota_us", buf, sizeof(buf))) {
		max = atoll(buf);
		if (read_line(dir, "cpu.cfs_period_us", buf, sizeof(buf)))
			period = atoll(buf);
	}
	if (max <= 0 || period <= 0)
		return UINT_MAX;
	return (unsigned int)((max + period - 1) / period);
}

/* The tightest quota from @group, below @mount, up to the root. */
static unsigned int tightest(const char *mount, const char *group)
{
	size_t root = strlen(mount);
	unsigned int min = UINT_MAX;
	char *dir, *slash;

	if (asprintf(&dir, "%s%s", mount, group) < 0)
		return min;
	for (;;) {
		unsigned int cpus = quota(dir);

		if (cpus < min)
			min = cpus;
		slash = strrchr(dir, '/');
		if (strlen(dir) <= root || !slash)
			break;
		*slash = '\0';
	}
	free(dir);
	return min;
}

/* A line of /proc/self/cgroup: "0::/x" or "4:cpu,cpuacct:/x". */
static unsigned int line_quota(char *line)
{
	char *list = strchr(line, ':'), *path;

	if (!list)
		return UINT_MAX;
	list++;
	path = strchr(list, ':');
	if (!path)
		return UINT_MAX;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	if (!strcmp(path, "/"))
		path = "";
	if (!*list)
		return tightest("/sys/fs/cgroup", path);
	/* Not strtok(), whose place in a string is the caller's, too. */
	for (char *c; (c = strsep(&list, ","));)
		if (!strcmp(c, "cpu"))
			return tightest("/sys/fs/cgroup/cpu", path);
	return UINT_MAX;
}

unsigned int baton_cpus_allowed(void)
{
	unsigned int cpus = affinity();
	FILE *f = fopen("/proc/self/cgroup", "re");
	char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) >= 0) {
		unsigned int q = line_quota(line);

		if (q < cpus)
			cpus = q;
	}
	free(line);
	if (f)
		fclose(f);
	return cpus;
}
