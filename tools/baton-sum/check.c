// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* check.c - read lists of checksums, as written by this program. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sum.h"

struct list {
	const char *name;
	FILE *file;
	char *line;
	size_t size;
	ssize_t len;
	uint64_t number;	/* of the line */
	uint64_t good;
	uint64_t malformed;
	int err;
};

/* May block. */
static void list_open(void *arg)
{
	struct list *l = arg;

	l->file = !strcmp(l->name, "-") ? stdin : fopen(l->name, "re");
	l->err = l->file ? 0 : -errno;
}

/* May block. */
static void list_line(void *arg)
{
	struct list *l = arg;

	errno = 0;
	l->len = getdelim(&l->line, &l->size, sum_opts.zero ? '\0' : '\n',
			  l->file);
	if (l->len < 0 && ferror(l->file))
		l->err = -errno;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_digest(const char *s, unsigned char *digest)
{
	int high, low;

	for (int i = 0; i < SUM_BYTES; i++) {
		high = hex_digit(*s++);
		low = high < 0 ? -1 : hex_digit(*s++);
		if (low < 0)
			return false;
		digest[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* In place. Return: false for an escape that there is not. */
static bool unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s != '\\') {
			*out++ = *s;
			continue;
		}
		switch (*++s) {
		case 'n':
			*out++ = '\n';
			break;
		case 'r':
			*out++ = '\r';
			break;
		case '\\':
			*out++ = '\\';
			break;
		default:
			return false;
		}
	}
	*out = '\0';
	return true;
}

/* "SHA256 (NAME) = SUM", of BSD, or without spaces as openssl(1) writes it. */
static char *parse_tagged(char *line, unsigned char *want)
{
	char *name = line + strlen("SHA256"), *end = strrchr(line, ')');

	name += *name == ' ';
	if (*name++ != '(' || !end || end <= name)
		return NULL;
	*end++ = '\0';
	end += *end == ' ';
	if (*end++ != '=')
		return NULL;
	end += *end == ' ';
	if (!parse_digest(end, want) || end[2 * SUM_BYTES])
		return NULL;
	return name;
}

/* "SUM  NAME", or "SUM *NAME". */
static char *parse_plain(char *line, unsigned char *want)
{
	if (!parse_digest(line, want))
		return NULL;
	line += 2 * SUM_BYTES;
	if (line[0] != ' ' || (line[1] != ' ' && line[1] != '*') || !line[2])
		return NULL;
	return line + 2;
}

/* Return: a job; NULL if the line is malformed. */
static struct sum_job *parse_line(char *line)
{
	unsigned char want[SUM_BYTES];
	bool escaped = *line == '\\' && !sum_opts.zero;
	struct sum_job *job;
	char *name;

	line += escaped;
	if (!strncmp(line, "SHA256", strlen("SHA256")))
		name = parse_tagged(line, want);
	else
		name = parse_plain(line, want);
	if (!name)
		return NULL;
	if (escaped && !unescape(name))
		return NULL;
	job = sum_job_new(strcmp(name, "-") ? SUM_ARGUMENT : SUM_STDIN, name);
	if (job) {
		job->expected = true;
		memcpy(job->want, want, SUM_BYTES);
	}
	return job;
}

static void check_line(struct sum_queue *q, struct list *l)
{
	struct sum_job *job;

	if (l->len && l->line[l->len - 1] == (sum_opts.zero ? '\0' : '\n'))
		l->line[l->len - 1] = '\0';
	l->number++;
	if (*l->line == '#' || !*l->line)
		return;
	job = parse_line(l->line);
	if (!job) {
		l->malformed++;
		if (sum_opts.warn)
			sum_warn_line(l->name, l->number);
		return;
	}
	l->good++;
	sum_queue_put(q, job);
}

static void check_list(struct sum_queue *q, const char *name)
{
	struct list l = { .name = name };

	sum_blocking(list_open, &l);
	while (!l.err) {
		sum_blocking(list_line, &l);
		if (l.len < 0)
			break;
		check_line(q, &l);
	}
	if (l.file && l.file != stdin)
		fclose(l.file);
	free(l.line);
	if (!l.err && l.good) {
		sum_totals.malformed += l.malformed;
		return;
	}
	sum_totals.failed++;
	if (l.err)
		sum_error(name, l.err);
	else
		sum_complain(name, "no properly formatted checksum lines found");
}

void sum_check(struct sum_queue *q, char **args)
{
	for (; *args; args++)
		check_list(q, *args);
}
