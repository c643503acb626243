/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* chan.hpp - channels, and waiting for one of several things; see baton.hpp. */
#ifndef BATON_CHAN_HPP
#define BATON_CHAN_HPP

#include <baton/run.hpp>

#include <bit>
#include <cerrno>
#include <concepts>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>

namespace baton {

namespace detail {

/*
 * An element as it goes through a channel: its bytes where it can be copied as
 * such, or else a pointer to a copy that it was moved to, which belongs to this
 * while it is full.
 */
template <typename T> class parcel {
	struct plain {
		alignas(T) unsigned char byte[sizeof(T)];
	};

public:
	static constexpr bool bytes = std::is_trivially_copyable_v<T>;
	using wire = std::conditional_t<bytes, plain, T *>;

	parcel() = default;
	explicit parcel(T &&value) : full(true)
	{
		if constexpr (bytes)
			w = std::bit_cast<wire>(value);
		else
			w = new T(std::move(value));
	}
	parcel(const parcel &) = delete;
	~parcel()
	{
		if constexpr (!bytes)
			if (full)
				delete w;
	}
	/* For the library, which reads or writes it. */
	wire *at()
	{
		return &w;
	}
	void sent()
	{
		full = false;
	}
	bool is_full() const
	{
		return full;
	}
	/* What was received there. */
	T open()
	{
		if constexpr (bytes) {
			return std::bit_cast<T>(w);
		} else {
			std::unique_ptr<T> held(w);

			return std::move(*held);
		}
	}

private:
	wire w;
	bool full = false;
};

template <typename T, typename F> class sending;
template <typename T, typename F> class receiving;

} /* namespace detail */

/* --- channels ------------------------------------------------------------ */

/**
 * baton::channel - elements from who sends to who receives: baton_chan_send()
 *
 * What can be copied as bytes is; anything else goes by a pointer to a copy that
 * it was moved to. Nobody waits there when it is destroyed.
 */
template <typename T> class channel {
	using parcel = detail::parcel<T>;
	using wire = typename parcel::wire;

public:
	explicit channel(std::size_t capacity = 0)
		: buffer(new wire[capacity ? capacity : 1])
	{
		detail::check_reason(baton_chan_init(&ch, sizeof(wire), capacity,
						     buffer.get()));
	}
	channel(const channel &) = delete;
	~channel()
	{
		wire w;

		close();
		while (!baton_chan_try_recv(&ch, &w))
			if constexpr (!parcel::bytes)
				delete w;
		baton_chan_destroy(&ch);
	}
	/** Return: false when the channel is closed; @value is gone then. */
	bool send(T value)
	{
		return put(value, baton_chan_send);
	}
	/** Return: false when it would have to wait, or the channel is closed. */
	bool try_send(T value)
	{
		return put(value, baton_chan_try_send);
	}
	/** Return: an element; nothing when the channel is closed and empty. */
	std::optional<T> recv()
	{
		return get(baton_chan_recv);
	}
	/** The same at once: nothing, too, where there is none. */
	std::optional<T> try_recv()
	{
		return get(baton_chan_try_recv);
	}
	void close()
	{
		baton_chan_close(&ch);
	}
	/** For baton_select(), where T can be copied as bytes. */
	baton_chan *native() requires parcel::bytes
	{
		return &ch;
	}

	/** for (T &t : channel): until it is closed. */
	class iterator {
	public:
		explicit iterator(channel *c) : of(c), value(c->recv()) { }
		T &operator*()
		{
			return *value;
		}
		iterator &operator++()
		{
			std::optional<T> next = of->recv();

			/* T need not be one that can be assigned. */
			value.reset();
			if (next)
				value.emplace(std::move(*next));
			return *this;
		}
		bool operator==(std::default_sentinel_t) const
		{
			return !value;
		}

	private:
		channel *of;
		std::optional<T> value;
	};
	iterator begin()
	{
		return iterator(this);
	}
	std::default_sentinel_t end()
	{
		return {};
	}

private:
	template <typename U, typename F> friend class detail::sending;
	template <typename U, typename F> friend class detail::receiving;

	/* -EPIPE is the end, -EAGAIN not now. All others are thrown. */
	static bool done(int err)
	{
		if (err != -EPIPE && err != -EAGAIN)
			detail::check(err, "baton::channel");
		return !err;
	}
	bool put(T &value, int (*how)(baton_chan *, const void *))
	{
		parcel p(std::move(value));

		if (!done(how(&ch, p.at())))
			return false;
		p.sent();
		return true;
	}
	std::optional<T> get(int (*how)(baton_chan *, void *))
	{
		parcel p;

		if (!done(how(&ch, p.at())))
			return std::nullopt;
		return p.open();
	}
	std::unique_ptr<wire[]> buffer;
	baton_chan ch;
};

/* --- select -------------------------------------------------------------- */

namespace detail {

/* A case of select(): ask() says what for, chosen() that it has come. */

template <typename T, typename F> class sending {
public:
	sending(channel<T> &c, T &&value, F &&f)
		: ch(c.ch), p(std::move(value)), fn(std::move(f)) { }
	void ask(baton_case &c)
	{
		/* What was sent is another's: it is never ready again. */
		c.kind = p.is_full() ? BATON_CASE_SEND : BATON_CASE_NONE;
		c.object = &ch;
		c.elem = p.at();
	}
	void chosen(const baton_case &c)
	{
		if (!c.result)
			p.sent();
		fn(!c.result);
	}

private:
	baton_chan &ch;
	parcel<T> p;
	F fn;
};

template <typename T, typename F> class receiving {
public:
	receiving(channel<T> &c, F &&f) : ch(c.ch), fn(std::move(f)) { }
	void ask(baton_case &c)
	{
		c.kind = BATON_CASE_RECV;
		c.object = &ch;
		c.elem = p.at();
	}
	void chosen(const baton_case &c)
	{
		if (c.result)
			fn(std::optional<T>());
		else
			fn(std::optional<T>(p.open()));
	}

private:
	baton_chan &ch;
	parcel<T> p;
	F fn;
};

template <typename F> struct ticking {
	baton_timer *timer;
	F fn;
	std::uint64_t n;

	void ask(baton_case &c)
	{
		c.kind = BATON_CASE_TIMER;
		c.object = timer;
		c.elem = &n;
	}
	void chosen(const baton_case &)
	{
		fn(n);
	}
};

template <typename F> struct ready {
	baton_case_kind kind;
	int fd;
	F fn;

	void ask(baton_case &c)
	{
		c.kind = kind;
		c.fd = fd;
	}
	void chosen(const baton_case &c)
	{
		fn(c.result);
	}
};

template <typename... C> bool select(std::int64_t deadline, C &...c)
{
	baton_case cases[sizeof...(C)] = {};
	std::size_t i = 0;
	int n;

	(c.ask(cases[i++]), ...);
	n = baton_select(cases, sizeof...(C), deadline);
	if (n == -ETIMEDOUT && deadline != BATON_NEVER)
		return false;
	/* These two have no reason: what there is of one is of another error. */
	if (n == -ETIMEDOUT || n == -ECANCELED)
		check(n, "baton::select");
	check_reason(n);
	i = 0;
	/* What it does may throw; the others have not happened. */
	((i == static_cast<std::size_t>(n) ? c.chosen(cases[i]) : void(), i++),
	 ...);
	return true;
}

} /* namespace detail */

/**
 * baton::on_send(), on_recv(), on_tick(), on_read(), on_write() - cases of select()
 *
 * @fn is called if the case was chosen: with whether @value was sent, or the
 * channel is closed; with what was received, as recv() would return it; with the
 * number of ticks; with what poll() would say of the descriptor. A case that is
 * kept may be selected again; its @value is sent once.
 */
template <typename T, std::invocable<bool> F>
auto on_send(channel<T> &ch, std::type_identity_t<T> value, F fn)
{
	return detail::sending<T, F>(ch, std::move(value), std::move(fn));
}

template <typename T, std::invocable<std::optional<T>> F>
auto on_recv(channel<T> &ch, F fn)
{
	return detail::receiving<T, F>(ch, std::move(fn));
}

template <std::invocable<std::uint64_t> F> auto on_tick(timer &t, F fn)
{
	return detail::ticking<F>{ t.native(), std::move(fn), 0 };
}

template <std::invocable<int> F> auto on_read(int fd, F fn)
{
	return detail::ready<F>{ BATON_CASE_READ, fd, std::move(fn) };
}

template <std::invocable<int> F> auto on_write(int fd, F fn)
{
	return detail::ready<F>{ BATON_CASE_WRITE, fd, std::move(fn) };
}

/**
 * baton::select() - wait for one of several things, and do it: baton_select()
 *
 *	baton::select(baton::on_recv(in, [&](std::optional<int> n) { ... }),
 *		      baton::on_tick(timer, [&](std::uint64_t) { ... }));
 */
template <typename... C>
	requires(sizeof...(C) > 0)
void select(C &&...c)
{
	detail::select(BATON_NEVER, c...);
}

/** baton::try_select() - the same at once. Return: false: nothing is ready. */
template <typename... C>
	requires(sizeof...(C) > 0)
bool try_select(C &&...c)
{
	return detail::select(0, c...);
}

/** baton::select_until(), select_for() - for a while. Return: false: it is over. */
template <typename T, typename... C>
	requires(sizeof...(C) > 0)
bool select_until(T t, C &&...c)
{
	return detail::select(detail::when(t), c...);
}

template <typename D, typename... C>
	requires(sizeof...(C) > 0)
bool select_for(D d, C &&...c)
{
	return detail::select(detail::from_now(d), c...);
}

} /* namespace baton */

#endif /* BATON_CHAN_HPP */
