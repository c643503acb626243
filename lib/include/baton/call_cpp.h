/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * call_cpp.h - foreign calls of anything that C++ can call. <baton/call.h>
 * includes it.
 *
 * A call is put together on the fiber's stack: its arguments, converted, as
 * the variables of a lambda; room for its result; and a place for an exception.
 * The library calls run() on the system stack, with that as its only argument.
 */
#ifndef BATON_CALL_CPP_H
#define BATON_CALL_CPP_H

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define __BATON_EXCEPTIONS 1
#endif

/* Whoever includes <baton/baton.h> may do so in an extern "C". */
extern "C++" {
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace baton {
namespace detail {

/* A parameter of this type says nothing of what T is. */
template <typename T> struct same {
	typedef T type;
};

template <typename R> R no_value(std::true_type)
{
	return R();
}

template <typename R> R no_value(std::false_type)
{
	std::terminate();
}

/* What a function returned, if it was run. */
template <typename R> class result {
	static_assert(std::is_move_constructible<R>::value,
		      "BATON_CALL(): the result can be neither moved nor copied");
	typedef typename std::remove_cv<R>::type value_type;

public:
	result() : full(false) { }
	result(const result &) = delete;
	result &operator=(const result &) = delete;

	~result()
	{
		if (full)
			value()->~value_type();
	}

	template <typename F> void fill(F &fn)
	{
		new (static_cast<void *>(bytes)) value_type(fn());
		full = true;
	}

	R take()
	{
		if (!full)
			return no_value<R>(std::is_default_constructible<R>());
		return std::move(*value());
	}

private:
	value_type *value()
	{
		return reinterpret_cast<value_type *>(bytes);
	}

	alignas(value_type) unsigned char bytes[sizeof(value_type)];
	bool full;
};

template <typename T> class result<T &> {
public:
	template <typename F> void fill(F &fn)
	{
		T &r = fn();

		at = std::addressof(r);
	}

	T &take()
	{
		return at ? *at : no_value<T &>(std::false_type());
	}

private:
	T *at = nullptr;
};

template <typename T> class result<T &&> {
public:
	template <typename F> void fill(F &fn)
	{
		T &&r = fn();

		at = std::addressof(r);
	}

	T &&take()
	{
		return at ? std::move(*at) : no_value<T &&>(std::false_type());
	}

private:
	T *at = nullptr;
};

template <> class result<void> {
public:
	template <typename F> void fill(F &fn)
	{
		fn();
	}

	void take() { }
};

#ifdef __BATON_EXCEPTIONS
/*
 * What a handler of everything has caught. A panic, or the end of the thread, is
 * no exception and goes on.
 */
inline std::exception_ptr caught()
{
	std::exception_ptr e = std::current_exception();

	if (!e)
		throw;
	return e;
}
#endif

template <typename R, typename F> struct frame {
	F &fn;
	result<R> value{};
#ifdef __BATON_EXCEPTIONS
	std::exception_ptr thrown{};
#endif

	explicit frame(F &f) : fn(f) { }

	static void run(void *arg)
	{
		frame *f = static_cast<frame *>(arg);

#ifdef __BATON_EXCEPTIONS
		/*
		 * C++ counts exceptions per thread: thrown from here, one would
		 * be on its way while the fiber may change threads.
		 */
		try {
			f->value.fill(f->fn);
		} catch (...) {
			f->thrown = caught();
		}
#else
		f->value.fill(f->fn);
#endif
	}
};

/* @fn() as a foreign call; if not @is, there is no function, which is -EINVAL. */
template <typename R, typename S, typename F> R run(S set, F &fn, bool is)
{
	frame<R, F> f(fn);
	struct baton_args args = {
		is ? reinterpret_cast<void (*)(void)>(&frame<R, F>::run) :
		     nullptr,
		{ reinterpret_cast<uintptr_t>(&f) }, 0
	};
	int err = baton_call_args(&args);

#ifdef __BATON_EXCEPTIONS
	if (f.thrown)
		std::rethrow_exception(std::move(f.thrown));
#endif
	set(err);
	return f.value.take();
}

/* A function: what it is given is converted here, as in a plain call. */
template <typename S, typename R, typename... P>
R call_value(S set, R (*fn)(P...), typename same<P>::type... p)
{
	auto there = [&]() -> R { return fn(std::forward<P>(p)...); };

	return run<R>(set, there, fn != nullptr);
}

/* Variadic ones. Of two packs of parameters only the last may be deduced. */
#define __BATON_LIST(...)	__VA_ARGS__
#define __BATON_VARIADIC(template_list, types, params, args)		\
template <typename S, typename R, __BATON_LIST template_list, typename... V> \
R call_value(S set, R (*fn)(__BATON_LIST types, ...),			\
	     __BATON_LIST params, V... v)				\
{									\
	auto there = [&]() -> R { return fn(__BATON_LIST args, v...); }; \
									\
	return run<R>(set, there, fn != nullptr);			\
}
#define __BATON_PARAM(n)	typename same<P##n>::type p##n
#define __BATON_ARG(n)		std::forward<P##n>(p##n)

__BATON_VARIADIC((typename P1), (P1), (__BATON_PARAM(1)), (__BATON_ARG(1)))
__BATON_VARIADIC((typename P1, typename P2), (P1, P2),
		 (__BATON_PARAM(1), __BATON_PARAM(2)),
		 (__BATON_ARG(1), __BATON_ARG(2)))
__BATON_VARIADIC((typename P1, typename P2, typename P3), (P1, P2, P3),
		 (__BATON_PARAM(1), __BATON_PARAM(2), __BATON_PARAM(3)),
		 (__BATON_ARG(1), __BATON_ARG(2), __BATON_ARG(3)))
__BATON_VARIADIC((typename P1, typename P2, typename P3, typename P4),
		 (P1, P2, P3, P4),
		 (__BATON_PARAM(1), __BATON_PARAM(2), __BATON_PARAM(3),
		  __BATON_PARAM(4)),
		 (__BATON_ARG(1), __BATON_ARG(2), __BATON_ARG(3),
		  __BATON_ARG(4)))
__BATON_VARIADIC((typename P1, typename P2, typename P3, typename P4,
		  typename P5), (P1, P2, P3, P4, P5),
		 (__BATON_PARAM(1), __BATON_PARAM(2), __BATON_PARAM(3),
		  __BATON_PARAM(4), __BATON_PARAM(5)),
		 (__BATON_ARG(1), __BATON_ARG(2), __BATON_ARG(3),
		  __BATON_ARG(4), __BATON_ARG(5)))
__BATON_VARIADIC((typename P1, typename P2, typename P3, typename P4,
		  typename P5, typename P6), (P1, P2, P3, P4, P5, P6),
		 (__BATON_PARAM(1), __BATON_PARAM(2), __BATON_PARAM(3),
		  __BATON_PARAM(4), __BATON_PARAM(5), __BATON_PARAM(6)),
		 (__BATON_ARG(1), __BATON_ARG(2), __BATON_ARG(3),
		  __BATON_ARG(4), __BATON_ARG(5), __BATON_ARG(6)))

#undef __BATON_LIST
#undef __BATON_VARIADIC
#undef __BATON_PARAM
#undef __BATON_ARG

template <typename F> struct is_function
	: std::is_function<typename std::remove_pointer<
		typename std::decay<F>::type>::type> {
};

/* Another object that can be called: a lambda, most of all. */
template <typename S, typename F, typename... A>
auto call_value(S set, F &&fn, A &&...a) ->
	typename std::enable_if<!is_function<F>::value,
		decltype(std::forward<F>(fn)(std::forward<A>(a)...))>::type
{
	typedef decltype(std::forward<F>(fn)(std::forward<A>(a)...)) R;
	auto there = [&]() -> R {
		return std::forward<F>(fn)(std::forward<A>(a)...);
	};

	return run<R>(set, there, true);
}

} /* namespace detail */

/**
 * baton::call() - run @fn(), a lambda for example, as baton_call() does
 * @fn: anything that can be called without arguments and returns nothing; what
 *      it has to tell it stores in variables that it refers to
 *
 *	int err = baton::call([&] { n = read(fd, buf, sizeof(buf)); });
 *
 * An exception that leaves @fn is caught in the foreign call and thrown again
 * from here, on the fiber's stack, when the call is over; std::terminate() if
 * nobody catches it. A panic goes through.
 *
 * Return: as baton_call(). Blocks the fiber.
 */
template <typename F> int call(F &&fn)
{
	static_assert(std::is_void<decltype(std::forward<F>(fn)())>::value,
		      "baton::call() would lose what this returns: use BATON_CALL()");
	int err = 0;

	detail::call_value([&](int e) { err = e; }, std::forward<F>(fn));
	return err;
}

} /* namespace baton */
} /* extern "C++" */

#undef __BATON_EXCEPTIONS
#endif /* BATON_CALL_CPP_H */
