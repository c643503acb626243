// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_qsort.c - the C library sorts, and fibers compare. */
#include "common.h"

#define N	300

struct sorting {
	int *v;
	size_t n;
	const int *a, *b;
	int order;
	unsigned int compared;
	int nested;		/* sorts within comparisons, still to do */
};

static int order(const int *a, const int *b)
{
	return (*a > *b) - (*a < *b);
}

static int plain(const void *a, const void *b)
{
	return order(a, b);
}

static void sort(void *arg);

/* Fiber code. */
static void compare_back(void *arg)
{
	struct sorting *s = arg;
	const int *a = s->a, *b = s->b;

	if (++s->compared % 16 == 0)
		baton_yield();
	if (s->nested && s->compared % 64 == 0) {
		int few[] = { 3, 1, 2 };
		struct sorting inner = {
			.v = few, .n = 3, .nested = s->nested - 1,
		};

		expect(baton_call(sort, &inner) >= 0);
		expect(few[0] == 1 && few[1] == 2 && few[2] == 3);
	}
	s->order = order(a, b);
}

static int compare(const void *a, const void *b, void *arg)
{
	struct sorting *s = arg;

	s->a = a;
	s->b = b;
	expect_eq(baton_callback(compare_back, s), 0);
	return s->order;
}

/* Foreign code. */
static void sort(void *arg)
{
	struct sorting *s = arg;

	qsort_r(s->v, s->n, sizeof(*s->v), compare, s);
}

static void *sorter(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	int v[N], w[N];
	struct sorting s = { .v = v, .n = N, .nested = 3 };

	for (size_t i = 0; i < N; i++)
		v[i] = w[i] = (int)(random_next(&seed) % 1000);
	expect(baton_call(sort, &s) >= 0);
	qsort(w, N, sizeof(*w), plain);
	expect(!memcmp(v, w, sizeof(v)));
	expect(s.compared >= N - 1);
	return NULL;
}

static void *sorters(void *arg)
{
	struct baton_fiber *f[8];
	uint32_t seed = random_seed();

	for (unsigned int r = 0; r < scaled(40); r++) {
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			f[i] = spawn(sorter, (void *)(uintptr_t)
						    random_next(&seed));
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			join(f[i]);
	}
	return arg;
}

START_TEST(comparators)
{
	run_on(nprocs_list[_i], sorters, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("qsort");

	tcase_add_loop_test(test_case(s, "qsort"), comparators, 0,
			    (int)ARRAY_SIZE(nprocs_list));
	return suite_main(s);
}
