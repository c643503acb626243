// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * config.c - the options of a scheduler: what the program sets, what the
 * environment says over it, and the defaults for what neither names.
 *
 * The environment is read by secure_getenv(): a set-user-ID program must not
 * take the size of its stacks from whoever started it.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <linux/baton.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cpus.h"
#include "hog.h"
#include "reason.h"
#include "stack.h"

#define MAX_WORKERS_DEFAULT	1024u
#define TIMER_SLACK_DEFAULT 1UL
#define TIMER_SLACK_MAX 1000000000UL
#define STACK_KEEP_DEFAULT	1000u
#define WORKER_KEEP_DEFAULT	10000u

int baton_config_create(struct baton_config **cfg)
{
	if (!cfg)
		return baton_error(-EINVAL, "options: NULL");
	*cfg = calloc(1, sizeof(**cfg));
	return *cfg ? 0 : -ENOMEM;
}

void baton_config_destroy(struct baton_config *cfg)
{
	free(cfg);
}

int baton_config_set_nprocs(struct baton_config *cfg, unsigned int n)
{
	if (n > BATON_PROCS_MAX)
		return baton_error(-EINVAL, "%u processors: not 1 to %u", n,
				   BATON_PROCS_MAX);
	cfg->nprocs = n;
	return 0;
}

int baton_config_set_max_workers(struct baton_config *cfg, unsigned int n)
{
	if (n > BATON_WORKERS_MAX)
		return baton_error(-EINVAL, "%u workers: not 1 to %u", n,
				   BATON_WORKERS_MAX);
	cfg->max_workers = n;
	return 0;
}

int baton_config_set_stack_size(struct baton_config *cfg, size_t bytes)
{
	size_t size = bytes ? baton_stack_size_check(bytes) : 0;

	if (bytes && !size)
		return baton_error(-EINVAL,
				   "stack of %zu bytes: not 16 KiB to 1 GiB",
				   bytes);
	cfg->stack_size = size;
	return 0;
}

int baton_config_set_timer_slack(struct baton_config *cfg, unsigned long ns)
{
	if (ns > TIMER_SLACK_MAX)
		return baton_error(-EINVAL,
				   "timer slack of %lu ns: not 1 to %lu", ns,
				   TIMER_SLACK_MAX);
	cfg->timer_slack = ns;
	return 0;
}

int baton_config_set_stack_keep(struct baton_config *cfg, unsigned int ms)
{
	cfg->stack_keep = ms;
	return 0;
}

int baton_config_set_worker_keep(struct baton_config *cfg, unsigned int ms)
{
	cfg->worker_keep = ms;
	return 0;
}

int baton_config_set_slice(struct baton_config *cfg, unsigned int ms)
{
	int err = slice_check(ms);

	if (!err)
		cfg->slice = ms;
	return err;
}

int baton_config_set_tier(struct baton_config *cfg, enum baton_tier tier)
{
	if ((unsigned int)tier > BATON_TIER_KMOD)
		return baton_error(-EINVAL,
				   "tier %d: not auto, poll, idle or kmod",
				   tier);
	cfg->tier = tier;
	return 0;
}

static const char *const io_names[] = {
	[BATON_IO_AUTO] = "auto",
	[BATON_IO_URING] = "uring",
	[BATON_IO_CALL] = "call",
};

int baton_config_set_io(struct baton_config *cfg, enum baton_io io)
{
	if ((unsigned int)io > BATON_IO_CALL)
		return baton_error(-EINVAL, "I/O %d: not auto, uring or call",
				   io);
	cfg->io = io;
	return 0;
}

const char *baton_tier_name(enum baton_tier tier)
{
	static const char *const names[] = { "auto", "poll", "idle", "kmod" };

	return tier <= BATON_TIER_KMOD ? names[tier] : NULL;
}

/* 0, or -EINVAL: the text of variable @name will not do, because of @what. */
static int env_check(int err, const char *name, const char *what)
{
	return err ? baton_error(err, "%s=%.40s: %s", name, secure_getenv(name),
				 what) :
		     0;
}

/*
 * The number in variable @name, at most @max; @value is left as it is when it
 * is unset or empty. 0, -EINVAL.
 */
static int env_number(const char *name, unsigned long long max,
		      unsigned long long *value)
{
	const char *text = secure_getenv(name);
	unsigned long long v;
	char *end;

	if (!text || !*text)
		return 0;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (*end || errno || *text == '-')
		return env_check(-EINVAL, name, "not a number");
	if (v > max)
		return env_check(-EINVAL, name, "too large");
	*value = v;
	return 0;
}

static int env_tier(struct baton_config *cfg)
{
	const char *text = secure_getenv("BATON_TIER");

	if (!text || !*text)
		return 0;
	for (int t = BATON_TIER_AUTO; t <= BATON_TIER_KMOD; t++)
		if (!strcmp(text, baton_tier_name((enum baton_tier)t)))
			return baton_config_set_tier(cfg, (enum baton_tier)t);
	return env_check(-EINVAL, "BATON_TIER", "not auto, poll, idle or kmod");
}

/*
 * Which of the @n words in @words is variable @name? @value is left as it is if
 * the variable is unset or empty. 0; -EINVAL none, and @what is said.
 */
