/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* fiber.hpp - fibers and groups of them; see baton.hpp. */
#ifndef BATON_FIBER_HPP
#define BATON_FIBER_HPP

#include <baton/run.hpp>

#include <atomic>
#include <cerrno>
#include <concepts>
#include <memory>
#include <optional>

namespace baton {

/** baton::options - of a fiber: baton_attr_set_name() and the like. */
struct options {
	const char *name = nullptr;
	std::size_t stack_size = 0;
};

namespace detail {

class attr {
public:
	explicit attr(const options &o)
	{
		if (!o.name && !o.stack_size)
			return;
		check_reason(baton_attr_create(&a));
		std::unique_ptr<baton_attr, void (*)(baton_attr *)>
			held(a, baton_attr_destroy);
		check_reason(baton_attr_set_name(a, o.name));
		check_reason(baton_attr_set_stack_size(a, o.stack_size));
		held.release();
	}
	attr(const attr &) = delete;
	~attr()
	{
		baton_attr_destroy(a);
	}
	baton_attr *a = nullptr;
};

/* What a fiber and its handle have in common: a group of this one fiber. */
template <typename R> struct shared {
	baton_group group = BATON_GROUP_INIT;
	result<R> value{};
	std::exception_ptr thrown{};

	shared() = default;
	shared(const shared &) = delete;
	virtual ~shared() = default;
};

template <typename R, typename F> struct body : shared<R> {
	std::optional<F> fn;

	explicit body(F &&f) : fn(std::move(f)) { }
	static int run(void *arg)
	{
		body *b = static_cast<body *>(arg);

		try {
			b->value.fill(*b->fn);
		} catch (...) {
			b->thrown = caught();
		}
		b->fn.reset();
		return 0;
	}
};

} /* namespace detail */

/**
 * baton::fiber - a fiber that ends before its handle does, as std::jthread
 *
 * The handle's destructor cancels the fiber and waits for it, however long that
 * takes; what it returned or threw is lost then. It may be on another fiber, or
 * on a thread, and is to be before baton::run() returns. There is no detach(): a
 * fiber that nobody waits for is started by go().
 */
template <typename R> class fiber {
public:
	fiber() = default;
	/** @fn(@args...), all of them copied or moved, as std::thread does. */
	template <typename F, typename... A>
		requires std::same_as<R, detail::result_of<F, A...>>
	explicit fiber(F &&fn, A &&...args)
		: fiber(options(), std::forward<F>(fn),
			std::forward<A>(args)...) { }
	template <typename F, typename... A>
		requires std::same_as<R, detail::result_of<F, A...>>
	explicit fiber(const options &o, F &&fn, A &&...args)
	{
		auto all = detail::bind(std::forward<F>(fn),
					std::forward<A>(args)...);
		using body = detail::body<R, decltype(all)>;
		auto b = std::make_unique<body>(std::move(all));
		detail::attr a(o);

		detail::check_reason(baton_group_spawn(&b->group, a.a,
						       body::run, b.get()));
		s = std::move(b);
	}
	fiber(fiber &&) noexcept = default;
	fiber &operator=(fiber &&from) noexcept
	{
		fiber old(std::move(from));

		s.swap(old.s);
		return *this;
	}
	~fiber()
	{
		if (s)
			detail::end(&s->group);
	}
	bool joinable() const
	{
		return !!s;
	}
	/** End the wait that it is in, or its next one: baton_cancel(). */
	void cancel()
	{
		if (s)
			baton_group_cancel(&s->group);
	}
	/**
	 * Wait for its end. Return: what it returned; throws what it threw.
	 * If the caller is canceled meanwhile, or the deadline of a scope comes,
	 * so is the fiber; it is waited for, and that thrown.
	 */
	R join()
	{
		int err = s ? baton_group_wait(&s->group) : -EINVAL;

		if (err == -EDEADLK || !s)
			detail::fail(err, "baton::fiber::join");
		auto ended = std::move(s);
		detail::check(err, "baton::fiber::join");
		if (ended->thrown)
			std::rethrow_exception(std::move(ended->thrown));
		return ended->value.take();
	}

private:
	std::unique_ptr<detail::shared<R>> s;
};

template <typename F, typename... A>
	requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
fiber(F &&, A &&...) -> fiber<detail::result_of<F, A...>>;
template <typename F, typename... A>
	requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
fiber(const options &, F &&, A &&...) -> fiber<detail::result_of<F, A...>>;

/**
 * baton::go() - start a fiber that nobody waits for: baton_spawn()
 *
 * As of a thread, an exception must not leave @fn: std::terminate().
 */
template <typename F, typename... A>
	requires std::invocable<std::decay_t<F>, std::decay_t<A>...>
void go(F &&fn, A &&...args)
{
	auto all = detail::bind(std::forward<F>(fn), std::forward<A>(args)...);
	using type = decltype(all);
	auto p = std::make_unique<type>(std::move(all));

	detail::check_reason(baton_spawn(nullptr, nullptr,
					 [](void *arg) -> void * {
		std::unique_ptr<type> q(static_cast<type *>(arg));

		(*q)();
		return nullptr;
	}, p.get()));
	p.release();
}

/**
 * baton::group - fibers that all end before it does; the first that throws
 *                cancels the others: baton_group_spawn()
 */
class group {
public:
	group() = default;
	group(const group &) = delete;
	~group()
	{
		detail::end(&g);
	}
	template <std::invocable F> void spawn(F &&fn, const options &o = {})
	{
		using body = member<std::decay_t<F>>;
		auto b = std::make_unique<body>(*this, std::forward<F>(fn));
		detail::attr a(o);
		int err = baton_group_spawn(&g, a.a, body::run, b.get());

		/* A wait that was ended has no reason: that is another's. */
		if (err == -ETIMEDOUT || err == -ECANCELED)
			detail::fail(err, "baton::group::spawn");
		detail::check_reason(err);
		b.release();
	}
	/**
	 * Wait for all. Throws what the first one threw that threw, at each
	 * call; but std::errc::timed_out if the deadline of a scope came.
	 */
	void wait()
	{
		int err = baton_group_wait(&g);

		/* These are never a member's: run() returns no such thing. */
		if (err == -ETIMEDOUT || err == -EDEADLK)
			detail::fail(err, "baton::group::wait");
		if (thrown)
			std::rethrow_exception(thrown);
		detail::check(err, "baton::group::wait");
	}
	/** Each fiber's wait ends; no more can be started. */
	void cancel()
	{
		baton_group_cancel(&g);
	}
	/** So many at a time; the next one waits: baton_group_set_limit(). */
	void limit(unsigned n)
	{
		detail::check_reason(baton_group_set_limit(&g, n));
	}

private:
	template <typename F> struct member {
		group &of;
		F fn;

		template <typename G>
		member(group &g, G &&f) : of(g), fn(std::forward<G>(f)) { }
		static int run(void *arg)
		{
			std::unique_ptr<member> m(static_cast<member *>(arg));

			try {
				m->fn();
				return 0;
			} catch (...) {
				auto e = detail::caught();

				if (!m->of.has.test_and_set())
					m->of.thrown = std::move(e);
				return -ECANCELED;
			}
		}
	};
	baton_group g = BATON_GROUP_INIT;
	std::atomic_flag has{};
	std::exception_ptr thrown{};
};

} /* namespace baton */

#endif /* BATON_FIBER_HPP */
