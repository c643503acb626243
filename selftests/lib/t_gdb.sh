#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_gdb.sh - gdb tells fibers in all states, on a live process, on its core
# dump, on those of a program without symbols, and on those of the shared library
# as it is installed, which brings its script along
#
# usage: selftests/lib/t_gdb.sh [PROGRAM TRIPLET EMULATOR...]
#        selftests/lib/t_gdb.sh --dump PROGRAM
#        selftests/lib/t_gdb.sh --core PROGRAM CORE
#
# The program is gdb/states.c, which is built by the Makefile here. With
# arguments it is that of another architecture, and gdb is told by the emulator's
# stub: selftests/arch/run. Of one that only a virtual machine runs, --dump there
# writes the core to standard output, compressed, and --core looks at that.

set -u
export LC_ALL=C BATON_TIER=poll
ulimit -c unlimited 2>/dev/null
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
what=
case ${1:-} in
--*)	what=$1; shift ;;
esac
program=$(realpath "${1:-$top/build/selftests/lib/states}")
script=$top/tools/gdb/baton-gdb.py
# shellcheck source=selftests/lib/gdb/states.sh
. "$here/gdb/states.sh"
gdb=gdb

in_gdb()
{
	timeout 60 "$gdb" -nx -batch -ex 'set pagination off' \
		-ex 'set debuginfod enabled off' -ex 'set width 0' \
		"$@" >"$tmp/out" 2>&1 </dev/null
}

# Does a backtrace in $tmp/out have these functions, in this order?
calls()
{
	local text

	text=$(sed -nE 's/^#[0-9]+ +(0x[0-9a-f]+ in )?([A-Za-z_0-9]*) ?\(.*/\2/p' \
		"$tmp/out" | tr '\n' ' ')
	grep -qiE 'corrupt|stopped' "$tmp/out" && echo "the backtrace stops" && return
	if [[ $text == *$1* ]]; then echo ok; else echo "calls: $text"; fi
}

# part N: what gdb said after mark N, in $tmp/out
part()
{
	sed -n "/^@$1\$/,/^@/p" "$tmp/all" | grep -v '^@' >"$tmp/out"
}

# look WHAT named|bare WAY...: all that is asked of gdb, of the target that the
# words of WAY make it have
look()
{
	local what=$1 names=$2 f found
	shift 2

	# shellcheck disable=SC2016 # gdb's
	in_gdb "$@" -ex 'echo @1\n' -ex 'info fibers' \
		-ex 'echo @2\n' -ex 'fiber parks' -ex bt \
		-ex 'echo @3\n' -ex 'fiber calls-back' -ex bt \
		-ex 'echo @4\n' -ex 'fiber calls' -ex bt \
		-ex 'echo @5\n' -ex 'fiber apply all bt' \
		-ex 'echo @6\n' -ex 'fiber locks' -ex 'frame function wait_mutex' \
		-ex 'p mutex' -ex 'p $fiber("parks")' -ex 'p parked' \
		-ex 'echo @7\n' -ex 'info threads'
	mv "$tmp/out" "$tmp/all"
	part 1
	report "$what: info fibers" "$(states "$names")"
	[ "$names" = named ] || return
	part 2
	report "$what: a parked fiber's calls" "$(calls 'baton_park park fiber_main')"
	part 3
	report "$what: a fiber's in a callback" \
		"$(calls 'baton_park park_back __morestack')"
	report "$what: and what led to that" "$(calls 'baton_call callback fiber_main')"
	part 4
	report "$what: a fiber's in a foreign call" "$(calls 'block __morestack')"
	part 5
	found=ok
	for f in first park hold wait_mutex receive read_pipe wait_sem call \
		 callback run yield; do
		grep -qE "^#.* $f \(" "$tmp/out" || found="without $f()"
	done
	report "$what: fiber apply all bt" "$found"
	part 6
	report "$what: printers" "$(
		grep -q 'held by fiber [0-9]* "holds", 1 waits' "$tmp/out" &&
		[ "$(grep -c '(fiber [0-9]* "parks")' "$tmp/out")" = 2 ] &&
		echo ok || echo "no such lines")"
}

if [ "$what" = --dump ]; then
	echo core >/proc/sys/kernel/core_pattern
	start "$program"
	stop ABRT
	gzip -c "$tmp"/core*
	exit
fi

if [ ! -x "$program" ] || ! command -v gdb >/dev/null; then
	echo "1..0 # SKIP no gdb, or states.c is not built"
	exit 0
fi
in_gdb -ex 'python print("it " + "has")'
grep -q 'it has' "$tmp/out" || {
	echo "1..0 # SKIP a gdb without Python"
	exit 0
}

if [ "$what" = --core ]; then
	gdb=gdb-multiarch
	look "a core" named -x "$script" "$program" "$2"
	plan
	exit
fi

if [ $# -gt 0 ]; then
	gdb=gdb-multiarch root=/usr/$2
	shift 2
	"$@" -g "$tmp/stub" "$program" >/dev/null 2>&1 </dev/null &
	pid=$!
	until [ -S "$tmp/stub" ] || ! kill -0 "$pid"; do sleep 0.1; done
	look emulated named -x "$script" -ex "set sysroot $root" \
		-ex "file $program" -ex "target remote $tmp/stub" \
		-ex 'break spin' -ex continue
	stop KILL
	plan
	exit
fi

start "$program"
look live named -p "$pid" -x "$script"
part 7
report "threads have names" "$(grep -q '"baton/1"' "$tmp/out" &&
	grep -q '"baton-watch"' "$tmp/out" && echo ok || echo no)"
stop ABRT
core=$(find "$tmp" -name 'core*' | head -n 1)
if [ -n "$core" ]; then
	look "a core" named -x "$script" "$program" "$core"
	rm -f "$core"
else
	skip "a core" "this system keeps none in the current folder"
fi

strip -o "$tmp/stripped" "$program"
start "$tmp/stripped"
look stripped bare -p "$pid" -x "$script"
stop KILL

# As it is installed: gdb finds the script by the library's name
make -s -C "$top" prefix="$tmp/usr" install >"$tmp/out" 2>&1 &&
	cc -g -O1 -fno-optimize-sibling-calls -I"$tmp/usr/include" -o "$tmp/shared" \
		"$here/gdb/states.c" -L"$tmp/usr/lib" -lbaton \
		-Wl,-rpath,"$tmp/usr/lib" >>"$tmp/out" 2>&1
report "a program of the installed library" \
	"$([ -x "$tmp/shared" ] && echo ok || echo no)"
start "$tmp/shared"
look installed named -p "$pid" \
	-iex "add-auto-load-safe-path $tmp/usr" \
	-iex "add-auto-load-scripts-directory $tmp/usr/share/gdb/auto-load"
stop KILL
plan
