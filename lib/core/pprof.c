// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pprof.c - where fibers have blocked, as a file for go tool pprof and others.
 *
 * The format is profile.proto of github.com/google/pprof: a protocol buffer in
 * gzip's envelope. Of the former we need numbers and strings, of the latter
 * blocks that are not compressed, so that neither takes a library. A stack has
 * three frames at most: the foreign function, or who called for a lock; the
 * function that made the system call; and what it was. A frame is its name: the
 * same number is that of the string, of the function and of the location.
 */
#include "pprof.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "contend.h"
#include "profile.h"
#include "symbols.h"
#include "syscalls.h"

#define FRAMES_MAX	3u
#define STORED_MAX	65535u	/* of a block that is not compressed */

/* The numbers of fields in profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME = 9,
	PROFILE_DURATION = 10,
	PROFILE_DEFAULT_TYPE = 14,
	TYPE_TYPE = 1,
	TYPE_UNIT = 2,
	SAMPLE_LOCATION = 1,
	SAMPLE_VALUE = 2,
	LOCATION_ID = 1,
	LOCATION_LINE = 4,
	LINE_FUNCTION = 1,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
};

/* What a sample has a value of, in this order. */
enum {
	VALUE_BLOCKS,
	VALUE_BLOCKED,
	VALUE_WAITED,
	VALUE_STARVED,
	VALUE_WAITS,
	VALUE_DELAY,
	VALUES,
};

static const char *const value_names[VALUES][2] = {
	[VALUE_BLOCKS] = { "blocks", "count" },
	[VALUE_BLOCKED] = { "blocked", "nanoseconds" },
	[VALUE_WAITED] = { "no_cpu", "nanoseconds" },
	[VALUE_STARVED] = { "no_processor", "nanoseconds" },
	[VALUE_WAITS] = { "contentions", "count" },
	[VALUE_DELAY] = { "delay", "nanoseconds" },
};

/* --- bytes ----------------------------------------------------------------- */

/**
 * struct bytes - that grow
 * @failed: there was no memory; what is put then is dropped
 */
struct bytes {
	unsigned char *at;
	size_t len;
	size_t room;
	bool failed;
};

static void put(struct bytes *b, const void *from, size_t n)
{
	if (b->len + n > b->room) {
		size_t room = 2 * b->room + n + 256;
		unsigned char *at = realloc(b->at, room);

		if (!at) {
			b->failed = true;
			return;
		}
		b->at = at;
		b->room = room;
	}
	memcpy(b->at + b->len, from, n);
	b->len += n;
}

static void put_byte(struct bytes *b, unsigned int byte)
{
	unsigned char c = (unsigned char)byte;

	put(b, &c, 1);
}

/* --- protocol buffers ------------------------------------------------------ */

static void put_varint(struct bytes *b, uint64_t v)
{
	for (; v > 127; v >>= 7)
		put_byte(b, (unsigned int)(v & 127) | 128);
	put_byte(b, (unsigned int)v);
}

static void put_number(struct bytes *b, unsigned int field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

static void put_field(struct bytes *b, unsigned int field, const void *from,
		      size_t n)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, n);
	put(b, from, n);
}

/* @part becomes a field of @b, and is empty again. */
static void put_part(struct bytes *b, unsigned int field, struct bytes *part)
{
	b->failed |= part->failed;
	put_field(b, field, part->at, part->len);
	part->len = 0;
}

/* --- the profile ----------------------------------------------------------- */

/**
 * struct pprof - a profile on its way into a file
 * @out:     its fields so far
 * @part:    the one in progress
 * @folded:  the other file
 * @strings: all that it names, each once; the first one is empty
 * @failed:  there was no memory for one
 */
struct pprof {
	struct bytes out;
	struct bytes part;
	struct bytes folded;
	char **strings;
	unsigned int nstrings;
	bool failed;
};

static unsigned int string(struct pprof *p, const char *text)
{
	char **strings;

	for (unsigned int i = 0; i < p->nstrings; i++)
		if (!strcmp(p->strings[i], text))
			return i;
	strings = realloc(p->strings, (p->nstrings + 1) * sizeof(*strings));
	if (strings) {
		p->strings = strings;
		strings[p->nstrings] = strdup(text);
	}
	if (!strings || !strings[p->nstrings]) {
		p->failed = true;
		return 0;
	}
	return p->nstrings++;
}

