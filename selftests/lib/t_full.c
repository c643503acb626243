// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_full.c - fibers wait for a worker, and as many as there may be are blocked:
 * that is said once, with where they are, and counted.
 */
#include "ends.h"

#define FULL "baton: fibers wait for a worker, of which there may be 3: all are blocked"

static int go[2];
static int late;

/* Until the parent has read what is to be said. */
static void wait_go(void *arg)
{
	char byte;

	expect_eq(read(go[0], &byte, 1), 1);
	(void)arg;
}

static void *calls(void *arg)
{
	expect_eq(baton_set_name("a caller"), 0);
	baton_call(wait_go, arg);
	return arg;
}

static void waits_back(void *arg)
{
	baton_park();
	(void)arg;
}

static void calls_back(void *arg)
{
	baton_callback(waits_back, arg);
}

/* Its worker waits with it. */
static void *in_callback(void *arg)
{
	baton_call(calls_back, arg);
	return arg;
}

static void *runs_late(void *arg)
{
	add(&late, 1);
	return arg;
}

static void *full(void *arg)
{
	struct baton_fiber *a, *b, *f[10];
	struct baton_stats st;

	b = spawn(in_callback, arg);
	baton_yield();
	a = spawn(calls, arg);
	for (int i = 0; i < 10; i++)
		f[i] = spawn(runs_late, arg);
	/* The last worker goes; and the others have started by then. */
	baton_call(wait_go, arg);
	expect_eq(baton_stats(&st, sizeof(st)), 0);
	expect(st.waits_for_worker > 0);
	join(a);
	for (int i = 0; i < 10; i++)
		join(f[i]);
	expect_eq(baton_ready(b), 0);
	join(b);
	expect_eq(late, 10);
	return arg;
}

static void *spare(void *arg)
{
	struct baton_stats st;

	baton_call(wait_go, arg);
	expect_eq(baton_stats(&st, sizeof(st)), 0);
	expect_eq(st.waits_for_worker, 0);
	return arg;
}

static pid_t start(unsigned int workers, baton_fn fn, int *out)
{
	int said[2];
	pid_t pid;

	expect_eq(pipe(said), 0);
	expect_eq(pipe(go), 0);
	pid = fork();
	expect(pid >= 0);
	if (!pid) {
		dup2(said[1], STDERR_FILENO);
		close(said[0]);
		close(said[1]);
		run_with(workers > 1 ? 2 : 1, workers, fn, NULL);
		_exit(0);
	}
	close(said[1]);
	*out = said[0];
	return pid;
}

static void says(int out, const char *const *texts, unsigned int n)
{
	char said[8192] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < n;) {
		ssize_t got;

		if (strstr(said, texts[i])) {
			i++;
			continue;
		}
		got = read(out, said + len, sizeof(said) - 1 - len);
		if (got <= 0)
			ck_abort_msg("not \"%s\": %s", texts[i], said);
		len += (size_t)got;
		said[len] = 0;
	}
}

START_TEST(said_once)
{
	static const char *const texts[] = {
		FULL,
		": in a foreign call, wait_go+0",
		"; fiber 0x",
		" \"a caller\", calls+0",
		": in a callback",
	};
	char rest[8192];
	int out, status;
	pid_t pid = start(3, full, &out);

	says(out, texts, ARRAY_SIZE(texts));
	expect_eq(write(go[1], "ab", 2), 2);
	status = ends_said(pid, out, rest, sizeof(rest));
	expect_eq(status, 0);
	expect(!strstr(rest, FULL));
}
END_TEST

/* A deadlock: who would go on has none to go on with. */
static void *queued(void *arg)
{
	spawn(runs_late, arg);
	return in_callback(arg);
}

START_TEST(deadlock)
{
	static const char *const texts[] = {
		"of which there may be 1: ", ": in a callback", "queued+0",
	};
	int out;
	pid_t pid = start(1, queued, &out);

	says(out, texts, ARRAY_SIZE(texts));
	kill(pid, SIGKILL);
	expect_eq(waitpid(pid, NULL, 0), pid);
	close(out);
}
END_TEST

START_TEST(not_said)
{
	char said[8192];
	int out, status;
	pid_t pid = start(3, spare, &out);

	expect_eq(write(go[1], "a", 1), 1);
	status = ends_said(pid, out, said, sizeof(said));
	expect_eq(status, 0);
	ck_assert_str_eq(said, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("full");
	TCase *tc = test_case(s, "full");

	tcase_add_test(tc, said_once);
	tcase_add_test(tc, deadlock);
	tcase_add_test(tc, not_said);
	return suite_main(s);
}
