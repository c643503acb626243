#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_porting.sh - what pages of section 7 show compiles, and runs
#
# A block of code begins with a comment that says what it is: Go, which gofmt
# is asked about if there is one; or C or C++, all of which is one program, with
# the function to run, as fiber code or by a thread of its own.

set -u
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/../tap.sh"

# The blocks of language $1, as C or Go has them: one after another to $2 and on
blocks()
{
	awk -v lang="$1" -v out="$2" '
		/^\.nf$/	{ begin = 1; next }
		/^\.fi$/	{ inside = 0 }
		begin		{ begin = 0; inside = $2 == lang; n += inside; next }
		inside		{ gsub(/\\e/, "\\"); gsub(/\\-/, "-"); gsub(/\\&/, "")
				  print >(out n ".txt") }
	' "$page"
}

# Functions to run: $1 is run or fiber
functions()
{
	sed -n "s/^\.\\\\\" $lang $1 \([a-z_]*\)\$/\1/p" "$page"
}

# A program of all blocks, after the headers of standard input
make_program()
{
	cat
	for ((i = 1; ; i++)); do
		cat "$tmp/$lang$i.txt" 2>/dev/null || break
		echo
	done
	echo "static void *first(void *arg) {"
	functions fiber | sed 's/.*/&(); puts("&");/'
	echo "return arg; }"
	echo "int main(void) {"
	functions run | sed 's/.*/&(); puts("&");/'
	echo "return baton_run(0, first, 0, 0) ? 1 : 0; }"
}

# try PAGE LANGUAGE COMPILER...: headers are standard input
try()
{
	local f name=$1

	page=$top/lib/man/$1 lang=$2
	shift 2
	rm -f "$tmp"/*
	blocks "$lang" "$tmp/$lang"
	make_program >"$tmp/all"
	"$@" -D_GNU_SOURCE -Wall -Wextra -Werror "-I$top/lib/include" \
		-o "$tmp/run" "$tmp/all" -x none "$top/build/libbaton.a" \
		-pthread $uring
	status $? "$name: all of it compiles"
	timeout 60 "$tmp/run" >"$tmp/did"
	status $? "$name: all of it runs"
	for f in $(functions run) $(functions fiber); do
		grep -qx "$f" "$tmp/did"
		status $? "$name: $f"
	done
}

# Was the library built with it?
uring=
! ar t "$top/build/libbaton.a" | grep -qx ring.o || uring=-luring

c_headers()
{
	cat <<-'END'
	#include <baton/baton.h>
	#include <errno.h>
	#include <fcntl.h>
	#include <pthread.h>
	#include <spawn.h>
	#include <stdint.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <unistd.h>
	END
}

c=("${CC:-cc}" -std=gnu11 -O1 -fexceptions -x c)
try baton-porting.7 C "${c[@]}" < <(c_headers)
blocks Go "$tmp/Go"
if command -v gofmt >/dev/null; then
	for f in "$tmp"/Go*.txt; do
		gofmt -e <"$f" >/dev/null
		status $? "Go: $(head -n 1 "$f")"
	done
else
	echo "# SKIP Go: no gofmt"
fi
try baton-adopting.7 C "${c[@]}" < <(c_headers)
try baton-cpp.7 C++ "${CXX:-g++}" -std=c++20 -x c++ <<'END'
#include <baton/baton.hpp>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
END
plan
