#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_porting.sh - what baton-porting(7) shows compiles, and runs
#
# A block of code begins with a comment that says what it is: Go, which gofmt
# is asked about if there is one; or C, all of which is one program, with the
# function to run, as fiber code or by a thread of its own.

set -u
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
page=$top/lib/man/baton-porting.7
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
	sed -n "s/^\.\\\\\" C $1 \([a-z_]*\)\$/\1/p" "$page"
}

make_program()
{
	local f

	cat <<-'END'
	#include <baton/baton.h>
	#include <errno.h>
	#include <fcntl.h>
	#include <pthread.h>
	#include <stdint.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <unistd.h>
	END
	for ((i = 1; ; i++)); do
		cat "$tmp/C$i.txt" 2>/dev/null || break
		echo
	done
	echo "static void *first(void *arg) {"
	functions fiber | sed 's/.*/&(); puts("&");/'
	echo "return arg; }"
	echo "int main(void) {"
	functions run | sed 's/.*/&(); puts("&");/'
	echo "return baton_run(NULL, first, NULL, NULL) ? 1 : 0; }"
}

blocks C "$tmp/C"
blocks Go "$tmp/Go"
make_program >"$tmp/all.c"
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fexceptions \
	"-I$top/lib/include" -o "$tmp/all" "$tmp/all.c" \
	"$top/build/libbaton.a" -pthread
status $? "all of it compiles"
timeout 60 "$tmp/all" >"$tmp/did"
status $? "all of it runs"
for f in $(functions run) $(functions fiber); do
	grep -qx "$f" "$tmp/did"
	status $? "$f"
done
if command -v gofmt >/dev/null; then
	for f in "$tmp"/Go*.txt; do
		gofmt -e <"$f" >/dev/null
		status $? "Go: $(head -n 1 "$f")"
	done
else
	echo "# SKIP Go: no gofmt"
fi
plan
