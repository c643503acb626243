// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * profiler.c - BATON_PROFILE: a file at the end of a run, or on SIGUSR2.
 *
 * A thread waits for the signal's handler to say so, and writes the file. Neither
 * a handler, which may run anywhere, could do that, nor the watcher, for which
 * timers would wait.
 */
#include "profiler.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "contend.h"
#include "list.h"
#include "pprof.h"
#include "reason.h"
#include "rt.h"

/* One scheduler runs at a time. The semaphore is never destroyed: a handler may
 * be late. */
static struct {
	pthread_t thread;
	sem_t asked;
	struct baton_rt *rt;
	const char *path;
	int64_t began;
	struct sigaction before;
	bool stopping;
} profiler;

static void on_signal(int sig)
{
	int saved = errno;

	(void)sig;
	sem_post(&profiler.asked);
	errno = saved;
}

static void write_file(void)
{
	int err = baton_pprof_write(profiler.rt, profiler.path, profiler.began);

	if (err)
		baton_say("baton: BATON_PROFILE=%s: %s\n", profiler.path,
			  strerror(-err));
}

static void *run(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "baton-profile", 0UL, 0UL, 0UL);
	for (;;) {
		while (sem_wait(&profiler.asked))
			;
		if (READ_ONCE(profiler.stopping))
			break;
		write_file();
	}
	write_file();
	return NULL;
}

/* With all signals blocked, which it inherits. */
static int start_thread(void)
{
	sigset_t all, mask;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	err = -pthread_create(&profiler.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return err;
}

/* Better now than at the end of a long run. */
static int check_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	struct stat st;
	bool plain;

	if (fd < 0)
		return baton_error(-errno, "BATON_PROFILE=%.80s: %s", path,
				   strerror(errno));
	plain = !fstat(fd, &st) && S_ISREG(st.st_mode);
	close(fd);
	/* It is replaced each time, which a device had better not be. */
	return plain ? 0 : baton_error(-EINVAL,
				       "BATON_PROFILE=%.80s: no regular file",
				       path);
}

int baton_profiler_start(struct baton_rt *rt, const struct baton_config *cfg)
{
	struct sigaction sa = {
		.sa_handler = on_signal,
		.sa_flags = SA_RESTART | SA_ONSTACK,
	};
	int err;

	baton_contend_init(cfg->profile ? cfg->profile_locks : 0);
	if (!cfg->profile)
		return 0;
	err = check_path(cfg->profile);
	if (err)
		return err;
	profiler.rt = rt;
	profiler.path = cfg->profile;
	profiler.began = now_ns();
	WRITE_ONCE(profiler.stopping, false);
	sem_init(&profiler.asked, 0, 0);
	err = start_thread();
	if (err)
		return baton_error(err, "no thread: %s", strerror(-err));
	sigemptyset(&sa.sa_mask);
	sigaction(SIGUSR2, &sa, &profiler.before);
	rt->profiled = true;
	return 0;
}

void baton_profiler_stop(struct baton_rt *rt)
{
	if (!rt->profiled)
		return;
	sigaction(SIGUSR2, &profiler.before, NULL);
	WRITE_ONCE(profiler.stopping, true);
	sem_post(&profiler.asked);
	pthread_join(profiler.thread, NULL);
	rt->profiled = false;
}

void baton_profiler_forked(void)
{
	struct sigaction now;

	/* Its thread is not here. */
	if (profiler.rt && !sigaction(SIGUSR2, NULL, &now) &&
	    now.sa_handler == on_signal)
		sigaction(SIGUSR2, &profiler.before, NULL);
}
