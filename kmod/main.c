// SPDX-License-Identifier: GPL-2.0-only
/* main.c - load and unload. */
#include <linux/module.h>

#include "device.h"
#include "hook.h"
#include "instance.h"

static int __init baton_init(void)
{
	int err;

	err = baton_instance_init();
	if (err)
		return err;
	err = baton_hook_init();
	if (err)
		goto err_instance;
	err = baton_device_init();
	if (err)
		goto err_hook;
	return 0;

err_hook:
	baton_hook_uninit();
err_instance:
	baton_instance_uninit();
	return err;
}

static void __exit baton_exit(void)
{
	baton_device_uninit();
	baton_hook_uninit();
	baton_instance_uninit();
}

module_init(baton_init);
module_exit(baton_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the baton authors");
MODULE_DESCRIPTION("Hands the processor of a blocked thread to a waiting one");
MODULE_VERSION(BATON_VERSION);
