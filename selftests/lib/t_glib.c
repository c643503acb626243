// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_glib.c - threads of GLib's that call back: those of a pool, and one that
 * runs a main loop.
 */
#include "common.h"

#include <glib.h>

struct task {
	uint32_t in, out;
	struct baton_fiber *fiber;
	bool done;
};

static uint32_t work(uint32_t x)
{
	for (int i = 0; i < 100; i++)
		random_next(&x);
	return x;
}

/* Fiber code, on a thread of the pool. */
static void task_back(void *arg)
{
	struct task *t = arg;

	baton_yield();
	t->out = work(t->in);
	t->done = true;
	expect_eq(baton_ready(t->fiber), 0);	/* then @t may be gone */
}

static void run_task(gpointer data, gpointer user)
{
	(void)user;
	expect_eq(baton_callback(task_back, data), 0);
}

static gboolean run_idle(gpointer data)
{
	run_task(data, NULL);
	return G_SOURCE_REMOVE;
}

static GThreadPool *pool;
static GMainContext *context;
static GMainLoop *loop;

static void push(void *arg)
{
	struct task *t = arg;

	/* Some by the pool, some by the loop. */
	if (t->in % 4)
		g_thread_pool_push(pool, t, NULL);
	else
		g_main_context_invoke(context, run_idle, t);
}

static void *client(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;

	for (unsigned int i = 0; i < scaled(400); i++) {
		struct task t = {
			.in = random_next(&seed), .fiber = baton_self(),
		};

		expect(baton_call(push, &t) >= 0);
		expect_eq(baton_park(), 0);	/* nobody else readies it */
		expect(t.done);
		expect_eq(t.out, work(t.in));
	}
	return NULL;
}

static gpointer loop_thread(gpointer arg)
{
	g_main_context_push_thread_default(context);
	g_main_loop_run(loop);
	return arg;
}

static void pool_free(void *arg)
{
	(void)arg;
	g_thread_pool_free(pool, FALSE, TRUE);
}

static gboolean quit(gpointer arg)
{
	g_main_loop_quit(arg);
	return G_SOURCE_REMOVE;
}

static void thread_join(void *arg)
{
	g_main_context_invoke(context, quit, loop);
	g_thread_join(arg);
}

static void *clients(void *arg)
{
	struct baton_fiber *f[12];
	struct baton_stats st;
	GThread *thread;

	pool = g_thread_pool_new(run_task, NULL, 4, TRUE, NULL);
	context = g_main_context_new();
	loop = g_main_loop_new(context, FALSE);
	thread = g_thread_new("loop", loop_thread, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(client, (void *)(i + 1));
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	expect(baton_call(pool_free, NULL) >= 0);
	expect(baton_call(thread_join, thread) >= 0);
	g_main_loop_unref(loop);
	g_main_context_unref(context);
	expect_eq(baton_stats(&st, sizeof(st)), 0);
	expect(st.adopted >= 1 && st.adopted <= 5);
	return arg;
}

START_TEST(threads_of_others)
{
	run_on(nprocs_list[_i], clients, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("glib");

	tcase_add_loop_test(test_case(s, "glib"), threads_of_others, 0,
			    (int)ARRAY_SIZE(nprocs_list));
	return suite_main(s);
}
