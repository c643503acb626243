// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_panic.c - panics: through any number of foreign frames, with cleanups, and
 * that calls, callbacks, yields and adopted threads work as before afterwards.
 */
#include "common.h"

#include <pthread.h>

static struct baton_stats stats(void)
{
	struct baton_stats st;

	expect_eq(baton_stats(&st, sizeof(st)), 0);
	return st;
}

/* --- within one fiber, without foreign frames ------------------------------- */

static void panics(void *arg)
{
	baton_panic(arg, "test");
}

static void returns(void *arg)
{
	(void)arg;
}

static void try_inner(void *arg)
{
	void *value = NULL;

	expect_eq(baton_try(panics, "inner", &value), 1);
	expect(!strcmp(value, "inner"));
	expect_eq(baton_try(returns, NULL, &value), 0);
	expect(!strcmp(value, "inner"));
	baton_panic(arg, "outer");
}

static void *simple_main(void *arg)
{
	void *value = NULL;

	expect_eq(baton_try(NULL, NULL, NULL), -EINVAL);
	expect_eq(baton_try(returns, NULL, NULL), 0);
	expect_eq(baton_try(panics, NULL, NULL), 1);
	expect_eq(baton_try(try_inner, "outer", &value), 1);
	expect(!strcmp(value, "outer"));
	for (int i = 0; i < 1000; i++)
		expect_eq(baton_try(panics, arg, &value), 1);
	expect(value == arg);
	return arg;
}

START_TEST(simple)
{
	int x;

	expect_eq(baton_try(returns, NULL, NULL), -EPERM);
	run_on(1, simple_main, &x);
}
END_TEST

/* --- over foreign frames ------------------------------------------------------ */

struct deep {
	int depth, max;		/* calls within calls */
	int cleaned;		/* by cleanups on either stack */
	int try_at;		/* a try at this depth, too; or 0 */
	bool yield;
	struct baton_fiber *self;
};

static struct deep *deep_of[64];	/* cleanups get the variable alone */

static void cleaned(int *id)
{
	deep_of[*id]->cleaned++;
	/* Fiber code in a cleanup may do what it always may. */
	if (deep_of[*id]->yield && baton_self())
		baton_yield();
}

static void deep_foreign(void *arg);

static void deep_go(struct deep *d, int id)
{
	int guard __attribute__((cleanup(cleaned))) = id;

	(void)guard;
	if (d->depth == d->max)
		baton_panic(d, "deep");
	expect(baton_call(deep_foreign, &deep_of[id]) >= 0);
	ck_abort_msg("returned");
}

static void deep_body(void *arg)
{
	deep_go(*(struct deep **)arg,
		(int)((struct deep **)arg - deep_of));
}

static void deep_back(void *arg)
{
	struct deep *d = *(struct deep **)arg;
	void *value = NULL;

	d->depth++;
	if (d->yield)
		baton_yield();
	if (d->depth == d->try_at) {
		expect_eq(baton_try(deep_body, arg, &value), 1);
		expect(value == d);
		/* Again, from here to the outer one. */
		if (!d->yield)	/* otherwise others have some, too */
			expect_eq(stats().calls_now, d->try_at);
		baton_panic(d, "again");
	}
	deep_body(arg);
}

static void deep_foreign(void *arg)
{
	int id = (int)((struct deep **)arg - deep_of);
	int guard __attribute__((cleanup(cleaned))) = id;
	volatile char room[300];

	(void)guard;
	memset((void *)room, id, sizeof(room));
	expect_eq(baton_callback(deep_back, arg), 0);
	ck_abort_msg("returned %d", room[7]);
}

static void add_one(void *arg)
{
	++*(int *)arg;
}

static void add_back(void *arg)
{
	expect_eq(baton_callback(add_one, arg), 0);
}

/* All is as it should be in a fiber that is in no call. */
static void check_whole(void)
{
	int n = 0;

	expect_eq(baton_call(add_one, &n), 0);
	expect_eq(baton_call(add_back, &n), 0);
	expect_eq(n, 2);
	expect_eq(baton_yield(), 0);
	expect_eq(baton_callback(add_one, &n), -EPERM);
}

static void deep_round(int id, int max, int try_at, bool yield)
{
	struct deep d = {
		.max = max, .try_at = try_at, .yield = yield,
		.self = baton_self(),
	};
	void *value = NULL;

	deep_of[id] = &d;
	expect_eq(baton_try(deep_body, &deep_of[id], &value), 1);
	expect(value == &d);
	expect(baton_self() == d.self);
	expect_eq(d.depth, max);
	/* Each level has one on either stack, and the last one's on the fiber's. */
	expect_eq(d.cleaned, 2 * max + 1);
	check_whole();
}

