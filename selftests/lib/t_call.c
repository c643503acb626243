// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_call.c - foreign calls: results, errors, stacks, blocking. */
#include "common.h"

#include <pthread.h>
#include <stdarg.h>

/* --- results and errors ------------------------------------------------ */

static void set_errno(void *arg)
{
	errno = *(int *)arg;
}

static void leave_errno(void *arg)
{
	*(int *)arg = errno;
}

static void call_null(void *arg)
{
	*(int *)arg = baton_callback(NULL, NULL);
}

static void call_call(void *arg)
{
	*(int *)arg = baton_call(set_errno, NULL);
}

static void callback_callback(void *arg)
{
	*(int *)arg = baton_callback(set_errno, NULL);
}

static void call_callback_callback(void *arg)
{
	expect_eq(baton_callback(callback_callback, arg), 0);
}

static void *errors_main(void *arg)
{
	int e;

	for (e = 0; e < 200; e++)
		expect_eq(baton_call(set_errno, &e), e);
	/* It starts from 0, whatever was left before. */
	e = ENOENT;
	expect_eq(baton_call(set_errno, &e), ENOENT);
	expect_eq(baton_call(leave_errno, &e), 0);
	expect_eq(e, 0);
	expect_eq(baton_call(NULL, &e), -EINVAL);
	expect_eq(baton_call_args(&(struct baton_args){ .fn = NULL }),
		  -EINVAL);
	expect_eq(baton_callback(set_errno, &e), -EPERM);
	/* From foreign code: a callback, but no call and no null pointer. */
	expect_eq(baton_call(call_null, &e), 0);
	expect_eq(e, -EINVAL);
	expect_eq(baton_call(call_call, &e), 0);
	expect_eq(e, -EPERM);
	/* From a callback, a call but no callback. */
	expect_eq(baton_call(call_callback_callback, &e), 0);
	expect_eq(e, -EPERM);
	return arg;
}

START_TEST(errors)
{
	run_on(2, errors_main, NULL);
}
END_TEST

/* Not even runtime calls that need a fiber work in foreign code. */
static void foreign_refused(void *arg)
{
	expect_eq(baton_yield(), -EPERM);
	expect_eq(baton_park(), -EPERM);
	expect_eq(baton_join(arg, NULL), -EPERM);
	expect(!baton_self());
	expect_eq(baton_ready(arg), 0);
	expect_eq(baton_nprocs(), 1);
}

static void *refused_main(void *arg)
{
	expect_eq(baton_call(foreign_refused, baton_self()), 0);
	expect_eq(baton_park(), 0);		/* readied in there */
	return arg;
}

START_TEST(refused_in_foreign_code)
{
	run_on(1, refused_main, NULL);
}
END_TEST

/* --- BATON_CALL -------------------------------------------------------- */

static int f0(void)
{
	return -1;
}

static long f1(int a)
{
	return a;
}

static int f2(int a, long b)
{
	return (int)(a - b);
}

static void *f3(void *a, int b, unsigned char c)
{
	return (char *)a + b + c;
}

static short f4(short a, short b, short c, short d)
{
	return (short)(a + b + c + d);
}

static ssize_t f5(ssize_t a, size_t b, int c, int d, intptr_t e)
{
	return a - (ssize_t)b - c - d - e;
}

static uintptr_t f6(uint8_t a, int16_t b, int32_t c, uint32_t d, uintptr_t e,
		    const char *f)
{
	errno = ERANGE;
	return a + (uintptr_t)b * 3 + (uintptr_t)c * 5 + (uintptr_t)d * 7 +
		e * 11 + strlen(f) * 13;
}

static bool is_equal(int a, int b)
{
	return a == b;
}

static signed char minus_char(int a)
{
	return (signed char)-a;
}

/* A function may leave anything above the part that it returns. */
#ifdef __x86_64__
__asm__(
"	.text\n"
"	.type dirty_false, @function\n"
"dirty_false:\n"
"	endbr64\n"
"	movq $-256, %rax\n"
"	ret\n"
"	.size dirty_false, . - dirty_false\n"
);
bool dirty_false(void);
#endif

