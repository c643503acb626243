// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_panic_cpp.cc - panics over C++ frames, and C++ exceptions over ours.
 */
#include <baton/baton.h>

#include <cstdio>
#include <cstring>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "report.hh"

static int destroyed;

struct object {
	~object() { destroyed++; }
};

static bool whole(void)
{
	int n = 0;
	auto back = [](void *arg) { ++*static_cast<int *>(arg); };
	struct pass { void (*fn)(void *); int *n; } p = { back, &n };
	int err = baton_call([](void *arg) {
		auto *q = static_cast<pass *>(arg);

		baton_callback(q->fn, q->n);
	}, &p);
	struct baton_stats st;

	return !err && n == 1 && !baton_yield() &&
	       !baton_stats(&st, sizeof(st)) && !st.calls_now;
}

/* --- panics ------------------------------------------------------------- */

static void panic_back(void *arg)
{
	object o;

	baton_panic(arg, "from a callback");
}

static void panic_foreign(void *arg)
{
	object o;

	baton_callback(panic_back, arg);
}

static void panic_body(void *arg)
{
	object o;

	baton_call(panic_foreign, arg);
}

static void destructors(void)
{
	void *value = nullptr;

	destroyed = 0;
	report(baton_try(panic_body, &destroyed, &value) == 1 &&
	       value == &destroyed, "a panic over C++ frames");
	report(destroyed == 3, "destructors on both stacks");
	report(whole(), "calls and callbacks afterwards");
}

static int passed;

static void rethrow_foreign(void *arg)
{
	try {
		panic_foreign(arg);
	} catch (const std::exception &) {
		passed += 100;
	} catch (...) {
		passed++;
		throw;
	}
}

static void rethrow_body(void *arg)
{
	baton_call(rethrow_foreign, arg);
}

static void rethrown(void)
{
	report(baton_try(rethrow_body, &passed, nullptr) == 1 && passed == 1,
	       "catch (...) sees it and passes it on");
	report(!std::uncaught_exceptions(), "and does not count it for ever");
	report(whole(), "calls and callbacks afterwards");
}

/* --- exceptions ----------------------------------------------------------- */

static void throw_back(void *arg)
{
	object o;

	throw std::runtime_error(static_cast<const char *>(arg));
}

static void throw_foreign(void *arg)
{
	object o;

	baton_callback(throw_back, arg);
}

static void throw_call(void *arg)
{
	object o;

	throw std::runtime_error(static_cast<const char *>(arg));
}

static bool caught(void (*foreign)(void *), const char *text)
{
	try {
		baton_call(foreign, const_cast<char *>(text));
	} catch (const std::runtime_error &e) {
		return e.what() == std::string(text);
	}
	return false;
}

static void catch_foreign(void *arg)
{
	try {
		baton_callback(throw_back, arg);
	} catch (const std::runtime_error &e) {
		passed += e.what() == std::string("caught outside");
	}
	/* It was the callback that ended, not the call. */
	baton_callback([](void *) { passed += 10; }, nullptr);
}

static void try_body(void *arg)
{
	throw_back(arg);
}

static void exceptions(void)
{
	char text[] = "caught outside";

	destroyed = 0;
	report(caught(throw_foreign, "both") && destroyed == 2,
	       "an exception over a callback and a call");
	report(whole(), "calls and callbacks afterwards");
	report(caught(throw_call, "one"), "an exception over a call");
	report(whole(), "calls and callbacks afterwards");
	passed = 0;
	baton_call(catch_foreign, text);
	report(passed == 11, "an exception caught in foreign code");
	report(whole(), "calls and callbacks afterwards");
	passed = 0;
	try {
		baton_try(try_body, text, nullptr);
	} catch (const std::runtime_error &) {
		passed = 1;
	}
	report(passed == 1, "an exception over a baton_try()");
	report(baton_try(panic_body, nullptr, nullptr) == 1,
	       "a panic afterwards finds the right one");
}

/* A panic may begin in a handler, which it ends, and leave it. */
static void handling(void)
{
	auto fn = [](void *arg) {
		try {
			throw_back(arg);
		} catch (const std::runtime_error &) {
			panic_body(nullptr);
		}
	};
	char text[] = "handled";

	report(baton_try(fn, text, nullptr) == 1 && !std::current_exception() &&
	       !std::uncaught_exceptions(), "a panic in a handler ends that");
	report(caught(throw_call, "again"), "an exception afterwards");
	report(whole(), "calls and callbacks afterwards");
}

