// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * signal.c - signals as elements of channels.
 *
 * One signalfd has all the signals that any channel is to have, and one fiber
 * reads it and sends what comes to each channel that wants it. It lives until
 * the scheduler ends, which is why baton_stop() does not wait for it. Whoever changes the list of channels has the mutex, and
 * so has the fiber while it sends, which never waits.
 */
#include <baton/call.h>
#include <baton/sync.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/descriptor.h"
#include "../core/reason.h"
#include "op.h"

/* A channel, and what it is to have; 0 bits: SIGRTMAX is 64 at most. */
struct sub {
	struct sub *next;
	struct baton_chan *ch;
	sigset_t set;
};

/* All of it with the lock. */
static struct baton_mutex lock = BATON_MUTEX_INIT;
static struct sub *subs;
static int fd = -1;

#define BURST 4

static void spread(const struct signalfd_siginfo *info)
{
	baton_mutex_lock(&lock);
	for (struct sub *s = subs; s; s = s->next)
		if (sigismember(&s->set, (int)info->ssi_signo) == 1)
			baton_chan_try_send(s->ch, info);
	baton_mutex_unlock(&lock);
}

static void *reader(void *arg)
{
	struct signalfd_siginfo info[BURST];
	int from = (int)(intptr_t)arg;

	baton_cancel_mask();
	for (;;) {
		ssize_t n = baton_read(from, info, sizeof(info));

		if (n <= 0)
			return NULL;
		for (size_t i = 0; i < (size_t)n / sizeof(*info); i++)
			spread(&info[i]);
	}
}

/* The scheduler has ended, and with it the reader. */
static void at_end(void)
{
	struct sub *s;

	close(fd);
	fd = -1;
	while ((s = subs)) {
		subs = s->next;
		free(s);
	}
	lock = (struct baton_mutex)BATON_MUTEX_INIT;
}

static void add(sigset_t *to, const sigset_t *set)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sigismember(set, sig) == 1)
			sigaddset(to, sig);
}

static bool any(const sigset_t *set)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sigismember(set, sig) == 1)
			return true;
	return false;
}

/* --- is it blocked everywhere? --------------------------------------------- */

/* SigBlk of a thread; 0: it is not told, or the thread is gone. */
static bool blocked_by(const char *tid, unsigned long long *mask)
{
	char path[64], line[128];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "SigBlk: %llx", mask) == 1;
	fclose(file);
	return found;
}

/* A thread that has not blocked a signal of @set; 0: there is none. */
static int careless(const sigset_t *set, int *signal)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *e;
	int tid = 0;

	while (!tid && dir && (e = readdir(dir))) {
		unsigned long long mask = 0;

		if (e->d_name[0] == '.' || !blocked_by(e->d_name, &mask))
			continue;
		for (int sig = 1; sig <= 64 && !tid; sig++) {
			if (sigismember(set, sig) != 1 ||
			    mask >> (sig - 1) & 1)
				continue;
			*signal = sig;
			tid = atoi(e->d_name);
		}
	}
	if (dir)
		closedir(dir);
	return tid;
}

/* Files of /proc are read with more stack than a fiber may have. */
struct question {
	const sigset_t *set;
	int signal;
	int tid;
};

static void ask(void *arg)
{
	struct question *q = arg;

	q->tid = careless(q->set, &q->signal);
}

/* --- the calls ------------------------------------------------------------- */

/*
 * signalfd(), by its number: ThreadSanitizer takes that of a descriptor that is
 * there for a new one, which would race with the reader.
 */
static int __attribute__((noinline)) signal_fd(int old, const sigset_t *set)
{
	int saved = errno, new;

	new = (int)syscall(SYS_signalfd4, old, set, _NSIG / 8,
			   SFD_CLOEXEC | SFD_NONBLOCK);
	return (int)op_result(descriptor_keep(new), saved);
}

/*
 * The child of fork() has no reader, nor who had the lock. The descriptor goes,
 * too: what it is to have would change for the parent as well. The list may have
 * been changing, and is left.
 */
static void after_fork(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
	subs = NULL;
	lock = (struct baton_mutex)BATON_MUTEX_INIT;
}

static int fork_error;

static void fork_prepare(void)
{
	fork_error = -pthread_atfork(NULL, NULL, after_fork);
}

/* With the lock: the reader reads what all channels are to have. */
static int start_locked(const sigset_t *all)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct baton_rt *rt = baton_worker_self()->rt;
	struct baton_fiber *f;
	bool first = fd < 0;
	int got, err = 0;

	pthread_once(&once, fork_prepare);
	if (fork_error)
		return fork_error;
	got = signal_fd(fd, all);
	if (got < 0)
		return got;
	fd = got;
	if (!first)
		return 0;
	if (!baton_poller_at_end(rt, at_end))
		err = -ENOMEM;
	if (!err)
		err = baton_spawn(&f, NULL, reader, (void *)(intptr_t)fd);
	if (err) {
		close(fd);
		fd = -1;
		return err;
	}
	/* Its handle is kept: no other fiber has its record. */
	WRITE_ONCE(rt->service, f);
	return 0;
}

static struct sub **find_locked(const struct baton_chan *ch)
{
	struct sub **link = &subs;

	while (*link && (*link)->ch != ch)
		link = &(*link)->next;
	return link;
}

static int notify_locked(struct baton_chan *ch, const sigset_t *set)
{
	struct sub **link = find_locked(ch), *s = *link;
	sigset_t all = *set;
	int err;

	for (struct sub *other = subs; other; other = other->next)
		add(&all, &other->set);
	err = start_locked(&all);
	if (err)
		return err;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->ch = ch;
		sigemptyset(&s->set);
		*link = s;
	}
	add(&s->set, set);
	return 0;
}

int baton_signal_notify(struct baton_chan *ch, const sigset_t *set)
{
	struct question q = { .set = set };
	int err;

	if (!ch || !set)
		return baton_error(-EINVAL, "NULL for a channel or a set");
	if (!baton_self())
		return baton_error(-EPERM, "not from a fiber");
	if (ch->baton_size != sizeof(struct signalfd_siginfo) ||
	    !ch->baton_capacity)
		return baton_error(-EINVAL, "not a channel for signals");
	if (!any(set) || sigismember(set, SIGKILL) == 1 ||
	    sigismember(set, SIGSTOP) == 1)
		return baton_error(-EINVAL, "no signals, or KILL, or STOP");
	baton_call(ask, &q);
	if (q.tid)
		return baton_error(-EPERM,
				   "thread %d has not blocked signal %d",
				   q.tid, q.signal);
	err = baton_mutex_lock(&lock);
	if (err)
		return err;
	err = notify_locked(ch, set);
	baton_mutex_unlock(&lock);
	return err;
}

int baton_signal_stop(struct baton_chan *ch)
{
	struct sub **link, *s;
	int err;

	if (!baton_self())
		return baton_error(-EPERM, "not from a fiber");
	err = baton_mutex_lock(&lock);
	if (err)
		return err;
	link = find_locked(ch);
	s = *link;
	if (s)
		*link = s->next;
	baton_mutex_unlock(&lock);
	free(s);
	return s ? 0 : baton_error(-EINVAL, "no signals come to this channel");
}
