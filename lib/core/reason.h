/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* reason.h - why a function of the library failed, in words. */
#ifndef BATON_CORE_REASON_H
#define BATON_CORE_REASON_H

/*
 * Keep the text for baton_reason() on the calling thread, and return @err. So
 * "return baton_error(-EINVAL, ...)" is how a public function refuses.
 */
int baton_error(int err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* BATON_CORE_REASON_H */
