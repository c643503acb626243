/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * cgroup.h - a control group of our own
 */
#ifndef SELFTESTS_KMOD_CGROUP_H
#define SELFTESTS_KMOD_CGROUP_H

#include <sys/mount.h>

#include "common.h"

struct cgroup {
	char root[32];
	char dir[64];
};

static inline bool write_file(const char *dir, const char *name,
			      const char *text)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

static inline bool write_number(const char *dir, const char *name, long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", n);
	return write_file(dir, name, text);
}

/* An unsigned number in a file of the group, or -1 */
static inline long cgroup_number(struct cgroup *g, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", g->dir, name);
	return file_number(path);
}

static inline bool cgroup_mount(struct cgroup *g, const char *type,
				const char *options)
{
	memset(g, 0, sizeof(*g));
	strcpy(g->root, "/tmp/baton-cgroup-XXXXXX");
	return mkdtemp(g->root) && !mount("none", g->root, type, 0, options);
}

static inline bool cgroup_enter(struct cgroup *g, pid_t pid)
{
	snprintf(g->dir, sizeof(g->dir), "%s/baton-%d", g->root, pid);
	return !mkdir(g->dir, 0700) && !access(g->dir, W_OK) &&
		write_number(g->dir, "cgroup.procs", pid);
}

/*
 * Makes a group with the process in it and, unless it is NULL, a controller;
 * false if there are none.  Also then, cgroup_end().
 */
static inline bool cgroup_make(struct cgroup *g, pid_t pid,
			       const char *controller)
{
	char text[24];

	if (!cgroup_mount(g, "cgroup2", NULL))
		return false;
	if (controller) {
		snprintf(text, sizeof(text), "+%s", controller);
		if (!write_file(g->root, "cgroup.subtree_control", text))
			return false;
	}
	return cgroup_enter(g, pid);
}

/* The same in a hierarchy of version 1, with one controller */
static inline bool cgroup_make_v1(struct cgroup *g, pid_t pid,
				  const char *controller)
{
	return cgroup_mount(g, "cgroup", controller) && cgroup_enter(g, pid);
}

/* Its processes are dead */
static inline void cgroup_end(struct cgroup *g)
{
	if (g->dir[0])
		rmdir(g->dir);
	if (g->root[0]) {
		umount(g->root);
		rmdir(g->root);
	}
}

static inline bool cgroup_is_frozen(struct cgroup *g, bool frozen)
{
	char path[PATH_MAX], buf[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.events", g->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n < 0)
		return false;
	buf[n] = 0;
	return strstr(buf, frozen ? "frozen 1" : "frozen 0");
}

/* Freezes it and lets it go again */
static inline bool cgroup_freeze(struct cgroup *g)
{
	return write_file(g->dir, "cgroup.freeze", "1") &&
		poll_until(cgroup_is_frozen(g, true)) &&
		write_file(g->dir, "cgroup.freeze", "0") &&
		poll_until(cgroup_is_frozen(g, false));
}

#endif /* SELFTESTS_KMOD_CGROUP_H */
