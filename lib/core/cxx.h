/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * cxx.h - the exceptions that a fiber's C++ code is handling.
 *
 * A C++ runtime keeps two words for each thread, struct cxx: the exceptions
 * that the thread's handlers have caught, and how many it has thrown that are
 * yet to be caught. Between fibers they must not be mixed up: "throw;" throws
 * the first of the list, and the end of a handler destroys it. Each fiber
 * therefore has a copy of its own, which is exchanged with the thread's at
 * every switch (switch.h). Foreign calls and callbacks are no switches: what
 * they run is the fiber's continuation, and finds its exceptions there. The
 * same holds for an adopted thread and the fiber of its callbacks.
 *
 * A program without C++ pays for one look at worker->cxx, which is NULL.
 */
#ifndef BATON_CORE_CXX_H
#define BATON_CORE_CXX_H

/* __cxa_eh_globals of the Itanium C++ ABI, and what the ARM one adds. */
struct cxx {
	void *caught;
	unsigned int uncaught;
#if defined(__arm__) && !defined(__ARM_DWARF_EH__)
	void *propagating;
#endif
};

typedef struct cxx *(*cxx_fn)(void);

/*
 * What gives a thread the address of its globals; NULL if no C++ runtime is
 * among the libraries that the program can see now.
 */
cxx_fn baton_cxx_find(void);

#endif /* BATON_CORE_CXX_H */
