#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_symptoms.sh - what baton-debug(7) shows of sick programs is what is seen of
# them, but for numbers: they are in symptoms/, and same.py there compares

set -u
export LC_ALL=C BATON_TIER=poll
ulimit -c unlimited 2>/dev/null
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
page=$top/lib/man/baton-debug.7
bin=$top/build/selftests/lib
tmp=$(mktemp -d)
pid='' tracer=''
trap 'end; rm -rf "$tmp"' EXIT
# shellcheck source=selftests/tap.sh
. "$here/../tap.sh"

end()
{
	# shellcheck disable=SC2086 # one word each
	[ -z "$pid$tracer" ] || { kill -9 $pid $tracer; wait $pid $tracer; } \
		>/dev/null 2>&1
	pid='' tracer=''
}

# same FILE COMMAND...: is the page's example of the last one like the file?
same()
{
	python3 "$here/symptoms/same.py" "$page" "$@" >"$tmp/why" 2>&1
}

report()
{
	status "$1" "$2"
	[ "$1" = 0 ] || sed 's/^/# /' "$tmp/why"
}

# check WHAT FILE COMMAND...
check()
{
	local what=$1
	shift

	same "$@"
	report $? "$what"
}

# until_same WHAT FILE COMMAND...: it may not be so yet, or not at this moment.
# look makes the file anew.
until_same()
{
	local what=$1 begin=$SECONDS
	shift

	until look && same "$@" || [ $((SECONDS - begin)) -ge 120 ]; do
		sleep 0.1
	done
	check "$what" "$@"
}

# A dump has ended when there comes no more of it
ask()
{
	local size=-1 now=0 n=0

	: >"$tmp/said"
	kill -QUIT "$pid"
	while [ "$size" != "$now" ] || [ "$now" = 0 ]; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.1
		size=$now now=$(stat -c %s "$tmp/said")
	done
}

start()
{
	BATON_DUMP=SIGQUIT "$bin/$1" 2>>"$tmp/said" &
	pid=$!
}

# What gdb says before a command is in $tmp/0, and of each in $tmp/1 and on
in_gdb()
{
	local n=0 args=()

	# Or the last one's, if this one does not get that far
	rm -f "$tmp"/[0-9]*
	while [ "$1" != -- ]; do
		n=$((n + 1))
		args+=(-ex "echo @$n\\n" -ex "$1")
		shift
	done
	shift
	args+=(-ex "echo @$((n + 1))\n")
	timeout 60 gdb -nx -batch -iex 'set pagination off' \
		-iex 'set debuginfod enabled off' -iex 'set width 0' \
		-ex "source $top/tools/gdb/baton-gdb.py" "$@" "${args[@]}" \
		>"$tmp/gdb" 2>&1 </dev/null
	# A processor may have more registers than gdb knows of
	awk -v "dir=$tmp" 'BEGIN { n = 0 } /^warning: Section/ { next }
		/^@[0-9]+$/ { n++; next } { print >(dir "/" n) }' "$tmp/gdb"
}

# May a program be attached to that is not the caller's child?
may_attach()
{
	[ "$(id -u)" = 0 ] ||
		[ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null)" \
		  -lt 1 ] 2>/dev/null
}

hung()
{
	start hung
	look() { ask; }
	until_same "a hung program is asked" "$tmp/said" \
		"BATON_DUMP=SIGQUIT ./hung & sleep 4; kill -QUIT \$!"
	if ! command -v gdb >/dev/null || ! may_attach; then
		skip "and by gdb" "no gdb, or it may not attach"
		end
		return
	fi
	# shellcheck disable=SC2016 # the page's
	{
		look() { in_gdb 'info fibers' 'print from' -- -p "$pid"; }
		until_same "and by gdb" "$tmp/1" 'gdb -p $(pidof hung)' \
			'info fibers'
		check "whose a mutex is" "$tmp/2" 'gdb -p $(pidof hung)' \
			'info fibers' 'print from'
	}
	end
}

slow()
{
	local sleeper wchan

	BATON_NPROCS=1 start slow
	look() { ask; }
	until_same "a slow program is asked" "$tmp/said" "BATON_NPROCS=1 \
BATON_TIER=poll BATON_DUMP=SIGQUIT ./slow & sleep 1; kill -QUIT \$!"
	sleep 60 &
	sleeper=$!
	wchan=$(ps -o wchan= -p $sleeper)
	kill $sleeper
	wait $sleeper 2>/dev/null
	# shellcheck disable=SC2016 # the page's
	case $wchan in
	hrtimer_nanosl*|do_nanosl*)
		look() { ps -L -o tid,comm,wchan:20,pcpu -p "$pid" >"$tmp/ps"; }
		until_same "where its threads sleep" "$tmp/ps" \
			'ps -L -o tid,comm,wchan:20,pcpu -p $(pidof slow)' ;;
	*)
		skip "where its threads sleep" "the kernel does not tell" ;;
	esac
	if may_attach && strace -o /dev/null true 2>/dev/null; then
		strace -f -p "$pid" >"$tmp/strace" 2>&1 &
		tracer=$!
		look() { :; }
		# shellcheck disable=SC2016 # the page's
		until_same "what they sleep in" "$tmp/strace" \
			'strace -f -p $(pidof slow)'
	else
		skip "what they sleep in" "no strace, or it may not attach"
	fi
	end
}

crash()
{
	local core

	(cd "$tmp" && exec "$bin/crash") 2>"$tmp/said"
	[ $? != 139 ] || echo "Segmentation fault" >>"$tmp/said"
	check "what a crash says" "$tmp/said" ./crash
	core=$(find "$tmp" -name 'core*' | head -n 1)
	if [ -z "$core" ] || ! command -v gdb >/dev/null; then
		skip "its core" "no gdb, or no core in the current folder"
		return
	fi
	in_gdb 'info fibers' -- "$bin/crash" "$core"
	check "its core" "$tmp/0" "gdb ./crash core"
	check "who did what" "$tmp/1" "gdb ./crash core" "info fibers"
}

leak()
{
	if ! command -v valgrind >/dev/null; then
		skip "valgrind shows who has leaked" "no valgrind"
		return
	fi
	valgrind --leak-check=full "$bin/leak" >"$tmp/said" 2>&1
	check "valgrind shows who has leaked" "$tmp/said" \
		"valgrind --leak-check=full ./leak"
}

hung
slow
crash
leak
plan
