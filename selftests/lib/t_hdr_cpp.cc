// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_hdr_cpp.cc - the public headers as C++, and BATON_CALL() there. */
#include <baton/call.h>
#include <baton/fiber.h>
#include <baton/runtime.h>
#include <baton/baton.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <exception>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include "report.hh"

/* Static initialisers are constants, and without casts. */
struct objects {
	baton_mutex mutex;
	baton_rwlock rwlock;
	baton_cond cond;
	baton_sem sem;
	baton_wg wg;
	struct baton_once once;
	baton_barrier barrier;
};

static objects initialised = {
	BATON_MUTEX_INIT, BATON_RWLOCK_INIT, BATON_COND_INIT, BATON_SEM_INIT(3),
	BATON_WG_INIT, BATON_ONCE_INIT, BATON_BARRIER_INIT(1)
};

static bool usable(objects *o)
{
	return !baton_mutex_lock(&o->mutex) && !baton_mutex_unlock(&o->mutex) &&
	       !baton_sem_wait(&o->sem) && !baton_wg_wait(&o->wg) &&
	       baton_barrier_wait(&o->barrier) == BATON_BARRIER_SERIAL;
}

static int none(void)
{
	errno = ENOENT;
	return -7;
}

static long six(int a, long b, const char *c, unsigned d, short e, char f)
{
	return a + b + static_cast<long>(std::strlen(c)) + d + e + f;
}

static bool equal(int a, int b)
{
	return a == b;
}

static int from_bool(bool b)
{
	return b ? 1 : 2;
}

/* --- what is no integer ------------------------------------------------- */

struct large {
	double d[5];
};

static double half(double x)
{
	return x / 2;
}

static large changed(large l, float f)
{
	l.d[4] += static_cast<double>(f);
	return l;
}

static void increment(int &n)
{
	n++;
}

static int &itself(int &n)
{
	return n;
}

static std::unique_ptr<int> passed_on(std::unique_ptr<int> p)
{
	return p;
}

static std::string joined(const std::string &a, std::string b)
{
	return a + b;
}

static int buffer[2];
static struct baton_chan chan = BATON_CHAN_INIT(sizeof(int), 2, buffer);

static void any_type(void)
{
	int err = -1, n = 1;
	char buf[32];
	large l = {{0, 0, 0, 0, 1}};

	report(BATON_CALL(err, half, 3) == 1.5 && !err, "floating point");
	report(BATON_CALL(err, changed, l, 2.5f).d[4] == 3.5, "structures");
	BATON_CALL(err, increment, n);
	BATON_CALL(err, itself, n) += 5;
	report(n == 7, "references");
	auto p = BATON_CALL(err, passed_on, std::unique_ptr<int>(new int(3)));
	report(p && *p == 3, "what can be moved only");
	report(BATON_CALL(err, joined, "a", "b") == "ab", "objects");
	BATON_CALL(err, std::snprintf, buf, sizeof(buf), "%d %g", 7, 1.5);
	report(!std::strcmp(buf, "7 1.5"), "a variadic function");
	report(BATON_CALL(err, [&](int a, long b) { return n + a + b; }, 1, 2L)
	       == 10, "a lambda");
	report(BATON_CALL_NOERR(half, 1.0) == 0.5, "nobody wants the error");
	int (*null)(int) = nullptr;
	report(!BATON_CALL(err, null, 1) && err == -EINVAL, "no function");
	report(!baton_chan_send(&chan, &n) && baton_chan_cap(&chan) == 2,
	       "a channel's initialiser");
}

/* --- other threads ------------------------------------------------------- */

static void late(void)
{
	usleep(50000);
	errno = ENOTTY;
}

static void *compute(void *arg)
{
	for (std::clock_t end = std::clock() + CLOCKS_PER_SEC / 3;
	     std::clock() < end;)
		;
	return arg;
}

static int __attribute__((noinline)) errno_now(void)
{
	return errno;
}

static void threads(void)
{
	baton_fiber *f;

	baton_spawn(&f, nullptr, compute, nullptr);
	errno = 0;
	BATON_CALL(errno, late);
	report(errno_now() == ENOTTY, "errno as the first argument");
	baton_join(f, nullptr);
}

static bool caught(void)
{
	baton_fiber *f;
	bool good = false;

	baton_spawn(&f, nullptr, compute, nullptr);
	try {
		baton::call([] {
			late();
			throw std::runtime_error("thrown");
		});
	} catch (const std::runtime_error &e) {
		good = !std::strcmp(e.what(), "thrown");
	}
	baton_join(f, nullptr);
	return good && !std::uncaught_exceptions();
}

static void lambdas(void)
{
	int n = 0;

	report(baton::call([&] { n = 5; errno = EDOM; }) == EDOM && n == 5,
	       "baton::call()");
	report(caught(), "an exception, thrown again on the fiber");
	report(!baton_yield() && !baton::call([] { }), "a call afterwards");
}

static void *check(void *arg)
{
	char text[] = "four";
	int err = -1;
	int n = BATON_CALL(err, none);

	report(n == -7 && err == ENOENT, "no argument");
	long sum = BATON_CALL(err, six, -1, -2L, text, 3u, -4, 'a');
	report(sum == -1 - 2 + 4 + 3 - 4 + 'a' && !err, "six arguments");
	ssize_t bytes = BATON_CALL(err, write, -1, text, sizeof(text));
	report(bytes == -1 && err == EBADF, "write");
	const char *found = BATON_CALL(err, ::strerror, ENOMEM);
	report(found && *found, "a pointer");
	report(BATON_CALL(err, equal, 256, 256) &&
	       !BATON_CALL(err, equal, 256, 512), "bool");
	report(BATON_CALL(err, from_bool, 256) == 1, "to bool");
	any_type();
	threads();
	lambdas();
	return arg;
}

int main()
{
	baton_config *cfg;

#ifdef BATON_DEBUG
	/* A call whose errno goes to errno itself leaves its address on the
	 * stack, where a debug build cannot tell that nobody uses it. */
	setenv("BATON_TLS_CHECK", "warn", 1);
#endif
	report(usable(&initialised), "static initialisers");
	if (baton_config_create(&cfg) || baton_config_set_nprocs(cfg, 1) ||
	    baton_run(cfg, check, nullptr, nullptr))
		report(false, "baton_run");
	baton_config_destroy(cfg);
	return reported();
}
