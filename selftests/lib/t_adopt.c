// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_adopt.c - callbacks from threads that the library did not make: adopted
 * once, then without system calls; many at once; before and after a scheduler
 * runs, and at its end.
 */
#include "common.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static struct baton_stats stats(void)
{
	struct baton_stats st;

	expect_eq(baton_stats(&st, sizeof(st)), 0);
	return st;
}

static pthread_t thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	expect_eq(pthread_create(&t, NULL, fn, arg), 0);
	return t;
}

static void do_join(void *arg)
{
	pthread_join(*(pthread_t *)arg, NULL);
}

/* From a fiber: the others go on meanwhile. */
static void thread_join(pthread_t t)
{
	expect(baton_call(do_join, &t) >= 0);
}

static void count_back(void *arg)
{
	expect(baton_self() != NULL);
	add((int *)arg, 1);
}

/* --- all that fiber code may do ----------------------------------------- */

struct visitor {
	struct baton_fiber *self;
	int go, done, depth;
	pthread_t thread;
};

static void *readier(void *arg)
{
	struct visitor *v = arg;

	store(&v->go, 1);
	expect_eq(baton_ready(v->self), 0);
	return NULL;
}

static void visit_foreign(void *arg);

static void visit_back(void *arg)
{
	struct visitor *v = arg;
	struct baton_fiber *f;

	v->self = baton_self();
	expect(v->self != NULL);
	expect_eq(baton_yield(), 0);
	store(&v->go, 0);
	f = spawn(readier, v);
	while (!load(&v->go))
		expect_eq(baton_park(), 0);
	join(f);
	if (v->depth++ < 5)
		expect_eq(baton_call(visit_foreign, v), EDOM);
	expect(pthread_equal(v->thread, pthread_self()));
}

static void visit_foreign(void *arg)
{
	struct visitor *v = arg;
	struct baton_fiber *self = v->self;

	expect_eq(baton_callback(visit_back, arg), 0);
	expect(v->self == self);
	errno = EDOM;
}

static void *visitor(void *arg)
{
	struct visitor *v = arg;

	v->thread = pthread_self();
	for (int i = 0; i < 20; i++) {
		v->depth = 0;
		errno = ERANGE;
		expect_eq(baton_callback(visit_back, v), 0);
		expect_eq(errno, ERANGE);
		expect_eq(v->depth, 6);
		expect(baton_self() == NULL);
	}
	store(&v->done, 1);
	return NULL;
}

static void *visited_main(void *arg)
{
	struct visitor v[4] = { 0 };
	pthread_t t[ARRAY_SIZE(v)];

	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		t[i] = thread(visitor, &v[i]);
	/* Some time of competition, then idle processors. */
	for (int i = 0; i < 100; i++)
		baton_yield();
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		thread_join(t[i]);
	expect_eq(stats().adopted, ARRAY_SIZE(v));
	expect_eq(stats().calls_now, 0);
	return arg;
}

START_TEST(all_of_it)
{
	run_on(nprocs_list[_i], visited_main, NULL);
}
END_TEST

/* --- adopted once --------------------------------------------------------- */

static void *many_callbacks(void *arg)
{
	for (int i = 0; i < 1000; i++)
		expect_eq(baton_callback(count_back, arg), 0);
	return NULL;
}

static void *threads_main(void *arg)
{
	unsigned int rounds = scaled(200);
	int n = 0;

	/* One after the other: their slots, stacks and threads come back. */
	for (unsigned int i = 0; i < rounds; i++)
		thread_join(thread(many_callbacks, &n));
	expect_eq(n, 1000 * rounds);
	expect_eq(stats().adopted, rounds);
	expect(stats().callbacks >= 1000 * rounds);
	expect(stats().workers < 12);
	return arg;
}

START_TEST(one_by_one)
{
	run_with(nprocs_list[_i], 20, threads_main, NULL);
}
END_TEST

/*
 * Many at once on few processors. They queue up: none spins, so the process
 * takes no more CPU time than there are processors, by and large; and each
 * callback yields, so that all of them are under way at the same time.
 */
static struct { int inside, max; pthread_barrier_t start; } crowd;

static void crowd_back(void *arg)
{
	int in = add(&crowd.inside, 1);

	while (in > load(&crowd.max))
		store(&crowd.max, in);
	/* Somebody else must get in, at some time. */
	do
		baton_yield();
	while (load(&crowd.max) < 2);
	add(&crowd.inside, -1);
	add((int *)arg, 1);
}

