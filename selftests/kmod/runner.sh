#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# runner.sh - run the module's tests and count what they say
#
# usage: selftests/kmod/runner.sh BUILD_DIR [NAME...]
#
# To be run as root where baton.ko is loaded:
#
#	selftests/vm/run -k K -- selftests/kmod/runner.sh build/selftests/kmod
#
# The output is TAP; what the programs print is nested in it.  The last line is
# "N passed, N failed, N skipped" and counts single tests.  A program that dies
# or is stopped counts as failed for each test that it still owed.  Where the
# module is loaded, all that the tests need should be there, so a skip is a
# failure unless may_skip() knows better.
#
# BATON_SEED, BATON_KILL_ROUNDS	as in the programs
# BATON_NO_SKIP=1		nothing may be skipped, whatever the reason
# BATON_KO			the module's file, for the tests that remove and
#				load it; found if it was built in its usual
#				place beside BUILD_DIR
# BATON_KO_PARAMS		the parameters with which it was loaded

here=$(dirname "$0")
build=$1
[ -d "$build" ] || { sed -n 's/^# usage:/usage:/p' "$0" >&2; exit 1; }
shift

if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # words are what is wanted
	set -- $(sed -n '/^TEST_GEN_PROGS/,/# EOL/s/^\t\([a-z]*\) .*/\1/p' \
		 "$here/Makefile")
fi

timeout=$(sed -n 's/^timeout=//p' "$here/settings")
pass=0 fail=0 skip=0 num=0

marker()
{
	{ echo "baton selftest: $*" >/dev/kmsg; } 2>/dev/null || :
}

# Succeeds if a test may be skipped for this reason
may_skip()
{
	[ "${BATON_NO_SKIP:-0}" = 0 ] || return 1
	case $1 in
	"no null_blk")
		# Is there no such module for this kernel?
		! modprobe -n null_blk 2>/dev/null ;;
	"no cgroup freezer")
		# A kernel without control groups
		[ ! -e /proc/self/cgroup ] ;;
	"no freezer of cgroups, version 1")
		! grep -q '^freezer.*1$' /proc/cgroups 2>/dev/null ;;
	"no memory cgroup")
		! grep -q '^memory.*1$' /proc/cgroups 2>/dev/null ;;
	"no user namespaces")
		[ ! -e /proc/self/ns/user ] ;;
	"no pm_test")
		[ ! -e /sys/power/pm_test ] ;;
	"no block is short here"|"none of "*" naps was frozen in time")
		# Is the CPU an emulated one?
		grep -q "QEMU" /proc/cpuinfo ;;
	*)
		false ;;
	esac
}

# The baton.ko that was built for the kernel that runs
find_ko()
{
	for ko in "$build"/../../kmod/*/baton.ko; do
		[ -e "$ko" ] || continue
		case $(modinfo -F vermagic "$ko" 2>/dev/null) in
		"$(uname -r) "*)
			echo "$ko"
			return ;;
		esac
	done
}

# Counts the results in a program's output
count()
{
	plan='' seen=0
	while IFS= read -r line; do
		case $line in
		1..*)
			plan=${line#1..}
			plan=${plan%% *} ;;
		"not ok "*)
			seen=$((seen + 1)) fail=$((fail + 1)) ;;
		"ok "*"# SKIP "*)
			seen=$((seen + 1))
			if may_skip "${line##*# SKIP }"; then
				skip=$((skip + 1))
			else
				echo "# may not be skipped: $line"
				fail=$((fail + 1)) bad=1
			fi ;;
		"ok "*)
			seen=$((seen + 1)) pass=$((pass + 1)) ;;
		esac
	done <"$1"
	[ "${plan:-0}" -gt 0 ] || plan=1
	if [ $seen -lt "$plan" ]; then
		echo "# $((plan - seen)) results are missing"
		fail=$((fail + plan - seen)) bad=1
	fi
}

run_one()
{
	num=$((num + 1)) bad=0
	echo "# selftests: kmod: $1"
	marker "$1"
	{
		timeout -k 5 "$timeout" "$build/$1" 2>&1
		echo $? >"$tmp/status"
	} | tee "$tmp/out" | sed 's/^/# /'
	status=$(cat "$tmp/status")
	count "$tmp/out"
	case $status in
	0)	why='' ;;
	124|137) why=" # TIMEOUT $timeout seconds" ;;
	*)	why=" # exit=$status" ;;
	esac
	if [ -z "$why" ] && [ $bad = 0 ]; then
		echo "ok $num selftests: kmod: $1"
	else
		# Whatever the status says must be in the count, too
		[ $fail -gt "$before" ] || fail=$((fail + 1))
		echo "not ok $num selftests: kmod: $1$why"
	fi
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
[ "$BATON_KO" ] || BATON_KO=$(find_ko)
export BATON_KO
[ "$BATON_KO" ] || unset BATON_KO

echo "TAP version 13"
echo "1..$#"
for name; do
	before=$fail
	run_one "$name"
done
marker "done"
echo "$pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ]
