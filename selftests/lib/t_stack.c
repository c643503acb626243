// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_stack.c - a fiber's stack and what a switch keeps: registers, modes. */
#include "../arch/hold.h"
#include "common.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* --- stacks ------------------------------------------------------------ */

static void *self(void *arg)
{
	(void)arg;
	return baton_self();	/* it lies on its stack */
}

#define BATCH	32

/* Spawn, join: how many different stacks were there? */
static unsigned int spawn_batches(unsigned int batches,
				  const struct baton_attr *attr)
{
	static void *stacks[4096];
	struct baton_fiber *f[BATCH];
	unsigned int n = 0, j;

	while (batches--) {
		for (size_t i = 0; i < BATCH; i++)
			expect_eq(baton_spawn(&f[i], attr, self, NULL), 0);
		for (size_t i = 0; i < BATCH; i++) {
			void *stack = join(f[i]);

			for (j = 0; j < n && stacks[j] != stack; j++)
				;
			expect(j < ARRAY_SIZE(stacks));
			stacks[j] = stack;
			n += j == n;
		}
	}
	return n;
}

/* Stacks are used again, or their addresses. */
static void *reuse_main(void *arg)
{
	struct baton_attr *attr;

	expect_eq(baton_attr_create(&attr), 0);
	expect_eq(baton_attr_set_stack_size(attr, 256 << 10), 0);
	expect(spawn_batches(100, NULL) < 512);
	expect(spawn_batches(40, attr) < 512);
	baton_attr_destroy(attr);
	return arg;
}

START_TEST(stack_reuse)
{
	if (under_qemu_user()) {
		skip("stack_reuse", "it does not use addresses again");
		return;
	}
	run_on(2, reuse_main, NULL);
}
END_TEST

static void *use_stack(void *arg)
{
	/* But for the fiber itself, its offset, and a few frames. */
	size_t bytes = (uintptr_t)arg - 4096;
	volatile char *room = __builtin_alloca(bytes + 1);
	size_t bad = 0;

	for (size_t i = bytes; i > 512; i -= 512)
		room[i - 512] = (char)(i >> 9);
	baton_yield();
	for (size_t i = bytes; i > 512; i -= 512)
		bad += room[i - 512] != (char)(i >> 9);
	return (void *)bad;
}

static void *deep_main(void *arg)
{
	static const size_t sizes[] = {
		16384, 16385, 32768, 65536, 100000, 1 << 20, 8 << 20,
	};
	struct baton_fiber *f[ARRAY_SIZE(sizes)][20];
	struct baton_attr *attr;

	expect_eq(baton_attr_create(&attr), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_eq(baton_attr_set_stack_size(attr, sizes[i]), 0);
		for (int j = 0; j < 20; j++)
			expect_eq(baton_spawn(&f[i][j], attr, use_stack,
					      (void *)sizes[i]), 0);
	}
	/* It is not kept. */
	baton_attr_destroy(attr);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (int j = 0; j < 20; j++)
			expect(!join(f[i][j]));
	return arg;
}

START_TEST(deep_stack)
{
	run_on(nprocs_list[_i], deep_main, NULL);
}
END_TEST

static void *no_memory_main(void *arg)
{
	struct baton_fiber *f[600];
	struct baton_attr *attr;
	size_t n;

	/* 47 bits of address space hold less than 2^17 of these. */
	expect_eq(baton_attr_create(&attr), 0);
	expect_eq(baton_attr_set_stack_size(attr, 1 << 30), 0);
	for (n = 0; n < ARRAY_SIZE(f); n++)
		expect_eq(baton_spawn(&f[n], attr, use_stack,
				      (void *)16384), 0);
	while (n--)
		expect(!join(f[n]));
	baton_attr_destroy(attr);
	return arg;
}

START_TEST(huge_stacks)
{
	if (sizeof(void *) < 8) {
		skip("huge_stacks", "they fill the address space");
		return;
	}
	run_on(2, no_memory_main, NULL);
}
END_TEST

/* --- how much was used ----------------------------------------------------- */

static __attribute__((noinline)) void use_room(size_t bytes)
{
	volatile char *room = __builtin_alloca(bytes + 1);

	room[0] = 1;
}

static void *uses_room(void *arg)
{
	use_room((uintptr_t)arg);
	baton_park();
	return arg;
}

/* Of fresh stacks; and of one that was used before. */
static void *used_main(void *arg)
{
	struct baton_fiber *f[8];
	struct baton_attr *attr;
	long used, most = 0;

	expect_eq(baton_stack_used(NULL), -EINVAL);
	expect_eq(baton_attr_create(&attr), 0);
	expect_eq(baton_attr_set_stack_size(attr, 200000), 0);
	for (uintptr_t i = 0; i < ARRAY_SIZE(f); i++)
		expect_eq(baton_spawn(&f[i], attr, uses_room,
				      (void *)(i * 20000)), 0);
	for (int i = 0; i < 3; i++)
		baton_yield();
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		used = baton_stack_used(f[i]);
		expect(used > (long)i * 20000);
		expect(used < (long)i * 20000 + 20000);
		most = used;
	}
	used = baton_stack_used(baton_self());
	expect(used > 0 && used < 65536);
	use_room((size_t)used + 5000);
	expect(baton_stack_used(baton_self()) > used + 5000);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		baton_ready(f[i]);
		join(f[i]);
		expect_eq(baton_stack_used(f[i]), -EINVAL);
	}
	/* The one that was freed last is the next to be used. */
	expect_eq(baton_spawn(&f[0], attr, uses_room, NULL), 0);
	for (int i = 0; i < 3; i++)
		baton_yield();
	expect_eq(baton_stack_used(f[0]), most);
	baton_ready(f[0]);
	join(f[0]);
	baton_attr_destroy(attr);
	return arg;
}

