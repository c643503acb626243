// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_state_cpp.cc - each fiber has its own C++ exceptions, over every way from
 * one stack to another.
 */
#include <baton/baton.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

#include "report.hh"

static std::atomic<int> wrong;

static void nap(void *)
{
	usleep(2000);
}

/* What the current handler has caught. */
static std::string current()
{
	auto e = std::current_exception();

	if (!e)
		return "nothing";
	try {
		std::rethrow_exception(e);
	} catch (const std::exception &x) {
		return x.what();
	}
}

/* Lets others run, in the way that @how says, and nothing is different then. */
static void wander(int how)
{
	switch (how % 4) {
	case 0:
		baton_yield();
		break;
	case 1:
		baton_call(nap, nullptr);
		break;
	case 2: {
		struct baton_fiber *f;

		baton_spawn(&f, nullptr, [](void *arg) -> void * {
			/* A new fiber has caught nothing. */
			wrong += std::current_exception() != nullptr;
			wrong += std::uncaught_exceptions() != 0;
			return arg;
		}, nullptr);
		baton_join(f, nullptr);
		break;
	}
	default:
		baton_call([](void *) {
			baton_callback([](void *) { baton_yield(); }, nullptr);
		}, nullptr);
	}
}

/* Is there while the stack is unwound; lets others run from its destructor. */
struct unwound {
	int how;

	~unwound()
	{
		int n = std::uncaught_exceptions();

		wander(how);
		wrong += std::uncaught_exceptions() != n;
	}
};

static void *thrower(void *arg)
{
	int me = static_cast<int>(reinterpret_cast<long>(arg));
	std::string mine = "fiber " + std::to_string(me);

	for (int i = 0; i < 8; i++) {
		try {
			try {
				unwound u = { me + i };

				throw std::runtime_error(mine);
			} catch (const std::exception &) {
				wander(me + i);
				wrong += current() != mine;
				try {
					throw std::logic_error(mine + " inner");
				} catch (const std::exception &e) {
					wander(i);
					wrong += e.what() != mine + " inner";
					wrong += current() != mine + " inner";
				}
				wander(me);
				throw;
			}
		} catch (const std::exception &e) {
			wrong += e.what() != mine;
		}
		wrong += std::current_exception() != nullptr;
		wrong += std::uncaught_exceptions() != 0;
	}
	return nullptr;
}

static void *many(void *arg)
{
	struct baton_fiber *f[12];
	long n = 0;

	for (auto &i : f)
		baton_spawn(&i, nullptr, thrower,
			    reinterpret_cast<void *>(n++));
	for (auto i : f)
		baton_join(i, nullptr);
	return arg;
}

static bool run(unsigned int nprocs, baton_fn fn)
{
	struct baton_config *cfg;
	int err;

	wrong = 0;
	baton_config_create(&cfg);
	baton_config_set_nprocs(cfg, nprocs);
	err = baton_run(cfg, fn, nullptr, nullptr);
	baton_config_destroy(cfg);
	if (err || wrong)
		std::printf("# error %d, %d were wrong\n", err, wrong.load());
	return !err && !wrong;
}

/* What is called in a handler, or calls back, goes on with its exception. */
static void *continued(void *arg)
{
	try {
		try {
			throw std::runtime_error("mine");
		} catch (...) {
			baton_call([](void *) {
				wrong += current() != "mine";
				baton_callback([](void *) {
					wrong += current() != "mine";
					baton_yield();
					wrong += current() != "mine";
				}, nullptr);
				wrong += current() != "mine";
			}, nullptr);
			throw;
		}
	} catch (const std::exception &e) {
		wrong += std::strcmp(e.what(), "mine") != 0;
	}
	return arg;
}

/* A thread of the program's own, in a handler of its own. */
static void visitor()
{
	try {
		try {
			throw std::runtime_error("thread's");
		} catch (...) {
			int err = baton_callback([](void *) {
				wrong += current() != "thread's";
				try {
					throw std::logic_error("inner");
				} catch (...) {
					wander(0);
					wrong += current() != "inner";
				}
				wrong += current() != "thread's";
			}, nullptr);

			wrong += err != 0;
			wrong += current() != "thread's";
			throw;
		}
	} catch (const std::exception &e) {
		wrong += std::strcmp(e.what(), "thread's") != 0;
	}
}

static void *visited(void *arg)
{
	std::atomic<bool> over(false);
	std::thread t([&over] {
		visitor();
		over = true;
	});

	while (!over) {
		thrower(arg);
		baton_yield();
	}
	t.join();
	return arg;
}

static void *caught_all_main(void *arg)
{
	try {
		throw std::runtime_error("fiber's");
	} catch (...) {
		baton_yield();
	}
	return many(arg);
}

static bool within_handler()
{
	try {
		try {
			throw std::runtime_error("main's");
		} catch (...) {
			bool good = run(2, caught_all_main);

			if (!good || current() != "main's")
				return false;
			throw;
		}
	} catch (const std::exception &e) {
		return !std::strcmp(e.what(), "main's");
	}
}

int main()
{
	report(run(1, many), "handlers that wait, one processor");
	report(run(2, many), "handlers that wait, two");
	report(run(4, many), "handlers that wait, four");
	report(run(1, continued), "a call in a handler is a continuation of it");
	report(run(2, visited), "a handler of an adopted thread");
	report(within_handler(), "baton_run() in a handler");
	return reported();
}
