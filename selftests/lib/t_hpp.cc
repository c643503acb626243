// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_hpp.cc - the header for C++20: what it adds to the functions of C. */
#include <baton/baton.hpp>

#include <cstdio>
#include <cstdlib>
#include <shared_mutex>
#include <string>
#include <stdexcept>
#include <thread>
#include <vector>
#include <poll.h>
#include <unistd.h>

#include "report.hh"

using namespace std::chrono_literals;

/* @fn() throws std::system_error with @code. */
template <typename F> static bool throws(std::errc code, F fn)
{
	try {
		fn();
	} catch (const std::system_error &e) {
		return e.code() == code;
	}
	return false;
}

/* @fn() throws std::runtime_error with @what. */
template <typename F> static bool throws(const std::string &what, F fn)
{
	try {
		fn();
	} catch (const std::runtime_error &e) {
		return e.what() == what;
	}
	return false;
}

static const auto canceled = std::errc::operation_canceled;
static const auto late = std::errc::timed_out;

static void wait_for_ever()
{
	baton::channel<int>().recv();
}

/* --- run ------------------------------------------------------------------ */

static void runs()
{
	auto p = baton::run([] { return std::make_unique<int>(3); });
	int n = 0;

	report(*p == 3, "run() returns what the fiber returned");
	report(baton::run([&]() -> int & { return n; }) == 0 &&
	       &baton::run([&]() -> int & { return n; }) == &n,
	       "also a reference");
	report(throws("first", [] {
		baton::run([] { throw std::runtime_error("first"); });
	}), "run() throws what the fiber threw");
	/* It overrides what a program asks for. */
	const char *set = std::getenv("BATON_NPROCS");

	report(baton::run(baton::config().nprocs(1), baton_nprocs) ==
	       (set ? std::strtoul(set, nullptr, 10) : 1), "options");
	report(throws(std::errc::invalid_argument, [] {
		baton::config().nprocs(1000);
	}), "options out of bounds");
	report(throws(std::errc::operation_not_permitted, baton::yield),
	       "no fiber");
	report(throws(std::errc::no_such_process, [] {
		baton::fiber f([] { });
	}), "no scheduler");
}

/* --- fibers -------------------------------------------------------- */

static int sum(std::unique_ptr<int> a, int b)
{
	return *a + b;
}

struct counted {
	int *n;

	explicit counted(int *to) : n(to) { }
	counted(counted &&from) noexcept : n(std::exchange(from.n, nullptr)) { }
	~counted()
	{
		if (n)
			++*n;
	}
};

static void results()
{
	int gone = 0;
	baton::fiber f(sum, std::make_unique<int>(3), 4);
	baton::fiber s([] { return std::string(100, 'x'); });
	baton::fiber t([]() -> int { throw std::runtime_error("thrown"); });
	baton::fiber<void> none;
	baton::fiber<void> moved([] { });
	baton::fiber named(baton::options{"name", 1 << 18}, [] {
		char name[BATON_NAME_SIZE], big[200000];

		big[0] = static_cast<char>(baton_name(nullptr, name,
						      sizeof(name)));
		/* Or the compiler would leave it out. */
		asm volatile("" : : "r"(big) : "memory");
		return std::string(name);
	});
	baton::fiber holds([c = counted(&gone)] { });
	auto &same = f;

	f = std::move(same);
	report(f.join() == 7 && !f.joinable(), "a fiber's result");
	report(s.join() == std::string(100, 'x'), "a string");
	report(throws("thrown", [&] { t.join(); }), "an exception");
	report(named.join() == "name", "a name, and a large stack");
	report(throws(std::errc::invalid_argument, [&] { none.join(); }),
	       "nothing to join");
	none = std::move(moved);
	none.join();
	report(!moved.joinable() && !none.joinable(), "a handle that is moved");
	holds.join();
	report(gone == 1, "what the lambda has is destroyed once");
	report(throws(std::errc::resource_deadlock_would_occur, [] {
		baton::fiber<void> self;
		baton::channel<int> go;

		self = baton::fiber([&] {
			go.recv();
			self.join();
		});
		go.send(1);
		self.join();
	}), "a fiber that joins itself");
}