static void *crowd_thread(void *arg)
{
	pthread_barrier_wait(&crowd.start);
	for (unsigned int i = 0; i < scaled(200); i++)
		expect_eq(baton_callback(crowd_back, arg), 0);
	return NULL;
}

static void *crowd_main(void *arg)
{
	pthread_t t[64];
	int n = 0;

	crowd.inside = crowd.max = 0;
	pthread_barrier_init(&crowd.start, NULL, ARRAY_SIZE(t));
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		t[i] = thread(crowd_thread, &n);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		thread_join(t[i]);
	expect_eq(n, ARRAY_SIZE(t) * scaled(200));
	expect_eq(load(&crowd.inside), 0);
	return arg;
}

START_TEST(many_at_once)
{
	run_on(nprocs_list[_i], crowd_main, NULL);
}
END_TEST

/* As many as there may be, and one more. */
struct full {
	int refused, in, out, tried;
};

static void full_back(void *arg)
{
	struct full *f = arg;

	add(&f->in, 1);
	while (!load(&f->out))
		baton_yield();
}

static void *full_thread(void *arg)
{
	struct full *f = arg;
	int err = baton_callback(full_back, arg);

	expect(!err || err == -EAGAIN);
	if (err) {
		expect(*baton_reason() != 0);
		add(&f->refused, 1);
	}
	add(&f->tried, 1);
	return NULL;
}

static void *full_main(void *arg)
{
	struct full f = { 0 };
	pthread_t t[8];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		t[i] = thread(full_thread, &f);
	while (load(&f.in) + load(&f.refused) < (int)ARRAY_SIZE(t))
		baton_yield();
	expect(f.in > 0 && f.refused > 0);
	store(&f.out, 1);
	while (load(&f.tried) < (int)ARRAY_SIZE(t))
		baton_yield();
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	/* There is room again. */
	int n = 0;

	thread_join(thread(many_callbacks, &n));
	expect_eq(n, 1000);
	return arg;
}

START_TEST(no_room)
{
	run_with(2, 6, full_main, NULL);
}
END_TEST

/* --- a thread that ends in a callback ------------------------------------- */

static void exit_back(void *arg)
{
	add((int *)arg, 1);
	baton_yield();
	pthread_exit(arg);
}

static void exit_foreign(void *arg)
{
	baton_callback(exit_back, arg);
	ck_abort_msg("returned");
}

static void exit_deep(void *arg)
{
	baton_yield();
	baton_call(exit_foreign, arg);
	ck_abort_msg("returned");
}

static void *exit_thread(void *arg)
{
	baton_callback(exit_back, arg);
	ck_abort_msg("returned");
}

static void *exit_deep_thread(void *arg)
{
	baton_callback(exit_deep, arg);
	ck_abort_msg("returned");
}

static void *exits_main(void *arg)
{
	int n = 0;

	for (int i = 0; i < 20; i++) {
		thread_join(thread(exit_thread, &n));
		thread_join(thread(exit_deep_thread, &n));
	}
	expect_eq(n, 40);
	expect_eq(stats().adopted, 40);
	expect_eq(stats().calls_now, 0);
	expect(stats().workers < 12);
	return arg;
}

/* The callback is unwound like any other of its frames. */
START_TEST(exit_within)
{
	NOT_UNDER_TSAN("exit_within");
#ifndef __GLIBC__
	skip("exit_within", "this C library's pthread_exit() unwinds nothing");
	return;
#endif
	run_on(nprocs_list[_i], exits_main, NULL);
}
END_TEST

/* --- no system call per callback ------------------------------------------ */

static __thread volatile int syscalls;

static void on_sys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	syscalls++;
}

/* From now on each system call of this thread but a few is a SIGSYS instead. */
static bool count_syscalls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrusage, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

struct quiet {
	int unable, calls, control, done;
	long away;
};

/* How often others have run in place of this thread. */
static long switched(void)
{
	struct rusage u;

	expect_eq(getrusage(RUSAGE_THREAD, &u), 0);
	return u.ru_nvcsw + u.ru_nivcsw;
}

