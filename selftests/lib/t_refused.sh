#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_refused.sh - calls that must not compile do not, and the compiler says
# why in the words of a static assertion; and the public headers compile with
# the strictest flags

set -u
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/../tap.sh"
compilers=(gcc clang)
cxx=(g++ clang++)

# compile COMPILER FLAG...: standard input; what it says goes to $said
compile()
{
	said=$("$@" "-I$top/lib/include" -D_GNU_SOURCE -fsyntax-only - 2>&1)
}

# A program around one statement
program()
{
	cat <<END
#include <baton/baton.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
struct pair { int a, b; };
double half(double);
double result(int);
int takes(struct pair);
__extension__ typedef __int128 wide;
int longs(wide);
int number(int);
struct pair gives(int);
int seven(int, int, int, int, int, int, int);
void nothing(int);
int mixed(double, int);
enum kind { ONE, TWO };
int kinds(void (*)(int), enum kind, bool, const volatile char *, short, ...);
int last(const char *, enum kind, bool, unsigned char, float);
int single(float);
int longest(long double);
int complex(_Complex double);
int six(int, int, int, int, int, double);
int ints(unsigned, long, bool, signed char, enum kind, unsigned long);
__attribute__((warn_unused_result)) int used(int);
__attribute__((nonnull)) int both(char *, const void *);
__attribute__((noreturn)) void never(int);
int old();
#define take(...) ((void)(__VA_ARGS__))
void test(void);
void test(void)
{
	struct pair p = { 1, 2 };
	int err = 0, n = 3, (*fi)(unsigned long) = 0;
	double (*fn)(double) = half;
	char c = 1;
	const char *p_ = "";

	(void)p, (void)err, (void)n, (void)fi, (void)fn, (void)c, (void)p_;
	$1;
}
END
}

# refused LANGUAGE STATEMENT WORDS: by each compiler that is there
refused()
{
	local lang=$1 statement=$2 words=$3 cc names=("${compilers[@]}")
	local std=gnu11

	[ "$lang" = c ] || names=("${cxx[@]}") std=c++17
	for cc in "${names[@]}"; do
		command -v "$cc" >/dev/null || continue
		! compile "$cc" -x "$lang" "-std=$std" \
			< <(program "$statement") && [[ $said = *"$words"* ]]
		status $? "$cc refuses $statement"
	done
}

# accepted LANGUAGE STATEMENT FLAG...: without a word
accepted()
{
	local lang=$1 statement=$2 cc names=("${compilers[@]}")

	shift 2
	[ "$lang" = c ] || names=("${cxx[@]}")
	for cc in "${names[@]}"; do
		command -v "$cc" >/dev/null || continue
		compile "$cc" -x "$lang" "$@" < <(program "$statement") &&
			[ -z "$said" ]
		status $? "$cc $* accepts $statement"
		[ -z "$said" ] || head -n 5 <<<"$said" | sed 's/^/# /'
	done
}

argument="an argument is neither an integer nor a pointer"
result="the result is neither an integer nor a pointer"
refused c "BATON_CALL(err, half, 3.0)" "$argument"
refused c "BATON_CALL(err, number, 3.0f)" "$argument"
refused c "BATON_CALL(err, takes, p)" "$argument"
refused c "BATON_CALL(err, longs, (wide)1)" "$argument"
refused c "BATON_CALL(err, result, 3)" "$result"
refused c "BATON_CALL(err, gives, 3)" "$result"
refused c "BATON_CALL_NOERR(half, 3.0)" "$argument"
refused c "BATON_CALL(err, seven, 1, 2, 3, 4, 5, 6, 7)" \
	"more than six arguments"
refused c++ "baton::call([] { return 1; })" "would lose what this returns"

# An integer for a floating-point parameter
for call in "half, 3" "half, 0" "half, c" "mixed, 3, 4" \
	"last, p_, TWO, n, 1u, n" "single, 1" "longest, 1" \
	"complex, 1" "six, 1, 2, 3, 4, 5, 6" "(*fn), n"
do
	refused c "BATON_CALL(err, $call)" "baton_integer_or_pointer"