static void cancels()
{
	bool ended = false, unwound = false;
	int gone = 0;
	baton::fiber<void> f;

	{
		baton::fiber g([&] {
			counted c(&gone);

			wait_for_ever();
		});
		baton_yield();
	}
	report(gone == 1, "a destructor cancels and joins");
	f = baton::fiber(wait_for_ever);
	f.cancel();
	report(throws(canceled, [&] { f.join(); }), "a cancel is an exception");

	/* Who joins is canceled itself, and the other fiber with it. */
	baton::channel<int> waits;
	baton::fiber outer([&] {
		baton::fiber inner([&] {
			counted c(&gone);

			waits.send(1);
			wait_for_ever();
		});

		unwound = throws(canceled, [&] { inner.join(); });
	});
	waits.recv();
	outer.cancel();
	outer.join();
	report(unwound && gone == 2, "who joins is canceled");

	/* Canceled meanwhile, a destructor still waits; and it is not lost. */
	baton::channel<int> let(1);
	baton::fiber slow([&] {
		{
			baton::fiber inner([&] {
				baton_cancel_mask();
				waits.send(1);
				let.recv();
				ended = true;
				baton_cancel_unmask();
			});
		}
		unwound = ended && throws(canceled, wait_for_ever);
	});
	waits.recv();
	slow.cancel();
	let.send(1);
	slow.join();
	report(unwound, "a destructor waits, and the cancel is kept");
	report(throws(late, [] {
		baton::scope s(1ms);

		wait_for_ever();
	}), "a deadline");
	report(throws(late, [] {
		baton::scope s(std::chrono::steady_clock::now());
		baton::scope all(std::chrono::hours::max());

		wait_for_ever();
	}), "one of two, the other for ever");
}

static void detached()
{
	baton::channel<std::unique_ptr<int>> ch;

	baton::go([&ch](std::unique_ptr<int> p) { ch.send(std::move(p)); },
		  std::make_unique<int>(5));
	report(**ch.recv() == 5, "go()");
}

static void groups()
{
	std::atomic<int> n{0}, gone{0};
	baton::group all, fails;

	all.limit(3);
	for (int i = 0; i < 10; i++)
		all.spawn([&n, i] { n += i; });
	all.wait();
	report(n == 45, "a group");
	for (int i = 0; i < 4; i++)
		fails.spawn([&gone] {
			struct end {
				std::atomic<int> &n;
				~end() { n++; }
			} e{gone};

			wait_for_ever();
		});
	fails.spawn([] { throw std::runtime_error("failed"); });
	report(throws("failed", [&] { fails.wait(); }) && gone == 4,
	       "one that fails cancels the others");
	report(throws(canceled, [&] { fails.spawn([] { }); }),
	       "a group that was canceled");
	{
		baton::group left;

		left.spawn([&gone] {
			try {
				wait_for_ever();
			} catch (const std::system_error &) {
				gone++;
			}
		});
		/* It waits by now, or will: a cancel is not lost. */
	}
	report(gone == 5, "a group's destructor");

	baton::group waits;
	baton::scope until(std::chrono::milliseconds(1));
	std::string what;

	waits.limit(1);
	waits.spawn(wait_for_ever);
	try {
		/* The reason of another error, which may be this thread's last. */
		baton_key_create(nullptr, nullptr);
		waits.spawn([] { });
	} catch (const std::system_error &e) {
		what = e.what();
	}
	report(what.find("baton::group::spawn") == 0,
	       "a deadline that comes before there is a place");
	report(throws(late, [&] { waits.wait(); }), "a deadline of a group");
}

/* --- foreign code ---------------------------------------------------- */

/* Nothing of the headers may keep a panic, which is no exception. */
static bool panics(void (*fn)(void *))
{
	int there = 0;
	void *value = nullptr;

	return baton_try(fn, &there, &value) == 1 && value == &there;
}

static void panic_here(void *arg)
{
	baton::foreign([arg] {
		baton::callback([arg] { baton_panic(arg, "t_hpp"); });
	});
}

static void calls()
{
	int n = 1;

	report(baton::foreign(sum, std::make_unique<int>(1), 2) == 3,
	       "a call with arguments");
	report(&baton::foreign([&]() -> int & { return n; }) == &n,
	       "a call of a lambda");
	report(throws("from there", [] {
		baton::foreign([] { throw std::runtime_error("from there"); });
	}), "an exception of a call");
	report(baton::foreign([&] {
		return baton::callback([&] {
			baton::yield();
			return sum(std::make_unique<int>(n), 1);
		});
	}) == 2, "a callback");
	report(throws("from fiber code", [] {
		baton::foreign([] {
			baton::callback([] {
				throw std::runtime_error("from fiber code");
			});
		});
	}), "an exception of a callback");
	report(panics(panic_here), "a panic goes through both");
	report(throws(std::errc::operation_not_permitted, [] {
		baton::callback([] { });
	}), "no callback from fiber code");
	report(throws(std::errc::operation_not_permitted, [] {
		baton::foreign([] { baton::foreign([] { }); });
	}), "no call from foreign code");
}

