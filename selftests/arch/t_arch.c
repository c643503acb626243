// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_arch.c - the routines of switch.S, each called as it stands, with every
 * callee-saved register changed on the other side; and through the library.
 *
 * PSEUDOCODE.md says what is tested here. Nothing in this file is about one
 * architecture: what is lies in <arch>/hold.S.
 */
#include <baton/baton.h>
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "kselftest_harness.h"

#include "ctx.h"
#include "hold.h"
#include "shadow.h"

#define ROUNDS		50
#define STACK_SIZE	(64 * 1024)

#define ADDRESS(p)	((uint64_t)(uintptr_t)(p))

/* --- registers ------------------------------------------------------------ */

static __thread uint64_t seed = 0x123456789abcdef;

static uint64_t rubbish(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* The number of registers that came back changed from @fn(@a, @b, @c, @d). */
#define held(fn, a, b, c, d)	__held(#fn, ADDRESS(fn), ADDRESS(a),	\
				       ADDRESS(b), ADDRESS(c), ADDRESS(d), NULL)

static int __held(const char *name, uint64_t fn, uint64_t a, uint64_t b,
		  uint64_t c, uint64_t d, uint64_t *ret)
{
	struct hold h = { .fn = fn, .arg = { a, b, c, d } };
	int changed = 0;

	for (uint32_t i = 0; i < hold_count; i++)
		h.in[i] = rubbish();
	arch_hold(&h);
	for (uint32_t i = 0; i < hold_count; i++) {
		uint64_t in = h.in[i], out = h.out[i];

		if (i < hold_words) {
			in = (uintptr_t)in;
			out = (uintptr_t)out;
		}
		if (in == out)
			continue;
		if (!changed++)
			fprintf(stderr, "# %s: register %u is %llx, was %llx\n",
				name, i, (unsigned long long)out,
				(unsigned long long)in);
	}
	if (ret)
		*ret = h.ret;
	return changed;
}

/* --- stacks and contexts --------------------------------------------------- */

static _Alignas(64) char stacks[4][STACK_SIZE];
/* Of the two fibers, and of the thread. */
static struct baton_ctx a, b, thread;
static int bad, seen;
static void *saved;

static void *top(int i)
{
	return stacks[i] + STACK_SIZE;
}

/* Small, so that one frame too many each time is found. */
static uintptr_t shadow(int i)
{
	static uintptr_t tokens[4];
	size_t bytes = BATON_SHADOW_ALIGN;
	uintptr_t base;

	if (!baton_shadow_on())
		return 0;
	if (!tokens[i]) {
		base = baton_shadow_map(bytes, 1);
		if (!base)
			abort();
		tokens[i] = baton_shadow_token(base + bytes);
	}
	return tokens[i];
}

/* A new fiber on stack @i, which nobody is on. */
static void create(struct baton_ctx *ctx, int i,
		   struct baton_ctx *(*entry)(struct baton_ctx *))
{
	baton_ctx_init(ctx, top(i), entry);
	baton_shadow_begin(ctx, shadow(i));
}

/* The stacks that are not a fiber's are the scheduler's. */
static void scheduler_init(void)
{
	baton_shadow_scheduler(shadow(3));
}

static int held_switch(struct baton_ctx *from, struct baton_ctx *to)
{
	uint64_t ret;
	int changed;

	from->on_stack = 1;
	changed = __held("baton_asm_switch", ADDRESS(baton_asm_switch),
			 ADDRESS(from), ADDRESS(to), 0, 0, &ret);
	return changed + (ret != ADDRESS(from)) + (from->on_stack != 0);
}

static _Noreturn struct baton_ctx *pong(struct baton_ctx *self)
{
	for (;;) {
		seen++;
		bad += held_switch(self, &a);
	}
}

static struct baton_ctx *ping(struct baton_ctx *self)
{
	create(&b, 1, pong);
	for (int i = 0; i < ROUNDS; i++)
		bad += held_switch(self, &b);
	return &thread;
}

/* Two fibers; one begins, and one ends, by going on with another. */
TEST(switch_registers)
{
	create(&a, 0, ping);
	a.on_stack = 1;
	ASSERT_EQ(0, held_switch(&thread, &a));
	ASSERT_EQ(0, bad);
	ASSERT_EQ(ROUNDS, seen);
	/* Its stack is released, and it would not begin again. */
	ASSERT_EQ(0, a.on_stack);
	ASSERT_EQ(NULL, a.entry);
}

