// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_key.c - data of fibers by key: each has its own, wherever it runs; the
 * destructors of each are called once, before anybody takes it for ended. And
 * their names.
 */
#include "common.h"

#include <pthread.h>

/* More than a fiber's record has room for. */
#define KEYS	20
#define FIBERS	50

static struct baton_key keys[KEYS];
static int destroyed;

/* As last code of a fiber: it may block, and finds its data gone. */
static void destroy(void *value)
{
	int *left = value;

	expect_eq(baton_yield(), 0);
	expect_eq(baton_sleep(1000), 0);
	add(left, -1);
	add(&destroyed, 1);
}

static void create_keys(void (*destructor)(void *))
{
	for (int i = 0; i < KEYS; i++)
		expect_eq(baton_key_create(&keys[i], destructor), 0);
}

static void delete_keys(void)
{
	for (int i = 0; i < KEYS; i++)
		expect_eq(baton_key_delete(keys[i]), 0);
}

static void has(void *value)
{
	for (int i = 0; i < KEYS; i++)
		expect(baton_getspecific(keys[i]) == value);
}

static void sets(void *value)
{
	for (int i = 0; i < KEYS; i++) {
		expect(!baton_getspecific(keys[i]));
		expect_eq(baton_setspecific(keys[i], value), 0);
	}
}

/* In foreign code, and in a callback. */
static void elsewhere(void *value)
{
	has(value);
	expect_eq(baton_callback(has, value), 0);
	expect_eq(baton_setspecific(keys[KEYS - 1], NULL), 0);
	expect(!baton_getspecific(keys[KEYS - 1]));
	expect_eq(baton_setspecific(keys[KEYS - 1], value), 0);
}

static void *life(void *arg)
{
	int *left = arg;

	store(left, KEYS);
	sets(left);
	for (int i = 0; i < 10; i++) {
		expect_eq(baton_yield(), 0);
		has(left);
	}
	expect_eq(baton_call(elsewhere, left), 0);
	has(left);
	return arg;
}

static int life_in_group(void *arg)
{
	life(arg);
	return 0;
}

static void *lives(void *arg)
{
	struct baton_group group = BATON_GROUP_INIT;
	struct baton_fiber *f[FIBERS];
	int left[2 * FIBERS];

	store(&destroyed, 0);
	create_keys(destroy);
	for (int i = 0; i < FIBERS; i++) {
		f[i] = spawn(life, &left[i]);
		expect_eq(baton_group_spawn(&group, NULL, life_in_group,
					    &left[FIBERS + i]), 0);
	}
	for (int i = 0; i < FIBERS; i++) {
		join(f[i]);
		expect_eq(left[i], 0);
	}
	expect_eq(baton_group_wait(&group), 0);
	for (int i = 0; i < FIBERS; i++)
		expect_eq(left[FIBERS + i], 0);
	expect_eq(destroyed, 2 * FIBERS * KEYS);
	delete_keys();
	return arg;
}

START_TEST(own)
{
	run_on(nprocs_list[_i], lives, NULL);
}
END_TEST

/* --- rounds ----------------------------------------------------------------- */

static void sets_again(void *value)
{
	add(&destroyed, 1);
	expect(!baton_getspecific(keys[0]));
	expect_eq(baton_setspecific(keys[0], value), 0);
}

/* What it sets is another key's, which came earlier. */
static void sets_other(void *value)
{
	add(&destroyed, 1);
	expect_eq(baton_setspecific(keys[0], value), 0);
}

static void counts(void *value)
{
	(void)value;
	add(&destroyed, 1);
}

static void *has_first(void *arg)
{
	expect_eq(baton_setspecific(keys[0], &destroyed), 0);
	return arg;
}

static void *has_second(void *arg)
{
	expect_eq(baton_setspecific(keys[1], &destroyed), 0);
	return arg;
}

static void *many_rounds(void *arg)
{
	destroyed = 0;
	expect_eq(baton_key_create(&keys[0], sets_again), 0);
	join(spawn(has_first, NULL));
	expect_eq(destroyed, BATON_DESTRUCTOR_ITERATIONS);
	expect_eq(baton_key_delete(keys[0]), 0);
	/* The next that has the stack has none of it. */
	expect_eq(baton_key_create(&keys[0], counts), 0);
	expect_eq(baton_key_create(&keys[1], sets_other), 0);
	destroyed = 0;
	join(spawn(has_second, NULL));
	expect_eq(destroyed, 2);
	return arg;
}

