/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* symptoms.h - what the sick programs of baton-debug(7) have in common */
#include <baton/baton.h>
#include <stdlib.h>

static inline struct baton_fiber *spawn(const char *name, baton_fn fn,
					void *arg)
{
	struct baton_attr *attr;
	struct baton_fiber *f;

	if (baton_attr_create(&attr) || baton_attr_set_name(attr, name) ||
	    baton_spawn(&f, attr, fn, arg))
		exit(1);
	baton_attr_destroy(attr);
	return f;
}