static void *quiet_thread(void *arg)
{
	struct quiet *q = arg;
	int n = 0;

	expect_eq(baton_callback(count_back, &n), 0);
	if (!count_syscalls()) {
		q->unable = 1;
		store(&q->done, 1);
		return NULL;
	}
	q->away = -switched();
	for (int i = 0; i < 10000; i++)
		n += baton_callback(count_back, &n);
	q->calls = syscalls;
	q->away += switched();
	getppid();
	q->control = syscalls - q->calls;
	expect_eq(n, 10001);
	store(&q->done, 1);
	/* What a thread does to end is not allowed here. */
	for (;;)
		__asm__ volatile("" : : : "memory");
}

static void wait_quiet(void *arg)
{
	struct timespec ts = { .tv_nsec = 1000000 };

	while (!load((int *)arg))
		nanosleep(&ts, NULL);
}

static void *quiet_main(void *arg)
{
	struct quiet *q = arg;
	struct sigaction sa = { .sa_flags = SA_SIGINFO };

	sa.sa_sigaction = on_sys;
	sigaction(SIGSYS, &sa, NULL);
	thread(quiet_thread, q);
	/* Every processor is idle but for the callbacks. */
	expect(baton_call(wait_quiet, &q->done) >= 0);
	return arg;
}

/*
 * In the tier poll the monitor is woken up when it was asleep: once, for it
 * looks for a while then; and once more each time that the thread has had to
 * wait for a CPU for longer than that.
 */
START_TEST(no_system_calls)
{
	static struct quiet q;

	NOT_UNDER_TSAN("no_system_calls");
	if (under_valgrind() || getenv("BATON_DELAY_SEED")) {
		skip("no_system_calls", "valgrind, or a delay, makes some");
		return;
	}
	/* Its thread is not joined: baton_run() would wait, but not for it. */
	run_on(2, quiet_main, &q);
	if (q.unable) {
		skip("no_system_calls", "no seccomp");
		_exit(0);
	}
	expect_eq(q.control, 1);
	expect(q.calls <= (tier_is_kmod() ? 0 : 1 + q.away));
	_exit(0);
}
END_TEST

/* --- without a scheduler ---------------------------------------------------- */

static void never(void *arg)
{
	(void)arg;
	ck_abort_msg("it ran");
}

static void *refused(void *arg)
{
	int want = (int)(intptr_t)arg;

	expect_eq(baton_callback(never, NULL), want);
	expect(*baton_reason() != 0);
	return NULL;
}

static void *nothing(void *arg)
{
	return arg;
}

#ifndef ARCH_SHSTK_DISABLE
#define ARCH_SHSTK_DISABLE	0x5002
#endif

static void *bare_main(void *arg)
{
	thread_join(thread(arg, (void *)-EINVAL));
	return NULL;
}

/* One without a shadow stack, where the workers have them. */
static void *bare_thread(void *arg)
{
#ifdef SYS_arch_prctl
	expect_eq(syscall(SYS_arch_prctl, ARCH_SHSTK_DISABLE, 1ul), 0);
#endif
	return refused(arg);
}

START_TEST(no_shadow_stack)
{
	if (!on_shadow_stack()) {
		skip("no_shadow_stack", "nobody has one");
		return;
	}
	run_on(2, bare_main, bare_thread);
}
END_TEST

START_TEST(no_scheduler)
{
	refused((void *)-ESRCH);
	pthread_join(thread(refused, (void *)-ESRCH), NULL);
	run_on(1, nothing, NULL);
	refused((void *)-ESRCH);
	pthread_join(thread(refused, (void *)-ESRCH), NULL);
}
END_TEST

/* One thread, adopted by one scheduler after the other. */
struct loyal {
	int phase, n, err;
};

static void *loyal_thread(void *arg)
{
	struct loyal *l = arg;

	for (int i = 0; i < 3; i++) {
		while (load(&l->phase) != 3 * i + 1)
			usleep(100);
		expect_eq(baton_callback(count_back, &l->n), 0);
		expect_eq(baton_callback(count_back, &l->n), 0);
		store(&l->phase, 3 * i + 2);
		while (load(&l->phase) != 3 * i + 3)
			usleep(100);
		/* It has ended. */
		expect_eq(baton_callback(never, NULL), -ESRCH);
		expect_eq(baton_callback(never, NULL), -ESRCH);
		store(&l->phase, 3 * i + 3 + 100);
	}
	return NULL;
}

