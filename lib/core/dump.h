/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * dump.h - what all fibers do, when a signal asks for it: BATON_DUMP in the
 * environment.
 *
 * The handler may have interrupted anybody, with any lock. So it leaves the
 * dump to the watcher, which it wakes.
 */
#ifndef BATON_CORE_DUMP_H
#define BATON_CORE_DUMP_H

struct baton_rt;

/*
 * From here on @signal, if not 0, makes the watcher dump to standard error; if
 * the program handles it itself, it is left to the program.
 */
void baton_dump_install(int signal);

/* The same no more. After baton_rt_running is NULL: no handler looks at the
 * scheduler any more when this returns. */
void baton_dump_remove(int signal);

/* In the child of fork(). */
void baton_dump_forked(void);

/* By the watcher, before it waits: dump, if that was asked for. */
void baton_dump_look(struct baton_rt *rt);

#endif /* BATON_CORE_DUMP_H */