static void put_types(struct pprof *p)
{
	string(p, "");
	for (unsigned int i = 0; i < VALUES; i++) {
		put_number(&p->part, TYPE_TYPE, string(p, value_names[i][0]));
		put_number(&p->part, TYPE_UNIT, string(p, value_names[i][1]));
		put_part(&p->out, PROFILE_SAMPLE_TYPE, &p->part);
	}
	put_number(&p->out, PROFILE_DEFAULT_TYPE,
		   string(p, value_names[VALUE_BLOCKED][0]));
}

/* @frames from the innermost outwards. */
static void put_sample(struct pprof *p, const unsigned int *frames,
		       unsigned int n, const uint64_t *values)
{
	uint64_t ns = values[VALUE_BLOCKED] + values[VALUE_DELAY];
	char number[24];

	for (unsigned int i = 0; i < n; i++)
		put_number(&p->part, SAMPLE_LOCATION, frames[i]);
	for (unsigned int i = 0; i < VALUES; i++)
		put_number(&p->part, SAMPLE_VALUE, values[i]);
	put_part(&p->out, PROFILE_SAMPLE, &p->part);
	if (p->failed)
		return;
	for (unsigned int i = n; i--;) {
		const char *name = p->strings[frames[i]];

		put(&p->folded, name, strlen(name));
		put(&p->folded, ";", i != 0);
	}
	put(&p->folded, number,
	    (size_t)snprintf(number, sizeof(number), " %llu\n",
			     (unsigned long long)ns));
}

/* The function at @code, or as near to it as is known. */
static unsigned int code_frame(struct pprof *p, uintptr_t code)
{
	struct symbol s;
	char text[sizeof(s.name) + 32];

	if (!baton_symbol_find(&s, code))
		snprintf(text, sizeof(text), "%#lx", (unsigned long)code);
	else if (strchr(s.name, '/'))
		snprintf(text, sizeof(text), "%s+%#lx", s.name,
			 (unsigned long)s.offset);
	else
		snprintf(text, sizeof(text), "%s", s.name);
	return string(p, *text ? text : "?");
}

static unsigned int cause_frame(struct pprof *p, int nr)
{
	const char *name = baton_syscall_name(nr);
	char text[64];

	if (nr == BATON_PROFILE_FAULT)
		return string(p, "page fault");
	if (nr == BATON_PROFILE_OTHER)
		return string(p, "other places");
	if (name)
		snprintf(text, sizeof(text), "system call %s", name);
	else
		snprintf(text, sizeof(text), "system call %d", nr);
	return string(p, text);
}

static void put_site(struct pprof *p, const struct baton_profile *s)
{
	const uint64_t values[VALUES] = {
		[VALUE_BLOCKS] = s->count,
		[VALUE_BLOCKED] = s->total,
		[VALUE_WAITED] = s->waited,
		[VALUE_STARVED] = s->starved,
	};
	unsigned int frames[FRAMES_MAX], n = 0;

	if (s->nr != BATON_PROFILE_CALL)
		frames[n++] = cause_frame(p, s->nr);
	/* Behind a system call's instruction, which may be a function's last. */
	if (s->pc)
		frames[n++] = code_frame(p, s->pc - (s->nr >= 0));
	if (s->fn)
		frames[n++] = code_frame(p, symbol_code(s->fn));
	else if (s->nr != BATON_PROFILE_OTHER)
		frames[n++] = string(p, "fiber code");
	put_sample(p, frames, n, values);
}

static void put_contend(struct pprof *p, const struct contend_site *s)
{
	static const char *const names[CONTEND_KINDS] = {
		[CONTEND_MUTEX] = "wait for a mutex",
		[CONTEND_COND] = "wait for a condition",
		[CONTEND_SEND] = "wait to send",
		[CONTEND_RECV] = "wait to receive",
	};
	const uint64_t values[VALUES] = {
		[VALUE_WAITS] = READ_ONCE(s->waits),
		[VALUE_DELAY] = READ_ONCE(s->ns),
	};
	unsigned int frames[2];

	if (!values[VALUE_WAITS])
		return;
	frames[0] = string(p, names[READ_ONCE(s->kind)]);
	frames[1] = code_frame(p, READ_ONCE(s->site) - 1);
	put_sample(p, frames, 2, values);
}

