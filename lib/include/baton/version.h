/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* version.h - which libbaton this is: when compiled, and when run. */
#ifndef BATON_VERSION_H
#define BATON_VERSION_H

/* As in the file VERSION. They are numbers for the preprocessor. */
#define BATON_VERSION_MAJOR	0
#define BATON_VERSION_MINOR	9
#define BATON_VERSION_PATCH	0

#define BATON_VERSION_STR_(x)	#x
#define BATON_VERSION_STR(x)	BATON_VERSION_STR_(x)

/** The same as text, like "1.2.3". */
#define BATON_VERSION					\
	BATON_VERSION_STR(BATON_VERSION_MAJOR) "."	\
	BATON_VERSION_STR(BATON_VERSION_MINOR) "."	\
	BATON_VERSION_STR(BATON_VERSION_PATCH)

/** To ask the headers for at least a version, as in #if. */
#define BATON_VERSION_AT_LEAST(major, minor)		\
	(BATON_VERSION_MAJOR > (major) ||		\
	 (BATON_VERSION_MAJOR == (major) &&		\
	  BATON_VERSION_MINOR >= (minor)))

/* Exported, though the library itself is built with hidden symbols. */
#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/**
 * baton_version() - the version of the library that runs
 *
 * With the shared library it may be another one than BATON_VERSION, which the
 * program was compiled with.
 *
 * Return: a constant string, like "1.2.3". Blocks: neither. Any thread, with or
 * without a scheduler; async-signal-safe.
 */
const char *baton_version(void);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif /* BATON_VERSION_H */
