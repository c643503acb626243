/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* top.h - what the parts of baton-top share. */
#ifndef TOOLS_BATON_TOP_TOP_H
#define TOOLS_BATON_TOP_TOP_H

#include <stdio.h>

#include "../door/door.h"

/**
 * struct top - what is shown, and how
 * @list: each fiber, too
 * @was:  the view before, for rates; @was.when is 0 if there is none
 */
struct top {
	struct target target;
	struct view now;
	struct view was;
	bool list;
	bool json;
};

/* All counters of hand-offs together. */
uint64_t handoffs(const struct view *v);

/* How many a second there were since the last view; negative: not known. */
double handoff_rate(const struct top *top);

const char *worker_does(const struct worker *w);
const char *tier_name(const struct view *v);

/* What is running in worker @w, or NULL. */
const struct fiber *fiber_of(const struct view *v, const struct worker *w);

void show_lines(FILE *out, const struct top *top);
void show_json(FILE *out, const struct top *top);

/* Where fibers have blocked: the first places of them, or as a member "sites",
 * all of them. */
void sites_lines(FILE *out, const struct top *top);
void sites_json(FILE *out, const struct top *top);

/* Text of the other process's, with nothing that a terminal or a reader of JSON
 * would obey. */
void show_text(FILE *out, const char *text);
void show_json_text(FILE *out, const char *text);

/* On the terminal, until the user has enough, or the process ends. */
bool screen_can(void);
int screen_run(struct top *top, double seconds);

/* The next view; as view_take(). */
int next_view(struct top *top);

#endif /* TOOLS_BATON_TOP_TOP_H */
