/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * task.hpp - coroutines of C++20 that run in a fiber.
 *
 *	baton::task<int> sum(baton::channel<int> &ch)
 *	{
 *		int n = 0;
 *
 *		while (auto i = co_await ch.recv())
 *			n += *i;
 *		co_return n;
 *	}
 *
 *	baton::fiber f([&] { return sum(ch).get(); });
 *
 * A task does nothing until it is awaited by another one, or get() runs it: in
 * the fiber that does so, to its end. What it awaits is another task, which is
 * then run like a function that is called, or what a function of the library
 * has returned. That one has waited by then, as a fiber waits: the coroutine is
 * in the middle of its code, and its fiber lets others run. So all that belongs
 * to a fiber holds over a co_await: mutexes, the deadline of a baton::scope, a
 * cancel, keys; no executor need be named anywhere, and a wait allocates
 * nothing.
 *
 * REJECTED: to suspend the coroutine, and to have a fiber wait and resume it
 * then. Each co_await would take a fiber, and go on as another one: a lock
 * would have the wrong owner, and a cancel of the fiber that began would miss
 * it. For the same reason a task does not await what other libraries would
 * resume, on a thread of theirs; that does not compile. Have it send into a
 * channel. And to transfer from task to task: without optimisation compilers
 * make a call of it that never returns, so that a loop of co_await overflows a
 * fiber's stack.
 */
#ifndef BATON_TASK_HPP
#define BATON_TASK_HPP

#include <baton/run.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace baton {

template <typename T = void> class task;

namespace detail {

template <typename A> concept resumable = requires(A a) { a.await_ready(); } ||
	requires(A a) { static_cast<A &&>(a).operator co_await(); } ||
	requires(A a) { operator co_await(static_cast<A &&>(a)); };

/* What has been waited for. */
template <typename V> struct had {
	V value;

	bool await_ready() const noexcept
	{
		return true;
	}
	void await_suspend(std::coroutine_handle<>) const noexcept { }
	V await_resume()
	{
		return std::forward<V>(value);
	}
};

struct promise_base {
	std::exception_ptr thrown{};

	std::suspend_always initial_suspend() const noexcept
	{
		return {};
	}
	std::suspend_always final_suspend() const noexcept
	{
		return {};
	}
	void unhandled_exception()
	{
		thrown = caught();
	}
	template <typename U> task<U> &&await_transform(task<U> &&t)
	{
		return std::move(t);
	}
	template <typename V> had<V> await_transform(V &&value)
	{
		static_assert(!resumable<V>,
			      "a baton::task awaits tasks, and what functions of baton return: nothing else would resume it in its fiber");
		return { std::forward<V>(value) };
	}
};

template <typename T> struct promise : promise_base {
	std::optional<T> value;

	task<T> get_return_object();
	template <typename V> void return_value(V &&v)
	{
		value.emplace(std::forward<V>(v));
	}
	T take()
	{
		return std::move(*value);
	}
};

template <> struct promise<void> : promise_base {
	task<void> get_return_object();
	void return_void() const noexcept { }
	void take() const noexcept { }
};

} /* namespace detail */

/** baton::task - a coroutine that has not run yet, or has ended; see above. */
template <typename T> class [[nodiscard]] task {
public:
	using promise_type = detail::promise<T>;

	explicit task(std::coroutine_handle<promise_type> handle) : h(handle) { }
	task(task &&from) noexcept : h(std::exchange(from.h, nullptr)) { }
	task &operator=(task &&from) noexcept
	{
		std::swap(h, from.h);
		return *this;
	}
	~task()
	{
		if (h)
			h.destroy();
	}
	/** Run it, once. Return: what it returned; throws what it threw. */
	T get() &&
	{
		await_ready();
		return await_resume();
	}

	bool await_ready()
	{
		h.resume();
		return true;
	}
	void await_suspend(std::coroutine_handle<>) const noexcept { }
	T await_resume()
	{
		if (h.promise().thrown)
			std::rethrow_exception(
				std::move(h.promise().thrown));
		return h.promise().take();
	}

private:
	std::coroutine_handle<promise_type> h;
};

namespace detail {

template <typename T> task<T> promise<T>::get_return_object()
{
	return task<T>(std::coroutine_handle<promise>::from_promise(*this));
}

inline task<void> promise<void>::get_return_object()
{
	return task<void>(std::coroutine_handle<promise>::from_promise(*this));
}

} /* namespace detail */

} /* namespace baton */

#endif /* BATON_TASK_HPP */