static void *deep_main(void *arg)
{
	for (int max = 0; max < 30; max++) {
		deep_round(0, max, 0, false);
		for (int at = 1; at <= max; at += 7)
			deep_round(0, max, at, false);
	}
	expect_eq(stats().calls_now, 0);
	return arg;
}

START_TEST(nested_foreign)
{
	run_on(nprocs_list[_i], deep_main, NULL);
}
END_TEST

static void *deep_fiber(void *arg)
{
	int id = (int)(intptr_t)arg;

	for (unsigned int i = 0; i < scaled(200); i++)
		deep_round(id, 1 + (int)((i + (unsigned int)id) % 12),
			   i % 3 ? 1 : 0, true);
	return NULL;
}

static void *fibers_main(void *arg)
{
	struct baton_fiber *f[16];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(deep_fiber, (void *)i);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	expect_eq(stats().calls_now, 0);
	return arg;
}

/* Many at once, which yield in callbacks and in cleanups. */
START_TEST(many_fibers)
{
	run_on(nprocs_list[_i], fibers_main, NULL);
}
END_TEST

/* The fiber changes workers between the try and the call. */
static void wander_body(void *arg)
{
	for (int i = 0; i < 20; i++)
		baton_yield();
	deep_body(arg);
}

static void *wander_fiber(void *arg)
{
	int id = (int)(intptr_t)arg;

	for (unsigned int i = 0; i < scaled(200); i++) {
		struct deep d = { .max = 3, .self = baton_self() };

		deep_of[id] = &d;
		expect_eq(baton_try(wander_body, &deep_of[id], NULL), 1);
		expect_eq(d.cleaned, 7);
		check_whole();
	}
	return NULL;
}

