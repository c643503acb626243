// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook.c - which way, of those that this kernel has: see hook.h.
 *
 * Kbuild says which these are: it leaves out what the configuration has not, or
 * what is exported to others alone.
 */
#include "hook.h"

#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "worker.h"

/* The first is preferred. */
static const struct baton_hook_way *const ways[] = {
#ifdef BATON_HOOK_NOTIFIERS
	&baton_hook_notifiers,
#endif
#ifdef BATON_HOOK_TRACEPOINT
	&baton_hook_tracepoint,
#endif
};

/* Which of them. */
static size_t way __ro_after_init;

/* By the loader alone, before baton_hook_init(): nobody may write it later. */
static int hook_set(const char *name, const struct kernel_param *kp)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (sysfs_streq(name, ways[i]->name)) {
			way = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int hook_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", ways[way]->name);
}

static const struct kernel_param_ops hook_ops = {
	.set	= hook_set,
	.get	= hook_get,
};

#ifdef BATON_HOOK_NOTIFIERS
#define NOTIFIERS " notifiers"
#else
#define NOTIFIERS
#endif
#ifdef BATON_HOOK_TRACEPOINT
#define TRACEPOINT " tracepoint"
#else
#define TRACEPOINT
#endif

module_param_cb(hook, &hook_ops, NULL, 0444);
MODULE_PARM_DESC(hook,
		 "what calls us at a context switch, by default the first of:"
		 NOTIFIERS TRACEPOINT);

int __init baton_hook_init(void)
{
	baton_worker_init(ways[way]);
	return ways[way]->init();
}

void baton_hook_uninit(void)
{
	ways[way]->uninit();
}
