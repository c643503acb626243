// SPDX-License-Identifier: GPL-2.0-only
/* main.c - load and unload. */
#include <linux/module.h>

#include "device.h"
#include "instance.h"
#include "worker.h"

static int __init baton_init(void)
{
	int err;

	err = baton_instance_init();
	if (err)
		return err;
	baton_worker_init();
	err = baton_device_init();
	if (err)
		goto err_worker;
	return 0;

err_worker:
	baton_worker_uninit();
	baton_instance_uninit();
	return err;
}

static void __exit baton_exit(void)
{
	baton_device_uninit();
	baton_worker_uninit();
	baton_instance_uninit();
}

module_init(baton_init);
module_exit(baton_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the baton authors");
MODULE_DESCRIPTION("Hands the processor of a blocked thread to a waiting one");
MODULE_VERSION(BATON_VERSION);
