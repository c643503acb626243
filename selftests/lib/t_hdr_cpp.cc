// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_hdr_cpp.cc - the public headers as C++, and BATON_CALL() there. */
#include <baton/call.h>
#include <baton/fiber.h>
#include <baton/runtime.h>
#include <baton/baton.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

static int number;
static bool failed;

static void report(bool good, const char *what)
{
	std::printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
	failed |= !good;
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
	return arg;
}

int main()
{
	std::printf("1..6\n");
	if (baton_run(nullptr, check, nullptr, nullptr))
		report(false, "baton_run");
	return failed;
}