START_TEST(stack_used)
{
	expect_eq(baton_stack_used((struct baton_fiber *)16), -ESRCH);
	run_on(1, used_main, NULL);
}
END_TEST

/* --- shadow stacks ------------------------------------------------------- */

struct shadows {
	int mappings;
	long kib;	/* of memory in use */
};

static struct shadows shadows(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	struct shadows s = { 0 };
	char line[512];
	long rss = 0;

	expect(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		sscanf(line, "Rss: %ld", &rss);
		if (strncmp(line, "VmFlags:", 8) || !strstr(line, " ss"))
			continue;
		s.mappings++;
		s.kib += rss;
	}
	fclose(smaps);
	return s;
}

#define DEEP		((size_t)7 << 20)	/* bytes of a system stack */

/* In frames as small as they get. */
static __attribute__((noinline)) unsigned long deeper(const char *from)
{
	char here;

	__asm__ volatile("" : : "r"(&here) : "memory");
	if ((size_t)(from - &here) > DEEP)
		return 0;
	return deeper(from) + 1;
}

static void deep_call(void *arg)
{
	char here = 0;

	*(unsigned long *)arg = deeper(&here);
}

#define SHADOWED	1024	/* fibers, in slabs of 32 */

/* Each has one, for a page or two, and few mappings for all of them. */
static void *shadows_main(void *arg)
{
	static struct baton_fiber *f[SHADOWED];
	struct shadows before = shadows(), s;
	int go = 0;

	for (size_t i = 0; i < SHADOWED; i++)
		f[i] = spawn(wait_flag, &go);
	for (int i = 0; i < 3; i++)
		baton_yield();
	s = shadows();
	expect(s.kib - before.kib >= 4 * SHADOWED);
	expect(s.kib - before.kib <= 8 * SHADOWED);
	expect(s.mappings - before.mappings <= SHADOWED / 32 * 4);
	store(&go, 1);
	for (size_t i = 0; i < SHADOWED; i++)
		join(f[i]);
	expect_eq(baton_call(deep_call, arg), 0);
	return arg;
}

START_TEST(shadow_stacks)
{
	unsigned long frames;

	if (!on_shadow_stack()) {
		skip("shadow_stacks", "there are none");
		return;
	}
	run_on(1, shadows_main, &frames);
	expect(frames > DEEP / 64);
	expect(shadows().mappings < 16);
}
END_TEST

static volatile uintptr_t overflow_sp;

/* The first byte that is not there lies where the stack ends. */
static void on_segv(int sig, siginfo_t *info, void *uc)
{
	uintptr_t at = (uintptr_t)info->si_addr;

	(void)sig;
	(void)uc;
	_exit(at < overflow_sp - 65536 + 4096 && at > overflow_sp - 65536 - 8192
	      ? 42 : 43);
}