static void *typed_main(void *arg)
{
	int err = -1, n = 0;
	char buf[8] = "x";
	int (*pointer)(int, long) = f2;

	expect_eq(BATON_CALL(err, f0), -1);
	expect_eq(err, 0);
	expect_eq(BATON_CALL(err, f1, -5), -5);
	expect_eq(BATON_CALL(err, f1, INT32_MIN), INT32_MIN);
	expect_eq(BATON_CALL(err, f2, -7, -9L), 2);
	expect_eq(BATON_CALL(err, pointer, 1, 2), -1);
	expect_eq(BATON_CALL(err, (&f2), 10, 2), 8);
	expect(BATON_CALL(err, f3, buf, -3, 5) == buf + 2);
	expect_eq(BATON_CALL(err, f4, -1, -2, 3, -4), -4);
	expect_eq(BATON_CALL(err, f5, -1, 2, -3, 4, INTPTR_MIN / 2),
		  -4 - INTPTR_MIN / 2);
	expect_eq(BATON_CALL(err, f6, 200, -300, -70000, 4000000000u,
			     UINTPTR_MAX / 15, "four"),
		  f6(200, -300, -70000, 4000000000u, UINTPTR_MAX / 15, "four"));
	expect_eq(err, ERANGE);
	expect_eq(BATON_CALL(err, minus_char, 1), -1);
	expect_eq(BATON_CALL(err, minus_char, -100), 100);
	/* Each argument once; the value has the function's own type. */
	expect_eq(BATON_CALL(err, f2, n++, 0), 0);
	expect_eq(n, 1);
	_Static_assert(sizeof(BATON_CALL(err, f4, 1, 2, 3, 4)) ==
		       sizeof(short), "type");
	/* The real thing. */
	ssize_t bytes = BATON_CALL(err, read, -1, buf, sizeof(buf));
	expect_eq(bytes, -1);
	expect_eq(err, EBADF);
	return arg;
}

START_TEST(typed)
{
	run_on(1, typed_main, NULL);
}
END_TEST

/* A parameter's conversion is that of its prototype. */
static intptr_t take_wide(intptr_t a, uintptr_t b)
{
	return a + (intptr_t)b;
}

static void *converted_main(void *arg)
{
	int err = -1;

	expect_eq(BATON_CALL(err, take_wide, -1, 0), -1);
#ifndef __riscv
	expect_eq(BATON_CALL(err, take_wide, 0xffffffffu, 0),
		  (intptr_t)0xffffffffu);
#endif
	expect_eq(BATON_CALL(err, take_wide, (signed char)-1, -1), -2);
#if defined(__x86_64__) || defined(__aarch64__)
	/* Elsewhere an int fills its register; see BATON_CALL(). */
	expect_eq(BATON_CALL(err, f1, 0x1ffffffffll), -1);
#endif
	expect_eq(err, 0);
	return arg;
}

START_TEST(typed_converted)
{
	run_on(1, converted_main, NULL);
}
END_TEST

static void *bool_main(void *arg)
{
	int err = -1;

	expect(BATON_CALL(err, is_equal, 256, 256));
	expect(!BATON_CALL(err, is_equal, 256, 512));
#ifdef __x86_64__
	expect(!BATON_CALL(err, dirty_false));
#endif
	expect_eq(err, 0);
	return arg;
}

START_TEST(typed_bool)
{
	run_on(1, bool_main, NULL);
}
END_TEST

/* Not a variadic one must be called so, and the other way round. */
static long __attribute__((noinline)) sum(long n, ...)
{
	va_list ap;
	long s = 0;

	va_start(ap, n);
	for (long i = 0; i < n; i++)
		s += va_arg(ap, long);
	va_end(ap);
	return s;
}

static void nothing(void)
{
	errno = EDOM;
}

static void *variadic_main(void *arg)
{
	int err = -1;
	char buf[32];

	for (int i = 0; i < 10; i++) {
		expect_eq(BATON_CALL(err, sum, 5L, 1L, 2L, 3L, 4L, 5L), 15);
		expect_eq(err, 0);
	}
	BATON_CALL(err, snprintf, buf, sizeof(buf), "%d %s %ld", 7, "8", 9L);
	expect(!strcmp(buf, "7 8 9"));
	BATON_CALL(err, nothing);
	expect_eq(err, EDOM);
	expect_eq(BATON_CALL_NOERR(sum, 1L, 4L), 4);
	return arg;
}