START_TEST(rounds)
{
	run_on(1, many_rounds, NULL);
}
END_TEST

/* --- keys come and go -------------------------------------------------------- */

static void never(void *value)
{
	ck_abort_msg("the destructor of a deleted key, with %p", value);
}

static void *deleted(void *arg)
{
	struct baton_key key, next;

	for (int i = 0; i < 10; i++) {
		expect_eq(baton_key_create(&key, never), 0);
		expect_eq(baton_setspecific(key, arg), 0);
		expect_eq(baton_key_delete(key), 0);
		expect_eq(baton_key_delete(key), -EINVAL);
		expect_eq(baton_setspecific(key, arg), -EINVAL);
		/* In the same place. */
		expect_eq(baton_key_create(&next, never), 0);
		expect_eq(next.baton_index, key.baton_index);
		expect(!baton_getspecific(next));
		expect_eq(baton_key_delete(next), 0);
	}
	return arg;
}

static void *deletes(void *arg)
{
	join(spawn(deleted, &destroyed));
	return arg;
}

START_TEST(generations)
{
	struct baton_key none = { 0 }, key[BATON_KEYS_MAX], more;

	run_on(2, deletes, NULL);
	expect_eq(baton_key_delete(none), -EINVAL);
	expect_eq(baton_key_create(NULL, NULL), -EINVAL);
	for (int i = 0; i < BATON_KEYS_MAX; i++)
		expect_eq(baton_key_create(&key[i], NULL), 0);
	expect_eq(baton_key_create(&more, NULL), -EAGAIN);
	for (int i = 0; i < BATON_KEYS_MAX; i++)
		expect_eq(baton_key_delete(key[i]), 0);
	/* This thread runs no fiber. */
	expect_eq(baton_key_create(&more, NULL), 0);
	expect(!baton_getspecific(more));
	expect_eq(baton_setspecific(more, &more), -EPERM);
}
END_TEST

/* --- other threads, and the end ---------------------------------------------- */

static void visits(void *arg)
{
	store((int *)arg, KEYS);
	sets(arg);
	expect_eq(baton_yield(), 0);
	has(arg);
	expect_eq(baton_call(elsewhere, arg), 0);
	expect_eq(load(&destroyed) % KEYS, 0);
}

static void visits_and_exits(void *arg)
{
	visits(arg);
	pthread_exit(arg);
}

static void *visitor(void *arg)
{
	int left;

	for (int i = 0; i < 3; i++) {
		expect_eq(baton_callback(visits, &left), 0);
		expect_eq(left, 0);
		expect(!baton_getspecific(keys[0]));
	}
	if (arg)
		baton_callback(visits_and_exits, arg);
	return NULL;
}

static void visit(void *arg)
{
	on_thread(visitor, arg);
}

static void *adopts(void *arg)
{
	destroyed = 0;
	create_keys(destroy);
	expect_eq(baton_call(visit, arg), 0);
	expect_eq(destroyed, (arg ? 4 : 3) * KEYS);
	expect(!arg || !*(int *)arg);
	delete_keys();
	return arg;
}

START_TEST(adopted)
{
	int left;

	run_on(2, adopts, NULL);
#ifndef __GLIBC__
	skip("adopted", "this C library's pthread_exit() unwinds nothing");
	return;
#endif
	NOT_UNDER_TSAN("adopted, and exits");
	run_on(2, adopts, &left);
}
END_TEST

/* A debug build ends at the first. */
#ifndef BATON_DEBUG
static void leaves_open(void *arg)
{
	static struct baton_scope scope;

	expect_eq(baton_sleep(1), 0);
	expect_eq(baton_cancel_unmask(), -EINVAL);
	expect_eq(baton_deadline_push(&scope, 0), 0);
	expect_eq(baton_sleep(1), -ETIMEDOUT);
	expect_eq(baton_cancel_mask(), 0);
	(void)arg;
}

static void *visits_twice(void *arg)
{
	expect_eq(baton_callback(leaves_open, arg), 0);
	expect_eq(baton_callback(leaves_open, arg), 0);
	return arg;
}

static void visit_twice(void *arg)
{
	on_thread(visits_twice, arg);
}

static void *adopts_twice(void *arg)
{
	expect_eq(baton_call(visit_twice, arg), 0);
	return arg;
}

