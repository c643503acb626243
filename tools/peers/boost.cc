// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
// boost.cc - the rows of tools/peers for Boost.Fiber, whose fibers stay on their
// thread unless a scheduler that steals is chosen.
#include <boost/fiber/all.hpp>
#include <thread>
#include <vector>

#include "peer.h"

using namespace boost::fibers;

static void yields(uint64_t n)
{
	while (n--)
		boost::this_fiber::yield();
}

static void yield_row(uint64_t n)
{
	fiber other(yields, n);

	yields(n);
	other.join();
}

static void spawn_row(uint64_t n)
{
	while (n--)
		fiber([] {}).join();
}

static void batch_row(uint64_t n)
{
	std::vector<fiber> fibers;

	while (n--) {
		for (int i = 0; i < 10000; i++)
			fibers.emplace_back([] {});
		for (auto &f : fibers)
			f.join();
		fibers.clear();
	}
}

static void answers(unbuffered_channel<uint64_t> *to,
		    unbuffered_channel<uint64_t> *from)
{
	uint64_t v;

	while (to->pop(v) == channel_op_status::success)
		from->push(v);
}

static void trips(unbuffered_channel<uint64_t> &to,
		  unbuffered_channel<uint64_t> &from, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		to.push(i);
		peer_check(from.value_pop() == i, "element");
	}
	to.close();
}

static void chan1_row(uint64_t n)
{
	unbuffered_channel<uint64_t> to, from;
	fiber other(answers, &to, &from);

	trips(to, from, n);
	other.join();
}

static void chan2_row(uint64_t n)
{
	unbuffered_channel<uint64_t> to, from;
	std::thread other(answers, &to, &from);

	trips(to, from, n);
	other.join();
}

static void mutex_row(uint64_t n)
{
	std::vector<fiber> fibers;
	uint64_t inside = 0;
	mutex lock;

	lock.lock();
	for (int i = 0; i < 4; i++)
		fibers.emplace_back([&] {
			for (uint64_t k = 0; k < n; k++) {
				lock.lock();
				inside++;
				lock.unlock();
			}
		});
	boost::this_fiber::yield();
	lock.unlock();
	for (auto &f : fibers)
		f.join();
	peer_check(inside == 4 * n, "exclusion");
}

static uint64_t node(uint64_t first, uint64_t n)
{
	std::vector<future<uint64_t>> parts;
	uint64_t sum = 0;

	if (n == 1)
		return first;
	for (int i = 0; i < 10; i++)
		parts.push_back(async(node, first + i * (n / 10), n / 10));
	for (auto &part : parts)
		sum += part.get();
	return sum;
}

static void skynet_row(uint64_t n)
{
	while (n--)
		peer_check(node(0, 1000000) == 499999500000, "sum");
}

static const struct peer_row rows[] = {
	{ "yield", 1, 2, yield_row },
	{ "spawn", 1, 1, spawn_row },
	{ "batch", 1, 10000, batch_row },
	{ "chan1", 1, 1, chan1_row },
	{ "chan2", 2, 1, chan2_row },
	{ "mutex", 1, 4, mutex_row },
	{ "skynet1", 1, 1000000, skynet_row },
	{ nullptr, 0, 0, nullptr }
};

int main(int, char **argv)
{
	peer_measure(peer_row(rows, argv[1]));
}
