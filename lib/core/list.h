/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* list.h - fibers and workers, and what each does, for people. */
#ifndef BATON_CORE_LIST_H
#define BATON_CORE_LIST_H

struct baton_fiber;
struct baton_rt;

void baton_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Fibers that wait, on standard error: who they are, what for, since when, and,
 * where that can be told, the calls that led there. */
void baton_list_waiting(struct baton_rt *rt);

/* The same for all but @f; those that do not wait with where they run. */
void baton_list_others(struct baton_rt *rt, const struct baton_fiber *f);

/* All workers, and what each is doing, in the belief that it is blocked. */
void baton_list_workers(struct baton_rt *rt);

/*
 * All fibers of stacks that @rt has, to @fd. By a worker, the watcher, or with
 * baton_rt_look(). 0; -ENOMEM; what write() has failed by.
 */
int baton_list_all(struct baton_rt *rt, int fd);

/* And those of adopted threads that are in a callback. */
int baton_list_adopted(struct baton_rt *rt, int fd);

#endif /* BATON_CORE_LIST_H */
