#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_tls.sh - no function of the library takes the address of a thread-local
# variable, errno's included, and can also change stacks: on another thread, a
# compiler that kept the address would use the old one's
#
# Looks at the built code, under the optimizations most likely to do so. What
# is said of a function holds for all that it calls by name. baton_asm_call and
# baton_asm_start come back on the thread that they left.

set -u -o pipefail
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/../tap.sh"

# Functions of an object, one per line, that do both
both()
{
	objdump -d --no-show-raw-insn "$1" | awk '
		# A name without what compilers append to it
		function base(name)
		{
			gsub(/[<>:]/, "", name)
			sub(/\+0x.*/, "", name)
			sub(/@.*/, "", name)
			sub(/\.(cold|constprop|isra|part|lto_priv).*/, "", name)
			return name
		}
		/^[0-9a-f]+ </	{ f = base($2) }
		/__errno_location|__tls_get_addr|%fs:0x0,/ { takes[f] = 1 }
		/[\t ](call|j[a-z]+) .*<.*>/ {
			callee = base($NF)
			if (callee != f)
				calls[f] = calls[f] " " callee
		}
		END {
			changes["baton_asm_switch"] = 1
			changes["baton_asm_leave"] = 1
			do {
				more = 0
				for (f in calls) {
					n = split(calls[f], to, " ")
					for (i = 1; i <= n; i++)
						if (!(f in changes) && to[i] in changes)
							more = changes[f] = 1
				}
			} while (more)
			# Nothing at all would be a listing not understood
			for (f in changes)
				count++
			if (count < 3)
				print "no such code was recognized"
			for (f in takes)
				if (f in changes)
					print f
		}'
}

# built NAME FLAGS: the library with these, clean of it?
built()
{
	local so=$top/build/tls/$1/libbaton.so found

	make -s -C "$top" CI= SAN= O="build/tls/$1" CFLAGS="-g $2" LDFLAGS="$2" \
		"build/tls/$1/libbaton.so" >"$tmp/log" 2>&1 || {
		sed 's/^/# /' "$tmp/log"
		not_ok "$2: builds"
		return
	}
	found=$(both "$so") || found="no listing"
	none "$2: no address of a thread-local is kept over a switch" "$found"
}

# What the test must find: errno, before and after, with the switch further down
seeded()
{
	cat >"$tmp/seeded.c" <<-'EOF'
	#include <errno.h>
	__attribute__((noipa)) void baton_asm_switch(void) { }
	__attribute__((noipa)) void leave(void) { baton_asm_switch(); }
	__attribute__((noipa)) void fine(void) { errno = 1; }
	int kept(void) { errno = 0; leave(); return errno; }
	EOF
	cc -O3 -fPIC -shared -o "$tmp/seeded.so" "$tmp/seeded.c" || return
	try "a seeded one is found" [ "$(both "$tmp/seeded.so")" = kept ]
}

if [ "$(uname -m)" != x86_64 ]; then
	echo "1..0 # SKIP reads the code of x86_64"
	exit 0
fi
seeded
built O3 "-O3"
built lto "-O3 -flto=auto"
plan
