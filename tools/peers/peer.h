/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * peer.h - what the programs for C and C++ have in common: a row is done for
 * 0.1 s or more, twice, and the nanoseconds per operation of the second time
 * are printed. A row that the peer does not have is exit status 3.
 */
#ifndef BATON_PEERS_PEER_H
#define BATON_PEERS_PEER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/**
 * struct peer_row - a row
 * @name:    as "run" has it
 * @workers: how many there are to be
 * @per:     operations of each round
 * @body:    does @n rounds
 */
struct peer_row {
	const char *name;
	unsigned int workers;
	uint64_t per;
	void (*body)(uint64_t n);
};

static inline uint64_t peer_time(const struct peer_row *row, uint64_t n)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	row->body(n);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (uint64_t)((b.tv_sec - a.tv_sec) * 1000000000LL +
			  (b.tv_nsec - a.tv_nsec));
}

static inline void peer_measure(const struct peer_row *row)
{
	uint64_t n = 1, ns = 0;
	int again = 0;

	while (again < 2) {
		ns = peer_time(row, n);
		if (ns >= 100000000) {
			again++;
		} else {
			again = 0;
			n *= ns < 10000000 ? 10 : 2;
		}
	}
	printf("%.2f\n", (double)ns / (double)(n * row->per));
}

/* Ends the process if there is none. */
static inline const struct peer_row *peer_row(const struct peer_row *rows,
					      const char *name)
{
	while (rows->name && (!name || strcmp(rows->name, name)))
		rows++;
	if (!rows->name)
		exit(3);
	return rows;
}

static inline void peer_check(int right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "wrong: %s\n", what);
	exit(1);
}

#endif /* BATON_PEERS_PEER_H */
