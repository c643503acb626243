/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* run.hpp - the scheduler, foreign calls, time; see baton.hpp. */
#ifndef BATON_RUN_HPP
#define BATON_RUN_HPP

#include <baton/baton.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace baton {

namespace detail {

[[noreturn]] inline void fail(int err, const char *what)
{
	throw std::system_error(-err, std::generic_category(), what);
}

/* What C returned: a negative error number is thrown, with @what. */
inline int check(int err, const char *what)
{
	if (err < 0)
		fail(err, what);
	return err;
}

/* The same, of a function that tells more by baton_reason(). */
inline int check_reason(int err)
{
	return err < 0 ? check(err, baton_reason()) : err;
}

/* Nanoseconds from now on, of any duration, as long as a deadline can be. */
template <typename Rep, typename Period>
std::int64_t span(std::chrono::duration<Rep, Period> d)
{
	using seconds = std::chrono::duration<double>;

	/* Half of what there is: now and this are no more than all of it. */
	if (std::chrono::duration_cast<seconds>(d).count() > 4.6e9)
		return INT64_MAX / 2;
	if (std::chrono::duration_cast<seconds>(d).count() < 0)
		return 0;
	return std::chrono::ceil<std::chrono::nanoseconds>(d).count();
}

template <typename Rep, typename Period>
std::int64_t from_now(std::chrono::duration<Rep, Period> d)
{
	return baton_now() + span(d);
}

/* steady_clock is CLOCK_MONOTONIC, as the deadlines of the library are. */
template <typename D>
std::int64_t
when(std::chrono::time_point<std::chrono::steady_clock, D> t)
{
	return t == t.max() ? BATON_NEVER : span(t.time_since_epoch());
}

/* When @d will have gone by, as a time that when() takes. */
struct deadline {
	std::int64_t ns;
};

template <typename Rep, typename Period>
deadline at(std::chrono::duration<Rep, Period> d)
{
	return { from_now(d) };
}

inline std::int64_t when(deadline d)
{
	return d.ns;
}

/* @fn and its arguments as one object that is called once. */
template <typename F, typename... A> auto bind(F &&fn, A &&...args)
{
	return [fn = std::forward<F>(fn),
		...args = std::forward<A>(args)]() mutable -> decltype(auto) {
		return std::invoke(std::move(fn), std::move(args)...);
	};
}

template <typename F, typename... A>
using result_of = std::invoke_result_t<std::decay_t<F>, std::decay_t<A>...>;

/*
 * Cancel what is in the group, and wait for it. A cancel of the caller's is for
 * a wait that can tell of it. A fiber that ends itself does so as std::jthread's.
 */
inline void end(baton_group *g)
{
	bool masked = !baton_cancel_mask();

	baton_group_cancel(g);
	if (baton_group_wait(g) == -EDEADLK)
		std::terminate();
	if (masked)
		baton_cancel_unmask();
}

/* What frame<R, F>::run has brought back, unless C did not call it. */
template <typename R, typename F> R take(frame<R, F> &f, int err)
{
	if (f.thrown)
		std::rethrow_exception(std::move(f.thrown));
	check_reason(err);
	return f.value.take();
}

} /* namespace detail */

/* --- the scheduler ------------------------------------------------------- */

/** baton::config - options of run(); each setter as baton_config_set_*(). */
class config {
public:
	config()
	{
		detail::check_reason(baton_config_create(&c));
	}
	config(config &&from) noexcept : c(std::exchange(from.c, nullptr)) { }
	config &operator=(config &&from) noexcept
	{
		std::swap(c, from.c);
		return *this;
	}
	~config()
	{
		baton_config_destroy(c);
	}
	config &nprocs(unsigned n)
	{
		return set(baton_config_set_nprocs(c, n));
	}
	config &max_workers(unsigned n)
	{
		return set(baton_config_set_max_workers(c, n));
	}
	config &stack_size(std::size_t bytes)
	{
		return set(baton_config_set_stack_size(c, bytes));
	}
	config &tier(enum baton_tier t)
	{
		return set(baton_config_set_tier(c, t));
	}
	/** For those that have no setter here. */
	baton_config *native() const
	{
		return c;
	}

private:
	config &set(int err)
	{
		detail::check_reason(err);
		return *this;
	}
	baton_config *c = nullptr;
};

/**
 * baton::run() - start the scheduler with @fn() as its first fiber: baton_run()
 *
 * Return: what @fn returned; throws what it threw, and the errors of
 * baton_run().
 */