done
refused c "BATON_CALL_NOERR(half, 3)" "baton_integer_or_pointer"
refused c "take(BATON_CALL(err, number, BATON_CALL_NOERR(half, 3)))" \
	"baton_integer_or_pointer"

wide=(-Wall -Wextra -Wconversion)
accepted c "n = BATON_CALL(err, number, 3)" -std=gnu11 "${wide[@]}" -Wshadow
accepted c "n = BATON_CALL(err, number, BATON_CALL_NOERR(number, 3))" \
	-std=gnu11 "${wide[@]}" -Wshadow
accepted c "n = BATON_CALL(err, number, 3)" -std=c99 -pedantic-errors
accepted c "n = BATON_CALL(err, number, 3)" -std=c11 -pedantic-errors
accepted c "BATON_CALL(err, kinds, nothing, TWO, (bool)1, \"\", (short)2, 3L)" \
	-std=c11 -pedantic-errors "${wide[@]}"
accepted c "n = BATON_CALL(err, bind, 0, (struct sockaddr *)&p, (socklen_t)8)" \
	-std=gnu11 "${wide[@]}" -Wcast-align
accepted c "n = BATON_CALL(err, printf, \"%d\", n)" -std=c11 -Wall -Wformat=2
# What has parameters of all other kinds, by whatever name, in whatever place
for call in "ints, 1, n, (bool)1, (signed char)c, TWO, 3" \
	"ints, 0, 0, 0, 0, 0, 0" "old, n, p_, 3" "old" "*fi, 3" "fi, 3" \
	"printf, \"%d %s\", n, p_" \
	"used, 3" "never, n" "both, &c, p_" "(n ? number : used), 1" \
	"kinds, &nothing, ONE, 0, 0, 0" \
	"abs, n" "strtol, p_, NULL, 0" "memset, &p, 0, sizeof(p)" "printf, \"n\""
do
	accepted c "BATON_CALL(err, $call)" -O2 "${wide[@]}" \
		-Wno-int-conversion -Wformat=2 -Wdeclaration-after-statement
	accepted c "take(BATON_CALL_NOERR($call))" -std=c11 -pedantic-errors \
		-Wall -Wextra -isystem "$top/lib/include"
done
accepted c++ "n = BATON_CALL(err, number, 3)" -std=c++11 "${wide[@]}" \
	-Wold-style-cast
accepted c++ "BATON_CALL(err, half, 3), BATON_CALL(err, takes, p)" \
	-std=c++17 "${wide[@]}" -Wold-style-cast
accepted c++ "err = baton::call([&] { n = 4; })" -std=c++20 "${wide[@]}" \
	-Wold-style-cast

# The headers for C++20 by themselves, and what a task must not await; those of
# C where a program takes them for no more than that
for cc in "${cxx[@]}"; do
	command -v "$cc" >/dev/null || continue
	compile "$cc" -x c++ -std=c++11 "${wide[@]}" <<'END' && [ -z "$said" ]
extern "C" {
#include <baton/baton.h>
}
END
	status $? "$cc: <baton/baton.h> in extern \"C\""
	for std in c++20 c++2b; do
		for h in baton run fiber sync task; do
			compile "$cc" -x c++ "-std=$std" "${wide[@]}" -Wshadow \
				-Wold-style-cast -pedantic-errors \
				<<<"#include <baton/$h.hpp>" && [ -z "$said" ]
			status $? "$cc $std: <baton/$h.hpp>"
		done
		compile "$cc" -x c++ "-std=$std" "${wide[@]}" -Wshadow \
			-Wold-style-cast -pedantic-errors \
			-I "$top/selftests/lib" \
			<"$top/selftests/lib/t_hpp.cc" && [ -z "$said" ]
		status $? "$cc $std: t_hpp.cc"
	done
	! compile "$cc" -x c++ -std=c++20 <<'END' && [[ $said = *"awaits tasks"* ]]
#include <baton/baton.hpp>
baton::task<> t()
{
	co_await std::suspend_always();
}
END
	status $? "$cc: a task refuses to wait for others"
done
plan
