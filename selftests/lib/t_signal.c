// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_signal.c - signals that end a process: faults of fibers are reported, and
 * the process dies as it would without the library, whoever made the signal,
 * and however small the stack for signals is.
 */
#include "ends.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* --- signals that somebody sent --------------------------------------------- */

static int the_signal; /* what the tests below send */

/* What is sent to the process may be another thread's to take, when it runs. */
static void await_death(void)
{
	for (;;)
		pause();
}

static void *raises(void *arg)
{
	raise(the_signal);
	return arg;
}

static void *kills(void *arg)
{
	kill(getpid(), the_signal);
	await_death();
	return arg;
}

static void *queues(void *arg)
{
	sigqueue(getpid(), the_signal, (union sigval){.sival_int = 7});
	await_death();
	return arg;
}

static void *tgkills(void *arg)
{
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), the_signal);
	return arg;
}

static void *others_kill(void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		kill(getppid(), the_signal);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	await_death();
	return arg;
}

static void foreign_raise(void *arg)
{
	(void)arg;
	raise(the_signal);
}

static void *raises_in_call(void *arg)
{
	baton_call(foreign_raise, arg);
	return arg;
}

static void *thread_raises(void *arg)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, raises, arg))
		pthread_join(t, NULL);
	return arg;
}

static baton_fn senders[] = {
	raises,	     kills,	     queues,	    tgkills,
	others_kill, raises_in_call, thread_raises,
};

static bool to_process(baton_fn sender)
{
	return sender == kills || sender == queues || sender == others_kill;
}

static void dies_silently(baton_fn fn, int sig)
{
	const struct end e = {.fn = fn};
	char said[8192];
	int status;

	the_signal = sig;
	status = ends_run(&e, said, sizeof(said));
	/* An emulator has its own word on it. */
	if (!WIFSIGNALED(status) || WTERMSIG(status) != sig ||
	    (*said && strncmp(said, "qemu: ", 6)))
		ck_abort_msg("status %#x, not signal %d alone: %s", status, sig,
			     said);
}

START_TEST(sent)
{
	static const int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

	/* qemu's threads do not block what those that they run do: one that
	 * has blocked it may be given a signal to the process, and keep it. */
	if (to_process(senders[_i]) && under_qemu_user()) {
		skip("sent", "an emulator may give it to the wrong thread");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		dies_silently(senders[_i], sigs[i]);
}
END_TEST

/* Whatever the program does with the signal is what happens. */
static void *ignored(void *arg)
{
	raise(SIGSEGV);
	fputs("it is ignored\n", stderr);
	return arg;
}

static int caught;

static void catches(int sig)
{
	caught = sig;
}

static void *caught_before(void *arg)
{
	raise(SIGSEGV);
	if (caught == SIGSEGV)
		fputs("it is caught\n", stderr);
	return arg;
}

static void *caught_within(void *arg)
{
	signal(SIGSEGV, catches);
	return caught_before(arg);
}

static const struct own {
	baton_fn fn;
	void (*handler)(int);
	const char *says;
} owns[] = {
	{ignored, SIG_IGN, "it is ignored\n"},
	{caught_before, catches, "it is caught\n"},
	{caught_within, SIG_DFL, "it is caught\n"},
};

static const struct own *own;

static void *own_main(void *arg)
{
	signal(SIGSEGV, own->handler);
	/* Set before the scheduler that is to leave it alone. */
	if (!fork()) {
		run_on(1, own->fn, NULL);
		_exit(0);
	}
	wait(NULL);
	return arg;
}

static int in_thread(void *(*fn)(void *), char *said, size_t size)
{
	int fd[2];
	pid_t pid;

	expect_eq(pipe(fd), 0);
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[1]);
		fn(NULL);
		_exit(0);
	}
	close(fd[1]);
	return ends_said(pid, fd[0], said, size);
}

START_TEST(programs_own)
{
	char said[1024];

	own = &owns[_i];
	expect_eq(in_thread(own_main, said, sizeof(said)), 0);
	if (strcmp(said, own->says))
		ck_abort_msg("it says: %s", said);
}
END_TEST

/* --- faults ------------------------------------------------------------------- */

/* Static ones: they are named nevertheless. */
#define NAMED static __attribute__((noinline))

static volatile int *volatile nowhere = (int *)16;
static int zero;

NAMED void write_nowhere(void)
{
	*nowhere = 0;
	zero++;
}

static void *in_fiber(void *arg)
{
	write_nowhere();
	return arg;
}

NAMED void in_foreign(void *arg)
{
	write_nowhere();
	*(volatile char *)&arg = 0;
}

static void *in_call(void *arg)
{
	baton_call(in_foreign, arg);
	return arg;
}

static void back_in(void *arg)
{
	in_fiber(arg);
}

static void back(void *arg)
{
	baton_callback(back_in, arg);
}

static void *in_callback(void *arg)
{
	baton_call(back, arg);
	return arg;
}

static void *back_thread(void *arg)
{
	back(arg);
	return arg;
}