template <std::invocable F>
std::invoke_result_t<F &> run(const config &c, F &&fn)
{
	using frame = detail::frame<std::invoke_result_t<F &>,
				    std::remove_reference_t<F>>;
	frame f(fn);
	int err = baton_run(c.native(), [](void *arg) -> void * {
		frame::run(arg);
		return nullptr;
	}, &f, nullptr);

	return detail::take(f, err);
}

template <std::invocable F> std::invoke_result_t<F &> run(F &&fn)
{
	return run(config(), std::forward<F>(fn));
}

/**
 * baton::foreign() - call @fn(@args...) as foreign code: BATON_CALL()
 *
 * Return: what @fn returned, or throws what it threw. Who wants to know errno
 * calls BATON_CALL().
 */
template <typename F, typename... A>
auto foreign(F &&fn, A &&...args) -> std::invoke_result_t<F, A...>
{
	auto there = [&]() -> std::invoke_result_t<F, A...> {
		return std::invoke(std::forward<F>(fn),
				   std::forward<A>(args)...);
	};

	return detail::run<std::invoke_result_t<F, A...>>(
		[](int err) { detail::check(err, "baton::foreign"); }, there,
		true);
}

/**
 * baton::callback() - from foreign code: @fn() as fiber code: baton_callback()
 *
 * Return: what @fn returned, or throws what it threw.
 */
template <std::invocable F> std::invoke_result_t<F &> callback(F &&fn)
{
	using frame = detail::frame<std::invoke_result_t<F &>,
				    std::remove_reference_t<F>>;
	frame f(fn);
	int err = baton_callback(&frame::run, &f);

	return detail::take(f, err);
}

/* --- time ---------------------------------------------------------------- */

/** baton::yield() - baton_yield(). */
inline void yield()
{
	detail::check(baton_yield(), "baton::yield");
}

/** baton::sleep_for(), sleep_until() - baton_sleep(). They throw a cancel. */
template <typename Rep, typename Period>
void sleep_for(std::chrono::duration<Rep, Period> d)
{
	detail::check(baton_sleep(detail::span(d)), "baton::sleep_for");
}

template <typename D>
void sleep_until(std::chrono::time_point<std::chrono::steady_clock, D> t)
{
	detail::check(baton_sleep_until(detail::when(t)), "baton::sleep_until");
}

/**
 * baton::scope - a deadline for all that the fiber waits for while it exists
 *
 * baton_deadline_push(). What is late throws std::errc::timed_out. Its memory
 * is that of the fiber that made it, which also destroys it, the last one
 * first.
 */
class scope {
public:
	template <typename Rep, typename Period>
	explicit scope(std::chrono::duration<Rep, Period> d)
	{
		push(detail::from_now(d));
	}
	template <typename D>
	explicit scope(std::chrono::time_point<std::chrono::steady_clock, D> t)
	{
		push(detail::when(t));
	}
	scope(const scope &) = delete;
	~scope()
	{
		baton_deadline_pop(&s);
	}

private:
	void push(std::int64_t deadline)
	{
		detail::check(baton_deadline_push(&s, deadline),
			      "baton::scope");
	}
	baton_scope s;
};

/**
 * baton::timer - a time, or a row of them, to wait for: baton_timer_start()
 *
 * Nobody waits for it when it is destroyed. baton::select() waits for it, too.
 */
class timer {
public:
	timer() = default;
	timer(const timer &) = delete;
	~timer()
	{
		baton_timer_destroy(&t);
	}
	/** The first tick is after @d, or at @d; then one each @period, if any. */
	template <typename Rep, typename Period>
	void start(std::chrono::duration<Rep, Period> d,
		   std::chrono::nanoseconds period = {})
	{
		set(detail::from_now(d), period);
	}
	template <typename D>
	void start(std::chrono::time_point<std::chrono::steady_clock, D> d,
		   std::chrono::nanoseconds period = {})
	{
		set(detail::when(d), period);
	}
	/** Return: was there a tick to come, or one that nobody had taken? */
	bool stop()
	{
		return detail::check(baton_timer_stop(&t), "baton::timer::stop");
	}
	/** Return: how many ticks there were since the last one was taken. */
	std::uint64_t wait()
	{
		std::uint64_t n;

		detail::check(baton_timer_wait(&t, &n), "baton::timer::wait");
		return n;
	}
	baton_timer *native()
	{
		return &t;
	}

private:
	void set(std::int64_t when, std::chrono::nanoseconds period)
	{
		detail::check(baton_timer_start(&t, when, period.count()),
			      "baton::timer::start");
	}
	baton_timer t{};
};

} /* namespace baton */

#endif /* BATON_RUN_HPP */
