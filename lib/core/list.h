/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* list.h - fibers and workers, and what each does, on standard error. */
#ifndef BATON_CORE_LIST_H
#define BATON_CORE_LIST_H

struct baton_fiber;
struct baton_rt;

void baton_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Fibers that wait: who they are, what for, and, where that can be told, the
 * calls that led there. */
void baton_list_waiting(struct baton_rt *rt);

/* All fibers but @f; those that do not wait with where they run. */
void baton_list_others(struct baton_rt *rt, const struct baton_fiber *f);

/* All workers, and what each is doing, in the belief that it is blocked. */
void baton_list_workers(struct baton_rt *rt);

#endif /* BATON_CORE_LIST_H */
