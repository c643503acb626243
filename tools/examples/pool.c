// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pool.c - threads of somebody else's call back: GLib's thread pool computes the
 * checksums that fibers ask for.
 *
 *	pool FILE...		the same as sha256sum FILE...
 *
 * The pool's threads are adopted at their first callback, and released when
 * GLib ends them.
 */
#include <baton/baton.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/**
 * struct job - a file
 * @name:  the file's
 * @sum:   its checksum, or NULL
 * @asker: the fiber that waits for it
 */
struct job {
	char *name;
	char *sum;
	struct baton_fiber *asker;
};

static GThreadPool *pool;

/* Fiber code, on the pool's thread. */
static void finished(void *arg)
{
	struct job *j = arg;

	/* From here on it may end: no flag that it could see before. */
	baton_ready(j->asker);
}

/* Foreign code, on the pool's thread. */
static void work(gpointer data, gpointer user)
{
	struct job *j = data;
	gchar *text;
	gsize size;

	(void)user;
	if (g_file_get_contents(j->name, &text, &size, NULL)) {
		j->sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256,
						     (guchar *)text, size);
		g_free(text);
	}
	if (baton_callback(finished, j))
		g_error("%s", baton_reason());
}

static void push(void *arg)
{
	g_thread_pool_push(pool, arg, NULL);
}

static void *ask(void *arg)
{
	struct job *j = arg;

	j->asker = baton_self();
	baton_call(push, j);
	baton_park();		/* nobody else readies it */
	return NULL;
}

static void print(void *arg)
{
	struct job *j = arg;

	if (j->sum)
		printf("%s  %s\n", j->sum, j->name);
	else
		fprintf(stderr, "pool: %s: cannot be read\n", j->name);
}

struct jobs {
	struct job *job;
	struct baton_fiber **fiber;
	int n;
};

static void *first(void *arg)
{
	struct jobs *js = arg;

	for (int i = 0; i < js->n; i++)
		if (baton_spawn(&js->fiber[i], NULL, ask, &js->job[i]))
			g_error("%s", baton_reason());
	for (int i = 0; i < js->n; i++) {
		baton_join(js->fiber[i], NULL);
		baton_call(print, &js->job[i]);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct jobs js = { .n = argc - 1 };
	bool err;

	js.job = g_new0(struct job, argc);
	js.fiber = g_new0(struct baton_fiber *, argc);
	for (int i = 0; i < js.n; i++)
		js.job[i].name = argv[1 + i];
	pool = g_thread_pool_new(work, NULL, 4, FALSE, NULL);
	err = baton_run(NULL, first, &js, NULL);
	if (err)
		fprintf(stderr, "pool: %s\n", baton_reason());
	g_thread_pool_free(pool, FALSE, TRUE);
	for (int i = 0; i < js.n; i++) {
		err |= !js.job[i].sum;
		g_free(js.job[i].sum);
	}
	g_free(js.job);
	g_free(js.fiber);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
