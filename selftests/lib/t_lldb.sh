#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_lldb.sh - lldb tells fibers in all states, on a live process and on its core
# dump
#
# usage: selftests/lib/t_lldb.sh
#
# The program is gdb/states.c, as for t_gdb.

set -u
export LC_ALL=C BATON_TIER=poll
ulimit -c unlimited 2>/dev/null
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
program=$top/build/selftests/lib/states
# shellcheck source=selftests/lib/gdb/states.sh
. "$here/gdb/states.sh"

in_lldb()
{
	timeout 60 "$lldb" -x -b "$@" >"$tmp/out" 2>&1 </dev/null
}

# part N: what lldb said of its Nth command, in $tmp/out
part()
{
	awk -v n="$1" '/^\(lldb\) / { i++; next } i == n' "$tmp/all" >"$tmp/out"
}

# Does a backtrace in $tmp/out have these functions, in this order?
calls()
{
	local text

	text=$(sed -nE 's/^.*frame #.* [^ ]+`([A-Za-z_0-9]+).*/\1/p' \
		"$tmp/out" | tr '\n' ' ')
	if [[ $text == *$1* ]]; then echo ok; else echo "calls: $text"; fi
}

# look WHAT WAY...: all that is asked of lldb, of the target that WAY gives it
look()
{
	local what=$1
	shift

	in_lldb "$@" -o "command script import $top/tools/gdb/baton_lldb.py" \
		-o fibers -o 'fiber parks bt' -o 'fiber calls-back' -o bt \
		-o 'fiber calls bt' -o 'fiber off' -o 'thread list' \
		-o 'fiber nobody'
	mv "$tmp/out" "$tmp/all"
	part 3
	report "$what: fibers" "$(states named)"
	part 4
	report "$what: a parked fiber's calls" "$(calls \
		' park fiber_main baton_asm_entry')"
	part 6
	report "$what: a fiber's in a callback" "$(calls \
		' park_back baton_asm_call baton_callback call_back ')"
	report "$what: and what led to that" "$(calls \
		' baton_call callback fiber_main baton_asm_entry')"
	part 7
	report "$what: a fiber's in a foreign call" "$(calls \
		' block baton_asm_call baton_call call fiber_main ')"
	part 9
	report "$what: threads alone, when that is over" "$(
		grep -q 'thread #1: tid' "$tmp/out" &&
		! grep -q 'fiber ' "$tmp/out" && echo ok || echo no)"
	cp "$tmp/all" "$tmp/out"
	report "$what: one that is not there" "$(
		grep -qx 'error: there is no fiber nobody' "$tmp/out" &&
		echo ok || echo "no such error")"
}

lldb=$(command -v lldb || command -v lldb-14)
if [ ! -x "$program" ] || [ -z "$lldb" ] || [ "$(uname -m)" != x86_64 ]; then
	echo "1..0 # SKIP no lldb, or not x86_64, or states.c is not built"
	exit 0
fi
# Debian's 14 looks for its own Python in a folder that there is not
export PYTHONPATH=/usr/lib/llvm-14/lib/python3.11/dist-packages
in_lldb -o 'script print("it " + "has")'
grep -q 'it has' "$tmp/out" || {
	echo "1..0 # SKIP an lldb without Python"
	exit 0
}

start "$program"
look live -p "$pid"
stop ABRT
core=$(find "$tmp" -name 'core*' | head -n 1)
if [ -n "$core" ]; then
	look "a core" -o "target create --core $core $program"
else
	skip "a core" "this system keeps none in the current folder"
fi
plan