static void resume(void *ctx)
{
	seen++;
	baton_asm_enter(ctx);
}

static void trash_and_resume(void *ctx)
{
	arch_trash(resume, ctx);
}

/* What the scheduler does. */
TEST(leave_registers)
{
	scheduler_init();
	for (int i = 0; i < ROUNDS; i++) {
		thread.on_stack = 1;
		ASSERT_EQ(0, held(baton_asm_leave, &thread, top(0),
				  trash_and_resume, &thread));
		ASSERT_EQ(0, thread.on_stack);
	}
	ASSERT_EQ(ROUNDS, seen);
}

static struct baton_ctx *ends(struct baton_ctx *self)
{
	(void)self;
	seen++;
	return &thread;
}

/* A fiber that begins out of the scheduler. */
TEST(enter_new)
{
	scheduler_init();
	for (int i = 0; i < ROUNDS; i++) {
		create(&a, 1, ends);
		a.on_stack = 1;
		ASSERT_EQ(0, held(baton_asm_leave, &thread, top(0),
				  trash_and_resume, &a));
		ASSERT_EQ(0, a.on_stack);
	}
	ASSERT_EQ(2 * ROUNDS, seen);
}

static struct baton_ctx *ends_elsewhere(struct baton_ctx *self)
{
	baton_asm_leave(self, top(2), resume, &thread);
	abort();
}

/* What is left behind for good does not pile up on any stack. */
TEST(left_behind)
{
	scheduler_init();
	for (int i = 0; i < 100 * ROUNDS; i++) {
		create(&a, 0, ends_elsewhere);
		a.on_stack = 1;
		baton_asm_switch(&thread, &a);
		ASSERT_EQ(0, a.on_stack);
		baton_asm_leave(&thread, top(2), resume, &thread);
	}
	ASSERT_EQ(200 * ROUNDS, seen);
}

/* Calls and callbacks by turns, on two stacks, each below the last. */
static void nest(void *arg)
{
	void *below = saved;
	int depth = (int)(intptr_t)arg;

	seen++;
	if (!depth)
		return;
	bad += held(baton_asm_call, nest, (intptr_t)depth - 1, below, &saved);
	saved = below;
}

TEST(call_registers)
{
	for (int i = 0; i < ROUNDS; i++) {
		saved = top(1);
		ASSERT_EQ(0, held(baton_asm_call, nest, (intptr_t)i % 10,
				  top(0), &saved));
	}
	ASSERT_EQ(0, bad);
	ASSERT_EQ(ROUNDS / 10 * 55, seen);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void returns(void *arg)
{
	seen += arg == &seen;
	bad += held(baton_asm_start, nothing, arg, &saved, 0);
}

static void finish(void *sp)
{
	seen++;
	baton_asm_finish(*(void **)sp);
}

static void finishes(void *sp)
{
	arch_trash(finish, sp);
}

/* From another stack, too. */
static void finishes_elsewhere(void *sp)
{
	void *here;

	baton_asm_call(finishes, sp, top(2), &here);
	abort();
}

TEST(start_registers)
{
	void *sp;

	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, held(baton_asm_start, returns, &seen, &sp, 0));
		ASSERT_EQ(0, held(baton_asm_start, finishes, &sp, &sp, 0));
		ASSERT_EQ(0, held(baton_asm_start, finishes_elsewhere, &sp,
				  &sp, 0));
	}
	ASSERT_EQ(0, bad);
	ASSERT_EQ(3 * ROUNDS, seen);
}

static void cut_off(void *arg)
{
	(void)arg;
	seen++;
	baton_shadow_resume(&thread);
	baton_asm_finish(saved);
}

static void visit(void *arg)
{
	(void)arg;
	baton_asm_leave(&thread, top(2), cut_off, NULL);
	abort();
}

/* The scheduler ends while an adopted thread is in a callback. */
TEST(finish_from_scheduler)
{
	scheduler_init();
	ASSERT_EQ(0, held(baton_asm_start, visit, NULL, &saved, 0));
	ASSERT_EQ(1, seen);
}

/* Those of the runs that are about them have them. */
TEST(shadow_stack)
{
	ASSERT_TRUE(!getenv("BATON_SHADOW") || baton_shadow_on());
}

