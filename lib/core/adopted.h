/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * adopted.h - threads that the library did not make, as workers for their
 * callbacks. Each has a fiber of its own, to which it is bound for good;
 * between two callbacks it is PARKED and has no processor.
 *
 * Such a thread may come, call back, and end at any time, also while the
 * scheduler ends. HACKING, "Adopted threads", says what it may use until when.
 */
#ifndef BATON_CORE_ADOPTED_H
#define BATON_CORE_ADOPTED_H

struct baton_rt;
struct baton_worker;

/*
 * The calling thread is adopted as *@worker. 0; -ESRCH no scheduler runs;
 * -ESHUTDOWN it is ending; -EAGAIN all slots are taken; -EINVAL only one of
 * this thread and the workers has a shadow stack; -ENOMEM.
 */
int baton_adopted_create(struct baton_worker **worker);

/*
 * The calling thread, adopted as @w and not in a callback, is a worker no more.
 * If the scheduler is ending and may have cut off a callback, others may still
 * know the fiber: then its stack stays until baton_adopted_free().
 */
void baton_adopted_forget(struct baton_worker *w);

/* The calling thread, adopted, has left a callback of a stopping scheduler. */
void baton_adopted_left(void);

/*
 * No scheduler runs any more: no further thread is adopted. Wait until no
 * adopted thread is in a callback. From then on they use @rt itself and its
 * region alone, and other threads use nothing.
 */
void baton_adopted_drain(struct baton_rt *rt);

/* In the child of fork(): nobody waits for an adopted thread. */
void baton_adopted_forked(void);

/* Free what baton_adopted_forget() has kept. After baton_adopted_drain(). */
void baton_adopted_free(struct baton_rt *rt);

#endif /* BATON_CORE_ADOPTED_H */
