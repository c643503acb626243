#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# runner.sh - run the library's tests and count what they say
#
# usage: selftests/lib/runner.sh BUILD_DIR [NAME...]
#
# A name is that of a program in BUILD_DIR or of a script beside this one; all
# of them by default. The output is TAP; what the tests print is nested in it.
# The last line is "N passed, N failed, N skipped" and counts single tests. A
# program that dies or is stopped counts as failed for each test it still owed.
#
# BATON_TIER		the tier to test
# BATON_TEST_SCALE	do so many times less of what is repeated
# BATON_TEST_TIMEOUT	seconds for a single test
# BATON_TEST_SEED	of the random ones; they print theirs
# BATON_EMULATOR	words to run a program by, if it is not for this machine

here=$(dirname "$0")
build=$1
if [ ! -d "$build" ]; then
	sed -n 's/^# usage:/usage:/p' "$0" >&2
	exit 1
fi
shift

if [ $# -eq 0 ]; then
	mapfile -t names < <(make -s --no-print-directory -C "$here" list)
	names+=(t_pprof)
	# What does not depend on the tier
	case ${BATON_TIER:-} in
	kmod|idle)	;;
	*)		names+=(t_abi t_gdb t_lldb t_porting t_refused t_tls) ;;
	esac
	set -- "${names[@]}"
fi

timeout=${BATON_RUN_TIMEOUT:-600}
pass=0 fail=0 skip=0 num=0

# The line that makes the kernel's log tell what happened when
marker()
{
	if [ -w /dev/kmsg ]; then
		echo "baton selftest: lib: $*" >/dev/kmsg
	fi
} 2>/dev/null

# Counts the results in a program's output
count()
{
	local plan='' seen=0 line

	while IFS= read -r line; do
		case $line in
		1..*)		plan=${line#1..} ;;
		"# SKIP "*)	skip=$((skip + 1)) ;;
		"not ok "*)	seen=$((seen + 1)) fail=$((fail + 1)) ;;
		"ok "*)		seen=$((seen + 1)) pass=$((pass + 1)) ;;
		esac
	done <"$1"
	# libcheck's plan comes last: without it somebody died
	[[ $plan =~ ^[0-9]+$ ]] || plan=$((seen + 1))
	if [ $seen -lt "$plan" ]; then
		echo "# $((plan - seen)) results are missing"
		fail=$((fail + plan - seen))
	fi
}

run_one()
{
	local program=$build/$1 before=$fail status start=$SECONDS

	num=$((num + 1))
	[ -x "$program" ] || program=$here/$1.sh
	marker "$1"
	# shellcheck disable=SC2086 # one word each
	timeout -k 5 "$timeout" ${BATON_EMULATOR:-} "$program" >"$tmp/out" 2>&1 </dev/null &
	child=$!
	wait $child
	status=$?
	sed 's/^/# /' "$tmp/out"
	count "$tmp/out"
	if [ $status != 0 ] && [ $fail = "$before" ]; then
		fail=$((fail + 1))
	fi
	if [ $fail = "$before" ]; then
		echo "ok $num selftests: lib: $1 # $((SECONDS - start)) s"
	else
		echo "not ok $num selftests: lib: $1 # status $status"
	fi
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# timeout is in a process group of its own, and tells the program
child=
trap '[ -z "$child" ] || kill $child 2>/dev/null; exit 143' INT TERM

echo "TAP version 13"
echo "1..$#"
for name; do
	run_one "$name"
done
marker "done"
echo "$pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