/* --- alignment ---------------------------------------------------------------- */

static struct note note = { .sp = 1 };

static int misaligned(void)
{
	int wrong = (int)((note.sp + hold_bias) % hold_align);

	note.sp = 1;
	return wrong;
}

static void call_down(void *arg)
{
	void *below = saved;

	(void)arg;
	note.next = ADDRESS(nothing);
	baton_asm_call(arch_note_sp, &note, below, &saved);
}

static struct baton_ctx *note_end(struct baton_ctx *self)
{
	(void)self;
	return &thread;
}

static void note_resume(void *arg)
{
	(void)arg;
	baton_asm_enter(&thread);
}

static void note_finish(void *arg)
{
	(void)arg;
	baton_asm_finish(saved);
}

/* Each routine enters what it runs with the stack as the ABI has it. */
TEST(alignment)
{
	struct baton_ctx *ctx = (struct baton_ctx *)note.ctx;

	_Static_assert(sizeof(*ctx) <= sizeof(note.ctx), "no room in note");
	scheduler_init();
	note.next = ADDRESS(nothing);
	baton_asm_call(arch_note_sp, &note, top(0), &saved);
	ASSERT_EQ(0, misaligned());
	/* Back on this stack, in the middle of it. */
	baton_asm_call(call_down, NULL, top(0), &saved);
	ASSERT_EQ(0, misaligned());

	note.next = ADDRESS(nothing);
	baton_asm_start(arch_note_sp, &note, &saved);
	ASSERT_EQ(0, misaligned());
	note.next = ADDRESS(note_finish);
	baton_asm_start(arch_note_sp, &note, &saved);
	ASSERT_EQ(0, misaligned());

	note.next = ADDRESS(note_resume);
	baton_asm_leave(&thread, top(0), arch_note_sp, &note);
	ASSERT_EQ(0, misaligned());

	note.next = ADDRESS(note_end);
	create(ctx, 0, (void *)arch_note_sp);
	baton_asm_switch(&thread, ctx);
	ASSERT_EQ(0, misaligned());
}

/* --- the floating-point unit's control word -------------------------------------- */

static _Noreturn struct baton_ctx *rounds_down(struct baton_ctx *self)
{
	fesetround(FE_DOWNWARD);
	for (;;) {
		baton_asm_switch(self, &thread);
		bad += fegetround() != FE_DOWNWARD;
		seen++;
	}
}

static struct baton_ctx *rounds_to_zero(struct baton_ctx *self)
{
	(void)self;
	bad += fegetround() != FE_UPWARD;	/* who initialized it */
	fesetround(FE_TOWARDZERO);
	return &thread;
}

static void rounds_on(void *ctx)
{
	fesetround(FE_TOWARDZERO);
	resume(ctx);
}

static volatile double third = 1.0, three = 3.0;

TEST(rounding)
{
	/* Stored, thus rounded to a double on any machine. */
	volatile double up, down, now;

	scheduler_init();
	ASSERT_EQ(0, fesetround(FE_UPWARD));
	up = third / three;
	create(&a, 0, rounds_down);
	for (int i = 0; i < ROUNDS; i++) {
		baton_asm_switch(&thread, &a);
		ASSERT_EQ(FE_UPWARD, fegetround());
		create(&b, 1, rounds_to_zero);
		baton_asm_switch(&thread, &b);
		ASSERT_EQ(FE_UPWARD, fegetround());
		baton_asm_leave(&thread, top(2), rounds_on, &thread);
		ASSERT_EQ(FE_UPWARD, fegetround());
		now = third / three;
		ASSERT_TRUE(now == up);
	}
	ASSERT_EQ(0, bad);
	ASSERT_EQ(2 * ROUNDS - 1, seen);
	/* It means something. */
	fesetround(FE_DOWNWARD);
	down = third / three;
	ASSERT_TRUE(down < up);
}

/* --- through the library ------------------------------------------------------------ */

static int failures;

#define check(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "# %s:%d: %s: not so\n", __FILE__,	\
			__LINE__, #cond);				\
		__atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);	\
	}								\
} while (0)