/* Nor do scopes and masks last from one callback to the next. */
START_TEST(left_open)
{
	run_on(1, adopts_twice, NULL);
}
END_TEST
#endif

static void *stays(void *arg)
{
	sets(arg);
	baton_park();
	return arg;
}

/* Its memory is not lost: LeakSanitizer looks. */
static void *ends_before(void *arg)
{
	create_keys(never);
	spawn(stays, &destroyed);
	baton_yield();
	return arg;
}

START_TEST(the_end)
{
	run_on(1, ends_before, NULL);
	expect_eq(baton_key_delete(keys[0]), 0);
}
END_TEST

/* --- names ------------------------------------------------------------------ */

#define LONGEST "1234567890123456789012345678901"

static void is_named(struct baton_fiber *f, const char *name)
{
	char got[BATON_NAME_SIZE];

	expect_eq(baton_name(f, got, sizeof(got)), 0);
	ck_assert_str_eq(got, name);
}

static void *named(void *arg)
{
	is_named(NULL, LONGEST);
	expect_eq(baton_set_name("another"), 0);
	is_named(NULL, "another");
	yield_until(arg);
	expect_eq(baton_set_name(LONGEST "2"), -EINVAL);
	is_named(NULL, "another");
	expect_eq(baton_set_name(NULL), 0);
	is_named(NULL, "");
	return arg;
}

static void *nameless(void *arg)
{
	is_named(NULL, "");
	return arg;
}

static void *keeps_name(void *arg)
{
	return arg;
}

static void *names_main(void *arg)
{
	struct baton_attr *attr;
	struct baton_fiber *f;
	char few[4];
	int go = 0;

	expect_eq(baton_attr_create(&attr), 0);
	expect_eq(baton_attr_set_name(attr, LONGEST), 0);
	expect_eq(baton_attr_set_name(attr, LONGEST "2"), -EINVAL);
	expect(strstr(baton_reason(), "31 bytes"));
	expect_eq(baton_spawn(&f, attr, named, &go), 0);
	is_named(f, LONGEST);
	baton_yield();
	is_named(f, "another");
	expect_eq(baton_name(f, few, sizeof(few)), 0);
	ck_assert_str_eq(few, "ano");
	expect_eq(baton_name(f, few, 0), -EINVAL);
	expect_eq(baton_name(f, NULL, 9), -EINVAL);
	store(&go, 1);
	join(f);
	/* Whoever has its stack next has not its name. */
	expect_eq(baton_spawn(&f, attr, keeps_name, NULL), 0);
	join(f);
	join(spawn(nameless, NULL));
	baton_attr_destroy(attr);
	return arg;
}

START_TEST(names)
{
	char name[BATON_NAME_SIZE];

	expect_eq(baton_set_name("none"), -EPERM);
	expect_eq(baton_name(NULL, name, sizeof(name)), -EPERM);
	run_in_order(names_main, NULL);
}
END_TEST

/* --- the end of a scheduler while an adopted thread's destructor runs --------- */

static struct baton_key lasting;
static int lasts;

static void destroy_for_ever(void *value)
{
	(void)value;
	store(&lasts, 1);
	for (;;)
		baton_yield();
}

static void sets_lasting(void *arg)
{
	expect_eq(baton_setspecific(lasting, arg), 0);
}

static void *visits_at_the_end(void *arg)
{
	expect_eq(baton_callback(sets_lasting, &lasts), -ECANCELED);
	return arg;
}

static void *ends_meanwhile(void *arg)
{
	expect_eq(pthread_create(arg, NULL, visits_at_the_end, NULL), 0);
	while (!load(&lasts))
		baton_yield();
	return arg;
}

START_TEST(cut_off)
{
	pthread_t thread;

	lasts = 0;
	expect_eq(baton_key_create(&lasting, destroy_for_ever), 0);
	run_on(2, ends_meanwhile, &thread);
	expect_eq(pthread_join(thread, NULL), 0);
	expect_eq(baton_key_delete(lasting), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("key");
	TCase *tc = test_case(s, "key");

	tcase_add_loop_test(tc, own, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, rounds);
	tcase_add_test(tc, generations);
	tcase_add_test(tc, adopted);
#ifndef BATON_DEBUG
	tcase_add_test(tc, left_open);
#endif
	tcase_add_test(tc, the_end);
	tcase_add_test(tc, cut_off);
	tcase_add_test(tc, names);
	return suite_main(s);
}
