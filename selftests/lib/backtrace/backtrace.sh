#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# backtrace.sh - one stack for gdb and for perf, whatever lies where
#
# usage: selftests/lib/backtrace/backtrace.sh BUILD_DIR
#
# In each of chain.c's two places, whose stacks lie in different orders, gdb
# and frame-pointer unwinding must show the whole way from leaf() to the entry
# of the fiber, in order and without a gap. TAP; the last line is
# "N passed, N failed, N skipped".

set -u
program=$1/backtrace
chain=(leaf foreign_inner baton_call callback_fn baton_callback foreign_outer
       baton_call fiber_fn fiber_main)
num=0 pass=0 fail=0 skip=0

passed()
{
	num=$((num + 1)) pass=$((pass + 1))
	echo "ok $num - $1"
}

failed()
{
	num=$((num + 1)) fail=$((fail + 1))
	echo "not ok $num - $1"
	sed 's/^/# /' "$tmp/out"
}

skipped()
{
	num=$((num + 1)) skip=$((skip + 1))
	echo "ok $num - $1 # SKIP $2"
}

# Reads names of functions, innermost first. Are the chain's among them in
# this order, with nothing in between but our own routines?
is_chain()
{
	local i=0 name

	while read -r name; do
		if [ "$name" = "${chain[i]}" ]; then
			i=$((i + 1))
			[ $i -lt ${#chain[@]} ] || return 0
		elif [ $i -gt 0 ]; then
			case $name in
			__morestack|baton_asm_*|san_call|call_out) ;;
			main_fiber|other_fn) ;;
			*) return 1 ;;
			esac
		fi
	done
	return 1
}

gdb_names()
{
	sed -nE 's/^#[0-9]+ +(0x[0-9a-f]+ in )?([A-Za-z_0-9]+) \(.*/\2/p'
}

in_gdb()
{
	if ! gdb -nx -batch -ex 'set pagination off' \
	     -ex 'set debuginfod enabled off' -ex 'set width 0' \
	     -ex 'break leaf' -ex "run $1" -ex bt -ex kill "$program" \
	     >"$tmp/out" 2>&1 </dev/null; then
		failed "gdb, $1 worker"
	elif grep -qiE 'backtrace stopped|corrupt|cannot access' "$tmp/out" ||
	     ! gdb_names <"$tmp/out" | is_chain; then
		failed "gdb, $1 worker"
	else
		passed "gdb, $1 worker"
	fi
}

# One sample is a header line, a line per frame, and an empty line
any_sample()
{
	local sample='' line

	while read -r _ line; do
		if [ -n "$line" ]; then
			sample+=${line%% *}$'\n'
		else
			is_chain <<<"$sample" && return 0
			sample=
		fi
	done
	is_chain <<<"$sample"
}

in_perf()
{
	perf script -i "$tmp/perf.data" -F ip,sym >"$tmp/script" \
		2>"$tmp/err" </dev/null
	cat "$tmp/err" >"$tmp/out"
	head -n 40 "$tmp/script" >>"$tmp/out"
	if any_sample <"$tmp/script"; then
		passed "perf record --call-graph fp, $1 worker"
	else
		failed "perf record --call-graph fp, $1 worker"
	fi
}

perf_works()
{
	perf record -q -e cpu-clock:u --call-graph fp -o "$tmp/perf.data" \
		true >"$tmp/out" 2>&1 </dev/null
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export BATON_TIER=poll

echo "1..4"
for where in first other; do
	if command -v gdb >/dev/null; then
		in_gdb $where
	else
		skipped "gdb, $where worker" "no gdb"
	fi
	if ! command -v perf >/dev/null; then
		skipped "perf, $where worker" "no perf"
	elif ! perf_works; then
		skipped "perf, $where worker" "not permitted"
	else
		perf record -q -e cpu-clock:u --call-graph fp \
			-o "$tmp/perf.data" "$program" $where spin \
			>"$tmp/out" 2>&1 </dev/null
		in_perf $where
	fi
done
echo "$pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