static void *overflow(void *arg)
{
	static char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = {
		.sa_sigaction = on_segv,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	volatile char *p = (volatile char *)&ss;

	overflow_sp = (uintptr_t)p;
	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	for (;; p -= 64)
		*p = 0;
	return arg;
}

static int done;		/* nobody sets it */

static void *overflow_them(void *arg)
{
	/* Neighbours of one mapping, all in use. */
	for (int i = 0; i < 40; i++)
		baton_spawn(NULL, NULL, wait_flag, &done);
	baton_yield();
	join(spawn(overflow, NULL));
	return arg;
}

START_TEST(guard_page)
{
	int status;
	pid_t pid;

	if (under_qemu_user()) {
		skip("guard_page", "it tells another address");
		return;
	}
	pid = fork();
	if (!pid) {
		run_on(1, overflow_them, NULL);
		_exit(44);
	}
	expect_eq(waitpid(pid, &status, 0), pid);
	expect(WIFEXITED(status));
	expect_eq(WEXITSTATUS(status), 42);
}
END_TEST

/* --- registers --------------------------------------------------------- */

/* How many of those that @fn must preserve it does not, filled from @seed. */
static int registers_kept(int (*fn)(void), long seed)
{
	struct hold h = { .fn = (uintptr_t)fn };
	int changed = 0;

	for (uint32_t i = 0; i < hold_count; i++)
		h.in[i] = (uintptr_t)(seed + (long)i + 1);
	arch_hold(&h);
	for (uint32_t i = 0; i < hold_count; i++) {
		if (i < hold_words)
			h.out[i] = (uintptr_t)h.out[i];
		changed += h.in[i] != h.out[i];
	}
	return changed;
}

/* Waits for a neighbour that does the same with other values. */
static int park_ready(void)
{
	baton_ready(baton_self());
	baton_park();
	return baton_yield();
}

static void foreign_trash(void *arg)
{
	(void)arg;
	expect_eq(registers_kept(baton_yield, -1000), 0);	/* -EPERM */
}

static int call_trash(void)
{
	return baton_call(foreign_trash, NULL);
}

static void *registers_fiber(void *arg)
{
	static int (*const fns[])(void) = {
		baton_yield, park_ready, call_trash,
	};
	unsigned int rounds = scaled(2000);

	for (unsigned int i = 0; i < rounds; i++)
		expect_eq(registers_kept(fns[i % ARRAY_SIZE(fns)],
					 (long)(uintptr_t)arg * 1000), 0);
	return NULL;
}

static void *registers_main(void *arg)
{
	struct baton_fiber *f[8];

	for (uintptr_t i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(registers_fiber, (void *)(i + 1));
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(registers)
{
	run_on(nprocs_list[_i], registers_main, NULL);
}
END_TEST

static const int roundings[] = {
	FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO,
};

#ifdef __x86_64__
/* Two units, each in its own way. */
static void control_set(unsigned int n)
{
	uint16_t cw = (uint16_t)(0x037f ^ (n % 3) << 10);

	__builtin_ia32_ldmxcsr(0x1f80 | (n % 4) << 13);
	__asm__ volatile("fldcw %0" : : "m"(cw));
}

static bool control_is(unsigned int n)
{
	uint16_t cw;

	__asm__ volatile("fnstcw %0" : "=m"(cw));
	return (__builtin_ia32_stmxcsr() & 0xffc0) ==
	       (0x1f80 | (n % 4) << 13) && cw == (0x037f ^ (n % 3) << 10);
}
#else
static void control_set(unsigned int n)
{
	fesetround(roundings[n % 4]);
}

static bool control_is(unsigned int n)
{
	return fegetround() == roundings[n % 4];
}
#endif

static void *control_words_fiber(void *arg)
{
	unsigned int n = (unsigned int)(uintptr_t)arg;
	unsigned int rounds = scaled(2000);

	/* As those of who spawned it: nothing of another fiber's. */
	expect(control_is(0));
	control_set(n);
	for (unsigned int i = 0; i < rounds; i++) {
		if (i % 8 == 0)
			park_ready();
		else
			baton_yield();
		expect(control_is(n));
	}
	control_set(0);
	fesetround(roundings[n % 4]);
	baton_yield();
	expect_eq(fegetround(), roundings[n % 4]);
	/* It ends like this: nobody else may find it so. */
	return NULL;
}

static void *control_words_main(void *arg)
{
	struct baton_fiber *f[12];

	for (int round = 0; round < 2; round++) {
		for (uintptr_t i = 0; i < ARRAY_SIZE(f); i++)
			f[i] = spawn(control_words_fiber, (void *)i);
		for (size_t i = 0; i < ARRAY_SIZE(f); i++)
			join(f[i]);
		expect_eq(fegetround(), FE_TONEAREST);
	}
	return arg;
}

START_TEST(control_words)
{
	run_on(nprocs_list[_i], control_words_main, NULL);
	expect(control_is(0));
}
END_TEST

/* --- the thread of baton_run() ------------------------------------------- */

static void call_nothing(void *arg)
{
	(void)arg;
}

static void *call_and_yield(void *arg)
{
	expect_eq(baton_call(call_nothing, NULL), 0);
	expect_eq(baton_yield(), 0);
	return arg;
}

static void *run_here(void *arg)
{
	expect_eq(baton_run(NULL, call_and_yield, NULL, NULL), 0);
	return arg;
}

/* The smallest stack that a thread of glibc's may have. */
START_TEST(small_thread)
{
	long least = sysconf(_SC_THREAD_STACK_MIN);
	pthread_attr_t attr;
	pthread_t t;

#ifdef SANITIZED
	skip("small_thread", "instrumented frames are larger");
	return;
#endif
	expect_eq(pthread_attr_init(&attr), 0);
	expect_eq(pthread_attr_setstacksize(&attr, least > 16384 ?
						   (size_t)least : 16384), 0);
	expect_eq(pthread_create(&t, &attr, run_here, NULL), 0);
	expect_eq(pthread_join(t, NULL), 0);
	expect_eq(pthread_attr_destroy(&attr), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stack");
	TCase *tc = test_case(s, "stack");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_test(tc, stack_reuse);
	tcase_add_test(tc, small_thread);
	tcase_add_loop_test(tc, deep_stack, 0, n);
	tcase_add_test(tc, huge_stacks);
	tcase_add_test(tc, stack_used);
	tcase_add_test(tc, shadow_stacks);
	tcase_add_test(tc, guard_page);
	tcase_add_loop_test(tc, registers, 0, n);
	tcase_add_loop_test(tc, control_words, 0, n);
	return suite_main(s);
}