START_TEST(typed_variadic)
{
	run_on(1, variadic_main, NULL);
}
END_TEST

/* A call that lasts, while another fiber computes: it ends on another thread */
static int fails_late(void)
{
	usleep(50000);
	errno = ENOTTY;
	return -1;
}

static void *computing(void *arg)
{
	for (uint64_t end = now_ns() + 300000000; now_ns() < end;)
		;
	return arg;
}

/* Not one that the compiler could know the address of errno from. */
static int __attribute__((noinline)) errno_now(void)
{
	__asm__ volatile("");
	return errno;
}

static void *errno_main(void *arg)
{
	struct baton_fiber *f = spawn(computing, NULL);

	/* The compiler knows its address from here on. */
	errno = 0;
	expect_eq(BATON_CALL(errno, fails_late), -1);
	expect_eq(errno_now(), ENOTTY);
	join(f);
	return arg;
}

START_TEST(typed_errno)
{
	run_on(1, errno_main, NULL);
}
END_TEST

/* --- stacks ------------------------------------------------------------ */

static bool on_thread_stack(uintptr_t at)
{
	pthread_attr_t attr;
	size_t size;
	void *low;

	expect(!pthread_getattr_np(pthread_self(), &attr));
	expect(!pthread_attr_getstack(&attr, &low, &size));
	pthread_attr_destroy(&attr);
	return at - (uintptr_t)low < size;
}

/* Aligned as the ABI has it: a vector in memory would fault otherwise. */
static void aligned(void)
{
	volatile long double x __attribute__((aligned(16))) = 1;
	uintptr_t at = (uintptr_t)&x;

	expect_eq(at % 16, 0);
#ifdef __x86_64__
	__asm__ volatile("movaps (%0), %%xmm0" : : "r"(at) : "xmm0");
#endif
}

/* What the stack's frames are aligned to, as seen from within. */
#if defined(__LP64__) && !defined(__s390x__)
#define STACK_ALIGN	16
#else
#define STACK_ALIGN	8
#endif

/* The frame of a function that was called: its first pushed word. */
#define FRAME()	((uintptr_t)__builtin_frame_address(0))

static struct { int foreign, back; } stacks_seen;

static void __attribute__((noinline)) check_back(void *arg)
{
	uintptr_t fiber = *(uintptr_t *)arg;

	expect_eq(FRAME() % STACK_ALIGN, 0);
	aligned();
	/* On the fiber's stack again, below the frames that are on it. */
	expect(!on_thread_stack(FRAME()));
	expect(FRAME() < fiber && fiber - FRAME() < 65536);
	stacks_seen.back++;
}

/* A megabyte, or half of what each thread has. */
static size_t thread_room(void)
{
	pthread_attr_t attr;
	size_t size;

	pthread_attr_init(&attr);
	pthread_attr_getstacksize(&attr, &size);
	pthread_attr_destroy(&attr);
	return size / 2 < 1 << 20 ? size / 2 : 1 << 20;
}

static void __attribute__((noinline)) check_foreign(void *arg)
{
	expect_eq(FRAME() % STACK_ALIGN, 0);
	aligned();
	expect(on_thread_stack(FRAME()));
	/* As much as a thread has. */
	size_t size = thread_room();
	volatile char *room = __builtin_alloca(size);
	for (size_t i = 0; i < size; i += 4096)
		room[i] = 1;
	expect_eq(baton_callback(check_back, arg), 0);
	expect_eq(room[4096], 1);
	stacks_seen.foreign++;
	errno = 0;	/* what asks for the stack's size may have set it */
}

static void *stacks_fiber(void *arg)
{
	uintptr_t here = FRAME();

	expect_eq(here % STACK_ALIGN, 0);
	aligned();
	expect(!on_thread_stack(here));
	for (int i = 0; i < 10; i++) {
		expect_eq(baton_call(check_foreign, &here), 0);
		baton_yield();
	}
	return arg;
}

static void *stacks_main(void *arg)
{
	stacks_fiber(NULL);
	for (int i = 0; i < 40; i++)
		join(spawn(stacks_fiber, NULL));
	expect_eq(stacks_seen.foreign, 410);
	expect_eq(stacks_seen.back, 410);
	return arg;
}