static int run(unsigned int nprocs, baton_fn fn, void *arg)
{
	struct baton_config *cfg;
	int err;

	if (baton_config_create(&cfg) || baton_config_set_nprocs(cfg, nprocs))
		return -1;
	err = baton_run(cfg, fn, arg, NULL);
	if (err)
		fprintf(stderr, "# baton_run: %s: %s\n", strerror(-err),
			baton_reason());
	baton_config_destroy(cfg);
	return err ? err : failures;
}

static void lib_callback(void *arg);

static void lib_foreign(void *arg)
{
	check(!held(baton_callback, lib_callback, arg, 0, 0));
}

static void lib_callback(void *arg)
{
	intptr_t depth = (intptr_t)arg;

	check(!held(baton_yield, 0, 0, 0, 0));
	if (depth)
		check(!held(baton_call, lib_foreign, depth - 1, 0, 0));
	check(!held(baton_yield, 0, 0, 0, 0));
}

static void *lib_fiber(void *arg)
{
	seed += ADDRESS(&arg) | 1;
	for (int i = 0; i < ROUNDS; i++) {
		check(!held(baton_yield, 0, 0, 0, 0));
		check(!held(baton_call, lib_foreign, (intptr_t)i % 5, 0, 0));
	}
	return arg;
}

static void *lib_main(void *arg)
{
	struct baton_fiber *f[4];

	for (int i = 0; i < 4; i++)
		check(!baton_spawn(&f[i], NULL, lib_fiber, NULL));
	for (int i = 0; i < 4; i++)
		check(!held(baton_join, f[i], 0, 0, 0));
	return arg;
}

TEST(library_registers)
{
	ASSERT_EQ(0, run(1, lib_main, NULL));
	ASSERT_EQ(0, run(2, lib_main, NULL));
}

static void *lib_thread(void *arg)
{
	seed += ADDRESS(&arg) | 1;
	for (int i = 0; i < ROUNDS; i++)
		check(!held(baton_callback, lib_callback, (intptr_t)i % 5, 0,
			    0));
	__atomic_store_n((int *)arg, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *lib_adopt(void *arg)
{
	pthread_t t;
	int done = 0;

	check(!pthread_create(&t, NULL, lib_thread, &done));
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
		check(!held(baton_yield, 0, 0, 0, 0));
	pthread_join(t, NULL);
	return arg;
}

TEST(library_adopted)
{
	ASSERT_EQ(0, run(1, lib_adopt, NULL));
	ASSERT_EQ(0, run(2, lib_adopt, NULL));
}

static int cleaned;

static void cleanup(int *p)
{
	cleaned += *p;
}

static void panic_now(void *arg)
{
	baton_panic(arg, "a test");
}

/* With a frame that has a cleanup on either stack, if the depth says so. */
static void panic_callback(void *arg);

static void panic_foreign(void *arg)
{
	int one __attribute__((cleanup(cleanup))) = 1;

	baton_callback(panic_callback, arg);
	check(!"it returned");
}

static void panic_callback(void *arg)
{
	int one __attribute__((cleanup(cleanup))) = 1;
	intptr_t depth = (intptr_t)arg;

	baton_yield();
	if (!depth)
		baton_panic(&cleaned, "a test");
	baton_call(panic_foreign, (void *)(depth - 1));
	check(!"it returned");
}

static void *lib_panic(void *arg)
{
	void *value = NULL;

	/* Out of a frame without tables, and with rubbish in all registers. */
	for (int i = 0; i < ROUNDS; i++) {
		struct hold h;

		check(!held(baton_try, panic_now, &h, &value, 0));
		check(value == &h);
	}
	for (intptr_t i = 0; i < 5; i++) {
		cleaned = 0;
		check(!held(baton_try, panic_callback, i, &value, 0));
		check(value == &cleaned);
		check(cleaned == 2 * i + 1);
		check(!held(baton_call, lib_foreign, i, 0, 0));
	}
	return arg;
}

TEST(library_panic)
{
	ASSERT_EQ(0, run(1, lib_panic, NULL));
	ASSERT_EQ(0, run(2, lib_panic, NULL));
}

/* --- calling conventions -------------------------------------------------------------- */

static long weigh(char p, short q, int r, long s, unsigned char t, void *u)
{
	return p + 10 * q + 100 * r + 1000 * s + 10000 * t +
	       100000 * (long)(intptr_t)u;
}

static int vsum(char *buf, size_t size, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(buf, size, format, ap);
	va_end(ap);
	return n;
}

struct text {
	char buf[200];
	int len;
};

static void print(void *arg)
{
	struct text *t = arg;

	t->len = vsum(t->buf, sizeof(t->buf), "%d %s %.3f %lld %c %.2f %p %Lg",
		      -7, "text", 1.5, 1LL << 40, 'x', -2.25, (void *)NULL,
		      0.5L);
}

static void print_back(void *arg)
{
	baton_yield();
	print(arg);
}

static void print_foreign(void *arg)
{
	struct text *t = arg;

	print(&t[0]);
	baton_callback(print_back, &t[1]);
}

static void *lib_convention(void *arg)
{
	static const char *expected =
		"-7 text 1.500 1099511627776 x -2.25 (nil) 0.5";
	struct text t[3];
	int err = 0;
	long n;

	n = BATON_CALL(err, weigh, (char)-1, (short)-2, -3, -4L,
		       (unsigned char)5, (void *)(intptr_t)6);
	check(!err);
	check(n == weigh(-1, -2, -3, -4, 5, (void *)(intptr_t)6));
	check(!baton_call(print_foreign, t));
	print(&t[2]);
	for (int i = 0; i < 3; i++) {
		check(!strcmp(t[i].buf, expected));
		check(t[i].len == (int)strlen(expected));
	}
	return arg;
}

TEST(library_convention)
{
	ASSERT_EQ(0, run(2, lib_convention, NULL));
}

/* --- backtraces ---------------------------------------------------------------------- */

#define TRACE_MAX	64

/* Where functions will return to, outermost first; and what an unwinder says. */
static uintptr_t chain[TRACE_MAX], trace[TRACE_MAX];
static int chained, traced;

/* Without a mode bit in it, and not signed. */
#define here() ((uintptr_t)__builtin_extract_return_addr(		\
				__builtin_return_address(0)) & ~(uintptr_t)1)

