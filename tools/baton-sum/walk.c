// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * walk.c - find the files of a tree.
 *
 * Regular files only; a symbolic link is followed when it was named on the
 * command line. Whole paths come in the order of their bytes, as `LC_ALL=C
 * sort` has them: a directory sorts as if its name ended with a slash.
 *
 * The directories from the top down to the current one are a list on the
 * heap, not frames on a fiber's small stack.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sum.h"

struct entry {
	char *name;
	bool is_dir;
};

/**
 * struct dir - a directory that is being walked
 * @up:      the one above
 * @path:    its path
 * @entries: what is in it, sorted
 * @count:   how many
 * @next:    the next to be visited
 * @err:     0 or a negative errno
 */
struct dir {
	struct dir *up;
	char *path;
	struct entry *entries;
	size_t count;
	size_t next;
	int err;
};

static int slash_or(const struct entry *e, size_t i, size_t len)
{
	return i == len && e->is_dir ? '/' : (unsigned char)e->name[i];
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	size_t xlen = strlen(x->name), ylen = strlen(y->name), i = 0;

	while (i < xlen && i < ylen && x->name[i] == y->name[i])
		i++;
	return slash_or(x, i, xlen) - slash_or(y, i, ylen);
}

/* Return: the file type in terms of DT_*, DT_UNKNOWN if it is gone. */
static int type_of(DIR *d, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type;
	if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
		return DT_UNKNOWN;
	return IFTODT(st.st_mode);
}

static int add_entry(struct dir *dir, const char *name, bool is_dir)
{
	struct entry *e = dir->entries;

	if (!(dir->count & (dir->count - 1))) {
		e = realloc(e, (dir->count ? dir->count * 2 : 1) * sizeof(*e));
		if (!e)
			return -ENOMEM;
		dir->entries = e;
	}
	e += dir->count;
	e->is_dir = is_dir;
	e->name = strdup(name);
	if (!e->name)
		return -ENOMEM;
	dir->count++;
	return 0;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int read_entries(struct dir *dir, DIR *d)
{
	const struct dirent *e;
	int type, err = 0;

	while (!err) {
		errno = 0;
		e = readdir(d);
		if (!e)
			return -errno;
		if (is_dots(e->d_name))
			continue;
		type = type_of(d, e);
		if (type == DT_REG || type == DT_DIR)
			err = add_entry(dir, e->d_name, type == DT_DIR);
	}
	return err;
}

/* May block. */
static void scan(void *arg)
{
	struct dir *dir = arg;
	DIR *d = opendir(dir->path);

	if (!d) {
		dir->err = -errno;
		return;
	}
	dir->err = read_entries(dir, d);
	closedir(d);
	if (dir->count)
		qsort(dir->entries, dir->count, sizeof(*dir->entries),
		      compare_entries);
}

static char *join_path(const char *path, const char *name)
{
	size_t len = strlen(path), size = len + strlen(name) + 2;
	const char *slash = len && path[len - 1] == '/' ? "" : "/";
	char *joined = malloc(size);

	if (joined)
		snprintf(joined, size, "%s%s%s", path, slash, name);
	return joined;
}

static struct dir *enter(struct sum_queue *q, struct dir *up, char *path)
{
	struct dir *dir = calloc(1, sizeof(*dir));

	if (!dir || !path) {
		free(dir);
		free(path);
		sum_queue_put(q, NULL);
		return up;
	}
	dir->up = up;
	dir->path = path;
	sum_blocking(scan, dir);
	if (dir->err)
		sum_queue_put(q, sum_job_failed(path, dir->err));
	return dir;
}

static struct dir *leave(struct dir *dir)
{
	struct dir *up = dir->up;

	for (size_t i = 0; i < dir->count; i++)
		free(dir->entries[i].name);
	free(dir->entries);
	free(dir->path);
	free(dir);
	return up;
}

static void walk_tree(struct sum_queue *q, const char *top)
{
	struct dir *dir = enter(q, NULL, strdup(top));
	struct entry *e;
	char *path;

	while (dir) {
		if (dir->next == dir->count) {
			dir = leave(dir);
			continue;
		}
		e = &dir->entries[dir->next++];
		path = join_path(dir->path, e->name);
		if (path && !e->is_dir) {
			sum_queue_put(q, sum_job_new(SUM_WALKED, path));
			free(path);
		} else {
			dir = enter(q, dir, path);
		}
	}
}

struct look {
	const char *name;
	bool is_dir;
};

/* May block. */
static void look_at(void *arg)
{
	struct look *l = arg;
	struct stat st;

	l->is_dir = !stat(l->name, &st) && S_ISDIR(st.st_mode);
}

void sum_walk(struct sum_queue *q, char **args)
{
	struct look l;

	for (; *args; args++) {
		if (!strcmp(*args, "-")) {
			sum_queue_put(q, sum_job_new(SUM_STDIN, "-"));
			continue;
		}
		l = (struct look) { .name = *args };
		sum_blocking(look_at, &l);
		if (l.is_dir)
			walk_tree(q, *args);
		else
			sum_queue_put(q, sum_job_new(SUM_ARGUMENT, *args));
	}
}