/* --- locks and channels ---------------------------------------------- */

static void locks()
{
	baton::mutex m;
	baton::condition c;
	baton::wait_group w;
	int items = 0, taken = 0;
	bool was_free = true, had = true, late_had = true, thrown = false;

	{
		std::unique_lock lock(m);
		baton::fiber f([&] {
			was_free = m.try_lock();
			had = m.try_lock_for(1us);
			late_had = std::unique_lock(m,
				std::chrono::steady_clock::now()).owns_lock();
		});

		f.join();
		thrown = throws(std::errc::resource_deadlock_would_occur,
				[&] { m.lock(); });
		baton::fiber g([&] { std::scoped_lock l(m); });

		g.cancel();
		thrown = throws(canceled, [&] { g.join(); }) && thrown;
	}
	report(!was_free && !had && !late_had, "a lock that another one has");
	report(thrown, "a lock that cannot be had");
	report(m.try_lock(), "a lock that is free");
	m.unlock();

	w.add(2);
	auto take = [&] {
		std::unique_lock lock(m);

		c.wait(lock, [&] { return items > 0; });
		items--;
		taken++;
		w.done();
	};
	baton::fiber a(take), b(take);
	std::thread thread([&] {
		std::scoped_lock l(m);

		items = 2;
		c.notify_all();
	});
	w.wait();
	baton::foreign([&] { thread.join(); });
	report(taken == 2 && !items, "a condition, a wait group, and a thread");
	report(throws(std::errc::invalid_argument, [&] { w.done(); }),
	       "one too many are done");
}

static void readers()
{
	baton::rwlock rw;
	bool wrote = true, read = false, timed = true;
	std::shared_lock lock(rw);

	baton::fiber f([&] {
		wrote = rw.try_lock() || rw.try_lock_for(1us);
		std::shared_lock other(rw);
		read = other.owns_lock() && rw.try_lock_shared();
		rw.unlock_shared();
	});
	f.join();
	lock.unlock();
	report(!wrote && read, "a lock for many readers");

	std::unique_lock w(rw);
	baton::fiber g([&] {
		timed = rw.try_lock_shared() || rw.try_lock_shared_for(1us) ||
			std::shared_lock(rw, std::chrono::steady_clock::now())
				.owns_lock();
	});
	baton::fiber stopped([&] { rw.lock_shared(); });
	g.join();
	report(throws(std::errc::resource_deadlock_would_occur,
		      [&] { rw.lock_shared(); }), "a writer that reads");
	stopped.cancel();
	report(throws(canceled, [&] { stopped.join(); }) && !timed,
	       "or one writer, and a reader that is canceled");
}

static void counts()
{
	baton::semaphore s(2);
	baton::barrier b(3);
	baton::once o;
	std::atomic<int> last = 0;
	int calls = 0;

	s.acquire();
	report(s.try_acquire() && !s.try_acquire() && !s.try_acquire_for(1us),
	       "a semaphore");
	baton::fiber waits([&] { s.acquire(); s.acquire(); });
	s.release(2);
	waits.join();
	report(!s.try_acquire() && throws(std::errc::invalid_argument, [] {
		baton::semaphore(BATON_SEM_MAX + 1);
	}), "which is released twice");

	auto meet = [&] { last += b.arrive_and_wait(); };
	baton::fiber x(meet), y(meet);
	meet();
	x.join();
	y.join();
	report(last == 1 && throws(std::errc::invalid_argument, [] {
		baton::barrier(0);
	}), "a barrier");
	report(throws(late, [] {
		baton::scope soon(1ms);

		baton::barrier(2).arrive_and_wait();
	}), "where nobody comes");

	report(throws("first", [&] {
		o.call([] { throw std::runtime_error("first"); });
	}), "what is to be done once, and fails");
	o.call([&] { calls++; });
	o.call([&] { calls++; });
	report(calls == 1, "is done by the next one");
}