static void *loyal_main(void *arg)
{
	struct loyal *l = arg;
	int phase = load(&l->phase) + 1;

	store(&l->phase, phase);
	while (load(&l->phase) == phase)
		baton_yield();
	expect_eq(stats().adopted, 1);
	return arg;
}

START_TEST(several_schedulers)
{
	struct loyal l = { 0 };
	pthread_t t = thread(loyal_thread, &l);

	for (int i = 0; i < 3; i++) {
		store(&l.phase, 3 * i);
		run_on(nprocs_list[_i], loyal_main, &l);
		store(&l.phase, 3 * i + 3);
		while (load(&l.phase) != 3 * i + 3 + 100)
			usleep(100);
	}
	pthread_join(t, NULL);
	expect_eq(l.n, 6);
}
END_TEST

/* The first thread, adopted before it runs a scheduler of its own. */
static void *inner_thread(void *arg)
{
	void *result;

	expect_eq(baton_run(NULL, nothing, arg, &result), -EBUSY);
	expect_eq(baton_callback(count_back, arg), 0);
	expect_eq(baton_run(NULL, nothing, arg, &result), -EBUSY);
	expect_eq(baton_callback(count_back, arg), 0);
	return NULL;
}

static void *inner_main(void *arg)
{
	thread_join(thread(inner_thread, arg));
	return arg;
}

START_TEST(runs_one_itself)
{
	int n = 0;

	run_on(1, inner_main, &n);
	expect_eq(n, 2);
}
END_TEST

/* --- at its end -------------------------------------------------------------- */

struct ending {
	int in, stop;
};

static void endless_yield(void *arg)
{
	add(&((struct ending *)arg)->in, 1);
	for (;;)
		baton_yield();
}

static void endless_park(void *arg)
{
	add(&((struct ending *)arg)->in, 1);
	for (;;)
		baton_park();
}

static void endless_foreign(void *arg)
{
	struct ending *e = arg;

	while (!baton_callback(endless_yield, e))
		;
}

static void endless_nested(void *arg)
{
	expect(baton_call(endless_foreign, arg) >= 0);
}

static void *end_yield(void *arg)
{
	expect_eq(baton_callback(endless_yield, arg), -ECANCELED);
	return NULL;
}

static void *end_park(void *arg)
{
	expect_eq(baton_callback(endless_park, arg), -ECANCELED);
	return NULL;
}

static void *end_nested(void *arg)
{
	expect_eq(baton_callback(endless_nested, arg), -ECANCELED);
	expect(*baton_reason() != 0);
	return NULL;
}

static void short_back(void *arg)
{
	(void)arg;
	baton_yield();
}

/* Calls back until there is nobody: each time one of these. */
static void *end_knocking(void *arg)
{
	struct ending *e = arg;
	bool first = true;
	int err;

	for (;;) {
		err = baton_callback(short_back, NULL);
		expect(!err || err == -ECANCELED || err == -ESHUTDOWN ||
		       err == -ESRCH);
		if (first)
			add(&e->in, 1);
		first = false;
		if (err == -ESRCH && load(&e->stop))
			return NULL;
		/* Who is to start one may be waiting for this CPU. */
		if (err == -ESRCH)
			sched_yield();
	}
}

static void *ending_main(void *arg)
{
	struct ending *e = arg;

	while (load(&e->in) < 8)
		baton_yield();
	return arg;
}

START_TEST(end_of_scheduler)
{
	for (unsigned int r = 0; r < scaled(50); r++) {
		struct ending e = { 0 };
		pthread_t t[8];

		/* Those who come too early are told so, and come again. */
		for (size_t i = 0; i < ARRAY_SIZE(t); i++)
			t[i] = thread(end_knocking, &e);
		run_on(nprocs_list[_i], ending_main, &e);
		store(&e.stop, 1);
		for (size_t i = 0; i < ARRAY_SIZE(t); i++)
			pthread_join(t[i], NULL);
	}
}
END_TEST

struct cut {
	struct ending e;
	pthread_t t[3];
};

static void *cut_main(void *arg)
{
	static void *(*const fn[])(void *) = {
		end_yield, end_park, end_nested,
	};
	struct cut *c = arg;

	for (size_t i = 0; i < ARRAY_SIZE(fn); i++)
		c->t[i] = thread(fn[i], &c->e);
	while (load(&c->e.in) < (int)ARRAY_SIZE(fn))
		baton_yield();
	return arg;
}

