/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * lifetime.h - what shows that nothing is left, and that all works again
 */
#ifndef SELFTESTS_KMOD_LIFETIME_H
#define SELFTESTS_KMOD_LIFETIME_H

#include "common.h"

/*
 * Everything that takes an instance, called by a process that is not allowed
 * to; returns the first that did not say so, or 0
 */
static inline int all_refused(int fd, int error)
{
	struct inst in = { .fd = fd };
	struct baton_counts c;
	unsigned int i;
	int ret[] = {
		dev_create(fd, 1, 1, NULL),
		inst_register(&in),
		inst_park(&in, 0),
		inst_wake(&in, 0, BATON_ANY),
		inst_swap(&in, 0, 0, 0),
		inst_counts(&in, &c),
		inst_unregister(&in),
		inst_stop(&in),
	};

	for (i = 0; i < ARRAY_SIZE(ret); i++) {
		if (ret[i] != error)
			return i + 1;
	}
	return 0;
}

/* Registers, blocks, is given back what it lost, unregisters: all works */
static inline int try_instance(void)
{
	struct inst in;
	struct baton_slot *slot;
	int ret, i, n = 0;

	ret = inst_open(&in, 1, 2);
	if (ret)
		return ret;
	ret = inst_register(&in);
	if (ret < 0)
		goto out;
	slot = &in.slots[ret];
	ret = 0;
	for (i = 0; i < 100 && n < 10; i++) {
		slot_enter(slot, 0, BATON_FIBER);
		block_ns(1000000);
		if (slot_leave(slot) != BATON_TAKEN)
			continue;
		n++;
		if (!idle_claim(&in, 0))
			ret = -ENOLCK;
	}
	if (n < 10)
		ret = -ENODATA;
	if (!ret)
		ret = inst_unregister(&in);
out:
	inst_close(&in);
	return ret;
}

static inline int module_remove(void)
{
	return syscall(SYS_delete_module, "baton", O_NONBLOCK) ? -errno : 0;
}

/* params: of the module, as insmod takes them */
static inline int module_load_with(const char *params)
{
	int fd = open(getenv("BATON_KO"), O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	if (!ret && !poll_until(!access(BATON_DEV, R_OK | W_OK)))
		return -ENODEV;
	return ret;
}

/* As it was loaded before the tests */
static inline int module_load(void)
{
	return module_load_with(getenv("BATON_KO_PARAMS") ?: "");
}

FIXTURE(life) {
	struct inst in;
	struct worker w[4];
	int pipe[2];
	struct event go;
	uint32_t stop;
	uint32_t laps[4];
};

FIXTURE_SETUP(life)
{
	ASSERT_TRUE(wait_module_idle()) {
		TH_LOG("the module is in use: %ld", module_refcnt());
	}
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
	self->in.fd = -1;
}

FIXTURE_TEARDOWN(life)
{
	inst_close(&self->in);
	EXPECT_TRUE(wait_module_idle()) {
		TH_LOG("%ld references are left", module_refcnt());
	}
}

#endif /* SELFTESTS_KMOD_LIFETIME_H */