START_TEST(stacks)
{
	run_on(2, stacks_main, NULL);
}
END_TEST

#ifdef __x86_64__
static void mxcsr_back(void *arg)
{
	/* What the foreign code has set is here, too, and stays. */
	expect_eq(__builtin_ia32_stmxcsr() & 0xffc0, *(unsigned int *)arg);
	for (int i = 0; i < 5; i++)
		baton_yield();
	expect_eq(__builtin_ia32_stmxcsr() & 0xffc0, *(unsigned int *)arg);
}

static void mxcsr_foreign(void *arg)
{
	unsigned int old = __builtin_ia32_stmxcsr();
	unsigned int mine = *(unsigned int *)arg ^ 0x6000;

	expect_eq(old & 0xffc0, *(unsigned int *)arg);
	__builtin_ia32_ldmxcsr(mine);
	expect_eq(baton_callback(mxcsr_back, &mine), 0);
	expect_eq(__builtin_ia32_stmxcsr() & 0xffc0, mine);
	__builtin_ia32_ldmxcsr(old);
}

static void *mxcsr_fiber(void *arg)
{
	unsigned int mxcsr = 0x1f80 | (unsigned int)((uintptr_t)arg % 4) << 13;
	unsigned int rounds = scaled(100);

	__builtin_ia32_ldmxcsr(mxcsr);
	for (unsigned int i = 0; i < rounds; i++) {
		expect(baton_call(mxcsr_foreign, &mxcsr) >= 0);
		expect_eq(__builtin_ia32_stmxcsr() & 0xffc0, mxcsr);
	}
	return NULL;
}

