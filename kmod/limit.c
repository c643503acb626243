// SPDX-License-Identifier: GPL-2.0-only
/*
 * limit.c - how many instances there may be, and on whose account.
 *
 * An instance's memory is charged to a control group, if there is one; this is
 * the limit where there is none, and for what memory does not measure.
 *
 * On whose account? Whoever may make user namespaces may give himself many
 * names: all the sub-uids that he was lent, in as many namespaces as he likes.
 * So within namespaces the account is that of the user who made the outermost
 * one. If the administrator made it, as for a container, there is one account
 * for that namespace: its users cannot get out of it, and neither share what is
 * left with other containers nor multiply it by their names.
 */
#include "limit.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

static unsigned int instances = 1024;
module_param(instances, uint, 0644);
MODULE_PARM_DESC(instances,
		 "Instances that there may be (default 1024; not for CAP_SYS_RESOURCE)");

static unsigned int user_instances = 64;
module_param(user_instances, uint, 0644);
MODULE_PARM_DESC(user_instances,
		 "Instances that one user may have (default 64; not for CAP_SYS_RESOURCE)");

/**
 * struct baton_account - who has instances
 * @list:      on `accounts`
 * @uid:       the user, as the initial namespace knows him; constant
 * @ns:        strong reference; the container whose account it is, or NULL, if
 *             it is the user's own; constant
 * @instances: how many; 0: to be freed
 */
struct baton_account {
	struct list_head	list;
	kuid_t			uid;
	struct user_namespace	*ns;
	unsigned int		instances;
};

/* Protects both, and the fields that are not constant. Stands alone. */
static DEFINE_MUTEX(accounts_lock);
static LIST_HEAD(accounts);
static unsigned int total;

/* Whose account is current's? */
static void whose(kuid_t *uid, struct user_namespace **outermost)
{
	struct user_namespace *ns = current_user_ns();

	*uid = current_uid();
	*outermost = NULL;
	/* Up to the initial one; our own credentials hold each of them. */
	for (; ns != &init_user_ns; ns = ns->parent) {
		*uid = ns->owner;
		*outermost = ns;
	}
	if (!uid_eq(*uid, GLOBAL_ROOT_UID))
		*outermost = NULL;
}

/*
 * current's account, which *@spare becomes if there is none yet: then that is
 * NULL.
 */
static struct baton_account *account_find_locked(struct baton_account **spare)
{
	struct baton_account *account;
	struct user_namespace *ns;
	kuid_t uid;

	lockdep_assert_held(&accounts_lock);
	whose(&uid, &ns);
	list_for_each_entry(account, &accounts, list)
		if (uid_eq(account->uid, uid) && account->ns == ns)
			return account;
	account = *spare;
	*spare = NULL;
	account->uid = uid;
	account->ns = ns ? get_user_ns(ns) : NULL;
	list_add(&account->list, &accounts);
	return account;
}

static void account_release_locked(struct baton_account *account)
{
	lockdep_assert_held(&accounts_lock);
	if (account->instances)
		return;
	list_del(&account->list);
	if (account->ns)
		put_user_ns(account->ns);
	kfree(account);
}

static bool full_locked(const struct baton_account *account)
{
	lockdep_assert_held(&accounts_lock);
	return account->instances >= READ_ONCE(user_instances) ||
	       total >= READ_ONCE(instances);
}

struct baton_account *baton_limit_charge(void)
{
	struct baton_account *account, *spare;

	/*
	 * Before the lock, for which everybody waits: it may take as long as it
	 * takes to reclaim memory in the caller's control group.
	 */
	spare = kzalloc(sizeof(*spare), BATON_GFP);
	if (!spare)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&accounts_lock);
	account = account_find_locked(&spare);
	if (full_locked(account) && !capable(CAP_SYS_RESOURCE)) {
		account_release_locked(account);
		account = ERR_PTR(-EUSERS);
	} else {
		account->instances++;
		total++;
	}
	mutex_unlock(&accounts_lock);
	kfree(spare);
	return account;
}

void baton_limit_uncharge(struct baton_account *account)
{
	mutex_lock(&accounts_lock);
	account->instances--;
	total--;
	account_release_locked(account);
	mutex_unlock(&accounts_lock);
}
