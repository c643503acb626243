/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* sync.hpp - locks and channels; see baton.hpp. */
#ifndef BATON_SYNC_HPP
#define BATON_SYNC_HPP

#include <baton/run.hpp>

#include <bit>
#include <concepts>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>

namespace baton {

/**
 * baton::mutex - baton_mutex_lock(), for std::unique_lock and std::scoped_lock
 *
 * lock() throws a cancel, -EDEADLK and the deadline of a scope, without the lock.
 */
class mutex {
public:
	mutex() = default;
	mutex(const mutex &) = delete;
	void lock()
	{
		detail::check(baton_mutex_lock(&m), "baton::mutex::lock");
	}
	bool try_lock()
	{
		return !baton_mutex_trylock(&m);
	}
	template <typename D> bool
	try_lock_until(std::chrono::time_point<std::chrono::steady_clock, D> t)
	{
		return until(detail::when(t));
	}
	template <typename Rep, typename Period>
	bool try_lock_for(std::chrono::duration<Rep, Period> d)
	{
		return until(detail::from_now(d));
	}
	void unlock()
	{
		baton_mutex_unlock(&m);
	}
	baton_mutex *native()
	{
		return &m;
	}

private:
	bool until(std::int64_t deadline)
	{
		int err = baton_mutex_lock_until(&m, deadline);

		if (err != -ETIMEDOUT)
			detail::check(err, "baton::mutex::try_lock_until");
		return !err;
	}
	baton_mutex m = BATON_MUTEX_INIT;
};

/** baton::condition - baton_cond_wait(), with the predicate that it is for. */
class condition {
public:
	condition() = default;
	condition(const condition &) = delete;
	template <std::predicate P>
	void wait(std::unique_lock<mutex> &lock, P ready)
	{
		while (!ready())
			detail::check(baton_cond_wait(&c,
						      lock.mutex()->native()),
				      "baton::condition::wait");
	}
	void notify_one()
	{
		baton_cond_signal(&c);
	}
	void notify_all()
	{
		baton_cond_broadcast(&c);
	}

private:
	baton_cond c = BATON_COND_INIT;
};

/** baton::wait_group - a count of things to be done: baton_wg_add(). */
class wait_group {
public:
	wait_group() = default;
	wait_group(const wait_group &) = delete;
	void add(int n = 1)
	{
		detail::check(baton_wg_add(&w, n), "baton::wait_group::add");
	}
	void done()
	{
		add(-1);
	}
	void wait()
	{
		detail::check(baton_wg_wait(&w), "baton::wait_group::wait");
	}

private:
	baton_wg w = BATON_WG_INIT;
};

/**
 * baton::channel - elements from who sends to who receives: baton_chan_send()
 *
 * What can be copied as bytes is; anything else goes by a pointer to a copy that
 * it was moved to. Nobody waits there when it is destroyed.
 */
template <typename T> class channel {
	static constexpr bool bytes = std::is_trivially_copyable_v<T>;
	struct plain {
		alignas(T) unsigned char byte[sizeof(T)];
	};
	using wire = std::conditional_t<bytes, plain, T *>;

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
			if constexpr (!bytes)
				delete w;
		baton_chan_destroy(&ch);
	}
	/** Return: false when the channel is closed; @value is gone then. */
	bool send(T value)
	{
		return put(value, [this](const wire *w) {
			return baton_chan_send(&ch, w);
		});
	}
	/** Return: false when it would have to wait, or the channel is closed. */
	bool try_send(T value)
	{
		return put(value, [this](const wire *w) {
			return baton_chan_try_send(&ch, w);
		});
	}
	/** Return: an element; nothing when the channel is closed and empty. */
	std::optional<T> recv()
	{
		return get([this](wire *w) { return baton_chan_recv(&ch, w); });
	}
	/** The same at once: nothing, too, where there is none. */
	std::optional<T> try_recv()
	{
		return get([this](wire *w) {
			return baton_chan_try_recv(&ch, w);
		});
	}
	void close()
	{
		baton_chan_close(&ch);
	}
	/** For baton_select(), where T can be copied as bytes. */
	baton_chan *native() requires bytes
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
			value = of->recv();
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
	/* -EPIPE is the end, -EAGAIN not now. All others are thrown. */
	static bool done(int err)
	{
		if (err != -EPIPE && err != -EAGAIN)
			detail::check(err, "baton::channel");
		return !err;
	}
	template <typename F> static bool put(T &value, F how)
	{
		if constexpr (bytes) {
			wire w = std::bit_cast<wire>(value);

			return done(how(&w));
		} else {
			auto copy = std::make_unique<T>(std::move(value));
			T *w = copy.get();

			if (!done(how(&w)))
				return false;
			copy.release();
			return true;
		}
	}
	template <typename F> static std::optional<T> get(F how)
	{
		wire w;

		if (!done(how(&w)))
			return std::nullopt;
		if constexpr (bytes)
			return std::bit_cast<T>(w);
		else
			return std::move(*std::unique_ptr<T>(w));
	}
	std::unique_ptr<wire[]> buffer;
	baton_chan ch;
};

} /* namespace baton */

#endif /* BATON_SYNC_HPP */
