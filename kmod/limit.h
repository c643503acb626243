/* SPDX-License-Identifier: GPL-2.0-only */
/* limit.h - how many instances there may be, and on whose account. */
#ifndef BATON_LIMIT_H
#define BATON_LIMIT_H

#include <linux/gfp.h>

struct baton_account;

/*
 * For all that is allocated at a user's call: charged to the caller, who gets
 * -ENOMEM when his control group is full, and is neither killed for it nor able
 * to fill the kernel's log.
 */
#define BATON_GFP	\
	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/*
 * One more instance, on the caller's account, which is returned, with a
 * reference; or an ERR_PTR: -EUSERS, -ENOMEM. May sleep.
 */
struct baton_account *baton_limit_charge(void);

/* One less. May sleep. */
void baton_limit_uncharge(struct baton_account *account);

#endif /* BATON_LIMIT_H */
