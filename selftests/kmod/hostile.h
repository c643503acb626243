/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * hostile.h - an instance to be lied to, by root and by nobody
 */
#ifndef SELFTESTS_KMOD_HOSTILE_H
#define SELFTESTS_KMOD_HOSTILE_H

#include "common.h"

#define NPROCS		3
#define NWORKERS	8

FIXTURE(hostile) {
	struct inst in;
	struct worker w[4];
	char *page;		/* followed by one that cannot be touched */
	size_t page_size;
	struct event go;
	uint32_t stop;
	uint32_t bad;
	uint32_t acts;
	uint64_t seed;
};

FIXTURE_VARIANT(hostile) {
	bool nobody;
};

FIXTURE_VARIANT_ADD(hostile, root) {
	.nobody = false,
};

FIXTURE_VARIANT_ADD(hostile, nobody) {
	.nobody = true,
};

FIXTURE_SETUP(hostile)
{
	self->page_size = sysconf(_SC_PAGESIZE);
	self->page = mmap(NULL, 2 * self->page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page + self->page_size, self->page_size,
			      PROT_NONE));
	if (variant->nobody)
		ASSERT_EQ(0, become_nobody());
	ASSERT_EQ(0, inst_open(&self->in, NPROCS, NWORKERS));
}

FIXTURE_TEARDOWN(hostile)
{
	/* This thread may be a worker of it, and would be until it exits */
	inst_unregister(&self->in);
	inst_close(&self->in);
	EXPECT_TRUE(wait_module_idle()) {
		TH_LOG("%ld references are left", module_refcnt());
	}
}

#endif /* SELFTESTS_KMOD_HOSTILE_H */
