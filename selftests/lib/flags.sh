#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# flags.sh - the library and a small program, built with flags and compilers
# that distributions and users have; it runs, on the tier poll

set -u
cd "$(dirname "$0")/../.." || exit 1
num=0 failed=0
top=$PWD/build/flags
more=

# flags CC FLAGS...: builds, runs, tells
flags()
{
	local cc=$1 out what="$*"
	shift

	num=$((num + 1))
	out=$top/$num
	mkdir -p "$out"
	# shellcheck disable=SC2086 # what follows the compiler is words
	if make -s CI= SAN= DEBUG= O="build/flags/$num" CC="$cc" \
		CFLAGS="-g $*" "build/flags/$num/libbaton.a" >"$out/log" 2>&1 &&
	   $cc -std=gnu11 -D_GNU_SOURCE -fexceptions -funwind-tables -g "$@" \
		-Ilib/include -o "$out/smoke" selftests/lib/flags/smoke.c \
		$more "$out/libbaton.a" -pthread >>"$out/log" 2>&1 &&
	   (cd "$out" && BATON_TIER=poll timeout 60 ./smoke) >>"$out/log" 2>&1
	then
		echo "ok $num - $what"
	else
		sed 's/^/# /' "$out/log"
		echo "not ok $num - $what"
		failed=1
	fi
}

# refused WORDS CC FLAGS...: does not build, or not run, with these words
refused()
{
	local words=$1 cc=$2 what out
	shift 2

	num=$((num + 1))
	what="$cc $*: refused"
	out=$top/$num
	mkdir -p "$out"
	# shellcheck disable=SC2086 # what follows the compiler is words
	if make -s CI= SAN= DEBUG= O="build/flags/$num" CC="$cc" \
		CFLAGS="-g $*" "build/flags/$num/libbaton.a" >"$out/log" 2>&1 &&
	   $cc -std=gnu11 -D_GNU_SOURCE -g "$@" -Ilib/include \
		-o "$out/smoke" selftests/lib/flags/smoke.c \
		"$out/libbaton.a" -pthread >>"$out/log" 2>&1 &&
	   BATON_TIER=poll timeout 60 "$out/smoke" >>"$out/log" 2>&1 ||
	   ! grep -qe "$words" "$out/log"
	then
		sed 's/^/# /' "$out/log"
		echo "not ok $num - $what"
		failed=1
	else
		echo "ok $num - $what"
	fi
}

rm -rf "$top"
flags gcc -O0 --coverage
flags gcc -O2 -pg
flags gcc -O2 -finstrument-functions
flags gcc -O2 -static
flags gcc -O2 -static-pie -fPIE
flags gcc -O2 -mcmodel=large
flags gcc -O2 -fstack-protector-all -fstack-clash-protection \
	-D_FORTIFY_SOURCE=2 -fcf-protection=full
flags gcc -O3 -flto=auto -ffat-lto-objects
flags clang -O1 -fsanitize=address
flags clang -O1 -fsanitize=thread
refused "-fsplit-stack, which knows no fibers" gcc -O2 -fsplit-stack
refused "safe-stack: a fiber has no second stack" clang -O2 -fsanitize=safe-stack
refused "memory: it cannot follow a fiber" clang -O1 -fsanitize=memory
refused "no headers of the kernel" musl-gcc -O2
# The kernel's headers are not among musl's, and musl-gcc asks the linker for no
# table that the unwinder finds frames by
more="selftests/lib/flags/musl/find.c -Wl,--eh-frame-hdr"
kernel="-idirafter /usr/include -idirafter /usr/include/$(gcc -print-multiarch)"
# shellcheck disable=SC2086 # words
for flag in -O2 "-O2 -static"; do
	flags musl-gcc $flag $kernel
done
echo "1..$num"
exit $failed