static void back_from_thread(void *arg)
{
	pthread_t t;

	/* It calls back, and fails there. */
	if (!pthread_create(&t, NULL, back_thread, arg))
		pthread_join(t, NULL);
}

static void *in_adopted(void *arg)
{
	baton_call(back_from_thread, arg);
	return arg;
}

NAMED void beyond_end(void)
{
	FILE *f = tmpfile();
	volatile char *p =
		mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);

	if (p != MAP_FAILED)
		zero += *p;
}

static void *bus_error(void *arg)
{
	beyond_end();
	return arg;
}

NAMED void write_constant(void)
{
	static const char text[4096 * 2] = "constant";

	*(volatile char *)(uintptr_t)text = 0;
	zero++;
}

static void *not_allowed(void *arg)
{
	write_constant();
	return arg;
}

NAMED void jump_nowhere(void)
{
	((void (*)(void))(uintptr_t)nowhere)();
	zero++;
}

static void *jumps(void *arg)
{
	jump_nowhere();
	return arg;
}

#if defined(__x86_64__) || defined(__i386__)
NAMED void divide(void)
{
	int n = 1, high = 0, by = zero;

	__asm__ volatile("idivl %2" : "+a"(n), "+d"(high) : "r"(by) : "cc");
	zero += n;
}

static void *divides(void *arg)
{
	divide();
	return arg;
}

NAMED void run_nothing(void)
{
	__asm__ volatile("ud2");
	zero++;
}

static void *illegal(void *arg)
{
	run_nothing();
	return arg;
}
#endif

/* s390x tells the page of a fault, not the byte. */
#ifdef __s390x__
#define NOWHERE "SIGSEGV: nothing is mapped at 0x0"
#else
#define NOWHERE "SIGSEGV: nothing is mapped at 0x10"
#endif

static const struct fault {
	baton_fn fn;
	int sig;
	const char *says, *names, *where;
} faults[] = {
	{in_fiber, SIGSEGV, NOWHERE, "write_nowhere+0x",
	 "in the code of fiber 0x"},
	{in_call, SIGSEGV, NOWHERE, "write_nowhere+0x",
	 "called was in_foreign+0x0"},
	{in_callback, SIGSEGV, NOWHERE, "write_nowhere+0x", "1 callbacks deep"},
	{in_adopted, SIGSEGV, NOWHERE, "write_nowhere+0x", "1 callbacks deep"},
#ifdef __powerpc__
	/* qemu-ppc tells every fault as one of a page that is not there. */
	{not_allowed, SIGSEGV, "SIGSEGV: ",
#else
	{not_allowed, SIGSEGV, "SIGSEGV: no such access is allowed at 0x",
#endif
	 "write_constant+0x", "in the code of fiber 0x"},
	{jumps, SIGSEGV, "SIGSEGV: ", "jump_nowhere+0x",
	 "in the code of fiber 0x"},
	{bus_error, SIGBUS, "SIGBUS: no memory, or the end of a mapped file",
	 "beyond_end+0x", "in the code of fiber 0x"},
#if defined(__x86_64__) || defined(__i386__)
	{divides, SIGFPE, "SIGFPE: division by zero", "divide+0x",
	 "in the code of fiber 0x"},
	{illegal, SIGILL, "SIGILL: no valid instruction", "run_nothing+0x",
	 "in the code of fiber 0x"},
#endif
};

static void reports(const struct fault *f, int status, const char *said)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != f->sig ||
	    strncmp(said, "baton: ", 7) || !strstr(said, f->says) ||
	    !strstr(said, f->where) || !strstr(said, f->names) ||
	    !strstr(said, "on worker "))
		ck_abort_msg("status %#x, not signal %d, \"%s\", %s, %s: %s",
			     status, f->sig, f->says, f->where, f->names, said);
}

START_TEST(reported)
{
	const struct fault *f = &faults[_i];
	const struct end e = {.fn = f->fn};
	char said[8192];
	int status = ends_run(&e, said, sizeof(said));

	reports(f, status, said);
}
END_TEST

/* On a thread that is no worker, and after the scheduler has ended. */
static void *thread_faults(void *arg)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, in_fiber, arg))
		pthread_join(t, NULL);
	return arg;
}

#ifndef SANITIZED
static void *nothing(void *arg)
{
	return arg;
}

static void *faults_afterwards(void *arg)
{
	run_on(1, nothing, NULL);
	return in_fiber(arg);
}
#endif

START_TEST(not_ours)
{
	dies_silently(thread_faults, SIGSEGV);
#ifndef SANITIZED
	char said[8192];
	int status;

	signal(SIGSEGV, SIG_DFL);
	status = in_thread(faults_afterwards, said, sizeof(said));
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV &&
	       (!*said || !strncmp(said, "qemu: ", 6)));
#endif
}
END_TEST

/* The program's own handler, set later, hands what it does not know to ours. */
static struct sigaction before;

static void passes_on(int sig, siginfo_t *info, void *context)
{
	fputs("the program's own\n", stderr);
	before.sa_sigaction(sig, info, context);
}

