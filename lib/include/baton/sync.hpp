/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* sync.hpp - locks, conditions, semaphores and the like; see baton.hpp. */
#ifndef BATON_SYNC_HPP
#define BATON_SYNC_HPP

#include <baton/run.hpp>

#include <cerrno>
#include <concepts>
#include <memory>
#include <mutex>

namespace baton {

namespace detail {

/* Was it had? A deadline that has come, a scope's as well, is no error here. */
inline bool in_time(int err, const char *what)
{
	if (err != -ETIMEDOUT)
		check(err, what);
	return !err;
}

} /* namespace detail */

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
	template <typename T> bool try_lock_until(T t)
	{
		return detail::in_time(baton_mutex_lock_until(
					&m, detail::when(t)),
				       "baton::mutex::try_lock_until");
	}
	template <typename D> bool try_lock_for(D d)
	{
		return try_lock_until(detail::at(d));
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
	baton_mutex m = BATON_MUTEX_INIT;
};

/**
 * baton::rwlock - many readers, or one writer: baton_rwlock_rdlock()
 *
 * For std::shared_lock, and std::unique_lock to write. What the mutex throws,
 * this does.
 */
class rwlock {
public:
	rwlock() = default;
	rwlock(const rwlock &) = delete;
	void lock()
	{
		detail::check(baton_rwlock_wrlock(&rw), "baton::rwlock::lock");
	}
	bool try_lock()
	{
		return !baton_rwlock_trywrlock(&rw);
	}
	template <typename T> bool try_lock_until(T t)
	{
		return detail::in_time(baton_rwlock_wrlock_until(
					&rw, detail::when(t)),
				       "baton::rwlock::try_lock_until");
	}
	template <typename D> bool try_lock_for(D d)
	{
		return try_lock_until(detail::at(d));
	}
	void unlock()
	{
		baton_rwlock_unlock(&rw);
	}
	void lock_shared()
	{
		detail::check(baton_rwlock_rdlock(&rw),
			      "baton::rwlock::lock_shared");
	}
	bool try_lock_shared()
	{
		return !baton_rwlock_tryrdlock(&rw);
	}
	template <typename T> bool try_lock_shared_until(T t)
	{
		return detail::in_time(baton_rwlock_rdlock_until(
					&rw, detail::when(t)),
				       "baton::rwlock::try_lock_shared_until");
	}
	template <typename D> bool try_lock_shared_for(D d)
	{
		return try_lock_shared_until(detail::at(d));
	}
	void unlock_shared()
	{
		baton_rwlock_unlock(&rw);
	}

private:
	baton_rwlock rw = BATON_RWLOCK_INIT;
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
	/** The same for a while. Return: what @ready() said last. */
	template <typename T, std::predicate P>
	bool wait_until(std::unique_lock<mutex> &lock, T t, P ready)
	{
		while (!ready())
			if (!detail::in_time(baton_cond_wait_until(
						&c, lock.mutex()->native(),
						detail::when(t)),
					     "baton::condition::wait_until"))
				return ready();
		return true;
	}
	template <typename D, std::predicate P>
	bool wait_for(std::unique_lock<mutex> &lock, D d, P ready)
	{
		return wait_until(lock, detail::at(d), std::move(ready));
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

/** baton::semaphore - as std::counting_semaphore: baton_sem_wait(). */
class semaphore {
public:
	explicit semaphore(unsigned n)
	{
		detail::check_reason(baton_sem_init(&s, n));
	}
	semaphore(const semaphore &) = delete;
	void acquire()
	{
		detail::check(baton_sem_wait(&s), "baton::semaphore::acquire");
	}
	bool try_acquire()
	{
		return !baton_sem_trywait(&s);
	}
	template <typename T> bool try_acquire_until(T t)
	{
		return detail::in_time(baton_sem_wait_until(
					&s, detail::when(t)),
				       "baton::semaphore::try_acquire_until");
	}
	template <typename D> bool try_acquire_for(D d)
	{
		return try_acquire_until(detail::at(d));
	}
	/** One by one: where it throws, those before have been released. */
	void release(unsigned n = 1)
	{
		while (n--)
			detail::check(baton_sem_post(&s),
				      "baton::semaphore::release");
	}

private:
	baton_sem s;
};

/** baton::barrier - where a number of them meet: baton_barrier_wait(). */
class barrier {
public:
	explicit barrier(unsigned n)
	{
		detail::check_reason(baton_barrier_init(&b, n));
	}
	barrier(const barrier &) = delete;
	/** Return: true to the last one. One that throws was not counted. */
	bool arrive_and_wait()
	{
		return detail::check(baton_barrier_wait(&b),
				     "baton::barrier::arrive_and_wait");
	}

private:
	baton_barrier b;
};

/**
 * baton::once - call @fn() the first time: baton_once()
 *
 * What @fn throws is thrown to who called it, and the next one calls it anew.
 */
class once {
public:
	once() = default;
	once(const once &) = delete;
	template <std::invocable F> void call(F &&fn)
	{
		using type = std::remove_reference_t<F>;
		/* An object, whatever @fn is: a function has no void pointer. */
		type *p = std::addressof(fn);

		detail::check(baton_once(&o, [](void *arg) {
			(**static_cast<type **>(arg))();
		}, &p), "baton::once::call");
	}

private:
	struct baton_once o = BATON_ONCE_INIT;
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

} /* namespace baton */

#endif /* BATON_SYNC_HPP */