/* Frames, and all strings. */
static void put_names(struct pprof *p)
{
	struct bytes line = { 0 };

	/* Of all: a function may be called as a type is. */
	for (unsigned int i = 1; i < p->nstrings; i++) {
		put_number(&line, LINE_FUNCTION, i);
		put_number(&p->part, LOCATION_ID, i);
		put_part(&p->part, LOCATION_LINE, &line);
		put_part(&p->out, PROFILE_LOCATION, &p->part);
		put_number(&p->part, FUNCTION_ID, i);
		put_number(&p->part, FUNCTION_NAME, i);
		put_number(&p->part, FUNCTION_SYSTEM_NAME, i);
		put_part(&p->out, PROFILE_FUNCTION, &p->part);
	}
	free(line.at);
	for (unsigned int i = 0; i < p->nstrings; i++)
		put_field(&p->out, PROFILE_STRING, p->strings[i],
			  strlen(p->strings[i]));
}

static int put_all(struct pprof *p, const struct baton_rt *rt, int64_t began)
{
	const struct contend_site *c;
	struct baton_profile *sites;
	struct timespec now;
	int n = baton_profile_read(rt, &sites);

	if (n < 0)
		return n;
	put_types(p);
	for (int i = 0; i < n; i++)
		put_site(p, &sites[i]);
	free(sites);
	for (unsigned int i = 0; (c = baton_contend_at(i)); i++)
		put_contend(p, c);
	put_names(p);
	clock_gettime(CLOCK_REALTIME, &now);
	put_number(&p->out, PROFILE_TIME,
		   (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	put_number(&p->out, PROFILE_DURATION, (uint64_t)(now_ns() - began));
	return p->failed || p->out.failed || p->folded.failed ? -ENOMEM : 0;
}

/* --- files ----------------------------------------------------------------- */

static uint32_t crc32(const unsigned char *at, size_t n)
{
	uint32_t crc = ~0u;

	while (n--) {
		crc ^= *at++;
		for (unsigned int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* The lower end first. */
static void put_le(struct bytes *b, uint64_t v, unsigned int n)
{
	for (; n--; v >>= 8)
		put_byte(b, (unsigned int)v & 255);
}

/* @b in gzip's envelope, RFC 1952, in stored blocks, RFC 1951. */
static void gzip(struct bytes *out, const struct bytes *b)
{
	static const unsigned char head[10] = { 31, 139, 8, [9] = 255 };
	size_t at = 0, n;

	put(out, head, sizeof(head));
	do {
		n = b->len - at < STORED_MAX ? b->len - at : STORED_MAX;
		put_byte(out, at + n == b->len);
		put_le(out, n, 2);
		put_le(out, ~n, 2);
		put(out, b->at + at, n);
		at += n;
	} while (at < b->len);
	put_le(out, crc32(b->at, b->len), 4);
	put_le(out, b->len, 4);
}

static int write_all(int fd, const struct bytes *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(fd, b->at + at, b->len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Beside the old one first. */
static int replace(const char *path, const char *suffix, const struct bytes *b)
{
	char name[PATH_MAX], temp[PATH_MAX + 8];
	int fd, err;

	if (snprintf(name, sizeof(name), "%s%s", path, suffix) >=
	    (int)sizeof(name))
		return -ENAMETOOLONG;
	snprintf(temp, sizeof(temp), "%s.new", name);
	/* Whatever others have put there is not written to. */
	unlink(temp);
	fd = open(temp,
		  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	err = write_all(fd, b);
	close(fd);
	if (!err && rename(temp, name))
		err = -errno;
	if (err)
		unlink(temp);
	return err;
}

int baton_pprof_write(const struct baton_rt *rt, const char *path,
		      int64_t began)
{
	struct pprof p = { 0 };
	struct bytes file = { 0 };
	int err = put_all(&p, rt, began);

	if (!err)
		gzip(&file, &p.out);
	if (!err)
		err = file.failed ? -ENOMEM : replace(path, "", &file);
	if (!err)
		err = replace(path, ".folded", &p.folded);
	while (p.nstrings)
		free(p.strings[--p.nstrings]);
	free(p.strings);
	free(p.part.at);
	free(p.folded.at);
	free(p.out.at);
	free(file.at);
	return err;
}