START_TEST(cut_off)
{
	for (unsigned int r = 0; r < scaled(50); r++) {
		struct cut c = { 0 };

		run_on(nprocs_list[_i], cut_main, &c);
		for (size_t i = 0; i < ARRAY_SIZE(c.t); i++)
			pthread_join(c.t[i], NULL);
	}
}
END_TEST

/*
 * Who has a fiber, or what is on its stack, finds both as they were while
 * baton_run() has not returned, though the callback was cut off and its thread
 * is no worker any more.
 */
struct outlived {
	struct ending e;
	baton_fn spawned;
	void *(*started)(void *);
	struct baton_fiber *fiber;
	int *word;
	int over;
	pthread_t thread;
};

static void outlived_back(void *arg)
{
	struct outlived *o = arg;
	int word = 0;

	o->fiber = baton_self();
	o->word = &word;
	endless_park(&o->e);
}

static void *outlived_thread(void *arg)
{
	struct outlived *o = arg;

	expect_eq(baton_callback(outlived_back, o), -ECANCELED);
	expect_eq(baton_callback(never, NULL), -ESHUTDOWN);
	store(&o->over, 1);
	return NULL;
}

static void outlived_use(void *arg)
{
	struct outlived *o = arg;

	add(&o->e.in, 1);
	while (!load(&o->over))
		usleep(100);
	add(o->word, 1);
	expect_eq(*o->word, 1);
	expect_eq(baton_ready(o->fiber), 0);
	expect_eq(baton_ready(o->fiber), 0);
}

static void *outlived_user(void *arg)
{
	expect(baton_call(outlived_use, arg) >= 0);
	return NULL;
}

static void *outlived_main(void *arg)
{
	struct outlived *o = arg;

	spawn(o->spawned, o);
	o->thread = thread(o->started, o);
	while (load(&o->e.in) < 2)
		baton_yield();
	return arg;
}

START_TEST(cut_off_in_use)
{
	struct outlived o = {
		.spawned = outlived_user,
		.started = outlived_thread,
	};

	run_on(nprocs_list[_i], outlived_main, &o);
	pthread_join(o.thread, NULL);
}
END_TEST

/*
 * So does an adopted thread that is the last, with a fiber of a worker's: what
 * it finds if not, a sanitizer alone can tell.
 */
static void *last_pinned(void *arg)
{
	struct outlived *o = arg;

	o->fiber = baton_self();
	expect_eq(baton_thread_lock(), 0);
	endless_park(&o->e);
	return NULL;
}

static void last_use(void *arg)
{
	struct outlived *o = arg;
	struct baton_stats st;

	add(&o->e.in, 1);
	while (!baton_stats(&st, sizeof(st)))
		usleep(100);
	expect_eq(baton_ready(o->fiber), 0);
	store(&o->over, 1);
}

static void last_back(void *arg)
{
	expect(baton_call(last_use, arg) >= 0);
	for (;;)
		baton_yield();
}

static void *last_thread(void *arg)
{
	expect_eq(baton_callback(last_back, arg), -ECANCELED);
	return NULL;
}

START_TEST(last_with_pinned)
{
	struct outlived o = {
		.spawned = last_pinned,
		.started = last_thread,
	};

	/* More processors than are ever used: one is idle, and given away. */
	run_on(8, outlived_main, &o);
	pthread_join(o.thread, NULL);
	expect_eq(o.over, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("adopt");
	TCase *tc = test_case(s, "adopt");
	int n = ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, all_of_it, 0, n);
	tcase_add_loop_test(tc, one_by_one, 0, n);
	tcase_add_loop_test(tc, many_at_once, 0, n);
	tcase_add_test(tc, no_room);
	tcase_add_loop_test(tc, exit_within, 0, n);
	tcase_add_test(tc, no_system_calls);
	tcase_add_test(tc, no_shadow_stack);
	tcase_add_test(tc, no_scheduler);
	tcase_add_loop_test(tc, several_schedulers, 0, n);
	tcase_add_test(tc, runs_one_itself);
	tc = test_case(s, "end");
	tcase_add_loop_test(tc, end_of_scheduler, 0, n);
	tcase_add_loop_test(tc, cut_off, 0, n);
	tcase_add_loop_test(tc, cut_off_in_use, 0, n);
	tcase_add_test(tc, last_with_pinned);
	return suite_main(s);
}
