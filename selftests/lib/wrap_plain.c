// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * wrap_plain.c - fibers that wait for one another as threads do, on the only
 * thread there may be: it ends if libbaton-wrap.so is preloaded, see t_wrap.c.
 */
#include <baton/baton.h>
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;

static void *ping(void *arg)
{
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 100; i++) {
		while (turn != (arg != NULL))
			pthread_cond_wait(&cond, &mutex);
		turn = !turn;
		pthread_cond_signal(&cond);
	}
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void *both(void *arg)
{
	struct baton_fiber *other;
	int fd[2];
	char c;

	if (baton_spawn(&other, NULL, ping, &turn) || pipe(fd))
		return NULL;
	ping(NULL);
	baton_join(other, NULL);
	if (write(fd[1], "x", 1) != 1 || read(fd[0], &c, 1) != 1)
		return NULL;
	return arg;
}

int main(void)
{
	struct baton_config *cfg;
	void *done = NULL;

	if (baton_config_create(&cfg))
		return 1;
	baton_config_set_nprocs(cfg, 1);
	baton_config_set_max_workers(cfg, 2);
	if (baton_run(cfg, both, &turn, &done))
		return 1;
	baton_config_destroy(cfg);
	return !done;
}
