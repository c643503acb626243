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
built=

# library CC FLAGS...: in $out, unless there is one already, where the flags are
# the linker's alone
library()
{
	local cc=$1
	shift

	[ -n "$built" ] || make -s CI= SAN= DEBUG= O="build/flags/$num" \
		CC="$cc" CFLAGS="-g $*" "build/flags/$num/libbaton.a"
}

# flags CC FLAGS...: builds, runs, tells
flags()
{
	local cc=$1 out what="$*"
	shift

	num=$((num + 1))
	out=$top/$num
	mkdir -p "$out"
	# shellcheck disable=SC2086 # what follows the compiler is words
	if library "$cc" "$@" >"$out/log" 2>&1 &&
	   $cc -std=gnu11 -D_GNU_SOURCE -fexceptions -funwind-tables -g "$@" \
		-Ilib/include -o "$out/smoke" selftests/lib/flags/smoke.c \
		$more "${built:-$out/libbaton.a}" -pthread >>"$out/log" 2>&1 &&
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
	if library "$cc" "$@" >"$out/log" 2>&1 &&
	   $cc -std=gnu11 -D_GNU_SOURCE -g "$@" -Ilib/include \
		-o "$out/smoke" selftests/lib/flags/smoke.c \
		"${built:-$out/libbaton.a}" -pthread >>"$out/log" 2>&1 &&
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
flags gcc -O2 -pg -finstrument-functions
built=build/libbaton.a flags gcc -O2 -static
built=build/libbaton.a flags gcc -O2 -static-pie -fPIE
flags gcc -O2 -mcmodel=large
flags gcc -O2 -fstack-protector-all -fstack-clash-protection \
	-D_FORTIFY_SOURCE=2 -fcf-protection=full
flags gcc -O3 -flto=auto -ffat-lto-objects
flags clang -O1 -fsanitize=address
flags clang -O1 -fsanitize=thread
built=build/libbaton.a \
	refused "-fsplit-stack, which knows no fibers" gcc -O2 -fsplit-stack
refused "safe-stack: a fiber has no second stack" clang -O2 -fsanitize=safe-stack
refused "memory: it cannot follow a fiber" clang -O1 -fsanitize=memory
refused "no headers of the kernel" musl-gcc -O2
# As a program may that has the sources among its own
num=$((num + 1))
arch=$(uname -m)
sources=(lib/{call,core,io,sync,tier}/*.c)
# One of two, as the Makefile chooses
gcc -include liburing.h -fsyntax-only -x c /dev/null 2>/dev/null ||
	sources=("${sources[@]/#*\/ring.c/lib/io/noring.c}")
if gcc -std=gnu11 -D_GNU_SOURCE -Ilib/include -isystem kmod/uapi -Iasm \
	-I"asm/$arch" -fsyntax-only "${sources[@]}" \
	>"$top/alone" 2>&1
then
	echo "ok $num - the sources, without the Makefile"
else
	sed 's/^/# /' "$top/alone"
	echo "not ok $num - the sources, without the Makefile"
	failed=1
fi
# The kernel's headers are not among musl's, and musl-gcc asks the linker for no
# table that the unwinder finds frames by
more="selftests/lib/flags/musl/find.c -Wl,--eh-frame-hdr"
kernel="-idirafter /usr/include -idirafter /usr/include/$(gcc -print-multiarch)"

# All of it with musl, and the tests but for those in C++ and with libraries that
# are built for glibc, as is libbaton-wrap.so; t_deadlock and t_many, which take
# long, ask nothing of the C library that the others do not
musl()
{
	local cc=(CC=musl-gcc "CFLAGS=-O2 -g $kernel") names dir=build/musl
	local link="-Wl,--eh-frame-hdr" find=selftests/lib/flags/musl/find.c

	rm -rf "$dir"
	make -s CI=1 "${cc[@]}" LDFLAGS="-fPIC $find $link" CRYPTO= O=$dir \
		all || return 1
	names=$(make -s --no-print-directory -C selftests/lib list |
		grep -vE '_(cpp|hpp|deadlock|expat|glib|many|sqlite)$|_wrap')
	# shellcheck disable=SC2086 # words
	make -s CI=1 "${cc[@]}" B=../../$dir -C selftests/lib \
		CHECK_CFLAGS=-Iflags/musl \
		CHECK_LIBS="../../$find $link -pthread -lm" \
		$(printf "../../$dir/selftests/lib/%s\n" $names) || return 1
	# shellcheck disable=SC2086 # words
	BATON_TIER=poll BATON_TEST_SCALE=10 selftests/lib/runner.sh \
		$dir/selftests/lib $names
}

num=$((num + 1))
if musl >"$top/musl" 2>&1; then
	echo "ok $num - musl-gcc: the tests"
else
	sed 's/^/# /' "$top/musl"
	echo "not ok $num - musl-gcc: the tests"
	failed=1
fi
# shellcheck disable=SC2086 # words
for flag in -O2 "-O2 -static"; do
	built=build/musl/libbaton.a flags musl-gcc $flag $kernel
done
echo "1..$num"
exit $failed