static void condition_in_time()
{
	baton::mutex m;
	baton::condition c;
	std::unique_lock lock(m);
	bool is = false;

	report(!c.wait_for(lock, 1ms, [&] { return is; }) && lock.owns_lock(),
	       "a condition that does not come");
	baton::fiber f([&] {
		std::scoped_lock l(m);

		is = true;
		c.notify_one();
	});
	report(c.wait_until(lock, std::chrono::steady_clock::time_point::max(),
			    [&] { return is; }), "one that does");
	lock.unlock();
	f.join();
}

struct odd {
	char c[3];
	explicit odd(int n) : c{0, static_cast<char>(n), 0} { }
};

/* Can be copied, and not be assigned. */
struct fixed {
	const int n;
};

static void channels()
{
	baton::channel<fixed> fixeds(2);
	baton::channel<int> ch(4);
	baton::channel<odd> odds(1);
	baton::channel<std::string> strings(2);
	int n = 0;
	auto shared = std::make_shared<int>(1);

	baton::fiber f([&] {
		for (int i = 0; i < 10; i++)
			ch.send(i);
		ch.close();
	});
	for (int i : ch)
		n += i;
	report(n == 45, "a channel");
	report(!ch.recv() && !ch.send(1) && !ch.try_recv(), "its end");
	fixeds.send(fixed{1});
	fixeds.send(fixed{2});
	fixeds.close();
	n = 0;
	for (const fixed &i : fixeds)
		n = n * 10 + i.n;
	report(n == 12, "what cannot be assigned");
	report(odds.try_send(odd(7)) && !odds.try_send(odd(8)) &&
	       odds.recv()->c[1] == 7 && !odds.try_recv(),
	       "what has no default constructor");
	report(strings.send(std::string(100, 'a')) && strings.send("b") &&
	       strings.recv()->size() == 100 && *strings.recv() == "b",
	       "what cannot be copied as bytes");
	{
		baton::channel<std::shared_ptr<int>> left(3);

		left.send(shared);
		left.send(shared);
		left.close();
		left.send(shared);
		report(shared.use_count() == 3, "what was not sent is freed");
	}
	report(shared.use_count() == 1, "what nobody received is freed");

	baton_case cases[1] = {};

	cases[0].kind = BATON_CASE_RECV;
	cases[0].object = odds.native();
	report(baton_select(cases, 1, 0) == -ETIMEDOUT, "select");
	report(throws(late, [] {
		baton::scope s(1ms);

		baton::channel<std::string>().send("nobody");
	}), "a send that is late");
}

static void timers()
{
	baton::timer t;
	auto past = std::chrono::steady_clock::now() - 9ms;

	t.start(1us);
	report(t.wait() == 1 && !t.stop(), "a timer");
	t.start(past, 2ms);
	report(t.wait() >= 5 && t.stop(), "a row of ticks");
	t.start(std::chrono::hours(1));
	report(t.stop() && throws(late, [&] {
		baton::scope soon(1ms);

		t.wait();
	}), "one that is stopped");
}

static void selects()
{
	using text = std::optional<std::string>;
	baton::channel<std::string> in(1), out(1);
	baton::channel<int> never;
	baton::timer t;
	std::string got;
	int n = 0, sent = 0, fds[2];
	auto nothing = [&](auto) { n += 100; };
	auto shared = std::make_shared<int>(1);
	baton::channel<std::shared_ptr<int>> pointers(1);

	report(!baton::try_select(baton::on_recv(in, nothing),
				  baton::on_send(never, 1, nothing)) &&
	       !baton::select_for(1us, baton::on_recv(never, nothing)) && !n,
	       "select where nothing is ready");
	in.send("long enough to be on the heap, and not in the object");
	baton::select(baton::on_recv(never, nothing),
		      baton::on_recv(in, [&](text s) { got = s.value(); }));
	report(got.size() > 50 && !n, "which receives");
	baton::select(baton::on_send(out, "sent", [&](bool is) { n += is; }));
	report(n == 1 && out.recv() == "sent", "which sends");
	auto once = baton::on_send(out, "long enough to be on the heap, once",
				   [&](bool is) { sent += is; });
	report(baton::try_select(once) && out.recv().value().size() == 35 &&
	       !baton::try_select(once) && !out.try_recv() && sent == 1,
	       "which sends once, however often it is asked");
	out.close();
	in.close();
	baton::select(baton::on_send(out, "not sent",
				     [&](bool is) { n += is ? 100 : 1; }));
	baton::select(baton::on_recv(in, [&](text s) { n += s ? 100 : 1; }));
	report(n == 3, "on a closed channel");
	report(!baton::select_until(std::chrono::steady_clock::now(),
				    baton::on_recv(pointers, nothing)) &&
	       baton::try_select(baton::on_send(pointers, shared,
						[&](bool) { n++; })) &&
	       !baton::try_select(baton::on_send(pointers, shared, nothing)),
	       "at once");
	report(shared.use_count() == 2 && n == 4, "what was not sent is freed");
	t.start(1us, 1ms);
	baton::select(baton::on_tick(t, [&](std::uint64_t ticks) {
		n += ticks ? 1 : 100;
	}), baton::on_recv(never, nothing));
	report(n == 5, "a tick");
	if (pipe(fds))
		std::abort();
	baton::select(baton::on_read(fds[0], nothing),
		      baton::on_write(fds[1], [&](int events) {
		n += events & POLLOUT ? 1 : 100;
	}));
	report(n == 6, "a descriptor");
	close(fds[0]);
	close(fds[1]);
	report(throws("thrown", [&] {
		baton::select(baton::on_recv(in, [](text) {
			throw std::runtime_error("thrown");
		}));
	}) && throws(late, [&] {
		baton::scope soon(1ms);

		baton::select(baton::on_recv(never, nothing));
	}), "what it throws");
}