static void *chained_fault(void *arg)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};

	sa.sa_sigaction = passes_on;
	sigaction(SIGSEGV, &sa, &before);
	return in_fiber(arg);
}

START_TEST(chained)
{
	const struct end e = {.fn = chained_fault};
	char said[8192], *rest;
	int status = ends_run(&e, said, sizeof(said));

	rest = strchr(said, '\n');
	expect(rest && !strncmp(said, "the program's own\n", 18));
	reports(&faults[0], status, rest + 1);
}
END_TEST

/* --- little room for the handler ------------------------------------------------ */

#ifndef SANITIZED

static size_t small_size;

/* A stack for signals of @small_size bytes, and below it nothing. */
static void small_altstack(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t pages = (small_size + page - 1) & ~(page - 1);
	char *p = mmap(NULL, page + pages, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t st = {.ss_sp = p + page, .ss_size = small_size};

	if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) ||
	    sigaltstack(&st, NULL))
		_exit(99);
}

static void small_then_callback(void *arg)
{
	small_altstack();
	baton_callback(ends_overflow_in, arg);
}

static void *overflow_in_callback(void *arg)
{
	baton_call(small_then_callback, arg);
	return arg;
}

static void *overflow_after(void *arg)
{
	small_altstack();
	return ends_overflow(arg);
}

static void *fault_after(void *arg)
{
	small_altstack();
	return in_fiber(arg);
}

/* What the kernel itself puts there, and next to nothing. */
static const size_t rooms[] = {1024, 2048, 4096};

START_TEST(small_altstacks)
{
	static const struct end ends[] = {
		{overflow_in_callback, "stack overflow of fiber"},
		{overflow_after, "stack overflow of fiber"},
	};
	const struct end fault = {.fn = fault_after};
	size_t frame = getauxval(AT_MINSIGSTKSZ);
	char said[8192];
	int status;

	small_size = (frame ? frame : (size_t)MINSIGSTKSZ) + rooms[_i];
	if (under_qemu_user()) {
		skip("small_altstacks", "it dies of the fault itself");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		ends_clearly_as(&ends[i]);
	status = ends_run(&fault, said, sizeof(said));
	reports(&faults[0], status, said);
}
END_TEST

/* --- several at once ---------------------------------------------------------------- */

static int arrived;

static void meet(void)
{
	add(&arrived, 1);
	while (load(&arrived) < 4)
		;
}

static void overflow_together(void *arg)
{
	meet();
	ends_overflow(arg);
}

/* On a thread of its own each, whatever the tier. */
static void *thread_calls_back(void *arg)
{
	baton_callback(overflow_together, arg);
	return arg;
}

static void join_threads(void *arg)
{
	pthread_t *t = arg;

	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void *all_overflow(void *arg)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, thread_calls_back, arg);
	baton_call(join_threads, t);
	return arg;
}

static void *four_main(void *arg)
{
	signal(SIGSEGV, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	run_on(4, all_overflow, arg);
	return arg;
}

START_TEST(one_report)
{
	static char said[1 << 16];
	const char *first;
	int status;

	if (under_qemu_user()) {
		skip("one_report", "it dies of the fault itself");
		return;
	}
	for (int i = 0; i < 20; i++) {
		status = in_thread(four_main, said, sizeof(said));
		expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		first = strstr(said, "baton: stack overflow of fiber");
		expect(first);
		if (strstr(first + 20, "stack overflow of fiber"))
			ck_abort_msg("there are two: %s", said);
	}
}
END_TEST

#endif /* !SANITIZED */

/* Nobody reads it: no reason to die of something else. */
static int deaf(baton_fn fn)
{
	const struct end e = {.fn = fn};
	int fd[2], status;
	pid_t pid;

	expect_eq(pipe(fd), 0);
	close(fd[0]);
	pid = fork();
	if (!pid)
		ends_child(&e, fd[1]);
	close(fd[1]);
	expect_eq(waitpid(pid, &status, 0), pid);
	expect(WIFSIGNALED(status));
	return WTERMSIG(status);
}

static void *panics(void *arg)
{
	baton_panic(arg, "for nobody");
}

START_TEST(unread)
{
	expect_eq(deaf(in_fiber), SIGSEGV);
	expect_eq(deaf(panics), SIGABRT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("signal");
	TCase *tc = test_case(s, "signal");

	tcase_add_loop_test(tc, sent, 0, (int)ARRAY_SIZE(senders));
	tcase_add_loop_test(tc, programs_own, 0, (int)ARRAY_SIZE(owns));
	tcase_add_loop_test(tc, reported, 0, (int)ARRAY_SIZE(faults));
	tcase_add_test(tc, not_ours);
	tcase_add_test(tc, chained);
#ifndef SANITIZED
	tcase_add_loop_test(tc, small_altstacks, 0, (int)ARRAY_SIZE(rooms));
	tcase_add_test(tc, one_report);
#endif
	/* An emulator's own word on the fault finds no reader, either. */
	if (!under_qemu_user())
		tcase_add_test(tc, unread);
	return suite_main(s);
}