static _Unwind_Reason_Code frame(struct _Unwind_Context *ctx, void *arg)
{
	(void)arg;
	if (traced == TRACE_MAX)
		return _URC_END_OF_STACK;
	trace[traced++] = (uintptr_t)_Unwind_GetIP(ctx) & ~(uintptr_t)1;
	return _URC_NO_REASON;
}

/* All of the chain, in order, from the innermost on; and then it ends. */
static bool whole(void)
{
	int i, j = chained;

	traced = 0;
	_Unwind_Backtrace(frame, NULL);
	for (i = 0; i < traced && j; i++)
		if (trace[i] == chain[j - 1])
			j--;
	if (!j && traced < TRACE_MAX)
		return true;
	fprintf(stderr, "# %d of %d are missing; there are %d:", j, chained,
		traced);
	for (i = 0; i < traced; i++)
		fprintf(stderr, " %lx", (unsigned long)trace[i]);
	fprintf(stderr, "; expected:");
	for (i = chained - 1; i >= 0; i--)
		fprintf(stderr, " %lx", (unsigned long)chain[i]);
	fprintf(stderr, "\n");
	return false;
}

static void __attribute__((noinline)) trace_back(void *arg);

static void __attribute__((noinline)) trace_foreign(void *arg)
{
	chain[chained++] = here();
	check(whole());
	baton_callback(trace_back, arg);
	check(whole());
	chained--;
}

static void __attribute__((noinline)) trace_back(void *arg)
{
	intptr_t depth = (intptr_t)arg;

	chain[chained++] = here();
	check(whole());
	baton_yield();
	if (depth)
		baton_call(trace_foreign, (void *)(depth - 1));
	check(whole());
	chained--;
}

static void __attribute__((noinline)) trace_try(void *arg)
{
	chain[chained++] = here();
	check(whole());
	baton_call(trace_foreign, arg);
	chained--;
}

static void *trace_fiber(void *arg)
{
	chain[chained++] = here();
	baton_call(trace_foreign, (void *)(intptr_t)0);
	baton_try(trace_try, (void *)(intptr_t)3, NULL);
	baton_yield();
	check(whole());
	chained--;
	return arg;
}

static void *trace_main(void *arg)
{
	struct baton_fiber *f;

	check(!baton_spawn(&f, NULL, trace_fiber, arg));
	baton_join(f, NULL);
	return arg;
}

TEST(backtrace)
{
	ASSERT_EQ(0, run(1, trace_main, NULL));
}

TEST_HARNESS_MAIN