/* --- coroutines ------------------------------------------------------ */

#ifdef __cpp_impl_coroutine
static baton::task<int> one(int n)
{
	co_return n;
}

/* Many, one after another: none of them leaves anything on the stack. */
static baton::task<long> chain(int n)
{
	long sum = 0;

	for (int i = 0; i < n; i++)
		sum += co_await one(i);
	co_return sum;
}

static baton::task<int> add_up(baton::channel<int> &ch)
{
	int n = 0;

	while (auto i = co_await ch.recv())
		n += *i;
	co_return n;
}

static baton::task<> relay(baton::channel<int> &in, baton::channel<int> &out)
{
	while (auto i = co_await in.recv())
		co_await out.send(*i + 1);
	out.close();
}

static baton::task<> hold(baton::mutex &m, baton::channel<int> &held,
			  baton::channel<int> &go)
{
	std::scoped_lock lock(m);
	auto self = baton_self();

	co_await held.send(1);
	co_await go.recv();
	if (self != baton_self())
		throw std::runtime_error("another fiber");
}

static baton::task<int> thrower(int *gone)
{
	counted c(gone);

	co_await one(1);
	throw std::runtime_error("from a task");
}

static baton::task<> keeper(counted c)
{
	(void)c;
	co_return;
}

static baton::task<> catcher(int *gone)
{
	try {
		co_await thrower(gone);
	} catch (const std::runtime_error &e) {
		throw std::runtime_error(std::string(e.what()) + ", again");
	}
}

static void tasks()
{
	baton::channel<int> a, b, c;
	baton::mutex m;
	int gone = 0;

	baton::fiber f([&] { relay(a, b).get(); });
	baton::fiber g([&] { relay(b, c).get(); });
	baton::fiber h([&] { return add_up(c).get(); });

	for (int i = 0; i < 10; i++)
		a.send(i);
	a.close();
	report(h.join() == 65, "coroutines that await channels");
	report(chain(100000).get() == 4999950000, "tasks that await tasks");
	report(throws("from a task, again", [&] { catcher(&gone).get(); }) &&
	       gone == 1, "an exception in a task");

	baton::channel<int> go, held(1);
	baton::fiber holder([&] { hold(m, held, go).get(); });

	held.recv();
	report(!m.try_lock(), "a lock over a co_await");
	go.send(1);
	holder.join();
	report(m.try_lock(), "which is the fiber's own");
	m.unlock();

	baton::fiber stopped([&] { hold(m, held, go).get(); });

	held.recv();
	stopped.cancel();
	report(throws(canceled, [&] { stopped.join(); }) && m.try_lock(),
	       "a task that is canceled");
	m.unlock();
	{
		auto never = keeper(counted(&gone));
	}
	report(gone == 2, "a task that is never run");
}
#else
static void tasks() { }
#endif

int main()
{
	runs();
	baton::run([] {
		results();
		cancels();
		detached();
		groups();
		calls();
		locks();
		readers();
		counts();
		condition_in_time();
		timers();
		selects();
		channels();
		tasks();
	});
	return reported();
}
