/* SPDX-License-Identifier: GPL-2.0-only */
/* limit.h - how many instances there may be, and on whose account. */
#ifndef BATON_LIMIT_H
#define BATON_LIMIT_H

struct baton_account;

/*
 * One more instance, on the caller's account, which is returned, with a
 * reference; or an ERR_PTR: -EUSERS, -ENOMEM. May sleep.
 */
struct baton_account *baton_limit_charge(void);

/* One less. May sleep. */
void baton_limit_uncharge(struct baton_account *account);

#endif /* BATON_LIMIT_H */
