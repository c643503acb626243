// SPDX-License-Identifier: GPL-2.0-only
/* main.c - load and unload. */
#include <linux/module.h>
#include <linux/workqueue.h>

#include "device.h"
#include "instance.h"

struct workqueue_struct *baton_wq;

static int __init baton_init(void)
{
	int err;

	baton_wq = alloc_workqueue("baton", WQ_UNBOUND, 0);
	if (!baton_wq)
		return -ENOMEM;
	err = baton_device_init();
	if (err)
		destroy_workqueue(baton_wq);
	return err;
}

static void __exit baton_exit(void)
{
	baton_device_uninit();
	/* No file and no worker is left, but the work item that freed the
	 * last one may be on its way out of our code: wait for it. */
	destroy_workqueue(baton_wq);
}

module_init(baton_init);
module_exit(baton_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Hands the processor of a blocked thread to a waiting one");
MODULE_VERSION(BATON_VERSION);
