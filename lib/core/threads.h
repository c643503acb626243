/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * threads.h - the library's own threads: the workers, of which one is kept
 * ahead of need, and the watcher, which starts them.
 */
#ifndef BATON_CORE_THREADS_H
#define BATON_CORE_THREADS_H

struct baton_rt;

/*
 * Run the scheduler: the calling thread is the first worker, with processor 0,
 * and comes back when the scheduler has stopped and all threads that were
 * started meanwhile are gone. 0; or -errno with a reason, if it could not even
 * begin: then no fiber has run.
 */
int baton_threads_run(struct baton_rt *rt);

/* Free the workers of those threads. No fiber may lead to one any more. */
void baton_threads_free(struct baton_rt *rt);

#endif /* BATON_CORE_THREADS_H */
