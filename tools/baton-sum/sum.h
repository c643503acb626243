/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * sum.h - what the files of baton-sum share.
 *
 * Three kinds of fibers. The *feeder* walks the trees, or reads the lists to
 * check, and puts a job for each file into the queue. The *master*, which is
 * the first fiber, takes them out, starts a *hasher* for each of a bounded
 * number at a time, and prints the results in the order of the queue.
 */
#ifndef BATON_SUM_H
#define BATON_SUM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <baton/baton.h>

#define SUM_BYTES	32	/* of a SHA-256 */
#define SUM_CHUNK	(32 * 1024)
#define SUM_QUEUE_MAX	65536

/**
 * struct sum_opts - the command line
 * @tier:        the tier to insist on
 * @nprocs:      0 for the library's default
 * @in_flight:   most files at once
 * @check:       the arguments are lists to check
 * @ignore_missing: in check mode, no word of files that are not there
 * @strict:      in check mode, fail for malformed lines
 * @warn:        in check mode, tell each of these
 * @binary:      mark names with an asterisk
 * @text:        do not, said expressly
 * @tag:         print in the style of BSD
 * @io:          how files are waited for
 * @unannounced: make the calls that block in fiber code
 * @quiet:       no progress bar, no summary, no "OK" lines
 * @status:      print nothing in check mode
 * @zero:        end lines with NUL and do not escape
 * @summary:     print one
 * @json:        as JSON
 * @progress:    show a bar
 */
struct sum_opts {
	enum baton_tier tier;
	unsigned int nprocs;
	unsigned int in_flight;
	enum baton_io io;
	bool check;
	bool ignore_missing;
	bool strict;
	bool warn;
	bool binary;
	bool text;
	bool tag;
	bool unannounced;
	bool quiet;
	bool status;
	bool zero;
	bool summary;
	bool json;
	bool progress;
};

extern struct sum_opts sum_opts;

enum sum_source {
	SUM_ARGUMENT,		/* named by the user */
	SUM_WALKED,		/* found in a tree: a regular file, no link */
	SUM_STDIN,
	SUM_FAILED,		/* nothing to open: @err says why */
};

/**
 * struct sum_job - one file
 * @next:     in the queue, or among those in flight
 * @fiber:    its hasher
 * @source:   where it came from
 * @err:      0 or a negative errno
 * @expected: compare with @want, and say OK or FAILED
 * @done:     the hasher has finished; what it wrote may be read
 * @bytes:    how many were read
 * @want:     the expected checksum
 * @digest:   the checksum
 * @name:     as printed
 */
struct sum_job {
	struct sum_job *next;
	struct baton_fiber *fiber;
	enum sum_source source;
	int err;
	bool expected;
	_Atomic bool done;
	uint64_t bytes;
	unsigned char want[SUM_BYTES];
	unsigned char digest[SUM_BYTES];
	char name[];
};

/* master.c */
void *sum_master(void *arg);

/* queue.c - from the feeder to the master; a feeder too far ahead waits */
struct sum_queue {
	pthread_mutex_t lock;
	struct sum_job *head;
	struct sum_job **tail;
	size_t length;
	uint64_t total;		/* jobs ever put in */
	bool closed;
	bool feeder_waits;
	struct baton_fiber *feeder;
	struct baton_fiber *master;
};

void sum_queue_init(struct sum_queue *q, struct baton_fiber *master);
void sum_queue_put(struct sum_queue *q, struct sum_job *job);
void sum_queue_close(struct sum_queue *q);
struct sum_job *sum_queue_take(struct sum_queue *q);
uint64_t sum_queue_total(struct sum_queue *q, bool *closed);

struct sum_job *sum_job_new(enum sum_source source, const char *name);
struct sum_job *sum_job_failed(const char *name, int err);

/* walk.c - the feeder of the names on the command line */
void sum_walk(struct sum_queue *q, char **args);

/* check.c - the feeder of the lists on the command line */
void sum_check(struct sum_queue *q, char **args);

/* hash.c - the hasher */
int sum_hash_init(void);
void sum_hash_uninit(void);
int sum_hash_job(struct sum_job *job);
void sum_blocking(void (*fn)(void *arg), void *arg);

/* output.c - results, errors, progress, summary */
struct sum_totals {
	uint64_t start_ns;
	uint64_t shown_ns;
	uint64_t files;
	uint64_t bytes;
	uint64_t unread;	/* files that could not be read */
	uint64_t mismatched;
	uint64_t malformed;	/* lines of lists */
	uint64_t failed;	/* lists that could not be read or had
				 * no sums */
};

extern struct sum_totals sum_totals;

uint64_t sum_now(void);
void sum_print(struct sum_job *job);
void sum_error(const char *name, int err);
void sum_complain(const char *name, const char *what);
void sum_warn_line(const char *list, uint64_t number);
void sum_progress(struct sum_queue *q);
void sum_progress_end(void);
void sum_warnings(void);
void sum_summary(void);

#endif /* BATON_SUM_H */
