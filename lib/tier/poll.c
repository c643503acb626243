// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * poll.c - the tier for any kernel, in user space alone: the monitor, and
 * nothing else. It does not see a fiber that blocks without having announced
 * it by a foreign call.
 */
#include <errno.h>
#include <stdlib.h>

#include "../core/reason.h"
#include "../core/rt.h"
#include "monitor.h"
#include "tier.h"

static int poll_open(struct baton_rt *rt)
{
	struct monitor *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return baton_error(-ENOMEM, "no memory");
	err = baton_monitor_open(rt, t);
	if (err)
		free(t);
	else
		rt->tier_data = t;
	return err;
}

static void poll_close(struct baton_rt *rt)
{
	struct monitor *t = rt->tier_data;

	baton_monitor_close(rt, t);
	free(t);
}

const struct tier_ops baton_tier_poll = {
	.id = BATON_TIER_POLL,
	.open = poll_open,
	.close = poll_close,
	.attach = baton_bunk_attach,
	.detach = baton_bunk_detach,
	.park = baton_bunk_park,
	.wake = baton_bunk_wake,
	.swap = baton_bunk_swap,
	.rouse = baton_bunk_rouse,
	.stop = baton_bunks_stop,
	.tick = baton_monitor_tick,
};