static void *wander_main(void *arg)
{
	struct baton_fiber *f[16];

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(wander_fiber, (void *)i);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(wandering)
{
	run_on(nprocs_list[_i], wander_main, NULL);
}
END_TEST

/* --- frames that cannot be unwound ---------------------------------------------- */

/*
 * A foreign frame without an unwind table: what lies between it and the try is
 * dropped, and all is well nevertheless.
 */
#ifdef __x86_64__
void no_table(void (*fn)(void *), void *arg);
__asm__(".text\n.type no_table, @function\nno_table:\n"
	"	pushq %rbp\n	movq %rsp, %rbp\n"
	"	movq %rdi, %rax\n	movq %rsi, %rdi\n"
	"	subq $4096, %rsp\n	call *%rax\n	leave\n	ret\n"
	".size no_table, . - no_table\n");

static void gap_back(void *arg)
{
	baton_panic(arg, "over a gap");
}

static void gap_callback(void *arg)
{
	baton_callback(gap_back, arg);
}

static void gap_foreign(void *arg)
{
	no_table(gap_callback, arg);
}

static void gap_body(void *arg)
{
	baton_call_alloc(1);
	expect(baton_call(gap_foreign, arg) >= 0);
}

static void gap_nested_back(void *arg)
{
	expect_eq(baton_try(gap_body, arg, NULL), 1);
	expect_eq(stats().calls_now, 1);
	/* Deeper than the foreign frames in progress. */
	check_whole();
}

static void gap_nested(void *arg)
{
	volatile char room[3000];

	memset((void *)room, 0x77, sizeof(room));
	expect_eq(baton_callback(gap_nested_back, arg), 0);
	for (size_t i = 0; i < sizeof(room); i++)
		expect_eq(room[i], 0x77);
}

static void *gap_main(void *arg)
{
	void *value;

	for (int i = 0; i < 100; i++) {
		expect_eq(baton_try(gap_body, arg, &value), 1);
		expect(value == arg);
		check_whole();
		expect(baton_call(gap_nested, arg) >= 0);
		check_whole();
	}
	expect_eq(stats().calls_now, 0);
	return arg;
}

START_TEST(gaps)
{
	int x;

	run_on(nprocs_list[_i], gap_main, &x);
}
END_TEST
#endif

/* --- on adopted threads ------------------------------------------------------------ */

static void adopted_back(void *arg)
{
	deep_round(*(int *)arg, 5, 2, true);
}

static void *adopted_thread(void *arg)
{
	for (unsigned int i = 0; i < scaled(200); i++)
		expect_eq(baton_callback(adopted_back, arg), 0);
	return NULL;
}

static void do_join(void *arg)
{
	pthread_join(*(pthread_t *)arg, NULL);
}

static void *adopted_main(void *arg)
{
	pthread_t t[4];
	int id[ARRAY_SIZE(t)];

	for (int i = 0; i < (int)ARRAY_SIZE(t); i++) {
		id[i] = i;
		expect_eq(pthread_create(&t[i], NULL, adopted_thread, &id[i]),
			  0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		expect(baton_call(do_join, &t[i]) >= 0);
	return arg;
}

START_TEST(adopted)
{
	run_on(nprocs_list[_i], adopted_main, NULL);
}
END_TEST

/* --- memory for a call ----------------------------------------------------------------- */

struct memory {
	unsigned char *p[8];
	int n;
};

static void take(struct memory *m)
{
	size_t bytes = 100 << m->n;
	unsigned char *p = baton_call_alloc(bytes);

	expect(p != NULL);
	expect_eq((uintptr_t)p % _Alignof(max_align_t), 0);
	memset(p, m->n, bytes);
	m->p[m->n++] = p;
}

static void check_memory(const struct memory *m)
{
	for (int i = 0; i < m->n; i++)
		for (size_t k = 0; k < (size_t)100 << i; k++)
			expect_eq(m->p[i][k], i);
}

static void memory_foreign(void *arg);

static void memory_back(void *arg)
{
	struct memory *m = arg;

	take(m);
	if (m->n < 6)
		expect(baton_call(memory_foreign, m) >= 0);
	check_memory(m);
}

static void memory_foreign(void *arg)
{
	take(arg);
	expect_eq(baton_callback(memory_back, arg), 0);
	check_memory(arg);
}

static void memory_panic(void *arg)
{
	take(arg);
	baton_panic(arg, "with memory");
}

static void memory_panic_foreign(void *arg)
{
	expect_eq(baton_callback(memory_panic, arg), 0);
}

static void memory_body(void *arg)
{
	expect(baton_call(memory_panic_foreign, arg) >= 0);
}

static void *memory_main(void *arg)
{
	for (int i = 0; i < 100; i++) {
		struct memory m = { .n = 0 }, n = { .n = 0 };

		expect(!baton_call_alloc(10));
		expect(*baton_reason() != 0);
		expect(baton_call(memory_foreign, &m) >= 0);
		expect_eq(m.n, 6);
		expect_eq(baton_try(memory_body, &n, NULL), 1);
	}
	expect(!baton_call_alloc(SIZE_MAX));
	/* And on fibers with little stack. */
	void *p = baton_malloc(1 << 20);

	expect(p != NULL);
	memset(p, 1, 1 << 20);
	baton_free(p);
	baton_free(NULL);
	return arg;
}

/* What it leaks, the sanitizer's build finds. */
START_TEST(call_alloc)
{
	void *p = baton_malloc(10);

	expect(p != NULL);
	baton_free(p);
	expect(!baton_call_alloc(10));
	run_on(nprocs_list[_i], memory_main, NULL);
}
END_TEST

static void leaves_scopes(void *arg)
{
	static struct baton_scope scope;

	expect_eq(baton_deadline_push(&scope, baton_now() - 1), 0);
	expect_eq(baton_cancel_mask(), 0);
	expect_eq(baton_cancel(baton_self()), 0);
	baton_panic(arg, "in a test");
}

static void *tries_scopes(void *arg)
{
	struct baton_scope scope;

	expect_eq(baton_deadline_push(&scope, baton_now() + 1000 * BATON_SEC), 0);
	expect_eq(baton_cancel_mask(), 0);
	expect_eq(baton_try(leaves_scopes, NULL, NULL), 1);
	/* The masks and the deadline of before. */
	expect_eq(baton_sleep(BATON_MSEC), 0);
	expect_eq(baton_cancel_unmask(), 0);
	expect_eq(baton_sleep(BATON_MSEC), -ECANCELED);
	expect_eq(baton_cancel_unmask(), -EINVAL);
	expect_eq(baton_deadline_pop(&scope), 0);
	return arg;
}

START_TEST(scopes_left)
{
	run_on(1, tries_scopes, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("panic");
	TCase *tc = test_case(s, "panic");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_test(tc, simple);
	tcase_add_loop_test(tc, nested_foreign, 0, n);
	tcase_add_loop_test(tc, many_fibers, 0, n);
	tcase_add_loop_test(tc, wandering, 0, n);
#ifdef __x86_64__
	tcase_add_loop_test(tc, gaps, 0, n);
#endif
	tcase_add_loop_test(tc, adopted, 0, n);
	tcase_add_loop_test(tc, call_alloc, 0, n);
	tcase_add_test(tc, scopes_left);
	return suite_main(s);
}
