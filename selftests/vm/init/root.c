// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* root.c - the host's files at their own places, and ours between them */
#include "init.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *on_host(const char *path)
{
	static char buf[sizeof(HOST) + PATH_MAX];

	snprintf(buf, sizeof(buf), HOST "%s", path);
	return buf;
}

/* What the way to the host needs, in an order that works */
void load_boot_modules(void)
{
	char path[PATH_MAX];
	FILE *order = fopen("order", "re");

	while (order && fscanf(order, "%4095s", path) == 1) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			die(path);
		close(fd);
		unlink(path);
	}
	if (!order)
		die("order");
	fclose(order);
	unlink("order");
	unlink("init");
}

static void try_mount(const char *what, const char *where, const char *type,
		      const char *opts)
{
	mkdirs(where);
	mount(what, where, type, MS_NOSUID, opts);
}

void mount_kernel_trees(void)
{
	try_mount("proc", "/proc", "proc", NULL);
	try_mount("sys", "/sys", "sysfs", NULL);
	try_mount("dev", "/dev", "devtmpfs", "mode=755");
	try_mount("shm", "/dev/shm", "tmpfs", "mode=1777");
	try_mount("pts", "/dev/pts", "devpts", "mode=620,gid=5,ptmxmode=666");
	try_mount("debugfs", "/sys/kernel/debug", "debugfs", NULL);
	try_mount("tracefs", "/sys/kernel/tracing", "tracefs", NULL);
	try_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", NULL);
	if (symlink("/proc/self/fd", "/dev/fd") ||
	    symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") ||
	    symlink("/proc/self/fd/2", "/dev/stderr"))
		die("/dev");
}

/* Is this, without the slash, a folder that the host does not lend us? */
static bool is_ours(const char *name)
{
	static const char *const ours[] = {
		"", ".", "..", "dev", "dev/shm", "lib", "proc", "run", "sys",
		"tmp", "var/tmp",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ours); i++) {
		if (!strcmp(name, ours[i]))
			return true;
	}
	return false;
}

/* Makes the host's folder appear at the same place here, where it is ro */
static void show(const char *path)
{
	mkdirs(path);
	if (mount(on_host(path), path, NULL, MS_BIND | MS_REC, NULL))
		die(path);
}

/* The same, unless it is there already, or a folder of which we have our own */
static void show_hidden(const char *path)
{
	struct stat here, there;

	if (stat(on_host(path), &there))
		die(path);
	if (stat(path, &here) ||
	    (here.st_ino != there.st_ino && !is_ours(path + 1)))
		show(path);
}

/* The same for a file, of whose folder we have our own */
static void show_file(const char *path)
{
	int fd;

	if (!access(path, F_OK))
		return;
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	if (fd < 0 || mount(on_host(path), path, NULL, MS_BIND, NULL))
		die(path);
	close(fd);
}

/* The folder of the command, or the command itself, where it is hidden */
static void show_command(const char *path)
{
	struct stat there;

	if (!path || !path[0])
		return;
	if (stat(on_host(path), &there))
		die(path);
	if (S_ISDIR(there.st_mode))
		show_hidden(path);
	else
		show_file(path);
}

/* Our root is the initramfs; what is in the host's root appears in it */
static void show_root(void)
{
	char path[PATH_MAX], target[PATH_MAX];
	struct dirent *de;
	DIR *dir = opendir(HOST);

	if (!dir)
		die(HOST);
	while ((de = readdir(dir))) {
		struct stat st;
		ssize_t n;

		snprintf(path, sizeof(path), "/%s", de->d_name);
		if (is_ours(de->d_name) || lstat(on_host(path), &st))
			continue;
		if (S_ISDIR(st.st_mode)) {
			show(path);
		} else if (S_ISLNK(st.st_mode)) {
			n = readlink(on_host(path), target, sizeof(target) - 1);
			target[n < 0 ? 0 : n] = 0;
			if (symlink(target, path))
				die(path);
		}
	}
	closedir(dir);
}

/*
 * modprobe insists on /lib/modules, which a host need not have.  /lib is a link
 * to usr/lib, where we cannot make it; so here it is a folder of links.
 */
static void make_lib(void)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct dirent *de;
	DIR *dir = opendir("/usr/lib");

	mkdir("/lib", 0755);
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.' || !strcmp(de->d_name, "modules"))
			continue;
		snprintf(from, sizeof(from), "/lib/%s", de->d_name);
		snprintf(to, sizeof(to), "../usr/lib/%s", de->d_name);
		if (symlink(to, from))
			die(from);
	}
	if (dir)
		closedir(dir);

	snprintf(to, sizeof(to), "/lib/modules/%s", conf.release);
	mkdirs(to);
	if (mount(on_host(conf.modules), to, NULL, MS_BIND, NULL))
		die(to);
}

void mount_host(void)
{
	/* loose: only the host writes, and not while a test runs */
	mkdir(HOST, 0755);
	if (mount("host", HOST, "9p", MS_RDONLY,
		  "trans=virtio,version=9p2000.L,msize=1048576,cache=loose"))
		die("9p");
}

void make_root(void)
{
	static const char *const fresh[] = { "/tmp", "/run", "/var/tmp" };
	size_t i;

	show_root();
	make_lib();
	for (i = 0; i < ARRAY_SIZE(fresh); i++)
		try_mount("tmpfs", fresh[i], "tmpfs", "mode=1777");
	/* Where the caller works may be below one of those */
	show_hidden(conf.top);
	show_hidden(conf.cwd);
	/* A link leads to what has to be there first. */
	show_command(conf.target);
	show_command(conf.command);
	umount2(HOST, MNT_DETACH);
	rmdir(HOST);
}