static int env_word(const char *name, const char *const *words, unsigned int n,
		    const char *what, unsigned int *value)
{
	const char *text = secure_getenv(name);

	if (!text || !*text)
		return 0;
	for (unsigned int i = 0; i < n; i++)
		if (!strcmp(text, words[i])) {
			*value = i;
			return 0;
		}
	return env_check(-EINVAL, name, what);
}

static int env_io(struct baton_config *cfg)
{
	unsigned int io = cfg->io;
	int err = env_word("BATON_IO", io_names, BATON_IO_CALL + 1,
			   "not auto, uring or call", &io);

	return err ? err : baton_config_set_io(cfg, (enum baton_io)io);
}

static int env_deadlock(struct baton_config *cfg)
{
	static const char *const words[] = {
		[DEADLOCK_REPORT] = "report",
		[DEADLOCK_ABORT] = "abort",
		[DEADLOCK_OFF] = "off",
	};
	unsigned int mode = cfg->deadlock;
	int err = env_word("BATON_DEADLOCK", words, DEADLOCK_OFF + 1,
			   "not report, abort or off", &mode);

	cfg->deadlock = (enum deadlock_mode)mode;
	return err;
}

static int env_dump(struct baton_config *cfg)
{
	static const char *const words[] = {
		"off", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2",
	};
	static const int signals[] = { 0, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
	unsigned int word = 0;
	int err = env_word("BATON_DUMP", words, sizeof(words) / sizeof(words[0]),
			   "not SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 or off",
			   &word);

	cfg->dump = signals[word];
	return err;
}

static int env_handoff(struct baton_config *cfg)
{
	static const char *const words[] = {
		[HANDOFF_LEARN] = "learn",
		[HANDOFF_NOW] = "now",
		[HANDOFF_OFF] = "off",
	};
	unsigned int mode = cfg->handoff;
	int err = env_word("BATON_HANDOFF", words, HANDOFF_OFF + 1,
			   "not learn, now or off", &mode);

	cfg->handoff = (enum handoff_mode)mode;
	return err;
}

/* The environment over what the program has set. */
static int config_env(struct baton_config *cfg)
{
	unsigned long long procs = cfg->nprocs, workers = cfg->max_workers;
	unsigned long long stack = cfg->stack_size, slack = cfg->timer_slack;
	unsigned long long keep = cfg->stack_keep, idle = cfg->worker_keep;
	unsigned long long locks = 0;
	unsigned long long slice = cfg->slice;
	int err;

	err = env_number("BATON_NPROCS", BATON_PROCS_MAX, &procs);
	if (!err)
		err = env_number("BATON_MAX_WORKERS", BATON_WORKERS_MAX,
				 &workers);
	if (!err)
		err = env_number("BATON_STACK_SIZE", STACK_SIZE_MAX, &stack);
	if (!err)
		err = env_number("BATON_TIMER_SLACK", TIMER_SLACK_MAX, &slack);
	if (!err)
		err = env_number("BATON_STACK_KEEP_MS", UINT_MAX, &keep);
	if (!err)
		err = env_number("BATON_WORKER_KEEP_MS", UINT_MAX, &idle);
	if (!err)
		err = env_number("BATON_PROFILE_LOCKS", UINT_MAX, &locks);
	if (!err)
		err = env_number("BATON_SLICE", SLICE_MAX_MS, &slice);
	if (err)
		return err;
	cfg->nprocs = (unsigned int)procs;
	cfg->max_workers = (unsigned int)workers;
	cfg->timer_slack = (unsigned long)slack;
	cfg->stack_keep = (unsigned int)keep;
	cfg->worker_keep = (unsigned int)idle;
	cfg->profile_locks = (unsigned int)locks;
	cfg->profile = secure_getenv("BATON_PROFILE");
	if (cfg->profile && !*cfg->profile)
		cfg->profile = NULL;
	cfg->slice = (unsigned int)slice;
	err = env_check(baton_config_set_stack_size(cfg, (size_t)stack),
			"BATON_STACK_SIZE", "less than 16 KiB");
	if (!err)
		err = env_tier(cfg);
	if (!err)
		err = env_handoff(cfg);
	if (!err)
		err = env_io(cfg);
	if (!err)
		err = env_dump(cfg);
	return err ? err : env_deadlock(cfg);
}

static void config_defaults(struct baton_config *cfg)
{
	if (!cfg->nprocs)
		cfg->nprocs = baton_cpus_allowed();
	if (cfg->nprocs > BATON_PROCS_MAX)
		cfg->nprocs = BATON_PROCS_MAX;
	if (!cfg->max_workers)
		cfg->max_workers = MAX_WORKERS_DEFAULT;
	if (!cfg->stack_size)
		cfg->stack_size = STACK_SIZE_DEFAULT;
	if (!cfg->timer_slack)
		cfg->timer_slack = TIMER_SLACK_DEFAULT;
	if (!cfg->stack_keep)
		cfg->stack_keep = STACK_KEEP_DEFAULT;
	if (!cfg->worker_keep)
		cfg->worker_keep = WORKER_KEEP_DEFAULT;
}

int baton_config_resolve(struct baton_config *out,
			 const struct baton_config *cfg)
{
	int err;

	*out = cfg ? *cfg : (struct baton_config){ 0 };
	err = config_env(out);
	if (err)
		return err;
	config_defaults(out);
	return 0;
}