static void *mxcsr_main(void *arg)
{
	struct baton_fiber *f[8];

	for (uintptr_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(mxcsr_fiber, (void *)i);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(control_words)
{
	run_on(nprocs_list[_i], mxcsr_main, NULL);
}
END_TEST
#endif

/* --- blocking ---------------------------------------------------------- */

static void *write_byte(void *arg)
{
	expect_eq(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

/* If nothing else runs while the call blocks, it blocks for ever. */
static void *blocks_main(void *arg)
{
	unsigned int rounds = scaled(200);
	char c;
	int fd[2], err;

	expect_eq(pipe(fd), 0);
	for (unsigned int i = 0; i < rounds; i++) {
		struct baton_fiber *f = spawn(write_byte, &fd[1]);
		ssize_t n = BATON_CALL(err, read, fd[0], &c, 1);

		expect_eq(n, 1);
		expect_eq(err, 0);
		join(f);
	}
	return arg;
}

START_TEST(others_run)
{
	run_on(nprocs_list[_i], blocks_main, NULL);
}
END_TEST

/* All of them at once, each in a call, on two processors. */
struct relay {
	int in, out;
};

static void *relay(void *arg)
{
	struct relay *r = arg;
	char c;
	int err;
	ssize_t n = BATON_CALL(err, read, r->in, &c, 1);

	expect_eq(n, 1);
	expect_eq(err, 0);
	n = BATON_CALL(err, write, r->out, &c, 1);
	expect_eq(n, 1);
	expect_eq(err, 0);
	return NULL;
}

#define RELAYS	60

static void *relay_main(void *arg)
{
	struct relay r[RELAYS];
	struct baton_fiber *f[RELAYS];
	int fd[RELAYS + 1][2], err;
	char c = 'y';

	for (int i = 0; i <= RELAYS; i++)
		expect_eq(pipe(fd[i]), 0);
	for (int i = 0; i < RELAYS; i++) {
		r[i] = (struct relay){ fd[i][0], fd[i + 1][1] };
		f[i] = spawn(relay, &r[i]);
	}
	for (int i = 0; i < 20; i++)
		baton_yield();
	expect_eq(write(fd[0][1], &c, 1), 1);
	ssize_t n = BATON_CALL(err, read, fd[RELAYS][0], &c, 1);
	expect_eq(n, 1);
	expect_eq(err, 0);
	for (int i = 0; i < RELAYS; i++)
		join(f[i]);
	return arg;
}

START_TEST(many_block)
{
	run_on(nprocs_list[_i], relay_main, NULL);
}
END_TEST

/*
 * Calls as long as a monitor's two looks, so that many come home while it is
 * making up its mind. A processor that is lost on the way is missed at the end:
 * as many fibers as there are processors wait for each other.
 */
static void compute(void *arg)
{
	uint64_t end = now_ns() + (uintptr_t)arg;

	while (now_ns() < end)
		;
}

static void *computing_fiber(void *arg)
{
	unsigned int rounds = scaled(4000);

	for (unsigned int i = 0; i < rounds; i++)
		expect(baton_call(compute, (void *)(uintptr_t)
				  (15000 + i * 97 % 50000)) >= 0);
	return arg;
}

/* Held processors: none of them yields. */
static void *meet(void *arg)
{
	int *met = arg;

	add(met, 1);
	while (load(met) < (int)baton_nprocs())
		;
	return NULL;
}

static void *computing_main(void *arg)
{
	unsigned int nprocs = (unsigned int)baton_nprocs();
	struct baton_fiber *f[8];
	int met = 0;

	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(computing_fiber, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	for (unsigned int i = 1; i < nprocs; i++)
		f[i] = spawn(meet, &met);
	meet(&met);
	for (unsigned int i = 1; i < nprocs; i++)
		join(f[i]);
	return arg;
}

START_TEST(computing_calls)
{
	run_on(nprocs_list[_i], computing_main, NULL);
}
END_TEST

/* --- many at once ------------------------------------------------------ */

struct sum {
	uint32_t seed;
	uint64_t value;
	unsigned int rounds;
	int depth;
};

static uint64_t mix(uint64_t v, uint64_t with)
{
	v ^= with + 0x9e3779b97f4a7c15u + (v << 6) + (v >> 2);
	return v * 0xff51afd7ed558ccdu;
}

static void sum_foreign(void *arg);

static void sum_back(void *arg)
{
	struct sum *s = arg;
	uint32_t r = random_next(&s->seed);

	s->value = mix(s->value, r);
	if (r & 256)
		baton_yield();
	if (r & 512) {
		baton_ready(baton_self());
		baton_park();
	}
	if (s->depth < 4 && r & 1024) {
		s->depth++;
		baton_call(sum_foreign, s);
		s->depth--;
	}
	s->value = mix(s->value, 2);
}

static void sum_foreign(void *arg)
{
	struct sum *s = arg;
	uint32_t r = random_next(&s->seed);

	s->value = mix(s->value, r);
	if (r % 61 == 0)
		usleep(50);
	for (uint32_t i = 0; i < (r >> 8) % 3; i++)
		baton_callback(sum_back, s);
	s->value = mix(s->value, 1);
}

/* The same without any scheduler. */
static void plain_foreign(struct sum *s);

static void plain_back(struct sum *s)
{
	uint32_t r = random_next(&s->seed);

	s->value = mix(s->value, r);
	if (s->depth < 4 && r & 1024) {
		s->depth++;
		plain_foreign(s);
		s->depth--;
	}
	s->value = mix(s->value, 2);
}

static void plain_foreign(struct sum *s)
{
	uint32_t r = random_next(&s->seed);

	s->value = mix(s->value, r);
	for (uint32_t i = 0; i < (r >> 8) % 3; i++)
		plain_back(s);
	s->value = mix(s->value, 1);
}

static void *sum_fiber(void *arg)
{
	struct sum *s = arg;

	for (unsigned int i = 0; i < s->rounds; i++) {
		baton_call(sum_foreign, s);
		if (i % 4 == 0)
			baton_yield();
	}
	return NULL;
}

static uint32_t sum_seed;

static void *sums_main(void *arg)
{
	struct sum s[32], plain;
	struct baton_fiber *f[ARRAY_SIZE(s)];

	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = (struct sum){
			.seed = sum_seed * 31 + (uint32_t)i + 1,
			.rounds = (unsigned int)(uintptr_t)arg,
		};
		f[i] = spawn(sum_fiber, &s[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		join(f[i]);
		plain = (struct sum){ .seed = sum_seed * 31 + (uint32_t)i + 1 };
		for (unsigned int j = 0; j < s[i].rounds; j++)
			plain_foreign(&plain);
		expect_eq(s[i].value, plain.value);
		expect_eq(s[i].seed, plain.seed);
	}
	return NULL;
}

START_TEST(checksums)
{
	sum_seed = random_seed();
	run_on(nprocs_list[_i], sums_main, (void *)(uintptr_t)scaled(3));
}
END_TEST

/* --- ready from anywhere ----------------------------------------------- */

static struct { struct baton_fiber *fiber; int sent, got; } far;

static void ready_foreign(void *arg)
{
	(void)arg;
	add(&far.sent, 1);
	expect_eq(baton_ready(far.fiber), 0);
}

static void *far_fiber(void *arg)
{
	unsigned int rounds = scaled(500);

	for (unsigned int i = 0; i < rounds; i++) {
		baton_call(ready_foreign, NULL);
		while (load(&far.got) < load(&far.sent))
			baton_yield();
	}
	return arg;
}

static void *far_main(void *arg)
{
	int rounds = (int)scaled(500);
	struct baton_fiber *f;

	far.fiber = baton_self();
	f = spawn(far_fiber, NULL);
	for (int i = 1; i <= rounds; i++) {
		while (load(&far.sent) < i)
			expect_eq(baton_park(), 0);
		store(&far.got, i);
	}
	join(f);
	return arg;
}

START_TEST(ready_from_foreign)
{
	run_on(nprocs_list[_i], far_main, NULL);
}
END_TEST

static void spawn_in_foreign(void *arg)
{
	expect_eq(baton_spawn(NULL, NULL, far_fiber, NULL), 0);
	expect_eq(baton_spawn(arg, NULL, far_fiber, arg), 0);
}

static void *spawn_foreign_main(void *arg)
{
	struct baton_fiber *f = NULL;

	far.got = 1 << 30;
	far.fiber = baton_self();
	expect_eq(baton_call(spawn_in_foreign, &f), 0);
	expect(join(f) == &f);
	return arg;
}

START_TEST(spawn_from_foreign)
{
	run_on(2, spawn_foreign_main, NULL);
}
END_TEST

/* --- counters ---------------------------------------------------------- */

static void three_back(void *arg)
{
	(void)arg;
}

static void three_foreign(void *arg)
{
	for (int i = 0; i < 3; i++)
		baton_callback(three_back, arg);
}

static void *counted_fiber(void *arg)
{
	for (int i = 0; i < 50; i++) {
		baton_call(three_foreign, arg);
		baton_yield();
	}
	return NULL;
}

static void *counters_main(void *arg)
{
	struct baton_fiber *f[20];
	struct baton_stats a, b;

	expect_eq(baton_stats(&a, sizeof(a)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(counted_fiber, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	expect_eq(baton_stats(&b, sizeof(b)), 0);
	expect_eq(b.calls - a.calls, ARRAY_SIZE(f) * 50);
	expect_eq(b.callbacks - a.callbacks, ARRAY_SIZE(f) * 150);
	expect_eq(b.spawns - a.spawns, ARRAY_SIZE(f));
	expect(b.workers >= 1 && b.workers <= b.workers_max);
	return arg;
}

START_TEST(counters)
{
	run_on(nprocs_list[_i], counters_main, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("call");
	TCase *tc = test_case(s, "call");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_test(tc, errors);
	tcase_add_test(tc, refused_in_foreign_code);
	tcase_add_test(tc, typed);
	tcase_add_test(tc, typed_converted);
	tcase_add_test(tc, typed_bool);
	tcase_add_test(tc, typed_variadic);
	tcase_add_test(tc, typed_errno);
	tcase_add_test(tc, stacks);
#ifdef __x86_64__
	tcase_add_loop_test(tc, control_words, 0, n);
#endif
	tcase_add_loop_test(tc, others_run, 0, n);
	tcase_add_loop_test(tc, many_block, 0, n);
	tcase_add_loop_test(tc, computing_calls, 0, n);
	tcase_add_loop_test(tc, checksums, 0, n);
	tcase_add_loop_test(tc, ready_from_foreign, 0, n);
	tcase_add_test(tc, spawn_from_foreign);
	tcase_add_loop_test(tc, counters, 0, n);
	return suite_main(s);
}
