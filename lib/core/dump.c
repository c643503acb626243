// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* dump.c - what all fibers do, when somebody asks for it. */
#include "dump.h"

#include <baton/runtime.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "list.h"
#include "lock.h"
#include "reason.h"
#include "rt.h"
#include "watch.h"

int baton_dump(int fd)
{
	struct baton_rt *rt = baton_rt_look();
	int err, cancels;

	if (!rt)
		return baton_error(-ESRCH, "no scheduler runs");
	/* The scheduler's end waits for us, and write() may be our own. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
	err = baton_list_all(rt, fd);
	if (!err)
		err = baton_list_adopted(rt, fd);
	pthread_setcancelstate(cancels, NULL);
	baton_rt_look_over(rt);
	return err ? baton_error(err, "the dump could not be written: error %d",
				 -err) :
		     0;
}

/* --- on a signal ------------------------------------------------------------ */

static struct sigaction before;	/* as the signal was */
static int installed;		/* the signal; 0: none */
static uint32_t wanted;
static uint32_t handlers;	/* that are at work */

static void on_signal(int sig)
{
	struct baton_rt *rt;

	(void)sig;
	/* Full barrier, then a look; pairs with baton_dump_remove(). */
	atomic_fetch_add(&handlers, 1);
	rt = rt_running();
	if (rt) {
		smp_store_mb(wanted, 1);
		baton_watch_kick(&rt->watch);
	}
	atomic_fetch_sub(&handlers, 1);
}

void baton_dump_install(int signal)
{
	struct sigaction sa = { .sa_flags = SA_RESTART };

	WRITE_ONCE(wanted, 0);
	if (!signal)
		return;
	sa.sa_handler = on_signal;
	sigfillset(&sa.sa_mask);
	/* Shells have what they start in the background ignore SIGQUIT. */
	if (!sigaction(signal, NULL, &before) &&
	    (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) &&
	    !sigaction(signal, &sa, NULL))
		installed = signal;
}

static void put_back(int signal)
{
	struct sigaction now;

	if (!sigaction(signal, NULL, &now) && now.sa_handler == on_signal)
		sigaction(signal, &before, NULL);
	installed = 0;
}

void baton_dump_forked(void)
{
	/* Whoever was in the handler is not here. */
	handlers = 0;
	wanted = 0;
	if (installed)
		put_back(installed);
}

void baton_dump_remove(int signal)
{
	struct backoff b = { 0 };

	if (!signal)
		return;
	put_back(signal);
	/* Full barrier: baton_rt_running before handlers. */
	smp_mb();
	while (READ_ONCE(handlers))
		baton_backoff(&b);
}

void baton_dump_look(struct baton_rt *rt)
{
	if (likely(!READ_ONCE(wanted)))
		return;
	WRITE_ONCE(wanted, 0);
	if (!baton_list_all(rt, STDERR_FILENO))
		baton_list_adopted(rt, STDERR_FILENO);
}
