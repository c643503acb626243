#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# coverage.sh - run what is to reach all of the module, and print what it did
#
# usage: selftests/kmod/coverage.sh BUILD_DIR [NAME...] >TAR
#
# As root, on a kernel with CONFIG_GCOV_KERNEL, where BATON_KO, built with
# GCOV_PROFILE=y, is loaded: see selftests/debug. The module's tests, or those
# named, the fuzzer, and some with the other hook; then, as an archive, what gcov
# counted.

here=$(dirname "$0")
build=$1
counted=/sys/kernel/debug/gcov
tmp=$(mktemp -d) || exit 1
status=0
shift

# with HOOK [NAME...]
with()
{
	export BATON_KO_PARAMS=hook=$1
	shift
	rmmod baton
	insmod "$BATON_KO" $BATON_KO_PARAMS
	"$here/runner.sh" "$build" "$@" || status=1
	"$build/fuzz" || status=1
}

[ -e $counted ] || { echo "this kernel does not count" >&2; exit 1; }
{
	with notifiers "$@"
	with tracepoint hook lifetime
} >&2

cd $counted || exit 1
find . -name '*.gcda' | while read -r file; do
	mkdir -p "$tmp/${file%/*}"
	# Its size is 0, it is said
	cat "$file" >"$tmp/$file"
done
tar -C "$tmp" -c .
exit $status