static void *main_fiber(void *arg)
{
	destructors();
	rethrown();
	exceptions();
	handling();
	return arg;
}

/* --- ends ------------------------------------------------------------------- */

/* The process dies by SIGABRT and says so in words that have @text in them. */
static void dies(baton_fn fn, const char *text, const char *what)
{
	char said[8192] = "";
	size_t len = 0;
	ssize_t n;
	int fd[2], status = 0;
	pid_t pid;

	if (pipe(fd))
		_exit(1);
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		baton_run(nullptr, fn, nullptr, nullptr);
		_exit(0);
	}
	close(fd[1]);
	while (len < sizeof(said) - 1 &&
	       (n = read(fd[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += static_cast<size_t>(n);
	close(fd[0]);
	waitpid(pid, &status, 0);
	report(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
	       std::strstr(said, text), what);
	if (!std::strstr(said, text))
		std::printf("# %s\n", said);
}

static void *swallow_main(void *arg)
{
	baton_try([](void *) {
		baton_call([](void *) {
			try {
				panic_foreign(nullptr);
			} catch (...) {
			}
		}, nullptr);
	}, nullptr, nullptr);
	return arg;
}

/* What may not be left, and says so before C++ ends the process. */
static void not_left() noexcept
{
	baton_panic(nullptr, "out of noexcept");
}

struct panics_at_end {
	~panics_at_end() { baton_panic(nullptr, "out of a destructor"); }
};

static void *noexcept_main(void *arg)
{
	baton_try([](void *) { not_left(); }, nullptr, nullptr);
	return arg;
}

static void *destructor_main(void *arg)
{
	baton_try([](void *) { panics_at_end p; }, nullptr, nullptr);
	return arg;
}

/* Called for an exception, which has a handler further out. */
static volatile bool panics = true;

struct may_panic {
	~may_panic() noexcept(false)
	{
		if (panics)
			baton_panic(nullptr, "while one passes");
	}
};

static void *passing_main(void *arg)
{
	baton_try([](void *) {
		try {
			may_panic p;

			throw std::runtime_error("passes");
		} catch (const std::exception &) {
		}
	}, nullptr, nullptr);
	return arg;
}

static void *handling_main(void *arg)
{
	baton_try([](void *) {
		try {
			throw std::runtime_error("handled");
		} catch (const std::exception &) {
			rethrow_body(nullptr);
		}
	}, nullptr, nullptr);
	return arg;
}

static void *own_terminate_main(void *arg)
{
	std::set_terminate([] { raise(SIGABRT); });
	return noexcept_main(arg);
}

/* One that goes on to what was there before it, which is the library's. */
static std::terminate_handler before;

static void *chained_terminate_main(void *arg)
{
	std::set_terminate([] {
		if (write(STDERR_FILENO, "the first one\n", 14) == 14)
			raise(SIGABRT);
	});
	baton_try(panic_body, nullptr, nullptr);
	before = std::set_terminate([] { before(); });
	return noexcept_main(arg);
}

static void *uncaught_main(void *)
{
	throw std::runtime_error("nobody");
}

int main()
{
	if (baton_run(nullptr, main_fiber, nullptr, nullptr))
		report(false, baton_reason());
	dies(swallow_main, "did not pass it on",
	     "a catch (...) that keeps a panic ends the process");
	dies(noexcept_main, "baton: panic: out of noexcept (0x0): it cannot",
	     "a panic that meets noexcept says so");
	dies(destructor_main, "baton: panic: out of a destructor (0x0): it cannot",
	     "so does one that meets a destructor");
	dies(own_terminate_main, "baton: panic: out of noexcept (0x0): it cannot",
	     "so does one with a terminate handler of the program's");
	dies(chained_terminate_main, "the first one",
	     "of several handlers each has its turn");
	dies(passing_main, "it cannot leave a function that is noexcept, as "
	     "destructors are, nor end a C++ exception in progress",
	     "so does one in a destructor while an exception passes");
	dies(handling_main, "(0x0): it cannot leave a function that is noexcept, "
	     "as destructors are, nor end a C++ exception in progress",
	     "so does one in catch (...) while another is handled");
	dies(uncaught_main, "nobody", "an exception that leaves a fiber does");
	return reported();
}
